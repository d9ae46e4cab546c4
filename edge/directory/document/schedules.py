"""A schedule entry as a `Schedule`.

One rule: a day has one exception, and a part of a day at most 24 hours.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from edge.directory.document import tables
from edge.directory.document.forms import DAYS
from edge.directory.document.problems import once
from edge.model.problems import dotted, shown
from edge.model.schedule import DAY_MINUTES, Hours, OneOffOpening, Schedule, ScheduleKind, moment

if TYPE_CHECKING:
    from datetime import date, tzinfo

    from edge.model.problems import ProblemReport

LONGEST_OPENING: Final = timedelta(days=366)


def schedule_of(report: ProblemReport, where: str, table: tables.ScheduleEntry, zone: tzinfo) -> Schedule:
    """Make a schedule of its entry; problems go into the report."""
    if table.first_to_arrive and table.kind is not ScheduleKind.UNLOCK:
        report.add(dotted(where, "first_to_arrive"), 'found in an access schedule, expected kind "unlock"')
    return Schedule(
        **tables.KEYS["schedules"].attributes(table, report, zone, where),
        zone=zone,
        weekly=_weekly(report, where, table),
        exceptions=_exceptions(report, where, table),
        openings=_openings(report, where, table, zone),
    )


def _weekly(report: ProblemReport, where: str, table: tables.ScheduleEntry) -> tuple[tuple[Hours, ...], ...]:
    weekly: list[list[Hours]] = [[] for _ in DAYS]
    for index, part in enumerate(table.weekly):
        at = dotted(where, "weekly", index)
        hours = _hours(report, at, part)
        for day in once(report, dotted(at, "days"), part.days):
            weekly[DAYS.index(day)].append(hours)
    return tuple(_sorted(parts) for parts in weekly)


def _exceptions(report: ProblemReport, where: str, table: tables.ScheduleEntry) -> dict[date, tuple[Hours, ...]]:
    found: dict[date, tuple[Hours, ...]] = {}
    most = tables.MOST_EXCEPTION_DAYS
    for index, one in enumerate(table.exceptions):
        at = dotted(where, "exceptions", index)
        parts = _sorted([_hours(report, dotted(at, "windows", n), part) for n, part in enumerate(one.windows)])
        count = ((one.until or one.date) - one.date).days + 1
        if count <= 0:
            report.add(dotted(at, "until"), f"found {shown(str(one.until))}, expected a day from {one.date} on")
            continue
        if len(found) + count > most:
            report.add(dotted(where, "exceptions"), f"found more than {most} days, expected at most {most}")
            break
        days = [one.date + timedelta(days=n) for n in range(count)]
        if twice := next((day for day in days if day in found), None):
            report.add(dotted(at, "date"), f"found {twice} a second time, expected one exception for a day")
        found |= dict.fromkeys(days, parts)
    return found


def _openings(
    report: ProblemReport, where: str, table: tables.ScheduleEntry, zone: tzinfo
) -> tuple[OneOffOpening, ...]:
    for index, one in enumerate(table.openings):
        start, end = moment(zone, one.start), moment(zone, one.end)
        if not start < end <= start + LONGEST_OPENING:
            to = dotted(where, "openings", index, "to")
            report.add(to, "found a time that does not fit from, expected one after it, within a year")
    return tuple(OneOffOpening(one.start, one.end) for one in table.openings)


def _hours(report: ProblemReport, where: str, part: tables.DayPart) -> Hours:
    if part.start >= DAY_MINUTES:
        report.add(dotted(where, "from"), 'found "24:00", expected "00:00" of the next day')
    return Hours(part.start, part.end if part.end > part.start else part.end + DAY_MINUTES)


def _sorted(parts: list[Hours]) -> tuple[Hours, ...]:
    return tuple(sorted(set(parts), key=lambda part: (part.start, part.end)))
