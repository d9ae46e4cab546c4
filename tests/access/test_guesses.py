"""Counting guesses at one reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.access.guesses import (
    DAY_NS,
    LONGEST_LOCKOUT_S,
    MOST_AT_READER_A_DAY,
    MOST_CARDS,
    MOST_OF_ONE_A_DAY,
    MOST_PERSONS,
    Guesses,
    PersonGuesses,
    cards_locked,
    pins_locked,
    right_pin,
    unknown_card,
    wrong_pin,
)
from edge.directory.directory import Ask, ReaderPolicy
from edge.model.messages import NS_PER_S

ASKING = ReaderPolicy(Ask.PIN, wrong_pins=3, wrong_pins_within_s=60, locked_out_s=120)


def typed(times_s: list[float], asking: ReaderPolicy = ASKING) -> tuple[Guesses, list[float]]:
    """Wrong PINs at these times; how long each lock-out lasts."""
    guesses, locked = Guesses(), []
    for at_s in times_s:
        guesses, too_many = wrong_pin(guesses, asking, "", round(at_s * NS_PER_S))
        locked += [too_many.locked_out_s] if too_many else []
    return guesses, locked


@pytest.mark.parametrize(("gap_s", "locks"), [(29.9, True), (30.0, False)])
def test_so_many_within_a_time_lock_the_keypad(gap_s: float, locks: bool) -> None:
    guesses, locked = typed([100, 100 + gap_s, 100 + 2 * gap_s])
    assert bool(locked) == locks
    end_ns = round((100 + 2 * gap_s + 120) * NS_PER_S)
    assert pins_locked(guesses, end_ns - 1) == locks
    assert not pins_locked(guesses, end_ns)
    assert not cards_locked(guesses, 0)


def test_what_led_to_a_lock_out_does_not_lead_to_the_next_one() -> None:
    asking = ReaderPolicy(Ask.PIN, wrong_pins=3, wrong_pins_within_s=3600, locked_out_s=10)
    assert typed([1, 2, 3, 20, 21], asking)[1] == [10]
    assert typed([1, 2, 3, 20, 21, 22], asking)[1] == [10, 20]


def test_an_hour_has_a_limit_of_its_own() -> None:
    asking = ReaderPolicy(Ask.PIN, wrong_pins=3, wrong_pins_an_hour=4, locked_out_s=60)
    assert typed([0, 1000, 2000, 3599], asking)[1] == [60]
    assert typed([0, 1000, 2000, 3601], asking)[1] == []


def test_lock_outs_get_longer_and_short_again_after_an_hour_without() -> None:
    minute = [0.0, 1.0, 2.0]
    times = [start + at for start in (0, 300, 800, 1600, 2700, 8000) for at in minute]
    assert typed(times, ReaderPolicy(Ask.PIN, wrong_pins=3, wrong_pins_an_hour=1000))[1] == [60, 120, 240, 480, 900, 60]
    longer = ReaderPolicy(Ask.PIN, wrong_pins=3, wrong_pins_an_hour=1000, locked_out_s=3600)
    assert max(typed(times, longer)[1]) == 3600 > LONGEST_LOCKOUT_S


def test_a_pin_alone_forgives_nothing_and_a_card_forgives_its_own() -> None:
    guesses = Guesses()
    for card in ("a", "b", ""):
        guesses, _ = wrong_pin(guesses, ASKING, card, NS_PER_S)
    assert [card for _, card in right_pin(guesses, "").wrong] == ["a", "b", ""]
    assert [card for _, card in right_pin(guesses, "a").wrong] == ["b", ""]


def test_many_unknown_cards_in_an_hour_raise_the_alarm_and_lock_nobody_out() -> None:
    guesses, alarms = Guesses(), []
    for number in range(MOST_CARDS + 50):
        guesses, too_many = unknown_card(guesses, ASKING, str(number), number * 20 * NS_PER_S)
        alarms += [(number, too_many)] if too_many else []
    assert [(number, one.locked_out_s) for number, one in alarms] == [(99, 0)]
    assert not cards_locked(guesses, 0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 4000)), max_size=60), st.integers(1, 5))
def test_it_stays_small_and_shows_no_card(steps: list[tuple[str, bool, int]], limit: int) -> None:
    asking, guesses, now_ns = ReaderPolicy(Ask.PIN, wrong_pins=limit, wrong_pins_an_hour=limit + 3), Guesses(), 0
    for card, unknown, gap_s in steps:
        now_ns += gap_s * NS_PER_S
        count = unknown_card if unknown else wrong_pin
        guesses, _ = count(guesses, asking, card * 40, now_ns)
        assert len(guesses.wrong) <= limit + 3
        assert len(guesses.unknown) <= 3
        assert len(guesses.lockouts) <= 3600 / 10
        assert "aaa" not in repr(guesses)


def test_one_persons_pin_is_guarded_through_a_day_also_from_whoever_is_patient() -> None:
    """19 guesses an hour stay below the limit of an hour."""
    persons, asking, alarms = PersonGuesses(), ReaderPolicy(Ask.CARD_AND_PIN), []
    for number in range(MOST_OF_ONE_A_DAY + 2):
        at_ns = (1000 + number * 190) * NS_PER_S
        assert not persons.locked("ada", at_ns)
        alarms.append(persons.wrong_pin("ada", asking, at_ns))
        assert persons.locked("ada", at_ns) is (alarms[-1] is not None)
        assert not persons.locked("bob", at_ns)
    assert [alarm.reason for alarm in alarms if alarm] == [
        f"{count} wrong PINs within a day for one person" for count in range(MOST_OF_ONE_A_DAY, MOST_OF_ONE_A_DAY + 3)
    ][: sum(alarm is not None for alarm in alarms)]
    assert alarms[MOST_OF_ONE_A_DAY - 1] is not None
    assert alarms[MOST_OF_ONE_A_DAY - 2] is None
    persons.right_pin("ada")
    assert persons.wrong_pin("ada", asking, at_ns + NS_PER_S) is None


def test_a_day_of_mistyping_at_one_reader_is_an_alarm_and_locks_nobody() -> None:
    guesses, asking, alarms = Guesses(), ReaderPolicy(Ask.PIN), []
    for number in range(MOST_AT_READER_A_DAY + 2):
        guesses, too_many = wrong_pin(guesses, asking, "", (1000 + number * 200) * NS_PER_S)
        alarms += [too_many] if too_many else []
    assert [(alarm.reason, alarm.locked_out_s) for alarm in alarms] == [("200 wrong PINs within a day", 0.0)]
    later_ns = (1000 + 200 * MOST_AT_READER_A_DAY) * NS_PER_S + DAY_NS
    assert wrong_pin(guesses, asking, "", later_ns)[0].in_day == 1


def test_only_so_many_persons_are_remembered() -> None:
    persons, asking = PersonGuesses(), ReaderPolicy(Ask.CARD_AND_PIN, wrong_pins=1)
    for number in range(MOST_PERSONS + 1):
        persons.wrong_pin(f"m{number}", asking, NS_PER_S)
    assert not persons.locked("m0", NS_PER_S)
    assert persons.locked("m1", NS_PER_S)
