"""Modbus boards on the other end of a cable: pymodbus' own server on a pty, and hands on relays, inputs and cable.

The server and the cable live in one thread with an event loop of their own. Time that only the boards know (a relay
that falls back) passes when a test says so.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pty
import struct
import threading
import time
import tty
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pymodbus.exceptions import NoSuchIdException
from pymodbus.pdu import ExceptionResponse
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.modbus.driver import ModbusDriver
from drivers.modbus.points import POINTS, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

PATIENCE_S: Final = 60.0
"""Only tells a hang from a slow machine."""
ENTRIES: Final = 64


@dataclass
class BoardModel:
    """A relay board: its tables, what its coils have been, and what it was asked."""

    tables: dict[str, list[int]] = field(
        default_factory=lambda: {t: [0] * ENTRIES for t in ("coil", "discrete", "input", "holding")}
    )
    shown: dict[int, list[bool]] = field(default_factory=dict)
    falls: dict[int, int] = field(default_factory=dict)
    """Coil -> tenths of a second until it falls back."""
    requests: list[tuple[str, int, int]] = field(default_factory=list)
    """What was asked: "coil", address and value of a write, or "read TABLE", first, count."""
    powered: bool = True
    refuses: dict[str, int] = field(default_factory=dict)
    """Requests that are answered with an exception: "read discrete" -> its code."""
    registers: dict[int, int] = field(default_factory=dict)
    """What a holding register reads after a value was written, where that differs."""
    stuck: bool = False
    """The relays do not move, whatever the board says."""

    def show(self, coil: int, on: bool) -> None:
        if not self.stuck:
            self.tables["coil"][coil] = int(on)
            history = self.shown.setdefault(coil, [])
            if not history or history[-1] is not on:
                history.append(on)

    def write_coil(self, address: int, value: int) -> None:
        kind, coil = address & 0xFF00, address & 0xFF
        self.falls.pop(coil, None)
        if kind:
            self.falls[coil] = value
        self.show(coil, kind == 0x0200 if kind else value == 0xFF00)

    def pass_time(self, tenths: int) -> None:
        for coil, left in [*self.falls.items()]:
            self.falls[coil] = left - tenths
            if left <= tenths:
                del self.falls[coil]
                self.show(coil, not self.tables["coil"][coil])

    def reset(self) -> None:
        """The power went and came: all relays off."""
        self.falls.clear()
        for coil in range(ENTRIES):
            if self.tables["coil"][coil]:
                self.show(coil, False)


class ModbusLine:
    """The line with its boards, by unit; a symbolic link stands for the adapter's device."""

    def __init__(self, link: Path, units: Iterable[int]) -> None:
        self.link = link
        self.boards = {unit: BoardModel() for unit in units}
        self.changed = threading.Condition()
        """Guards the boards; notified at every request."""
        self.spoil: Callable[[bytes], bytes] = bytes
        """What the cable makes of an answer."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: ModbusSerialServer | None = None
        self._fds: list[int] = []
        self.plug()

    # --- hands -----------------------------------------------------------------------------------

    def plug(self) -> None:
        self._call(self._plug())

    def unplug(self) -> None:
        self._call(self._unplug())

    def say(self, data: bytes) -> None:
        """Bytes towards the driver that no board has sent."""
        os.write(self._fds[0], data)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Until a request has made it true."""
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S), "nothing of the kind was asked"

    def asked_again(self, unit: int, times: int = 2) -> None:
        """Until so many more questions have come to a board: the answers before the last have been taken in."""
        with self.changed:
            goal = len(self.boards[unit].requests) + times
        self.wait_for(lambda: len(self.boards[unit].requests) >= goal)

    def close(self) -> None:
        self.unplug()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    # --- what pymodbus' server asks ----------------------------------------------------------------

    def board(self, unit: int) -> BoardModel:
        board = self.boards.get(unit)
        if board is None or not board.powered:
            raise NoSuchIdException
        return board

    def answer(self, pdu: Any, unit: int, what: str) -> Any:
        with self.changed:
            board = self.board(unit)
            value = pdu.value if what == "coil" else pdu.registers[0] if what == "register" else pdu.count
            board.requests.append((what, pdu.address, value))
            self.changed.notify_all()
            if what in board.refuses:
                return ExceptionResponse(pdu.function_code, board.refuses[what])
            if what == "coil":
                board.write_coil(pdu.address, pdu.value)
                return pdu
            if what == "register":
                board.tables["holding"][pdu.address] = board.registers.get(value, value)
                return WriteSingleRegisterResponse(address=pdu.address, registers=[value])
            values = board.tables[what.removeprefix("read ")][pdu.address : pdu.address + pdu.count]
            return READS[what][1](**{"bits" if what in {"read coil", "read discrete"} else "registers": values})

    # --- inside ----------------------------------------------------------------------------------

    async def _plug(self) -> None:
        (near, near_end), (far, far_end) = pty.openpty(), pty.openpty()
        tty.setraw(near_end)
        tty.setraw(far_end)
        self._fds = [near, far, near_end, far_end]
        self._server = ModbusSerialServer(
            SimDevice(id=200, simdata=[SimData(0, values=0, datatype=DataType.REGISTERS)]),
            port=os.ttyname(far_end),
            baudrate=115200,
            ignore_missing_devices=True,
            custom_pdu=_pdus(self),
        )
        await self._server.serve_forever(background=True)
        self._loop.add_reader(near, self._forward, near, far, bytes)
        self._loop.add_reader(far, self._forward, far, near, self._carry)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(near_end))
        os.close(self._fds.pop(2))  # the driver's end: when the driver's is the last, it sees the cable go

    async def _unplug(self) -> None:
        self.link.unlink(missing_ok=True)
        for fd in self._fds[:2]:
            self._loop.remove_reader(fd)
        if self._server is not None:
            await self._server.shutdown()
            self._server = None
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def _carry(self, data: bytes) -> bytes:
        return self.spoil(data)

    def _forward(self, source: int, sink: int, cable: Callable[[bytes], bytes]) -> None:
        try:
            data = os.read(source, 4096)
        except OSError:  # nobody has the other end open; look again when somebody may have
            self._loop.remove_reader(source)
            self._loop.call_later(0.01, self._look_again, source, sink, cable)
            return
        if carried := cable(data):
            os.write(sink, carried)

    def _look_again(self, source: int, sink: int, cable: Callable[[bytes], bytes]) -> None:
        if source in self._fds:
            self._loop.add_reader(source, self._forward, source, sink, cable)

    def _call(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)


READS: Final[dict[str, tuple[type, type]]] = {
    "read coil": (ReadCoilsRequest, ReadCoilsResponse),
    "read discrete": (ReadDiscreteInputsRequest, ReadDiscreteInputsResponse),
    "read holding": (ReadHoldingRegistersRequest, ReadHoldingRegistersResponse),
    "read input": (ReadInputRegistersRequest, ReadInputRegistersResponse),
}


def _pdus(line: ModbusLine) -> list[Any]:
    """The requests a board knows: pymodbus' own, carried out by our boards, with a coil's value as it was sent."""

    def known(what: str, base: Any) -> Any:
        async def datastore_update(pdu: Any, _context: Any, unit: int) -> Any:
            return line.answer(pdu, unit, what)

        return type(f"Board{base.__name__}", (base,), {"datastore_update": datastore_update})

    class WriteCoil(WriteSingleCoilRequest):
        value = 0

        def decode(self, data: bytes) -> None:
            self.address, self.value = struct.unpack(">HH", data[:4])

        def encode(self) -> bytes:
            return struct.pack(">HH", self.address, self.value)

    reads = [known(what, request) for what, (request, _) in READS.items()]
    return [*reads, known("coil", WriteCoil), known("register", WriteSingleRegisterRequest)]


@contextmanager
def modbus_line(folder: Path, *units: int) -> Iterator[ModbusLine]:
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    line = ModbusLine(folder / "adapter", units)
    try:
        yield line
    finally:
        line.close()


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def driver(
    line: ModbusLine, tables: Mapping[str, Mapping[str, Any]], now_ns: Callable[[], int] = boot_ns, **settings: Any
) -> ModbusDriver:
    """A driver on the line with a board's patience that no slow machine exhausts, unless the test says otherwise."""
    models = {point: POINTS[point.rpartition(".")[2]](**table) for point, table in tables.items()}
    given = {"port": str(line.link), "baud": 115200, "poll_ms": 20} | settings
    chosen = Settings(**given)
    if "timeout_ms" not in settings:
        chosen = chosen.model_copy(update={"timeout_ms": int(PATIENCE_S * 1000)})
    return ModbusDriver("bench", chosen, models, now_ns, patience_s=PATIENCE_S)


class ModbusBench:
    """The contract's bench: the front door on unit 1, the back door on unit 2."""

    def __init__(self, line: ModbusLine, inputs: Iterable[str], outputs: Mapping[str, bool]) -> None:
        self.line = line
        self.tables: dict[str, dict[str, Any]] = {}
        for number, point in enumerate([*sorted(inputs), *outputs]):
            door, _, role = point.rpartition(".")
            unit = {"front": 1, "back": 2}[door]
            if point in outputs:
                self.tables[point] = {"unit": unit, "coil": number}
                if role == "lock":
                    resting = "unlocked" if outputs[point] else "locked"
                    self.tables[point] |= {"unlocked": "on", "resting": resting}
            else:
                self.tables[point] = {"unit": unit, "input": number}
                if role == "contact":
                    self.tables[point] |= {"closed": "off"}
        self.driver = driver(line, self.tables, self.now_ns)

    def now_ns(self) -> int:
        return boot_ns()

    def move(self, point: str, asserted: bool) -> None:
        """Returns when a running driver has taken it in: the driver dates an edge by the poll that shows it."""
        table = self.tables[point]
        with self.line.changed:
            board = self.line.boards[table["unit"]]
            board.tables["discrete"][table["input"]] = int(asserted)
            goal = self._polls(board) + 2
        worker = self.driver._worker
        if worker is not None and worker._listener is not None:
            self.line.wait_for(lambda: self._polls(board) >= goal)

    def shown(self, point: str) -> list[bool]:
        table = self.tables[point]
        with self.line.changed:
            return [*self.line.boards[table["unit"]].shown.get(table["coil"], [])]

    def unplug(self) -> None:
        self.line.unplug()

    def plug(self) -> None:
        self.line.plug()

    @staticmethod
    def _polls(board: BoardModel) -> int:
        return sum(what == "read discrete" for what, _, _ in board.requests)
