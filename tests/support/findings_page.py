"""Writes the table of findings into docs/diagnose.md: python -m tests.support.findings_page"""

from __future__ import annotations

import re
from pathlib import Path

from edge.diagnosis.findings import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "diagnose.md"
MARKED = re.compile(r"(<!-- written from edge/findings\.py[^\n]*\n).*?(\n<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """The page with the table as the code has it."""
    rows = ["| code | severity | what it says | likely causes | first thing to try |", "|---|---|---|---|---|"]
    for kind in KINDS.values():
        cells = (f"`{kind.code}`", kind.severity.value, kind.title, "; ".join(kind.likely_causes), kind.first_thing)
        shown = (cell.replace("{about}", "*it*").replace("|", "\\|") for cell in cells)
        rows.append(f"| {' | '.join(shown)} |")
    table = "\n".join(rows)
    return MARKED.sub(lambda found: found[1] + table + found[2], page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
