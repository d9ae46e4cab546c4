"""When a record happened: boot-clock nanoseconds plus the best offset known for that boot.

One rule: of a boot's offsets only those of its best quality count; among them the latest at or
before the record, else the earliest after it. So a record written before the clock was synced
is dated by the offset of the later sync in the same boot, and no row is ever rewritten.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.model.records import ClockQuality

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

SAME_WITHIN_US: Final = 1_000
"""Two offsets nearer than this are the same."""
_RANK: Final = {ClockQuality.UNSYNCED: 0, ClockQuality.RTC: 1, ClockQuality.SYNCED: 2}
_BEFORE_ALL: Final = -(2**62)
_AFTER_ALL: Final = 2**62


@dataclass(frozen=True, slots=True, order=True)
class Offset:
    """From `at_ns` of a boot on, calendar minus boot clock is `offset_us`."""

    at_ns: int
    offset_us: int
    quality: ClockQuality

    def same_as(self, other: Offset) -> bool:
        """True when the calendar did not move between them and is trusted as far."""
        return self.quality is other.quality and abs(self.offset_us - other.offset_us) < SAME_WITHIN_US


@dataclass(frozen=True, slots=True)
class OffsetSpan:
    """The part of a boot in which one offset holds: `from_ns` <= at < `to_ns`."""

    from_ns: int
    to_ns: int
    offset_us: int


class Timeline:
    """All offsets of all boots in one log. Owned by one thread."""

    def __init__(self) -> None:
        """Without any offset."""
        self._best: dict[str, list[Offset]] = {}
        self._last: dict[str, Offset] = {}

    def last(self, boot: str) -> Offset | None:
        """The offset of this boot that was added last."""
        return self._last.get(boot)

    def add(self, boot: str, offset: Offset) -> None:
        """Add an offset; one of a lower quality than the boot's best changes no times."""
        self._last[boot] = offset
        best = self._best.get(boot)
        if best is None or _RANK[offset.quality] > _RANK[best[0].quality]:
            self._best[boot] = [offset]
        elif offset.quality is best[0].quality:
            insort(best, offset)

    def time(self, boot: str, at_ns: int) -> tuple[int, ClockQuality]:
        """Microseconds since 1970 UTC and their quality; a boot without any offset starts in 1970."""
        best = self._best.get(boot)
        if best is None:
            return at_ns // 1_000, ClockQuality.UNSYNCED
        index = bisect_right(best, at_ns, key=_at_ns) - 1 if len(best) > 1 else 0
        offset = best[max(index, 0)]
        return at_ns // 1_000 + offset.offset_us, offset.quality

    def spans(self, boot: str) -> Iterator[OffsetSpan]:
        """The boot cut where its offset changes, in order."""
        best = self._best.get(boot)
        if best is None:
            yield OffsetSpan(_BEFORE_ALL, _AFTER_ALL, 0)
            return
        for index, offset in enumerate(best):
            start = _BEFORE_ALL if index == 0 else offset.at_ns
            end = best[index + 1].at_ns if index + 1 < len(best) else _AFTER_ALL
            yield OffsetSpan(start, end, offset.offset_us)

    def ranges(self, boot: str, since_us: int | None, until_us: int | None) -> list[tuple[int, int]]:
        """The boot-clock ranges (`first_ns` <= at < `end_ns`) whose time lies in `since_us` <= time < `until_us`.

        The inverse of `time`: floor(at / 1000) + offset >= since is at >= (since - offset) * 1000.
        """
        ranges: list[tuple[int, int]] = []
        for span in self.spans(boot):
            first = span.from_ns if since_us is None else max(span.from_ns, (since_us - span.offset_us) * 1_000)
            end = span.to_ns if until_us is None else min(span.to_ns, (until_us - span.offset_us) * 1_000)
            if first >= end:
                continue
            first, end = max(first, _BEFORE_ALL), min(end, _AFTER_ALL)
            if ranges and ranges[-1][1] == first:  # wanted on both sides of a clock step: one range
                first = ranges.pop()[0]
            ranges.append((first, end))
        return ranges


def load_timeline(db: sqlite3.Connection, start: bytes) -> tuple[Timeline, bytes]:
    """Every offset in a log file, and the hash of the last (`start` when there is none)."""
    timeline, last = Timeline(), start
    query = "SELECT b.boot, c.at_ns, c.offset_us, c.quality, c.hash FROM clock c JOIN boot b ON b.id = c.boot"
    for boot, at_ns, offset_us, quality, digest in db.execute(query + " ORDER BY c.id").fetchall():
        timeline.add(boot, Offset(at_ns, offset_us, ClockQuality(quality)))
        last = digest
    return timeline, last


def _at_ns(offset: Offset) -> int:
    return offset.at_ns
