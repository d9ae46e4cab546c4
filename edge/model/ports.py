"""What the shell needs from a driver, an upstream link and the log: each method with its promise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

from edge.model.messages import Event, Json, ReaderDisplay, Record, Signal

if TYPE_CHECKING:
    from pydantic import BaseModel

    from edge.model.cloudevents import Identity

Emit: TypeAlias = Callable[[Signal], None]
RECEIVE_MAXIMUM: Final = 65_535
MAX_PACKET: Final = 268_435_460
"""MQTT 5, 3.2.2.3.3 and 2.1.4: what a broker allows that names no limit."""


class Driver(Protocol):
    """One configured instance of one kind of hardware, carrying points.

    All methods are called on the event loop's thread and none may block on the line.
    """

    name: str
    points: frozenset[str]

    def open(self) -> None:
        """Claim the hardware; every output shows its resting level and no other one before it.

        Called before anything else in the process and again after a loss. Raises OSError when
        the hardware is not there.
        """

    async def run(self, emit: Emit) -> None:
        """Report until cancelled: first each input's level (`initial=True`), then every edge.

        Raises OSError when the whole line is lost; the caller reports the loss, waits, and
        calls `open` and `run` again. A part of the points that comes and goes is reported by
        the driver itself with `Lost` and `Back`.
        """

    def apply(self, outputs: Mapping[str, bool]) -> None:
        """Drive these outputs (True: released, sounding). Idempotent and quick.

        What the hardware accepted comes back as `Confirmed`, from here or later. Raises
        OSError when the line is lost; the driver keeps nothing for later, the caller repeats it.
        """

    def level(self, point: str) -> bool | None:
        """An input's logical level read now, or None when it cannot be read."""

    def close(self) -> None:
        """Bring every output to its resting level and let the hardware go. Never raises."""

    def describe(self) -> Mapping[str, Json]:
        """Facts for `doorctl status` and `diagnose`; cheap, never touches the line."""


@runtime_checkable
class Extensible(Protocol):
    """A driver that can add points while it runs; its module says so with `GROWS = True`."""

    def add(self, points: Mapping[str, BaseModel]) -> None:
        """Add these points, by name, without touching others; each output shows its resting level first.

        Their levels are reported after this call, never within it. A point that cannot be claimed is reported with
        `Lost`, also after this call. While the line is lost points are only noted: the next `open` claims them.
        """


@runtime_checkable
class Lights(Protocol):
    """A driver whose readers can show whether a card was granted."""

    def answer(self, point: str, *, granted: bool) -> None:
        """Show it at this reader, by light and sound, if it has them. Never raises."""


@runtime_checkable
class StandingLights(Protocol):
    """A driver whose readers can show the state of their door, or that they listen, while no card is presented."""

    def show(self, point: str, shown: ReaderDisplay) -> None:
        """Show it at this reader from now on, between answers. It is forgotten when the line is lost. Never raises."""


class Wires(Protocol):
    """Every driver's points, as doors and elevators see them."""

    def apply(self, driver: str, outputs: Mapping[str, bool]) -> bool:
        """Drive outputs of one driver. False: it is lost; the caller drives them again after its `Back`."""

    def level(self, point: str) -> bool | None:
        """An input read now."""

    def driver_of(self, point: str) -> str:
        """The name of the driver that carries a point."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a command id is new; if not, the answer that was given the first time, if any."""

    first: bool
    reply: bytes | None = None
    known: bool = True
    """The id is remembered; False only with `only_look`."""
    same: bool = True
    """It was the same command then; False: another one has this id."""


class Journal(Protocol):
    """The log as the rest of the daemon sees it. Nothing here makes a door wait for the disk."""

    stream: str
    """`<controller id>/<epoch>`."""
    committed: int
    """The highest sequence number that is on the disk."""

    def append(self, events: Sequence[Event], modes: Mapping[str, str] | None = None) -> None:
        """Hand events to the writer, with the modes (door -> JSON) to restore after a restart.

        Returns at once; events and modes of one call are committed together and in order.
        """

    def on_commit(self, listener: Callable[[Sequence[Record]], None]) -> object:
        """Call `listener` on the loop with each group of records after it is on the disk."""

    async def read(self, after: int, limit: int) -> list[Record]:
        """Committed records with a sequence above `after`, in order; reads in another thread."""

    def cursor(self, sink: str) -> int:
        """The highest contiguous sequence the sink has acknowledged; 0 at first."""

    def advance(self, sink: str, sequence: int) -> None:
        """Move a cursor forward; never back. Durable with one of the next commits."""

    def admit(
        self, command_id: str, expires_us: int | None = None, *, content: bytes = b"", only_look: bool = False
    ) -> Awaitable[Admission]:
        """Remember a command id, which belongs to this `content`; the answer comes when it is on the disk.

        With `expires_us` (microseconds since 1970 UTC) the id may be forgotten some time after. An id with the same or
        an earlier `expires_us` is then never `first`. Without it, the id is remembered for ever. With `only_look`
        nothing is remembered. `content` shows whether a known id came with the same command (`Admission.same`).
        """

    def durable(self) -> Awaitable[None]:
        """Wait until everything that was handed over before is on the disk and listeners have been called."""

    def settle(self, command_id: str, reply: bytes) -> None:
        """Keep the answer of an admitted command, in case the command arrives again."""


class Origin(Protocol):
    """Whose records these are, for code that sends them."""

    def identity(self) -> Identity:
        """Who we are; the epoch changes when a damaged log was set aside."""

    def is_late(self, record: Record) -> bool:
        """Whether the record happened more than 10 s ago, or before this boot."""


class LinkError(OSError):
    """There is no link, or not any more. `refused`: the broker answered and refused the connection."""

    def __init__(self, reason: str, *, refused: bool = False, code: int = 0) -> None:
        """`reason` is for people; `code` is the broker's reason code, if it gave one."""
        super().__init__(reason)
        self.refused, self.code = refused, code


@dataclass(frozen=True, slots=True)
class Connected:
    """The limits that the broker has named."""

    receive_maximum: int = RECEIVE_MAXIMUM
    """How many messages may be unacknowledged at once."""
    maximum_packet: int = MAX_PACKET
    """Bytes of a whole packet."""
    maximum_qos: int = 1
    """0: it acknowledges nothing."""
    retains: bool = True
    """It keeps retained messages."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us when the connection breaks."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


def _nothing() -> None:
    """For a message that need not be acknowledged."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message from the broker."""

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None
    taken: Callable[[], None] = field(default=_nothing, compare=False, repr=False)
    """Call it once the message can no longer be lost: it is then acknowledged, and the broker forgets it."""


class Link(Protocol):
    """One connection to the upstream. It is not used again after it has ended."""

    async def connect(self, will: Will) -> Connected:
        """Connect, leaving a will. Raises LinkError."""

    def subscribe(self, topics: Sequence[str]) -> None:
        """Receive what is published there. The owner of the link is told whether the broker allows it."""

    def look(self, topic: str) -> None:
        """Ask for the retained messages there; each comes as an `Incoming` that is marked as retained."""

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        content_type: str | None = None,
        correlation: bytes | None = None,
    ) -> int:
        """Send one message, at least once; returns the number its acknowledgement will carry.

        For a broker that acknowledges nothing, or retains nothing, the message is sent without that.

        Raises LinkError when the link is gone. The caller keeps the number of unacknowledged
        messages below the broker's limit.
        """

    def close(self) -> None:
        """End in good order: no will is sent."""

    def abandon(self) -> None:
        """End without a goodbye: the broker then publishes the will."""
