"""A schedule as a form and as a picture."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.web.schedule_words import DAYS, Bar, hours_text, month, read_hours, read_week, week_bars, week_texts

CLOCK = st.builds(lambda minute: f"{minute // 60:02}:{minute % 60:02}", st.integers(0, 24 * 60 - 1))
PARTS = st.lists(
    st.fixed_dictionaries({"days": st.sets(st.sampled_from([*DAYS]), min_size=1), "from": CLOCK, "to": CLOCK}),
    max_size=5,
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", []),
        (" Closed ", []),
        ("08:00-12:00, 13-17:30", [("08:00", "12:00"), ("13:00", "17:30")]),
        ("8 – 24", [("08:00", "24:00")]),  # noqa: RUF001 -- as people type it
        ("22:00-06:00", [("22:00", "06:00")]),
    ],
)
def test_hours_are_read_as_people_type_them(text: str, read: list[tuple[str, str]]) -> None:
    assert [(one["from"], one["to"]) for one in read_hours(text)] == read


@pytest.mark.parametrize("text", ["8", "8-", "eight to five", "08:00-12:00;13:00-17:00", "08:0-9", "-", ","])
def test_what_are_no_hours_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected hours like .08:00-12:00"):
        read_hours(text)
    with pytest.raises(ValueError, match="Tuesday: found"):
        read_week({"tue": text})


@given(PARTS)
def test_a_week_that_is_shown_and_saved_is_the_same(weekly: list[dict[str, object]]) -> None:
    def hours(parts: list[dict[str, object]]) -> set[tuple[str, object, object]]:
        return {(day, one["from"], one["to"]) for one in parts for day in one["days"]}  # type: ignore[attr-defined]

    assert hours(read_week(week_texts(weekly))) == hours(weekly)  # type: ignore[arg-type]


def test_bars_go_on_after_midnight() -> None:
    bars = week_bars(
        [
            {"days": ["sun"], "from": "22:00", "to": "06:00"},
            {"days": ["mon"], "from": "08:00", "to": "24:00"},
            {"days": ["tue"], "from": "20:00", "to": "00:00"},
        ]
    )
    assert bars["sun"] == [Bar(1320, 1440)]
    assert bars["mon"] == [Bar(0, 360), Bar(480, 1440)]
    assert bars["tue"] == [Bar(1200, 1440)]
    assert bars["wed"] == []


def test_a_month_shows_its_exceptions() -> None:
    weeks = month(
        date(2026, 12, 1),
        [
            {"date": "2026-12-24", "until": "2027-01-31"},
            {"date": "2026-12-05", "windows": [{"from": "10:00", "to": "12:00"}]},
        ],
    )
    days = {day.date: day for week in weeks for day in week}
    assert (min(days), max(days)) == (date(2026, 11, 30), date(2027, 1, 3))
    assert days[date(2026, 11, 30)].outside
    assert days[date(2026, 12, 5)].hours == "10:00-12:00"
    assert days[date(2026, 12, 23)].hours is None
    assert [days[one].hours for one in (date(2026, 12, 24), date(2027, 1, 3))] == ["closed", "closed"]
    assert hours_text([]) == "closed"
