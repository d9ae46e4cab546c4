"""Writes the table of events into docs/events.md: python -m tests.support.events_page"""

from __future__ import annotations

import re

from edge.model.catalogue import CATALOGUE
from tests.support.marked import DOCS, replaced

PAGE = DOCS / "events.md"
COMMAND = "python -m tests.support.events_page"


def written(page: str) -> str:
    """The page with the table as the catalogue has it."""
    lines = ["", "| type | class | severity | witnessed by | the sentence |", "|---|---|---|---|---|"]
    for row in CATALOGUE.values():
        sentence = re.sub(r"{(\w+)}", r"*\1*", row.sentence)
        lines.append(f"| `{row.type}` | {row.event_class} | {row.severity} | {row.witness} | {sentence} |")
    return replaced(page, "edge/model/catalogue.py", COMMAND, "\n".join([*lines, "", ""]))


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
