"""What an installer writes about OSDP readers, checked: the line, and the points at each address.

One rule: keys never stand in the configuration, only the names of files that hold them.
"""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from drivers.osdp.messages import KEY_BYTES
from drivers.osdp.secure import DEFAULT_KEY
from drivers.serial_port import PortPath, one_of
from edge.model.roles import carried

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

CREDENTIAL: Final = "credential:"
"""In front of a name: a credential that systemd hands to the service."""
LARGEST_KEY_FILE: Final = 4096


def _file(value: object, info: ValidationInfo) -> Path | None:
    """Resolve a path against the configuration's folder, and `credential:NAME` against systemd's."""
    if value is None:
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError('expected the path of a file, or "credential:NAME"')
    places: Mapping[str, Path] = info.context or {}
    name = value.removeprefix(CREDENTIAL)
    if name == value:
        return Path(os.path.normpath(places.get("folder", Path()) / value))
    if not name or "/" in name or name in {".", ".."}:
        raise ValueError("expected credential:NAME as in LoadCredential=NAME:... of the service")
    return places.get("credentials", Path("/run/credentials/doord.service")) / name


KeyFile: TypeAlias = Annotated[Path | None, BeforeValidator(_file)]
Baud: TypeAlias = Annotated[
    int,
    one_of(9600, 19200, 38400, 57600, 115200, 230400),
    Field(description="9600, 19200, 38400, 57600, 115200 or 230400"),
]
Secure: TypeAlias = Literal["required", "install", "off"]
State: TypeAlias = Literal["active", "inactive"]
Number: TypeAlias = Annotated[int, Field(ge=0, le=63, description="0 to 63")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Settings(_Table):
    """The table `[driver.NAME]` of kind `osdp`: one RS-485 line."""

    port: PortPath
    baud: Baud = 9600
    poll_ms: int = Field(default=20, ge=5, le=200, description="5 to 200 milliseconds")
    """The shortest time between two questions to the same reader."""
    secure: Secure = "required"
    """The mode of every reader without a mode of its own."""
    direction: Literal["hardware", "kernel"] = "hardware"
    """What switches the transceiver to sending: the transceiver itself, or the kernel's serial driver with RTS."""


class Point(_Table):
    """What every point has: the address of its reader. Key and mode may be given at any point of the reader."""

    address: int = Field(ge=0, le=126, description="0 to 126")
    key_file: KeyFile = None
    secure: Secure | None = None


class Reader(Point):
    """The reader itself; a device may carry two."""

    reader: int = Field(default=0, ge=0, le=1, description="0 or 1")


class Lock(Point):
    """A lock on a relay of the reader. Nothing here has a default: only the installer knows the lock."""

    output: Number
    unlocked: Literal["on", "off"]
    resting: Literal["locked", "unlocked"]

    @property
    def on_when(self) -> bool:
        """Whether the relay is on while the lock is released."""
        return self.unlocked == "on"

    @property
    def rest(self) -> bool:
        """Whether the relay is on at rest."""
        return (self.resting == "unlocked") is self.on_when


class Buzzer(Point):
    """A sounder: the reader's own, or one on a relay of it."""

    output: Number | None = None
    reader: int = Field(default=0, ge=0, le=1, description="0 or 1")

    @property
    def on_when(self) -> bool:
        """Whether the relay is on while it sounds."""
        return True

    @property
    def rest(self) -> bool:
        """Whether the relay is on at rest."""
        return False


class Contact(Point):
    """A door contact on an input of the reader; it asserts when the door is open."""

    input: Number
    closed: State = "inactive"

    @property
    def asserts(self) -> State:
        """The input's state while the door is open."""
        return "active" if self.closed == "inactive" else "inactive"


class Button(Point):
    """Every other input: a button, a switch or a loop on an input of the reader."""

    input: Number
    asserts: State = "active"


class Tamper(Point):
    """A tamper switch: the reader's own, or one on an input of it."""

    input: Number | None = None
    asserts: State = "active"


POINTS: Final[Mapping[str, type[BaseModel]]] = carried(
    inputs=Button, lock=Lock, contact=Contact, tamper=Tamper, buzzer=Buzzer, reader=Reader
)


def addresses(point: BaseModel) -> Collection[str]:
    """What a point occupies of its reader."""
    if not isinstance(point, Point):
        return set()
    what = "tamper"
    if isinstance(point, Reader):
        what = f"reader {point.reader}"
    elif isinstance(point, Lock | Buzzer):
        what = f"sounder {point.reader}" if isinstance(point, Buzzer) else ""
        what = what if point.output is None else f"output {point.output}"
    elif isinstance(point, Contact | Button | Tamper) and point.input is not None:
        what = f"input {point.input}"
    return {f"{what} of address {point.address}"}


def read_key(path: Path) -> bytes:
    """The key in a file: 32 hexadecimal digits. Raises ValueError with a sentence that never shows the key."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_KEY_FILE)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    try:
        key = bytes.fromhex(content.decode("utf-8-sig").strip())  # some editors put a mark in front
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} does not hold 32 hexadecimal digits")
    if key == DEFAULT_KEY:
        raise ValueError(f"{path} holds the default key, which everybody knows")
    return key
