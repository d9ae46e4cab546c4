"""Draws what is watched on a terminal of any size.

One rule: pure; never more lines or columns than there are, and no control characters.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.cli.event_lines import kind_of
from edge.cli.status import log_line, taken, upstream_line, wrong
from edge.cli.tables import cell_width, fitted, hanging
from edge.cli.text import MARKS, ago, local, span
from edge.cli.watching.view import Showing, kind, question, rank
from edge.client.conditions import since
from edge.client.zones import zone_name, zone_of
from edge.model.printable import spelt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from edge.cli.terminal import Kind
    from edge.cli.watching.view import View
    from edge.model.published.doors import DoorJson
    from edge.model.published.status import StatusJson

EVENTS: Final = 3
"""Lines for events that doors leave."""
ROOMY: Final = 30
"""Lines from which on upstream and log are shown also while they are well."""
MIDDLE: Final = 50
"""Columns from which on lock, contact and countdown are shown."""
WIDE: Final = 72
"""Columns from which on it is shown who passed last."""
LOCK, CONTACT, LAST, LEFT = 8, 7, 18, 10
HINTS: Final = "Enter door  u unlock  l lock  h hold  d lock down  / filter  ? help  q quit"
OF_DOOR: Final = "u unlock  l lock  h hold  d lock down  a acknowledge  e events  Esc back"
OF_EVENTS: Final = "up, down, page up, page down move  Esc back  q quit"
HELP: Final = (
    ("up, down", "choose a door; also page up, page down, home, end"),
    ("Enter", "everything about the door; Esc goes back"),
    ("u", "unlock it for its time"),
    ("l", "lock it; ends a hold"),
    ("h", "hold it unlocked until further notice"),
    ("d", "lock it down: only exits work"),
    ("", "u, l, h and d ask first: y does it, any other key does not"),
    ("a", "acknowledge its open alert"),
    ("e", "its last events"),
    ("/", "show only doors with these words: Enter keeps, Esc ends it"),
    ("p", "pause, and go on"),
    ("q, Ctrl-C", "quit"),
)


class _At(NamedTuple):
    now: datetime
    """The controller's time."""
    zone: tzinfo
    passed_s: float
    """Since the status."""


class ScreenLine(NamedTuple):
    """A line of the screen."""

    text: str
    kind: Kind = ""
    chosen: bool = False


def screen(view: View, width: int, height: int, now_s: float) -> list[ScreenLine]:
    """At most `height` lines of `width`."""
    status = view.now.status
    if status is None:
        return [_cut(ScreenLine(view.trouble or "connecting ...", "warning"), width)]
    passed_s = view.passed_s(now_s)
    at = _At(datetime.fromisoformat(status["clock"]["time"]) + timedelta(seconds=passed_s), zone_of(status), passed_s)
    lines = [*_head(view, status, at, width, roomy=height >= ROOMY)]
    room = max(1, height - len(lines) - 1)
    door = view.door()
    if view.mode is Showing.HELP:
        body = [ScreenLine(f"{key:<10} {text}") for key, text in HELP]
    elif view.mode is Showing.EVENTS and door:
        shown = view.history[view.offset : view.offset + room - 1]
        title = f"{door[1]['name']}: its last events" + ("" if view.history else ": none yet")
        body = [ScreenLine(title, "head"), *(_event(record, at.zone, dated=True) for record in shown)]
    elif view.mode is Showing.DOOR and door:
        body = [*_door_page(view, *door, at)]
    else:
        body = [*_doors_page(view, width, room, at)]
    lines += body[:room]
    lines += [ScreenLine("")] * (height - 1 - len(lines))
    return [_cut(line, width) for line in [*lines[: height - 1], _foot(view)]][-height:]


def countdowns(view: View) -> bool:
    """Whether something on the screen counts down."""
    status = view.now.status
    doors = status["doors"].values() if status and not view.held else ()
    return any(door["unlocked_for_s"] is not None or door["held_open_in_s"] is not None for door in doors)


def _head(view: View, status: StatusJson, at: _At, width: int, *, roomy: bool) -> Iterator[ScreenLine]:
    when = f"{local(at.now.isoformat(), at.zone)} {zone_name(at.zone, at.now)}"
    yield ScreenLine(f"{status['controller']['name']}  {when}  clock {status['clock']['quality']}", "head")
    if view.trouble:
        yield from (ScreenLine(text, "alarm") for text in hanging(spelt(f"!! {view.trouble}"), 3, width))
    if roomy or not taken(status["upstream"]):
        yield ScreenLine(
            f"upstream {upstream_line(status['upstream'])}", "" if taken(status["upstream"]) else "warning"
        )
    if roomy or status["log"]["writer"] != "ok":
        yield ScreenLine(f"log {log_line(status['log'])}", "" if status["log"]["writer"] == "ok" else "alarm")
    yield ScreenLine(_counts(view, status))


def _counts(view: View, status: StatusJson) -> str:
    doors = status["doors"].values()
    ranks = [rank(door) for door in doors]
    parts = [f"{len(ranks)} doors"]
    parts += [f"{ranks.count(0)} in alarm"] * bool(ranks.count(0))
    parts += [f"{ranks.count(1)} need attention"] * bool(ranks.count(1))
    alerts = len(status["alerts"]["open"])
    parts += [f"{alerts} open alert{'s' * (alerts > 1)}"] * bool(alerts)
    parts += [f"only those with {view.filter!r}"] * bool(view.filter)
    parts += [f"PAUSED, {view.missed} events since"] * bool(view.held)
    return ", ".join(parts)


def _foot(view: View) -> ScreenLine:
    if view.asking:
        return ScreenLine(question(view.asking), "warning")
    if view.typing:
        return ScreenLine(f"/{view.filter}_   Enter keeps it, Esc ends it", "head")
    if view.said:
        return ScreenLine(view.said, "warning")
    hints = {Showing.DOOR: OF_DOOR, Showing.EVENTS: OF_EVENTS, Showing.HELP: "Esc back  q quit"}
    return ScreenLine(hints.get(view.mode, HINTS))


# --- the doors --------------------------------------------------------------------------------------


def _doors_page(view: View, width: int, room: int, at: _At) -> Iterator[ScreenLine]:
    doors = view.doors()
    space = max(1, room - EVENTS - 2)
    rows = min(len(doors), space if len(doors) <= space else space - 1)
    chosen = next((number for number, (key, _) in enumerate(doors) if key == view.chosen), 0)
    top = min(max(0, chosen - rows // 2), len(doors) - rows)
    names = max([cell_width(spelt(door["name"])) for _, door in doors], default=0)
    name = max(6, min(names, (width - 3) // 5))
    yield ScreenLine(_row("   ", ("DOOR", "LOCK", "CONTACT", "STATE", "LAST", "LEFT"), name, width))
    for key, door in doors[top : top + rows]:
        cells = (door["name"], door["lock"], door["contact"], _state(door, at), _last(door, at.now), _left(door, at))
        mark = MARKS.get(kind(door), "  ") + (">" if key == view.chosen else " ")
        yield ScreenLine(_row(mark, cells, name, width), kind(door), key == view.chosen)
    if hidden := [door for _, door in doors[:top] + doors[top + rows :]]:
        unwell = sum(rank(door) < 2 for door in hidden)  # noqa: PLR2004 -- an alarm or a warning
        rest = f"{unwell} of them need attention" if unwell else "all well"
        yield ScreenLine(f"   and {len(hidden)} more doors, {rest}", "warning" if unwell else "")
    yield ScreenLine("")
    left = room - 2 - rows - bool(hidden)
    yield from (_event(record, at.zone) for record in [*reversed(view.now.records)][: max(0, left)])


def _row(mark: str, cells: Sequence[str], name: int, width: int) -> str:
    """The columns that there is room for; what is left goes to the state."""
    door, lock, contact, state, last, left = map(spelt, cells)
    if width < MIDDLE:
        return f"{mark}{fitted(door, name)} {state or f'{lock} {contact}'}"
    ends = ([(last, LAST)] if width >= WIDE else []) + [(left, LEFT)]
    head = f"{mark}{fitted(door, name)} {fitted(lock, LOCK)} {fitted(contact, CONTACT)} "
    tail = "".join(f" {fitted(text, room)}" for text, room in ends)
    return head + fitted(state, max(5, width - cell_width(head) - cell_width(tail))) + tail


def _state(door: DoorJson, at: _At) -> str:
    """What is wrong or unusual; else how long it has been locked."""
    if text := wrong(door):
        return text
    words = "" if door["mode"] == "locked" else door["mode"].replace("_", " ")
    if door["held_until"]:
        return f"{words} until {local(door['held_until'], at.zone)[11:16]}"
    by = door["unlocked_by"]
    return f"{words} by {by['name']}" if by else f"{words} {ago(since(door), at.now)}".strip()


def _last(door: DoorJson, now: datetime) -> str:
    """Who passed last, and how long ago: what is told of that is always there."""
    if (last := door["last"]) is None:
        return ""
    when = ago(last["at"], now)
    return f"{fitted(spelt(last['who'] or '-'), LAST - len(when) - 1).rstrip()} {when}"


def _left(door: DoorJson, at: _At) -> str:
    """How long until the door is held open, or locks."""
    for word, left_s in (("held", door["held_open_in_s"]), ("locks", door["unlocked_for_s"])):
        if left_s is not None:
            return f"{word} {span(max(0.0, left_s - at.passed_s))}"
    return ""


# --- one door, and events ---------------------------------------------------------------------------


def _door_page(view: View, key: str, door: DoorJson, at: _At) -> Iterator[ScreenLine]:
    yield ScreenLine(f"{door['name']} ({key})", "head")
    yield ScreenLine("")
    last, by, zone = door["last"], door["unlocked_by"], at.zone
    facts = {
        "wrong": wrong(door),
        "mode": f"{door['mode'].replace('_', ' ')}, since {local(door['since']['mode'], zone)}",
        "lock": door["lock"],
        "contact": door["contact"],
        "unlocked by": by["name"] if by else "",
        "held until": local(door["held_until"], zone) if door["held_until"] else "",
        "counts down": _left(door, at),
        "waits for": door["waits_for"] or "",
        "last": f"{last['who'] or '-'}, {local(last['at'], zone)}" if last else "",
        "zone": door.get("zone") or "",
        "points": ", ".join(f"{role} ({driver})" for role, driver in door["points"].items()),
    }
    for name, text in facts.items():
        if text:
            yield ScreenLine(f"{name:<12} {text}", kind(door) if name == "wrong" else "")
    yield ScreenLine("")
    own = [record for record in reversed(view.now.records) if record["subject"] == f"doors/{key}"]
    yield from (_event(record, zone) for record in own)


def _event(record: dict[str, Any], zone: tzinfo, *, dated: bool = False) -> ScreenLine:
    data = record["data"]
    when = local(record["time"], zone)
    text = f"{MARKS.get(data['severity'], '  ')} {when if dated else when[11:]} {spelt(data['message'])}"
    return ScreenLine(text, kind_of(data["severity"]))


def _cut(line: ScreenLine, width: int) -> ScreenLine:
    return line._replace(text=fitted(spelt(line.text), width).rstrip())
