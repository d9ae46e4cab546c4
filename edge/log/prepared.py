"""A transaction of the log, ready to be written.

One rule: once prepared it does not change; after a failure the same transaction is written again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from edge.log.buffer import AdmitCommand, Barrier, Call, Gap, Work
from edge.log.schema import chained
from edge.model.event_types import CONTROLLER_GAP, CONTROLLER_START
from edge.model.messages import Event, Record, Subject

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from edge.log.epochs import Epochs
    from edge.log.reading.times import Timeline
    from edge.model.messages import Json
    from edge.model.ports import Admission


LARGEST_DETAILS: Final = 16_384
"""Characters of a record's details, as JSON."""
KEPT_DETAILS: Final = 1_000


@dataclass(slots=True)
class Prepared:
    """A transaction ready to be written. `before` and `after` are the sequence and hash of the newest record."""

    work: Work
    before: tuple[int, bytes]
    after: tuple[int, bytes]
    events: list[Event]
    rows: list[tuple[Any, ...]]
    modes: dict[str, tuple[int, str]]
    answers: list[tuple[AdmitCommand, Admission]] = field(default_factory=list)
    also: Callable[[sqlite3.Connection], None] | None = None
    """Further work inside the same transaction."""

    def records(self, timeline: Timeline, epochs: Epochs) -> Iterator[Record]:
        """Its records once it is written, with the times that are known now."""
        prev = self.before[1].hex()
        for event, row in zip(self.events, self.rows, strict=True):
            time_us, quality = timeline.time(row[1], event.at_ns)
            recorded_us, _ = timeline.time(row[1], row[3])
            digest, epoch = row[-1].hex(), epochs.of(row[0])
            yield Record(row[0], event, row[1], row[3], prev, digest, time_us, recorded_us, quality, epoch)
            prev = digest

    def cursors(self, epoch: str) -> dict[str, int]:
        """The cursors of this epoch: a cursor of an earlier file says nothing about this file's records."""
        last, cursors = self.after[0], self.work.cursors.items()
        return {sink: c.sequence for sink, c in cursors if c.epoch == epoch and c.sequence <= last}

    def answer(self) -> int:
        """Answer those who waited for it to be on the disk; returns the number of its latest call, 0 without one."""
        latest = 0
        for entry, admission in self.answers:
            if not entry.answer.done():  # the caller may have been cancelled
                entry.answer.set_result(admission)
        for written in self.work.entries:
            if isinstance(written, Call):
                latest = max(latest, written.number)
            elif isinstance(written, Barrier) and not written.answer.done():
                written.answer.set_result(None)
        return latest


def chain(events: list[Event], head: tuple[int, bytes], boot: str, recorded_ns: int) -> list[tuple[Any, ...]]:
    """The rows of these events behind the head, each with its hash.

    Details longer than `LARGEST_DETAILS` are cut, in `events` too, so that a few records cannot fill the log.
    """
    sequence, prev = head
    rows: list[tuple[Any, ...]] = []
    for place, event in enumerate(events):
        sequence += 1
        row, digest = chained(event, sequence, boot, recorded_ns, prev)
        if len(row[-1]) > LARGEST_DETAILS:
            details: dict[str, Json] = {"truncated": len(row[-1]), "beginning": row[-1][:KEPT_DETAILS]}
            events[place] = replace(event, details=details)
            row, digest = chained(events[place], sequence, boot, recorded_ns, prev)
        rows.append((*row, digest))
        prev = digest
    return rows


def events_of(work: Work, controller: Subject, now_ns: int, ended: str | None) -> Iterator[Event]:
    """Its events in order; `controller.start` gets how the run before it `ended`, which only the log knows."""
    for entry in work.entries:
        if isinstance(entry, Call):
            for event in entry.events:
                if event.type == CONTROLLER_START and ended is not None and "ended" not in event.details:
                    yield replace(event, details={**event.details, "ended": ended})
                else:
                    yield event
        elif isinstance(entry, Gap):
            yield Event(
                CONTROLLER_GAP,
                now_ns,
                controller,
                cause="buffer",
                success=False,
                code="dropped",
                details={
                    "reason": "the disk did not take records and the memory for them was full",
                    "events": entry.events,
                    "alarms": entry.alarms,
                    "first_uptime_ns": entry.first_ns,
                    "last_uptime_ns": entry.last_ns,
                },
            )
