"""The directory as a file, piece by piece, so that neither a line of the socket nor the loop is filled by it.

One rule: no PIN is in it, and its hash only for those who can read the controller's disk anyway.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.directory.document.pins import KEPT
from edge.directory.document.writing import entry, written
from edge.people.exchange.cards import DISABLED, LOST
from edge.people.exchange.sheet import HAS_PIN, SEPARATOR, moment_cell
from edge.people.facts import state_of
from edge.people.finding import Somebody
from edge.people.groups import GroupNames

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import datetime, tzinfo

    from edge.directory.directory import Card, Directory, Member

LARGEST: Final = 128 * 1024
"""Characters of a piece; the last entry may be beyond it."""
MOST_ROWS: Final = 500
SLICE: Final = 50
"""Entries between two yields."""


class Text(NamedTuple):
    """A piece of the document. `next` is where the next one begins; None at the end."""

    text: str
    next: int | None


class Rows(NamedTuple):
    """Some rows of the sheet, in its columns."""

    rows: list[list[str]]
    next: int | None


def document_text(directory: Directory, after: int, *, hashes: bool) -> Generator[None, None, Text]:
    """A piece of the document's text, in slices. `hashes`: with the hashes of PINs, else `"pin": "kept"`."""
    some: list[str] = []
    size = 0
    for number, piece in enumerate(written(directory, after, None if hashes else _told)):
        if size >= LARGEST:
            return Text("".join(some), after + number)
        some.append(piece)
        size += len(piece)
        if number % SLICE == 0:
            yield
    return Text("".join(some), None)


def sheet_rows(directory: Directory, after: int, zone: tzinfo, known: datetime | None) -> Generator[None, None, Rows]:
    """Some rows of the sheet of people, in slices. `known`: it is not earlier than that, as far as anybody knows."""
    groups = GroupNames(directory)
    rows: list[list[str]] = []
    for number, one in enumerate(islice(_everybody(directory, after), MOST_ROWS + 1)):
        if number == MOST_ROWS:
            return Rows(rows, after + number)
        rows.append(_row(directory, one, groups, zone, known))
        if number % SLICE == 0:
            yield
    return Rows(rows, None)


def card_cell(card: Card, member: Member) -> str:
    """A card as it can be entered: with its format, so that a spreadsheet takes it for no time and no number.

    Behind it stands that no door takes it, so that none does where it is imported.
    """
    called = card.id if card.written is None else f"{card.format} {card.written}"
    mark = LOST if not card.active else DISABLED if card.id in member.disabled_cards else ""
    return f"{called} ({mark})" if mark else called


def _told(section: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 -- any value of a directory
    own = entry(section, value)
    if own.pop("pin_hash", None) is not None:
        own["pin"] = KEPT
    return own


def _everybody(directory: Directory, after: int) -> Iterator[Somebody]:
    """Each member, then each user who is none, but for the first ones."""
    members = (Somebody(one.id, directory.user_of(one), one) for one in islice(directory.members.values(), after, None))
    return chain(members, _no_members(directory, max(0, after - len(directory.members))))


def _no_members(directory: Directory, after: int) -> Iterator[Somebody]:
    """Looks at all members when the first one is asked for."""
    having = {one.user for one in directory.members.values()}
    users = (Somebody(one.id, one, None) for one in directory.users.values() if one.id not in having)
    yield from islice(users, after, None)


def _row(directory: Directory, one: Somebody, groups: GroupNames, zone: tzinfo, known: datetime | None) -> list[str]:
    member = one.member
    state = state_of(directory, member, known)
    if member is None:
        return [one.id, one.user.name, one.user.email or "", "", "", "", "", "", state]
    cards = [directory.cards[own] for own in (*member.cards, *member.backup_cards)]
    return [
        one.id,
        one.user.name,
        one.user.email or "",
        SEPARATOR.join(groups.text(own) for own in member.groups),
        SEPARATOR.join(card_cell(card, member) for card in cards),
        "" if member.pin is None else HAS_PIN,
        moment_cell(member.valid_from, zone),
        moment_cell(member.valid_until, zone),
        state,
    ]
