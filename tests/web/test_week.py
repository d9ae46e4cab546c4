"""A week as figures."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge.web.week import ALARMS, DAYS, begin, weeks

BERLIN = ZoneInfo("Europe/Berlin")


def opened(time: str, door: str = "front", kind: str = "lock.opened") -> dict[str, Any]:
    return {"subject": f"doors/{door}", "time": time, "type": kind}


def test_a_week_has_seven_days_the_last_is_today() -> None:
    today = datetime(2026, 3, 31, 0, 0, 1, tzinfo=BERLIN)
    assert begin(today).isoformat() == "2026-03-25T00:00:00+01:00", "the zone's rules on that day"
    week = weeks([], ["front"], today, BERLIN)["front"]
    assert [day.date.day for day in week.days] == [25, 26, 27, 28, 29, 30, 31]
    assert (week.total, week.highest, week.alarmed, week.days[0].busiest) == (0, 0, "", "none")


def test_the_hour_that_a_night_has_twice_is_one_and_the_one_it_lacks_is_empty() -> None:
    autumn = datetime(2026, 10, 25, 12, tzinfo=BERLIN)
    twice = [opened("2026-10-25T00:30:00Z"), opened("2026-10-25T01:30:00Z")]
    day = weeks(twice, ["front"], autumn, BERLIN)["front"].days[-1]
    assert (day.openings[2], day.total, day.busiest) == (2, 2, "02:00")
    spring = datetime(2026, 3, 29, 12, tzinfo=BERLIN)
    around = [opened("2026-03-29T00:59:59Z"), opened("2026-03-29T01:00:00Z")]
    assert weeks(around, ["front"], spring, BERLIN)["front"].days[-1].openings[1:4] == [1, 0, 1]


@pytest.mark.parametrize("time", ["2026-11-15T22:59:59Z", "2026-11-24T00:00:00Z"])
def test_what_is_outside_is_left_out(time: str) -> None:
    today = datetime(2026, 11, 22, 12, tzinfo=BERLIN)
    assert weeks([opened(time)], ["front"], today, BERLIN)["front"].total == 0


def test_every_alarm_of_a_door_is_marked() -> None:
    assert (
        ALARMS.items()
        >= {
            "lock.forced_open": "forced open",
            "reader.tamper": "reader tampered with",
            "controller_input.tamper": "input tampered with",
        }.items()
    )
    assert not {"lock.opened", "lock.access_not_taken", "controller.gap"} & ALARMS.keys()


def test_alarms_are_counted_apart_and_other_doors_and_types_not_at_all() -> None:
    today = datetime(2026, 11, 22, 12, tzinfo=BERLIN)
    held = [
        opened("2026-11-22T08:00:00Z"),
        opened("2026-11-22T08:00:00Z", kind="lock.forced_open"),
        opened("2026-11-21T08:00:00Z", kind="lock.forced_open"),
        opened("2026-11-21T09:00:00Z", kind="lock.held_open"),
        opened("2026-11-22T08:00:00Z", kind="lock.closed"),
        opened("2026-11-22T08:00:00Z", door="gone"),
    ]
    found = weeks(held, ["front", "back"], today, BERLIN)
    assert (found["front"].total, found["back"].total) == (1, 0)
    assert found["front"].alarmed == "forced open (2), held open (1)"
    assert found["front"].days[-1].alarmed == "forced open (1)"
    assert len(found["front"].days) == DAYS
