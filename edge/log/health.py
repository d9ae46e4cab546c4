"""The health of a log, for `status` and `diagnose`.

One rule: nothing here touches the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from pathlib import Path

    from edge.log.buffer import Buffer
    from edge.log.options import WriterFacts

STALLED_NS: Final = 2 * NS_PER_S
"""A commit under way for longer than this shows as `stalled`."""


@dataclass(frozen=True, slots=True)
class LogHealth:
    """What `status` and `diagnose` say of the log."""

    path: str
    committed: int
    waiting: int
    bytes: int
    oldest: int
    dropped: int
    """Events since this start that were never written, because the buffer was full."""
    last_commit_ms: float | None
    writer: str
    """`ok`, `stalled` (a write has been under way for over 2 s) or `failed`."""
    error: str | None
    set_aside: str | None
    """Where a damaged database was moved, if this start had to."""


def health_of(path: Path, facts: WriterFacts, buffer: Buffer, now_ns: int, committed: int) -> LogHealth:
    """The health, from the writer's facts and the buffer; `now_ns` is the boot clock's time."""
    busy_ns = facts.busy_since_ns
    writer = "ok"
    if facts.error is not None:
        writer = "failed"
    elif busy_ns is not None and now_ns - busy_ns > STALLED_NS:
        writer = "stalled"
    return LogHealth(
        path=str(path),
        committed=committed,
        waiting=buffer.waiting,
        bytes=facts.bytes,
        oldest=facts.oldest,
        dropped=buffer.dropped,
        last_commit_ms=None if facts.last_commit_ns is None else facts.last_commit_ns / 1e6,
        writer=writer,
        error=facts.error,
        set_aside=facts.set_aside,
    )
