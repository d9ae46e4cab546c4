"""What an installer writes about Modbus boards, checked: the line, and which relay or input each point is.

One rule: numbers are those on the wire, counted from 0; a manual's "relay 1" is usually coil 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from drivers.serial_port import PortPath, one_of
from edge.model.roles import carried

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

BITS: Final = frozenset({"discrete", "coil"})
"""The tables whose entries are single bits; entries of the other tables are registers of 16 bits."""
MOST_FLASHED: Final = 254
"""The address 255 means every relay on boards that flash."""

Baud: TypeAlias = Annotated[
    int,
    one_of(1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200),
    Field(description="1200, 2400, 4800, 9600, 19200, 38400, 57600 or 115200"),
]
State: TypeAlias = Literal["on", "off"]
Table: TypeAlias = Literal["discrete", "coil", "input", "holding"]
"""Where a board keeps its inputs: function 2, 1, 4 or 3 of the Modbus Application Protocol 1.1b3."""
_NUMBER: Final = "0 to 65535"
Number: TypeAlias = Annotated[int, Field(ge=0, le=65535, description=_NUMBER)]
Unit: TypeAlias = Annotated[int, Field(ge=1, le=247, description="1 to 247")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Watchdog(_Table):
    """A holding register that makes a board drop its relays by itself when it gets no more questions."""

    unit: Unit
    holding: Number
    value: int = Field(ge=1, le=65535, description="1 to 65535, in the unit of the board's manual")
    every_s: int | None = Field(default=None, ge=1, le=60, description="1 to 60 seconds")
    """Write it again this often, for boards that do not count other questions; None: only when the board appears."""


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class Settings(_Table):
    """The table `[driver.NAME]` of kind `modbus`: one RS-485 line."""

    port: PortPath
    baud: Baud = 9600
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: int = Field(default=1, ge=1, le=2, description="1 or 2")
    poll_ms: int = Field(default=50, ge=20, le=1000, description="20 to 1000 milliseconds")
    """How often each input is asked for, as far as the line allows."""
    timeout_ms: int = Field(default=200, ge=20, le=2000, description="20 to 2000 milliseconds")
    """How long a board may take to answer."""
    misses: int = Field(default=3, ge=1, le=20, description="1 to 20")
    """A board that fails so often without a good answer in between is lost."""
    watchdog: Annotated[tuple[Watchdog, ...], BeforeValidator(_tuple)] = Field(
        default=(), max_length=247, description="a list of tables like { unit = 1, holding = 8, value = 5 }"
    )


class Point(_Table):
    """What every point has: the board it is on."""

    unit: Unit


class Output(Point):
    """A relay: a coil of the board, or a holding register that is written with one of two values."""

    coil: Number | None = Field(default=None, description=_NUMBER)
    register_: Number | None = Field(default=None, alias="register", description=_NUMBER)
    on: Number | None = Field(default=None, description=_NUMBER)
    off: Number | None = Field(default=None, description=_NUMBER)
    """The values that are written to the register to switch the relay."""
    on_reads: Number = 1
    off_reads: Number = 0
    """The values that the register then reads; any other value is neither on nor off."""
    flash: Literal["waveshare"] | None = None
    """How the board can be told to let the relay fall back by itself after a time; see `drivers.modbus.frames`."""

    @model_validator(mode="after")
    def _one_of_its_relays(self) -> Output:
        if (self.coil is None) is (self.register_ is None):
            raise ValueError('expected either "coil" or "register"')
        if self.flash is not None and (self.coil is None or self.coil > MOST_FLASHED):
            raise ValueError(f'with "flash" expected a coil of 0 to {MOST_FLASHED}')
        if self.coil is not None and self.model_fields_set & {"on", "off", "on_reads", "off_reads"}:
            raise ValueError('"on", "off", "on_reads" and "off_reads" belong to "register"')
        if self.coil is None and (self.on is None or self.off is None or self.on == self.off):
            raise ValueError('with "register" expected "on" and "off", two different values')
        if self.on_reads == self.off_reads:
            raise ValueError('expected two different values as "on_reads" and "off_reads"')
        return self

    @property
    def place(self) -> tuple[str, int]:
        """The table that the relay is in, and its number there."""
        return ("coil", self.coil) if self.coil is not None else ("holding", self.register_ or 0)

    @property
    def words(self) -> str:
        """Its place, for messages."""
        return f"coil {self.coil}" if self.coil is not None else f"register {self.register_}"

    def shows(self, value: int) -> bool | None:
        """Whether the relay is on when its place reads this value; None: the value is neither."""
        if self.coil is not None:
            return bool(value)
        return {self.on_reads: True, self.off_reads: False}.get(value)

    @property
    def on_when(self) -> bool:
        """Whether the relay is on while the point is released or sounds."""
        raise NotImplementedError

    @property
    def rest(self) -> bool:
        """Whether the relay is on at rest."""
        raise NotImplementedError


class Lock(Output):
    """A lock on a relay. Nothing here has a default: only the installer knows the lock and its wiring."""

    unlocked: State
    resting: Literal["locked", "unlocked"]

    @property
    def on_when(self) -> bool:
        """Whether the relay is on while the lock is released."""
        return self.unlocked == "on"

    @property
    def rest(self) -> bool:
        """Whether the relay is on at rest."""
        return (self.resting == "unlocked") is self.on_when


class Buzzer(Output):
    """A sounder on a relay; silent at rest."""

    active: State = "on"

    @property
    def on_when(self) -> bool:
        """Whether the relay is on while it sounds."""
        return self.active == "on"

    @property
    def rest(self) -> bool:
        """Whether the relay is on at rest."""
        return not self.on_when


class Input(Point):
    """An input: a discrete input, or a coil, or one bit of a register, as the board has it."""

    input: Number
    table: Table = "discrete"
    bit: int | None = Field(default=None, ge=0, le=15, description="0 (the lowest) to 15")

    @model_validator(mode="after")
    def _bit_of_a_register(self) -> Input:
        if (self.bit is not None) is (self.table in BITS):
            raise ValueError('"bit" belongs to the tables "input" and "holding", and to them always')
        return self

    @property
    def asserts_on(self) -> bool:
        """Whether the bit is 1 when the point asserts."""
        raise NotImplementedError


class Contact(Input):
    """A door contact; it asserts when the door is open."""

    closed: State = "on"

    @property
    def asserts_on(self) -> bool:
        """Whether the bit is 1 while the door is open."""
        return self.closed == "off"


class Button(Input):
    """Every other input: a button, a switch or a loop; it asserts when it is active."""

    active: State = "on"

    @property
    def asserts_on(self) -> bool:
        """Whether the bit is 1 while it is active."""
        return self.active == "on"


POINTS: Final[Mapping[str, type[BaseModel]]] = carried(inputs=Button, lock=Lock, contact=Contact, buzzer=Buzzer)


def addresses(point: BaseModel) -> Collection[str]:
    """What a point occupies of its board."""
    if isinstance(point, Output):
        prefix = "" if point.coil is not None else "holding "
        return {f"{prefix}{point.words} of unit {point.unit}"}
    if not isinstance(point, Input):
        return set()
    of = f" of unit {point.unit}"
    if point.bit is None:
        return {("coil " if point.table == "coil" else "discrete input ") + f"{point.input}{of}"}
    return {f"bit {point.bit} of {point.table} register {point.input}{of}"}
