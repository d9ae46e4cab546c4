"""What comes of a sheet of people: the directory that it makes, who is added and changed, and all that is wrong.

One rule: what is planned has been made already, by the same edits as everywhere. To put it in force takes no more
than to take it; what cannot be made is told by its line before.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from edge.directory.directory import Directory
from edge.directory.document.forms import short
from edge.directory.document.tables import SECTIONS
from edge.directory.document.writing import entry
from edge.directory.edits.making import editing
from edge.model.problems import ConfigError
from edge.people.changing import EVERYBODY
from edge.people.exchange.rows import PROBLEMS, RowPlan, RowReader, sentence
from edge.people.exchange.sheet import reading_sheet

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from edge.directory.directory import Card

MOST_TOLD: Final = 50
MOST_PROBLEMS: Final = 1_000
MOST_PINS: Final = 1_000
"""Each takes a hash, 50 ms on a PC and longer on a Raspberry Pi."""
SLICE: Final = 50
"""Rows between two yields."""
AT_ONCE: Final = 400
"""Changes that are made in one go, with those of whole people."""
FREED: Final = 2_000
"""Entries that are freed between two yields."""
_LINE: Final = re.compile(r"line (\d+)")
_WHERE: Final = re.compile(r"changes\[(\d+)\](?:\.entry)?\.?")


@dataclass(slots=True)
class ImportPlan:
    """What an import makes of the directory in force."""

    before: Directory
    after: Directory
    counts: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    """The same by the kinds of entries, of a document."""
    told: list[str] = field(default_factory=list)
    """The first `MOST_TOLD` changes, a line each."""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """How much is changed."""
        return sum(self.counts[key] for key in ("added", "changed", "removed") if key in self.counts)

    def freeing(self) -> Generator[None, None, None]:
        """Free a plan that is not wanted any more, in slices: a large one at once would hold the loop up."""
        kept = [value for section in SECTIONS for value in getattr(self.after, section).values()]
        self.before = self.after = Directory()
        while kept:
            del kept[-FREED:]
            yield


def planning_sheet(  # noqa: PLR0913 -- what a sheet is read against, by name
    directory: Directory,
    text: str,
    source: Path,
    zone: tzinfo,
    *,
    doors: Collection[str],
    seen: Sequence[Card] = (),
    combined: bool = False,
) -> Generator[None, None, ImportPlan]:
    """Plan the import of a sheet, in slices. Nobody is removed by it. Raises SheetError when it is none.

    `doors` are the configured ones, `seen` and `combined` as `RowReader` has them.
    """
    sheet = yield from reading_sheet(text)
    reader = RowReader(directory, zone, seen, combined=combined)
    yield from reader.fill()
    plan = ImportPlan(directory, directory, {"added": 0, "changed": 0, "unchanged": 0})
    plan.problems += sheet.problems
    if ignored := reader.ignored(sheet.columns):
        names = ", ".join(one[:40] for one in ignored)
        plan.notes.append(f"not taken over: {names} (a column that is named after a group takes Y and N)")
    rows: list[RowPlan] = []
    sheet.rows.reverse()
    while sheet.rows:  # each is freed when it has been read, not all at the end
        row = sheet.rows.pop()
        try:
            own = reader.read(row)
        except PROBLEMS as error:
            plan.problems.append(sentence(row.line, error))
        else:
            plan.problems += own.problems
            plan.counts["added" if own.is_new else "changed" if own.told else "unchanged"] += 1
            rows += [own] if own.is_new or own.told else []
        if len(sheet.rows) % SLICE == 0:
            yield
    if not directory.groups and doors and not ignored and "groups" not in sheet.columns:
        _everybody(plan, rows)
    yield from _told(plan, rows)
    edits = _Edits(plan, source, zone, doors)
    yield from edits.all(rows)
    if not plan.problems:
        plan.after = replace(edits.made, version=directory.version + 1)
    plan.problems = sorted(dict.fromkeys(plan.problems), key=_line)
    return plan


def _everybody(plan: ImportPlan, rows: Sequence[RowPlan]) -> None:
    """As with the first person of a controller; but a sheet that says anything of groups or doors is not overruled."""
    new = [row.member for row in rows if row.is_new and row.member is not None]
    for member in new:
        member["groups"] = [EVERYBODY]
    if new:
        plan.notes.append(f"there was no group yet: {EVERYBODY} is made, which may pass every door at any time")


def _told(plan: ImportPlan, rows: list[RowPlan]) -> Generator[None, None, None]:
    """Tell what the rows change, and what is wrong with them together."""
    takers = {card.id: row for row in rows for card in row.taken}
    leavers = {card.id for row in rows for card in row.left}
    pins = without = 0
    losing = Counter[str]()
    for number, row in enumerate(rows):
        if len(plan.told) < MOST_TOLD:
            sign, changes = "+" if row.is_new else "~", ", ".join(row.told)
            plan.told.append(f"{sign} {row.name}: {changes or 'no group, no card'}")
        pins += "pin" in (row.member or {})
        without += row.is_new and not (row.member or {}).get("groups")
        losing.update(_losing(plan.before, row))
        if number % SLICE == 0:
            yield
    wrong: set[int] = set()
    for card_id, row in takers.items():
        holder = plan.before.holder(card_id)
        if holder is not None and card_id not in leavers:
            card, whose = plan.before.cards[card_id], plan.before.user_of(holder).name
            text = f"line {row.line}: card {card.written or card_id} is the card of {whose} ({holder.id})"
            plan.problems.append(text)
            wrong.add(row.line)
    rows[:] = [row for row in rows if row.line not in wrong]  # their edits would say the same
    some_have_no = "of those who are changed have no {} any more: an empty cell means none"
    plan.notes += [f"{some} {some_have_no.format(key)}" for key, some in losing.items()]
    if pins > MOST_PINS:
        plan.problems.append(f"found {pins} PINs, expected at most {MOST_PINS} in one import: import it in parts")
    if without:
        plan.notes.append(f"{without} of those who are added are in no group, and may pass no door yet")


def _losing(before: Directory, row: RowPlan) -> list[str]:
    """Of what somebody has nothing any more."""
    had, has = before.members.get(row.id), row.member
    if had is None or has is None:
        return []
    return [key for key in ("groups", "cards") if getattr(had, key) and not has.get(key)]


class _Edits:
    """Makes the directory from rows, so many changes at once."""

    def __init__(self, plan: ImportPlan, source: Path, zone: tzinfo, doors: Collection[str]) -> None:
        self.made = plan.before
        self._plan, self._source, self._zone, self._doors = plan, source, zone, doors
        self._changes: list[dict[str, Any]] = []
        self._lines: list[int] = []
        self._taken: set[str] = set()

    def all(self, rows: list[RowPlan]) -> Generator[None, None, None]:
        if EVERYBODY not in self.made.groups and any((row.member or {}).get("groups") == [EVERYBODY] for row in rows):
            self._put(1, "group", {"id": EVERYBODY, "name": "Everybody", "doors": sorted(self._doors)})
        yield from self._given_up(rows)
        rows.reverse()
        while rows:  # as above
            self._of(rows.pop())
            if len(self._changes) >= AT_ONCE:
                yield from self._make()
        yield from self._make()

    def _given_up(self, rows: Sequence[RowPlan]) -> Generator[None, None, None]:
        """Take cards that change hands from whoever has them first."""
        self._taken = {card.id for row in rows for card in row.taken}
        for row in rows:
            moving = {card.id for card in row.left} & self._taken
            if moving:
                member = entry("members", self._plan.before.members[row.id])
                for key in ("cards", "backup_cards", "disabled_cards"):
                    member[key] = [one for one in member[key] if one not in moving]
                self._put(row.line, "member", member)
                if len(self._changes) >= AT_ONCE:
                    yield from self._make()
        yield from self._make()

    def _of(self, row: RowPlan) -> None:
        for card in row.cards:
            self._put(row.line, "card", card)
        for one in row.left:
            if one.user == row.user["id"] and one.id not in self._taken:
                self._put(row.line, "card", entry("cards", one) | {"user": None})
        for one in row.taken:
            self._put(row.line, "card", entry("cards", one) | {"user": row.user["id"]})
        if row.user_changes:
            self._put(row.line, "user", row.user)
        if row.member is not None and row.member_changes:
            self._put(row.line, "member", row.member)

    def _put(self, line: int, kind: str, value: dict[str, Any]) -> None:
        self._changes.append({"put": kind, "entry": short(value)})
        self._lines.append(line)

    def _make(self) -> Generator[None, None, None]:
        if not self._changes or len(self._plan.problems) > MOST_PROBLEMS:
            return
        changes, lines = self._changes, self._lines
        self._changes, self._lines = [], []
        if self._plan.problems:  # nothing will be made of it, but all that is wrong is told
            for change in changes:
                if change["entry"].pop("pin", None):
                    change["entry"].pop("pin_alone", None)
        try:
            edit = yield from editing(self.made, changes, self._source, self._zone, doors=self._doors)
        except ConfigError as error:
            self._plan.problems += [_by_line(problem.key, problem.message, lines) for problem in error.problems]
        else:
            self.made = edit.directory


def _by_line(key: str, message: str, lines: Sequence[int]) -> str:
    """A problem of an edit, with the line of the row that it came from."""

    def line(found: re.Match[str]) -> str:
        return f"line {lines[int(found[1])]}"

    where = _WHERE.match(key)
    head = f"{line(where)}: " if where else ""
    rest = key[where.end() :] if where else key
    return head + (f"{rest}: " if rest else "") + _WHERE.sub(line, message)


def _line(problem: str) -> int:
    found = _LINE.match(problem)
    return int(found[1]) if found else 0
