"""The runner between wires and rules: order, losses, mistakes, memory, the end."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.doors import rules
from edge.doors.memory import Memories
from edge.doors.modes import Mode
from edge.doors.runner import Outcome, Runner
from edge.doors.state import Contact, Lock
from edge.model.messages import (
    NS_PER_S,
    Actor,
    Back,
    Command,
    CommandName,
    Confirmed,
    InputFault,
    Level,
    Lost,
)
from edge.model.policy import DoorPolicy, Timing
from edge.settings.controller import DoorSettings
from tests.support import virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from edge.model.messages import Event, Json

OTTO = Actor("operator", "o1", "Otto")
MS = 1_000_000


class Bench:
    """A runner with doors `front` and `back`, one driver `wire`, and a journal in memory."""

    def __init__(self, loop: virtual.VirtualLoop, timing: Mapping[str, Timing] | None = None, **policy: Any) -> None:
        self.loop = loop
        self.driven: list[tuple[str, bool]] = []
        self.events: list[Event] = []
        self.modes: dict[str, Any] = {}
        self.reads: dict[str, bool] = {}
        self.journal_fails = False
        self.broken = False
        inputs = {"contact": Timing(), "rex": Timing(), "tamper": Timing(), **(timing or {})}
        points = dict.fromkeys([*inputs, "lock", "buzzer"], "wire")
        doors = {key: DoorSettings(key, key, DoorPolicy(**policy), points, inputs) for key in ("front", "back")}
        site = {role: one for role, one in (timing or {}).items() if role == "release"}
        self.wall_us: Callable[[], int] = lambda: 0
        """The calendar; it may be replaced."""
        self.runner = Runner(
            doors,
            site,
            wires=self,
            journal=self,  # type: ignore[arg-type]
            now_ns=loop.now_ns,
            run="r",
            wall_us=self._calendar,
        )
        self.runner.start()
        for key in doors:
            self.see(key, "contact", False, initial=True)
        self.driven.clear()

    def _calendar(self) -> int:
        return self.wall_us()

    # wires
    def apply(self, driver: str, outputs: Mapping[str, bool]) -> bool:
        assert driver == "wire"
        if not self.broken:
            self.driven += outputs.items()
        return not self.broken

    def level(self, point: str) -> bool | None:
        return self.reads.get(point)

    def driver_of(self, point: str) -> str:
        assert point
        return "wire"

    # journal
    def append(self, events: Sequence[Event], modes: Mapping[str, str] | None = None) -> None:
        if self.journal_fails:
            raise RuntimeError("a bug")
        self.events += events
        self.modes |= {key: json.loads(text) for key, text in (modes or {}).items()}

    # hands
    def see(self, door: str, role: str, asserted: bool, ago_ms: float = 0, *, initial: bool = False) -> None:
        self.reads[f"{door}.{role}"] = asserted
        self.runner.take(Level(f"{door}.{role}", asserted, self.ago_ns(ago_ms), initial))

    def ago_ns(self, ago_ms: float) -> int:
        return self.loop.now_ns() - round(ago_ms * MS)

    def ask(self, name: str, *doors: str, for_s: float | None = None) -> dict[str, Outcome]:
        return self.runner.command(CommandName(name), doors or ("front",), command_id="c", actor=OTTO, for_s=for_s)

    def lose(self, *points: str) -> None:
        self.runner.take(Lost(frozenset(points), "cut", self.loop.now_ns()))

    def regain(self, *points: str) -> None:
        self.runner.take(Back(frozenset(points), self.loop.now_ns()))

    def types(self, door: str = "front") -> list[str]:
        return [event.type for event in self.events if event.door == door]

    def released(self, door: str = "front") -> bool:
        return [value for point, value in self.driven if point == f"{door}.lock"][-1:] == [True]


def play(script: Callable[[Bench], Coroutine[Any, Any, None]], **settings: Any) -> Bench:
    kept: list[Bench] = []

    async def main(loop: virtual.VirtualLoop) -> None:
        bench = Bench(loop, **settings)
        kept.append(bench)
        await script(bench)
        bench.runner.stop()

    virtual.run(main)
    return kept[0]


# --- the end --------------------


def test_after_the_stop_nothing_is_driven_and_a_command_is_refused() -> None:
    async def script(bench: Bench) -> None:
        bench.ask("unlock", for_s=5.0)
        bench.runner.stop()
        bench.driven.clear()
        outcome = bench.ask("unlock")["front"]
        assert (outcome.done, outcome.code) == (False, "stopping")
        bench.see("front", "rex", True)
        await asyncio.sleep(60)
        assert bench.driven == [], "the wires are the drivers' to bring to rest"

    play(script)


# --- mistakes --------------------


def test_an_input_of_an_unknown_role_is_a_fault_that_is_said_and_no_alarm() -> None:
    async def script(bench: Bench) -> None:
        bench.see("front", "window", True)
        bench.see("front", "contact", True, ago_ms=-1)
        bench.runner.take(InputFault("front.window", "cut", bench.loop.now_ns()))
        await asyncio.sleep(3)

    bench = play(script, timing={"window": Timing()})
    [fault] = [event for event in bench.events if event.type == "controller.fault"]
    assert fault.code == "internal_error"
    assert 'no point has the role "window"' in str(fault.details["reason"])
    assert bench.runner.doors["front"].tamper == frozenset()
    assert bench.types() == ["lock.opened", "lock.forced_open"], "the contact, which settles with it, is heard"


def test_a_mistake_in_the_rules_stays_at_its_door_is_recorded_once_and_locks_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = rules.step

    def step(door: Any, policy: Any, item: Any, now_ns: int) -> Any:
        if isinstance(item, Command) and item.name is CommandName.BLOCK:
            raise KeyError("a bug")
        return honest(door, policy, item, now_ns)

    monkeypatch.setattr(rules, "step", step)

    async def script(bench: Bench) -> None:
        bench.ask("unlock", for_s=5.0)
        for _ in range(3):
            outcomes = bench.ask("block", "front", "back")
            assert {outcome.code for outcome in outcomes.values()} == {"internal_error"}
        assert bench.ask("unlock", "back")["back"].done
        await asyncio.sleep(6)
        assert not bench.released()

    bench = play(script)
    assert bench.types().count("controller.fault") == 1
    assert bench.types("back").count("controller.fault") == 1


def test_a_door_whose_deadlines_go_wrong_still_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_args: object) -> None:
        raise KeyError("a bug")

    async def script(bench: Bench) -> None:
        bench.ask("unlock", for_s=5.0)
        monkeypatch.setattr(rules, "_access_over", wrong)
        await asyncio.sleep(7)
        assert not bench.released()

    assert play(script).types().count("controller.fault") == 1


def test_a_mistake_of_the_log_or_of_a_listener_stops_no_door_and_no_driver() -> None:
    def angry(_door: str) -> None:
        raise RuntimeError("a bug")

    async def script(bench: Bench) -> None:
        heard: list[str] = []
        bench.runner.listeners += [angry, heard.append]
        assert bench.ask("unlock", for_s=5.0)["front"].done
        assert heard == ["front"]
        bench.journal_fails = True
        bench.see("front", "contact", True)
        await asyncio.sleep(6)
        assert not bench.released(), "the timer was armed although the log failed"
        bench.journal_fails = False
        bench.see("back", "contact", True)
        await asyncio.sleep(1)

    bench = play(script)
    assert bench.types("back").count("lock.opened") == 1


def test_a_signal_that_makes_no_sense_does_not_come_back_to_the_driver() -> None:
    async def script(bench: Bench) -> None:
        bench.runner.take(Level("attic.contact", True, bench.loop.now_ns()))
        bench.runner.take(Level("front.attic", True, bench.loop.now_ns()))
        bench.see("front", "contact", True)
        await asyncio.sleep(1)

    bench = play(script)
    assert "lock.opened" in bench.types()
    assert [event.type for event in bench.events].count("controller.fault") == 1


# --- order --------------------


@pytest.mark.parametrize("rex_ms", [0.0, 10.0])
def test_a_late_wake_up_takes_inputs_in_the_order_of_their_first_edges(rex_ms: float) -> None:
    async def script(bench: Bench) -> None:
        await asyncio.sleep(1)
        bench.see("front", "contact", True, ago_ms=200)
        bench.see("front", "rex", True, ago_ms=200 + rex_ms)
        await asyncio.sleep(1)

    assert play(script, rex_unlocks=False).types() == ["lock.opened"]


def test_an_exit_request_before_the_opening_authorises_it_although_its_button_bounces_longer() -> None:
    async def script(bench: Bench) -> None:
        bench.see("front", "rex", True)
        await asyncio.sleep(0.005)
        bench.see("front", "contact", True)
        for level in (False, True):
            await asyncio.sleep(0.01)
            bench.see("front", "rex", level)
        await asyncio.sleep(1)

    assert play(script, rex_unlocks=False, rex_settle_ms=60).types() == ["lock.opened"]


# --- losses --------------------


def test_unrest_that_was_cut_off_settles_nothing() -> None:
    async def script(bench: Bench) -> None:
        bench.see("front", "contact", True)
        await asyncio.sleep(0.01)
        bench.reads.clear()
        bench.lose("front.contact")
        await asyncio.sleep(5)
        assert bench.runner.doors["front"].contact is Contact.UNKNOWN
        bench.regain("front.contact")
        bench.see("front", "contact", False, initial=True)
        await asyncio.sleep(5)

    assert "lock.opened" not in play(script).types()


def test_what_was_on_its_way_when_the_line_went_is_no_news() -> None:
    async def script(bench: Bench) -> None:
        bench.lose("front.contact", "front.lock")
        bench.runner.take(Confirmed("front.lock", True, bench.loop.now_ns()))
        bench.see("front", "contact", True)
        await asyncio.sleep(1)
        door = bench.runner.doors["front"]
        assert (door.contact, door.lock) == (Contact.UNKNOWN, Lock.UNKNOWN)

    play(script)


def test_a_lockdown_of_all_reaches_a_lost_lock_when_it_returns() -> None:
    async def script(bench: Bench) -> None:
        bench.ask("hold_unlocked", "front", "back")
        bench.lose("front.lock")
        bench.ask("lock_down", "front", "back")
        bench.driven.clear()
        bench.regain("front.lock")
        assert ("front.lock", False) in bench.driven

    play(script)


def test_a_mended_contact_is_read_again() -> None:
    async def script(bench: Bench) -> None:
        bench.runner.take(InputFault("front.contact", "short", bench.loop.now_ns()))
        assert bench.runner.doors["front"].contact is Contact.FAULT
        bench.runner.take(InputFault("front.contact", None, bench.loop.now_ns()))
        assert bench.runner.doors["front"].contact is Contact.CLOSED

    play(script)


def test_a_door_that_was_open_when_its_contact_went_still_holds_its_interlock() -> None:
    async def script(bench: Bench) -> None:
        bench.ask("unlock", for_s=1.0)
        bench.see("front", "contact", True)
        await asyncio.sleep(2)
        bench.lose("front.contact")
        assert bench.ask("unlock", "back")["back"].code == "interlock"

    play(script, interlock="sluice")


@pytest.mark.parametrize("key", ["front", "controller"])
def test_a_release_input_that_bounces_is_followed_by_no_forced_opening(key: str) -> None:
    """The fire panel's relay bounces for longer than the contact, which follows it."""

    async def script(bench: Bench) -> None:
        bench.see(key, "release", False, initial=True)
        began_ns = bench.loop.now_ns()
        for n in range(40):
            bench.see(key, "release", n % 2 == 0)
            if n == 1:
                bench.see("front", "contact", True)
            await asyncio.sleep(0.01)
        bench.see(key, "release", True)
        await asyncio.sleep(1)
        assert sorted(bench.types()) == ["controller_input.triggered", "lock.opened"]
        assert bench.runner.door("front").mode is Mode.LOCKED_OPEN
        assert bench.runner.door("front").authorised_from_ns == began_ns

    play(script, timing={"release": Timing()})


def test_a_contact_that_storms_is_one_record_and_no_alarm() -> None:
    async def script(bench: Bench) -> None:
        for _ in range(100):
            for n in range(64):
                level = Level("front.contact", n % 2 == 0, bench.ago_ns((64 - n) * 0.14), lost=2000 if n == 0 else 0)
                bench.runner.take(level)
            await asyncio.sleep(0.3)
        assert bench.types() == ["controller_input.unstable"]
        bench.see("front", "rex", True)
        await asyncio.sleep(0.03)
        assert bench.released(), "another input of the same door is heard at once"

    play(script)


def test_an_exit_button_that_storms_is_heard_and_fills_no_log() -> None:
    async def script(bench: Bench) -> None:
        for n in range(3000):
            bench.see("front", "rex", n % 2 == 0)
            await asyncio.sleep(0.05)
        assert bench.released()
        assert len(bench.types()) < 50

    play(script)


def test_a_reader_is_told_how_its_door_stands_and_again_when_it_is_back() -> None:
    told: list[tuple[str, str]] = []

    async def script(bench: Bench) -> None:
        bench.runner.on_shown = lambda door, shown: told.append((door, shown.value))
        for name in ("hold_unlocked", "lock", "block", "unblock", "lock_down", "cancel_lockdown"):
            bench.ask(name)
        bench.ask("unlock")
        await asyncio.sleep(6)
        bench.see("front", "release", True, initial=True)
        bench.lose("front.reader", "front.lock")
        bench.regain("front.reader", "front.lock")

    play(script, timing={"release": Timing()})
    states = ["unlocked", "locked", "refusing", "locked", "refusing", "locked", "unlocked", "unlocked"]
    assert told == [("front", state) for state in states]


def test_whatever_goes_wrong_a_lock_is_released_for_its_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_given: Any) -> None:
        raise KeyError("none such")

    async def script(bench: Bench) -> None:
        bench.ask("hold_unlocked", "front", for_s=5.0)
        bench.ask("unlock", "back", for_s=5.0)
        monkeypatch.setattr(rules, "step", mistaken)
        monkeypatch.setattr(rules, "next_deadline", mistaken)
        await asyncio.sleep(7)
        assert not bench.released("front")
        assert not bench.released("back")
        monkeypatch.undo()
        bench.ask("unlock", "front", for_s=5.0)
        assert bench.released("front")
        await asyncio.sleep(7)
        assert not bench.released("front")

    play(script)


def test_points_of_one_door_on_two_drivers_fail_apart() -> None:
    async def script(bench: Bench) -> None:
        bench.lose("front.contact")
        bench.runner.take(Lost(frozenset({"front.lock"}), "burnt", bench.loop.now_ns()))
        assert bench.runner.doors["front"].fault == "cut; burnt"
        bench.regain("front.lock")
        assert bench.runner.doors["front"].fault == "cut", "the other loss still stands"
        bench.regain("front.contact")
        assert bench.runner.doors["front"].fault is None

    play(script)


# --- memory --------------------


def test_what_an_operator_said_before_the_log_came_is_newer_than_what_it_remembers() -> None:
    held = json.dumps({"locked_down": True, "operator": "unlocked"})

    async def script(bench: Bench) -> None:
        bench.ask("cancel_lockdown", "front")
        bench.ask("lock", "front")
        bench.runner.restore({"front": held, "back": held})
        assert bench.runner.doors["front"].mode is Mode.LOCKED
        assert bench.modes["front"] == {"locked_down": False, "operator": "locked"}, "or it would come back"
        assert bench.runner.doors["back"].mode is Mode.LOCKED_DOWN

    play(script)


@pytest.mark.parametrize("ours", [False, True])
def test_a_door_whose_memory_cannot_be_read_leaves_the_others_their_lockdown(
    monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    """Nonsense, or a mistake of our own."""
    honest = Memories.recall

    def mistaken(memories: Memories, door: str, kept: str) -> dict[str, Json]:
        if door == "front":
            raise KeyError(door)
        return honest(memories, door, kept)

    if ours:
        monkeypatch.setattr(Memories, "recall", mistaken)

    async def script(bench: Bench) -> None:
        bench.runner.waits_for_memory = True
        bench.runner.restore({"front": "[" * 100_000, "back": '{"locked_down": true}'})
        assert bench.runner.door("back").mode is Mode.LOCKED_DOWN
        assert not bench.runner.waits_for_memory
        assert [event.code for event in bench.events if event.door == "front"] == ["internal_error"] * ours

    play(script)


def test_a_lockdown_before_the_log_came_leaves_the_remembered_hold_below_it() -> None:
    async def script(bench: Bench) -> None:
        bench.ask("lock_down", "front")
        bench.runner.restore({"front": json.dumps({"locked_down": False, "operator": "unlocked"})})
        assert bench.runner.doors["front"].mode is Mode.LOCKED_DOWN
        bench.ask("cancel_lockdown", "front")
        assert bench.runner.doors["front"].mode is Mode.UNLOCKED

    play(script)


def test_an_input_that_stands_asserted_at_start_is_no_exit_request() -> None:
    async def script(bench: Bench) -> None:
        bench.see("front", "rex", True, initial=True)
        bench.see("front", "tamper", True, initial=True)
        await asyncio.sleep(1)

    assert play(script).types() == ["controller_input.tamper"]


def test_a_release_input_that_stands_asserted_at_start_opens_at_once() -> None:
    async def script(bench: Bench) -> None:
        bench.see("front", "release", True, initial=True)
        assert bench.released(), "not after a debounce"
        assert bench.runner.doors["front"].mode is Mode.LOCKED_OPEN
        bench.lose("front.release")
        assert bench.runner.doors["front"].mode is Mode.LOCKED_OPEN, "a burnt wire locks nobody in"
        bench.regain("front.release")
        bench.see("front", "release", False, initial=True)
        assert not bench.released()

    play(script, timing={"release": Timing()})


def test_deadlines_are_kept_to_the_nanosecond_of_the_boot_clock() -> None:
    async def script(bench: Bench) -> None:
        began_ns = bench.loop.now_ns()
        bench.ask("unlock", for_s=5.0)
        await asyncio.sleep(6)
        locked = next(event for event in bench.events if event.type == "lock.locked")
        assert locked.at_ns == began_ns + 5 * NS_PER_S

    play(script)


def test_a_siren_sounds_at_its_door_until_it_is_told_to_stop() -> None:
    async def script(bench: Bench) -> None:
        bench.runner.sound(frozenset({"front", "elsewhere"}))
        bench.ask("unlock")
        await asyncio.sleep(1)
        bench.runner.sound(frozenset())

    bench = play(script)
    assert [one for one in bench.driven if one[0].endswith("buzzer")] == [
        ("front.buzzer", True),
        ("front.buzzer", False),
    ]
