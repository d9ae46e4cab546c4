"""What is configured, known and told of one reader; and the times and limits of a conversation with it.

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
"""How long a device that is not there is usually waited for; each `PATIENT_PROBE`th time in full."""
PATIENT_PROBE: Final = 4
REPEATS: Final = 3
"""So often the same question is asked again before the conversation starts anew."""
PROBE_NS: Final = 800 * MS
"""Between two looks for a lost device."""
BUSY_NS: Final = 50 * MS
"""After a device said it was busy."""
SETBACK_NS: Final = 25 * MS
"""The first pause after a conversation broke off; it doubles up to `PROBE_NS`."""
DOUBTS: Final = 3
"""So often a proof must fail in a row until the key counts as wrong."""
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
    """It answers and is trusted, for the first time or again after `Offline`."""

    address: int


@dataclass(frozen=True, slots=True)
class Offline:
    """It is lost."""

    address: int
    reason: str


@dataclass(frozen=True, slots=True)
class Heard:
    """It said something by itself or was asked for its status."""

    address: int
    message: Message


@dataclass(frozen=True, slots=True)
class Switched:
    """It accepted a state of a switch."""

    address: int
    switch: str
    on: bool


@dataclass(frozen=True, slots=True)
class Unable:
    """It does not switch this at all."""

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
