"""Changes to single entries of a directory: makes the next version, or reports all problems.

One rule: entries that are not touched are not worked on. Only when something is removed are all entries searched for
references to it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from edge.directory.directory import Directory
from edge.directory.document import tables, writing
from edge.directory.document.entries import Entries
from edge.directory.document.forms import short
from edge.directory.document.pins import Pins, with_kept_pin
from edge.directory.document.problems import explained
from edge.directory.document.reading import MOST_PROBLEMS, DirectoryError, cleaned
from edge.directory.document.references import References, not_there
from edge.directory.edits.layered import frozen, working
from edge.directory.edits.shape import EntryChange, Touched, read_changes, touched_by
from edge.model.problems import ProblemReport, dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping, MutableMapping, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from edge.directory.pins import HashParameters
    from edge.model.messages import Json

PUTS: Final = 50
"""Entries that are put or removed between two yields."""
LOOKS: Final = 1_000
"""Entries that are looked through between two yields: less than a millisecond on a PC."""


@dataclass(frozen=True, slots=True)
class Edited:
    """The next version, and the changes that made it from the version before."""

    directory: Directory
    changes: tuple[Mapping[str, Json], ...]
    """As they may be stored: without PINs and tokens in clear."""

    @property
    def touched(self) -> list[Touched]:
        """The entries that were put or removed."""
        return touched_by(self.changes)


def editing(  # noqa: PLR0913 -- what changes are checked against, by name
    before: Directory,
    changes: Sequence[object],
    source: Path,
    zone: tzinfo,
    *,
    doors: Collection[str] | None = None,
    salt: Callable[[int], bytes] = secrets.token_bytes,
) -> Generator[None, None, Edited]:
    """Put and remove entries, in slices; the generator's return value is the next version.

    A change is `{"put": kind, "entry": {...}}`, with the whole entry as a document has it, or
    `{"remove": kind, "id": ...}`. All are applied together; their order does not matter. `source` names the edit in
    problems, `zone` is the site's, `doors` are the configured doors (None: do not check). Raises DirectoryError.
    """
    edit = _Edit(before, ProblemReport(source), zone)
    read = read_changes(edit.report, changes)
    edit.stop()
    removals = [one for one in read if one.entry is None]
    yield from edit.copies({one.section for one in read}, holders=bool(removals))
    edit.forget(read)
    for count, one in enumerate([*removals, *(one for one in read if one.entry is not None)]):
        edit.remove(one) if one.entry is None else edit.put(one)
        if count % PUTS == 0:
            edit.stop(MOST_PROBLEMS)
            yield
    yield from edit.references(doors)
    edit.stop()
    yield from edit.pins(salt)
    edit.stop()
    return edit.result(read)


class _Edit:
    """One edit. Problems go into the report, and the work goes on."""

    def __init__(self, before: Directory, report: ProblemReport, zone: tzinfo) -> None:
        self.before, self.report = before, report
        self.found = Entries(report, zone)
        for name in (*tables.SECTIONS, "by_key", "holders"):
            setattr(self.found, name, getattr(before, name))  # only `copies` of them are written to
        self.alone: dict[HashParameters, MutableMapping[bytes, str]] = {}
        self.put_ids: dict[str, list[str]] = {section: [] for section in tables.SECTIONS}
        self.gone: dict[str, set[str]] = {section: set() for section in tables.SECTIONS}

    def stop(self, at: int = 0) -> None:
        """Give up when there are more problems than `at`. Raises DirectoryError."""
        if len(self.report.problems) > at:
            raise DirectoryError(cleaned(self.report))

    def copies(self, sections: Collection[str], *, holders: bool) -> Generator[None, None, None]:
        """Make the indexes that will change writable."""
        names = [*sections, *(["by_key"] if "cards" in sections else [])]
        names += ["holders"] if holders or "members" in sections else []
        for name in names:
            setattr(self.found, name, (yield from working(getattr(self.before, name))))
        for recipe, index in self.before.alone.items() if "members" in sections else ():
            self.alone[recipe] = yield from working(index)

    def forget(self, changes: Iterable[EntryChange]) -> None:
        """Take the entries that change out of the indexes."""
        for change in changes:
            if change.section == "cards" and (card := self.before.cards.get(change.id)) is not None:
                del self.found.by_key[card.key]
            if change.section == "members" and (member := self.before.members.get(change.id)) is not None:
                for own in (*member.cards, *member.backup_cards):
                    self.found.holders.pop(own, None)
                if member.pin_alone and member.pin is not None:
                    del self.alone[member.pin.recipe][member.pin.digest]

    def remove(self, change: EntryChange) -> None:
        known = getattr(self.found, change.section)
        if known.pop(change.id, None) is None:
            self.report.add(dotted(change.where, "id"), not_there(change.section, change.id, known))
        self.gone[change.section].add(change.id)

    def put(self, change: EntryChange) -> None:
        section, where = change.section, dotted(change.where, "entry")
        table, most = tables.SECTIONS[section]
        known, entry = getattr(self.found, section), change.entry or {}
        if section == "members":
            entry = with_kept_pin(self.report, where, entry, self.before.members)
        try:
            self.found.add(section, where, table.model_validate(entry))
            self.put_ids[section].append(change.id)
        except ValidationError as error:
            for key, message in explained(table, error):
                self.report.add(f"{where}{key}" if key.startswith("[") else dotted(where, key), message)
            self.found.wrong(section, where, change.entry)
        if len(known) > most:
            self.report.add(where, f"found more entries, expected at most {most}")

    # --- references ----------------------------------------------------------------------------------

    def references(self, doors: Collection[str] | None) -> Generator[None, None, None]:
        """Check the entries that were put, and those that refer to changed or removed entries.

        For the latter the configured doors are not checked: a door that is gone is not a problem of this edit.
        """
        found = self.found
        check, others = References(found, doors), References(found, None)
        for name in ("members", "cards", "groups", "doors", "cameras"):
            for entry_id in self.put_ids[name]:
                getattr(check, name.removesuffix("s"))(getattr(found, name)[entry_id])
        yield
        self._cards_held(others)
        for name, is_concerned in self._concerned():
            checked = {*self.put_ids[name]}
            for count, one in enumerate(getattr(found, name).values()):
                if is_concerned(one) and one.id not in checked:
                    for card_id in (*one.cards, *one.backup_cards) if name == "members" else ():
                        found.holders.pop(card_id, None)  # the check enters them again
                    getattr(others, name.removesuffix("s"))(one)
                if count % LOOKS == 0:
                    self.stop(MOST_PROBLEMS)
                    yield

    def _cards_held(self, check: References) -> None:
        """Check the cards of the members that were put, but for cards that were put as well: they are checked."""
        found = self.found
        held = (found.members[member_id] for member_id in self.put_ids["members"])
        for card_id in chain.from_iterable((*member.cards, *member.backup_cards) for member in held):
            if card_id in found.cards and card_id not in self.put_ids["cards"]:
                check.card(found.cards[card_id])

    def _concerned(self) -> list[tuple[str, Callable[[Any], bool]]]:
        """The lists that have to be searched, each with the test for entries to check."""
        users, cards, groups = self.gone["users"], self.gone["cards"], self.gone["groups"]
        schedules, elevators = self._schedules(), self._elevators()
        looks: list[tuple[str, Callable[[Any], bool]]] = []
        if users or groups or cards:
            holders = {self.before.holders[one] for one in cards if one in self.before.holders}
            looks.append(
                ("members", lambda one: one.id in holders or one.user in users or not groups.isdisjoint(one.groups))
            )
        if users:
            looks.append(("cards", lambda one: one.user in users))
        if schedules or elevators:
            looks.append(("groups", lambda one: one.schedule in schedules or not elevators.isdisjoint(one.stops)))
        if schedules:
            looks.append(("doors", lambda one: one.schedule in schedules))
        return looks

    def _schedules(self) -> set[str]:
        """Schedules that were removed or are of another kind now."""
        put = self.put_ids["schedules"]
        old, new = self.before.schedules, self.found.schedules
        return self.gone["schedules"] | {one for one in put if one in old and old[one].kind is not new[one].kind}

    def _elevators(self) -> set[str]:
        """Elevators that were removed or have lost a floor."""
        put = self.put_ids["elevators"]
        old, new = self.before.elevators, self.found.elevators
        lost = {one for one in put if one in old and not old[one].floors.keys() <= new[one].floors.keys()}
        return self.gone["elevators"] | lost

    # --- the end ---------------------------------------------------------------------------------------

    def pins(self, salt: Callable[[int], bytes]) -> Generator[None, None, None]:
        """Hash PINs in clear, and enter PINs that work without a card into their index."""
        if not self.put_ids["members"]:
            return
        self.alone = {recipe: index for recipe, index in self.alone.items() if index}
        pins = Pins(self.report, self.found.members, self.found.where)
        pins.alone = self.alone
        yield from pins.hashing(self.found.clear_pins, next(iter(self.alone), None), salt)
        for _ in pins.indexing([self.found.members[one] for one in self.put_ids["members"]]):
            pass

    def result(self, changes: Iterable[EntryChange]) -> Edited:
        found, before = self.found, self.before
        alone: Mapping[HashParameters, Mapping[bytes, str]] = before.alone
        if self.put_ids["members"] or self.gone["members"]:
            alone = {recipe: frozen(index) for recipe, index in self.alone.items() if index}
        directory = Directory(
            version=before.version + 1,
            **{name: frozen(getattr(found, name)) for name in (*tables.SECTIONS, "by_key", "holders")},
            alone=alone,
        )
        return Edited(directory, tuple(self._kept(one) for one in changes))

    def _kept(self, change: EntryChange) -> Mapping[str, Json]:
        if change.entry is None:
            return {"remove": change.kind, "id": change.id}
        value = getattr(self.found, change.section)[change.id]
        return {"put": change.kind, "entry": short(writing.entry(change.section, value))}
