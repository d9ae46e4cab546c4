"""The socket's `change_person`, `card` and `entries`: people are added, changed, barred and removed, cards given.

One rule: a change is planned from the directory in force and is an edit of that version. If somebody else changes the
same in between, it is planned again, unless whoever asks has said which version they have seen.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from edge.access.edits import BroughtBy, edit_directory
from edge.access.people import NotKeptError
from edge.daemon.requests.desk import DeskAsk, PersonAsk, found
from edge.directory.cards import reading
from edge.directory.directory import Card
from edge.directory.document.forms import short
from edge.directory.document.pins import KEPT
from edge.directory.document.writing import entry
from edge.directory.edits.shape import KINDS
from edge.directory.pins import PIN, PIN_EXPECTED
from edge.people.card_changes import giving, marking, taking
from edge.people.changing import adding, barring, changing, removing
from edge.people.facts import card_facts
from edge.people.times import parse_at
from edge.socket.peers import RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from edge.access.edits import EditAnswer
    from edge.access.enrolment.keeping import KeptCard
    from edge.access.people import People
    from edge.directory.directory import Directory
    from edge.doors.runner import Runner
    from edge.model.messages import Actor, CardRead, Json
    from edge.people.changing import PersonPlan

MOST_ENTRIES: Final = 500
LONGEST: Final = 200
TIMES: Final = ("valid_from", "valid_until")
TRIES: Final = 5
PIN_DIGITS: Final = 6
MAKE: Final = "make"
_WHERE: Final = re.compile(r"^changes\[\d+\]\.(?:entry\.)?")
Text = Field(None, max_length=LONGEST)


class _Ask(PersonAsk):
    base: int | None = Field(None, ge=0, le=2**53 - 1)


class _Change(_Ask):
    action: Literal["add", "change", "off", "on", "remove"]
    who: str | None = Text
    keep_cards: bool = False
    name: str | None = Text
    email: str | None = Field(None, max_length=254)
    groups: list[str] | None = Field(None, max_length=64)
    groups_add: list[str] | None = Field(None, max_length=64)
    groups_remove: list[str] | None = Field(None, max_length=64)
    card: str | None = Text
    pin: str | None = Field(None, max_length=LONGEST, repr=False)
    valid_from: str | None = Text
    valid_until: str | None = Text
    extended_unlock: bool | None = None


class _Card(_Ask):
    action: Literal["lost", "found", "give", "take"]
    card: str | None = Text
    of: str | None = Text
    who: str | None = Text
    seen: int | None = Field(None, ge=1, le=2**53 - 1)


class _Entries(DeskAsk):
    kind: str
    ids: list[str] = Field(max_length=MOST_ENTRIES)


class PeopleChanges:
    """Serves what is changed of people and their cards."""

    def __init__(self, people: People, runner: Runner) -> None:
        """`people` has the directory in force, `runner` the configured doors."""
        self._people, self._runner = people, runner
        self.ops: dict[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]] = {
            "change_person": self._change,
            "card": self._card,
            "entries": self._entries,
        }

    async def _change(self, body: dict[str, Any], actor: Actor) -> Json:
        ask = _Change.model_validate(body)
        wanted = ask.model_dump(exclude_unset=True, exclude={"action", "who", "by_id", "base", "keep_cards"})
        if (ask.who is None) is not (ask.action == "add"):
            raise RequestError("malformed", "expected `who`, but for `add`")
        if wanted and ask.action not in {"add", "change"}:
            raise RequestError("malformed", f"{ask.action}: expected nothing beside `who`, found {', '.join(wanted)}")
        made = wanted.get("pin") == MAKE
        if "pin" in wanted:
            wanted["pin"] = await self.pin_of(ask.pin)
        wanted |= {key: self._moment(key, wanted[key]) for key in TIMES if wanted.get(key)}

        def plan(directory: Directory) -> Generator[None, None, PersonPlan]:
            who, known = ask.who or "", self._people.timetable.moment().at_least
            if ask.action == "add":
                return adding(directory, wanted, self._runner.doors, self.seen(), known)
            if ask.action == "change":
                return changing(directory, who, wanted, self.seen(), known, by_id=ask.by_id)
            if ask.action == "remove":
                return removing(directory, who, keep_cards=ask.keep_cards, by_id=ask.by_id)
            return barring(directory, who, enabled=ask.action == "on", by_id=ask.by_id)

        done, answer = await self.edited(plan, ask.base, actor)
        answer |= {"id": done.id, "name": done.name, "time_zone": str(self._people.zone)}
        answer |= {key: wanted[key] or None for key in TIMES if key in wanted}
        return answer | {"pin": wanted["pin"]} if made and answer["done"] else answer

    async def _card(self, body: dict[str, Any], actor: Actor) -> Json:
        ask = _Card.model_validate(body)
        number, seen = ask.card, self.seen()
        if ask.seen is not None:
            if ask.action != "give" or number is not None:
                raise RequestError("malformed", "seen: expected it with give, and without card")
            kept = await unknown_card(self._people, ask.seen)
            seen = [_card_of(kept.read)]
            number = f"{seen[0].format.value} {seen[0].written}"

        def plan(directory: Directory) -> Generator[None, None, PersonPlan]:
            if ask.action == "give":
                if number is None or ask.who is None:
                    raise RequestError("malformed", "give: expected card or seen, and who")
                known = self._people.timetable.moment().at_least
                return giving(directory, number, ask.who, seen, known, by_id=ask.by_id)
            if ask.action == "take":
                return taking(directory, ask.card, ask.of, by_id=ask.by_id)
            return marking(directory, ask.card, ask.of, lost=ask.action == "lost", by_id=ask.by_id)

        done, answer = await self.edited(plan, ask.base, actor)
        directory = self._people.directory.in_force
        card = directory.cards.get(done.card or "")
        told: Json = None if card is None else card_facts(card, directory.holder(card.id))
        return answer | {"id": done.id or None, "name": done.name or None, "card": told}

    async def edited(
        self, plan: Callable[[Directory], Generator[None, None, PersonPlan]], base: int | None, actor: Actor
    ) -> tuple[PersonPlan, dict[str, Json]]:
        """Plan it and put it in force. Raises RequestError for what cannot be planned."""
        origin = BroughtBy(Path(f"edit by {actor.name or actor.id}"), actor)
        for left in reversed(range(TRIES)):
            directory = self._people.directory.in_force
            planned = await found(plan(directory))
            if not planned.changes:
                return planned, _answer(None, directory.version, planned)
            seen = directory.version if base is None else base
            edit = await edit_directory(self._people, planned.changes, seen, origin, upstream=False)
            if edit.code != "stale" or base is not None or not left:
                break
        return planned, _answer(edit, directory.version, planned)

    def _moment(self, key: str, text: str) -> str:
        """A time as a document has it, of one as people write it, local to the site."""
        try:
            at = parse_at(text, self._people.timetable.moment().at, self._people.zone)
        except ValueError as error:
            raise RequestError("malformed", f"{key}: {error}") from None
        return at.isoformat(timespec="minutes")

    async def pin_of(self, asked: str | None) -> str | None:
        """The PIN that was asked for; `make`: one that nobody uses without a card. Raises RequestError."""
        if asked == MAKE:  # slow: it is hashed for each way in which such PINs are kept
            return await asyncio.to_thread(_free_pin, self._people.directory.in_force)
        if asked and not PIN.fullmatch(asked):
            raise RequestError("malformed", f"pin: expected {PIN_EXPECTED}")
        return asked

    def seen(self) -> list[Card]:
        """The cards that readers saw, the newest last."""
        reads = [
            *(one.read for one in self._people.unknown.latest()),
            *(one.card for one in self._people.readers.cards),
        ]
        return [_card_of(read) for read in reads]

    async def _entries(self, body: dict[str, Any], _actor: Actor) -> Json:
        ask = _Entries.model_validate(body)
        if ask.kind not in KINDS:
            raise RequestError("malformed", f"kind: found {ask.kind!r}, expected one of {', '.join(KINDS)}")
        directory, section = self._people.directory.in_force, KINDS[ask.kind]
        known = getattr(directory, section)
        entries: list[Json] = [_without_secrets(short(entry(section, known[one]))) for one in ask.ids if one in known]
        return {"version": directory.version, "entries": entries}


def _card_of(read: CardRead) -> Card:
    number = reading(read)
    raw = read.bits if number.facility is None else None
    return Card("", number.format, number.facility, number.number, raw, active=True, user=None, key=b"")


async def unknown_card(people: People, sequence: int) -> KeptCard:
    """The unknown card of this record. Raises RequestError."""
    try:
        return await people.unknown_card(sequence)
    except NotKeptError as error:
        raise RequestError("unknown_card", str(error)) from None


def _answer(edit: EditAnswer | None, version: int, planned: PersonPlan) -> dict[str, Json]:
    """That of `edit_directory`, in the words of a person's keys; without an edit nothing was to be done."""
    notes: list[Json] = [*planned.notes]
    if edit is None:
        return {"done": True, "code": None, "message": "", "outcomes": {"version": version}, "notes": notes}
    outcomes = {**edit.outcomes}
    problems = outcomes.get("problems")
    if isinstance(problems, list):
        outcomes["problems"] = [_WHERE.sub("", str(one)) for one in problems]
    done = edit.code is None
    text = _WHERE.sub("", edit.text)
    return {"done": done, "code": edit.code, "message": text, "outcomes": outcomes, "notes": notes if done else []}


def _without_secrets(own: dict[str, Any]) -> dict[str, Any]:
    if own.pop("pin_hash", None) is not None:
        own["pin"] = KEPT
    return own


def _free_pin(directory: Directory) -> str:
    while True:
        pin = f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"
        if not any(recipe.digest(pin) in members for recipe, members in directory.alone.items()):
            return pin
