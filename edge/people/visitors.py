"""Visitors: they may pass some doors until the evening, and are removed a day later.

One rule: the controller removes nobody by itself who is not a visitor in the directory.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.directory.directory import Ask, Directory
from edge.model.schedule import moment
from edge.people.access.places import find_place
from edge.people.cards import meant
from edge.people.changing import DeskError, PersonPlan, give_card, taken_out
from edge.people.finding import Somebody, everybody
from edge.people.groups import visitors_group
from edge.people.names import free_id, slug
from edge.people.times import parse_at

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from datetime import tzinfo

    from edge.directory.directory import Card, Member

EVENING: Final = time(18)
"""The end of a visit, unless another is named."""
KEPT_FOR: Final = timedelta(days=1)
"""How long after their time visitors stay in the directory."""
MOST_AT_ONCE: Final = 50
"""Visitors who are removed by one edit."""
PINS_ALONE: Final = frozenset({Ask.PIN, Ask.CARD_OR_PIN})


class Visit(NamedTuple):
    """Who is to come, where to, and until when."""

    name: str
    doors: Sequence[str]
    """Ids or names."""
    until: datetime
    card: str | None = None
    pin: str | None = None


class Visiting(NamedTuple):
    """The edit that enters a visitor, and the doors, in the order of the configuration."""

    plan: PersonPlan
    doors: list[str]


class Leaving(NamedTuple):
    """The edit that removes visitors."""

    plan: PersonPlan
    due: datetime | None
    """When the next one is to be removed; None: there is no other."""


def visit_until(text: str | None, now: datetime, zone: tzinfo) -> tuple[datetime, str | None]:
    """The end of a visit that begins now, and a sentence for an end that nobody would expect. Raises DeskError."""
    if text is not None:
        try:
            until = parse_at(text, now, zone)
        except ValueError as error:
            raise DeskError("malformed", f"until: {error}") from None
        if until <= now:
            raise DeskError("malformed", f"until: {text.strip()!r} is over, expected a time to come")
        return until, None
    today = now.astimezone(zone).date()
    evening = moment(zone, datetime.combine(today, EVENING))
    if now < evening:
        return evening, None
    midnight = moment(zone, datetime.combine(today + timedelta(days=1), time()))
    return midnight, f"it is past {EVENING:%H:%M}, so this visit lasts until the end of the day"


def visiting(
    directory: Directory,
    visit: Visit,
    doors: Mapping[str, str],
    seen: Iterable[Card] = (),
    known: datetime | None = None,
) -> Generator[None, None, Visiting]:
    """A new visitor. `doors` are the configured ones (id to name), `seen` and `known` as in `adding`.

    Raises DeskError, CardError and NotFoundError.
    """
    name = " ".join(visit.name.split())
    if not name or not visit.doors:
        missing = "the name of a person" if not name else "at least one door"
        raise DeskError("malformed", f"{'doors' if name else 'name'}: missing, expected {missing}")
    wanted = {find_place(Directory(), doors, text).id for text in visit.doors}
    chosen = [door for door in doors if door in wanted]
    own = free_id(slug(name, "visitor"), lambda one: one in directory.users or one in directory.members)
    plan = PersonPlan(own, name)
    group, made = visitors_group(directory, {door: doors[door] for door in chosen})
    if made is not None:
        plan.put("group", made)
    plan.put("user", {"id": own, "name": name})
    member: dict[str, Any] = {"id": own, "user": own, "visitor": True, "groups": [group]}
    member["valid_until"] = visit.until.isoformat(timespec="minutes")
    if visit.card:
        card = yield from meant(directory, visit.card, seen)
        plan.card = give_card(directory, plan, card, own, None, known)
        member["cards"] = [plan.card]
    if visit.pin:
        member |= {"pin": visit.pin, "pin_alone": not visit.card}
    plan.put("member", member)
    if not visit.card:
        plan.notes += _hindered(directory, visit, plan.name, {door: doors[door] for door in chosen})
    return Visiting(plan, chosen)


def leaving(directory: Directory, now: datetime) -> Generator[None, None, Leaving]:
    """Remove the visitors whose time was over a day ago, `MOST_AT_ONCE` of them; the edit of nobody is empty."""
    gone: list[Somebody] = []
    due: datetime | None = None
    for one in everybody(directory):
        if one is None:
            yield
            continue
        end = _removed_at(one.member)
        if end is None:
            continue
        if end <= now and len(gone) < MOST_AT_ONCE:
            gone.append(one)
        else:
            due = end if due is None else min(due, end)
    plan = PersonPlan("", "")
    if gone:
        yield from taken_out(directory, plan, gone)
    return Leaving(plan, due)


def _removed_at(member: Member | None) -> datetime | None:
    if member is None or not member.visitor or member.valid_until is None:
        return None
    return member.valid_until + KEPT_FOR


def _hindered(directory: Directory, visit: Visit, name: str, doors: Mapping[str, str]) -> list[str]:
    """What still keeps a visitor without a card out."""
    if not visit.pin:
        return [f"{name} has neither a card nor a PIN yet"]
    deaf = [called for door, called in doors.items() if directory.access(door).asking.ask not in PINS_ALONE]
    return [f"{called}: its reader takes no PIN without a card" for called in deaf]
