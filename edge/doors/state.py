"""A door as a value: its facets, the layers that decide its mode, and its deadlines.

One rule: nothing here changes a door; `edge.doors.rules` does. The facets are those of the ONVIF Door
Control service (https://github.com/onvif/specs/blob/development/doc/DoorControl.xml).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from edge.doors.modes import STANDS_OPEN, Mode, Trigger
from edge.model.messages import Actor, Event, Json, Observed, Outputs, ReaderDisplay, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping


class Contact(StrEnum):
    """What the contact reports."""

    UNKNOWN = "unknown"
    OPEN = "open"
    CLOSED = "closed"
    FAULT = "fault"


class Lock(StrEnum):
    """What the relay was last told and confirmed."""

    UNKNOWN = "unknown"
    LOCKED = "locked"
    UNLOCKED = "unlocked"


class Alarm(StrEnum):
    """The alarm that stands; one at a time, until the door closes (R6)."""

    NORMAL = "normal"
    FORCED_OPEN = "forced_open"
    HELD_OPEN = "held_open"


class OperatorMode(StrEnum):
    """What an operator has commanded until further notice (R11)."""

    NONE = "none"
    UNLOCKED = "unlocked"
    LOCKED = "locked"
    """Only while a schedule would unlock: holds it off until that schedule ends."""
    BLOCKED = "blocked"


class Occupied(StrEnum):
    """Whether a door keeps the others of its interlock group from being released (R18)."""

    NO = "no"
    YES = "yes"
    """Open or released."""
    UNKNOWN = "unknown"
    """Its contact has not been seen, or is lost: it may stand open."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time during which an opening is authorised, both ends included."""

    from_ns: int
    until_ns: int

    def holds(self, at_ns: int, early_ns: int = 0) -> bool:
        """Whether the moment lies inside, or at most `early_ns` before."""
        return self.from_ns - early_ns <= at_ns <= self.until_ns


NEVER: Final = Span(0, -1)


STILL: Final[Mapping[str, Span]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Access:
    """A released period that ends by itself (R1, R3)."""

    until_ns: int
    actor: Actor
    unused: bool
    """The door was closed when it began and has not been opened since (R8)."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The door stands open, or stood open when its contact was last known."""

    since_ns: int
    authorised: bool
    forced_ns: int | None = None
    """When an unauthorised opening becomes forced; None when decided."""
    held_ns: int | None = None
    """When it becomes held open; None while the time does not count (R5)."""
    reported: bool = False
    """Held open has been recorded: once per opening."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """An access that seems not to have been taken; waits for a late debounced edge (R4, R8)."""

    at_ns: int
    ended_ns: int
    actor: Actor
    correlation: str


NO_POINTS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Door:
    """One door. `run` makes the correlations of one run of the daemon its own."""

    id: str
    name: str
    run: str = ""
    # facets
    contact: Contact = Contact.UNKNOWN
    lock: Lock = Lock.UNKNOWN
    alarm: Alarm = Alarm.NORMAL
    warning: bool = False
    tamper: frozenset[str] = frozenset()
    lost: Mapping[str, str] = field(default_factory=lambda: NO_POINTS)
    """Each point of this door that cannot be read or driven now, and why (R16)."""
    # layers, highest first (R13)
    release_input: bool = False
    locked_down: bool = False
    operator: OperatorMode = OperatorMode.NONE
    hold_until_ns: int | None = None
    """When a hold ends by itself; None: only by a command."""
    held_by: Actor | None = None
    """Who commanded the latest hold; None: nobody since the start."""
    scheduled: bool = False
    windowed: bool = False
    """The schedule is inside a window, or that is not known yet: a `lock` holds that window off."""
    scheduled_by: Actor | None = None
    """The schedule that spoke last."""
    access: Access | None = None
    exit_held: bool = False
    """An exit request goes on because its input stays active; it ends with `rex_level`."""
    ajar: bool = False
    """The lock stays released until the door is closed: its bolt must not come out while it is open."""
    waits: bool = False
    """A hold or a schedule would release the door; it waits until its interlock group is free (R18)."""
    # what the rules remember
    operator_triggers: frozenset[Trigger] = frozenset()
    """What operators have commanded in this run of the daemon: newer than what the log remembers (R14)."""
    seen: bool = False
    """The contact has been known once; the next change is no longer `at_start`."""
    interlocked_by: str | None = None
    """Another door of the interlock group that is open or released, or whose state is not known (R18)."""
    interlock_known: bool = True
    """That door is known to be open or released."""
    authorised_from_ns: int | None = None
    last_authorised: Span = NEVER
    rex_shunt: Span = NEVER
    rex_level: Span | None = None
    """Since when the exit request's input is active, and until when that counts at most."""
    rex_recorded_ns: int = 0
    """When an exit request of a restless input was last recorded."""
    stirs: Mapping[str, Span] = field(default_factory=lambda: STILL)
    """Role of each input that is settling: since when, and until when at the latest."""
    unlocked_ns: int | None = None
    """The latest granted unlock of this passage, and by whom."""
    unlocked_by: Actor | None = None
    opening: Opening | None = None
    not_taken: NotTaken | None = None
    unrecorded: Event | None = None
    """A `lock.locked` that is recorded when the lock's driver is back."""
    passages: int = 0
    correlation: str = ""

    @property
    def subject(self) -> Subject:
        """What this door's events are about."""
        return Subject("lock", self.id, self.name)

    @property
    def fault(self) -> str | None:
        """Why points are lost, each reason once; None when all is well."""
        return "; ".join(dict.fromkeys(self.lost.values())) or None

    @property
    def wanted(self) -> bool:
        """Whether a hold or a schedule asks for a released door, and no lockdown stands above it."""
        held = self.operator is OperatorMode.UNLOCKED or (self.operator is OperatorMode.NONE and self.scheduled)
        return held and not self.locked_down

    @property
    def released_by(self) -> Actor | None:
        """Who or what unlocked it; None while nobody did, or where that is not known since the start (R14)."""
        if self.mode is Mode.UNLOCKED:
            return self.held_by if self.operator is OperatorMode.UNLOCKED else self.scheduled_by
        return self.access.actor if self.mode is Mode.ACCESSED and self.access is not None else None

    @property
    def standing(self) -> bool:
        """Whether a hold or a schedule releases the door, or would under a release input."""
        return self.wanted and not self.waits

    @property
    def refuses_access(self) -> bool:
        """Whether an operator's block refuses cards, whatever else releases the door for a time (R11)."""
        return self.operator is OperatorMode.BLOCKED and not self.release_input

    @property
    def mode(self) -> Mode:
        """The mode that the highest layer asks for (R13)."""
        if self.release_input:
            return Mode.LOCKED_OPEN
        if self.locked_down:
            return Mode.LOCKED_DOWN
        if self.standing:
            return Mode.UNLOCKED
        if self.access is not None or self.exit_held:
            return Mode.ACCESSED
        return Mode.BLOCKED if self.operator is OperatorMode.BLOCKED else Mode.LOCKED

    @property
    def released(self) -> bool:
        """Whether the lock should be released now; an opening is then authorised (R4)."""
        return self.access is not None or self.exit_held or self.ajar or self.mode in STANDS_OPEN

    @property
    def lock_lost(self) -> bool:
        """Whether the relay cannot be driven now."""
        return f"{self.id}.lock" in self.lost


def outputs(door: Door) -> Outputs:
    """What the wires should be now; computed, never remembered."""
    return Outputs(released=door.released, buzzer=door.warning and door.mode not in STANDS_OPEN)


def shown(door: Door) -> ReaderDisplay:
    """What its reader is to show."""
    if door.mode in STANDS_OPEN:
        return ReaderDisplay.UNLOCKED
    return ReaderDisplay.REFUSING if door.locked_down or door.refuses_access else ReaderDisplay.LOCKED


def remembered(door: Door) -> dict[str, Json]:
    """The part of a door that the log keeps over a restart (R14)."""
    memory: dict[str, Json] = {"locked_down": door.locked_down, "operator": door.operator.value}
    return memory if door.hold_until_ns is None else {**memory, "hold_until_ns": door.hold_until_ns}


OUTDATED: Final = {
    OperatorMode.NONE: frozenset[Trigger](),
    OperatorMode.UNLOCKED: frozenset({Trigger.HOLD, Trigger.LOCK, Trigger.BLOCK}),
    OperatorMode.LOCKED: frozenset({Trigger.HOLD, Trigger.LOCK, Trigger.BLOCK}),
    OperatorMode.BLOCKED: frozenset({Trigger.HOLD, Trigger.BLOCK, Trigger.UNBLOCK}),
}
"""A remembered operator mode -> the commands that make it outdated when they came first."""


def occupied(door: Door, *, has_contact: bool) -> Occupied:
    """Whether a door keeps the others of its interlock group from being released (R18)."""
    if door.released or door.opening is not None:
        return Occupied.YES
    return Occupied.UNKNOWN if has_contact and door.contact is not Contact.CLOSED else Occupied.NO


def observed_first(door: Door) -> Observed:
    """Why a level of the contact is its first: at the start, or after a fault (R14, R16)."""
    return Observed.AFTER_FAULT if door.seen else Observed.AT_START
