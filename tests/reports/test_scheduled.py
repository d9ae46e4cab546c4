"""When a scheduled report is due, what it covers and what it is called."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.reports.scheduled import Rhythm, dues_before, file_name, labels, missing, next_due

BERLIN = ZoneInfo("Europe/Berlin")


def us(text: str, zone: ZoneInfo = BERLIN) -> int:
    at = datetime.fromisoformat(text).replace(tzinfo=zone)
    return round(at.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("every", "now", "at", "since", "until", "label"),
    [
        ("day", "2026-11-22 05:59", "2026-11-22 06:00", "2026-11-21", "2026-11-22", "2026-11-21"),
        ("day", "2026-11-22 06:00", "2026-11-23 06:00", "2026-11-22", "2026-11-23", "2026-11-22"),
        ("day", "2026-12-31 23:00", "2027-01-01 06:00", "2026-12-31", "2027-01-01", "2026-12-31"),
        ("week", "2026-11-22 12:00", "2026-11-23 06:00", "2026-11-16", "2026-11-23", "2026-W47"),
        ("week", "2026-11-23 06:01", "2026-11-30 06:00", "2026-11-23", "2026-11-30", "2026-W48"),
        ("week", "2027-01-01 00:00", "2027-01-04 06:00", "2026-12-28", "2027-01-04", "2026-W53"),
        ("month", "2026-11-22 12:00", "2026-12-01 06:00", "2026-11-01", "2026-12-01", "2026-11"),
        ("month", "2028-02-29 12:00", "2028-03-01 06:00", "2028-02-01", "2028-03-01", "2028-02"),
        # a day of 23 hours, and one of 25
        ("day", "2026-03-29 12:00", "2026-03-30 06:00", "2026-03-29", "2026-03-30", "2026-03-29"),
        ("day", "2026-10-25 12:00", "2026-10-26 06:00", "2026-10-25", "2026-10-26", "2026-10-25"),
    ],
)
def test_the_next_report(every: str, now: str, at: str, since: str, until: str, label: str):  # noqa: PLR0913, PLR0917 -- a row
    due = next_due(Rhythm(every, time(6), BERLIN), us(now))
    assert (due.at_us, due.since_us, due.until_us, due.label) == (us(at), us(since), us(until), label)


def test_a_time_that_is_skipped_or_comes_twice():
    rhythm = Rhythm("day", time(2, 30), BERLIN)
    assert next_due(rhythm, us("2026-03-29 00:30")).at_us == us("2026-03-29 03:30")
    assert next_due(rhythm, us("2026-10-25 00:30")).at_us == us("2026-10-25 02:30")
    hours = [(one.until_us - one.since_us) // 3_600_000_000 for one in (next_due(rhythm, us("2026-03-29 12:00")),)]
    assert hours == [23]


@given(
    st.sampled_from(["day", "week", "month"]),
    st.times(),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Pacific/Apia", "UTC", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 -- hypothesis wants them so
)
def test_reports_follow_each_other_without_gap_or_overlap(every: str, at: time, zone: str, now: datetime):
    rhythm = Rhythm(every, at.replace(second=0, microsecond=0), ZoneInfo(zone))
    now_us = round(now.replace(tzinfo=UTC).timestamp()) * 1_000_000
    following, past = next_due(rhythm, now_us), dues_before(rhythm, now_us)
    latest, before = next(past), next(past)
    assert before.at_us < latest.at_us <= now_us < following.at_us
    assert before.until_us == latest.since_us
    assert latest.until_us == following.since_us
    assert before.label < latest.label < following.label
    assert all(one.since_us < one.until_us <= one.at_us for one in (before, latest, following))


def test_what_was_missed_is_made_up_for_back_to_the_last_there():
    rhythm = Rhythm("day", time(6), BERLIN)
    now_us = us("2026-11-22 12:00")
    assert [one.label for one in missing(rhythm, now_us, [], 30)] == ["2026-11-21"]
    assert [one.label for one in missing(rhythm, now_us, ["2026-11-18"], 30)] == [
        "2026-11-19",
        "2026-11-20",
        "2026-11-21",
    ]
    assert [one.label for one in missing(rhythm, now_us, ["2020-01-01"], 2)] == ["2026-11-20", "2026-11-21"]
    assert missing(rhythm, now_us, ["2026-11-21"], 30) == []


def test_the_files_of_a_report_are_told_from_all_others():
    day = next_due(Rhythm("day", time(6), BERLIN), us("2026-11-22 12:00"))
    assert file_name("doors", day, "csv") == "doors-2026-11-22.csv"
    files = ["doors-2026-11-22.csv", "doors-2026-11-03.csv", "doors-2026-W47.csv", "doors-2026-11.csv", "x.csv"]
    files += [
        "doors-2026-11-22.csv.bak",
        ".doors-2026-11-22.csv.9.part",
        "doors-2-2026-11-22.csv",
        "doors-2026-11-22.jsonl",
    ]
    assert labels("doors", "day", "csv", files) == ["2026-11-03", "2026-11-22"]
    assert labels("doors", "week", "csv", files) == ["2026-W47"]
    assert labels("doors", "month", "csv", files) == ["2026-11"]
    assert labels("doors", "day", "jsonl", files) == ["2026-11-22"]
    assert timedelta(microseconds=day.until_us - day.since_us) == timedelta(days=1)
