"""Records as lines: one each in a pipe, and below a heading for each day on a terminal, which they fit."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from edge.cli.tables import hanging
from edge.cli.terminal import columns
from edge.cli.text import MARKS, local, say
from edge.client.zones import zone_name
from edge.model.printable import spelt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from edge.cli.terminal import Kind

    Record = Mapping[str, Any]

SUBJECT: Final = 12
TYPE: Final = 24
WITH_TYPE: Final = 110
"""Columns of a terminal from which on the type is shown too; the sentence says it in words."""


def event_line(record: Record, zone: tzinfo) -> str:
    """One record on one line: time, alarm mark, door, type, sentence."""
    return f"{local(record['time'], zone)} {''.join(_parts(record, with_type=True))}"


def kind_of(severity: str) -> Kind:
    """The colour of a severity of a record."""
    return severity if severity in {"alarm", "warning"} else ""  # type: ignore[return-value]  # one of them


class EventLines:
    """Prints records in their order."""

    def __init__(self, zone: tzinfo) -> None:
        """Times are shown in this zone."""
        self._zone = zone
        self._day = ""
        self._doubted = False

    def show(self, record: Record) -> None:
        """Print one more."""
        width = columns()
        for line in self._headings(record, for_people=width is not None):
            say(line)
        kind = kind_of(record["data"]["severity"])
        for line in [event_line(record, self._zone)] if width is None else _fitting(record, self._zone, width):
            say(line, kind)

    def _headings(self, record: Record, *, for_people: bool) -> Iterator[str]:
        """The day, with the zone before the first one; and from where on the clock was not set, or set again."""
        at = datetime.fromisoformat(record["time"]).astimezone(self._zone)
        day = f"{at:%A %Y-%m-%d}"
        if for_people and day != self._day:
            yield f"--- {day}" if self._day else f"--- {day}, {zone_name(self._zone, at)}"
            self._day = day
        doubted, self._doubted = self._doubted, record["data"]["clock"] == "unsynced"
        if doubted != self._doubted:
            yield "--- the clock is set" if doubted else "--- the clock is not set: from here on times may be wrong"


def _parts(record: Record, *, with_type: bool) -> tuple[str, str]:
    """What stands between the time and the sentence, and the sentence."""
    data, subject = record["data"], spelt(record["subject"].removeprefix("doors/"))
    named = f"{MARKS.get(data['severity'], '  ')} {subject:<{SUBJECT}} "
    seen = f" (--seen {int(record['sequence'])})" if "seen" in data["details"] else ""
    return named + (f"{record['type']:<{TYPE}} " if with_type else ""), spelt(data["message"]) + seen


def _fitting(record: Record, zone: tzinfo, width: int) -> list[str]:
    before, sentence = _parts(record, with_type=width >= WITH_TYPE)
    head = f"{local(record['time'], zone)[11:]} {before}"
    return hanging(head + sentence, len(head), width)
