"""Changing groups and schedules: an edit of the directory, for the account that asked.

One rule: a change applies to the version that its form has shown, and a refusal says everything that is wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.model.printable import masked as visible
from edge.web.page import page_of, posted, see, session_of, who

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

DOOR: Final = "door:"
"""Begins the name of a door's field; its id follows."""
STALE: Final = "stale"
_VERSION: Final = re.compile("[0-9]{1,15}")
SAVE_AGAIN: Final = "Nothing was saved. Save again to put this in its place."


class EditRefusedError(Exception):
    """What is wrong, a sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        """At least one."""
        super().__init__(problems[0])
        self.problems = problems


async def edit(request: Request, changes: Sequence[Mapping[str, Any]], base: str) -> dict[str, Any]:
    """Apply these changes; returns doord's answer. Raises EditRefusedError, and RequestRefused for an account."""
    sent = [{**one, "entry": _given(one["entry"])} if "entry" in one else one for one in changes]
    if base and not _VERSION.fullmatch(base):
        raise EditRefusedError(["This form is damaged. Open it again."])
    ask = {"changes": sent, "base": int(base) if base else None}
    answer: dict[str, Any] = await page_of(request).link.ask("edit_directory", who(request).name, **ask)
    if answer["done"]:
        return answer
    problems = [visible(one) for one in answer["outcomes"].get("problems") or [answer["message"]]]
    raise EditRefusedError([*problems, SAVE_AGAIN] if answer["code"] == STALE else problems)


def _given(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not said: a key that is left out has its default."""
    return {key: value for key, value in entry.items() if value is not None}


async def entry(request: Request, kind: str, own: str) -> tuple[dict[str, Any], int]:
    """An entry as the document has it, and the version. Raises HTTPException when there is none."""
    found = await page_of(request).link.ask("entries", who(request).name, kind=kind, ids=[own])
    if not found["entries"]:
        raise HTTPException(404, f"There is no such {kind}, or no longer.")
    return found["entries"][0], int(found["version"])


def chosen_doors(form: Mapping[str, str]) -> list[str]:
    """The ids of the doors whose fields are checked."""
    return [key.removeprefix(DOOR) for key in form if key.startswith(DOOR)]


async def door_names(request: Request) -> dict[str, str]:
    """The configured doors: id and name."""
    status = await page_of(request).link.ask("status")
    return {key: visible(door["name"]) for key, door in status["doors"].items()}


def removal(kind: str, path: str, means: str) -> list[Route]:
    """The paths below `path` that remove an entry: the page that asks for confirmation, and its form."""

    async def ask(request: Request) -> Response:
        own, _ = await entry(request, kind, request.path_params["own"])
        question: dict[str, Any] = {"question": f"Remove the {kind} {visible(own['name'])}?", "button": "Remove"}
        back = f"{path}/{quote(own['id'], safe='')}"
        return page_of(request).html(request, "confirm.html", **question, means=means, danger=True, back=back)

    @posted
    async def remove(request: Request, _form: Mapping[str, str]) -> Response:
        own, version = await entry(request, kind, request.path_params["own"])
        try:
            await edit(request, [{"remove": kind, "id": own["id"]}], str(version))
        except EditRefusedError as error:
            raise RequestRefused("refused", error.problems[0]) from None
        session_of(request).notices.append(f"{visible(own['name'])} is removed.")
        return see(path)

    one = f"{path}/{{own}}/remove"
    return [Route(one, ask, methods=["GET"]), Route(one, remove, methods=["POST"])]
