"""Who may pass where: a row for each person, place and group; by which group, when, with what, until when.

One rule: whoever is listed may pass at some time, from the moment on that is asked about; `now` is judged by what the
readers go by. The state of the doors (a lockdown) does not count here.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.access.credentials import AccessRefused, Person, entitled, runs
from edge.directory.directory import Ask
from edge.doors.progress import Moment
from edge.model.messages import ClockQuality
from edge.people.roll import somebody_at
from edge.people.words import ALWAYS, schedule_words

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from edge.access.credentials import Now
    from edge.directory.directory import Directory, Group, Member, ReaderPolicy
    from edge.model.messages import Json
    from edge.people.access.places import Place

SLICE: Final = 250
"""People between two yields."""


@dataclass(frozen=True, slots=True)
class Row:
    """Somebody may pass somewhere by a group."""

    member: Member
    group: Group
    place: Place | None
    """None where a group is asked about, which has several."""
    ask: Ask | None
    """With what: their card, a PIN, or both."""
    now: bool


class RowPage(NamedTuple):
    """Some rows, and what the next ones come after; None when there are none."""

    rows: list[Row]
    next: str | None


class RowQuery(NamedTuple):
    """What a page is to have."""

    limit: int
    """So many rows, and then to the end of the same person or place."""
    after: str | None = None
    """The `next` of the page before."""
    only_now: bool = False
    """Only who may pass at the moment that is asked about."""


def settled(directory: Directory, now: Now, groups: Iterable[Group]) -> Now:
    """The same moment; the calendar has been asked about the schedules of these groups, once for all their members."""
    if not now.moment.trusted:
        return now
    wanted = {group.schedule for group in groups if group.schedule is not None}
    running = frozenset(schedule for schedule in wanted if runs(directory, schedule, now))
    return replace(now, moment=Moment(now.moment.at, ClockQuality.UNSYNCED, now.moment.at), running=running)


def shows(directory: Directory, member: Member, asking: ReaderPolicy) -> Ask | None:
    """What a member can show a reader that asks so; None: nothing that it takes."""
    card = any(directory.cards[one].active for one in _cards(member) if one not in member.disabled_cards)
    alone = member.pin is not None and member.pin_alone
    if asking.ask is Ask.CARD_AND_PIN:
        return Ask.CARD_AND_PIN if card and member.pin is not None else None
    if asking.ask is Ask.CARD_OR_PIN and card and alone:
        return Ask.CARD_OR_PIN
    if card and asking.ask in {Ask.CARD, Ask.CARD_OR_PIN}:
        return Ask.CARD
    return Ask.PIN if alone and asking.ask in {Ask.PIN, Ask.CARD_OR_PIN} else None


def may_pass(directory: Directory, member: Member, group: Group, now: Now) -> bool:
    """Whether a member may pass by this group at that moment, as the readers decide."""
    who = Person(directory.users[member.user].actor, member, None)
    return not isinstance(entitled(directory, who, now, lambda one: one is group), AccessRefused)


def of_place(
    directory: Directory, place: Place, order: Sequence[str], now: Now, query: RowQuery
) -> Generator[None, None, RowPage]:
    """Who may pass here, in this order (`edge.people.roll`)."""
    groups = {one.id: one for one in directory.groups.values() if place.is_passed_by(one)}
    here = settled(directory, now, groups.values())

    def rows_of(member: Member) -> Iterator[Row]:
        ask = shows(directory, member, place.asking)
        for group in _groups(groups, member) if ask is not None else ():
            yield Row(member, group, place, ask, may_pass(directory, member, group, here))

    return (yield from _people(directory, order, now, query, rows_of))


def of_group(  # noqa: PLR0913, PLR0917 -- what a page depends on
    directory: Directory, group: Group, ways: Sequence[Place], order: Sequence[str], now: Now, query: RowQuery
) -> Generator[None, None, RowPage]:
    """Who may pass by a group, in this order; `ways` are its doors and elevators."""
    here = settled(directory, now, [group])

    def rows_of(member: Member) -> Iterator[Row]:
        if any(shows(directory, member, place.asking) is not None for place in ways):
            yield Row(member, group, None, None, may_pass(directory, member, group, here))

    def in_it(member: Member) -> Iterator[Row]:
        return rows_of(member) if group.id in member.groups else iter(())

    return (yield from _people(directory, order, now, query, in_it))


def of_member(
    directory: Directory, member: Member, ways: Sequence[Place], now: Now, query: RowQuery
) -> Generator[None, None, RowPage]:
    """Where somebody may pass, in the order of these places."""
    page = RowPage([], None)
    if not _ever(member, now):
        return page
    groups = {one: directory.groups[one] for one in member.groups}
    here = settled(directory, now, groups.values())
    ids = [place.id for place in ways]
    for place in ways[ids.index(query.after) + 1 if query.after in ids else 0 :]:
        ask = shows(directory, member, place.asking)
        passed = [one for one in groups.values() if ask is not None and place.is_passed_by(one)]
        rows = [Row(member, group, place, ask, may_pass(directory, member, group, here)) for group in passed]
        page.rows.extend(row for row in rows if row.now or not query.only_now)
        if len(page.rows) >= query.limit and place.id != ids[-1]:
            return RowPage(page.rows, place.id)
        yield
    return page


def written(directory: Directory, row: Row, at: datetime) -> dict[str, Json]:
    """A row for an answer; `at` is the moment in the site's zone."""
    member, group, place = row.member, row.group, row.place
    user = directory.users[member.user]
    schedule = None if group.schedule is None else directory.schedules[group.schedule]
    floors: list[Json] = [] if place is None else [{"id": one.id, "name": one.name} for one in place.given_by(group)]
    return {
        "person": {"id": member.id, "name": user.name},
        "group": {"id": group.id, "name": group.name},
        "door": None if place is None else place.called,
        "floors": floors if place is not None and place.elevator is not None else None,
        "schedule": group.schedule,
        "when": ALWAYS if schedule is None else schedule_words(schedule, at.date()),
        "ask": None if row.ask is None else row.ask.value,
        "valid_from": None if member.valid_from is None else member.valid_from.astimezone(at.tzinfo).isoformat(),
        "valid_until": None if member.valid_until is None else member.valid_until.astimezone(at.tzinfo).isoformat(),
        "now": row.now,
    }


def _people(
    directory: Directory, order: Sequence[str], now: Now, query: RowQuery, rows_of: Callable[[Member], Iterator[Row]]
) -> Generator[None, None, RowPage]:
    page = RowPage([], None)
    start = 0 if query.after is None else bisect_right(order, query.after)
    for number in range(start, len(order)):
        member = somebody_at(directory, order[number]).member
        if member is not None and _ever(member, now):
            page.rows.extend(row for row in rows_of(member) if row.now or not query.only_now)
        if len(page.rows) >= query.limit and number + 1 < len(order):
            return RowPage(page.rows, order[number])
        if number % SLICE == 0:
            yield
    return page


def _cards(member: Member) -> tuple[str, ...]:
    return (*member.cards, *member.backup_cards)


def _groups(groups: Mapping[str, Group], member: Member) -> Iterator[Group]:
    return (groups[one] for one in member.groups if one in groups)


def _ever(member: Member, now: Now) -> bool:
    """Whether somebody may still pass at all."""
    known = now.moment.at_least
    over = member.valid_until is not None and known is not None and known >= member.valid_until
    return member.enabled and not over
