"""Writes the table of events into docs/events.md: python -m tests.support.events_page"""

from __future__ import annotations

import re
from pathlib import Path

from edge.model.catalogue import CATALOGUE

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
MARKED = re.compile(r"(<!-- written from edge/catalogue\.py[^\n]*\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """The page with the table as the catalogue has it."""
    lines = ["", "| type | class | severity | witnessed by | the sentence |", "|---|---|---|---|---|"]
    for row in CATALOGUE.values():
        sentence = re.sub(r"{(\w+)}", r"*\1*", row.sentence)
        lines.append(f"| `{row.type}` | {row.event_class} | {row.severity} | {row.witness} | {sentence} |")
    table = "\n".join([*lines, "", ""])
    return MARKED.sub(lambda found: found[1] + table + found[2], page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
