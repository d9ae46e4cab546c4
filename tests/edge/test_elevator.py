"""Floors: given by the same rules as doors, chosen while the permit runs."""

from __future__ import annotations

from typing import Any

from edge.credentials import AskPin, Presented, Refused
from edge.elevator import Permit, begun, chosen, events, permit
from edge.messages import NS_PER_S
from tests.support.people import ADA, BOB, SUNDAY_NOON, building, card, now


def given(number: int, change: Any = None, **more: Any) -> Any:
    directory = building(change)
    return permit(directory, directory.elevators["lift"], Presented(card(number)), now(**more))


def both_groups(document: dict[str, Any]) -> None:
    document["members"][1]["groups"] = ["weekdays", "always"]


def test_a_member_is_given_the_floors_of_all_groups_that_hold_now() -> None:
    assert given(ADA).floors == ("0", "2")
    assert given(BOB, both_groups).floors == ("0", "1", "2")
    assert given(BOB, both_groups, at=SUNDAY_NOON).floors == ("0", "2")
    refused = given(BOB, at=SUNDAY_NOON)
    assert isinstance(refused, Refused)
    assert refused.code == "outside_schedule"


def test_a_permit_is_two_records_and_a_refusal_one() -> None:
    lift = building().elevators["lift"]
    access, allowed = events(given(ADA), Presented(card(ADA)), lift, 5, "x")
    assert (access.type, allowed.type) == ("reader.access", "elevator.permit")
    assert allowed.details == {"floors": ["0", "2"], "names": ["Floor 0", "Floor 2"], "for_s": 10.0}
    assert allowed.actor is not None
    assert allowed.actor.name == "Ada"
    assert (allowed.object.type, allowed.object.name, allowed.correlation) == ("elevator", "Lift", "x")
    [refused] = events(given(4242), Presented(card(4242)), lift, 5)
    assert (refused.type, refused.code, refused.object.id) == ("reader.access", "unknown_card", "lift.reader")


def test_a_chosen_floor_is_recorded_if_it_was_given_and_in_time() -> None:
    lift = building().elevators["lift"]
    ride = begun(given(ADA), 0)
    [event] = chosen(ride, lift, "2", 9 * NS_PER_S, "x")
    assert (event.type, event.details) == ("elevator.permitted", {"floor": "2", "name": "Floor 2"})
    assert event.actor is not None
    assert event.actor.email == "ada@example.org"
    assert chosen(ride, lift, "1", 9 * NS_PER_S) == []
    assert chosen(ride, lift, "2", 10 * NS_PER_S) == []
    assert chosen(None, lift, "2", 0) == []


def test_who_needs_longer_gets_longer_and_a_reader_may_ask_for_a_pin() -> None:
    def change(document: dict[str, Any]) -> None:
        document["members"][0]["extended_unlock"] = True
        document["elevators"][0] |= {"extended_permit_s": 33, "ask": "card_and_pin"}

    assert isinstance(given(ADA, change), AskPin)
    directory = building(change)
    answer = permit(directory, directory.elevators["lift"], Presented(card(ADA), "2580"), now())
    assert isinstance(answer, Permit)
    assert answer.for_s == 33
