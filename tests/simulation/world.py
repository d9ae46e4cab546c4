"""One controller's world over all its lives: hardware, disk and clock, and who asks it for something."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from edge.model.messages import ClockQuality
from edge.upstream.messages import SINK
from tests.simulation import machine, rules
from tests.simulation.broker import Broker
from tests.simulation.commanding import Commanding
from tests.simulation.disk import Disk
from tests.simulation.life import Life
from tests.simulation.machine import Machine, PowerCutError
from tests.simulation.plan import DOORS, LASTS_S
from tests.simulation.process import simulated
from tests.simulation.sender import Sender
from tests.simulation.truth import DoorTruth
from tests.support.clock import START_US, FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from edge.settings.controller import Settings
    from tests.simulation.plan import Plan

BEGINS_S: Final = 1_000.0
CALM_S: Final = 20.0
"""How long everything is well in the end, at least."""
LONGEST_CALM_S: Final = 600.0
"""Everything is delivered in this time, links that are tried every 60 s included."""
IMAGE_S: Final = 10.0
"""How old a log is, at least, that is put back."""
BEHIND_S: Final = 6.0
"""What the broker keeps of the stream is so much behind at most (docs/mqtt.md)."""
NOT_TWICE_S: Final = 0.5
"""Two moves within so long may be none to a contact that is debounced."""
STORM_S: Final = 0.6


class BrokenError(AssertionError):
    """A rule of the contract did not hold."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


class World:
    """Runs a plan."""

    def __init__(self, plan: Plan, folder: Path, settings: Settings) -> None:
        self.plan, self.settings = plan, settings
        self.chance = random.Random(f"world {plan.seed}")
        self.disk = Disk(folder, self.chance)
        self.doors = {door: DoorTruth(door) for door in DOORS}
        self.unlock_s = float(plan.settings["unlock_s"])
        self.commanding, self.sender = Commanding(self), Sender(self)
        self.broker = Broker(self.chance, self.sender, by_application=plan.settings["ack"] == "application")
        self.now_s = BEGINS_S
        self.over = False
        self.lives: list[Life] = []
        self.broken: list[BrokenError] = []
        self.boots, self.imaged = 0, ""  # `imaged`: the stream of the log that was imaged
        self.wall_offset_us = START_US - round(BEGINS_S * 1e6)
        self.quality = ClockQuality.SYNCED
        self.left = [(BEGINS_S + float(action[0]), *action[1:]) for action in plan.actions]
        self.trace: list[Any] = []
        """What the run came to, to compare it with another run of the same plan."""

    @property
    def life(self) -> Life:
        return self.lives[-1]

    def time(self) -> float:
        """Now, in seconds, also while it is down."""
        return machine.running[-1].virtual_s if machine.running else self.now_s

    def breaks(self, rule: str, what: str) -> None:
        self.broken.append(BrokenError(rule, f"{what} (at {self.now_s - BEGINS_S:.3f} s, life {len(self.lives)})"))

    # --- lives ---

    def run(self) -> None:
        """All lives. Raises BrokenError for the first rule that did not hold."""
        with simulated(self.disk, self.broker, self.chance):
            while not self.over:
                self._live()
                if self.broken:
                    raise self.broken[0]
            rules.in_the_end(self)
        if self.broken:
            raise self.broken[0]

    def _live(self) -> None:
        loop = Machine(self.now_s)
        loop.on_death = self.disk.is_left
        loop.after_turn = self._looked
        self.disk.begin(loop)
        machine.running.append(loop)
        life = None
        try:
            clock = FakeClock(
                loop.now_ns,
                wall_us=round(self.now_s * 1e6) + self.wall_offset_us,
                quality=self.quality,
                boot_id=f"{self.boots:08x}-2222-4333-8444-555555555555",
            )
            asyncio.set_event_loop(loop)
            life = Life(loop, clock, self.settings)
            self.lives.append(life)
            self.commanding.watch(life)
            with suppress(PowerCutError):
                loop.run_until_complete(self._living(life))
        finally:
            self.now_s = loop.virtual_s
            loop.bury()
            asyncio.set_event_loop(None)
            machine.running.pop()
            self.disk.end()
            self.broker.gone()
        life.over_s = self.now_s
        if not self.broken:
            rules.after_life(self, life)
        if life.booted:
            self.disk.fault, self.disk.stalled_until_s = None, 0.0
        self._between(life)

    async def _living(self, life: Life) -> None:
        for door in self.doors.values():
            door.begin(self.now_s)
            if door.open:
                life.driver.simulate(door.name, "open")
        task = asyncio.ensure_future(life.daemon.run(life.stop))
        loop = life.loop
        for action in self.left:
            if action[0] >= loop.virtual_s:
                loop.call_at(action[0], self._do, action)
            if action[-1] == "older" and (image_s := action[0] - IMAGE_S) > loop.virtual_s:
                loop.call_at(image_s, self._remember)
        loop.call_at(max(loop.virtual_s, BEGINS_S + LASTS_S), self._calm)
        rules.watch(self, life)
        await task
        life.stopped = True

    def _looked(self) -> None:
        if self.broker.doubled is not None:
            self.breaks("4 an id names one record", self.broker.doubled)
        if self.broken:
            raise PowerCutError

    def _between(self, life: Life) -> None:
        """What happens while it is down."""
        if life.booted:
            self.boots += 1
        if life.then == "older" and self._shows() and self.disk.put_back():
            self._forgets(life)
        elif life.then == "damaged":
            self.disk.damage()
            self._forgets(life)
        until_s = self.now_s + life.down_s
        for action in self.left:
            if not self.now_s <= action[0] < until_s:
                continue
            if action[1] in {"open", "close"}:
                self._moved(str(action[2]), action[1] == "open", action[0])
            elif action[1] == "order":
                self.now_s = action[0]
                self._do_order(*action[2:])
        self.now_s = until_s

    def _remember(self) -> None:
        self.disk.remember()
        self.imaged = self.life.daemon.log.stream

    def _shows(self) -> bool:
        """Whether the broker shows that the image is old: its stream went on for some seconds."""
        head = max(self.disk.remembered(), default=0)
        sent_s = [at_s for number, at_s in self.broker.first_s.get(self.imaged, {}).items() if number > head]
        ends_s = [life.over_s for life in self.lives if life.daemon.log.stream == self.imaged]
        return not sent_s or min(sent_s) < max(ends_s, default=self.now_s) - BEHIND_S

    def _forgets(self, life: Life) -> None:
        life.forgot = True
        self.sender.forget()
        for door in self.doors.values():
            door.up(self.now_s)
            door.unsure = True

    # --- what is done ---

    def _do(self, action: tuple[Any, ...]) -> None:
        self.now_s = action[0]
        getattr(self, f"_do_{action[1]}")(*action[2:])

    def _moved(self, door: str, opened: bool, at_s: float) -> bool:
        truth = self.doors[door]
        if truth.open is opened:
            return False
        if truth.moves and at_s - truth.moves[-1][0] < NOT_TWICE_S:
            truth.unquiet.append((truth.moves[-1][0] - 0.3, at_s + 0.3))
        truth.moves.append((at_s, opened))
        return True

    def _do_open(self, door: str) -> None:
        if self._moved(door, True, self.life.loop.virtual_s):
            self.life.driver.simulate(door, "open")

    def _do_close(self, door: str) -> None:
        if self._moved(door, False, self.life.loop.virtual_s):
            self.life.driver.simulate(door, "close")

    def _do_glitch(self, door: str) -> None:
        """Shorter than any debouncing of the contact, where there is some."""
        now_s = self.life.loop.virtual_s
        self.doors[door].unquiet.append((now_s - 0.3, now_s + 1.3))
        self.life.driver.simulate(door, "bounce", "4")

    def _do_storm(self, door: str) -> None:
        now_s = self.life.loop.virtual_s
        self.doors[door].unquiet.append((now_s - 0.3, now_s + STORM_S + 3.0))
        self.life.driver.simulate(door, "bounce", str(round(STORM_S * 1000)))

    def _do_rex(self, door: str) -> None:
        now_s = self.life.loop.virtual_s
        self.doors[door].permit("rex", now_s, now_s + self.unlock_s + 0.5)
        self.life.driver.simulate(door, "rex")

    def _do_walk(self, door: str) -> None:
        """Somebody leaves."""
        loop = self.life.loop
        self._do_rex(door)
        loop.call_later(0.4, self._do_open, door)
        loop.call_later(1.8, self._do_close, door)

    def _do_ask(self, door: str, command: str, for_s: float | None) -> None:
        self.commanding.ask(door, command, for_s)

    def _do_order(self, kind: str, number: int, target: str, command: str, for_s: float | None) -> None:
        self.sender.send(kind, number, target, command, for_s)

    def _do_crash(self, where: str, distance: int, down_s: float, booted: bool, then: str) -> None:
        life = self.life
        if life.dying:
            return
        life.dying, life.down_s, life.booted, life.then = True, down_s, booted, then
        if where == "stop":
            life.served_s = self.now_s
            life.stop.set()
        elif where == "turn":
            life.loop.dies_at_turn = life.loop.turns + distance
        else:
            self.disk.dies_at, self.disk.dies_how = self.disk.operations + distance, where

    def _do_disk(self, kind: str, for_s: float) -> None:
        loop = self.life.loop
        if kind == "stall":
            self.disk.stalled_until_s = loop.virtual_s + for_s
            return
        self.disk.fault = kind
        loop.call_later(for_s, self._well)

    def _do_net(self, kind: str, for_s: float) -> None:
        self.broker.begin(kind)
        self.life.loop.call_later(for_s, self.broker.end)

    def _well(self) -> None:
        self.disk.fault = None

    def _do_clock(self, step_s: float, quality: str) -> None:
        self.wall_offset_us += round(step_s * 1e6)
        self.quality = ClockQuality(quality)
        self.life.clock.step(round(step_s * 1e6), self.quality)

    def _calm(self) -> None:
        """From now on everything is well."""
        self.disk.fault, self.disk.stalled_until_s = None, 0.0
        self.life.loop.dies_at_turn, self.disk.dies_at = None, None
        self.life.booted, self.life.then = False, "as it was"
        self.broker.end()
        self.life.loop.call_later(CALM_S, self._end)

    def _end(self) -> None:
        """The end, once everything is delivered."""
        log, loop = self.life.daemon.log, self.life.loop
        self.broker.acknowledge()
        waits = self.sender.repeat()
        self.over = log.stream != "" and log.cursor(SINK) == log.committed and not log.waiting and not waits
        if loop.virtual_s > BEGINS_S + LASTS_S + LONGEST_CALM_S:
            facts = self.broker.upstream and self.broker.upstream.facts()
            self.breaks("4 what is committed is delivered", f"{log.cursor(SINK)} of {log.committed}: {facts}")
            if waits:
                self.breaks("4 each command is answered", f"{log.waiting} events wait: {facts}")
        if self.over:
            self.life.stop.set()
        else:
            loop.call_later(5.0, self._end)
