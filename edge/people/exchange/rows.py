"""What the rows of a sheet change: whom each is about, and the entries that they are to have.

One rule: nobody is guessed. A row that may be about several people, or about somebody whom another row is about, is a
problem.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from edge.directory.cards import named_format
from edge.directory.document.tables import ID, ID_EXPECTED
from edge.directory.document.writing import entry
from edge.directory.pins import PIN, PIN_EXPECTED
from edge.model.csv_cells import bare
from edge.people.cards import CardError
from edge.people.exchange.cards import CardIndex, separated, unmarked
from edge.people.exchange.people import PeopleIndex
from edge.people.exchange.sheet import COLUMNS, HAS_PIN, OFF, SheetError, moment_cell, moment_of, parts, says
from edge.people.finding import NotFoundError, Somebody, folded
from edge.people.groups import GroupNames
from edge.people.names import free_id, slug

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from datetime import tzinfo

    from edge.directory.directory import Card, Directory
    from edge.people.exchange.sheet import SheetRow

YES: Final = frozenset({"y", "yes", "x", "1", "true"})
NO: Final = frozenset({"n", "no", "0", "false", "-"})
MOST_NAMED: Final = 5


class RowError(ValueError):
    """A row that cannot be taken over; the text is a sentence for people."""


@dataclass(slots=True)
class RowPlan:
    """What one row changes."""

    line: int
    id: str
    """The member's; the user's where there is no member."""
    name: str
    is_new: bool
    user: dict[str, Any]
    """The user's entry."""
    member: dict[str, Any] | None
    """The member's entry; None for a user who is none."""
    cards: list[dict[str, Any]] = field(default_factory=list)
    """Entries of cards that are new."""
    taken: list[Card] = field(default_factory=list)
    """Cards of the directory that this person has not had."""
    left: list[Card] = field(default_factory=list)
    """Cards that this person has no more."""
    told: list[str] = field(default_factory=list)
    """What is changed, in words."""
    user_changes: bool = False
    member_changes: bool = False
    problems: list[str] = field(default_factory=list)
    """What is wrong with its cells."""

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note a problem of a cell, and go on with the next one."""
        try:
            yield
        except PROBLEMS as error:
            self.problems.append(sentence(self.line, error))


class RowReader:
    """Reads rows one after the other, and remembers what the rows before were about."""

    def __init__(
        self, directory: Directory, zone: tzinfo, seen: Sequence[Card] = (), *, combined: bool = False
    ) -> None:
        """`combined`: card numbers of digits alone have the facility code before five digits of the number."""
        self.directory, self._zone, self._combined = directory, zone, combined
        self.groups = GroupNames(directory)
        self._cards = CardIndex(directory, seen)
        self._people = PeopleIndex(directory)
        self._lines: dict[tuple[str, str], int] = {}
        """Who and what was in the rows before, and in which line."""
        self._ids: set[str] = set()
        """New ones of people and cards."""
        self._of_column: dict[str, str | None] = {}

    def fill(self) -> Generator[None, None, None]:
        """Look at everybody and at all cards, in slices."""
        yield from self._people.fill()
        yield from self._cards.fill()

    def ignored(self, columns: Sequence[str]) -> list[str]:
        """Columns that mean nothing here: neither of a sheet nor a group's."""
        return [one for one in columns if one and one not in COLUMNS and self._group(one) is None]

    def read(self, row: SheetRow) -> RowPlan:
        """What the row changes, and what is wrong with its cells. Raises RowError when it is not known whose it is."""
        somebody = self._who(row)
        plan = self._new(row) if somebody is None else self._known(row, somebody)
        self._once("person", plan.id, row.line, plan.name)
        changes: dict[str, Any] = {}
        for column, is_end in (("valid_from", False), ("valid_until", True)):
            with plan.noting():
                self._moment(plan, column, row.cells.get(column, ""), changes, is_end=is_end)
        with plan.noting():
            self._pin(plan, row.cells.get("pin", ""), changes)
        with plan.noting():
            self._groups(plan, row, changes)
        with plan.noting():
            self._cards_of(plan, row, changes)
        if changes:
            if plan.member is None:
                own = free_id(plan.id, lambda one: one in self.directory.members or one in self._ids)
                plan.member = {"id": own, "user": plan.user["id"]}
            if "pin" in changes:
                plan.member.pop("pin_hash", None)
            plan.member |= changes
            plan.member_changes = True
        return plan

    # --- who -----------------------------------------------------------------------------------------

    def _who(self, row: SheetRow) -> Somebody | None:
        """Whom the row is about; None for somebody new."""
        own, mail, name = (row.cells.get(key, "") for key in ("id", "email", "name"))
        directory = self.directory
        if own:
            if member := directory.members.get(own):
                return Somebody(own, directory.user_of(member), member)
            if user := directory.users.get(own):
                return Somebody(own, user, None)
        if mail and (found := self._one("email", mail)):
            if own:
                raise RowError(f"nobody has the id {own!r}, and {found.described} has this e-mail address")
            return found
        return self._one("name", name) if name and not own else None

    def _one(self, key: str, cell: str) -> Somebody | None:
        found = self._people.called(key, cell) or self._people.called(key, bare(cell))
        if len(found) > 1:
            names = "; ".join(one.described for one in found[:MOST_NAMED])
            raise RowError(f"{cell!r} may be {names}: name them in a column id")
        return found[0] if found else None

    def _new(self, row: SheetRow) -> RowPlan:
        name = " ".join(bare(row.cells.get("name", "")).split())
        own, mail = row.cells.get("id", ""), bare(row.cells.get("email", ""))
        if not name:
            raise RowError(f"nobody here is called {own or mail!r}, expected a name for somebody new")
        if own and not re.fullmatch(ID, own):
            raise RowError(f"id: found {own[:40]!r}, expected {ID_EXPECTED}")
        if mail:
            self._once("email", folded(mail), row.line, mail)
        elif not own:
            self._once("name", folded(name), row.line, name)
        directory = self.directory
        own = own or free_id(
            slug(name, "person"), lambda one: one in directory.users or one in directory.members or one in self._ids
        )
        self._ids.add(own)
        user = {"id": own, "name": name} | ({"email": mail} if mail else {})
        member: dict[str, Any] = {"id": own, "user": own}
        told = [OFF] * (row.cells.get("state", "").lower() == OFF)
        member |= {"enabled": False} if told else {}
        return RowPlan(row.line, own, name, True, user, member, told=told, user_changes=True, member_changes=True)

    def _known(self, row: SheetRow, somebody: Somebody) -> RowPlan:
        user, member = somebody.user, somebody.member
        own = None if member is None else entry("members", member)
        plan = RowPlan(row.line, somebody.id, user.name, False, entry("users", user), own)
        name, mail = row.cells.get("name", ""), row.cells.get("email", "")
        if name and not says(name, user.name) and (new := " ".join(bare(name).split())) != user.name:
            plan.told.append(f"name {user.name} -> {new}")
            plan.user["name"] = new
        if mail and not says(mail, user.email):
            plan.told.append(f"e-mail {user.email or 'none'} -> {bare(mail)}")
            plan.user["email"] = bare(mail)
        plan.user_changes = bool(plan.told)
        if plan.user_changes:
            self._once("user", user.id, row.line, user.name)
        return plan

    def _once(self, kind: str, own: str, line: int, called: str) -> None:
        before = self._lines.setdefault((kind, own), line)
        if before != line:
            hint = "" if kind == "card" else ": remove one, or give both an id if they are two people"
            raise RowError(f"{called} is in line {before} too{hint}")

    # --- what ----------------------------------------------------------------------------------------

    def _moment(self, plan: RowPlan, column: str, cell: str, changes: dict[str, Any], *, is_end: bool) -> None:
        if not cell:
            return
        try:
            at = moment_of(bare(cell), self._zone, is_end=is_end)
        except SheetError as error:
            raise SheetError(f"{column}: {error}") from None
        now = None if plan.member is None else plan.member.get(column)
        new = at.isoformat(timespec="minutes")
        if new != now:
            plan.told.append(f"{'until' if is_end else 'from'} {moment_cell(at, self._zone)}")
            changes[column] = new

    def _pin(self, plan: RowPlan, cell: str, changes: dict[str, Any]) -> None:
        if cell and cell.lower() != HAS_PIN:
            if not PIN.fullmatch(cell):
                raise RowError(
                    f"pin: found something else, expected {PIN_EXPECTED}; a spreadsheet drops zeros in front"
                )
            changes["pin"] = cell
            plan.told.append("a new PIN")

    def _groups(self, plan: RowPlan, row: SheetRow, changes: dict[str, Any]) -> None:
        now = [] if plan.member is None else plan.member.get("groups") or []
        wanted = [self._found(one) for one in parts(row.cells["groups"])] if "groups" in row.cells else [*now]
        for column, cell in row.cells.items():
            if column in COLUMNS or not cell or (group := self._group(column)) is None:
                continue
            if cell.lower() not in YES | NO:
                raise RowError(f"{column}: found {cell[:40]!r}, expected Y or N")
            wanted = [one for one in wanted if one != group] + [group] * (cell.lower() in YES)
        wanted = [*dict.fromkeys(wanted)]
        if {*wanted} == {*now}:
            return
        names = [", ".join(map(self._name, some)) or "none" for some in (now, wanted)]
        plan.told.append(names[1] if plan.is_new else f"groups {names[0]} -> {names[1]}")
        changes["groups"] = wanted

    def _group(self, column: str) -> str | None:
        """The group that a column is named after."""
        if column not in self._of_column:
            self._of_column[column] = self.groups.known(column) or self.groups.known(bare(column))
        return self._of_column[column]

    def _found(self, text: str) -> str:
        return self.groups.known(text) or self.groups.find(bare(text))

    def _name(self, group: str) -> str:
        return self.directory.groups[group].name

    def _cards_of(self, plan: RowPlan, row: SheetRow, changes: dict[str, Any]) -> None:
        if "cards" not in row.cells:
            return
        member: dict[str, Any] = plan.member or {}
        now = [*(member.get("cards") or ()), *(member.get("backup_cards") or ())]
        wanted, shown = [], []
        for text in parts(row.cells["cards"]):
            own, number = self._card(plan, bare(text), now)
            wanted.append(own)
            shown.append(number)
        if {*wanted} == {*now}:
            return
        directory = self.directory
        plan.left = [directory.cards[one] for one in now if one not in wanted]
        backup = member.get("backup_cards") or []
        changes["backup_cards"] = [one for one in backup if one in wanted]
        changes["disabled_cards"] = [one for one in member.get("disabled_cards") or [] if one in wanted]
        changes["cards"] = [one for one in dict.fromkeys(wanted) if one not in backup]
        new = ", ".join(shown) or "none"
        old = ", ".join(directory.cards[one].written or one for one in now) or "none"
        plan.told.append(f"card{'s' * (len(shown) > 1)} {new}" if plan.is_new else f"cards {old} -> {new}")

    def _card(self, plan: RowPlan, text: str, now: Sequence[str]) -> tuple[str, str]:
        """The id of the card that is called so, and its number to be told."""
        text, is_refused = unmarked(text)
        number = separated(text) if self._combined else text
        try:
            meant = self._cards.meant(number)
        except CardError as error:
            raise RowError(f"cards: {error}") from None
        if meant.card is not None:
            if meant.card.id not in now:
                self._once("card", meant.card.id, plan.line, f"card {number}")
                plan.taken.append(meant.card)
            return meant.card.id, meant.card.written or meant.card.id
        cards, of = self.directory.cards, plan.id
        own = next(one for n in count(1) if (one := f"{of}-{n}") not in cards and one not in self._ids)
        self._ids.add(own)
        state = {"state": "inactive"} if is_refused else {}
        plan.cards.append({"id": own, **(meant.entry or {}), "user": plan.user["id"], **state})
        return own, named_format(number)[1]


def sentence(line: int, error: Exception) -> str:
    """A problem of a row."""
    return f"line {line}: {error}"


PROBLEMS: Final = (RowError, SheetError, CardError, NotFoundError)
"""What a row may raise."""
