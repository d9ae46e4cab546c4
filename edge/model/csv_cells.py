"""Cells of a CSV file that a spreadsheet takes for text.

One rule: a spreadsheet must never run a name of a card holder as a formula.
"""

from __future__ import annotations

import re
from typing import Final

from edge.model.printable import spelt

BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""At the beginning of a file, it says to spreadsheets that the file is UTF-8."""
FORMULA: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""A spreadsheet may run a cell that begins with one of these, also in full width
(https://owasp.org/www-community/attacks/CSV_Injection)."""
BEGINS: Final = re.compile(rf"""((?:^|[;|\t\r\n])[\s"]*+)(?=[{FORMULA}])""")
"""Where a formula could begin, also behind a semicolon, which separates cells where the comma is the decimal sign."""
_MARKED: Final = re.compile(rf"""((?:^|[;|])[\s"]*+)'(?=[{FORMULA}])""")


def safe(value: object) -> object:
    """A cell in which an apostrophe precedes each possible formula, so that a spreadsheet takes it for text."""
    if not isinstance(value, str):
        return "" if value is None else value
    text = BEGINS.sub(r"\1'", value)
    return spelt(f"'{text}" if text.startswith(("\t", "\r", "\n")) else text)


def bare(cell: str) -> str:
    """The text of a printable cell as it was before `safe`."""
    return _MARKED.sub(r"\1", cell)
