"""What a search or a command means by a name: doors, people, codes.

One rule: what is in use or has a record is known; of anything else it is said what may have been meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.cli.pages import newest
from edge.client.connection import RequestRefused
from edge.client.sources import doors_of
from edge.model.alike import did_you_mean, named_alike
from edge.model.refusal_codes import REFUSAL_CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.client.connection import Client
    from edge.client.sources import Source

UNKNOWN_DOOR: Final = "unknown_door"
MOST_NAMED: Final = 10
"""Doors that are named when none is spelt alike."""


def meant(pages: Source, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The filters of a search with the ids of what they name. Raises ValueError for what nobody knows."""
    found = dict(asked)
    if "door" in asked:
        doors = pages.doors()
        found["door"] = [_door(pages, doors, one) for one in asked["door"]]
    if "user" in asked:
        found["user"] = [one if _recorded(pages, user=[one]) else pages.user(one) for one in asked["user"]]
    for code in asked.get("code", ()):
        if code not in REFUSAL_CODES and not _recorded(pages, code=[code]):
            hint = did_you_mean(code, REFUSAL_CODES) or f"; expected one such as {', '.join(REFUSAL_CODES[:3])}, ..."
            raise ValueError(f"there is no code {code!r}{hint}")
    if "group" in asked:
        pages.page({"group": asked["group"], "newest": True, "limit": 1})
    return found


def ask_of_door(client: Client, op: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- JSON
    """Ask something of the `door` of `body`; again with its id if it was named. ValueError when there is no such door.

    The daemon is asked about its doors only then: a lockdown waits for nothing.
    """
    try:
        return client.ask(op, **body)
    except RequestRefused as error:
        if error.code != UNKNOWN_DOOR or not isinstance(body.get("door"), str):
            raise
        doors = doors_of(client.ask("status"))
    return client.ask(op, **{**body, "door": door_meant(doors, body["door"])})


def door_meant(doors: Mapping[str, str], text: str) -> str:
    """The id of the door that has this id or name. ValueError when there is no such door, or several."""
    return called(doors, text) or _no_door(doors, text)


def called(doors: Mapping[str, str], text: str) -> str | None:
    """The id of the door that has this id or name. ValueError when several are called so."""
    if text in doors:
        return text
    wanted = _folded(text)
    same = [door for door, name in doors.items() if wanted in {_folded(door), _folded(name)}]
    if len(same) > 1:
        raise ValueError(f"{text!r} may be {'; '.join(f'{doors[one]} ({one})' for one in same)}")
    return same[0] if same else None


def _door(pages: Source, doors: Mapping[str, str], text: str) -> str:
    """The id; that of a door which is no longer configured is known by its records."""
    door = called(doors, text)
    if door is None:
        return text if _recorded(pages, door=[text]) else _no_door(doors, text)
    return door


def _no_door(doors: Mapping[str, str], text: str) -> str:
    """Raise ValueError with the doors that may be meant."""
    some = [*doors][:MOST_NAMED] + ["..."] * (len(doors) > MOST_NAMED)
    hint = named_alike(text, doors) or f"; expected one of {', '.join(some) or 'none'}"
    raise ValueError(f"there is no door {text!r}{hint}")


def _recorded(pages: Source, **only: list[str]) -> bool:
    """Whether there is a record of it, at any time."""
    return next(newest(pages, only, 1), None) is not None


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
