"""Why somebody may pass, or may not, in a sentence that ends with the code that the door would give.

One rule: every code has its sentence here; what is not known is not said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from edge.access.credentials import AccessRefused, Code
from edge.access.decisions import closed
from edge.access.elevator_rules import Permit
from edge.people.words import end_words, listed, moment_words, week_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, tzinfo

    from edge.access.decisions import Granted
    from edge.directory.directory import Directory, Member
    from edge.doors.state import Door
    from edge.model.messages import Json
    from edge.people.access.explaining import Explanation
    from edge.people.access.places import Place
    from edge.people.finding import Somebody

DIRECTORY_ALONE: Final = (
    "This goes by the directory alone: whether the door is locked down or blocked then, nobody knows."
)

NO_CLOCK: Final = "The clock is not set: nobody knows what a schedule says now, so no schedule begins or ends."


class Case(NamedTuple):
    """What was asked."""

    directory: Directory
    somebody: Somebody
    place: Place
    at: datetime
    """The moment that was asked about."""
    now: datetime
    """When it was asked."""
    zone: tzinfo
    doors: Mapping[str, str]
    """Names of the doors, by id."""

    @property
    def name(self) -> str:
        """Of the person."""
        return self.somebody.user.name

    @property
    def when(self) -> str:
        """The moment in words."""
        return moment_words(self.at, self.now, self.zone)

    def words(self, at: datetime | None) -> str:
        """Another moment in words."""
        return "" if at is None else moment_words(at, self.now, self.zone)


def sentence(case: Case, found: Explanation) -> str:
    """One sentence."""
    best, member = found.best, case.somebody.member
    if best is None or member is None:
        return _nothing(case)
    if not isinstance(best.verdict, AccessRefused):
        return _yes(case, found, best.verdict)
    return f"No: {_no(case, member, best.shown, best.verdict)} ({best.verdict.code})."


def _nothing(case: Case) -> str:
    if case.somebody.member is None:
        return f"No: {case.name} is no member: in no group, without a card."
    return f"No: {case.name} has nothing to show there: no card, and no PIN that works alone at this reader."


def _yes(case: Case, found: Explanation, verdict: Granted | Permit) -> str:
    granted = verdict.granted if isinstance(verdict, Permit) else verdict
    shown = [one.shown for one in found.granted]
    shown = [shown[0], *(one.removeprefix("card ") for one in shown[1:])]
    until = "" if found.until is None else f" until {end_words(found.until, case.at, case.zone)}"
    chosen = verdict.floors if isinstance(verdict, Permit) else ()
    names = [floor.name for floor in case.place.floors if floor.id in chosen]
    floors = f": {listed(names)}" if names else ""
    passback = " (against the anti-passback rule, which is only recorded)" if granted.passback else ""
    return f"Yes, with {listed(shown, 'or')} by {granted.group.name}{until}{floors}{passback}."


def _no(case: Case, member: Member, shown: str, refused: AccessRefused) -> str:
    name, place = case.name, case.place.name
    by_card = refused.details.get("reason") == "the card"
    by_code = {
        Code.UNKNOWN_CARD: f"nobody has {shown}",
        Code.CARD_INACTIVE: f"{shown} of {name} is lost or was taken out of use",
        Code.DISABLED: f"{shown} is disabled for {name}" if by_card else f"{name} is switched off",
        Code.EXPIRED: f"{name} was valid until {case.words(member.valid_until)}",
        Code.NOT_YET_VALID: f"{name} is valid from {case.words(member.valid_from)} on",
        Code.NO_ACCESS: f"{name} is in no group that may pass {place}; {_who_may(case)}",
        Code.OUTSIDE_SCHEDULE: _outside(case, member, refused.details),
        Code.LOCKED_DOWN: f"{place} is locked down now",
        Code.BLOCKED: f"{place} is blocked now",
        Code.INTERLOCK: f"{case.doors.get(str(refused.details.get('held_by')), 'another door')} is open or released",
        Code.PIN_REQUIRED: _pin(case, member),
        Code.TOO_MANY_ATTEMPTS: f"after too many wrong PINs none of {name} is taken for now",
        Code.ANTI_PASSBACK: f"{name} came in by {place} and has not left by {_exit(case, refused.details)}",
    }
    return by_code.get(refused.code, f"{name} is refused")


def _who_may(case: Case) -> str:
    names = [one.name for one in case.directory.groups.values() if case.place.is_passed_by(one)]
    return f"these may: {listed(names)}" if names else "no group may"


def _outside(case: Case, member: Member, details: Mapping[str, Json]) -> str:
    directory = case.directory
    groups = [directory.groups[one] for one in member.groups]
    ways = [one for one in groups if case.place.is_passed_by(one) and one.schedule is not None]
    schedules = [directory.schedules[one.schedule] for one in ways if one.schedule is not None]
    hours = [f"by {group.name}, {week_words(one)}" for group, one in zip(ways, schedules, strict=True)]
    may = f"{case.name} may pass {case.place.name} {', and '.join(hours)}"
    if "reason" in details:
        return f"{may}; the clock is not set, so nobody knows whether it is that time"
    day = case.at.astimezone(case.zone).date()
    if any(day in one.exceptions for one in schedules):
        return f"{may}; at {case.when} that is outside, as {day} is an exception"
    return f"{may}; at {case.when} that is outside"


def _pin(case: Case, member: Member) -> str:
    if member.pin is None:
        return f"the reader of {case.place.name} wants card and PIN, and {case.name} has no PIN"
    return f"the reader of {case.place.name} takes PINs and no cards, and the PIN of {case.name} does not work alone"


def _exit(case: Case, details: Mapping[str, Json]) -> str:
    door = str(details.get("exit"))
    return case.doors.get(door, door)


def closed_note(name: str, door: Door) -> str | None:
    """What is to be known beside a list when the door itself lets nobody in now."""
    shut = closed(door)
    words = {Code.LOCKED_DOWN: "locked down", Code.BLOCKED: "blocked", Code.INTERLOCK: "kept locked by another door"}
    return (
        None if shut is None else f"{name} is {words.get(shut.code, 'closed')} now: nobody may pass it ({shut.code})."
    )
