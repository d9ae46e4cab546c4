"""A week of a door in numbers: openings and alarms by hour.

One rule: pure functions; hours are local time, and the repeated hour at the end of summer time counts as one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from edge.model.catalogue import CATALOGUE, EventClass, Severity
from edge.model.event_types import LOCK_OPENED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

DAYS: Final = 7
HOURS: Final = 24
ALARMS: Final = {
    row.type: row.sentence.format(object="", actor="somebody").replace("  ", " ").strip().lower()
    for row in CATALOGUE.values()
    if row.event_class is EventClass.ACCESS and row.severity is Severity.ALARM
}
"""The alarms of doors in the words of their sentences, without the name."""
TYPES: Final = (LOCK_OPENED, *ALARMS)


@dataclass(slots=True)
class Day:
    """One day of one door."""

    date: date
    openings: list[int] = field(default_factory=lambda: [0] * HOURS)
    alarms: list[Counter[str]] = field(default_factory=lambda: [Counter() for _ in range(HOURS)])

    @property
    def total(self) -> int:
        """Openings of the whole day."""
        return sum(self.openings)

    @property
    def busiest(self) -> str:
        """The beginning of the hour with the most openings, the first of several."""
        if not self.total:
            return "none"
        return f"{self.openings.index(max(self.openings)):02}:00"

    @property
    def alarmed(self) -> str:
        """Its alarms in words."""
        return alarm_words(sum(self.alarms, Counter[str]()))


@dataclass(frozen=True, slots=True)
class Week:
    """One week of one door, the oldest day first."""

    days: tuple[Day, ...]

    @property
    def total(self) -> int:
        """Openings of the whole week."""
        return sum(day.total for day in self.days)

    @property
    def highest(self) -> int:
        """The most openings in an hour."""
        return max(count for day in self.days for count in day.openings)

    @property
    def alarmed(self) -> str:
        """Its alarms in words."""
        return alarm_words(sum((count for day in self.days for count in day.alarms), Counter[str]()))


def begin(today: datetime) -> datetime:
    """The begin of the week that ends today: midnight six days ago."""
    first = today.date() - timedelta(days=DAYS - 1)
    return datetime(first.year, first.month, first.day, tzinfo=today.tzinfo)


def weeks(
    records: Iterable[Mapping[str, Any]], doors: Iterable[str], today: datetime, zone: ZoneInfo
) -> dict[str, Week]:
    """Count the records of a week by door; those of other doors and days are left out."""
    first = begin(today).date()
    by_door = {door: Week(tuple(Day(first + timedelta(days=n)) for n in range(DAYS))) for door in doors}
    for record in records:
        week = by_door.get(str(record["subject"]).removeprefix("doors/"))
        moment = datetime.fromisoformat(record["time"]).astimezone(zone)
        number = (moment.date() - first).days
        if week is None or not 0 <= number < DAYS:
            continue
        if record["type"] == LOCK_OPENED:
            week.days[number].openings[moment.hour] += 1
        elif record["type"] in ALARMS:
            week.days[number].alarms[moment.hour][ALARMS[record["type"]]] += 1
    return by_door


def alarm_words(alarms: Counter[str]) -> str:
    """Alarms as text, like `forced open (2)`; empty when there are none."""
    return ", ".join(f"{alarm} ({count})" for alarm, count in alarms.items())
