"""What is told of who may pass is what the door does, in every minute of a week in which the clock is set.

The door is asked as the readers ask it, with the bits that the cards send and the PINs themselves.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.access import credentials
from edge.access.anti_passback import NOBODY, Passback
from edge.access.credentials import AccessRefused, AskPin, Code, Now, Presented
from edge.access.decisions import decide
from edge.access.elevator_rules import Permit, permit
from edge.directory.cards import encode, layout
from edge.doors.progress import Moment
from edge.doors.state import Door, OperatorMode
from edge.model.messages import CardRead, ClockQuality
from edge.model.schedule import active
from edge.people.access.explaining import Circumstances, explain
from edge.people.access.passing import RowQuery, of_group, of_member, of_place
from edge.people.access.places import find_place, places
from edge.people.finding import Somebody, everybody
from edge.people.roll import Roll
from edge.people.slices import at_once
from tests.support.directories import CHEAP, DOORS, cheap, documents, made

if TYPE_CHECKING:
    from edge.directory.directory import Card, Directory
    from edge.model.schedule import Schedule
    from edge.people.access.passing import Row
    from edge.people.access.places import Place

NAMES = {door: f"The {door} door" for door in DOORS}
ALL = RowQuery(10_000)
PINS = ("1234", "4711", "2580")
DIGESTS = {pin: {CHEAP: CHEAP.digest(pin)} for pin in PINS}
TOKENS = {hashlib.sha256(bytes.fromhex(one)).hexdigest(): bytes.fromhex(one) for one in ("ab" * 16, "cd" * 16)}
SET_BACK = datetime(2026, 10, 18, 22, tzinfo=UTC)
"""Monday, 00:00 in Berlin; on the Sunday of that week there is 02:00 to 03:00 twice."""
SET_FORWARD = datetime(2026, 3, 22, 23, tzinfo=UTC)
"""Monday, 00:00 in Berlin; on the Sunday of that week there is no 02:00 to 03:00."""
WEEK = timedelta(days=7)
MINUTE = timedelta(minutes=1)


def read_of(card: Card) -> CardRead:
    """What a reader sends: made of what is printed on the card, not of what it is looked up by."""
    if card.token:
        return CardRead("reader", 128, TOKENS[card.number], 1)
    if card.bits is not None:
        return CardRead("reader", card.bits, bytes.fromhex(card.number), 1)
    shape = layout(card.format, card.facility)
    assert shape is not None
    value = encode(shape, card.facility, int(card.number)) << (-shape.bits % 8)
    return CardRead("reader", shape.bits, value.to_bytes((shape.bits + 7) // 8), 1)


class Truth(NamedTuple):
    """What a reader says to all that somebody has."""

    granted: bool
    by: frozenset[str]
    """Names of the groups that are recorded."""
    codes: frozenset[Code]
    """Of the refusals."""


def truth(  # noqa: PLR0913, PLR0917 -- what a decision depends on
    directory: Directory, somebody: Somebody, place: Place, now: Now, door: Door, passback: Passback = NOBODY
) -> Truth:
    answers: list[Any] = []

    def show(card: CardRead | None, pin: str | None = None) -> Any:
        digests = DIGESTS[pin] if pin else {}
        if place.elevator is not None:
            return permit(directory, place.elevator, Presented(card, pin), now, digests)
        return decide(directory, door, Presented(card, pin), now, passback=passback, digests=digests)

    member = somebody.member
    for card in (*member.cards, *member.backup_cards) if member else ():
        read = read_of(directory.cards[card])
        answer = show(read)
        if isinstance(answer, AskPin):
            tries = [show(read, pin) for pin in PINS]
            [answer] = [one for one in tries if getattr(one, "code", None) is not Code.WRONG_PIN]
        answers.append(answer)
    alone = [show(None, pin) for pin in PINS] if member else []
    answers += [one for one in alone if whose(one) == somebody.id]
    granted = [one.granted if isinstance(one, Permit) else one for one in answers if not isinstance(one, AccessRefused)]
    refused = frozenset(one.code for one in answers if isinstance(one, AccessRefused))
    return Truth(bool(granted), frozenset(one.group.name for one in granted), refused)


def whose(answer: Any) -> str | None:
    decision = answer.granted if isinstance(answer, Permit) else answer
    return None if decision.member is None else str(decision.member.id)


def order_of(directory: Directory) -> list[str]:
    return at_once(Roll().order(directory, 1))


def told(directory: Directory, place: Place, order: list[str], now: Now) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in at_once(of_place(directory, place, order, now, ALL)).rows:
        found.setdefault(row.member.id, []).append(row)
    return found


def agrees(directory: Directory, now: Now) -> None:
    """Lists, explanations and doors say the same."""
    people = [one for one in everybody(directory) if one is not None]
    ways, order = places(directory, NAMES), order_of(directory)
    for place in ways:
        rows, door = told(directory, place, order, now), Door(place.id, place.name)
        for somebody in people:
            is_so = truth(directory, somebody, place, now, door)
            own = rows.get(somebody.id, []) if somebody.member else []
            assert any(row.now for row in own) == is_so.granted, (place.id, somebody.id, now)
            assert is_so.by <= {row.group.name for row in own if row.now}
            explained = explain(directory, somebody, place, now, Circumstances())
            assert (bool(explained.granted), explained.code in {None, *is_so.codes}) == (is_so.granted, True)
            assert {one.code for one in explained.attempts} - {None} == is_so.codes
            assert (explained.code is None) == (is_so.granted or not explained.attempts)
    for somebody in people:
        if somebody.member is not None:
            page = at_once(of_member(directory, somebody.member, ways, now, ALL))
            listed = {(row.place.id, row.group.id, row.now, row.ask) for row in page.rows if row.place}
            assert listed == {
                (place.id, row.group.id, row.now, row.ask)
                for place in ways
                for row in told(directory, place, order, now).get(somebody.id, [])
            }


NIGHT = {"from": "02:30", "to": "02:45"}
BUILDING: dict[str, Any] = {
    "version": 1,
    "users": [{"id": one, "name": one.title()} for one in ("ada", "bob", "cleo", "dora", "emil", "fay", "gus")],
    "members": [
        {"id": "ada", "user": "ada", "cards": ["a"], "backup_cards": ["spare"], "disabled_cards": ["spare"],
         "groups": ["week", "always"], "pin_hash": cheap("2580")},
        {"id": "bob", "user": "bob", "cards": ["b"], "groups": ["night"], "pin_hash": cheap("4711"), "pin_alone": True},
        {"id": "cleo", "user": "cleo", "cards": ["c"], "groups": ["week", "night"],
         "valid_from": "2026-03-29T01:59+01:00", "valid_until": "2026-10-25T02:40+01:00"},
        {"id": "dora", "user": "dora", "cards": ["lost"], "groups": ["always"]},
        {"id": "fay", "user": "fay", "cards": ["f"], "disabled_cards": ["f"], "groups": ["always", "week"]},
        {"id": "gus", "user": "gus", "groups": ["week", "always"], "pin_hash": cheap("1234")},
        {"id": "emil", "user": "emil", "enabled": False, "cards": ["e"], "groups": ["always"]},
    ],
    "cards": [
        {"id": "a", "format": "wiegand26", "facility": 12, "number": 1},
        {"id": "spare", "format": "wiegand26", "facility": 12, "number": 2},
        {"id": "b", "format": "raw", "number": "04a3b2c1d25e80"},
        {"id": "c", "format": "token", "number": "ab" * 16},
        {"id": "lost", "format": "wiegand34", "facility": 12, "number": 3, "state": "inactive"},
        {"id": "e", "format": "wiegand37", "number": 4},
        {"id": "f", "format": "wiegand37", "number": 5},
    ],
    "groups": [
        {"id": "week", "name": "Week", "doors": ["front", "garage"], "schedule": "week",
         "stops": [{"elevator": "lift", "floors": ["0", "1"]}]},
        {"id": "night", "name": "Night", "doors": ["front", "back"], "schedule": "night"},
        {"id": "always", "name": "Always", "doors": ["back"], "stops": [{"elevator": "lift", "floors": ["2"]}]},
    ],
    "schedules": [
        {"id": "week", "name": "Week", "kind": "access",
         "weekly": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "06:00", "to": "22:00"}],
         "exceptions": [{"date": "2026-10-21", "windows": [{"from": "22:00", "to": "03:00"}]}, {"date": "2026-03-26"}],
         "openings": [{"from": "2026-10-25T00:30+02:00", "to": "2026-10-25T02:15+01:00"}]},
        {"id": "night", "name": "Night", "kind": "access", "weekly": [{"days": ["sun", "mon"], **NIGHT}]},
    ],
    "doors": [{"id": "front", "ask": "card_or_pin"}, {"id": "garage", "ask": "card_and_pin"}],
    "elevators": [{"id": "lift", "name": "Lift", "floors": [{"id": n, "name": f"Floor {n}"} for n in "012"]}],
}  # fmt: skip


@pytest.fixture
def quick_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each schedule is asked once about each moment, whoever wants to know."""
    known: dict[tuple[int, datetime], bool] = {}

    def asked_once(schedule: Schedule, at: datetime) -> bool:
        key = id(schedule), at
        if key not in known:
            known[key] = active(schedule, at)
        return known[key]

    monkeypatch.setattr(credentials, "active", asked_once)


WEEKS = pytest.mark.parametrize("monday", [SET_BACK, SET_FORWARD], ids=["back", "forward"])


@pytest.mark.usefixtures("quick_calendar")
@WEEKS
def test_lists_agree_in_every_minute_of_a_week_in_which_the_clock_is_set(monday: datetime) -> None:
    directory = made(BUILDING)
    ways, order = places(directory, NAMES), order_of(directory)
    people = [Somebody(one.id, directory.users[one.user], one) for one in directory.members.values()]
    seen = set()
    for minute in range(WEEK // MINUTE):
        now = Now(Moment(monday + minute * MINUTE))
        for place in ways:
            rows, door = told(directory, place, order, now), Door(place.id, place.name)
            may = {one for one, own in rows.items() if any(row.now for row in own)}
            for somebody in people:
                assert truth(directory, somebody, place, now, door).granted == (somebody.id in may), (place.id, now)
            seen.add((place.id, frozenset(may)))
    assert len(seen) >= 8, "it is about something"


@WEEKS
def test_explanations_agree_while_the_clock_is_set(monday: datetime) -> None:
    directory, sunday = made(BUILDING), monday + timedelta(days=6)
    for minute in range(0, 300, 7):
        agrees(directory, Now(Moment(sunday + minute * MINUTE)))


def test_until_goes_on_where_another_group_takes_over() -> None:
    evening = {"days": ["mon"], "from": "21:00", "to": "23:00"}
    own = BUILDING | {"schedules": [BUILDING["schedules"][0], BUILDING["schedules"][1] | {"weekly": [evening]}]}
    directory = made(own)
    place = find_place(directory, NAMES, "front")
    [cleo] = [one for one in everybody(directory) if one is not None and one.id == "cleo"]
    monday = SET_BACK + timedelta(days=-7)
    for hour, until in ((7, 23), (22, 23), (23, None)):
        found = explain(directory, cleo, place, Now(Moment(monday + timedelta(hours=hour))), Circumstances())
        assert found.until == (None if until is None else monday + timedelta(hours=until))


@st.composite
def weeks(draw: Any) -> tuple[Directory, datetime]:
    """Any directory, its schedules having windows at the time when clocks are set; and a minute of such a week."""
    document = draw(documents())
    clocks = st.sampled_from(["01:59", "02:00", "02:30", "03:00", "12:00", "24:00"])
    for schedule in document["schedules"]:
        for window in schedule["weekly"]:
            window["from"], window["to"] = draw(clocks.filter(lambda clock: clock != "24:00")), draw(clocks)
    monday = draw(st.sampled_from([SET_BACK, SET_FORWARD]))
    minute = st.integers(0, WEEK // MINUTE - 1) | st.integers(6 * 24 * 60, 6 * 24 * 60 + 300)
    return made(document), monday + draw(minute) * MINUTE


@settings(max_examples=150, deadline=None)
@given(weeks(), st.sampled_from(ClockQuality), st.booleans())
def test_any_directory_agrees_with_its_doors(
    case: tuple[Directory, datetime], quality: ClockQuality, all_run: bool
) -> None:
    directory, at = case
    running = frozenset(directory.schedules) if all_run else frozenset()
    agrees(directory, Now(Moment(at, quality, at if all_run else None), running=running))


@settings(max_examples=100, deadline=None)
@given(weeks())
def test_until_is_the_first_moment_at_which_the_door_refuses(case: tuple[Directory, datetime]) -> None:
    directory, at = case
    for place in places(directory, NAMES):
        for somebody in everybody(directory):
            now = Now(Moment(at))
            found = None if somebody is None else explain(directory, somebody, place, now, Circumstances())
            if somebody is None or found is None or not found.granted:
                continue
            moments = [at + timedelta(hours=9 * n) for n in range(40)]
            if found.until is not None:
                before = found.until - timedelta(microseconds=1)
                moments = [before, *(one for one in moments if one < found.until)]
                assert not truth(directory, somebody, place, Now(Moment(found.until)), Door(place.id, "")).granted
            for moment in moments:
                assert truth(directory, somebody, place, Now(Moment(moment)), Door(place.id, "")).granted


def test_the_state_of_the_door_counts_where_it_is_known() -> None:
    directory = made(BUILDING | {"doors": [{"id": "back", "anti_passback": {"exit": "front", "mode": "hard"}}]})
    now, inside = Now(Moment(SET_BACK)), Passback({"back": {"ada": 0}})
    [ada, *_] = [one for one in everybody(directory) if one is not None]
    place = find_place(directory, NAMES, "back")
    for facets, passback, code in (
        ({}, NOBODY, None),
        ({"locked_down": True}, NOBODY, Code.LOCKED_DOWN),
        ({"operator": OperatorMode.BLOCKED}, NOBODY, Code.BLOCKED),
        ({"interlocked_by": "front"}, NOBODY, Code.INTERLOCK),
        ({}, inside, Code.ANTI_PASSBACK),
    ):
        door = Door("back", "Back", **facets)  # type: ignore[arg-type]
        found = explain(directory, ada, place, now, Circumstances(door, passback))
        assert found.code == code
        assert truth(directory, ada, place, now, door, passback).granted == bool(found.granted)


def test_those_of_a_group_may_pass_when_it_holds_and_they_have_something_to_show() -> None:
    directory = made(BUILDING)
    ways = [one for one in places(directory, NAMES) if one.is_passed_by(directory.groups["always"])]
    page = at_once(
        of_group(directory, directory.groups["always"], ways, order_of(directory), Now(Moment(SET_BACK)), ALL)
    )
    assert [(row.member.id, row.place, row.now) for row in page.rows] == [("ada", None, True)]
    night = directory.groups["night"]
    page = at_once(
        of_group(directory, night, places(directory, NAMES)[:2], order_of(directory), Now(Moment(SET_BACK)), ALL)
    )
    assert [(row.member.id, row.now) for row in page.rows] == [("bob", False), ("cleo", False)]
