"""What waits for the disk: the loop puts in and never blocks, the writer takes out.

One rule: it is bounded. When the disk stays away so long that it is full, plain events are
dropped before alarms, the newest first, and a gap that counts them keeps their place.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

from edge.model.catalogue import CATALOGUE, Severity

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from edge.log.reading.times import Offset
    from edge.model.messages import Event
    from edge.model.ports import Admission

MAX_EVENTS: Final = 100_000
"""Events that may wait; at some 600 bytes each this is the most memory a dead disk can cost."""
MAX_CONTROL: Final = 10_000
"""Admissions, answers and clock notes that may wait; beyond it they are refused."""
MAX_GROUP: Final = 500
"""Events that one commit takes; the events of one call are never parted."""


@dataclass(slots=True, eq=False)
class Call:
    """One call of `append`."""

    events: Sequence[Event]
    modes: Mapping[str, str]
    number: int
    """Of the call; calls are numbered upwards. Of two modes of one door the one with the higher number holds."""


@dataclass(slots=True, eq=False)
class Gap:
    """Events that had to be dropped, at the place of the first of them."""

    events: int = 0
    alarms: int = 0
    first_ns: int = 0
    last_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ClockReading:
    """The calendar's offset from the boot clock, as the clock showed it."""

    offset: Offset


@dataclass(frozen=True, slots=True, eq=False)
class AdmitCommand:
    """A command id to remember."""

    command_id: str
    expires_us: int | None
    attempt: bytes
    """A random token: tells this attempt from a second arrival of the same command."""
    content: bytes
    """A digest of what the command says: an id belongs to one command."""
    answer: asyncio.Future[Admission]
    only_look: bool = False
    """Only say whether the id is known; do not store it."""


@dataclass(frozen=True, slots=True, eq=False)
class SettleCommand:
    """The answer of a command."""

    command_id: str
    reply: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Barrier:
    """Somebody waits until everything before this is on the disk."""

    answer: asyncio.Future[None]


Entry: TypeAlias = Call | Gap | ClockReading | AdmitCommand | SettleCommand | Barrier


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a sink has acknowledged the records of the stream with this epoch."""

    epoch: str
    sequence: int


@dataclass(slots=True)
class Work:
    """The content of one transaction."""

    entries: list[Entry] = field(default_factory=list)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    modes: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Modes whose events were dropped: door -> (number of the call, state)."""
    events: int = 0


def is_alarm(event: Event) -> bool:
    """Whether the event is an alarm; alarms are dropped last. KeyError when the catalogue does not know the type."""
    return CATALOGUE[event.type].severity is Severity.ALARM


class Buffer:
    """Shared by the loop's thread and the writer's; every method returns at once except `wait`."""

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        """Start empty."""
        self.max_events = max_events
        self.dropped = 0
        self._lock = threading.Lock()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = False
        self._entries: deque[Entry] = deque()
        self._plain: deque[Call] = deque()  # the calls in _entries with events that are no alarms
        self._gap: Gap | None = None
        self._cursors: dict[str, Cursor] = {}
        self._modes: dict[str, tuple[int, str]] = {}
        self._events = 0
        self._control = 0
        self._calls = 0

    @property
    def calls(self) -> int:
        """How many calls of `append` there were; the number of the latest."""
        return self._calls

    @property
    def waiting(self) -> int:
        """Events that are not on the disk yet, those under way included."""
        return self._events

    def append(self, events: Sequence[Event], modes: Mapping[str, str]) -> None:
        """Add a call's events; drop what does not fit. KeyError for a type the catalogue does not know."""
        plain = sum(not is_alarm(event) for event in events)
        with self._lock:
            self._calls += 1
            if self._events + len(events) > self.max_events:
                events = self._fit(events)
                plain = 0
            if not events:
                self._modes |= {door: (self._calls, state) for door, state in modes.items()}
                self._ring()
                return
            call = Call(events, modes, self._calls)
            self._entries.append(call)
            self._events += len(events)
            if plain:
                self._plain.append(call)
            self._ring()

    def control(self, entry: ClockReading | AdmitCommand | SettleCommand | Barrier) -> bool:
        """Add an entry that is no event; False when `MAX_CONTROL` of them wait already."""
        with self._lock:
            if self._control >= MAX_CONTROL:
                return False
            self._control += 1
            self._entries.append(entry)
            self._ring()
            return True

    def cursor(self, sink: str, epoch: str, sequence: int) -> None:
        """Set a sink's cursor in the stream of this epoch; written with the next commit, or by itself soon after."""
        with self._lock:
            if not self._cursors:
                self._ring()
            self._cursors[sink] = Cursor(epoch, sequence)

    def ring(self) -> None:
        """Wake the writer."""
        with self._lock:
            self._ring()

    def take(self, *, cursors_due: bool) -> Work | None:
        """The next transaction's work; None when there is none, or only cursors that are not due."""
        with self._lock:
            self._rung = False
            if not self._entries and not self._modes and not (self._cursors and cursors_due):
                return None
            work = Work(cursors=self._cursors, modes=self._modes)
            self._cursors, self._modes = {}, {}
            while self._entries and work.events < MAX_GROUP:
                entry = self._entries.popleft()
                work.entries.append(entry)
                if isinstance(entry, Call):
                    work.events += len(entry.events)
                    if self._plain and self._plain[0] is entry:
                        self._plain.popleft()
                elif isinstance(entry, Gap):
                    self._gap = None
                else:
                    self._control -= 1
            return work

    def done(self, work: Work) -> None:
        """The work is on the disk."""
        with self._lock:
            self._events -= work.events

    @property
    def cursors_wait(self) -> bool:
        """True when a cursor waits to be written."""
        return bool(self._cursors)

    def wait(self, timeout_s: float | None) -> bool:
        """Writer only: sleep until something was put in; False when the time was over first."""
        try:
            self._bell.get(timeout=timeout_s)
        except Empty:
            return False
        return True

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    # --- when full ---

    def _fit(self, events: Sequence[Event]) -> Sequence[Event]:
        """Drop this call's plain events; for its alarms drop the newest plain events that wait, then alarms."""
        alarms = [event for event in events if is_alarm(event)]
        self._drop([event for event in events if not is_alarm(event)])
        while self._plain and self._events + len(alarms) > self.max_events:
            call = self._plain.pop()
            kept = [event for event in call.events if is_alarm(event)]
            self._drop([event for event in call.events if not is_alarm(event)])
            self._events -= len(call.events) - len(kept)
            call.events = kept
        room = max(0, self.max_events - self._events)
        self._drop(alarms[room:])
        return alarms[:room]

    def _drop(self, events: Sequence[Event]) -> None:
        if not events:
            return
        if self._gap is None:
            self._gap = Gap(first_ns=events[0].at_ns, last_ns=events[0].at_ns)
            self._entries.append(self._gap)
            self._ring()
        gap = self._gap
        gap.events += len(events)
        gap.alarms += sum(is_alarm(event) for event in events)
        gap.first_ns = min(gap.first_ns, *(event.at_ns for event in events))
        gap.last_ns = max(gap.last_ns, *(event.at_ns for event in events))
        self.dropped += len(events)
