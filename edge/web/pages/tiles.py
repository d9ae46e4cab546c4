"""Each door as a tile: in a word, a line and a colour, by zone; and the counts that filter them.

One rule: pure functions, the same for templates and live updates; whatever a colour says, a word says too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from edge.client.conditions import conditions, words
from edge.model.printable import masked as visible
from edge.web.door_actions import offered, primary
from edge.web.people_words import REFUSED, ago
from edge.web.words import CONTACTS, LOCKS, MODES, TONES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from edge.web.words import Words

ORDER: Final = ("alarm", "warning", "notice", "calm")
"""Tones, the worst first."""
KINDS: Final = ("alarm", "held", "open", "locked")
"""What the counts above the doors count. A door may be of several kinds."""
RESTRICTED: Final = frozenset({"locked_down", "blocked"})
ELSEWHERE: Final = "Other doors"
"""Those without a zone, where others have one."""


def zones(status: Mapping[str, Any], say: Words, *, named: bool) -> list[dict[str, Any]]:
    """Every zone with its tiles, in the order of the configuration; what needs somebody comes first.

    `named`: the names of people may be shown.
    """
    now = say.today(status)
    by_zone: dict[str, list[dict[str, Any]]] = {}
    for key, door in status["doors"].items():
        name = visible(door.get("zone") or "")
        by_zone.setdefault(name, []).append(tile_of(key, door, say, now, named=named))
    bare = by_zone.pop("", [])
    if bare:
        by_zone[ELSEWHERE if by_zone else ""] = bare
    made: list[dict[str, Any]] = []
    for name, tiles in by_zone.items():
        placed = [{**tile, "zone": name} for tile in tiles]
        made.append({"name": name, "doors": sorted(placed, key=_rank)})
    alarm = ORDER.index("alarm")
    return sorted(made, key=lambda zone: _rank(zone["doors"][0]) != alarm)


def counts(tiles: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The count of each kind in words, and of all doors under ""."""
    number = {kind: sum(kind in tile["kinds"] for tile in tiles) for kind in KINDS}
    alarms = "1 alarm" if number["alarm"] == 1 else f"{number['alarm']} alarms"
    return {
        "": f"All {len(tiles)}",
        "alarm": alarms,
        "held": f"{number['held']} held unlocked",
        "open": f"{number['open']} open",
        "locked": f"{number['locked']} locked",
    }


def shown(tile: Mapping[str, Any], kind: str, text: str) -> bool:
    """Whether a tile is of a kind (empty: any) and has a text in its name."""
    return (not kind or kind in tile["kinds"]) and text.casefold() in tile["name"].casefold()


def clock(at: datetime, now: datetime, form: str = "%H:%M") -> str:
    """A time of day, with its date if it is not of today."""
    return at.strftime(form if at.date() == now.date() else f"%Y-%m-%d {form}")


def _rank(tile: dict[str, Any]) -> int:
    return ORDER.index(tile["tone"])


def tile_of(key: str, door: Mapping[str, Any], say: Words, now: datetime, *, named: bool) -> dict[str, Any]:
    """One door, without its zone; `says` has the texts that live updates change."""
    tone, headline, detail = _state(door, say, now, named=named)
    kinds = (tone == "alarm", door["mode"] == "unlocked", door["contact"] == "open", door["lock"] == "locked")
    notes = [words(one) for place, one in enumerate(conditions(door)) if place or one["detail"]]
    contact = CONTACTS.get(door["contact"], visible(door["contact"])) if "contact" in door["points"] else "None"
    return {
        "id": key,
        "name": visible(door["name"]),
        "tone": tone,
        "mode": door["mode"],
        "primary": primary(door),
        "offers": offered(door),
        "glyph": _glyph(door, tone),
        "kinds": " ".join(kind for kind, holds in zip(KINDS, kinds, strict=True) if holds),
        "says": {
            "headline": headline,
            "detail": detail,
            "last": _last(door.get("last"), say, now) if named else "",
            "note": "; ".join(map(_sentence, notes)),
            "lock": LOCKS.get(door["lock"], visible(door["lock"])),
            "contact": contact,
            "mode": MODES.get(door["mode"], visible(door["mode"])),
        },
    }


def _state(door: Mapping[str, Any], say: Words, now: datetime, *, named: bool) -> tuple[str, str, str]:
    """(tone, headline, detail) of a door: its worst condition, else the first state that applies.

    A time in the detail is that of what the headline says.
    """
    for condition in conditions(door):
        tone = TONES.get(condition["severity"], "warning")
        return tone, _sentence(condition["message"]), _for(say.local(condition["since"]), now)
    mode, lock, since = door["mode"], door["lock"], door["since"]
    if mode in RESTRICTED:
        return "warning", MODES[mode], _since(say.local(since["mode"]), now)
    if mode == "unlocked":
        return _held(door, say, now)
    if door["contact"] == "open":
        left_s = door["held_open_in_s"]
        until = "" if left_s is None else f", alarm at {now + timedelta(seconds=left_s):%H:%M:%S}"
        return "calm", "Open", f"{_for(say.local(since['contact']), now)}{until}"
    if lock == "unlocked":
        by, left_s = door.get("unlocked_by"), door["unlocked_for_s"]
        who = f"by {visible(by['name'])}" if by and (named or by["kind"] != "user") else ""
        until = "" if left_s is None else f"until {now + timedelta(seconds=left_s):%H:%M:%S}"
        return "calm", LOCKS[lock], f"{who} {until}".strip() or _since(say.local(since["lock"]), now)
    tone = "warning" if lock == "unknown" else "calm"
    return tone, LOCKS.get(lock, visible(lock)), _since(say.local(since["lock"]), now)


def _held(door: Mapping[str, Any], say: Words, now: datetime) -> tuple[str, str, str]:
    """The state of a door that is held unlocked: a notice if a schedule does it, else a warning."""
    by = door.get("unlocked_by")
    scheduled = by is not None and by["kind"] == "schedule"
    word = "Unlocked" if scheduled else MODES["unlocked"]
    headline = f"{word}, open" if door["contact"] == "open" else word
    who = "" if by is None else f"by {visible(by['name'])} "
    until = (door.get("schedule") or {}).get("next_change") if scheduled else door["held_until"]
    when = _since(say.local(door["since"]["mode"]), now) if until is None else f"until {clock(say.local(until), now)}"
    return "notice" if scheduled else "warning", headline, f"{who}{when}"


def _last(last: Mapping[str, Any] | None, say: Words, now: datetime) -> str:
    if last is None:
        return ""
    who = "unknown card" if last["who"] is None and last["code"] == "unknown_card" else last["who"] or "somebody"
    refused = "" if last.get("granted", True) else f"{REFUSED} "
    return f"last: {visible(who)}, {refused}{ago(say.local(last['at']), now)}"


def _glyph(door: Mapping[str, Any], tone: str) -> str:
    if tone == "alarm":
        return "alarm"
    if door["mode"] in RESTRICTED:
        return "barred"
    return door["lock"] if door["lock"] in LOCKS else "unknown"


def _for(since: datetime, now: datetime) -> str:
    """How long something lasts; from a day on since when."""
    past = max(now - since, timedelta())
    if past < timedelta(minutes=1):
        return f"for {past // timedelta(seconds=1)} s"
    if past < timedelta(hours=1):
        return f"for {past // timedelta(minutes=1)} min"
    if past < timedelta(days=1):
        return f"for {past // timedelta(hours=1)} h"
    return _since(since, now)


def _since(at: datetime, now: datetime) -> str:
    return f"since {clock(at, now)}"


def _sentence(text: str) -> str:
    return visible(text[:1].upper() + text[1:])
