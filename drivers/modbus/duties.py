"""The duties of a board, a class for each kind: set a relay, read inputs, write a register.

One rule: they are plain notes; `board` decides when one is due, and takes its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from drivers.modbus.frames import Read, SetCoil, SetRegister
from drivers.modbus.points import BITS, Output

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drivers.modbus.frames import Question, Values
    from drivers.modbus.points import Input, Watchdog

NS_PER_S: Final = 1_000_000_000
READ_BACK_NS: Final = NS_PER_S // 2
"""How often relays are compared with what they should be."""
FLASH_TENTHS: Final = 40
"""A flash is renewed every second, for four seconds: three of them may fail. It falls back 4 s after the last."""
GAP: Final = {"discrete": 16, "coil": 16, "input": 4, "holding": 4}
"""Entries of one table this close together are read in one go: cheaper than another question."""


@dataclass(slots=True)
class Coil:
    """A relay. `wanted` is its wanted state; `told` what the board has accepted, None when that is not known.

    `seen` is what was read back since. The answer to a write has the same bytes as the question: behind an adapter that
    echoes, it may be our own question.
    """

    point: str
    model: Output
    wanted: bool
    told: bool | None = None
    seen: bool | None = None
    asked: bool = False
    """A `Confirmed` is awaited."""
    due_ns: int = 0
    failures: int = 0
    contradictions: int = 0

    @property
    def refreshed(self) -> bool:
        """Whether it is flashed now: the board lets it fall back by itself."""
        return self.model.flash is not None and self.wanted is not self.model.rest

    @property
    def urgent(self) -> bool:
        """Whether it is not known to be as wanted."""
        return self.told is not self.wanted

    def question(self) -> SetCoil | SetRegister:
        """The question that sets it as wanted."""
        table, number = self.model.place
        if table == "coil":
            return SetCoil(self.model.unit, number, self.wanted, FLASH_TENTHS if self.refreshed else None)
        return SetRegister(self.model.unit, number, (self.model.on if self.wanted else self.model.off) or 0)

    def accepted(self, question: SetCoil | SetRegister) -> bool:
        """Note that the board has accepted this question. Returns the state that it has set."""
        return question.on if isinstance(question, SetCoil) else question.value == self.model.on


@dataclass(slots=True)
class Block:
    """Entries of one table that are read together."""

    read: Read
    every_ns: int
    inputs: bool
    """True: some of them are inputs. False: all are relays that are read back."""
    values: Values | None = None
    read_ns: int = 0
    due_ns: int = 0
    failures: int = 0

    def offset(self, coil: Coil) -> int | None:
        """The place of a relay among the entries; None: it is not one of them."""
        table, number = coil.model.place
        at = number - self.read.first
        return at if table == self.read.table and 0 <= at < self.read.count else None


@dataclass(slots=True)
class WatchdogRegister:
    """A register that has to be written."""

    setting: Watchdog
    written: bool = False
    due_ns: int = 0
    failures: int = 0


Duty: TypeAlias = Coil | Block | WatchdogRegister


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """One question, and the duty that it is for."""

    duty: Duty
    question: Question


def spans(unit: int, points: Iterable[Input | Output], poll_ns: int) -> list[Block]:
    """What to read of a board, and how often: relays are read back less often than inputs."""
    entries: dict[str, dict[int, bool]] = {}
    for model in points:
        if isinstance(model, Output):
            table, number = model.place
            entries.setdefault(table, {}).setdefault(number, False)
        else:
            entries.setdefault(model.table, {})[model.input] = True
    found = []
    for table, numbers in entries.items():
        run: list[int] = []
        for number in sorted(numbers):
            if run and (number - run[-1] > GAP[table] or number - run[0] >= (512 if table in BITS else 64)):
                found.append(_span(unit, table, run, numbers, poll_ns))
                run = []
            run.append(number)
        found.append(_span(unit, table, run, numbers, poll_ns))
    return found


def _span(unit: int, table: str, run: list[int], numbers: Mapping[int, bool], poll_ns: int) -> Block:
    inputs = any(numbers[number] for number in run)
    return Block(
        Read(unit, table, run[0], run[-1] - run[0] + 1), poll_ns if inputs else max(READ_BACK_NS, poll_ns), inputs
    )
