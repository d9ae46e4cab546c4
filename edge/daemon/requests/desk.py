"""What the operations about people have in common: how a request is read, and how it is refused.

One rule: what `edge.people` cannot find or plan is refused with its sentence, and with the candidates for programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict

from edge.people.cards import CardError
from edge.people.changing import DeskError
from edge.people.finding import NotFoundError
from edge.people.slices import aside
from edge.socket.peers import RequestError

if TYPE_CHECKING:
    from collections.abc import Generator

    from edge.model.messages import Json

T = TypeVar("T")


class DeskAsk(BaseModel):
    """What a request brings."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PersonAsk(DeskAsk):
    """A request about somebody who is named."""

    by_id: bool = False
    """They and their card are named by ids, as a page names whom it has shown: of a name nobody else is meant."""


async def found(steps: Generator[None, None, T]) -> T:
    """What these steps find. Raises RequestError."""
    try:
        return await aside(steps)
    except NotFoundError as error:
        told: list[Json] = [{"id": one.id, "name": one.user.name, "email": one.user.email} for one in error.candidates]
        raise RequestError(error.code, str(error), {"candidates": told} if told else None) from None
    except (CardError, DeskError) as error:
        raise RequestError(error.code, str(error)) from None
