"""Commands at the desk: one id is one command, the first answer counts, nothing is said before the disk has it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge.access.edits import EditAnswer
from edge.commands.allowance import ALLOWANCES
from edge.commands.intake import MOST_ARRIVALS, CommandIntake
from edge.commands.parsing import Refusal
from edge.commands.refusals import ANSWERS_AT_ONCE, RECORDS_AT_ONCE, TOLD_EVERY_S, CommandRefusals
from edge.doors.runner import Outcome
from edge.model.messages import ClockQuality, Event, Subject
from edge.model.ports import Incoming
from tests.support import virtual
from tests.support.clock import FakeClock
from tests.support.logs import PATIENT, Disk, Journal, journal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.model.messages import Actor
    from tests.support.virtual import VirtualLoop

UNLOCK: dict[str, Any] = {
    "id": "c1",
    "command": "unlock",
    "door": "front",
    "issued_at": "2026-11-22T21:57:03Z",
    "expires_at": "2026-11-22T21:57:18Z",
    "actor": {"id": "ann"},
}
LOCK_DOWN = UNLOCK | {"command": "lock_down"}


class Door:
    subject = Subject("lock", "front", "Front")
    locked_down = False


class House:
    """What the desk needs of a daemon, its doors and its upstream, and what became of it, in order."""

    def __init__(self, held: Journal, clock: FakeClock) -> None:
        self.log, self.clock, self.held = held.log, clock, held
        self.runner: Any = self
        self.door = Door()
        self.doors = {"front": self.door}
        self.asked: list[str] = []
        self.happened: list[str] = []
        self.said: list[dict[str, Any]] = []
        self.acknowledged: list[tuple[str, str, frozenset[str] | None, dict[str, Any]]] = []
        held.log.on_commit(lambda records: self.happened.extend(f"stored {r.event.type}" for r in records))
        self.desk = CommandIntake(
            Subject("controller", "test", "Test"),
            runner=self.runner,
            people=None,  # type: ignore[arg-type]
            log=self.log,
            clock=clock,
            way_back=lambda: self,
            status=dict,
            acknowledge=self.acknowledge,
            signatures_required=False,
        )

    def acknowledge(
        self, alert: str, actor: Actor, doors: frozenset[str] | None, details: Mapping[str, Any]
    ) -> tuple[str, str] | None:
        self.acknowledged.append((alert, actor.id, doors, dict(details)))
        return None if alert == "forced-7" else ("unknown_alert", f"no open alert {alert!r}")

    def command(self, name: str, doors: tuple[str, ...], **more: Any) -> dict[str, Outcome]:
        self.asked.append(str(name))
        happened = Event("lock.unlock", self.clock.now_ns(), self.doors["front"].subject, more["actor"], door="front")
        self.log.append([happened])
        return {door: Outcome(done=True) for door in doors}

    def reply(self, _topic: str | None, payload: bytes, _correlation: bytes | None) -> None:
        self.happened.append("answered")
        self.said.append(json.loads(payload))

    def send(self, body: Mapping[str, Any]) -> None:
        payload = json.dumps(body).encode()
        taken = lambda: self.happened.append("taken")  # noqa: E731
        self.desk.ordered(Incoming("commands", payload, retained=False, taken=taken))

    async def answers(self, count: int) -> list[dict[str, Any]]:
        await self.held.eventually(lambda: len(self.said) >= count)
        return self.said

    @property
    def stored(self) -> list[Event]:
        return [record.event for record in self.held.records]


def test_nothing_is_said_or_taken_before_the_disk_has_it(tmp_path: Path) -> None:
    disk = Disk()

    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock, replace(PATIENT, connect=disk.connect)) as held:
            house = House(held, clock)
            disk.go.clear()
            house.send(UNLOCK)
            await held.eventually(disk.waiting.is_set)
            assert house.asked == []
            assert house.happened == []
            disk.go.set()
            await house.answers(1)
            assert house.happened == ["stored lock.unlock", "answered", "taken"]
            house.happened.clear()
            house.send(UNLOCK | {"id": "c2", "door": "attic"})
            await house.answers(2)
            assert house.happened == ["stored lock.unlock", "answered", "taken"]  # the refusal, recorded as an unlock
            assert [event.success for event in house.stored] == [True, False]

    asyncio.run(run())


MEANWHILE: dict[str, Callable[[FakeClock], None]] = {
    "it expired": lambda clock: clock.tick(20),
    "the clock was lost": lambda clock: clock.set_quality(ClockQuality.UNSYNCED),
    "the clock was set back": lambda clock: clock.step(-120 * 10**6),
}


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_a_second_arrival_gets_the_first_answer_whatever_the_clock_says_meanwhile(
    tmp_path: Path, meanwhile: str, restarted: bool
) -> None:
    async def run() -> None:
        clock = FakeClock()
        said: list[dict[str, Any]] = []
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            house.send(UNLOCK)
            said += await house.answers(1)
            if not restarted:
                MEANWHILE[meanwhile](clock)
                house.send(UNLOCK)
                await house.answers(2)
                assert house.said[0] == house.said[1]
                assert len(house.stored) == 1  # and nothing is recorded of it
                return
        MEANWHILE[meanwhile](clock)
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            house.send(UNLOCK)
            assert await house.answers(1) == said
            assert house.asked == []
            assert house.stored == []

    asyncio.run(run())


def test_what_comes_too_late_for_the_first_time_is_refused_and_its_id_stays_free(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            clock.tick(20)
            house.send(UNLOCK)
            assert (await house.answers(1))[0]["code"] == "expired"
            house.send(UNLOCK | {"expires_at": "2026-11-22T21:58:00Z"})
            assert (await house.answers(2))[1]["done"]
            assert house.asked == ["unlock"]

    asyncio.run(run())


@pytest.mark.parametrize("under_way", [False, True])
def test_another_command_under_a_used_id_is_refused_and_recorded(tmp_path: Path, under_way: bool) -> None:
    """Else whoever guesses the id of the next lock-down has it answered `done` and never carried out."""

    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            house.send(UNLOCK)
            if not under_way:
                await house.answers(1)
            house.send(LOCK_DOWN)
            await house.answers(2)
            answers = {answer["command"]: answer for answer in house.said}
            assert answers["unlock"]["done"]
            assert (answers["lock_down"]["done"], answers["lock_down"]["code"]) == (False, "duplicate")
            assert house.asked == ["unlock"]
            assert [(event.type, event.code) for event in house.stored if not event.success] == [
                ("lock.lock_down", "duplicate")
            ]

    asyncio.run(run())


def test_arrivals_while_the_first_is_under_way_get_its_answer_and_move_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            for _ in range(MOST_ARRIVALS + 5):
                house.send(UNLOCK)
            await house.answers(MOST_ARRIVALS)
            assert house.asked == ["unlock"]
            assert all(answer["done"] for answer in house.said)
            assert house.happened.count("taken") == MOST_ARRIVALS + 5

    asyncio.run(run())


def test_an_answer_without_a_record_waits_for_the_disk_too(tmp_path: Path) -> None:
    """Else a crash right after it makes the second answer another one."""
    disk = Disk()

    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock, replace(PATIENT, connect=disk.connect)) as held:
            house = House(held, clock)

            def changes_nothing(_name: str, doors: tuple[str, ...], **_more: Any) -> dict[str, Outcome]:
                disk.go.clear()
                return {door: Outcome(done=True) for door in doors}

            house.command = changes_nothing  # type: ignore[method-assign,assignment]
            house.send(LOCK_DOWN)
            await held.eventually(disk.waiting.is_set)
            assert house.happened == []
            disk.go.set()
            await house.answers(1)

    asyncio.run(run())


def test_the_first_answer_comes_again_while_another_command_has_its_id(tmp_path: Path) -> None:
    disk = Disk()

    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock, replace(PATIENT, connect=disk.connect)) as held:
            house = House(held, clock)
            house.send(UNLOCK)
            await house.answers(1)
            disk.go.clear()
            house.send(LOCK_DOWN)
            await held.eventually(disk.waiting.is_set)
            house.send(UNLOCK)
            disk.go.set()
            answers = [answer for answer in await house.answers(3) if answer["command"] == "unlock"]
            assert answers == [answers[0]] * 2
            assert house.asked == ["unlock"]

    asyncio.run(run())


@pytest.mark.parametrize("meanwhile", ["nothing", "the calendar goes back", "the clock is lost"])
def test_an_unlock_that_waits_too_long_for_the_disk_is_refused_whatever_the_calendar_says(
    tmp_path: Path, meanwhile: str
) -> None:
    disk = Disk()

    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock, replace(PATIENT, connect=disk.connect)) as held:
            house = House(held, clock)
            disk.go.clear()
            house.send(UNLOCK)
            await held.eventually(disk.waiting.is_set)
            if meanwhile != "nothing":
                clock.step(-3_600_000_000, ClockQuality.UNSYNCED if "lost" in meanwhile else None)
            clock.tick(16)
            disk.go.set()
            assert (await house.answers(1))[0]["code"] == "expired"
            assert house.asked == []

    asyncio.run(run())


def test_a_clock_that_cannot_judge_refuses_no_lock_down(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FakeClock(quality=ClockQuality.UNSYNCED)
        clock.tick(3_600)
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            house.send(LOCK_DOWN)
            assert (await house.answers(1))[0]["done"]
            assert house.asked == ["lock_down"]

    asyncio.run(run())


def test_a_command_that_fails_by_our_own_mistake_does_not_come_for_ever(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            house.command = None  # type: ignore[method-assign,assignment]
            house.send(UNLOCK)
            await held.eventually(lambda: "taken" in house.happened)
            assert house.said == []

    asyncio.run(run())


def test_an_alert_is_acknowledged_once_and_an_unknown_one_is_refused_and_recorded(tmp_path: Path) -> None:
    command = {key: UNLOCK[key] for key in ("issued_at", "actor")} | {"command": "acknowledge"}

    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            for count in (1, 2):
                house.send(command | {"id": "a1", "alert": "forced-7"})
                assert (await house.answers(count))[-1]["done"]
            assert house.acknowledged == [("forced-7", "ann", None, {})]
            house.send(command | {"id": "a2", "alert": "forced-9"})
            refused = (await house.answers(3))[-1]
            assert (refused["done"], refused["code"]) == (False, "unknown_alert")
            await held.until(lambda: held.records[-1].event.code == "unknown_alert")
            for number, wrong in enumerate(({}, {"alert": "forced-7", "door": "front"}, {"alert": 7}), 4):
                house.send(command | {"id": f"a{number}"} | wrong)
                assert (await house.answers(number))[-1]["code"] == "malformed"
            assert len(house.acknowledged) == 2

    asyncio.run(run())


AT_ONCE, A_MINUTE = ALLOWANCES["record"]
RECORD: dict[str, Any] = {
    "command": "record",
    "issued_at": UNLOCK["issued_at"],
    "actor": UNLOCK["actor"],
    "event": {"type": "subscription.update", "object": {"type": "subscription", "id": "s-1", "name": "Team"}},
}


def test_who_enters_records_without_end_is_refused_and_may_go_on_later(tmp_path: Path) -> None:
    """Commands for doors, and what was answered before, are not counted."""

    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            for number in range(AT_ONCE):
                house.send(RECORD | {"id": f"r{number}"})
                await house.answers(number + 1)
            assert all(answer["done"] for answer in house.said)
            house.send(RECORD | {"id": "more"})
            refused = (await house.answers(AT_ONCE + 1))[-1]
            assert (refused["done"], refused["code"]) == (False, "too_many")
            assert "try again in 5 s" in refused["message"]
            house.send(RECORD | {"id": "r0"})
            assert (await house.answers(AT_ONCE + 2))[-1]["done"]
            house.send(LOCK_DOWN)
            assert (await house.answers(AT_ONCE + 3))[-1]["done"]
            clock.tick(60 / A_MINUTE)
            house.send(RECORD | {"id": "more"})
            assert (await house.answers(AT_ONCE + 4))[-1]["done"]
            entered = [event for event in house.stored if event.type == "subscription.update"]
            assert len(entered) == AT_ONCE + 1
            assert [event.code for event in house.stored if not event.success] == ["too_many"]

    asyncio.run(run())


def test_records_that_come_at_once_are_no_more_than_those_that_come_one_by_one(tmp_path: Path) -> None:
    """While the disk admits some, others are judged. What enters nothing costs nothing."""

    async def run() -> None:
        async with journal(tmp_path / "log.db", FakeClock()) as held:
            house = House(held, FakeClock())
            house.send(RECORD | {"id": "r0"})
            await house.answers(1)
            for _ in range(AT_ONCE):  # the same again
                house.send(RECORD | {"id": "r0"})
                await house.answers(len(house.said) + 1)
            for number in range(1, AT_ONCE - 10):
                house.send(RECORD | {"id": f"r{number}"})
                await house.answers(len(house.said) + 1)
            for number in range(50):
                house.send(RECORD | {"id": f"a{number}"})
            await house.answers(2 * AT_ONCE - 10 + 50)
            entered = [event for event in house.stored if event.type == "subscription.update"]
            assert len(entered) == AT_ONCE
            assert sum(answer["code"] == "too_many" for answer in house.said) == 40

    asyncio.run(run())


def test_who_edits_without_end_is_refused_and_may_go_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each edit writes records too. Records that are entered have an allowance of their own."""
    asked: list[object] = []

    async def edit(*given: object, upstream: bool) -> EditAnswer:
        asked.append(given)
        assert upstream
        return EditAnswer(None, "", {"version": len(asked)})

    monkeypatch.setattr("edge.commands.intake.edit_directory", edit)
    body = {key: value for key, value in UNLOCK.items() if key not in {"door", "expires_at"}}
    body |= {"command": "edit_directory", "changes": [{"remove": "card", "id": "lost"}]}
    at_once, a_minute = ALLOWANCES["edit_directory"]

    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)
            for number in range(at_once):
                house.send(body | {"id": f"e{number}"})
                await house.answers(number + 1)
            assert all(answer["done"] for answer in house.said)
            house.send(body | {"id": "more"})
            assert (await house.answers(at_once + 1))[-1]["code"] == "too_many"
            assert len(asked) == at_once
            house.send(RECORD | {"id": "r1"})
            assert (await house.answers(at_once + 2))[-1]["done"]
            clock.tick(60 / a_minute)
            house.send(body | {"id": "more"})
            assert (await house.answers(at_once + 3))[-1]["done"]

    asyncio.run(run())


def test_a_door_is_told_so_often_and_no_lock_down_that_locks_is_refused(tmp_path: Path) -> None:
    """What is refused is recorded as every refusal. A lock-down of a door that is locked down may be refused."""

    async def run() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock) as held:
            house = House(held, clock)

            async def answers(*commands: Mapping[str, Any]) -> list[str | None]:
                before = len(house.said)
                for number, command in enumerate(commands):
                    house.send({**command, "id": f"{before + number}"})
                    await house.answers(before + number + 1)
                return [answer["code"] for answer in house.said[before:]]

            for command in (UNLOCK, LOCK_DOWN):
                at_once = ALLOWANCES[command["command"]].at_once
                assert await answers(*[command] * at_once) == [None] * at_once
                house.door.locked_down = command is LOCK_DOWN
                assert await answers(command) == ["too_many"]
                assert house.stored[-1].code == "too_many"
            house.door.locked_down = False  # somebody has cancelled it
            assert await answers(LOCK_DOWN, LOCK_DOWN) == [None, None]
            assert house.asked.count("unlock") == ALLOWANCES["unlock"].at_once

    asyncio.run(run())


# --- floods ----------------------------------------------------------------------------------------------


class Counting:
    """A log that keeps count."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.log, self.clock, self.events = self, FakeClock(loop.now_ns), list[Event]()
        self.doors: dict[str, Any] = {}

    def append(self, events: list[Event]) -> None:
        self.events += events

    def refusals(self) -> CommandRefusals:
        controller = Subject("controller", "test", "Test")
        return CommandRefusals(controller, self, self, self.clock, lambda: None)  # type: ignore[arg-type]


def test_a_flood_of_refusals_is_recorded_a_few_times_and_then_counted_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    minutes, a_second = 10, 500

    async def main(loop: VirtualLoop) -> None:
        house = Counting(loop)
        refusals = house.refusals()
        answered = 0
        for _ in range(60 * minutes):
            for _ in range(a_second):
                answered += refusals.refused(Refusal("malformed", "no JSON")) is not None
            await asyncio.sleep(1)
        await asyncio.sleep(TOLD_EVERY_S)
        single = [event for event in house.events if event.code == "malformed"]
        counted = [event.details["messages"] for event in house.events if event.code == "flooded"]
        assert RECORDS_AT_ONCE <= len(single) <= RECORDS_AT_ONCE + minutes
        assert minutes <= len(counted) <= minutes + 1
        assert sum(number["malformed"] for number in counted) + len(single) == 60 * minutes * a_second  # type: ignore[index,call-overload,misc]
        assert refusals.unrecorded == 60 * minutes * a_second - len(single)
        assert answered <= ANSWERS_AT_ONCE + 10 * 60 * minutes
        assert len(caplog.records) <= len(house.events)

    virtual.run(main)


def test_a_few_useless_messages_are_nothing_to_write_down() -> None:
    async def main(loop: VirtualLoop) -> None:
        house = Counting(loop)
        refusals = house.refusals()
        for _ in range(60):
            refusals.dropped("ack")
            await asyncio.sleep(1)
        await asyncio.sleep(TOLD_EVERY_S)
        assert not house.events
        for _ in range(1_000):
            refusals.dropped("ack")
        await asyncio.sleep(TOLD_EVERY_S + 1)
        assert [event.details["messages"] for event in house.events] == [{"ack": 1_000}]

    virtual.run(main)
