"""The directory document's entries, checked at the border; `config/directory.schema.json` is made from them.

One rule: each key has a `description` of what is expected, which error messages use. All other keys
are refused.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from edge.directory.cards import MOST_BITS, Format
from edge.directory.directory import Ask
from edge.directory.document import forms
from edge.directory.document.keys import ID_SET, IDS, MOMENT, WHOLE, Audit, Key, Keys, ids
from edge.directory.pins import PIN, PIN_EXPECTED, PinHash, parse
from edge.model.policy import UNLOCK_S
from edge.model.problems import shown
from edge.model.schedule import DAY_MINUTES, EARLY_S, ScheduleKind
from edge.settings.tables import Table

if TYPE_CHECKING:
    from datetime import tzinfo

    from edge.model.problems import ProblemReport

ID: Final = "^[A-Za-z0-9_.:@-]{1,64}$"
ID_EXPECTED: Final = "an id: 1 to 64 of A-Z, a-z, 0-9, _ . : @ and -"
DOOR_ID: Final = "^[a-z0-9-]{1,63}$"
MOST_OF_MEMBER: Final = 32
"""Cards and backup cards of one member, each; also groups."""
MOST_DOORS: Final = 1024
MOST_FLOORS: Final = 256
MOST_WINDOWS: Final = 64
MOST_EXCEPTIONS: Final = 200
MOST_EXCEPTION_DAYS: Final = 1000
MOST_OPENINGS: Final = 100
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2199


def _time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
    except ValueError:
        at = None
    if at is None or at.microsecond or not _whole(at):
        raise ValueError(f"found {shown(value)}, expected {_TIME}")
    return at


def _whole(at: datetime) -> bool:
    """Whether a time is in whole minutes, and within the allowed years."""
    if at.tzinfo is None:
        return not at.second and FIRST_YEAR <= at.year <= LAST_YEAR
    try:
        absolute = at.astimezone(UTC)
    except OverflowError:
        return False
    return not absolute.second and FIRST_YEAR - 1 <= absolute.year <= LAST_YEAR + 1


def _date(value: object) -> date:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f'found {shown(value)}, expected a date like "2026-12-25"')
    return day


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError(f"found {shown(value)}, expected printable characters only")
    return value


def _minute(value: object) -> int:
    if isinstance(value, str) and len(value) == len("08:00") and value[2] == ":" and value.isascii():
        hours, minutes = value[:2], value[3:]
        if hours.isdigit() and minutes.isdigit() and int(minutes) < 60:  # noqa: PLR2004 -- minutes of an hour
            minute = int(hours) * 60 + int(minutes)
            if minute <= DAY_MINUTES:
                return minute
    raise ValueError(f"found {shown(value)}, expected {_CLOCK}")


_TIME: Final = 'a time in whole minutes, local like "2026-11-23T08:00" or absolute like "2026-11-23T08:00+01:00"'
_CLOCK: Final = 'a time of day from "00:00" to "24:00"'
_CLOCK_SCHEMA: Final = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"}
_NO_CONTROLS: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
_DATE_SCHEMA: Final = {"type": "string", "format": "date"}
_TIME_SCHEMA: Final = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T.+$"}

Id: TypeAlias = Annotated[str, Field(pattern=ID, description=ID_EXPECTED)]
DoorId: TypeAlias = Annotated[str, Field(pattern=DOOR_ID, description="the id of a door")]
EventPattern: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z0-9_.*]{1,64}$", description='an event type, or a pattern like "lock.*"')
]
Name: TypeAlias = Annotated[
    str,
    Field(pattern=_NO_CONTROLS, min_length=1, max_length=100, description="1 to 100 printable characters"),
    AfterValidator(_printable),
]
Email: TypeAlias = Annotated[
    str,
    Field(pattern=r"^[!-?A-~\xa1-\uffff]+@[!-?A-~\xa1-\uffff]+$", max_length=254, description="an e-mail address"),
    AfterValidator(_printable),
]
Clock: TypeAlias = Annotated[int, BeforeValidator(_minute), WithJsonSchema(_CLOCK_SCHEMA)]
Day: TypeAlias = Annotated[date, BeforeValidator(_date), WithJsonSchema(_DATE_SCHEMA)]
Time: TypeAlias = Annotated[datetime, BeforeValidator(_time), WithJsonSchema(_TIME_SCHEMA)]


def pin_hash_of(report: ProblemReport, _zone: tzinfo, where: str, text: str) -> PinHash | None:
    """A hash as it is written down."""
    try:
        return parse(text)
    except ValueError as error:
        report.add(where, f"found something else, {error}")
        return None


def is_active(_report: ProblemReport, _zone: tzinfo, _where: str, state: str) -> bool:
    """Whether a card is active."""
    return state == "active"


OWN: Final = Key(audit=Audit.OWN)
OWN_IDS: Final = Key(read=ids, audit=Audit.OWN)
OF_NUMBER: Final = Key(read=None, audit=Audit.OWN)
"""A part of a card's number."""


def _within(low: float, high: float, unit: str, default: float) -> Any:  # noqa: ANN401 -- as pydantic's Field has it
    return Field(default, ge=low, le=high, description=f"{low:g} to {high:g} {unit}")


class UserEntry(Table):
    """A person."""

    id: Id
    name: Name
    email: Email | None = Field(None, description="an e-mail address")


class MemberEntry(Table):
    """A person's membership: from when to when, with which cards, PIN and groups. A user may have several."""

    id: Id
    user: Id = Field(description="the id of a user")
    enabled: bool = Field(True, description="true or false")
    valid_from: Annotated[Time | None, MOMENT] = None
    valid_until: Annotated[Time | None, MOMENT] = None
    cards: Annotated[tuple[Id, ...], OWN_IDS] = Field(
        (), max_length=MOST_OF_MEMBER, strict=False, description="a list of ids of cards"
    )
    backup_cards: Annotated[tuple[Id, ...], OWN_IDS] = Field(
        (), max_length=MOST_OF_MEMBER, strict=False, description="a list of ids of cards"
    )
    disabled_cards: Annotated[tuple[Id, ...], OWN_IDS] = Field(
        (), max_length=2 * MOST_OF_MEMBER, strict=False, description="a list of ids of this member's cards"
    )
    pin: Annotated[str | None, Key(stored=False)] = Field(
        None, pattern=f"^{PIN.pattern}$", description=PIN_EXPECTED, repr=False
    )
    pin_hash: Annotated[str | None, Key("", "pin", pin_hash_of, forms.pin_hash, audit=Audit.SECRET, told_as="pin")] = (
        Field(None, max_length=200, description="a hash as the controller writes it", repr=False)
    )
    pin_alone: bool = Field(False, description="true or false")
    extended_unlock: bool = Field(False, description="true or false")
    visitor: Annotated[bool, Key(write=forms.mark)] = Field(False, description="true or false")
    groups: Annotated[tuple[Id, ...], IDS] = Field(
        (), max_length=MOST_OF_MEMBER, strict=False, description="a list of ids of groups"
    )


class CardEntry(Table):
    """A card, key fob or phone; `number` is decimal, hexadecimal for raw and token, or as it is printed."""

    id: Id
    format: Annotated[Format, OWN] = Field(strict=False)
    facility: Annotated[int | None, OF_NUMBER] = Field(
        None, ge=0, le=0x3F_FFFF, description="a whole number from 0 to 4194303"
    )
    number: Annotated[
        int | Annotated[str, Field(max_length=160)], Key("", WHOLE, None, forms.number, audit=Audit.OWN)
    ] = Field(
        union_mode="left_to_right", description="a whole number, a text of hexadecimal digits, or what is printed"
    )
    reversed: Annotated[bool, Key(stored=False)] = Field(
        False, description="whether the reader sends the bytes of the number in the opposite order"
    )
    bits: Annotated[int | None, OF_NUMBER] = Field(
        None, ge=1, le=MOST_BITS, description=f"a whole number from 1 to {MOST_BITS}"
    )
    state: Annotated[Literal["active", "inactive"], Key("", "active", is_active, forms.state, audit=Audit.OWN)] = (
        "active"
    )
    user: Annotated[Id | None, OWN] = Field(None, description="the id of a user")


class ElevatorFloors(Table):
    """Floors of an elevator."""

    elevator: Id = Field(description="the id of an elevator")
    floors: tuple[Id, ...] = Field(max_length=MOST_FLOORS, strict=False, description="a list of ids of floors")


class GroupEntry(Table):
    """Doors and floors that its members may pass, always or by a schedule."""

    id: Id
    name: Name
    doors: Annotated[tuple[DoorId, ...], ID_SET] = Field(
        (), max_length=MOST_DOORS, strict=False, description="a list of ids of doors"
    )
    stops: Annotated[tuple[ElevatorFloors, ...], Key(read=None, write=forms.stops, facts=forms.stop_facts)] = Field(
        (), max_length=64, strict=False, description="a list of { elevator, floors }"
    )
    schedule: Annotated[Id | None, Key(audit=Audit.SCHEDULE)] = Field(None, description="the id of a schedule")


class DayPart(Table):
    """A part of a day; one that ends at or before its start ends on the next day."""

    start: Clock = Field(alias="from", description=_CLOCK)
    end: Clock = Field(alias="to", description=_CLOCK)


class WeeklyPart(DayPart):
    """A part of some days of every week."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        min_length=1, max_length=7, strict=False, description='a list of days, like ["mon", "tue"]'
    )


class ExceptionDays(Table):
    """Days, up to and including `until`, on which only these windows begin; none means closed."""

    date: Day
    until: Day | None = None
    windows: tuple[DayPart, ...] = Field((), max_length=8, strict=False, description="a list of { from, to }")


class OpeningEntry(Table):
    """An opening that happens once."""

    start: Time = Field(alias="from", description=_TIME)
    end: Time = Field(alias="to", description=_TIME)


class ScheduleEntry(Table):
    """When doors stand unlocked, or groups may pass."""

    id: Id
    name: Name
    kind: Annotated[ScheduleKind, OWN] = Field(strict=False)
    weekly: Annotated[tuple[WeeklyPart, ...], Key(read=None, write=forms.weekly)] = Field(
        (), max_length=MOST_WINDOWS, strict=False, description="a list of windows"
    )
    exceptions: Annotated[tuple[ExceptionDays, ...], Key(read=None, write=forms.exceptions)] = Field(
        (), max_length=MOST_EXCEPTIONS, strict=False, description="a list of exceptions"
    )
    openings: Annotated[tuple[OpeningEntry, ...], Key(read=None, write=forms.openings)] = Field(
        (), max_length=MOST_OPENINGS, strict=False, description="a list of openings"
    )
    first_to_arrive: bool = Field(False, description="true or false")
    early_s: float = _within(*EARLY_S, "seconds", 0.0)


class ReaderEntry(Table):
    """What a reader asks for, and how many wrong attempts lock it."""

    ask: Ask = Field(Ask.CARD, strict=False)
    pin_within_s: float = _within(3, 60, "seconds", 10.0)
    wrong_pins: int = Field(5, ge=1, le=20, description="1 to 20 wrong PINs")
    wrong_pins_within_s: float = _within(10, 3600, "seconds", 60.0)
    locked_out_s: float = _within(10, 3600, "seconds", 60.0)
    wrong_pins_an_hour: int = Field(20, ge=1, le=1000, description="1 to 1000 wrong PINs")
    unknown_cards: int = Field(20, ge=0, le=100, description="0 to 100 unknown cards")


class AntiPassbackEntry(Table):
    """Anti-passback: the exit door that belongs to this entry door."""

    exit: DoorId = Field(description="the id of another door")
    mode: Literal["soft", "hard"]
    forget_after_s: float | None = Field(None, ge=1, le=7 * 86400, description="1 to 604800 seconds")


class DoorEntry(ReaderEntry):
    """A door: what its readers ask for, and its schedule. Its wires and times are in the configuration."""

    id: DoorId
    schedule: Annotated[Id | None, Key(audit=Audit.SCHEDULE)] = Field(None, description="the id of a schedule")
    extended_unlock_s: float = _within(*UNLOCK_S, "seconds", 20.0)
    anti_passback: Annotated[AntiPassbackEntry | None, Key(read=None, write=forms.anti_passback)] = Field(
        None, description="a table { exit, mode }"
    )


class FloorEntry(Table):
    """A floor; the relay that allows it is in the configuration, under the same id."""

    id: Id
    name: Name


class ElevatorEntry(ReaderEntry):
    """A reader in a cabin, and the floors it can allow; its wires are in the configuration, under the same id."""

    id: Id
    name: Name
    permit_s: float = _within(*UNLOCK_S, "seconds", 10.0)
    extended_permit_s: float = _within(*UNLOCK_S, "seconds", 20.0)
    floors: Annotated[tuple[FloorEntry, ...], Key(read=None, write=forms.floors, facts=forms.floor_facts)] = Field(
        (), max_length=MOST_FLOORS, strict=False, description="a list of floors"
    )


class CameraEntry(Table):
    """A camera that looks at doors."""

    id: Id
    name: Name
    doors: Annotated[tuple[DoorId, ...], ID_SET] = Field(
        (), max_length=MOST_DOORS, strict=False, description="a list of ids of doors"
    )


class IntegrationEntry(Table):
    """Another system that is connected; records are passed on to one that has a kind."""

    id: Id
    name: Name
    kind: Literal["webhook", "syslog"] | None = None
    url: str | None = Field(None, min_length=1, max_length=500, description="a url")
    types: Annotated[tuple[EventPattern, ...], IDS] = Field(
        (), max_length=100, strict=False, description="a list of event types"
    )
    secret: str | None = Field(
        None, pattern="^[a-z0-9-]{1,63}$", description="the name of a secret: 1 to 63 of a-z, 0-9 and -"
    )
    format: Literal["events", "slack", "discord", "teams", "matrix", "ntfy"] | None = None


class DocumentHead(Table):
    """The keys that are not lists."""

    schema_: str | None = Field(None, alias="$schema", max_length=200, description="the name of this document's schema")
    version: int = Field(ge=0, le=2**53 - 1, description="a whole number that grows with each document")


class Document(DocumentHead):
    """The whole directory of one controller. It is accepted as a whole, or refused with all its problems."""

    users: tuple[UserEntry, ...] = Field((), max_length=1_000_000)
    members: tuple[MemberEntry, ...] = Field((), max_length=1_000_000)
    cards: tuple[CardEntry, ...] = Field((), max_length=1_000_000)
    groups: tuple[GroupEntry, ...] = Field((), max_length=10_000)
    schedules: tuple[ScheduleEntry, ...] = Field((), max_length=1_000)
    doors: tuple[DoorEntry, ...] = Field((), max_length=MOST_DOORS)
    elevators: tuple[ElevatorEntry, ...] = Field((), max_length=64)
    cameras: tuple[CameraEntry, ...] = Field((), max_length=10_000)
    integrations: tuple[IntegrationEntry, ...] = Field((), max_length=1_000)


HEAD: Final = frozenset(field.alias or name for name, field in DocumentHead.model_fields.items())
SECTIONS: Final[dict[str, tuple[type[Table], int]]] = {
    name: (get_args(field.annotation)[0], next(m.max_length for m in field.metadata if hasattr(m, "max_length")))
    for name, field in Document.model_fields.items()
    if name not in DocumentHead.model_fields
}
"""Each list of the document: its entries and how many there may be."""


READER_KEYS: Final = Keys(ReaderEntry)
"""Attributes of the entry's `asking`."""


READERS: Final = frozenset(name for name, (entry, _) in SECTIONS.items() if issubclass(entry, ReaderEntry))
"""The lists whose entries have the keys of a reader."""
KEYS: Final = {
    name: Keys(entry, beyond=ReaderEntry if name in READERS else None) for name, (entry, _) in SECTIONS.items()
}
"""The keys of each list's entries that are attributes of their values: all but `READER_KEYS`."""


def schema() -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12)."""
    own = Document.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Doorward directory", **own}
