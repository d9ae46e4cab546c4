"""The nouns: what drivers saw, what people asked for, what happened.

One rule: everything here is a frozen value. Times are nanoseconds of the boot clock
(CLOCK_BOOTTIME) and end in `_ns`; durations that people configure are seconds and end in `_s`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge.model.records import NOTHING, NS_PER_S, REX, SYSTEM, Actor, ClockQuality, Event, Json, Record, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NOTHING",
    "NS_PER_S",
    "REX",
    "SYSTEM",
    "Actor",
    "Back",
    "CardRead",
    "ClockQuality",
    "Command",
    "CommandName",
    "Confirmed",
    "ContactFault",
    "ContactMoved",
    "Event",
    "HoldEnds",
    "InputFault",
    "InputStirs",
    "InputUnstable",
    "InterlockChanged",
    "Item",
    "Json",
    "KeysPressed",
    "Level",
    "LockConfirmed",
    "Lost",
    "Observed",
    "Outputs",
    "PointsBack",
    "PointsLost",
    "ReaderDisplay",
    "Record",
    "ReleaseInput",
    "Restore",
    "RexPressed",
    "RexReleased",
    "ScheduleSays",
    "Settled",
    "Signal",
    "Subject",
    "TamperChanged",
]


# --- what a driver saw (signals) ------------------------------------------------------------
# A point is named "<door>.<role>", e.g. "front.contact"; the times are from the driver that carries it.


@dataclass(frozen=True, slots=True)
class Level:
    """An input's logical level: a contact asserts when open, a button when pressed."""

    point: str
    asserted: bool
    at_ns: int
    initial: bool = False
    """True for the level found at start or on return of the line; False for an edge."""
    lost: int = 0
    """Edges of this input before this one that the driver knows it has missed."""


@dataclass(frozen=True, slots=True)
class InputFault:
    """A supervised input's wiring is cut or shorted (`reason`), or well again (`None`)."""

    point: str
    reason: str | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The hardware accepted an output's level."""

    point: str
    asserted: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class Lost:
    """These points cannot be read or driven any more."""

    points: frozenset[str]
    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Back:
    """These points answer again; their levels follow as initial `Level`s."""

    points: frozenset[str]
    at_ns: int


@dataclass(frozen=True, slots=True)
class CardRead:
    """A reader saw a card: its bits, most significant first, padded on the right with zeros."""

    point: str
    bits: int
    data: bytes
    at_ns: int
    format: str = "raw"


@dataclass(frozen=True, slots=True)
class KeysPressed:
    """A keypad sent these keys: digits, `*` and `#`."""

    point: str
    keys: str
    at_ns: int


Signal: TypeAlias = Level | InputFault | Confirmed | Lost | Back | CardRead | KeysPressed


@dataclass(frozen=True, slots=True)
class Settled:
    """A debounced input has taken another level; `at_ns` is the first edge of the change (R17)."""

    level: bool
    at_ns: int
    read_back: bool = False
    """The level was read, not learnt from an edge: edges were lost, or the unrest did not end."""
    initial: bool = False
    """The level found at start or on return of the line."""
    restless: bool = False
    """The input has been reported as unstable and has not been quiet since."""


# --- items for a door: settled signals and commands; a deadline is not an item ----------------


class Observed(StrEnum):
    """How an opening or closing came to be known."""

    EDGE = "edge"
    AT_START = "at_start"
    AFTER_FAULT = "after_fault"
    READ_BACK = "read_back"


@dataclass(frozen=True, slots=True)
class ContactMoved:
    """The debounced contact; `at_ns` is the first edge (R4, R17)."""

    open: bool
    at_ns: int
    observed: Observed = Observed.EDGE


@dataclass(frozen=True, slots=True)
class ContactFault:
    """The contact's wiring is cut or shorted (`reason`), or well again (`None`)."""

    reason: str | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class RexPressed:
    """A fresh edge of the request-to-exit input (R7)."""

    at_ns: int
    restless: bool = False
    """The input is unstable: it is obeyed, but not recorded each time."""


@dataclass(frozen=True, slots=True)
class RexReleased:
    """The request-to-exit input is at rest again, for example because a motion sensor sees nobody any more."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class HoldEnds:
    """A restored hold ends at another moment than was computed before: the calendar can be trusted now."""

    until_ns: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class InputStirs:
    """An input has begun to change and is still settling: it may turn out to authorise an opening (R4, R7, R12)."""

    role: str
    at_ns: int
    """Its first edge."""
    until_ns: int
    """By when it has settled at the latest; 0: it is at rest again."""


@dataclass(frozen=True, slots=True)
class ReleaseInput:
    """The fire panel's release input (R12)."""

    asserted: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class TamperChanged:
    """A tamper switch of this door; `point` says which."""

    point: str
    asserted: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class InputUnstable:
    """An input has been restless for longer than the instability limit (R17)."""

    point: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class PointsLost:
    """Some of this door's points are lost (R16); `contact` and `lock` say which facets go unknown."""

    points: frozenset[str]
    contact: bool
    lock: bool
    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class PointsBack:
    """Those points are back."""

    points: frozenset[str]
    at_ns: int


@dataclass(frozen=True, slots=True)
class LockConfirmed:
    """The relay took a level: `released` is what the hardware was last told and confirmed."""

    released: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class InterlockChanged:
    """Another door of the interlock group is open or released (its id), or none is (R18)."""

    held_by: str | None
    at_ns: int
    known: bool = True
    """False: it is not known whether that door is open; its contact has not been seen or is lost."""


@dataclass(frozen=True, slots=True)
class Restore:
    """What the log remembers of this door from before the start (R14); empty for a new door."""

    memory: Mapping[str, Json]
    at_ns: int


class CommandName(StrEnum):
    """Every command that a door can be given (docs/mqtt.md)."""

    UNLOCK = "unlock"
    LOCK = "lock"
    HOLD_UNLOCKED = "hold_unlocked"
    LOCK_DOWN = "lock_down"
    CANCEL_LOCKDOWN = "cancel_lockdown"
    BLOCK = "block"
    UNBLOCK = "unblock"


CommandWord: TypeAlias = Literal[
    "unlock",
    "lock",
    "hold_unlocked",
    "lock_down",
    "cancel_lockdown",
    "block",
    "unblock",
    "replay",
    "diagnose",
    "record",
    "apply_directory",
    "edit_directory",
    "acknowledge",
]
"""Every command that can be given over MQTT."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to this door: admitted already, not yet judged by the rules."""

    id: str
    name: CommandName
    actor: Actor
    at_ns: int
    for_s: float | None = None
    """Seconds for `unlock` (None: the door's `unlock_s`) or `hold_unlocked` (None: until further notice)."""
    events: tuple[Event, ...] = ()
    """What led to it, such as a card at a reader: recorded first, as a part of the same passage."""
    details: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    """Further details for the records of what it did, such as whose signature it had."""


@dataclass(frozen=True, slots=True)
class ScheduleSays:
    """What the door's unlock schedule wants from now on (R9)."""

    standing: bool
    """The door is to stand unlocked."""
    events: tuple[Event, ...]
    """The events to record; none when this only restores the state from before a restart (R14)."""
    actor: Actor
    at_ns: int
    waiting: bool = False
    """A window has begun and waits for the first to arrive."""


Item: TypeAlias = (
    ContactMoved
    | ContactFault
    | RexPressed
    | RexReleased
    | HoldEnds
    | ReleaseInput
    | TamperChanged
    | InputUnstable
    | InputStirs
    | PointsLost
    | PointsBack
    | LockConfirmed
    | InterlockChanged
    | Restore
    | ScheduleSays
    | Command
)


# --- what a door shows and drives -----------------------------------------------------------------


class ReaderDisplay(StrEnum):
    """What a reader shows while no card is presented: the state of its door, or that it listens."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    """The door stands unlocked: no card is needed."""
    REFUSING = "refusing"
    """The door is locked down or blocked: every card is refused."""
    LISTENING = "listening"
    """It waits for a card that is to be given to somebody."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a door's wires should be now."""

    released: bool
    buzzer: bool
