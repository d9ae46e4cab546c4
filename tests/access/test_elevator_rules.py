"""Floors: given by the same rules as doors, chosen while the permit runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge.access.access_points import ElevatorAccessPoint
from edge.access.credentials import AccessRefused, AskPin, Presented
from edge.access.elevator_rules import (
    LATE_NS,
    MOST_PERMITS,
    Permit,
    begun,
    given_until_ns,
    joined,
    offered,
    permit,
    pressed,
)
from edge.model.messages import NS_PER_S
from tests.support.people import ADA, BOB, SUNDAY_NOON, building, card, now

if TYPE_CHECKING:
    from edge.access.elevator_rules import Ride


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
    assert isinstance(refused, AccessRefused)
    assert refused.code == "outside_schedule"


def test_what_happens_at_the_reader_is_one_record_and_what_is_given_another() -> None:
    behind: Any = ElevatorAccessPoint("lift", None, None)  # type: ignore[arg-type]
    lift = building().elevators["lift"]
    [access] = behind.events(building(), given(ADA), Presented(card(ADA)), 5)
    allowed = offered(given(ADA), lift, 5, "x")
    assert (access.type, access.object.name, allowed.type) == ("reader.access", "Lift reader", "elevator.permit")
    assert allowed.details == {"floors": ["0", "2"], "names": ["Floor 0", "Floor 2"], "for_s": 10.0}
    assert allowed.actor is not None
    assert allowed.actor.name == "Ada"
    assert (allowed.object.type, allowed.object.name, allowed.correlation) == ("elevator", "Lift", "x")
    [refused] = behind.events(building(), given(4242), Presented(card(4242)), 5)
    assert (refused.type, refused.code, refused.object.id) == ("reader.access", "unknown_card", "lift.reader")


def test_a_chosen_floor_is_recorded_once_if_it_was_given_and_in_time() -> None:
    rides = (begun(given(ADA), building().elevators["lift"], 0, "x"),)
    assert given_until_ns(rides, "2") == 10 * NS_PER_S
    assert given_until_ns(rides, "1") == 0
    for floor, at_s in (("1", 9), ("2", 10), ("2", 11)):
        assert pressed(rides, floor, at_s * NS_PER_S) == (rides, [])
    assert pressed((), "2", 0) == ((), [])
    rides, [event] = pressed(rides, "2", 9 * NS_PER_S)
    assert (event.type, event.details) == ("elevator.permitted", {"floor": "2", "name": "Floor 2"})
    assert event.actor is not None
    assert (event.actor.email, event.correlation, event.at_ns) == ("ada@example.org", "x", 9 * NS_PER_S)
    assert pressed(rides, "2", 9 * NS_PER_S) == (rides, [])
    assert pressed(rides, "0", 9 * NS_PER_S)[1][0].details["floor"] == "0"


def test_who_enters_second_takes_nothing_from_the_first() -> None:
    lift = building().elevators["lift"]
    ada, bob = begun(given(ADA), lift, 0), begun(given(BOB), lift, 4 * NS_PER_S)
    rides = joined((ada,), bob)
    assert [given_until_ns(rides, floor) // NS_PER_S for floor in "012"] == [14, 14, 10]
    chosen = {floor: pressed(rides, floor, 5 * NS_PER_S)[1][0].actor for floor in "012"}
    assert [actor and actor.id for actor in chosen.values()] == ["bob", "bob", "ada"], "the last who was given it"
    [event] = pressed(rides, "0", 3 * NS_PER_S)[1]
    assert event.actor is not None
    assert event.actor.id == "ada", "pressed before Bob came, whenever that became certain"


def test_a_button_that_was_held_before_its_floor_was_given_counts_from_then() -> None:
    ride = begun(given(ADA), building().elevators["lift"], 4 * NS_PER_S)
    [event] = pressed((ride,), "0", NS_PER_S)[1]
    assert event.at_ns == 4 * NS_PER_S


def test_a_card_shown_again_takes_the_place_of_its_permit_and_none_are_kept_for_ever() -> None:
    lift = building().elevators["lift"]
    first, again = begun(given(ADA), lift, 0), begun(given(ADA), lift, NS_PER_S)
    bob = begun(given(BOB), lift, 2 * NS_PER_S)
    assert joined((first,), again) == (again,)
    assert joined((again,), bob) == (again, bob)
    longer = replace(first, until_ns=60 * NS_PER_S)
    assert joined((longer,), again) == (longer, again), "what was given stays given"
    late = begun(given(ADA), lift, first.until_ns + LATE_NS)
    assert joined((bob,), late) == (bob, late), "a button that was pressed in time may still settle"
    assert joined((bob,), begun(given(ADA), lift, bob.until_ns + LATE_NS))[0].permit.granted.member.id == "ada"
    crowd: tuple[Ride, ...] = ()
    for n in range(MOST_PERMITS + 5):
        crowd = joined(crowd, begun(given(BOB if n % 2 else ADA), lift, 0 - n))
    assert len(crowd) == MOST_PERMITS


def test_who_needs_longer_gets_longer_and_a_reader_may_ask_for_a_pin() -> None:
    def change(document: dict[str, Any]) -> None:
        document["members"][0]["extended_unlock"] = True
        document["elevators"][0] |= {"extended_permit_s": 33, "ask": "card_and_pin"}

    assert isinstance(given(ADA, change), AskPin)
    directory = building(change)
    answer = permit(directory, directory.elevators["lift"], Presented(card(ADA), "2580"), now())
    assert isinstance(answer, Permit)
    assert answer.for_s == 33
