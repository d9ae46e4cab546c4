"""The open alerts in the words of the page, the same for templates and live updates.

One rule: pure functions; whatever a colour says, a word says too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.model.printable import masked as visible
from edge.web.pages.tiles import clock, tile_of
from edge.web.words import BADGES, TONES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from edge.web.words import Words

NONE: Final[Mapping[str, Any]] = {"count": 0, "newest": 0, "bars": (), "more": ""}
"""What is shown when no alert is open, or nothing is known."""
BLANK: Final[Mapping[str, Any]] = {
    "id": "",
    "sequence": 0,
    "tone": "calm",
    "picture": "",
    "says": dict.fromkeys(("badge", "what", "since", "about"), ""),
}
"""A bar that a script fills."""
WAYS: Final = {
    "email": "e-mail to",
    "webhook": "message to",
    "siren": "siren at",
    "mqtt": "message to the broker",
    "ntfy": "phones by ntfy",
}
"""Way -> words in front of its receivers."""
WORST_FIRST: Final = {"alarm": 0, "warning": 1}


def shown(status: Mapping[str, Any], say: Words, most: int, *, named: bool) -> dict[str, Any]:
    """The alerts to show: at most so many as bars, the worst and newest first, and how many more there are.

    `named`: people and pictures may be shown.
    """
    found = sorted(status["alerts"]["open"], key=_order)
    more = len(found) - most
    return {
        "count": len(found),
        "newest": max((one["sequence"] for one in found), default=0),
        "bars": [bar(one, status, say, named=named) for one in found[:most]],
        "more": f"and {more} more" if more > 0 else "",
    }


def bar(alert: Mapping[str, Any], status: Mapping[str, Any], say: Words, *, named: bool) -> dict[str, Any]:
    """One alert. `says` has its texts; `picture` is empty until there is one."""
    now = say.today(status)
    door = status["doors"].get(alert["door"])
    times = f" ({alert['count']} times)" if alert["count"] > 1 else ""
    about = [*_where(door, say, now, named=named), *(_told(alert, say, now) if named else ())]
    return {
        "id": alert["alert"],
        "sequence": alert["sequence"],
        "tone": TONES.get(alert["severity"], "calm"),
        "picture": "",
        "says": {
            "badge": BADGES.get(alert["severity"], ""),
            "what": f"{visible(alert['message'])}{times}",
            "since": clock(say.local(alert["latest"]), now, "%H:%M:%S"),
            "about": " ".join(about),
        },
    }


def _order(alert: Mapping[str, Any]) -> tuple[int, int]:
    return WORST_FIRST.get(alert["severity"], 2), -alert["sequence"]


def _where(door: Mapping[str, Any] | None, say: Words, now: datetime, *, named: bool) -> list[str]:
    """Where its door is, and how that door is now."""
    if door is None:
        return []
    says = tile_of("", door, say, now, named=named)["says"]
    zone = f"{visible(door['zone'])}. " if door.get("zone") else ""
    present = f"{says['headline']} {says['detail']}".strip()
    return [f"{zone}Now: {present}."]


def _told(alert: Mapping[str, Any], say: Words, now: datetime) -> list[str]:
    """Who was told, by which policy, and who comes next."""
    if not alert["told"]:
        return ["No alert policy applies: nobody was told."]
    ways = ", ".join(map(_way, alert["told"]))
    said = [f"Told by “{visible(alert['name'])}”: {ways}."]
    if alert["escalates"] is not None:
        to = f" to {_listed(alert['escalates_to'])}" if alert["escalates_to"] else ""
        said.append(f"Goes on{to} at {clock(say.local(alert['escalates']), now)}.")
    return said


def _way(told: Mapping[str, Any]) -> str:
    words = WAYS.get(told["way"], f"{visible(told['way'])} to")
    waits = " (not sent yet)" if told["waits"] else ""
    return f"{words} {_listed(told['to'])}".strip() + waits


def _listed(names: Sequence[str]) -> str:
    return " and ".join(map(visible, names))
