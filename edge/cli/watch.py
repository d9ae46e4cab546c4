"""`doorctl watch`: the doors and the last events, live, on a terminal of any size.

One rule: `screen` is pure and never exceeds the given size. Doors that need attention come first.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Never

from edge.cli.status import log_line, upstream_line, wrong
from edge.cli.text import ago, local, say_json
from edge.client.conditions import conditions
from edge.client.connection import Client, RequestRefused, Unreachable
from edge.model.printable import spelt

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from rich.text import Text

    from edge.model.published.doors import DoorJson
    from edge.model.published.status import StatusJson

REMEMBERED: Final = 200
AGAIN_S: Final = 2.0
EVENTS_AT_LEAST: Final = 3
NAME: Final = 14
NARROW: Final = 50
STYLES: Final = {"alarm": "bold red", "warning": "yellow", "open": "cyan", "": ""}


def watch(arguments: argparse.Namespace) -> int:
    """Show the doors until Ctrl-C. With --json: every item of the stream, one a line."""
    if not arguments.json and not sys.stdout.isatty():
        raise ValueError("watch needs a terminal; in a script use: doorctl watch --json")
    try:
        if arguments.json:
            with Client(arguments.socket) as client:
                for item in client.stream("watch"):
                    say_json(item)
                    sys.stdout.flush()
        _live(arguments)
    except KeyboardInterrupt:
        return 0


def _live(arguments: argparse.Namespace) -> Never:
    from rich.console import Console, Group  # noqa: PLC0415 -- rich is slow to import and only watch needs it
    from rich.live import Live  # noqa: PLC0415 -- as above

    console = Console()
    status: StatusJson | None = None
    records: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
    trouble: str | None = None
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def draw() -> None:
            lines = screen(status, records, trouble, console.width, console.height, datetime.now(UTC))
            live.update(Group(*lines), refresh=True)

        draw()
        while True:
            try:
                with Client(arguments.socket) as client:
                    recent = client.ask("events", newest=True, limit=REMEMBERED // 4)["records"]
                    records.clear()
                    records.extend(reversed(recent))
                    for item in client.stream("watch"):
                        trouble = None
                        status = item.get("status", status)
                        if "record" in item:
                            records.append(item["record"])
                        if "status" in item:  # at most four a second; records are drawn with it
                            draw()
            except (Unreachable, RequestRefused) as error:
                trouble = f"{error}; trying again"
                draw()
                time.sleep(AGAIN_S)


def screen(  # noqa: PLR0913, PLR0917 -- everything that the screen depends on
    status: StatusJson | None,
    records: Iterable[dict[str, Any]],
    trouble: str | None,
    width: int,
    height: int,
    now: datetime,
) -> list[Text]:
    """The screen: a head, the doors, the last events; at most `height` lines of `width`."""
    if status is None:
        return [_line(trouble or "connecting ...", width, "warning")]
    who = status["controller"]
    head = f"{spelt(who['name'])}  {local(status['clock']['time'])}  clock {status['clock']['quality']}"
    lines = [_line(head, width, style="bold")]
    if trouble:
        lines.append(_line(f"!! {trouble}", width, "alarm"))
    lines.append(_line(f"upstream {upstream_line(status['upstream'])}", width, _upstream_style(status)))
    lines.append(_line(f"log {log_line(status['log'])}", width, "" if status["log"]["writer"] == "ok" else "alarm"))
    room = max(1, height - len(lines) - EVENTS_AT_LEAST - 2)
    lines += [_line("", width), *_doors(status["doors"], width, room, now)]
    left = height - len(lines) - 1
    if left > 0:
        lines.append(_line("", width))
        newest = list(records)[-left:]
        lines += [_event(record, width) for record in reversed(newest)]
    return lines[:height]


def _upstream_style(status: StatusJson) -> str:
    upstream = status["upstream"]
    return "" if upstream is None or upstream["state"] in {"online", "connecting"} else "warning"


def _doors(doors: dict[str, DoorJson], width: int, room: int, now: datetime) -> list[Text]:
    """One door on a line, or two if they do not fit otherwise. Doors that still do not fit are counted."""
    ranked = sorted(doors.items(), key=lambda pair: _rank(pair[1]))
    columns = 1 if len(ranked) <= room else 2
    if len(ranked) > room * columns:
        shown, hidden = ranked[: (room - 1) * columns], len(ranked) - (room - 1) * columns
    else:
        shown, hidden = ranked, 0
    rows = -(-len(shown) // columns)
    cell = (width - (columns - 1) * 2) // columns
    lines = []
    for row in range(rows):
        line = _line("", 0)
        for column in range(columns):
            index = column * rows + row
            if index < len(shown):
                key, door = shown[index]
                text = _door(key, door, cell, now)
                text.pad_right(cell - text.cell_len)
                line += text + ("  " if column + 1 < columns else "")
        lines.append(line)
    if hidden:
        unwell = sum(_kind(door) in {"alarm", "warning"} for _, door in ranked[-hidden:])
        rest = f"{unwell} of them need attention" if unwell else "all well"
        lines.append(_line(f"   and {hidden} more doors, {rest}", width, "warning" if unwell else ""))
    return lines


def _rank(door: DoorJson) -> int:
    return ("alarm", "warning", "open", "").index(_kind(door))


def _kind(door: DoorJson) -> str:
    if listed := conditions(door):
        return "alarm" if listed[0]["severity"] == "alarm" else "warning"
    if door["mode"] == "locked_down":
        return "warning"
    return "open" if door["contact"] == "open" or door["lock"] == "unlocked" else ""


def _door(key: str, door: DoorJson, width: int, now: datetime) -> Text:
    kind = _kind(door)
    mark = {"alarm": "!!", "warning": " !"}.get(kind, "  ")
    note = wrong(door)
    name = spelt(key)
    name = name if len(name) <= NAME else f"{name[: NAME - 1]}~"
    if width >= NARROW:
        note = note or ago(door["since"]["mode"], now)
        return _line(f"{mark} {name:<{NAME}} {door['mode']:<11} {door['contact']:<7} {note}", width, kind)
    note = note or f"{door['mode']} {door['contact']}"
    return _line(f"{mark} {name:<{NAME}} {note}", width, kind)


def _event(record: dict[str, Any], width: int) -> Text:
    data = record["data"]
    mark = {"alarm": "!!", "warning": " !"}.get(data["severity"], "  ")
    text = f"{mark} {local(record['time'])[11:]} {record['type']:<24} {spelt(data['message'])}"
    return _line(text, width, data["severity"] if data["severity"] in STYLES else "")


def _line(text: str, width: int, kind: str = "", *, style: str = "") -> Text:
    from rich.text import Text  # noqa: PLC0415 -- as above

    line = Text(spelt(text), style=style or STYLES[kind], no_wrap=True, overflow="ellipsis")
    line.truncate(width, overflow="ellipsis")
    return line


__all__: Sequence[str] = ("screen", "watch")
