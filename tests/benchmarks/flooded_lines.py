"""The floods of bench_flood that come from a door's own wires: readers and boards that say more than anybody may.

A `FloodedLine` brings the wires, what the configuration says of them, and who floods their far end.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import tty
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edge.model.messages import CardRead
from tests.benchmarks.floods import A_SECOND
from tests.support.gpio import shim_chip
from tests.support.osdp_pd import Reader
from tests.support.wiegand import train

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from drivers.simulated.driver import SimulatedDriver
    from edge.model.ports import Emit
    from tests.benchmarks.floods import Place

DOOR: Final = '\n[door.side]\nname = "Side door"\nlock = { driver = "bench", resting = "locked" }\n'


@dataclass(frozen=True)
class Wires:
    """A line in place, for one run of doord."""

    config: str
    """What the configuration says of it, a door included."""
    line: Any
    """What whoever floods it has in his hands."""
    environment: Mapping[str, str] = field(default_factory=dict)
    program: str | None = None
    """What is run instead of doord itself."""


@dataclass(frozen=True)
class FloodedLine:
    """A kind of line, and who floods it."""

    wires: Callable[[Path], AbstractContextManager[Wires]]
    flood: Callable[[Place], None]


# --- a reader whose driver hands on whatever comes -----------------------------------------------------------

CARD: Final = 4
"""Bytes of a card of 26 bits in the pipe of `_pipe`."""
A_TURN: Final = 1_024 * CARD
PIPE: Final = "DOORWARD_BENCH_CARDS"


def doord_with_a_reader() -> int:
    """Run doord; the simulated driver hands on every card that comes through the pipe, 1,024 in a turn."""
    import asyncio  # noqa: PLC0415 -- in doord's process only

    from drivers.simulated import driver  # noqa: PLC0415 -- as above
    from edge.daemon.doord import main  # noqa: PLC0415 -- as above

    quiet = driver.SimulatedDriver.run

    async def run(self: SimulatedDriver, emit: Emit) -> None:
        pipe = os.open(os.environ[PIPE], os.O_RDWR | os.O_NONBLOCK)

        def readable() -> None:
            cards = os.read(pipe, A_TURN)
            for at in range(0, len(cards), CARD):
                at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
                emit(CardRead("side.reader", 26, cards[at : at + CARD], at_ns))

        asyncio.get_running_loop().add_reader(pipe, readable)
        await quiet(self, emit)

    driver.SimulatedDriver.run = run  # type: ignore[method-assign]
    return main()


@contextlib.contextmanager
def _pipe(folder: Path) -> Iterator[Wires]:
    path = folder / "cards"
    os.mkfifo(path)
    program = f"from {__name__} import doord_with_a_reader as run; raise SystemExit(run())"
    yield Wires(f'{DOOR}reader = {{ driver = "bench" }}\n', path, {PIPE: str(path)}, program)


def _flood_cards(place: Place) -> None:
    """Ten thousand different cards a second."""
    pipe = os.open(place.line, os.O_WRONLY)
    some, began_s = 100, time.monotonic()
    for sent in itertools.count(some, some):
        cards = b"".join(((sent + n) % (1 << 26) << 6).to_bytes(CARD) for n in range(some))
        os.write(pipe, cards)
        place.count(some)
        time.sleep(max(0.0, sent / A_SECOND - (time.monotonic() - began_s)))


# --- a Wiegand reader on the lines of a chip -----------------------------------------------------------------

D0, D1 = 5, 6
GAP_MS: Final = 5
PULSE_NS: Final = 200_000
"""Between two pulses: the least there may be."""


@contextlib.contextmanager
def _chip(folder: Path) -> Iterator[Wires]:
    with shim_chip(folder) as chip:
        text = f'[driver.chip]\nkind = "wiegand"\nchip = {chip.number}\ngap_ms = {GAP_MS}\n{DOOR}'
        reader = f'reader = {{ driver = "chip", d0 = {D0}, d1 = {D1} }}\n'
        yield Wires(text + reader, chip, chip.environment())


def _pulses(bits: str) -> list[tuple[int, int]]:
    return [((D0, D1)[wire], at_ns) for wire, at_ns in train(bits, interval_ns=PULSE_NS)]


def _flood_wiegand(place: Place) -> None:
    """One card after the other, as quickly as wires carry them."""
    for number in itertools.count(1):
        place.line.pulse(_pulses(f"{number:026b}"[-26:]))
        place.count(1)
        time.sleep((26 * PULSE_NS / 1e6 + GAP_MS + 0.1) / 1e3)


def _storm_wiegand(place: Place) -> None:
    """A loose cable: ten thousand pulses a second without a pause."""
    some, began_s = 50, time.monotonic()
    noise = [(line, at_ns // 2) for line, at_ns in _pulses("01" * (some // 2))]
    for sent in itertools.count(some, some):
        place.line.pulse(noise)
        place.count(some)
        time.sleep(max(0.0, sent / A_SECOND - (time.monotonic() - began_s)))


# --- RS-485 ----------------------------------------------------------------------------------------------------


def _tty(config: str) -> Callable[[Path], AbstractContextManager[Wires]]:
    """A serial port, `{port}` in the configuration, whose far end takes and gives bytes as quickly as they go."""

    @contextlib.contextmanager
    def wires(_folder: Path) -> Iterator[Wires]:
        far, near = os.openpty()
        tty.setraw(near)
        try:
            yield Wires(config.replace("{port}", os.ttyname(near)), far)
        finally:
            os.close(far)
            os.close(near)

    return wires


def _flood_junk(junk: bytes) -> Callable[[Place], None]:
    def run(place: Place) -> None:
        while True:
            place.count(os.write(place.line, junk))

    return run


def _answer(answers: Callable[[bytes], bytes]) -> Callable[[Place], None]:
    """Answer whatever is asked, at once."""

    def run(place: Place) -> None:
        while True:
            answer = answers(os.read(place.line, 4_096))
            while answer:
                taken = os.write(place.line, answer)
                place.count(taken)
                answer = answer[taken:]

    return run


OSDP: Final = f"""
[driver.line]
kind = "osdp"
port = "{{port}}"
baud = 230400
poll_ms = 5
secure = "off"
{DOOR}reader = {{ driver = "line", address = 1 }}
"""
OSDP_JUNK: Final = bytes((0x53, 0x53, 4, 4)) * 1_000
"""Beginnings of frames, two in each other, as long as they may be: each is checked as a whole, and is none."""


def _osdp_replies() -> Callable[[bytes], bytes]:
    """A reader with another card whenever it is asked, and with hundreds of answers to what nobody has asked."""
    reader, numbers = Reader(1), itertools.count(1)

    def answers(asked: bytes) -> bytes:
        reader.card(next(numbers) % (1 << 26))
        reader.events = type(reader.events)([reader.events[-1]])
        answer = reader.receive(asked, time.monotonic_ns())
        return reader.plain((reader.sequence + 1) % 4, 0x40) * 300 + answer if answer else b""

    return answers


MODBUS: Final = f"""
[driver.boards]
kind = "modbus"
port = "{{port}}"
baud = 115200
poll_ms = 20
{DOOR}contact = {{ driver = "boards", unit = 1, input = 0 }}
rex = {{ driver = "boards", unit = 1, input = 1 }}
tamper = {{ driver = "boards", unit = 1, input = 2 }}
"""
MODBUS_JUNK: Final = bytes((1, 2, 1, 0)) * 1_000
"""Beginnings of the answer that the driver waits for, without its CRC."""


def _modbus_replies() -> Callable[[bytes], bytes]:
    """A board on which every input has moved whenever it is asked."""
    from pymodbus.framer import FramerRTU  # noqa: PLC0415 -- in this process only

    bits = itertools.cycle((0b000, 0b111))

    def answers(asked: bytes) -> bytes:
        frame = bytes((asked[0], asked[1], 1, next(bits)))
        return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")

    return answers


LINES: Final[dict[str, FloodedLine]] = {
    "cards": FloodedLine(_pipe, _flood_cards),
    "wiegand": FloodedLine(_chip, _flood_wiegand),
    "wiegand-storm": FloodedLine(_chip, _storm_wiegand),
    "osdp": FloodedLine(_tty(OSDP), _flood_junk(OSDP_JUNK)),
    "osdp-replies": FloodedLine(_tty(OSDP), _answer(_osdp_replies())),
    "modbus": FloodedLine(_tty(MODBUS), _flood_junk(MODBUS_JUNK)),
    "modbus-replies": FloodedLine(_tty(MODBUS), _answer(_modbus_replies())),
}
