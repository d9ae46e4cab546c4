"""What is configured, known and reported of one reader; and the times and limits of a conversation with it.

One rule: figures that come from the standard say so. Source: SIA OSDP v2.2 (IEC 60839-11-5), 5.7.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from drivers.osdp import messages

if TYPE_CHECKING:
    from drivers.osdp.messages import Message

MS: Final = 1_000_000
OFFLINE_NS: Final = 8_000 * MS
"""The standard's rule for both sides."""
ANSWER_NS: Final = 200 * MS
"""The longest a device may take before its answer begins (REPLY_DELAY)."""
SHORTEST_NS: Final = 40 * MS
"""Never wait less: an operating system has its own delays."""
GLANCE_NS: Final = 50 * MS
"""How long to wait for a lost device; every `PATIENT_PROBE`th time the full `ANSWER_NS`."""
PATIENT_PROBE: Final = 4
REPEATS: Final = 3
"""How often the same question is repeated before the conversation starts anew."""
PROBE_NS: Final = 800 * MS
"""Time between two probes for a lost device."""
BUSY_NS: Final = 50 * MS
"""The pause after a device has answered BUSY."""
SETBACK_NS: Final = 25 * MS
"""The first pause after a conversation broke off; it doubles up to `PROBE_NS`."""
DOUBTS: Final = 3
"""The key counts as wrong after this many failed proofs in a row."""
STATUS_NS: Final = 2_000 * MS
"""How often inputs and tamper are asked for, in case a change was not reported."""
QUEUE: Final = 8
"""Orders that wait, for lights and sounds; beyond it the oldest is forgotten."""
TIMED_LEVELS: Final = (3, 4)

Security: TypeAlias = Literal["required", "install", "off"]


class Phase(Enum):
    """Where the conversation is."""

    IDENTIFY = "identify"
    ABILITIES = "abilities"
    CHALLENGE = "challenge"
    PROVE = "prove"
    HAND_OVER = "hand over the key"
    ONLINE = "online"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is configured of a device."""

    address: int
    security: Security = "required"
    key: bytes = b""
    poll_ns: int = 20 * MS
    inputs: bool = False
    local: bool = False
    """Whether its own tamper and power matter."""


@dataclass(frozen=True, slots=True)
class Online:
    """The device answers and is trusted, for the first time or again after `Offline`."""

    address: int


@dataclass(frozen=True, slots=True)
class Offline:
    """The device is lost."""

    address: int
    reason: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The device has reported something, by itself or because it was asked for its status."""

    address: int
    message: Message


@dataclass(frozen=True, slots=True)
class Switched:
    """The device has accepted a state of a switch."""

    address: int
    switch: str
    on: bool


@dataclass(frozen=True, slots=True)
class Unable:
    """The device cannot switch this at all."""

    address: int
    switch: str
    reason: str


Happening: TypeAlias = Online | Offline | Heard | Switched | Unable


@dataclass(slots=True)
class DeviceReport:
    """What is known about a device, for diagnosis."""

    identity: messages.DeviceIdentity | None = None
    abilities: messages.Capabilities = field(default_factory=lambda: messages.Capabilities({}))
    local: messages.LocalStatus | None = None
    reason: str = "not heard of yet"
    """Why the conversation broke off last."""
    key_installed: bool = False
    counts: Counter[str] = field(default_factory=Counter)
