"""Columns and lines that fit the terminal. No word is broken; what does not fit goes on below.

One rule: without a width nothing is wrapped: a line of a table is a line.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from edge.cli.terminal import columns
from edge.cli.text import say
from edge.model.printable import spelt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge.cli.terminal import Kind

GAP: Final = "  "
CUT: Final = "\N{HORIZONTAL ELLIPSIS}"


def say_table(rows: Iterable[Sequence[object]], heads: Sequence[str], kinds: Iterable[Kind] = ()) -> None:
    """Print a table as wide as the terminal allows, each row in the colour of its kind."""
    row_kinds: list[Kind] = ["", *kinds]
    for number, lines in enumerate(table_rows(rows, heads, columns())):
        for line in lines:
            say(line, row_kinds[number] if number < len(row_kinds) else "")


def table_rows(rows: Iterable[Sequence[object]], heads: Sequence[str], width: int | None) -> Iterator[list[str]]:
    """The lines of each row, those of the heading first; its columns are left-aligned."""
    cells = [list(heads), *([spelt("" if cell is None else cell) for cell in row] for row in rows)]
    widths = [max(map(cell_width, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        least = [max(_longest(cell) for cell in column) for column in zip(*cells, strict=True)]
        _shrink(widths, least, width - len(GAP) * (len(widths) - 1))
    for row in cells:
        parts = [[cell] if width is None else wrapped(cell, room) for cell, room in zip(row, widths, strict=True)]
        yield [
            GAP.join(
                _padded(part[at] if at < len(part) else "", room) for part, room in zip(parts, widths, strict=True)
            ).rstrip()
            for at in range(max(map(len, parts)))
        ]


def say_fitting(line: str, indent: int = 0, kind: Kind = "") -> None:
    """Print a line; what does not fit the terminal goes on below, indented by so much."""
    width = columns()
    for part in [line] if width is None else hanging(spelt(line), indent, width):
        say(part, kind)


def hanging(line: str, indent: int, width: int) -> list[str]:
    """The line in parts of this width; all but the first are indented. Its own first `indent` characters stay."""
    first, *more = wrapped(line[indent:], width - indent)
    return [line[:indent] + first, *(" " * indent + part for part in more)]


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of this width, parted at spaces. A longer word has a line of its own."""
    if cell_width(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and cell_width(lines[-1]) + 1 + cell_width(word) > width:
            lines.append(word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return lines


def cell_width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in {"W", "F"} for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def fitted(text: str, width: int) -> str:
    """Text of exactly this width: filled up, or cut with a mark at its end."""
    if cell_width(text) > width:
        while text and cell_width(text) > width - len(CUT):
            text = text[:-1]
        text += CUT[:width]
    return _padded(text, width)


def _longest(cell: str) -> int:
    return max(map(cell_width, cell.split(" ")))


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_width(text))


def _shrink(widths: list[int], least: Sequence[int], room: int) -> None:
    """Take from the widest columns until all fit, and no column gets narrower than its longest word."""
    for _ in range(sum(widths) - room):
        can = [number for number, width in enumerate(widths) if width > least[number]]
        if not can:
            return
        widths[max(can, key=widths.__getitem__)] -= 1
