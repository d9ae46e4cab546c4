"""The messages of panel and reader: commands to bytes, replies from bytes.

One rule: a reply is hostile until it is parsed. A reply with a wrong form becomes `Unreadable`, never an exception.
Source: SIA OSDP v2.2 (IEC 60839-11-5), commands in 6, replies in 7, codes in annex A.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TENTH_S: Final = 10
"""Times on the line count in tenths of a second."""
LONGEST_CARD: Final = 1024
"""Bits of the longest card number (PDCAP function 3)."""
LONGEST_TEXT: Final = 32
KEY_BYTES: Final = 16
_SIGNS: Final = {0x0D: "#", 0x7F: "*"}
"""Enter and delete, as keypads send them; digits, `*` and `#` are ASCII."""


class CommandCode(IntEnum):
    """Codes of commands."""

    POLL = 0x60
    ID = 0x61
    CAP = 0x62
    LSTAT = 0x64
    ISTAT = 0x65
    OSTAT = 0x66
    RSTAT = 0x67
    OUT = 0x68
    LED = 0x69
    BUZ = 0x6A
    TEXT = 0x6B
    COMSET = 0x6E
    KEYSET = 0x75
    CHLNG = 0x76
    SCRYPT = 0x77


class ReplyCode(IntEnum):
    """Codes of replies."""

    ACK = 0x40
    NAK = 0x41
    PDID = 0x45
    PDCAP = 0x46
    LSTATR = 0x48
    ISTATR = 0x49
    OSTATR = 0x4A
    RSTATR = 0x4B
    RAW = 0x50
    FMT = 0x51
    KEYPAD = 0x53
    COM = 0x54
    CCRYPT = 0x76
    RMAC_I = 0x78
    BUSY = 0x79


class NakReason(IntEnum):
    """Why a device answers NAK."""

    CHECK = 1
    LENGTH = 2
    UNKNOWN = 3
    SEQUENCE = 4
    NO_SECURITY = 5
    NEEDS_SECURITY = 6
    BIO_TYPE = 7
    BIO_FORMAT = 8
    RECORD = 9


class Function(IntEnum):
    """Functions in a capability report."""

    CONTACTS = 1
    OUTPUTS = 2
    CARD_FORMAT = 3
    LED = 4
    BUZZER = 5
    TEXT = 6
    CHECK = 8
    SECURITY = 9
    READERS = 13
    VERSION = 16


class OutputAction(IntEnum):
    """What an output shall do."""

    OFF = 1
    """Permanently; a timed state ends now."""
    ON = 2
    OFF_LATER = 3
    """Permanently; a timed state runs to its end first."""
    ON_LATER = 4
    ON_TIMED = 5
    """For the given time; after that the permanent state."""
    OFF_TIMED = 6


class Colour(IntEnum):
    """Colours of a reader's light."""

    NONE = 0
    RED = 1
    GREEN = 2
    AMBER = 3
    BLUE = 4


@dataclass(frozen=True, slots=True)
class OsdpCommand:
    """A command with its data."""

    code: CommandCode
    data: bytes = b""


POLL: Final = OsdpCommand(CommandCode.POLL)
IDENTIFY: Final = OsdpCommand(CommandCode.ID, b"\0")
CAPABILITIES: Final = OsdpCommand(CommandCode.CAP, b"\0")
LOCAL_STATUS: Final = OsdpCommand(CommandCode.LSTAT)
INPUT_STATUS: Final = OsdpCommand(CommandCode.ISTAT)
OUTPUT_STATUS: Final = OsdpCommand(CommandCode.OSTAT)
READER_STATUS: Final = OsdpCommand(CommandCode.RSTAT)


def output(number: int, what: OutputAction, for_s: float = 0.0) -> OsdpCommand:
    """Switch an output; `for_s` in seconds (tenths count) for the timed ones."""
    return OsdpCommand(CommandCode.OUT, bytes((number, what)) + _tenths(for_s).to_bytes(2, "little"))


def light(reader: int, colour: Colour, for_s: float, *, blink_s: float = 0.0) -> OsdpCommand:
    """Show a colour for a time, then again the permanent colour. With `blink_s` it blinks."""
    on, off = (_tenths(blink_s), _tenths(blink_s)) if blink_s else (1, 0)
    timed = bytes((2, on, off, colour, Colour.NONE)) + _tenths(for_s).to_bytes(2, "little")
    return OsdpCommand(CommandCode.LED, bytes((reader, 0)) + timed + bytes(5))


def standing(reader: int, colour: Colour, *, blink_s: float = 0.0) -> OsdpCommand:
    """Show a colour permanently, whenever no timed colour is shown."""
    on, off = (_tenths(blink_s), _tenths(blink_s)) if blink_s else (1, 0)
    return OsdpCommand(CommandCode.LED, bytes((reader, 0)) + bytes(7) + bytes((1, on, off, colour, Colour.NONE)))


def sound(reader: int, on_s: float, off_s: float, times: int) -> OsdpCommand:
    """Sound `times` times."""
    return OsdpCommand(CommandCode.BUZ, bytes((reader, 2, _tenths(on_s), _tenths(off_s), times)))


def silence(reader: int) -> OsdpCommand:
    """End the sound."""
    return OsdpCommand(CommandCode.BUZ, bytes((reader, 1, 0, 0, 0)))


def text(reader: int, line: str, for_s: float) -> OsdpCommand:
    """Show up to 32 ASCII characters for a time of up to 25 s, at the top left, without wrapping."""
    shown = line.encode("ascii", "replace")[:LONGEST_TEXT]
    return OsdpCommand(CommandCode.TEXT, bytes((reader, 3, max(1, min(int(for_s), 25)), 1, 1, len(shown))) + shown)


def communication(address: int, baud: int) -> OsdpCommand:
    """Give a device another address and speed."""
    return OsdpCommand(CommandCode.COMSET, bytes((address,)) + baud.to_bytes(4, "little"))


def keyset(key: bytes) -> OsdpCommand:
    """Give a device a new secure channel base key (SCBK)."""
    return OsdpCommand(CommandCode.KEYSET, bytes((1, KEY_BYTES)) + key)


def _tenths(seconds: float) -> int:
    return round(seconds * TENTH_S)


# --- replies -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ack:
    """Done; there is nothing to report."""


@dataclass(frozen=True, slots=True)
class Nak:
    """Refused; `NakReason` names the usual reasons."""

    reason: int


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Who the device is."""

    vendor: str
    """Three bytes of hexadecimal, as the IEEE gave them."""
    model: int
    version: int
    serial: int
    firmware: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the device can do: function -> (level of compliance, how many)."""

    functions: Mapping[int, tuple[int, int]]

    def level(self, ability: Function) -> int:
        """The level of compliance; 0: it cannot do it."""
        return self.functions.get(ability, (0, 0))[0]


@dataclass(frozen=True, slots=True)
class LocalStatus:
    """The device's own tamper switch and power."""

    tamper: bool
    power_failure: bool


@dataclass(frozen=True, slots=True)
class InputStatus:
    """Each input: 0 inactive, 1 active; anything above is a fault of its wiring."""

    levels: bytes


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """Each output: 0 off, 1 on."""

    levels: bytes


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """Each attached reader: 0 normal, 1 not connected, 2 tampered with."""

    levels: bytes


@dataclass(frozen=True, slots=True)
class CardData:
    """A card: bits from the most significant, padded on the right with zeros."""

    reader: int
    bits: int
    data: bytes
    format: str


@dataclass(frozen=True, slots=True)
class KeypadData:
    """Keys: digits, `*` and `#`; others are left out."""

    reader: int
    keys: str


@dataclass(frozen=True, slots=True)
class Communication:
    """The address and speed the device will use from now on."""

    address: int
    baud: int


@dataclass(frozen=True, slots=True)
class Challenged:
    """The device's half of the key agreement."""

    uid: bytes
    random: bytes
    cryptogram: bytes


@dataclass(frozen=True, slots=True)
class FirstMac:
    """The first link of the chain of authentication codes."""

    mac: bytes


@dataclass(frozen=True, slots=True)
class Busy:
    """Ask again later."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A reply that is unknown or has a wrong form."""

    code: int
    length: int


Message: TypeAlias = (
    Ack
    | Nak
    | DeviceIdentity
    | Capabilities
    | LocalStatus
    | InputStatus
    | OutputStatus
    | ReaderStatus
    | CardData
    | KeypadData
    | Communication
    | Challenged
    | FirstMac
    | Busy
    | Unreadable
)


def parse(code: int, data: bytes) -> Message:
    """Read a reply."""
    reader = _READERS.get(code)
    message = reader(data) if reader is not None else None
    return Unreadable(code, len(data)) if message is None else message


def _identity(data: bytes) -> DeviceIdentity | None:
    if len(data) != 12:  # noqa: PLR2004 -- the length of PDID
        return None
    firmware = ".".join(str(part) for part in data[9:12])
    return DeviceIdentity(data[:3].hex(), data[3], data[4], int.from_bytes(data[5:9], "little"), firmware)


def _capabilities(data: bytes) -> Capabilities | None:
    if len(data) % 3:
        return None
    return Capabilities({data[i]: (data[i + 1], data[i + 2]) for i in range(0, len(data), 3)})


def _card(data: bytes) -> CardData | None:
    if len(data) < 4:  # noqa: PLR2004 -- reader, format, count
        return None
    bits, content = int.from_bytes(data[2:4], "little"), data[4:]
    size = (bits + 7) // 8
    if not 0 < bits <= LONGEST_CARD or len(content) != size:
        return None
    cleared = int.from_bytes(content, "big") >> (size * 8 - bits) << (size * 8 - bits)
    return CardData(data[0], bits, cleared.to_bytes(size, "big"), "wiegand" if data[1] == 1 else "raw")


def _characters(data: bytes) -> CardData | None:
    """All characters that came, whatever the count in the reply: some readers count wrongly, and the frame is whole."""
    characters = data[3:]
    if not 0 < 8 * len(characters) <= LONGEST_CARD:
        return None
    return CardData(data[0], 8 * len(characters), characters, "ascii")


def _keys(data: bytes) -> KeypadData | None:
    if len(data) < 2 or data[1] != len(data) - 2:  # noqa: PLR2004 -- reader, count
        return None
    signs = (_SIGNS.get(byte, chr(byte)) for byte in data[2:])
    return KeypadData(data[0], "".join(sign for sign in signs if sign in "0123456789*#"))


_READERS: Final[Mapping[int, Callable[[bytes], Message | None]]] = {
    ReplyCode.ACK: lambda data: None if data else Ack(),
    ReplyCode.NAK: lambda data: Nak(data[0]) if data else None,
    ReplyCode.PDID: _identity,
    ReplyCode.PDCAP: _capabilities,
    ReplyCode.LSTATR: lambda data: LocalStatus(data[0] != 0, data[1] != 0) if len(data) == 2 else None,  # noqa: PLR2004 -- two bytes
    ReplyCode.ISTATR: lambda data: InputStatus(data) if data else None,
    ReplyCode.OSTATR: lambda data: OutputStatus(data) if data else None,
    ReplyCode.RSTATR: lambda data: ReaderStatus(data) if data else None,
    ReplyCode.RAW: _card,
    ReplyCode.FMT: _characters,
    ReplyCode.KEYPAD: _keys,
    ReplyCode.COM: lambda data: Communication(data[0], int.from_bytes(data[1:], "little")) if len(data) == 5 else None,  # noqa: PLR2004 -- five bytes
    ReplyCode.CCRYPT: lambda data: Challenged(data[:8], data[8:16], data[16:]) if len(data) == 32 else None,  # noqa: PLR2004 -- 8 + 8 + 16
    ReplyCode.RMAC_I: lambda data: FirstMac(data) if len(data) == KEY_BYTES else None,
    ReplyCode.BUSY: lambda data: None if data else Busy(),
}
