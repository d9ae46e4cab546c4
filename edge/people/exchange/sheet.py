"""A list of people as spreadsheets write it: its columns, and what stands in a cell.

One rule: columns have names and may come in any order; what is not understood is told with its line.
"""

from __future__ import annotations

import csv
import re
from datetime import date, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.model.csv_cells import BYTE_ORDER_MARK, bare, safe
from edge.model.schedule import moment
from edge.people.finding import folded

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from datetime import tzinfo

COLUMNS: Final = ("id", "name", "email", "groups", "cards", "pin", "valid_from", "valid_until", "state")
"""As they are written. The state is only told, but for somebody new who is `off`."""
OFF: Final = "off"
ALSO: Final = {
    "e mail": "email",
    "mail": "email",
    "group": "groups",
    "card": "cards",
    "card number": "cards",
    "card numbers": "cards",
    "valid from": "valid_from",
    "from": "valid_from",
    "valid until": "valid_until",
    "until": "valid_until",
    "valid to": "valid_until",
    "to": "valid_until",
}
"""Other names for them, in small letters, with spaces for `-` and `_`."""
WHO: Final = ("id", "email", "name")
"""One of these columns says whom a row is about."""
SEPARATOR: Final = "; "
HAS_PIN: Final = "yes"
"""All that is said of a PIN."""
DELIMITERS: Final = ",;\t"
MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 200
LONGEST_CELL: Final = 4_000
SLICE: Final = 100
"""Rows between two yields."""
_YEARS: Final = range(2000, 2200)
_DOTTED: Final = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?=$|[ T])")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME_EXPECTED: Final = "expected a day such as 2026-12-31, or a time in whole minutes such as 2026-12-31T18:00"


class SheetError(ValueError):
    """A sheet, or a cell, is not understood; the text is a sentence for people."""


class SheetRow(NamedTuple):
    """One line of a sheet."""

    line: int
    """Where it begins, counted from 1."""
    cells: dict[str, str]
    """By column; `COLUMNS`, and all others by the names that the sheet gives them."""


class Sheet(NamedTuple):
    """The rows of a sheet that can be read, and what is wrong with the others."""

    columns: list[str]
    rows: list[SheetRow]
    problems: list[str]


def reading_sheet(text: str) -> Generator[None, None, Sheet]:
    """Read a sheet in slices: cells parted by comma, semicolon or tab. Raises SheetError when it is none."""
    lines = StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")
    first = next((line for line in lines if line.strip()), "")
    said = re.match(r"sep=(.)\s*$", first, re.IGNORECASE)  # written by spreadsheets for others
    skipped = 1 if said else 0
    if not said:
        lines.seek(0)
    cells = _cells(lines, said[1] if said else _delimiter(first), skipped)
    head = next(cells, None)
    if head is None:
        raise SheetError(f"it is empty, expected a line with the names of columns, such as {', '.join(COLUMNS[1:6])}")
    columns = _columns(head[1])
    rows: list[SheetRow] = []
    problems: list[str] = []
    for line, values in cells:
        if len(rows) >= MOST_ROWS:
            raise SheetError(f"found more than {MOST_ROWS} rows, expected fewer: import it in parts")
        beyond = [value for value in values[len(columns) :] if value.strip()]
        if beyond:
            problems.append(f"line {line}: found {len(values)} cells, expected {len(columns)}: is a quote missing?")
        elif any(len(value) > LONGEST_CELL for value in values):
            problems.append(f"line {line}: found a cell of more than {LONGEST_CELL} characters: is a quote missing?")
        else:
            filled = [value.strip() for value in values] + [""] * (len(columns) - len(values))
            rows.append(SheetRow(line, dict(zip(columns, filled, strict=False))))
        if len(rows) % SLICE == 0:
            yield
    return Sheet(columns, rows, problems)


def parts(cell: str) -> list[str]:
    """The groups or cards of a cell, each once."""
    return [*dict.fromkeys(filter(None, (one.strip() for one in cell.split(";"))))]


def says(cell: str, value: str | None) -> bool:
    """Whether this is how a sheet has this value."""
    return cell in {value or "", safe(value)}


def moment_of(cell: str, zone: tzinfo, *, is_end: bool) -> datetime:
    """The moment that a cell says; a day begins, or counts to its end. Raises SheetError."""
    text = _DOTTED.sub(lambda found: f"{found[3]}-{found[2]:0>2}-{found[1]:0>2}", cell.strip())
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text) + timedelta(days=is_end)
            at = datetime(day.year, day.month, day.day)  # noqa: DTZ001 -- local to the site
        else:
            at = datetime.fromisoformat(text)
        if at.year not in _YEARS or at.second or at.microsecond or len(text) < len("2026-01-01"):
            raise ValueError  # noqa: TRY301 -- with all that is no time
        return moment(zone, at)
    except (ValueError, OverflowError):
        raise SheetError(f"found {cell[:40]!r}, {TIME_EXPECTED}") from None


def moment_cell(at: datetime | None, zone: tzinfo) -> str:
    """A moment as `moment_of` reads it: local, and with its offset where that is not clear."""
    if at is None:
        return ""
    local = at.astimezone(zone)
    bare_local = local.replace(tzinfo=None)
    clear = moment(zone, bare_local) == at
    return (bare_local if clear else local).isoformat(timespec="minutes")


def _delimiter(head: str) -> str:
    """Whatever parts the most columns that are known; of equals, the most columns."""

    def known(delimiter: str) -> tuple[int, int]:
        names = [_named(one.strip(' "')) for one in head.split(delimiter)]
        return len({*names} & {*COLUMNS}), len(names)

    return max(DELIMITERS, key=known)


def _cells(lines: Iterable[str], delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers. Raises SheetError."""
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        line = reader.line_num + skipped + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise SheetError(f"line {line}: {error}: is a quote missing?") from None
        if values is None:
            return
        if any(value.strip() for value in values):
            yield line, values


def _columns(head: list[str]) -> list[str]:
    names = [_named(bare(name.strip())) for name in head]
    while names and not names[-1]:
        names.pop()
    if len(names) > MOST_COLUMNS:
        raise SheetError(f"line 1: found {len(names)} columns, expected at most {MOST_COLUMNS}")
    if twice := [name for number, name in enumerate(names) if name in names[:number] and name]:
        raise SheetError(f"column {twice[0]!r}: found twice, expected once")
    if not {*names} & {*WHO}:
        found = ", ".join(repr(name[:40]) for name in names[:10])
        raise SheetError(f"found the columns {found}; expected one of {', '.join(WHO)} among them")
    return names


def _named(name: str) -> str:
    plain = folded(name).replace("-", " ").replace("_", " ")
    joined = plain.replace(" ", "_")
    return joined if joined in COLUMNS else ALSO.get(plain, name)
