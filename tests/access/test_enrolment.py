"""Enrolment by presenting: who waits at which readers, and which card comes up where."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge.access.enrolment.listening import (
    MOST,
    WITHIN_NS,
    Enrolment,
    EnrolmentState,
    Listening,
    OccupiedError,
    ShownCard,
    begun,
    ended,
    expired,
    listening_places,
    next_deadline,
    offered,
)
from edge.model.messages import NS_PER_S, Actor
from tests.access.test_readers import play
from tests.support.people import ADA, LOST, card

if TYPE_CHECKING:
    from tests.access.test_readers import House

OTTO, MAYA = Actor("operator", "uid:1000", "otto"), Actor("operator", "web:maya", "maya")
STRANGE = 3456
NOBODY, FRONT = frozenset[str](), frozenset({"front"})


def waiting(actor: Actor = OTTO, reader: str | None = None, until_s: int = 60) -> Enrolment:
    return Enrolment(actor, reader, until_s * NS_PER_S, "then")


def shown(place: str = "front", holder: str | None = None) -> ShownCard:
    return ShownCard(card(STRANGE), place, "now", None, holder)


def test_a_card_that_nobody_has_ends_the_listening_and_one_that_somebody_has_does_not() -> None:
    listening, taken = offered(begun((), waiting()), shown(holder="Ada"))
    assert (taken, listening[0].state, listening[0].shown) == (False, "listening", shown(holder="Ada"))
    listening, taken = offered(listening, shown("lift"))
    assert (taken, listening[0].state, listening[0].shown) == (True, "card", shown("lift"))
    assert offered(listening, shown()) == (listening, False), "the next one is nobody's"
    assert ended(listening, OTTO.id) == listening, "a card that came stays"
    assert expired(listening, 61 * NS_PER_S) == listening


def test_each_reader_listens_for_one_person_and_a_card_elsewhere_is_not_theirs() -> None:
    listening = begun(begun((), waiting(OTTO, "front")), waiting(MAYA, "back"))
    for where in ("front", None):
        with pytest.raises(OccupiedError, match="otto waits for a card at the reader of front: try again in a minute"):
            begun(listening, waiting(Actor("operator", "uid:1", "eve"), where))
    assert listening_places(listening, ("front", "back", "lift")) == {"front", "back"}
    assert offered(listening, shown("lift")) == (listening, False)
    listening, taken = offered(listening, shown("back"))
    assert taken
    assert [one.state for one in listening] == ["listening", "card"]
    with pytest.raises(OccupiedError, match="otto waits"):
        begun(listening, waiting(MAYA))
    with pytest.raises(OccupiedError, match="maya waits for a card at any reader"):
        begun(begun((), waiting(MAYA)), waiting(OTTO, "front"))


def test_who_begins_again_ends_what_they_began() -> None:
    listening = begun(begun((), waiting(OTTO, "front")), waiting(OTTO, "back", 90))
    assert listening == (waiting(OTTO, "back", 90),)


def test_the_time_ends_each_by_itself() -> None:
    listening = begun(begun((), waiting(OTTO, "front", 60)), waiting(MAYA, "back", 90))
    assert next_deadline(listening) == 60 * NS_PER_S
    listening = expired(listening, 60 * NS_PER_S)
    assert [one.state for one in listening] == ["ended", "listening"]
    assert next_deadline(listening) == 90 * NS_PER_S
    assert next_deadline(ended(listening, MAYA.id)) is None


def test_as_many_are_kept_as_may_be() -> None:
    listening: Listening = ()
    for number in range(MOST):
        listening = begun(listening, waiting(Actor("operator", f"uid:{number}"), f"door-{number}"))
    more = waiting(Actor("operator", "uid:more"), "more")
    with pytest.raises(OccupiedError, match="16 people wait"):
        begun(listening, more)
    listening = ended(listening, "uid:7")
    now = begun(listening, more)
    assert len(now) == MOST
    assert "uid:7" not in [one.actor.id for one in now]


def test_numbers_are_in_no_text_of_it() -> None:
    assert f"{STRANGE}" not in repr(shown())
    assert card(STRANGE).data.hex() not in repr(replace(waiting(), shown=shown()))


# --- at readers --------------------------------------------------------------------------------


def test_the_card_is_refused_and_recorded_as_always_and_the_light_says_that_it_was_taken() -> None:
    async def script(house: House) -> None:
        house.enrolments.begin(OTTO, "front")
        assert house.listening == [FRONT]
        await house.show(STRANGE, "back")
        assert house.lights == [("back.reader", False)], "another reader"
        await house.show(ADA)
        assert house.released["front.lock"], "whoever may pass goes on doing so"
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert own.shown is not None
        assert (own.state, own.shown.holder) == (EnrolmentState.LISTENING, "Ada")
        await asyncio.sleep(10)
        await house.show(STRANGE)
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert own.shown is not None
        assert (own.state, own.shown.place, own.shown.holder) == (EnrolmentState.CARD, "front", None)
        assert house.lights[-1] == ("front.reader", True)
        assert house.listening == [FRONT, NOBODY]
        assert not house.released["front.lock"]
        await asyncio.sleep(10)
        await house.show(STRANGE)
        assert house.lights[-1] == ("front.reader", False)

    house = play(script)
    assert house.codes == ["unknown_card", None, "unknown_card", "unknown_card"]


def test_a_card_of_the_directory_that_nobody_has_is_taken() -> None:
    async def script(house: House) -> None:
        house.enrolments.begin(OTTO, None)
        assert house.listening == [{"front", "back", "lift"}]
        await house.show(LOST)
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert own.shown is not None
        assert (own.state, own.shown.card) == (EnrolmentState.CARD, f"c{LOST}")

    play(script)


def test_after_a_minute_no_card_is_taken_and_the_light_goes_back() -> None:
    async def script(house: House) -> None:
        began = house.enrolments.begin(OTTO, "front")
        assert began.until_ns == house.loop.now_ns() + WITHIN_NS
        await asyncio.sleep(59.9)
        assert house.listening == [FRONT]
        await asyncio.sleep(0.2)
        assert house.listening == [FRONT, NOBODY]
        await house.show(STRANGE)
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert (own.state, own.shown, own.until) == (EnrolmentState.ENDED, None, began.until)
        assert house.enrolments.of(MAYA) is None
        assert house.lights == [("front.reader", False)]

    play(script)


def test_two_listen_at_two_readers() -> None:
    async def script(house: House) -> None:
        house.enrolments.begin(OTTO, "front")
        house.enrolments.begin(MAYA, "lift")
        house.readers.take("lift", replace(card(STRANGE), point="lift.reader"))
        states = [own.state for actor in (OTTO, MAYA) if (own := house.enrolments.of(actor)) is not None]
        assert states == ["listening", "card"]
        ended_one = house.enrolments.end(OTTO)
        assert ended_one is not None
        assert ended_one.state == "ended"
        assert house.listening == [FRONT, {"front", "lift"}, FRONT, NOBODY]

    play(script)


def test_cards_that_are_enrolled_are_no_guesses_and_a_flood_afterwards_is() -> None:
    async def script(house: House) -> None:
        for number in range(30):
            house.enrolments.begin(OTTO, "front")
            await house.show(5000 + number)
            await asyncio.sleep(1)
        assert "reader.tamper" not in [event.type for event in house.events]
        await house.show(ADA)
        assert house.released["front.lock"]
        house.enrolments.begin(OTTO, "front")
        for number in range(300):
            await house.show(6000 + number)
            await asyncio.sleep(0.1)
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert own.shown is not None
        assert own.shown.read.data == card(6000).data, "the first of them"

    house = play(script, front={"unknown_cards": 5})
    [alarm] = [event.details for event in house.events if event.type == "reader.tamper"]
    assert (alarm["reason"], alarm["locked_out_s"]) == ("5 unknown cards within a minute", 60)
    assert len(house.readers.cards) == 50


def test_at_a_reader_that_is_locked_out_a_card_is_taken_too() -> None:
    async def script(house: House) -> None:
        for number in range(2):
            await house.show(5000 + number)
        await house.show(STRANGE)
        assert house.codes[-1] == "too_many_attempts"
        await asyncio.sleep(5)
        house.enrolments.begin(OTTO, "front")
        await house.show(STRANGE)
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert own.state == "card"
        assert house.codes[-1] == "too_many_attempts"

    play(script, front={"unknown_cards": 2})


def test_a_card_with_its_pin_is_offered_once_and_a_pin_alone_never() -> None:
    async def script(house: House) -> None:
        house.enrolments.begin(OTTO, "front")
        await house.type("246810#")
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert own.shown is None
        await house.show(STRANGE)
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert own.state == "card"

    play(script, front={"ask": "card_and_pin"})


def test_somebody_edits_the_directory_while_a_reader_listens() -> None:
    def without_ada(document: dict[str, Any]) -> None:
        document["members"][0]["cards"] = []

    async def script(house: House) -> None:
        house.enrolments.begin(OTTO, "front")
        await house.show(ADA)
        house.use(without_ada)
        await asyncio.sleep(10)
        await house.show(ADA)
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert own.shown is not None
        assert (own.state, own.shown.holder) == (EnrolmentState.CARD, None)

    play(script)


def test_before_the_directory_is_loaded_nobody_knows_whose_a_card_is() -> None:
    async def script(house: House) -> None:
        house.runner.on_credential = house.restarted().take
        house.enrolments.begin(OTTO, "front")
        await house.show(ADA)
        own = house.enrolments.of(OTTO)
        assert own is not None
        assert own.listens
        assert own.shown is None

    play(script)
