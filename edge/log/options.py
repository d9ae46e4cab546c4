"""The options of a log, the facts that its writer publishes, and the listener that it tells.

One rule: plain values, which other threads may read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edge.log.buffer import MAX_EVENTS
from edge.log.connections import connect

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.log.prepared import Prepared
    from edge.log.remembered import LogMemory
    from edge.log.store import Store

LAZY_S: Final = 1.0
"""A cursor that no commit has taken along after this time gets one of its own."""
RETRY_FIRST_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The options of a log."""

    name: str | None = None
    """The controller's name, for the records that the log itself makes."""
    sinks: tuple[str, ...] | None = ()
    """Sinks that must have acknowledged a record before age removes it; (): none. None: every sink with a cursor."""
    retention_days: int = 0
    """0: for ever."""
    max_mib: int = 1_024
    max_waiting: int = MAX_EVENTS
    connect: Callable[[Path], sqlite3.Connection] = connect
    retry_first_s: float = RETRY_FIRST_S
    lazy_s: float = LAZY_S


@dataclass(slots=True)
class WriterFacts:
    """The writer's state; other threads read it one field at a time."""

    oldest: int = 0
    bytes: int = 0
    last_commit_ns: int | None = None
    busy_since_ns: int | None = None
    error: str | None = None
    set_aside: str | None = None


class LogListener(Protocol):
    """Who is told by the writer. Each method is called in the writer's thread."""

    def recalled_in_thread(self, memory: LogMemory | None) -> None:
        """What was read before the file is opened for writing; None: nothing could be read."""

    def failing_in_thread(self, error: Exception) -> None:
        """The file cannot be written now."""

    def opened_in_thread(self, store: Store) -> None:
        """A file was opened, perhaps another one than before."""

    def committed_in_thread(self, store: Store, prepared: Prepared) -> None:
        """A transaction is on the medium."""


@dataclass(frozen=True, slots=True)
class EpochRenewal:
    """A request for a new epoch."""

    epoch: str
    """The epoch that cannot go on."""
    reason: str
    after: int
    """The last record that keeps the old epoch."""
    cursors: Mapping[str, int]
    """How far each sink has acknowledged in the old epoch."""
