"""Writes the tables of what is published of doors into docs/mqtt.md: python -m tests.support.states_page"""

from __future__ import annotations

from edge.doors.conditions import KINDS
from tests.support.marked import DOCS, replaced

PAGE = DOCS / "mqtt.md"
COMMAND = "python -m tests.support.states_page"


def written(page: str) -> str:
    """The page with the tables as the code has them."""
    rows = ["| code | severity | message |", "|---|---|---|"]
    rows += [f"| `{kind.code}` | `{kind.severity.value}` | {kind.words} |" for kind in KINDS.values()]
    return replaced(page, "edge/doors/conditions.py", COMMAND, "\n".join([*rows, ""]))


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
