"""What is recorded: actor, subject, event and record. They are here for programs that only read a log.

One rule: as in edge/model/messages.py, from which all other code imports them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias, Union

if TYPE_CHECKING:
    from collections.abc import Mapping

Json: TypeAlias = Union[bool, int, float, str, "list[Json]", "dict[str, Json]", None]
NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})
NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it; copied into every record, so that removing a user changes no history."""

    kind: str
    """`user`, `operator`, `schedule`, `rex` or `system`."""
    id: str
    name: str | None = None
    email: str | None = None


SYSTEM: Final = Actor("system", "doord")
REX: Final = Actor("rex", "rex", "Request to exit")


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about: a lock, a controller, an input ... copied in like the actor."""

    type: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """A fact in the past tense. `type` stands in `edge.model.catalogue`."""

    type: str
    at_ns: int
    object: Subject
    actor: Actor | None = None
    cause: str | None = None
    success: bool = True
    code: str | None = None
    correlation: str = ""
    """Shared by the events of one passage; empty when the event stands alone."""
    door: str | None = None
    """The door's id, which becomes `subject` on the wire; None for the controller itself."""
    details: Mapping[str, Json] = field(default_factory=lambda: NOTHING)


class ClockQuality(StrEnum):
    """How far the calendar can be trusted: `synced` by the network, `rtc` from a battery clock."""

    UNSYNCED = "unsynced"
    RTC = "rtc"
    SYNCED = "synced"


@dataclass(frozen=True, slots=True)
class Record:
    """An event in the log. `time_us` and `recorded_us` are computed when it is read."""

    sequence: int
    event: Event
    boot: str
    recorded_ns: int
    prev: str
    hash: str
    time_us: int
    recorded_us: int
    clock: ClockQuality
    epoch: str = ""
    """The epoch of the record's stream; empty: of the stream that the log has now."""
