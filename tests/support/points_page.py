"""Writes the table of points into docs/configuration.md: python -m tests.support.points_page"""

from __future__ import annotations

from edge.model.roles import ROLES
from tests.support.marked import DOCS, replaced

PAGE = DOCS / "configuration.md"
COMMAND = "python -m tests.support.points_page"


def written(page: str) -> str:
    """The page with the table as the roles have it."""
    rows = ["", "| key | what | kind | active means | must be there |", "|---|---|---|---|---|"]
    rows += [
        f"| `{role.name}` | {role.what} | {role.kind} | {role.asserted} | {'yes' if role.needed else 'no'} |"
        for role in ROLES.values()
    ]
    return replaced(page, "edge/model/roles.py", COMMAND, "\n".join([*rows, "", ""]))


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
