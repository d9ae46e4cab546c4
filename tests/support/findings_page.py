"""Writes the table of findings into docs/diagnose.md: python -m tests.support.findings_page"""

from __future__ import annotations

from edge.diagnosis.findings import KINDS
from tests.support.marked import DOCS, replaced

PAGE = DOCS / "diagnose.md"
COMMAND = "python -m tests.support.findings_page"


def written(page: str) -> str:
    """The page with the table as the code has it."""
    rows = ["| code | severity | what it says | likely causes | first thing to try |", "|---|---|---|---|---|"]
    for kind in KINDS.values():
        cells = (f"`{kind.code}`", kind.severity.value, kind.title, "; ".join(kind.likely_causes), kind.first_thing)
        shown = (cell.replace("{about}", "*it*").replace("|", "\\|") for cell in cells)
        rows.append(f"| {' | '.join(shown)} |")
    return replaced(page, "edge/diagnosis/findings.py", COMMAND, "\n".join([*rows, ""]))


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
