"""Schedules and times in words, and words that are times."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge.people.times import parse_at
from edge.people.words import end_words, listed, moment_words, schedule_words, week_words
from tests.support.directories import BERLIN, made

MON_FRI = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "06:00", "to": "22:00"}
MONDAY = datetime(2026, 11, 30, 15, 24, 30, tzinfo=BERLIN)


def schedule(*weekly: dict[str, Any], **more: Any) -> Any:
    entry = {"id": "s", "name": "S", "kind": "access", "weekly": [*weekly], **more}
    return made({"version": 1, "schedules": [entry]}).schedules["s"]


@pytest.mark.parametrize(
    ("weekly", "words"),
    [
        ([MON_FRI], "Mon-Fri 06:00-22:00"),
        ([{"days": ["mon", "wed", "fri"], "from": "20:00", "to": "02:00"}], "Mon, Wed, Fri 20:00-02:00"),
        (
            [MON_FRI, {"days": ["sat"], "from": "08:00", "to": "12:00"}],
            "Mon-Fri 06:00-22:00, Sat 08:00-12:00",
        ),
        (
            [{"days": ["sat", "sun"], "from": "13:00", "to": "24:00"},
             {"days": ["sat", "sun"], "from": "08:00", "to": "12:00"}],
            "Sat, Sun 08:00-12:00 and 13:00-24:00",
        ),
        ([{"days": ["mon", "tue", "wed", "fri", "sat", "sun", "thu"], "from": "00:00", "to": "24:00"}],
         "every day 00:00-24:00"),
        ([{"days": ["mon", "tue", "wed", "sat", "sun"], "from": "08:00", "to": "09:00"}],
         "Mon-Wed, Sat, Sun 08:00-09:00"),
        ([], "never"),
    ],
)  # fmt: skip
def test_a_week_in_words(weekly: list[dict[str, Any]], words: str) -> None:
    assert week_words(schedule(*weekly)) == words
    assert schedule_words(schedule(*weekly), MONDAY.date()) == words


def test_what_else_there_is_counts_from_today_on() -> None:
    exceptions = [{"date": "2026-12-24", "until": "2027-01-01"}]
    openings = [{"from": "2026-12-12T10:00", "to": "2026-12-12T16:00"}]
    one = schedule(MON_FRI, exceptions=exceptions, openings=openings)
    words = "Mon-Fri 06:00-22:00"
    assert schedule_words(one, date(2026, 12, 12)) == f"{words} (9 days with exceptions, 1 opening)"
    assert schedule_words(one, date(2026, 12, 13)) == f"{words} (9 days with exceptions)"
    assert schedule_words(one, date(2027, 1, 1)) == f"{words} (1 day with an exception)"
    assert schedule_words(one, date(2027, 1, 2)) == words


def test_a_moment_in_words() -> None:
    sunday = datetime(2026, 12, 6, 22, 0, tzinfo=BERLIN)
    assert moment_words(sunday, MONDAY, BERLIN) == "Sunday 22:00"
    assert moment_words(sunday, datetime(2026, 11, 29, 21, 0, tzinfo=UTC), BERLIN) == "Sunday 2026-12-06 22:00"
    assert moment_words(MONDAY, sunday, BERLIN) == "Monday 2026-11-30 15:24"
    assert end_words(MONDAY.replace(hour=22, minute=0), MONDAY, BERLIN) == "22:00"
    assert end_words(datetime(2026, 12, 1, 2, 0, tzinfo=BERLIN), MONDAY, BERLIN) == "Tuesday 02:00"
    assert (listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"], "or")) == ("a", "a and b", "a, b or c")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-11-30T15:24:30+01:00"),
        ("22:00", "2026-11-30T22:00+01:00"),
        ("15:24", "2026-11-30T15:24+01:00"),
        ("8:00", "2026-12-01T08:00+01:00"),
        ("today 08:00", "2026-11-30T08:00+01:00"),
        ("yesterday 08:00", "2026-11-29T08:00+01:00"),
        ("Tomorrow  08:00", "2026-12-01T08:00+01:00"),
        ("sun 22:00", "2026-12-06T22:00+01:00"),
        ("Sunday 22:00", "2026-12-06T22:00+01:00"),
        ("mon 16:00", "2026-11-30T16:00+01:00"),
        ("mon 15:00", "2026-12-07T15:00+01:00"),
        ("2026-12-24T10:00", "2026-12-24T10:00+01:00"),
        ("2026-12-24 10:00", "2026-12-24T10:00+01:00"),
        ("2026-12-24T10:00Z", "2026-12-24T10:00+00:00"),
        ("2026-12-24", "2026-12-24T00:00+01:00"),
        ("2026-10-25T02:30", "2026-10-25T02:30+02:00"),  # of two the first
        ("2026-03-29T02:30", "2026-03-29T03:00+02:00"),  # of none the jump
    ],
)
def test_words_are_moments_of_the_site(text: str, moment: str) -> None:
    assert parse_at(text, MONDAY.astimezone(ZoneInfo("America/New_York")), BERLIN) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "t 10:00", "th 10:00", "day 10:00", "sun", "0001-01-01", "9999-12-31"]
)
def test_what_is_no_time_says_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="is no time, expected now, or a time such as"):
        parse_at(text, MONDAY, BERLIN)
