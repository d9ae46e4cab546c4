"""Makes a `Directory` from a directory document, in slices, or reports all its problems.

One rule: a document is accepted as a whole or not at all; between two slices other work may run.
"""

from __future__ import annotations

import secrets
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from edge.directory.directory import Directory
from edge.directory.document import tables
from edge.directory.document.entries import Entries
from edge.directory.document.json_pieces import JsonPieces, NotJsonError
from edge.directory.document.pins import Pins, with_kept_pin
from edge.directory.document.problems import explained
from edge.directory.document.references import references
from edge.model.plain_text import text_of
from edge.model.printable import masked
from edge.model.problems import ConfigError, ProblemReport, dotted, meant, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator
    from datetime import tzinfo
    from pathlib import Path

    from edge.model.problems import Problem

LARGEST: Final = 256 << 20
"""Bytes; a larger document is refused unread."""
SLICE: Final = 50
"""Entries read between two yields: a quarter of a millisecond on a PC, one or two milliseconds on a Raspberry Pi."""
MOST_PROBLEMS: Final = 1000
"""After this many problems the rest of a document is not checked."""


class DirectoryError(ConfigError):
    """A directory cannot be used; `problems` has all its problems, at least one."""

    version: int | None = None
    """The version of the document; None when it could not be read."""


def read(document: bytes, source: Path, zone: tzinfo, **more: Any) -> Directory:  # noqa: ANN401 -- see `reading`
    """Read a directory at once; as `reading`."""
    steps = reading(document, source, zone, **more)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            directory: Directory = done.value
            return directory


def reading(  # noqa: PLR0913 -- what a document is checked against, by name
    document: bytes,
    source: Path,
    zone: tzinfo,
    *,
    doors: Collection[str] | None = None,
    above: int | None = None,
    over: Directory | None = None,
    salt: Callable[[int], bytes] = secrets.token_bytes,
) -> Generator[None, None, Directory]:
    """Read a directory in slices; the generator's return value is the directory.

    Between two yields are one or two milliseconds of work; hashing a PIN in clear takes longer
    (`edge.directory.pins`). The caller has to call `gc.freeze()` every ten yields or so: otherwise the garbage
    collector scans all cards again and again, which takes half a second at 100,000 cards. `source` names the
    document in problems. `zone` is the site's. `doors` are the configured doors (None: do not
    check, for a directory that has been accepted before). `above` is the version in force: the
    document's has to be greater. `over` is the directory that this one is to replace: then the version is the next one
    whatever the document says, and `"pin": "kept"` keeps a member's PIN. Raises DirectoryError.
    """
    build = _Reading(ProblemReport(source), zone, doors, over)
    try:
        yield from build.entries(_text(document, build.report))
        build.version_above(above)
        yield from build.references()
        build.stop(0)
        return (yield from build.directory(salt))
    except NotJsonError as error:
        build.report.add("", f"{error}, expected a JSON object")
    raise DirectoryError(cleaned(build.report))


class _Reading:
    """One pass over a document. Problems go into the report, and reading goes on."""

    def __init__(
        self, report: ProblemReport, zone: tzinfo, doors: Collection[str] | None, over: Directory | None
    ) -> None:
        self.report, self.doors, self.over = report, doors, over
        self.found = Entries(report, zone)
        self.head: dict[str, Any] = {}

    def stop(self, at: int) -> None:
        """Give up when there are more problems than `at`. Raises DirectoryError."""
        if len(self.report.problems) > at:
            error, version = DirectoryError(cleaned(self.report)), self.head.get("version")
            error.version = version if type(version) is int else None
            raise error

    def entries(self, text: str) -> Generator[None, None, None]:
        begun: set[str] = set()
        pieces = JsonPieces(text)
        for count, (key, index, value) in enumerate(pieces):
            where = dotted(key) if index is None else dotted(key, index)
            if index in {None, 0}:
                if key in begun:
                    self.report.add(key, "found twice, expected once")
                begun.add(key)
            for twice in pieces.take_twice():
                self.report.add(dotted(where, twice), "found twice, expected once")
            self.entry(key, index, where, value)
            self.stop(MOST_PROBLEMS)
            if count % SLICE == 0:
                yield
        if self.over is not None:
            self.head["version"] = self.over.version + 1
        try:
            tables.DocumentHead.model_validate(self.head)
        except ValidationError as error:
            self.report.problems += [self.problem("", one) for one in explained(tables.DocumentHead, error)]

    def entry(self, key: str, index: int | None, where: str, value: object) -> None:
        if key in tables.HEAD:
            self.head[key] = value if index is None else [value]
        elif key not in tables.SECTIONS:
            if index in {None, 0}:
                known = [*tables.HEAD, *tables.SECTIONS]
                self.report.add(key, f"unknown key, {meant(key, known)}")
        elif index is None:
            if value != []:
                self.report.add(key, f"found {shown(value)}, expected a list")
        else:
            table, most = tables.SECTIONS[key]
            if index == most:
                self.report.add(key, f"found more entries, expected at most {most}")
            if index >= most:
                return
            if key == "members" and self.over is not None and isinstance(value, dict):
                value = with_kept_pin(self.report, where, value, self.over.members)
            try:
                self.found.add(key, where, table.model_validate(value))
            except ValidationError as error:
                self.report.problems += [self.problem(where, one) for one in explained(table, error)]
                self.found.wrong(key, where, value)

    def problem(self, where: str, one: tuple[str, str]) -> Problem:
        key, message = one
        self.report.add(f"{where}.{key}".strip(".") if not key.startswith("[") else where + key, message)
        return self.report.problems.pop()

    def version_above(self, above: int | None) -> None:
        version = self.head.get("version")
        if above is not None and type(version) is int and version <= above:
            self.report.add("version", f"found {version}, expected more than {above}, which is in force")

    def references(self) -> Generator[None, None, None]:
        for count, _ in enumerate(references(self.found, self.doors)):
            self.stop(MOST_PROBLEMS)
            if count % SLICE == 0:
                yield

    def directory(self, salt: Callable[[int], bytes]) -> Generator[None, None, Directory]:
        found = self.found
        pins = Pins(self.report, found.members, found.where)
        in_use = (m.pin.recipe for m in found.members.values() if m.pin_alone and m.pin is not None)
        for _ in pins.hashing(found.clear_pins, next(in_use, None), salt):
            yield
        for count, _ in enumerate(pins.indexing(found.members.values())):
            if count % SLICE == 0:
                yield
        self.stop(0)
        return Directory(
            version=self.head["version"],
            users=MappingProxyType(found.users),
            members=MappingProxyType(found.members),
            cards=MappingProxyType(found.cards),
            groups=MappingProxyType(found.groups),
            schedules=MappingProxyType(found.schedules),
            doors=MappingProxyType(found.doors),
            elevators=MappingProxyType(found.elevators),
            cameras=MappingProxyType(found.cameras),
            integrations=MappingProxyType(found.integrations),
            by_key=MappingProxyType(found.by_key),
            holders=MappingProxyType(found.holders),
            alone=MappingProxyType(pins.alone),
        )


def _text(document: bytes, report: ProblemReport) -> str:
    if len(document) > LARGEST:
        report.add("", f"found more than {LARGEST} bytes, expected a directory")
        raise DirectoryError(report.problems)
    try:
        return text_of(document)
    except ValueError as error:
        report.add("", f"{error}, expected JSON")
        raise DirectoryError(report.problems) from None


def cleaned(report: ProblemReport) -> list[Problem]:
    """Return the problems with text that any log and terminal can show: a document may contain anything."""
    clean = ProblemReport(report.file)
    for one in report.problems[: MOST_PROBLEMS + 1]:
        clean.add(masked(one.key), masked(one.message))
    if len(report.problems) > MOST_PROBLEMS:
        clean.add("", f"found more than {MOST_PROBLEMS} problems, did not look further")
    return clean.problems
