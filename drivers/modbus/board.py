"""One board on the line: the wanted states of its relays, its last answers, and which question is next.

One rule: pure -- questions out, answers in, time handed in; it reads no clock and touches no line. Everything that a
board has to do is a duty; a board is up while every duty has been done and none fails again and again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from drivers.modbus.duties import Block, Coil, Duty, PendingQuestion, WatchdogRegister, spans
from drivers.modbus.frames import Read, SetRegister
from drivers.modbus.points import Input, Output
from edge.model.messages import Back, Confirmed, Level, Lost

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from drivers.modbus.frames import Question, Values
    from drivers.modbus.points import Settings
    from edge.model.messages import Json, Signal

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
PROBE_NS: Final = NS_PER_S
"""How often a lost board is asked whether it is back. Each time its silence costs the others `timeout_ms`."""
REFRESH_NS: Final = NS_PER_S


@dataclass(slots=True)
class Board:
    """One unit; the methods are called by one thread at a time."""

    unit: int
    settings: Settings
    points: dict[str, Input | Output] = field(default_factory=dict)
    dogs: list[WatchdogRegister] = field(default_factory=list)
    coils: dict[str, Coil] = field(default_factory=dict)
    spans: list[Block] = field(default_factory=list)
    levels: dict[str, bool] = field(default_factory=dict)
    up: bool = False
    reason: str | None = None
    """Why it is lost, once that has been reported."""
    failures: int = 0
    probe_ns: int = 0
    repairs: int = 0
    losses: int = 0
    slowest_ns: int = 0
    """The longest time between two answers about the same inputs: a shorter pulse may have been missed."""

    # --- what is next --------------------------------------------------------------------------------

    def due_ns(self, *, reading: bool) -> int | None:
        """When its next question is due; None: never. `reading`: inputs are asked for as well."""
        times = [at_ns for at_ns, _ in self._dues(reading=reading)]
        return min(times) if times else None

    def urgent(self, now_ns: int) -> bool:
        """Whether a relay is not as wanted and may be set now."""
        return any(duty.due_ns <= now_ns for duty in self.coils.values() if duty.urgent) and (
            self.up or self.probe_ns <= now_ns
        )

    def turn(self, now_ns: int, *, reading: bool) -> PendingQuestion | None:
        """The next question to the board, relays first."""
        dues = [(at_ns, duty) for at_ns, duty in self._dues(reading=reading) if at_ns <= now_ns]
        if not dues:
            return None
        urgent = [due for due in dues if isinstance(due[1], Coil)]
        _, duty = min(urgent or dues, key=lambda due: due[0])
        return PendingQuestion(duty, self._question(duty))

    def unfinished(self) -> PendingQuestion | None:
        """The next relay that is not known to be as wanted, even if it may be set only later."""
        coil = next((coil for coil in self.coils.values() if coil.urgent), None)
        return None if coil is None else PendingQuestion(coil, self._question(coil))

    def _dues(self, *, reading: bool) -> Iterable[tuple[int, Duty]]:
        """The duties, and when each is due. While the board is lost: only those not done yet, as often as a probe."""
        for coil in self.coils.values():
            if coil.urgent:
                yield (coil.due_ns if self.up else max(self.probe_ns, coil.due_ns)), coil
            elif coil.refreshed:
                yield coil.due_ns, coil
        for dog in self.dogs:
            if not dog.written:
                yield (dog.due_ns if self.up else max(self.probe_ns, dog.due_ns)), dog
            elif dog.setting.every_s is not None:
                yield dog.due_ns, dog
        for span in self.spans if reading else ():
            if self.up or span.values is None:
                yield (span.due_ns if self.up else max(self.probe_ns, span.due_ns)), span

    def _question(self, duty: Duty) -> Question:
        if isinstance(duty, Block):
            return duty.read
        if isinstance(duty, WatchdogRegister):
            return SetRegister(self.unit, duty.setting.holding, duty.setting.value)
        return duty.question()

    # --- what came of it -----------------------------------------------------------------------------

    def want(self, point: str, *, asserted: bool) -> None:
        """Set an output, and confirm it when the board has answered."""
        coil = self.coils[point]
        coil.wanted = asserted is coil.model.on_when
        coil.asked = True
        if coil.urgent:
            coil.due_ns = 0

    def rest(self) -> None:
        """Set every output to rest, without confirming it."""
        for coil in self.coils.values():
            coil.wanted, coil.told, coil.asked, coil.due_ns = coil.model.rest, None, False, 0

    def confirmed(self, now_ns: int) -> list[Signal]:
        """The confirmations that are due; none before the board is up, so that `Back` comes first."""
        coils = self.coils.values() if self.up else ()
        done = [coil for coil in coils if coil.asked and not coil.urgent and coil.seen is coil.wanted]
        for coil in done:
            coil.asked = False
        return [Confirmed(coil.point, coil.wanted is coil.model.on_when, now_ns) for coil in done]

    def answered(self, turn: PendingQuestion, values: Values, now_ns: int) -> list[Signal]:
        """Note that the board has answered as it should."""
        duty = turn.duty
        duty.failures = self.failures = 0
        signals: list[Signal] = []
        if isinstance(duty, Coil) and not isinstance(turn.question, Read):
            told = duty.accepted(turn.question)
            if duty.told is not told:
                self._read_back(duty, now_ns)
            duty.told = told
            duty.due_ns = now_ns + REFRESH_NS
        elif isinstance(duty, WatchdogRegister):
            duty.written = True
            duty.due_ns = now_ns + (duty.setting.every_s or 0) * NS_PER_S
        elif isinstance(duty, Block):
            if self.up and duty.inputs:
                self.slowest_ns = max(self.slowest_ns, now_ns - duty.read_ns)
            duty.read_ns, duty.due_ns = now_ns, now_ns + duty.every_ns
            duty.values = values
            signals += self._compare(duty, now_ns)
            signals += self._edges(duty, now_ns)
        if not self.up and not self._missing():
            signals += self._appear(now_ns)
        return signals

    def failed(self, turn: PendingQuestion, reason: str, now_ns: int) -> list[Signal]:
        """Note that the board did not answer, or refused; `reason` is for people."""
        duty = turn.duty
        duty.failures += 1
        self.failures += 1
        if isinstance(duty, Coil):
            duty.told = duty.seen = None  # the board may have received it all the same
        duty.due_ns = self.probe_ns = now_ns + (
            PROBE_NS if self.reason is not None else self.settings.poll_ms * NS_PER_MS
        )
        return self._give_up(reason, now_ns) if max(duty.failures, self.failures) >= self.settings.misses else []

    def forget(self) -> None:
        """Forget everything that is known of the board."""
        self.up = False
        self.levels.clear()
        self.failures = 0
        for coil in self.coils.values():
            coil.told, coil.seen, coil.failures, coil.contradictions = None, None, 0, 0
        for span in self.spans:
            span.values, span.failures, span.due_ns = None, 0, 0
        for dog in self.dogs:
            dog.written, dog.failures, dog.due_ns = False, 0, 0

    def begin(self) -> None:
        """There is a new listener: inputs and losses are reported from the beginning."""
        self.up = False
        self.levels.clear()
        self.reason, self.failures, self.probe_ns = None, 0, 0
        for span in self.spans:
            span.values, span.due_ns = None, 0

    def facts(self) -> dict[str, Json]:
        """For `doorctl status`."""
        return {
            "state": "up" if self.up else ("lost" if self.reason is not None else "starting"),
            "reason": self.reason,
            "repairs": self.repairs,
            "losses": self.losses,
            "slowest_poll_ms": self.slowest_ns // NS_PER_MS,
        }

    # --- inside --------------------------------------------------------------------------------------

    def _missing(self) -> bool:
        return (
            any(coil.urgent for coil in self.coils.values())
            or any(not dog.written for dog in self.dogs)
            or any(span.values is None for span in self.spans)
        )

    def _appear(self, now_ns: int) -> list[Signal]:
        self.up = True
        signals: list[Signal] = []
        if self.reason is not None:
            self.reason = None
            signals.append(Back(frozenset(self.points), now_ns))
        self.levels = {point: level for span in self.spans for point, level in self._levels(span)}
        return signals + [Level(point, level, now_ns, initial=True) for point, level in self.levels.items()]

    def _give_up(self, reason: str, now_ns: int) -> list[Signal]:
        self.forget()
        self.probe_ns = now_ns + PROBE_NS
        reported, self.reason = self.reason is not None, f"unit {self.unit} {reason}"
        if reported:
            return []
        self.losses += 1
        return [Lost(frozenset(self.points), self.reason, now_ns)]

    def _edges(self, span: Block, now_ns: int) -> list[Signal]:
        if not self.up:
            return []
        changed = [(point, level) for point, level in self._levels(span) if self.levels[point] is not level]
        self.levels |= changed
        return [Level(point, level, now_ns) for point, level in changed]

    def _levels(self, span: Block) -> list[tuple[str, bool]]:
        found = []
        for point, model in self.points.items():
            if not isinstance(model, Input) or model.table != span.read.table:
                continue
            offset = model.input - span.read.first
            if span.values is not None and 0 <= offset < span.read.count:
                value = span.values[offset] >> (model.bit or 0) & 1
                found.append((point, bool(value) is model.asserts_on))
        return found

    def _read_back(self, coil: Coil, now_ns: int) -> None:
        """A relay was set: its state is known only after a read-back, which comes soon unless it has disobeyed."""
        coil.seen = None
        for span in self.spans if not coil.contradictions else ():
            if span.offset(coil) is not None:
                span.due_ns = min(span.due_ns, now_ns)

    def _compare(self, span: Block, now_ns: int) -> list[Signal]:
        """Set relays again that have changed by themselves (the board lost its power, or its buttons were pressed)."""
        if (values := span.values) is None:
            return []
        for coil in self.coils.values():
            offset = span.offset(coil)
            if coil.told is None or offset is None:
                continue
            coil.seen = coil.model.shows(values[offset])
            if coil.seen is coil.told:
                coil.contradictions = 0
                continue
            coil.told, coil.seen, coil.due_ns = None, None, 0
            self.repairs += 1
            coil.contradictions += 1
            if not self.up:
                span.values, self.probe_ns = None, now_ns + PROBE_NS
            elif coil.contradictions >= self.settings.misses:
                return self._give_up(f"does not keep {coil.model.words} as told", now_ns)
        return []


def boards(settings: Settings, points: Mapping[str, BaseModel]) -> dict[int, Board]:
    """The boards that these points and watchdogs are on, by unit."""
    made: dict[int, Board] = {}
    for dog in settings.watchdog:
        made.setdefault(dog.unit, Board(dog.unit, settings)).dogs.append(WatchdogRegister(dog))
    for point, model in points.items():
        if isinstance(model, Input | Output):
            board = made.setdefault(model.unit, Board(model.unit, settings))
            board.points[point] = model
            if isinstance(model, Output):
                board.coils[point] = Coil(point, model, model.rest)
    for board in made.values():
        board.spans = spans(board.unit, board.points.values(), settings.poll_ms * NS_PER_MS)
    return made
