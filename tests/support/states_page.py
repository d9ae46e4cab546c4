"""Writes the tables of what is published into docs/mqtt.md and docs/doorctl.md: python -m tests.support.states_page"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.doors.conditions import KINDS
from edge.model.published.controller import ControllerStateJson
from edge.model.published.doors import DoorStateJson
from edge.model.published.status import StatusJson
from tests.support.marked import DOCS, replaced
from tests.support.published import fields

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "python -m tests.support.states_page"
DOCUMENTS = {
    DOCS / "mqtt.md": {
        "edge/model/published/doors.py": DoorStateJson,
        "edge/model/published/controller.py": ControllerStateJson,
    },
    DOCS / "doorctl.md": {"edge/model/published/status.py": StatusJson},
}
SAID = {f"doors.*.{row.name}" for row in fields(DoorStateJson)}
"""What the page about the whole status leaves to the page about the state of a door."""


def written(path: Path) -> str:
    """The page with the tables as the code has them."""
    page = path.read_text()
    for source, document in DOCUMENTS[path].items():
        rows = [(f"`{row.name}`", row.type, row.meaning) for row in fields(document) if row.name not in SAID]
        page = replaced(page, source, COMMAND, table(("field", "type", "meaning"), rows))
    if path.name == "mqtt.md":
        kinds = [(f"`{kind.code}`", f"`{kind.severity.value}`", kind.words) for kind in KINDS.values()]
        page = replaced(page, "edge/doors/conditions.py", COMMAND, table(("code", "severity", "message"), kinds))
    return page


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(cells)} |\n" for cells in (head, *rows)]
    return "".join([lines[0], f"{'|---' * len(head)}|\n", *lines[1:]])


if __name__ == "__main__":
    for page in DOCUMENTS:
        page.write_text(written(page))
