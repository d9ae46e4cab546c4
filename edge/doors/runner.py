"""Drives the doors with the loop's time: takes signals and commands in, steps the rules, records what happened.

One rule: the wires come first, then the log; nothing here ever waits for anything. Signals are
taken in at once, in the order they come; a door's next deadline is a timer, armed anew after each step.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edge.doors import rules
from edge.doors.guarded_door import GuardedDoor
from edge.doors.memory import Memories, schedule_memory
from edge.doors.mistakes import Mistakes
from edge.doors.signals import Signals
from edge.doors.state import Door, Occupied, remembered, shown
from edge.model.catalogue import message
from edge.model.event_types import LOCK_UNLOCK
from edge.model.messages import (
    NOTHING,
    NS_PER_S,
    Command,
    CommandName,
    Event,
    HoldEnds,
    InterlockChanged,
    PointsBack,
    ReleaseInput,
    Restore,
    Subject,
)
from edge.model.roles import SITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edge.doors.conditions import Condition
    from edge.model.messages import Actor, CardRead, Item, Json, KeysPressed, ReaderDisplay, ScheduleSays, Signal
    from edge.model.policy import Timing
    from edge.model.ports import Journal, Wires
    from edge.settings.controller import DoorSettings

LOG: Final = logging.getLogger(__name__)
AGAIN_NS: Final = NS_PER_S
"""After a mistake in doord itself, a door whose deadline is over is tried again this much later."""
DOORD: Final = Subject("controller", SITE, "doord")
RELEASING: Final = frozenset({CommandName.UNLOCK, CommandName.HOLD_UNLOCKED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command at one door."""

    done: bool
    code: str | None = None
    message: str = ""


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
        """`site` has the timing of inputs that concern every door; `run` makes this run's correlations unique.

        `wall_us` is the calendar, by which the end of a hold is kept over a reboot.
        """
        self._memories = Memories(now_ns, wall_us)
        self._wires = wires
        self._journal = journal
        self._now_ns = now_ns
        self._inbox: deque[Signal] = deque()
        self._depth = 0
        self._stopped = False
        self.waits_for_memory = False
        """Until `restore` no command releases a door: it may have been locked down (R14). Exit requests do."""
        self._mistakes = Mistakes(journal)
        self._sirens: frozenset[str] = frozenset()
        self.listeners: list[Callable[[str], None]] = []
        """Called with a door's id after anything about it changed."""
        self.on_shown: Callable[[str, ReaderDisplay], None] | None = None
        """Called with what the reader of a door is to show, whenever that changes and when the reader is back."""
        self.on_credential: Callable[[str, CardRead | KeysPressed], None] | None = None
        """Called with a door's id, and the card or keys from its reader."""
        self._run = run
        self._signals = Signals(wires, journal, now_ns, self._tell, self._credential, self.mistake)
        self._signals.watch(SITE, site)
        self._doors = {key: self._guarded(settings) for key, settings in doors.items()}

    def _guarded(self, settings: DoorSettings) -> GuardedDoor:
        self._signals.watch(settings.id, settings.timing)
        return GuardedDoor(settings, Door(settings.id, settings.name, self._run, windowed=True))

    # --- looking -------------------------------------------------------------------------------

    @property
    def doors(self) -> Mapping[str, Door]:
        """Every door as it is now."""
        return {key: guarded.door for key, guarded in self._doors.items()}

    def door(self, door: str) -> Door:
        """One door as it is now."""
        return self._doors[door].door

    def since_ns(self, door: str) -> Mapping[str, int]:
        """Since when `mode`, `contact`, `lock` and `alarm` have their values."""
        return self._doors[door].since_ns

    def conditions(self, door: str) -> Sequence[Condition]:
        """What is wrong with a door, the worst first."""
        return self._doors[door].conditions

    def levels(self) -> Mapping[str, tuple[bool, int]]:
        """Point -> the level its input settled at, and since when. Lost points are not in it."""
        return self._signals.levels()

    def settings(self, door: str) -> DoorSettings:
        """The configuration of a door."""
        return self._doors[door].settings

    # --- doing ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Drive every wire as its door says, and guard from now on."""
        for group in sorted({guarded.group for guarded in self._doors.values() if guarded.group is not None}):
            self._interlock(group)  # nothing is known of a door before its contact has been seen
        for guarded in self._doors.values():
            self._step(guarded, None)

    def stop(self) -> None:
        """From now on no door changes; the drivers bring their wires to rest (R15)."""
        self._stopped = True
        self._signals.stop()
        for guarded in self._doors.values():
            guarded.disarm()

    def restore(self, memories: Mapping[str, str]) -> None:
        """Give the doors back what the log remembers (R14)."""
        self.waits_for_memory = False
        for guarded in self._doors.values():
            self._restore(guarded, memories)

    def _restore(self, guarded: GuardedDoor, memories: Mapping[str, str]) -> None:
        try:
            self._remind(guarded, memories)
        except Exception as error:  # noqa: BLE001 -- a mistake in doord: the other doors get their lockdowns back
            self._mistake(guarded, error)

    def _remind(self, guarded: GuardedDoor, memories: Mapping[str, str]) -> None:
        kept = memories.get(guarded.id, "{}")
        memory = self._memories.recall(guarded.id, kept)
        self._step(guarded, Restore(memory, self._now_ns()))
        if memory and (now := self._memories.keep(guarded.door)) != kept:
            # otherwise commands that came before the memory would not be kept over a restart
            self._journal.append([], {guarded.id: now})

    def add(self, doors: Iterable[DoorSettings], memories: Mapping[str, str]) -> None:
        """Guard more doors from now on, without touching others. Their locks are at rest already.

        A release of the whole site releases them, too.
        """
        released = self._signals.released
        for settings in doors:
            guarded = self._doors[settings.id] = self._guarded(settings)
            self._step(guarded, None)
            if released:
                self._step(guarded, ReleaseInput(released, self._now_ns()))
            if not self.waits_for_memory:
                self._restore(guarded, memories)

    def clock_changed(self, *, trusted: bool) -> None:
        """The calendar was set, or can be trusted now: compute again when the holds of an earlier run end."""
        for key, until_ns in self._memories.holds().items() if trusted else ():
            self._step(self._doors[key], HoldEnds(until_ns, self._now_ns()))

    def reload(self, settings: DoorSettings) -> None:
        """Apply a changed policy or name to a running door, without touching others."""
        guarded = self._doors[settings.id]
        guarded.settings = settings
        guarded.door = replace(guarded.door, name=settings.name)
        self._step(guarded, None)

    def schedule(self, door: str, says: ScheduleSays, memory: str | None) -> None:
        """Take what a door's schedule wants (R9); `memory` is stored with its records (`schedule_memory`)."""
        self._step(self._doors[door], says, {} if memory is None else {schedule_memory(door): memory})

    def sound(self, doors: frozenset[str]) -> None:
        """Let the buzzers of these doors sound for an alert, and those of all others not."""
        changed, self._sirens = doors ^ self._sirens, doors
        for key in changed & self._doors.keys():
            self._step(self._doors[key], None)

    def command(  # noqa: PLR0913 -- what a command says, by name
        self,
        name: CommandName,
        doors: Iterable[str],
        *,
        command_id: str,
        actor: Actor,
        for_s: float | None = None,
        events: Sequence[Event] = (),
        details: Mapping[str, Json] = NOTHING,
    ) -> dict[str, Outcome]:
        """Give doors a command. Returns the outcome at each. See `edge.model.messages.Command`."""
        outcomes = {}
        for key in doors:
            if self._stopped:
                outcomes[key] = Outcome(False, "stopping", "the daemon is stopping: its locks are at rest")
                continue
            item = Command(command_id, name, actor, self._now_ns(), for_s, tuple(events), details)
            too_early = self.waits_for_memory and name in RELEASING
            recorded = [self._too_early(key, item)] if too_early else self._step(self._doors[key], item)
            refused = next((event for event in reversed(recorded) if not event.success), None)
            outcomes[key] = Outcome(done=True) if refused is None else Outcome(False, refused.code, message(refused))
        return outcomes

    def _too_early(self, door: str, item: Command) -> Event:
        """Refuse: it is not known yet whether the door is locked down."""
        subject, cause = self._doors[door].door.subject, "user" if item.actor.kind == "user" else "operator"
        refused = Event(LOCK_UNLOCK, item.at_ns, subject, item.actor, cause, success=False, code="starting", door=door)
        self._journal.append([refused])
        return refused

    def take(self, signal: Signal) -> None:
        """Take a driver's signal. A signal that comes during a step waits until the step is done."""
        self._inbox.append(signal)  # bounded: it is empty again before the outermost caller returns
        if self._depth == 0:
            self._drain()

    def _drain(self) -> None:
        while self._inbox:
            self._depth += 1
            try:
                self._signals.handle(self._inbox.popleft())
            except Exception as error:  # noqa: BLE001 -- a mistake in doord or the driver: signals go on coming
                self._mistake(None, error)
            finally:
                self._depth -= 1

    def _tell(self, key: str, item: Item) -> None:
        """Hand on an item from an input of one door, or from an input of the site, which concerns every door."""
        for guarded in [*self._doors.values()] if key == SITE else [self._doors[key]]:
            if isinstance(item, PointsBack):
                guarded.returned(item.points)
            self._step(guarded, item)

    def _credential(self, door: str, seen: CardRead | KeysPressed) -> None:
        if self.on_credential is not None:
            self.on_credential(door, seen)

    # --- one step ------------------------------------------------------------------------------------

    def _step(self, guarded: GuardedDoor, item: Item | None, memory: Mapping[str, str] | None = None) -> list[Event]:
        self._depth += 1
        try:
            events = [] if self._stopped else self._one_step(guarded, item, self._now_ns(), memory or {})
        except Exception as error:  # noqa: BLE001 -- a mistake in doord: only this door suffers
            events = [self._mistake(guarded, error)]
        finally:
            self._depth -= 1
        if self._depth == 0:
            self._drain()
        return events

    def _one_step(self, guarded: GuardedDoor, item: Item | None, now_ns: int, modes: Mapping[str, str]) -> list[Event]:
        old = guarded.door
        guarded.door, events = rules.step(old, guarded.settings.policy, item, now_ns)
        if not self._drive(guarded):
            guarded.door, events = rules.withhold(guarded.door, events)
        guarded.arm(now_ns, self._due)
        if remembered(guarded.door) != remembered(old):
            if isinstance(item, Command):
                self._memories.forget_hold(guarded.id)
            modes = {**modes, guarded.id: self._memories.keep(guarded.door)}
        if events or modes:
            self._journal.append(events, modes)
        if guarded.door != old or not guarded.since_ns:
            self._note(guarded, old, now_ns)
        return events

    def _drive(self, guarded: GuardedDoor) -> bool:
        return guarded.drive(self._wires, siren=guarded.id in self._sirens)

    def _arm_again(self, guarded: GuardedDoor, now_ns: int) -> None:
        try:
            guarded.arm(now_ns, self._due, AGAIN_NS)
        except Exception:  # computing the deadlines failed, too: try again all the same
            LOG.exception("the deadlines of %s cannot be computed", guarded.id)
            guarded.call_in(AGAIN_NS, self._due)

    def _due(self, guarded: GuardedDoor) -> None:
        self._step(guarded, None)

    def _note(self, guarded: GuardedDoor, old: Door, now_ns: int) -> None:
        door = guarded.door
        if self.on_shown is not None and guarded.shown is not shown(door):
            guarded.shown = shown(door)
            self.on_shown(door.id, guarded.shown)
        guarded.note(old, now_ns)
        if guarded.group is not None:
            self._interlock(guarded.group)
        for listener in self.listeners:
            try:
                listener(door.id)
            except Exception as error:  # noqa: BLE001 -- a listener's mistake must not stop a door
                self._mistake(guarded, error)

    def mistake(self, error: Exception) -> None:
        """Record a mistake in doord itself that belongs to no door."""
        self._mistake(None, error)

    def _mistake(self, guarded: GuardedDoor | None, error: Exception) -> Event:
        """Log a mistake in doord itself in full, and record it once, at this door or at none. The doors go on."""
        LOG.error("a mistake in doord itself", exc_info=error)
        now_ns = self._now_ns()
        if guarded is None:
            return self._mistakes.record(error, DOORD, None, now_ns)
        guarded.door = rules.ended(guarded.door, now_ns)  # whatever goes wrong, a lock is released for its time only
        try:
            self._drive(guarded)
        except Exception:
            LOG.exception("the wires of %s cannot be driven", guarded.id)
        finally:
            self._arm_again(guarded, now_ns)
        return self._mistakes.record(error, guarded.door.subject, guarded.id, now_ns)

    def _interlock(self, group: str) -> None:
        """R18: tell each door of the group which other one is open or released, or may be."""
        members = [guarded for guarded in self._doors.values() if guarded.group == group]
        for guarded in members:
            others = {other.door.id: other.occupied for other in members if other is not guarded}
            known = next((door for door, is_so in others.items() if is_so is Occupied.YES), None)
            held_by = known or next((door for door, is_so in others.items() if is_so is Occupied.UNKNOWN), None)
            item = InterlockChanged(held_by, self._now_ns(), known is not None or held_by is None)
            if (item.held_by, item.known) != (guarded.door.interlocked_by, guarded.door.interlock_known):
                self._step(guarded, item)
