"""How a key of an entry is read, written, and recorded in the history.

One rule: a field in `tables` with its `Key` is the whole description of a key; reading, writing and the difference
derive from it. A field without a `Key` becomes the attribute of the same name, unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Final

from edge.directory.document.problems import once
from edge.model.schedule import moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from edge.model.problems import ProblemReport
    from edge.settings.tables import Table


WHOLE: Final = "*"


class Audit(Enum):
    """How the history records a change of a key."""

    VALUE = "value"
    """The old value and the new one."""
    SECRET = "secret"  # noqa: S105 -- how a secret is told
    """Whether there is one, and that it changed."""
    SCHEDULE = "schedule"
    """The id of a schedule, and what the schedule says."""
    OWN = "own"
    """By event types of its own (`edge.directory.changes`), or as part of another key."""


def _same(_report: ProblemReport, _zone: tzinfo, _where: str, value: Any) -> Any:  # noqa: ANN401 -- any value
    return value


@dataclass(frozen=True, slots=True)
class Key:
    """`name` is filled in from the field."""

    name: str = ""
    attribute: str = ""
    """The attribute of the value, by default the name of the key. `WHOLE`: the key is written from the whole value."""
    read: Callable[[ProblemReport, tzinfo, str, Any], Any] | None = _same
    """Makes the attribute from the table's value; problems go into the report. None: read together with other keys."""
    write: Callable[[Any], Any] | None = None
    """Makes JSON from the attribute. None: `plain` does."""
    stored: bool = True
    """False: the key is only read, and is stored as another key."""
    audit: Audit = Audit.VALUE
    told_as: str = ""
    """Its name in the history, by default the name of the key."""
    facts: Callable[[Any], dict[str, Any]] | None = None
    """Makes what the history says from the attribute. None: the history says what is written."""

    def written(self, value: object) -> Any:  # noqa: ANN401 -- any JSON
        """This attribute as a document has it; None: the key is left out."""
        if self.write is None:
            return plain(value)
        return None if value is None else self.write(value)

    def said(self, value: object) -> dict[str, Any]:
        """What the history says of this attribute."""
        if self.audit is Audit.SECRET:
            return {self.told_as or self.name: value is not None}
        return {self.told_as or self.name: self.written(value)} if self.facts is None else self.facts(value)


def plain(value: object) -> Any:  # noqa: ANN401 -- any JSON
    """A plain value as JSON."""
    if value is None or type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, tuple):
        return [*value]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes")
    return value.value if isinstance(value, StrEnum) else value


_AS_THEY_ARE: Final = frozenset({str, bool, int, float})


class Keys:
    """The keys of an entry in the order of its fields, the id first. Made once: there are 100,000 entries."""

    def __init__(self, entry: type[Table], *, beyond: type[Table] | None = None) -> None:
        """`beyond`: leave out the keys of this base class."""
        known = frozenset(beyond.model_fields if beyond is not None else ())
        fields = {name: field for name, field in entry.model_fields.items() if name not in known}
        described = []
        for name in sorted(fields, key=lambda name: name != "id"):
            key = next((one for one in fields[name].metadata if isinstance(one, Key)), Key())
            described.append(replace(key, name=name, attribute=key.attribute or name))
        self.all = tuple(described)
        self.audited = tuple(k for k in described if k.stored and k.audit is not Audit.OWN and k.name != "id")
        self.schedules = any(key.audit is Audit.SCHEDULE for key in described)
        """Whether entries refer to a schedule, whose content the history then says as well."""
        stored = [key for key in described if key.stored]
        self._written = [(key.name, key.attribute, key.write) for key in stored]
        self._plain = [(key.attribute, key.name) for key in stored if key.read is _same]
        self._worked_out = [
            (key.attribute, key.name, key.read) for key in stored if key.read is not None and key.read is not _same
        ]

    def attributes(self, table: Table, report: ProblemReport, zone: tzinfo, where: str) -> dict[str, Any]:
        """The attributes of the value, from `table`."""
        values = {attribute: getattr(table, name) for attribute, name in self._plain}
        for attribute, name, read in self._worked_out:
            value = getattr(table, name)
            values[attribute] = None if value is None else read(report, zone, f"{where}.{name}", value)
        return values

    def entry(self, value: object) -> dict[str, Any]:
        """A value as an entry of a document."""
        entry = {}
        for name, attribute, write in self._written:
            part = value if attribute == WHOLE else getattr(value, attribute)
            if write is not None:
                part = None if part is None else write(part)
            elif part is not None and type(part) not in _AS_THEY_ARE:
                part = plain(part)
            entry[name] = part
        return entry


def ids(report: ProblemReport, _zone: tzinfo, where: str, value: tuple[str, ...]) -> tuple[str, ...]:
    """Ids, sorted; each should stand once."""
    return once(report, where, value)


def id_set(report: ProblemReport, _zone: tzinfo, where: str, value: tuple[str, ...]) -> frozenset[str]:
    """Ids, each once, in no order."""
    return frozenset(once(report, where, value))


def utc(_report: ProblemReport, zone: tzinfo, _where: str, value: datetime) -> datetime:
    """A time in UTC; one without an offset is in `zone`."""
    return moment(zone, value)


IDS: Final = Key(read=ids)
ID_SET: Final = Key(read=id_set)
MOMENT: Final = Key(read=utc)
