"""From a card at a reader to a door, with real rules and a real directory, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from drivers.wiegand.frames import KeyFrame, understand
from drivers.wiegand.pulses import Burst
from edge.access.enrolment.enrolments import Enrolments
from edge.access.reader_state import AT_ONCE, MOST_WAITING
from edge.access.readers import KEPT, REFUSALS_A_MINUTE, Readers
from edge.access.timetable import Timetable
from edge.directory import cards
from edge.directory.pins import HashParameters
from edge.doors.runner import Runner
from edge.model.catalogue import CATALOGUE
from edge.model.messages import CardRead, CommandName, KeysPressed, Level, Subject
from edge.model.policy import DoorPolicy, Timing
from edge.settings.controller import DoorSettings
from tests.support import virtual
from tests.support.clock import FakeClock
from tests.support.people import ADA, BOB, LOST, SPARE, building, card

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from edge.access.elevator_rules import Permit
    from edge.directory.directory import Elevator
    from edge.model.messages import Event


class House:
    """Doors `front` and `back` with readers, and an elevator."""

    def __init__(self, loop: virtual.VirtualLoop, change: Any = None, **doors: dict[str, Any]) -> None:
        self.loop = loop
        self.clock = FakeClock(loop.now_ns, wall_us=1_795_431_600_000_000)  # Monday, 2026-11-23 11:00 UTC
        self.events: list[Event] = []
        self.lights: list[tuple[str, bool]] = []
        self.listening: list[frozenset[str]] = []
        self.floors: list[tuple[str, ...]] = []
        self.released: dict[str, bool] = {}
        points = dict.fromkeys(["lock", "contact", "reader"], "wire")
        policy = DoorPolicy(unlock_s=5.0)
        wired = {key: DoorSettings(key, key, policy, points, {"contact": Timing()}) for key in ("front", "back")}
        self.runner = Runner(wired, {}, wires=self, journal=self, now_ns=loop.now_ns, run="r")  # type: ignore[arg-type]
        self.timetable = Timetable(self.runner, self.clock, self.clock.quality())
        self.readers = self.restarted()
        self.runner.on_credential = self.readers.take
        self.runner.listeners.append(self.readers.moved)
        self.runner.start()
        for key in wired:
            self.runner.take(Level(f"{key}.contact", False, loop.now_ns(), True))
        self.use(change, **doors)

    def use(self, change: Any = None, **doors: dict[str, Any]) -> None:
        self.directory = building(change, **doors)
        self.readers.directory(self.directory)
        self.timetable.directory(self.directory)

    def restarted(self) -> Readers:
        """Readers that remember nothing."""
        enrolments = self.enrolments = Enrolments(self.clock, lambda: ("front", "back", "lift"), self.listening.append)
        now_ns, light = self.loop.now_ns, self.light
        return Readers(self.runner, self.timetable, self, self, now_ns=now_ns, light=light, enrolments=enrolments)  # type: ignore[arg-type]

    # what readers are given
    def light(self, point: str, granted: bool) -> None:
        self.lights.append((point, granted))

    def append(self, events: Sequence[Event], _modes: Mapping[str, str] | None = None) -> None:
        assert all(event.type in CATALOGUE for event in events)
        self.events += events

    def permitted(self, lift: Elevator, permit: Permit, events: Sequence[Event]) -> None:
        self.floors.append(permit.floors)
        offered = replace(events[0], type="elevator.permit", object=Subject("elevator", lift.id, lift.name))
        self.events += [*events, offered]

    def apply(self, _driver: str, outputs: Mapping[str, bool]) -> bool:
        self.released |= outputs
        return True

    def level(self, _point: str) -> bool | None:
        return None

    def driver_of(self, _point: str) -> str:
        return "wire"

    # hands
    async def show(self, number: int, door: str = "front") -> None:
        self.runner.take(replace(card(number), point=f"{door}.reader", at_ns=self.loop.now_ns()))
        await asyncio.sleep(0)

    async def type(self, keys: str, door: str = "front") -> None:
        self.runner.take(KeysPressed(f"{door}.reader", keys, self.loop.now_ns()))
        await asyncio.sleep(0.01)  # the hash comes from a thread: virtual time waits for it

    async def move(self, opened: bool, door: str = "front") -> None:
        self.runner.take(Level(f"{door}.contact", opened, self.loop.now_ns()))
        await asyncio.sleep(0.1)

    def told(self) -> list[tuple[str, str | None]]:
        return [(event.type, event.code) for event in self.events]

    @property
    def codes(self) -> list[str | None]:
        return [event.code for event in self.events if event.type == "reader.access"]


def play(script: Callable[[House], Coroutine[Any, Any, None]], change: Any = None, **doors: Any) -> House:
    async def main(loop: virtual.VirtualLoop) -> House:
        house = House(loop, change, **doors)
        await script(house)
        house.readers.stop()
        house.enrolments.stop()
        house.runner.stop()
        house.timetable.stop()
        return house

    return virtual.run(main)


def test_a_card_opens_its_door_and_the_whole_passage_is_one() -> None:
    async def script(house: House) -> None:
        await house.show(ADA)
        assert house.released["front.lock"]
        assert not house.released["back.lock"]
        await house.move(True)
        await house.move(False)

    house = play(script)
    types = [event.type for event in house.events]
    assert types == ["reader.access", "lock.unlock", "lock.opened", "lock.closed", "lock.locked"]
    assert len({event.correlation for event in house.events}) == 1
    assert house.events[0].correlation
    access, unlock = house.events[:2]
    assert access.actor == unlock.actor
    assert (access.object.id, access.door, unlock.cause) == ("front.reader", "front", "user")
    assert access.actor is not None
    assert (access.actor.name, access.actor.email) == ("Ada", "ada@example.org")
    assert house.lights == [("front.reader", True)]


@pytest.mark.parametrize(
    ("number", "code"), [(7, "unknown_card"), (SPARE, "disabled"), (LOST, "card_inactive"), (BOB, "no_access")]
)
def test_who_may_not_pass_is_refused_recorded_and_shown(number: int, code: str) -> None:
    async def script(house: House) -> None:
        await house.show(number, "back")

    house = play(script)
    assert house.told() == [("reader.access", code)]
    assert not house.released["back.lock"]
    assert house.lights == [("back.reader", False)]
    assert house.events[0].details["number"] == f"…{number % 10000:04}"


def test_a_lockdown_refuses_a_card_and_says_so_at_the_lock_too() -> None:
    async def script(house: House) -> None:
        house.runner.command(CommandName.LOCK_DOWN, ["front"], command_id="c", actor=house.directory.users["bob"].actor)
        await house.show(ADA)

    house = play(script)
    assert house.told()[1:] == [("reader.access", "locked_down"), ("lock.unlock", "locked_down")]
    assert not house.released["front.lock"]


def test_card_and_pin_with_another_reader_free_meanwhile() -> None:
    async def script(house: House) -> None:
        await house.show(ADA)
        assert house.events == []  # the PIN is still to come
        assert house.lights == []
        house.runner.take(KeysPressed("front.reader", "2580#", house.loop.now_ns()))
        await house.show(ADA, "back")  # not held up by the hash
        assert house.released["back.lock"]
        await asyncio.sleep(0.01)
        assert house.released["front.lock"]

    house = play(script, front={"ask": "card_and_pin"})
    assert [event.door for event in house.events if event.type == "lock.unlock"] == ["back", "front"]


def test_a_pin_that_never_comes_is_refused_when_its_time_is_over() -> None:
    async def script(house: House) -> None:
        await house.show(ADA)
        await asyncio.sleep(9.9)
        assert house.events == []
        await asyncio.sleep(0.2)

    house = play(script, front={"ask": "card_and_pin"})
    assert house.told() == [("reader.access", "pin_required")]
    assert house.lights == [("front.reader", False)]


def test_wrong_pins_lock_the_keypad_for_a_while() -> None:
    async def script(house: House) -> None:
        for _ in range(3):
            await house.type("1111#")
        await house.type("246810#")
        await asyncio.sleep(61)
        await house.type("246810#")

    house = play(script, front={"ask": "pin", "wrong_pins": 3, "locked_out_s": 60})
    assert house.codes == ["wrong_pin", "wrong_pin", "wrong_pin", "too_many_attempts", None]
    assert "246810" not in repr(house.events)


def test_what_is_shown_while_a_pin_is_hashed_waits_its_turn_and_is_bounded() -> None:
    async def script(house: House) -> None:
        house.runner.take(KeysPressed("front.reader", "246810#", house.loop.now_ns()))
        for number in range(MOST_WAITING + 5):
            house.runner.take(replace(card(number), at_ns=house.loop.now_ns()))
        await asyncio.sleep(61)

    house = play(script, front={"ask": "card_or_pin"})
    assert house.codes == [None] + ["unknown_card"] * MOST_WAITING
    flooded = house.events[-1]
    assert (flooded.type, flooded.code, flooded.object.id) == ("controller.fault", "flooded", "front.reader")
    assert flooded.details["dropped"] == 5


def test_a_member_who_needs_longer_has_longer() -> None:
    def slow(document: dict[str, Any]) -> None:
        document["members"][0]["extended_unlock"] = True

    async def script(house: House) -> None:
        await house.show(ADA)
        await asyncio.sleep(19)
        assert house.released["front.lock"]
        await asyncio.sleep(2)
        assert not house.released["front.lock"]

    house = play(script, slow, front={"extended_unlock_s": 20})
    assert house.events[0].details["extended_s"] == 20


@pytest.mark.parametrize(("mode", "second"), [("hard", "anti_passback"), ("soft", None)])
def test_who_came_in_has_to_go_out_before_coming_in_again(mode: str, second: str | None) -> None:
    async def passage(house: House, door: str) -> None:
        await house.show(ADA, door)
        await house.move(True, door)
        await house.move(False, door)
        await asyncio.sleep(2)

    async def script(house: House) -> None:
        await house.show(ADA)  # did not go through: may come again
        await asyncio.sleep(6)
        await passage(house, "front")
        await passage(house, "front")
        await passage(house, "back")
        await passage(house, "front")

    house = play(script, front={"anti_passback": {"exit": "back", "mode": mode}})
    assert house.codes == [None, None, second, None, None]


def test_a_member_of_a_new_directory_starts_outside() -> None:
    async def script(house: House) -> None:
        await house.show(ADA)
        await house.move(True)
        house.use(front={})
        house.use(front={"anti_passback": {"exit": "back", "mode": "hard"}})
        await house.move(False)
        await asyncio.sleep(2)
        await house.show(ADA)

    assert play(script, front={"anti_passback": {"exit": "back", "mode": "hard"}}).codes == [None, None]


def test_the_first_to_arrive_opens_for_everybody() -> None:
    def reception(document: dict[str, Any]) -> None:
        days = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00"}
        document["schedules"].append(
            {"id": "open", "name": "Open", "kind": "unlock", "first_to_arrive": True, "weekly": [days]}
        )

    async def script(house: House) -> None:
        assert not house.released["front.lock"]
        await house.show(ADA)
        await asyncio.sleep(60)
        assert house.released["front.lock"]

    house = play(script, reception, front={"schedule": "open"})
    assert [event.type for event in house.events] == [
        "reader.access", "lock.unlock", "lock.first_to_arrive", "lock.scheduled_unlock_started",
    ]  # fmt: skip
    assert len({event.correlation for event in house.events}) == 1


def test_refusals_do_not_fill_the_log_and_are_counted() -> None:
    async def script(house: House) -> None:
        for _ in range(REFUSALS_A_MINUTE + 7):
            await house.show(LOST)
            await house.show(SPARE)
            await asyncio.sleep(1)
        await asyncio.sleep(61)
        await house.show(7)

    house = play(script)
    assert len(house.events) == REFUSALS_A_MINUTE + 1
    assert house.events[-1].details["unrecorded"] == REFUSALS_A_MINUTE + 14
    assert len(house.lights) == 2 * REFUSALS_A_MINUTE + 15


def test_the_last_cards_are_kept_for_enrolling() -> None:
    async def script(house: House) -> None:
        for number in range(KEPT + 3):
            await house.show(number)
            await asyncio.sleep(0.1)
        await house.show(ADA)

    cards = play(script, front={"unknown_cards": 0}).readers.cards
    assert len(cards) == KEPT
    assert (cards[-1].member, cards[-1].code, cards[-1].place) == ("ada", None, "front")
    assert (cards[-2].member, cards[-2].code) == (None, "unknown_card")


def test_an_elevator_offers_the_floors_of_all_groups_that_hold() -> None:
    async def script(house: House) -> None:
        house.readers.take("lift", replace(card(ADA), point="lift.reader"))
        house.readers.take("lift", replace(card(7), point="lift.reader"))

    house = play(script)
    assert house.floors == [("0", "2")]
    assert house.told() == [("reader.access", None), ("elevator.permit", None), ("reader.access", "unknown_card")]
    assert house.lights == [("lift.reader", True), ("lift.reader", False)]


def test_nobody_is_let_in_before_there_is_a_directory_nor_by_nonsense() -> None:
    async def script(house: House) -> None:
        house.readers = house.restarted()
        house.runner.on_credential = house.readers.take
        await house.show(ADA)
        house.runner.take(CardRead("front.reader", 900, b"", 1))
        house.runner.take(KeysPressed("front.reader", "#*#\u0661", 1))
        house.readers.stop()

    house = play(script)
    assert house.codes == ["unknown_card", "unknown_card"]
    assert house.events[0].details["reason"] == "the directory is not loaded yet"
    assert not house.released["front.lock"]


# --- guessing, and what a reader may cost ----------------------------------------------------------------


def test_an_own_pin_between_guesses_clears_nothing() -> None:
    async def script(house: House) -> None:
        for number in range(4):
            await house.type(f"900{number}#")
            await asyncio.sleep(1)
        await house.type("246810#")
        await asyncio.sleep(1)
        await house.type("9004#")
        await house.type("246810#")

    house = play(script, front={"ask": "pin"})
    assert house.codes == ["wrong_pin"] * 4 + [None, "wrong_pin", "too_many_attempts"]


def test_guessing_at_a_keypad_that_sends_pins_as_cards_has_the_limits_of_others() -> None:
    """And no PIN is kept for enrolling, as a card would be."""
    shape = cards.layout(cards.Format.WIEGAND26, 0)

    async def script(house: House) -> None:
        for pin in range(1000, 1100):
            found = understand(Burst(26, cards.encode(shape, 0, pin), house.loop.now_ns()), "26", "26bit")
            assert isinstance(found, KeyFrame)
            await house.type(found.keys)
            await asyncio.sleep(1)

    house = play(script, front={"ask": "card_or_pin", "wrong_pins": 3, "locked_out_s": 60})
    assert house.codes[:4] == ["wrong_pin"] * 3 + ["too_many_attempts"]
    assert house.codes.count("wrong_pin") <= 6
    assert ("reader.tamper", "too_many_attempts") in house.told()
    assert not house.readers.cards


def test_a_card_that_counts_as_a_pin_is_refused_in_sight_at_a_reader_of_cards() -> None:
    """With `keypad = "26bit"` a card with facility code 0 is a PIN. Nobody saw why such a card did nothing."""
    shape = cards.layout(cards.Format.WIEGAND26, 0)

    async def script(house: House) -> None:
        found = understand(Burst(26, cards.encode(shape, 0, 54919), house.loop.now_ns()), "26", "26bit")
        assert isinstance(found, KeyFrame)
        await house.type(found.keys)
        await house.show(ADA)

    house = play(script, front={"ask": "card"})
    assert house.codes == ["no_access", None]
    refused = house.events[0]
    assert refused.details == {"credential": "pin", "reason": "this reader takes cards only"}
    assert house.lights == [("front.reader", False), ("front.reader", True)]
    assert "54919" not in repr(house.events), "it may be a PIN"


def test_a_right_pin_forgives_what_was_mistyped_with_the_same_card() -> None:
    async def script(house: House) -> None:
        for pin in ("1111#", "1112#", "2580#") * 3:
            await house.show(ADA)
            await house.type(pin)
            await asyncio.sleep(3)

    house = play(script, front={"ask": "card_and_pin", "wrong_pins": 3})
    assert house.codes == ["wrong_pin", "wrong_pin", None] * 3


def test_whoever_goes_from_reader_to_reader_with_a_card_is_locked_out_at_all_of_them() -> None:
    """Each reader by itself sees less than it takes."""

    async def script(house: House) -> None:
        for number in range(6):
            door = ("front", "back")[number % 2]
            await house.show(ADA, door)
            await house.type(f"900{number}#", door)
            await asyncio.sleep(3)
        assert house.codes == ["wrong_pin"] * 5 + ["too_many_attempts", "no_access"], "the card, then keys without one"
        await asyncio.sleep(60)
        await house.show(ADA)
        await house.type("2580#")

    house = play(script, front={"ask": "card_and_pin"}, back={"ask": "card_and_pin"})
    assert house.codes[7:] == [None]
    (alarm,) = [event for event in house.events if event.type == "reader.tamper"]
    assert alarm.details["reason"] == "5 wrong PINs within 60 s for one person"


def test_somebody_elses_right_pin_clears_only_their_own_count() -> None:
    def two_with_pins(changed: dict[str, Any]) -> None:
        for member in changed["members"]:
            member["pin_hash"] = changed["members"][0]["pin_hash"]
            member["groups"] = changed["members"][0]["groups"]

    async def script(house: House) -> None:
        for number in range(5):
            await house.show(ADA)
            await house.type(f"900{number}#")
            await asyncio.sleep(3)
            await house.show(BOB, "back")
            await house.type("2580#", "back")
            await asyncio.sleep(3)

    house = play(script, two_with_pins, front={"ask": "card_and_pin"}, back={"ask": "card_and_pin"})
    assert house.codes == ["wrong_pin", None] * 5
    assert [event.details["locked_out_s"] for event in house.events if event.type == "reader.tamper"] == [60]


def test_a_pin_alone_clears_the_count_of_nobody() -> None:
    def bob_comes_by_the_back_too(changed: dict[str, Any]) -> None:
        changed["groups"][1]["doors"].append("back")

    async def script(house: House) -> None:
        ways = {"front": {"ask": "card_and_pin"}, "back": {"ask": "card_and_pin"}}
        for number in range(5):
            if number == 4:
                house.use(bob_comes_by_the_back_too, **ways | {"back": {"ask": "pin"}})
                await house.type("246810#", "back")
                house.use(bob_comes_by_the_back_too, **ways)
            await house.show(BOB)
            await house.type(f"90000{number}#")
            await asyncio.sleep(3)
        await house.show(BOB, "back")

    house = play(script, bob_comes_by_the_back_too, front={"ask": "card_and_pin"}, back={"ask": "card_and_pin"})
    assert house.codes == ["wrong_pin"] * 4 + [None, "wrong_pin", "too_many_attempts"]


def test_a_slow_guesser_is_locked_out_too_and_longer_each_time() -> None:
    async def script(house: House) -> None:
        for number in range(240):  # an hour
            await house.type(f"{9000 + number}#")
            await asyncio.sleep(15)

    house = play(script, front={"ask": "pin"})
    judged = house.codes.count("wrong_pin")
    assert 20 <= judged < 30
    alarms = [event for event in house.events if event.type == "reader.tamper"]
    assert [alarm.details["locked_out_s"] for alarm in alarms] == [60, 120, 240, 480, 900, 900, 900]
    assert alarms[0].details["reason"] == "20 wrong PINs within an hour"
    assert CATALOGUE[alarms[0].type].severity == "alarm"
    assert (alarms[0].door, alarms[0].object.id, alarms[0].code) == ("front", "front.reader", "too_many_attempts")


def test_unknown_cards_one_after_the_other_lock_the_reader_and_raise_an_alarm() -> None:
    """A keypad that sends its PIN as a card, or somebody with a box that plays cards."""

    async def script(house: House) -> None:
        for number in range(100):
            await house.show(5000 + number)
            await asyncio.sleep(1)
        await house.show(ADA)
        assert not house.released["front.lock"]
        await asyncio.sleep(120)
        await house.show(ADA)

    house = play(script, front={"unknown_cards": 10})
    alarms = [event.details for event in house.events if event.type == "reader.tamper"]
    assert [(alarm["reason"], alarm["locked_out_s"]) for alarm in alarms] == [
        ("10 unknown cards within a minute", 60),
        ("10 unknown cards within a minute", 120),
    ]
    assert house.codes.count("unknown_card") == 20
    assert house.codes[-1] is None


def test_the_same_unknown_card_is_one_guess_however_often_it_comes() -> None:
    async def script(house: House) -> None:
        for _ in range(30):
            await house.show(5000)
            await asyncio.sleep(3)
        await house.show(ADA)

    house = play(script, front={"unknown_cards": 2})
    assert "reader.tamper" not in [event.type for event in house.events]
    assert house.released["front.lock"]


def test_a_card_held_in_front_of_a_reader_is_one_passage() -> None:
    async def script(house: House) -> None:
        for _ in range(20):
            await house.show(ADA)
            await asyncio.sleep(0.5)
            await house.move(True) if not house.runner.door("front").opening else None

    house = play(script)
    assert [event.type for event in house.events].count("lock.unlock") == 1


def test_a_card_that_is_repeated_while_its_pin_is_typed_disturbs_nothing() -> None:
    async def script(house: House) -> None:
        await house.show(ADA)
        for digit in "2580#":
            await asyncio.sleep(0.6)
            await house.type(digit)
            await house.show(ADA)

    house = play(script, front={"ask": "card_and_pin"})
    assert house.codes == [None]


def test_another_card_in_between_makes_the_first_one_new() -> None:
    async def script(house: House) -> None:
        for number in (ADA, BOB, ADA):
            await house.show(number)

    assert [event.actor.id for event in play(script).events if event.actor and event.type == "reader.access"] == [
        "ada", "bob", "ada",
    ]  # fmt: skip


@pytest.mark.parametrize("error", [MemoryError, ValueError("no such hash")])
def test_the_next_card_is_read_after_a_hash_that_failed(
    monkeypatch: pytest.MonkeyPatch, error: Exception | type[Exception]
) -> None:
    real, fails = HashParameters.digest, list[Exception | type[Exception]]()

    def digest(self: HashParameters, pin: str) -> bytes:
        if fails:
            raise fails.pop()
        return real(self, pin)

    monkeypatch.setattr(HashParameters, "digest", digest)

    async def script(house: House) -> None:
        fails.append(error)
        await house.type("246810#")
        await house.type("246810#")

    house = play(script, front={"ask": "pin"})
    assert house.codes == ["pin_required", None]
    assert house.events[0].type == "controller.fault"


def test_a_reader_that_floods_has_its_share_and_no_more() -> None:
    async def script(house: House) -> None:
        for number in range(5000):
            house.runner.take(replace(card(number), at_ns=house.loop.now_ns()))
        await asyncio.sleep(60)
        assert len(house.events) < AT_ONCE + 5
        await house.show(ADA)
        assert house.released["front.lock"], "and is heard again"

    house = play(script, front={"unknown_cards": 0})
    flooded = [event for event in house.events if event.code == "flooded"]
    assert [event.details["dropped"] for event in flooded] == [5000 - AT_ONCE]
