"""A passage in the words of the page: who and where, how and what came of it, with the day it stands under.

One rule: pure functions, the same for templates and live updates; of a refusal only what doord tells is said.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from edge.model.printable import masked as visible
from edge.web.week import ALARMS
from edge.web.words import TONES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from edge.web.words import Words

BY: Final = {"card": "card", "pin": "PIN", "card_and_pin": "card and PIN"}
REFUSALS: Final = {
    "unknown_card": "nobody has this card",
    "card_inactive": "the card is lost or out of use",
    "disabled": "switched off",
    "expired": "no longer valid",
    "not_yet_valid": "not valid yet",
    "no_access": "in no group that may pass here",
    "outside_schedule": "outside the schedule",
    "locked_down": "the door is locked down",
    "blocked": "the door is blocked",
    "interlock": "another door is open or released",
    "pin_required": "no PIN was given",
    "wrong_pin": "wrong PIN",
    "too_many_attempts": "too many wrong PINs",
    "anti_passback": "came in and has not left",
    "starting": "the controller was starting",
}
"""Code -> why, for people. Other codes are shown as they are."""
MARKS: Final = {"exit": "→", "alarm": "!", "refused": "?"}
"""Where nobody is known."""
WARNINGS: Final = frozenset({"refused"})


def passage_row(row: Mapping[str, Any], say: Words, now: datetime) -> dict[str, Any]:
    """One row; all values are text but for the two numbers."""
    at, tag = say.local(row["time"]), row["tag"]
    title, rest = _title(row)
    return {
        "id": row["first"],
        "sequence": row["shown"],
        "iso": row["time"],
        "time": f"{at:%H:%M:%S}",
        "date": at.date().isoformat(),
        "day": day_words(at.date(), now.date()),
        "tone": "warning" if tag in WARNINGS else TONES.get(row["severity"], "calm"),
        "tag": tag,
        "mark": _mark(row),
        "title": visible(title),
        "rest": visible(rest),
        "detail": visible(_detail(row, say)),
        "doubt": "≈" if row["clock"] == "unsynced" else "",
        "picture": "",
    }


def day_words(day: date, today: date) -> str:
    """A day as a heading."""
    near = {today: "Today, ", today - timedelta(days=1): "Yesterday, "}.get(day, "")
    year = "" if day.year == today.year else f" {day.year}"
    return f"{near}{day:%A} {day.day} {day:%B}{year}"


def alarm_word(kind: str) -> str:
    """What an alarm is, without the name of the door: `forced open`."""
    return ALARMS.get(kind, kind)


def _title(row: Mapping[str, Any]) -> tuple[str, str]:
    """What is told in bold, and what follows it."""
    where, people, tag = row["where"], row["people"], row["tag"]
    if tag == "alarm":
        if row["door"] is None:
            return row["message"], ""
        return where, ", ".join(map(alarm_word, row["alarms"]))
    if tag == "exit":
        return "Exit", f"· {where}"
    if not tag:
        several = row["class"] == "audit" and row["records"] > 1
        return row["message"], f"and {row['records'] - 1} more" if several else ""
    if people:
        others = f"and {len(people) - 1} more " if people[1:] else ""
        return people[0]["name"], f"{others}· {where}"
    number = row["details"].get("number")
    unknown = "Unknown card" if row["code"] == "unknown_card" else "Somebody"
    return f"{unknown} {number}" if number else unknown, f"· {where}"


def _mark(row: Mapping[str, Any]) -> str:
    """The initials of whoever it was, or a sign."""
    if row["people"] and row["tag"] != "alarm":
        words = [word for word in row["people"][0]["name"].split() if word[:1].isalnum()]
        return visible("".join(word[0] for word in (words[:1] + words[1:][-1:])).upper())
    return MARKS.get(row["tag"], "·")


def _detail(row: Mapping[str, Any], say: Words) -> str:
    parts = [_means(row), _why(row, say), _opened(row), *row["warnings"]]
    if row["tag"] == "alarm" and row["people"]:
        parts.insert(0, ", ".join(one["name"] for one in row["people"]))
    if row["continued"]:
        parts.append("goes on with an earlier passage")
    return " · ".join(part for part in parts if part)


def _means(row: Mapping[str, Any]) -> str:
    """By what somebody came in."""
    details, tag = row["details"], row["tag"]
    if tag == "exit":
        return "exit button"
    how = BY.get(str(details.get("credential")), "")
    if how:
        number = f" {details['number']}" if row["people"] and tag == "refused" and details.get("number") else ""
        group = f", by {details['group']}" if details.get("group") else ""
        return f"{how}{number}{group}"
    return "unlocked remotely" if row["cause"] == "operator" and tag in {"granted", "not taken"} else ""


def _why(row: Mapping[str, Any], say: Words) -> str:
    """Why it was refused."""
    code, details = row["code"], row["details"]
    if code is None:
        return ""
    if row["tag"] != "refused":
        return str(code)
    if code == "outside_schedule" and details.get("schedules"):
        opens = f", opens {_moment(say.local(details['opens']), say.local(row['time']))}" if "opens" in details else ""
        return f"outside {', '.join(map(str, details['schedules']))}{opens}"
    if code == "interlock" and details.get("held_by"):
        return f"{details['held_by']} is open or released"
    reason = f" ({details['reason']})" if details.get("reason") else ""
    return f"{REFUSALS.get(code, code)}{reason}"


def _opened(row: Mapping[str, Any]) -> str:
    """What the leaf did."""
    openings, open_s, tag = row["openings"], row["open_s"], row["tag"]
    if tag == "not taken":
        return "unlocked, not opened"
    if not openings:
        return ""
    if open_s is None:
        return "opened" if openings == 1 else f"opened {openings} times"
    if tag == "alarm":
        return f"stood open {length(open_s)}"
    if openings > 1:
        return f"opened {openings} times"
    return f"opened, closed after {length(open_s)}"


def length(seconds: float) -> str:
    """How long something took."""
    if seconds < 1:
        return "less than 1 s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _moment(at: datetime, after: datetime) -> str:
    """A moment in the days that follow: with the day of the week, from a week on with the date."""
    if at - after < timedelta(days=6):
        return f"{at:%a %H:%M}" if at.date() != after.date() else f"{at:%H:%M}"
    return f"{at.day} {at:%B %H:%M}"
