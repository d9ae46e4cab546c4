"""What may be chosen about a log, what its writer says of itself, and to whom.

One rule: plain values, which other threads may read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edge.log.buffer import MAX_EVENTS
from edge.log.schema import connect

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.log.prepared import Prepared
    from edge.log.remembered import Memory
    from edge.log.store import Store

LAZY_S: Final = 1.0
"""A cursor that no other commit takes along is written after this long."""
RETRY_FIRST_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What may be chosen about a log."""

    name: str | None = None
    """The controller's name, for the records that the log itself makes."""
    sinks: tuple[str, ...] | None = ()
    """Whose acknowledgement a record needs before age or size may remove it; none: nobody's."""
    retention_days: int = 0
    max_mib: int = 1_024
    max_waiting: int = MAX_EVENTS
    connect: Callable[[Path], sqlite3.Connection] = connect
    retry_first_s: float = RETRY_FIRST_S
    lazy_s: float = LAZY_S


@dataclass(slots=True)
class Facts:
    """What the writer says of itself; read by other threads, one field at a time."""

    oldest: int = 0
    bytes: int = 0
    last_commit_ns: int | None = None
    busy_since_ns: int | None = None
    error: str | None = None
    set_aside: str | None = None


class Listener(Protocol):
    """Who is told by the writer, in the writer's thread."""

    def recalled_in_thread(self, memory: Memory | None) -> None:
        """What can be read without opening the file for writing; None: nothing is known of it."""

    def failing_in_thread(self, error: Exception) -> None:
        """The file cannot be written now."""

    def opened_in_thread(self, store: Store) -> None:
        """A file was opened, perhaps another one than before."""

    def committed_in_thread(self, store: Store, prepared: Prepared) -> None:
        """This is on the medium."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """A wish for another stream."""

    epoch: str
    """Of the stream that cannot go on."""
    reason: str
    after: int
    """The last record that is told in the old stream."""
    cursors: Mapping[str, int]
    """How far each sink has acknowledged in it."""
