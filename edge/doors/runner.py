"""Drives the doors with the loop's time: settles signals, steps the rules, keeps the wires right.

One rule: the wires come first, then the log; nothing here ever waits for anything. Signals are
taken in at once, in the order they come; a door's next deadline is a timer, armed anew after each step.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from edge.doors import rules
from edge.doors.debounce import Debouncer, Settled, Unstable
from edge.doors.inputs import Inputs
from edge.doors.state import Door, Occupied, occupied, outputs, remembered, shown
from edge.model.catalogue import message
from edge.model.event_types import CONTROLLER_FAULT, CONTROLLER_FAULT_CLEARED, LOCK_UNLOCK
from edge.model.messages import (
    NOTHING,
    NS_PER_S,
    SYSTEM,
    Actor,
    Back,
    CardRead,
    Command,
    CommandName,
    Confirmed,
    ContactFault,
    ContactMoved,
    Event,
    HoldEnds,
    InputFault,
    InputStirs,
    InputUnstable,
    InterlockChanged,
    Item,
    KeysPressed,
    Level,
    LockConfirmed,
    Lost,
    Observed,
    PointsBack,
    PointsLost,
    ReleaseInput,
    Restore,
    RexPressed,
    RexReleased,
    ScheduleSays,
    Shown,
    Signal,
    Subject,
    TamperChanged,
)
from edge.model.policy import HOLD_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge.model.messages import Json
    from edge.model.policy import Timing
    from edge.model.ports import Journal
    from edge.settings.controller import DoorSettings

LOG: Final = logging.getLogger(__name__)
FACETS: Final = ("mode", "contact", "lock", "alarm")
AGAIN_NS: Final = NS_PER_S
"""After a mistake of our own, a door whose deadline is over is tried again this much later."""
STIRRING: Final = frozenset({"contact", "rex", "release"})
"""Inputs whose first edge may matter before they have settled."""
URGENT: Final = {"rex": frozenset({True, False}), "release": frozenset({True})}
"""Levels of inputs that count even while the input is restless: whoever wants out is heard."""
RELEASING: Final = frozenset({CommandName.UNLOCK, CommandName.HOLD_UNLOCKED})
SITE: Final = "controller"
"""Points of the controller itself, such as one release input for every door, carry this in front."""


class Wires(Protocol):
    """The drivers as the runner sees them."""

    def apply(self, driver: str, outputs: Mapping[str, bool]) -> bool:
        """Drive outputs of one driver; False: it did not take them. What is lost is repeated after its `Back`."""

    def level(self, point: str) -> bool | None:
        """An input read now."""

    def driver_of(self, point: str) -> str:
        """The name of the driver that carries a point."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command at one door."""

    done: bool
    code: str | None = None
    message: str = ""


@dataclass(slots=True)
class _Cell:
    """One door on its way through time."""

    settings: DoorSettings
    door: Door
    inputs: Inputs
    wired: dict[str, bool] = field(default_factory=dict)
    """What each output point was last told."""
    since_ns: dict[str, int] = field(default_factory=dict)
    shown: Shown | None = None
    """What its reader was last told to show."""
    timer: asyncio.TimerHandle | None = None
    due_ns: int | None = None

    @property
    def group(self) -> str | None:
        """The name of its interlock group."""
        return self.settings.policy.interlock

    @property
    def occupied(self) -> Occupied:
        """What it is to the others of its interlock group."""
        return occupied(self.door, has_contact=self.settings.policy.has_contact)


@dataclass(frozen=True, slots=True)
class _Hold:
    """A hold with an end that an earlier run of the daemon was told of, in microseconds since 1970 UTC."""

    until_us: int
    said_us: int

    @classmethod
    def of(cls, memory: Mapping[str, Json]) -> _Hold | None:
        until_us, said_us = memory.get("until_us"), memory.get("said_us")
        if not isinstance(until_us, int) or not isinstance(said_us, int):
            return None
        return cls(min(until_us, said_us + round(HOLD_S[1] * 1e6)), said_us)

    @classmethod
    def begun(cls, until_ns: int, now_ns: int, wall_us: int) -> _Hold:
        return cls(wall_us + (until_ns - now_ns) // 1000, wall_us)

    def until_ns(self, now_ns: int, wall_us: int) -> int:
        """When it ends by the boot clock: with a calendar that is behind, not later than if it had just begun."""
        return now_ns + min(self.until_us - wall_us, self.until_us - self.said_us) * 1000


class Runner:
    """All doors of this controller. Every method is called on the loop and returns at once."""

    def __init__(  # noqa: PLR0913 -- the five things the shell lends it, by name
        self,
        doors: Mapping[str, DoorSettings],
        site: Mapping[str, Timing],
        *,
        wires: Wires,
        journal: Journal,
        now_ns: Callable[[], int],
        run: str,
        wall_us: Callable[[], int] = lambda: 0,
    ) -> None:
        """`site` times the inputs that concern every door; `run` makes this run's correlations unique.

        `wall_us` is the calendar, in which the end of a hold outlives the boot.
        """
        self._wall_us = wall_us
        self._holds: dict[str, _Hold] = {}
        self._wires = wires
        self._journal = journal
        self._now_ns = now_ns
        self._inbox: deque[Signal] = deque()
        self._depth = 0
        self._stopped = False
        self.waits_for_memory = False
        """Until `restore` no command releases a door: it may have been locked down (R14). Exit requests do."""
        self._mistaken: set[tuple[str, str]] = set()  # bounded: by the doors and the kinds of exceptions
        self._lost: dict[str, str] = {}
        self._levels: dict[str, tuple[bool, int]] = {}
        self._sirens: frozenset[str] = frozenset()
        self.listeners: list[Callable[[str], None]] = []
        """Called with a door's id after anything about it changed."""
        self.on_shown: Callable[[str, Shown], None] | None = None
        """Called with what the reader of a door is to show, whenever that changes and when the reader is back."""
        self.on_credential: Callable[[str, CardRead | KeysPressed], None] | None = None
        self._run = run
        self._cells = {key: self._cell(settings) for key, settings in doors.items()}
        self._site = self._inputs(SITE, site)

    def _cell(self, settings: DoorSettings) -> _Cell:
        door = Door(settings.id, settings.name, self._run, windowed=True)
        return _Cell(settings, door, self._inputs(settings.id, settings.timing))

    # --- looking -------------------------------------------------------------------------------

    @property
    def doors(self) -> Mapping[str, Door]:
        """Every door as it is now."""
        return {key: cell.door for key, cell in self._cells.items()}

    def door(self, door: str) -> Door:
        """One door as it is now."""
        return self._cells[door].door

    def since_ns(self, door: str) -> Mapping[str, int]:
        """Since when `mode`, `contact`, `lock` and `alarm` are what they are."""
        return self._cells[door].since_ns

    def levels(self) -> Mapping[str, tuple[bool, int]]:
        """Point -> the level its input settled at, and since when; what is lost is not in it."""
        return {point: level for point, level in self._levels.items() if point not in self._lost}

    def settings(self, door: str) -> DoorSettings:
        """What the installer chose for it."""
        return self._cells[door].settings

    # --- doing ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Drive every wire to what its door says, and guard from now on."""
        for group in sorted({cell.group for cell in self._cells.values() if cell.group is not None}):
            self._interlock(group)  # nothing is known of a door before its contact has been seen
        for cell in self._cells.values():
            self._step(cell, None)

    def stop(self) -> None:
        """From now on no door moves: the wires are the drivers' to bring to rest (R15)."""
        self._stopped = True
        self._site.stop()
        for cell in self._cells.values():
            cell.inputs.stop()
            if cell.timer is not None:
                cell.timer.cancel()

    def restore(self, memories: Mapping[str, str]) -> None:
        """Give the doors back what the log remembers (R14)."""
        self.waits_for_memory = False
        for cell in self._cells.values():
            self._restore(cell, memories)

    def _restore(self, cell: _Cell, memories: Mapping[str, str]) -> None:
        key = cell.door.id
        memory = memory_of(memories.get(key, "{}"))
        hold = _Hold.of(memory)
        if hold is not None:
            self._holds[key] = hold
            memory = {**memory, "hold_until_ns": hold.until_ns(self._now_ns(), self._wall_us())}
        self._step(cell, Restore(memory, self._now_ns()))
        if memory and self._memory(cell.door) != memories[key]:
            # or what was said meanwhile would not outlive this run
            self._journal.append([], {key: self._memory(cell.door)})

    def add(self, doors: Iterable[DoorSettings], memories: Mapping[str, str]) -> None:
        """Guard more doors from now on, as after a start, and touch no other; their locks rest already.

        A release for the whole site is theirs, too.
        """
        released, _ = self._levels.get(f"{SITE}.release", (False, 0))
        for settings in doors:
            cell = self._cells[settings.id] = self._cell(settings)
            self._step(cell, None)
            if released:
                self._step(cell, ReleaseInput(released, self._now_ns()))
            if not self.waits_for_memory:
                self._restore(cell, memories)

    def clock_changed(self, *, trusted: bool) -> None:
        """The calendar was set, or can be trusted now: a hold of an earlier run ends when it was to end by it."""
        for key, hold in [*self._holds.items()] if trusted else ():
            cell = self._cells[key]
            self._step(cell, HoldEnds(hold.until_ns(self._now_ns(), self._wall_us()), self._now_ns()))

    def _memory(self, door: Door) -> str:
        """What outlives the daemon: the end of a hold in the calendar, which outlives the boot."""
        memory = remembered(door)
        until_ns = door.hold_until_ns
        if until_ns is None or memory.pop("hold_until_ns", None) is None:
            self._holds.pop(door.id, None)
        else:
            hold = self._holds.get(door.id) or _Hold.begun(until_ns, self._now_ns(), self._wall_us())
            memory |= {"until_us": hold.until_us, "said_us": hold.said_us}
        return json.dumps(memory)

    def reload(self, settings: DoorSettings) -> None:
        """Apply a changed policy or name to a running door, and touch no other."""
        cell = self._cells[settings.id]
        cell.settings = settings
        cell.door = replace(cell.door, name=settings.name)
        self._step(cell, None)

    def schedule(self, door: str, says: ScheduleSays, memory: str | None) -> None:
        """Let a door's schedule speak (R9); `memory` is kept with what is recorded of it (`schedule_memory`)."""
        self._step(self._cells[door], says, {} if memory is None else {schedule_memory(door): memory})

    def sound(self, doors: frozenset[str]) -> None:
        """Let the buzzers of these doors sound for something else than their own warning, and no others."""
        changed, self._sirens = doors ^ self._sirens, doors
        for key in changed & self._cells.keys():
            self._step(self._cells[key], None)

    def command(  # noqa: PLR0913 -- what a command says, by name
        self,
        name: CommandName,
        doors: Iterable[str],
        *,
        command_id: str,
        actor: Actor,
        for_s: float | None = None,
        shown: Event | None = None,
        details: Mapping[str, Json] = NOTHING,
    ) -> dict[str, Outcome]:
        """Ask doors for something, now; the outcome of each is known at once. See `edge.model.messages.Command`."""
        outcomes = {}
        for key in doors:
            if self._stopped:
                outcomes[key] = Outcome(False, "stopping", "the daemon is stopping: its locks rest")
                continue
            item = Command(command_id, name, actor, self._now_ns(), for_s, shown, details)
            too_early = self.waits_for_memory and name in RELEASING
            events = [self._too_early(key, item)] if too_early else self._step(self._cells[key], item)
            refused = next((event for event in reversed(events) if not event.success), None)
            outcomes[key] = Outcome(done=True) if refused is None else Outcome(False, refused.code, message(refused))
        return outcomes

    def _too_early(self, door: str, item: Command) -> Event:
        """Nobody knows yet whether it is locked down."""
        subject, cause = self._cells[door].door.subject, "user" if item.actor.kind == "user" else "operator"
        refused = Event(LOCK_UNLOCK, item.at_ns, subject, item.actor, cause, success=False, code="starting", door=door)
        self._journal.append([refused])
        return refused

    def take(self, signal: Signal) -> None:
        """Take in what a driver saw; what comes while a door is stepped waits until that step is done."""
        self._inbox.append(signal)  # bounded: it is empty again before the outermost caller returns
        if self._depth == 0:
            self._drain()

    def _drain(self) -> None:
        while self._inbox:
            self._depth += 1
            try:
                self._handle(self._inbox.popleft())
            except Exception as error:  # noqa: BLE001 -- our own mistake or the driver's: signals go on coming
                self._mistake(None, error)
            finally:
                self._depth -= 1

    # --- signals to items --------------------------------------------------------------------------

    def _handle(self, signal: Signal) -> None:
        if isinstance(signal, Lost | Back):
            self._line(signal)
            return
        if signal.point in self._lost:  # it was on its way when the line went; the return brings everything anew
            return
        key, _, role = signal.point.rpartition(".")
        if isinstance(signal, Level):
            inputs = self._site if key == SITE else self._cells[key].inputs
            inputs.feed(role, signal.asserted, signal.at_ns, initial=signal.initial, lost=signal.lost)
        elif isinstance(signal, Confirmed):
            if role == "lock":
                self._step(self._cells[key], LockConfirmed(signal.asserted, signal.at_ns))
        elif isinstance(signal, InputFault):
            self._input_fault(key, role, signal)
        elif self.on_credential is not None:
            self.on_credential(key, signal)

    def _input_fault(self, key: str, role: str, signal: InputFault) -> None:
        item: Item
        inputs = self._site if key == SITE else self._cells[key].inputs
        if role == "contact":
            item = ContactFault(signal.reason, signal.at_ns)
        else:
            item = TamperChanged(signal.point, signal.reason is not None, signal.at_ns)
        if signal.reason is not None:
            inputs.forget(role)
        elif (level := self._wires.level(signal.point)) is not None:
            inputs.feed(role, level, signal.at_ns, initial=True)
        for cell in self._concerned(key):
            self._step(cell, item)

    def _inputs(self, key: str, timing: Mapping[str, Timing]) -> Inputs:
        return Inputs(
            {role: _debouncer(role, rule) for role, rule in timing.items()},
            lambda role, report: self._settled(key, role, report),
            lambda role: self._wires.level(f"{key}.{role}"),
            self._now_ns,
            lambda role, since_ns, until_ns: self._stirs(key, role, since_ns, until_ns),
        )

    def _stirs(self, key: str, role: str, since_ns: int, until_ns: int) -> None:
        if role in STIRRING:
            for cell in self._concerned(key):
                self._step(cell, InputStirs(role, since_ns, until_ns))

    def _concerned(self, key: str) -> list[_Cell]:
        """The doors that an input of a door or of the whole site concerns."""
        return [*self._cells.values()] if key == SITE else [self._cells[key]]

    def _settled(self, key: str, role: str, report: Settled | Unstable) -> None:
        point = f"{key}.{role}"
        item: Item | None = None
        if isinstance(report, Settled):
            self._levels[point] = (report.level, report.at_ns)
        if isinstance(report, Unstable):
            item = InputUnstable(point, report.at_ns)
        elif role == "contact":
            observed = Observed.READ_BACK if report.read_back else Observed.EDGE
            item = ContactMoved(report.level, report.at_ns, observed)
        elif role == "rex":
            item = RexPressed(report.at_ns, report.restless) if report.level else RexReleased(report.at_ns)
            item = None if report.initial else item
        elif role == "release":
            item = ReleaseInput(report.level, report.at_ns)
        else:
            item = TamperChanged(point, report.level, report.at_ns)
        if item is not None:
            for cell in self._concerned(key):
                self._step(cell, item)

    def _line(self, signal: Lost | Back) -> None:
        """R16: one fault when points go, one when they return, whatever the number of doors."""
        lost = isinstance(signal, Lost)
        points = {point for point in signal.points if (point in self._lost) != lost}
        if not points:
            return
        touched = sorted({point.rpartition(".")[0] for point in points} & self._cells.keys())
        driver = self._wires.driver_of(next(iter(points)))
        details: dict[str, Json] = {"points": [*sorted(points)]}
        if isinstance(signal, Lost):
            self._lost |= dict.fromkeys(points, signal.reason)
            for point in points:
                key, _, role = point.rpartition(".")
                if key == SITE:
                    self._site.forget(role)
                elif key in self._cells:  # not an elevator's
                    self._cells[key].inputs.forget(role)
            details["reason"] = signal.reason
        else:
            for point in points:
                del self._lost[point]
        kind = CONTROLLER_FAULT if lost else CONTROLLER_FAULT_CLEARED
        door = touched[0] if len(touched) == 1 else None
        self._journal.append(
            [Event(kind, signal.at_ns, Subject("driver", driver, driver), SYSTEM, door=door, details=details)]
        )
        for key in touched:
            mine = frozenset(point for point in points if point.startswith(f"{key}."))
            cell = self._cells[key]
            if isinstance(signal, Lost):
                contact, lock = f"{key}.contact" in mine, f"{key}.lock" in mine
                self._step(cell, PointsLost(mine, contact, lock, signal.reason, signal.at_ns))
            else:
                for point in mine:
                    cell.wired.pop(point, None)
                cell.shown = None  # a reader forgets what it showed
                self._step(cell, PointsBack(mine, signal.at_ns))

    # --- one step ------------------------------------------------------------------------------------

    def _step(self, cell: _Cell, item: Item | None, memory: Mapping[str, str] | None = None) -> list[Event]:
        self._depth += 1
        try:
            events = [] if self._stopped else self._one_step(cell, item, self._now_ns(), memory or {})
        except Exception as error:  # noqa: BLE001 -- our own mistake: it is this door's, and the others go on
            events = [self._mistake(cell, error)]
        finally:
            self._depth -= 1
        if self._depth == 0:
            self._drain()
        return events

    def _one_step(self, cell: _Cell, item: Item | None, now_ns: int, modes: Mapping[str, str]) -> list[Event]:
        old = cell.door
        cell.door, events = rules.step(old, cell.settings.policy, item, now_ns)
        if not self._drive(cell):
            cell.door, events = rules.untold(cell.door, events)
        self._arm(cell, now_ns)
        if remembered(cell.door) != remembered(old):
            if isinstance(item, Command):
                self._holds.pop(cell.door.id, None)
            modes = {**modes, cell.door.id: self._memory(cell.door)}
        if events or modes:
            self._journal.append(events, modes)
        if cell.door != old or not cell.since_ns:
            self._note(cell, old, now_ns)
        return events

    def _drive(self, cell: _Cell) -> bool:
        """Put the wires right; False when nobody could tell the lock."""
        wanted = outputs(cell.door)
        changed: dict[str, dict[str, bool]] = {}
        sounds = wanted.buzzer or cell.door.id in self._sirens
        for role, value in (("lock", wanted.released), ("buzzer", sounds)):
            driver = cell.settings.points.get(role)
            point = f"{cell.door.id}.{role}"
            if driver is not None and cell.wired.get(point) is not value:
                cell.wired[point] = value
                changed.setdefault(driver, {})[point] = value
        taken = True
        for driver, values in changed.items():
            if not self._wires.apply(driver, values) and f"{cell.door.id}.lock" in values:
                taken = False
        return taken

    def _arm(self, cell: _Cell, now_ns: int, at_least_ns: int = 0) -> None:
        due_ns = rules.next_deadline(cell.door, cell.settings.policy)
        if due_ns is not None:
            due_ns = max(due_ns, now_ns + at_least_ns)
        if due_ns == cell.due_ns and cell.timer is not None:
            return
        if cell.timer is not None:
            cell.timer.cancel()
            cell.timer = None
        cell.due_ns = due_ns
        if due_ns is not None:
            cell.timer = asyncio.get_running_loop().call_later(max(0, due_ns - now_ns) / NS_PER_S, self._due, cell)

    def _arm_again(self, cell: _Cell, now_ns: int) -> None:
        try:
            self._arm(cell, now_ns, AGAIN_NS)
        except Exception:  # even the deadlines are mistaken: ask again all the same
            LOG.exception("the deadlines of %s cannot be told", cell.door.id)
            cell.timer = asyncio.get_running_loop().call_later(AGAIN_NS / NS_PER_S, self._due, cell)

    def _due(self, cell: _Cell) -> None:
        cell.timer = cell.due_ns = None
        self._step(cell, None)

    def _note(self, cell: _Cell, old: Door, now_ns: int) -> None:
        door = cell.door
        if self.on_shown is not None and cell.shown is not shown(door):
            cell.shown = shown(door)
            self.on_shown(door.id, cell.shown)
        for facet in FACETS:
            if facet not in cell.since_ns or getattr(door, facet) != getattr(old, facet):
                cell.since_ns[facet] = now_ns
        if cell.group is not None:
            self._interlock(cell.group)
        for listener in self.listeners:
            try:
                listener(door.id)
            except Exception as error:  # noqa: BLE001 -- a listener's mistake is no door's
                self._mistake(cell, error)

    def mistake(self, error: Exception) -> None:
        """Record a mistake of our own that belongs to no door."""
        self._mistake(None, error)

    def _mistake(self, cell: _Cell | None, error: Exception) -> Event:
        """The one place for what should never happen: said in full, recorded once, and the doors go on."""
        LOG.error("a mistake in doord itself", exc_info=error)
        subject = Subject("controller", SITE, "doord") if cell is None else cell.door.subject
        event = Event(
            CONTROLLER_FAULT,
            now_ns := self._now_ns(),
            subject,
            SYSTEM,
            success=False,
            code="internal_error",
            door=None if cell is None else cell.door.id,
            details={"reason": repr(error)[:500]},
        )
        first = (subject.id, type(error).__name__) not in self._mistaken
        self._mistaken.add((subject.id, type(error).__name__))
        if cell is not None:
            cell.door = rules.ended(cell.door, now_ns)  # whatever else goes wrong, a lock is released for its time only
            try:
                self._drive(cell)
            except Exception:
                LOG.exception("the wires of %s cannot be driven", cell.door.id)
            finally:
                self._arm_again(cell, now_ns)
        if first:
            with suppress(Exception):
                self._journal.append([event])
        return event

    def _interlock(self, group: str) -> None:
        """R18: tell each door of the group which other one is open or released, or may be."""
        members = [cell for cell in self._cells.values() if cell.group == group]
        for cell in members:
            others = {other.door.id: other.occupied for other in members if other is not cell}
            known = next((door for door, is_so in others.items() if is_so is Occupied.YES), None)
            held_by = known or next((door for door, is_so in others.items() if is_so is Occupied.UNKNOWN), None)
            item = InterlockChanged(held_by, self._now_ns(), known is not None or held_by is None)
            if (item.held_by, item.known) != (cell.door.interlocked_by, cell.door.interlock_known):
                self._step(cell, item)


def _debouncer(role: str, rule: Timing) -> Debouncer:
    return Debouncer(rule.debounce_ms, rule.instability_ms, URGENT.get(role, frozenset()))


def schedule_memory(door: str) -> str:
    """Where the log keeps how far a door's schedule is; no door has a dot in its id."""
    return f"{door}.schedule"


def memory_of(text: str) -> dict[str, Json]:
    """What the log remembers; nothing, should somebody have changed it into nonsense."""
    try:
        memory = json.loads(text)
    except ValueError:
        return {}
    return memory if isinstance(memory, dict) else {}
