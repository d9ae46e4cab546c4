"""People in the words of the page. One rule: pure functions; times are those of the doors."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from edge.model.printable import masked as visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.web.words import Words

REFUSED: Final = "refused"
STATES: Final = {"active": "active", "off": "off", "no access": "may pass no door"}
TONES: Final = {"off": "warning", "expired": "warning", "not yet": "calm", "no access": "warning"}
FIELD: Final = "%Y-%m-%dT%H:%M"
"""As a browser's field for a time has it."""
EVENING: Final = time(18)
"""Until when a visitor may pass who comes today, as doord has it."""


def person_row(person: Mapping[str, Any], words: Words, now: datetime) -> dict[str, Any]:
    """A person for a list and for the page of that person."""
    return {
        **person,
        "says": state(person, words, now),
        "tone": TONES.get(person["state"], "calm"),
        "groups": ", ".join(visible(group["name"]) for group in person["groups"]),
        "seen": last_seen(person["last_seen"], words, now),
        "from": field(person["valid_from"], words),
        "until": field(person["valid_until"], words),
    }


def state(person: Mapping[str, Any], words: Words, now: datetime) -> str:
    """Whether the person may pass, and until when."""
    of, until = person["state"], person["valid_until"]
    if of == "expired":
        return f"expired {day(words.local(until), now)}"
    if of == "not yet":
        return f"from {day(words.local(person['valid_from']), now)}"
    text = STATES.get(of, visible(of))
    return f"until {day(words.local(until), now)}" if of == "active" and until else text


def last_seen(seen: Mapping[str, Any] | None, words: Words, now: datetime) -> str:
    """Where and when a card or PIN of the person was read last."""
    if seen is None:
        return "never"
    where, when = visible(seen["name"] or seen["door"] or ""), ago(words.local(seen["at"]), now)
    return f"{REFUSED} {where}, {when}" if seen["code"] else f"{where}, {when}"


def ago(at: datetime, now: datetime) -> str:
    """How long ago, or the date."""
    past = now - at
    if timedelta(0) <= past < timedelta(minutes=1):
        return "just now"
    if timedelta(0) <= past < timedelta(hours=1):
        return f"{past // timedelta(minutes=1)} min ago"
    if timedelta(0) <= past < timedelta(days=1):
        return f"{past // timedelta(hours=1)} h ago"
    return day(at, now)


def day(at: datetime, now: datetime) -> str:
    """A time as people say it: with "today", without a year that is this one."""
    if at.date() == now.date():
        return f"today {at:%H:%M}"
    clock = f" {at:%H:%M}" if (at.hour, at.minute) != (0, 0) else ""
    return f"{at.day} {at:%B}{clock}" if at.year == now.year else f"{at.day} {at:%B %Y}{clock}"


def field(iso: str | None, words: Words) -> str:
    """A time for a field of a form."""
    return f"{words.local(iso):{FIELD}}" if iso else ""


def from_field(text: str, words: Words) -> str | None:
    """What was typed into such a field, with its zone; None for nothing. Raises ValueError."""
    if not text:
        return None
    return words.in_zone(text).astimezone(UTC).isoformat()
