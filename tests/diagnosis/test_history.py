"""What the log tells a diagnosis: the right counts, from a bounded number of records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.client.sources import RecordPage
from edge.diagnosis.facts import HistoryFacts, at_us
from edge.diagnosis.history import MOST, PAGE, history
from tests.support.control import pages, record

NOW = datetime(2026, 11, 22, 21, 57, 3, tzinfo=UTC)


class Told:
    """Records of these types, that long ago (hours), at that door; and how many were asked for."""

    def __init__(self, *happened: tuple[str, float, str], **changes: Any) -> None:
        records = []
        for number, (kind, hours, about) in enumerate(happened, 1):
            time = (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
            thing = {"type": "driver" if kind == "controller.fault" else "lock", "id": about, "name": about}
            records.append(record(number, kind, time=time, subject=f"doors/{about}", object=thing, **changes))
        self._answer = pages(records)
        self.asked: list[dict[str, Any]] = []

    def page(self, asked: dict[str, Any]) -> RecordPage:
        self.asked.append(asked)
        answer = self._answer(asked)
        return RecordPage(**answer)

    def close(self) -> None:
        pass


def told(*happened: tuple[str, float, str], **changes: Any) -> HistoryFacts:
    return history(Told(*happened, **changes), at_us(NOW.isoformat()), None)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("lock.forced_open", "forced"), ("controller.fault", "lost"), ("controller_input.unstable", "unstable")],
)
def test_alarms_and_losses_of_a_day_are_counted_by_what_they_are_about(kind: str, name: str) -> None:
    found = told((kind, 25, "front"), (kind, 23.9, "front"), (kind, 1, "back"), (kind, 0, "front"))
    assert getattr(found, name) == {"front": 2, "back": 1}


def test_each_count_has_its_own_span() -> None:
    found = told(
        *(("controller.gap", hours, "hq") for hours in (29 * 24, 1)),
        *(("controller.clock_adjusted", hours, "hq") for hours in (25, 23, 2)),
    )
    assert (found.gaps, found.clock_steps) == (2, 2)
    slow = [("controller.storage", hours, "hq") for hours in (8 * 24, 6 * 24, 1)]
    assert told(*slow, code="slow").slow_writes == 2
    assert told(*slow, code="damaged").slow_writes == 0


def test_only_ends_by_the_watchdog_are_counted_as_such() -> None:
    starts = [("controller.start", 48.0, "hq"), ("controller.start", 1.0, "hq")]
    assert told(*starts, details={"ended": "watchdog"}).watchdog == 2
    assert told(*starts, details={"ended": "power"}).watchdog == 0
    assert told(*starts).watchdog == 0


def test_accesses_count_as_not_taken_only_since_the_door_was_last_seen_open() -> None:
    not_taken, opened = "lock.access_not_taken", "lock.opened"
    found = told(
        *[(not_taken, 9.0, "front"), (opened, 8.0, "front"), (not_taken, 7.0, "front"), (not_taken, 6.0, "front")],
        *[(not_taken, 5.0, "back"), (opened, 4.0, "back"), (not_taken, 200.0, "side"), ("lock.unlock", 1.0, "side")],
    )
    assert found.unlocks_unopened == {"front": 2}


def test_it_reads_a_bounded_number_of_records_and_only_what_it_counts() -> None:
    source = Told(*[("lock.forced_open", 1.0, "front")] * (MOST + 2 * PAGE))
    assert history(source, at_us(NOW.isoformat()), None).forced == {"front": MOST}
    assert len(source.asked) == MOST // PAGE
    assert {ask["limit"] for ask in source.asked} == {PAGE}
    assert at_us(NOW.isoformat()) - source.asked[0]["since_us"] == 30 * 86_400 * 1_000_000


def test_without_a_source_only_the_chain_speaks() -> None:
    assert history(None, 0, "record 7") == HistoryFacts(broken="record 7")
