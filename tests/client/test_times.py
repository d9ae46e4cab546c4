"""Times as a technician writes them mean what a calendar on the wall says, also when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.client.times import duration_s, parse_coming, parse_time, to_us

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 22, 57, 3, tzinfo=BERLIN)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Africa/Cairo"])
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- zone beside


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-11-22T21:57:03"),
        ("30s", "2026-11-22T21:56:33"),
        ("30m", "2026-11-22T21:27:03"),
        (" 2H ", "2026-11-22T19:57:03"),
        ("3 d", "2026-11-19T21:57:03"),
        ("1w", "2026-11-15T21:57:03"),
        ("today", "2026-11-21T23:00:00"),
        ("Yesterday", "2026-11-20T23:00:00"),
        ("this week", "2026-11-15T23:00:00"),
        ("last week", "2026-11-08T23:00:00"),
        ("this month", "2026-10-31T23:00:00"),
        ("Last Month", "2026-09-30T22:00:00"),
        ("this year", "2025-12-31T23:00:00"),
        ("last year", "2024-12-31T23:00:00"),
        ("2026-11-22", "2026-11-21T23:00:00"),
        ("2026-11-22T21:57", "2026-11-22T20:57:00"),
        ("2026-11-22 21:57:03.5", "2026-11-22T20:57:03.500000"),
        ("2026-11-22T21:57Z", "2026-11-22T21:57:00"),
        ("2026-11-22T21:57+05:30", "2026-11-22T16:27:00"),
        ("2026-07-01T12:00", "2026-07-01T10:00:00"),
    ],
)
def test_a_time_means(text: str, meant: str) -> None:
    assert parse_time(text, NOW) == utc(meant)


@pytest.mark.parametrize(
    ("now", "text", "meant"),
    [
        # 2026-03-29: 02:00 becomes 03:00 in Berlin; the day has 23 hours
        (datetime(2026, 3, 29, 12, tzinfo=BERLIN), "today", "2026-03-28T23:00:00"),
        (datetime(2026, 3, 30, 12, tzinfo=BERLIN), "yesterday", "2026-03-28T23:00:00"),
        (datetime(2026, 3, 29, 12, tzinfo=BERLIN), "12h", "2026-03-28T22:00:00"),
        (datetime(2026, 3, 29, 12, tzinfo=BERLIN), "2026-03-29T02:30", "2026-03-29T01:30:00"),
        # 2026-10-25: 03:00 becomes 02:00; the hour from 02:00 comes twice, the first is meant
        (datetime(2026, 10, 25, 12, tzinfo=BERLIN), "today", "2026-10-24T22:00:00"),
        (datetime(2026, 10, 26, 12, tzinfo=BERLIN), "yesterday", "2026-10-24T22:00:00"),
        (datetime(2026, 10, 25, 12, tzinfo=BERLIN), "1d", "2026-10-24T11:00:00"),
        (datetime(2026, 10, 25, 12, tzinfo=BERLIN), "2026-10-25T02:30", "2026-10-25T00:30:00"),
    ],
)
def test_when_the_clocks_change(now: datetime, text: str, meant: str) -> None:
    assert parse_time(text, now) == utc(meant)


@pytest.mark.parametrize(
    "text", ["", "soon", "2x", "-2h", "2026-13-01", "9999999d", "999999w", "22:00", "2026-11-22T25:00", "0001-01-01"]
)
def test_what_is_no_time_is_said_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time, expected a time such as 30m, 2h"):
        parse_time(text, NOW)


@given(st.text(max_size=24))
def test_any_text_is_a_time_or_a_sentence(text: str) -> None:
    try:
        assert parse_time(text, NOW).tzinfo is UTC
    except ValueError as error:
        assert "expected a time such as" in str(error)  # noqa: PT017 -- either is right


@given(MOMENTS, ZONES)
def test_what_is_shown_can_be_asked_for(moment: datetime, zone: str) -> None:
    local = moment.astimezone(ZoneInfo(zone))
    assert parse_time(local.isoformat(), NOW) == moment


@given(MOMENTS, ZONES)
def test_yesterday_ends_where_today_begins_and_both_are_past(moment: datetime, zone: str) -> None:
    now = moment.astimezone(ZoneInfo(zone))
    today, yesterday = parse_time("today", now), parse_time("yesterday", now)
    assert yesterday < today <= moment
    assert today - yesterday <= timedelta(hours=49)  # Apia once skipped a whole day


@given(MOMENTS)
def test_microseconds_are_exact(moment: datetime) -> None:
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=to_us(moment)) == moment


@pytest.mark.parametrize(
    ("text", "meant"),
    [("7.5", 7.5), ("90s", 90.0), ("5m", 300.0), (" 8H ", 28_800.0), ("2 d", 172_800.0), ("1w", 604_800.0)],
)
def test_a_length_of_time(text: str, meant: float) -> None:
    assert duration_s(text) == meant


@pytest.mark.parametrize("text", ["", "soon", "-5", "5y", "1e9", "8h30m", "99999999", "0x10", "٣s"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="no length of time"):
        duration_s(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("23:00", "2026-11-22T23:00:00+01:00"),
        ("20:00", "2026-11-23T20:00:00+01:00"),
        ("22:57:03", "2026-11-23T22:57:03+01:00"),
        ("2026-11-22T23:00", "2026-11-22T23:00:00+01:00"),
        ("2026-11-22T23:00Z", "2026-11-22T23:00:00+00:00"),
        ("2027-07-01 12:00", "2027-07-01T12:00:00+02:00"),
    ],
)
def test_a_time_to_come(text: str, meant: str) -> None:
    assert parse_coming(text, NOW).isoformat() == meant


@pytest.mark.parametrize("text", ["2026-11-22T22:57:03", "2001-01-01", "later", "", "25:00", "20:00+02:00", "8h"])
def test_what_is_no_time_to_come(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|is in the past"):
        parse_coming(text, NOW)
