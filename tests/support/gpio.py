"""GPIO chips for tests: the kernel's gpio-sim where it is there, else a shim under LD_PRELOAD.

One rule: a chip lives outside the program under test, so a test sees what a second probe would see,
also after a SIGKILL. `shim_chip(directory)` makes a chip; `chip.environment()` runs any program on it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOURCE: Final = Path(__file__).with_name("gpio_shim.c")
CONFIGFS: Final = Path("/sys/kernel/config/gpio-sim")
PATIENCE_S: Final = 120.0
HISTORY_ROOM: Final = 65536


def compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@cache
def shim_library() -> Path:
    """The compiled shim; it lasts as long as this process's temporary directory."""
    command = compiler()
    assert command is not None
    folder = tempfile.TemporaryDirectory(prefix="doorward-gpio-")
    _folders.append(folder)
    library = Path(folder.name) / "gpio_shim.so"
    subprocess.run([command, "-O2", "-fPIC", "-shared", "-o", library, SOURCE, "-ldl", "-lpthread"], check=True)
    return library


_folders: list[tempfile.TemporaryDirectory[str]] = []


@dataclass(frozen=True, slots=True)
class Moment:
    """One change of a line."""

    at_ns: int
    """CLOCK_MONOTONIC."""
    line: int
    output: bool
    level: bool
    """Physical: True is high."""
    pull: str
    held: bool
    """Whether a process has requested the line."""
    pid: int


class Chip(Protocol):
    """What every chip for tests can do."""

    number: int

    def drive(self, line: int, *, high: bool | None, count: int = 1, pause_s: float = 0.0) -> None:
        """Drive an input from outside; `count` levels alternate from `high` on. None lets go."""

    def level(self, line: int) -> bool:
        """What a second probe shows."""

    def environment(self) -> dict[str, str]:
        """The environment in which a program finds the chip as /dev/gpiochip<number>."""


class _Record(ctypes.Structure):
    _fields_ = (
        ("at_ns", ctypes.c_uint64),
        ("line", ctypes.c_int32),
        ("output", ctypes.c_int32),
        ("level", ctypes.c_int32),
        ("pull", ctypes.c_int32),
        ("held", ctypes.c_int32),
        ("pid", ctypes.c_int32),
    )


@cache
def _functions() -> ctypes.CDLL:
    library = ctypes.CDLL(str(shim_library()), use_errno=True)
    chip, unsigned, u64, integer = ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int
    signatures: dict[str, tuple[object, list[object]]] = {
        "shim_create": (chip, [ctypes.c_char_p, unsigned, ctypes.c_char_p, unsigned]),
        "shim_drive": (None, [chip, unsigned, integer, unsigned, u64]),
        "shim_pulses": (None, [chip, unsigned, ctypes.POINTER(unsigned), ctypes.POINTER(u64)]),
        "shim_short": (None, [chip, unsigned, integer]),
        "shim_deafen": (None, [chip, unsigned, integer]),
        "shim_hold": (None, [chip, unsigned, ctypes.c_char_p]),
        "shim_keep_outputs": (None, [chip, integer]),
        "shim_deny": (None, [chip, integer]),
        "shim_remove": (None, [chip]),
        "shim_plug": (None, [chip]),
        "shim_reap": (integer, [chip]),
        "shim_history": (unsigned, [chip, u64, ctypes.POINTER(_Record), unsigned]),
        "shim_recorded": (u64, [chip]),
        "shim_flags": (u64, [chip, unsigned]),
        "shim_consumer": (ctypes.c_char_p, [chip, unsigned]),
        "shim_waiting": (unsigned, [chip, unsigned]),
        "shim_idle": (integer, [chip]),
        "shim_close": (None, [chip]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class ShimChip:
    """A chip in a file. Power-up: every line a floating input at low."""

    def __init__(self, directory: Path, number: int = 0, label: str = "pinctrl-shim", lines: int = 54) -> None:
        self.directory, self.number, self.label = directory, number, label
        self._do = _functions()
        self._chip = self._do.shim_create(str(directory).encode(), number, label.encode(), lines)
        assert self._chip, "the directory holds a chip of this number already"

    @property
    def path(self) -> Path:
        """The device also goes by this name, for a program that looks for its label."""
        return self.directory / f"gpiochip{self.number}"

    def environment(self) -> dict[str, str]:
        return {**os.environ, "LD_PRELOAD": str(shim_library()), "DOORWARD_GPIO_SHIM": str(self.directory)}

    def drive(self, line: int, *, high: bool | None, count: int = 1, pause_s: float = 0.0) -> None:
        self._do.shim_drive(self._chip, line, -1 if high is None else int(high), count, round(pause_s * 1e9))

    def pulse(self, pulses: Sequence[tuple[int, int]]) -> None:
        """Pull lines low for 50 us each: (line, nanoseconds since the first pulse), the last of them now.

        Nobody sees anything before all have happened, and nothing depends on how fast this machine is.
        """
        count = len(pulses)
        lines = (ctypes.c_uint * count)(*(line for line, _ in pulses))
        after_ns = (ctypes.c_uint64 * count)(*(at_ns for _, at_ns in pulses))
        self._do.shim_pulses(self._chip, count, lines, after_ns)

    def short(self, line: int, *, high: bool | None) -> None:
        """Hold an output at a level, whatever drives it; None ends the short circuit."""
        self._do.shim_short(self._chip, line, -1 if high is None else int(high))

    def deafen(self, line: int, edges: int) -> None:
        """The interrupt hardware misses the next `edges` edges: no event, no sequence number."""
        self._do.shim_deafen(self._chip, line, edges)

    def hold(self, line: int, consumer: str | None) -> None:
        """Another program holds the line, or (None) lets it go."""
        self._do.shim_hold(self._chip, line, None if consumer is None else consumer.encode())

    def keep_outputs(self, *, keep: bool) -> None:
        """Whether a freed output stays driven, as on Raspberry Pi kernels without strict_gpiod."""
        self._do.shim_keep_outputs(self._chip, keep)

    def deny(self, *, deny: bool) -> None:
        """Whether opening the device is refused for want of permission."""
        self._do.shim_deny(self._chip, deny)

    def remove(self) -> None:
        """Unplug the chip: everything on it answers ENODEV."""
        self._do.shim_remove(self._chip)

    def plug(self) -> None:
        """Plug it in again."""
        self._do.shim_plug(self._chip)

    def reap(self) -> int:
        """Free the lines of processes that died, as the kernel would have at once."""
        freed: int = self._do.shim_reap(self._chip)
        return freed

    def mark(self) -> int:
        """The place in the history that it has reached."""
        recorded: int = self._do.shim_recorded(self._chip)
        return recorded

    def history(self, line: int | None = None, since: int = 0) -> list[Moment]:
        """Every change of a line (of all lines) in order, from a `mark` on."""
        records = (_Record * HISTORY_ROOM)()
        count = self._do.shim_history(self._chip, since, records, HISTORY_ROOM)
        pulls = {1: "up", -1: "down", 0: "none"}
        return [
            Moment(r.at_ns, r.line, bool(r.output), bool(r.level), pulls[r.pull], bool(r.held), r.pid)
            for r in records[:count]
            if line is None or r.line == line
        ]

    def driven(self, line: int, since: int = 0) -> list[bool]:
        """The levels the line was driven to as an output, in order, without repeats."""
        levels: list[bool] = []
        for moment in self.history(line, since):
            if moment.output and (not levels or levels[-1] != moment.level):
                levels.append(moment.level)
        return levels

    def level(self, line: int) -> bool:
        return self.history(line)[-1].level if self.history(line) else False

    def held(self, line: int) -> bool:
        """Whether a process holds the line (a dead one until `reap`)."""
        history = self.history(line)
        return bool(history) and history[-1].held

    def consumer(self, line: int) -> str:
        """Who holds the line, by the name it gave."""
        name: bytes = self._do.shim_consumer(self._chip, line)
        return name.decode()

    def watched(self, line: int) -> bool:
        """Whether edges of the line are reported to somebody (both directions)."""
        edges = 0b11 << 4
        return int(self._do.shim_flags(self._chip, line)) & edges == edges

    def waiting(self, line: int) -> int:
        """Edges in the kernel's queue for whoever holds the line."""
        waiting: int = self._do.shim_waiting(self._chip, line)
        return waiting

    def idle(self) -> bool:
        """Whether no process is inside the chip just now."""
        return bool(self._do.shim_idle(self._chip))

    def close(self) -> None:
        self._do.shim_close(self._chip)
        self._chip = None


@contextmanager
def shim_chip(directory: Path, number: int = 0, label: str = "pinctrl-shim", lines: int = 54) -> Iterator[ShimChip]:
    """A chip in `directory`; programs run with its `environment()` find it as /dev/gpiochip<number>."""
    chip = ShimChip(directory, number, label, lines)
    try:
        yield chip
    finally:
        chip.close()


class SimChip:
    """A chip of the kernel's gpio-sim (https://docs.kernel.org/admin-guide/gpio/gpio-sim.html); needs root."""

    def __init__(self, label: str = "pinctrl-sim", lines: int = 54) -> None:
        self.folder = CONFIGFS / f"doorward-{os.getpid()}"
        bank = self.folder / "bank0"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text(str(lines))
        (bank / "label").write_text(label)
        (self.folder / "live").write_text("1")
        chip_name = (bank / "chip_name").read_text().strip()
        device = (self.folder / "dev_name").read_text().strip()
        self.lines = Path("/sys/devices/platform") / device / chip_name
        self.number = int(chip_name.removeprefix("gpiochip"))

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def drive(self, line: int, *, high: bool | None, count: int = 1, pause_s: float = 0.0) -> None:
        pull = self.lines / f"sim_gpio{line}" / "pull"
        for i in range(count):
            if i and pause_s:
                time.sleep(pause_s)
            # The simulator's only outside world is a pull resistor; letting go is pulling down.
            pull.write_text("pull-up" if high is not None and high ^ bool(i % 2) else "pull-down")

    def level(self, line: int) -> bool:
        return (self.lines / f"sim_gpio{line}" / "value").read_text().strip() == "1"

    def close(self) -> None:
        (self.folder / "live").write_text("0")
        (self.folder / "bank0").rmdir()
        self.folder.rmdir()


def kernel_simulates() -> bool:
    """Whether this machine has gpio-sim and lets us use it."""
    return CONFIGFS.is_dir() and os.access(CONFIGFS, os.W_OK)
