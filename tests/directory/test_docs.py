"""The page about the directory says what the code does: its example is a directory, its tables are complete."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edge.access.credentials import Code
from edge.directory.cards import Format
from edge.directory.document.reading import read
from edge.directory.document.tables import SECTIONS, schema
from tests.support.directories import BERLIN, SHIPPED, edited

PAGE = (Path(__file__).parents[2] / "docs" / "directory.md").read_text()


def first_cells(text: str) -> list[str]:
    """Whatever stands as code in the first column of the tables."""
    rows = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
    return [key for row in rows for key in re.findall(r"`([^`]+)`", row)]


def test_the_worked_examples_are_a_directory_and_an_edit_of_it() -> None:
    edit, example = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    directory = read(example.encode(), Path("example"), BERLIN, doors=["front", "server-room"])
    assert directory.access("front").schedule == "reception"
    assert directory.members["ada"].pin is not None
    *puts, removal = json.loads(edit)["changes"]
    assert edited(directory, puts, Path("example"), BERLIN).directory.members["grace"].cards == ("grace-1",)
    assert removal == {"remove": "card", "id": "lost-1"}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_an_entry_is_explained(section: str) -> None:
    table, _ = SECTIONS[section]
    text = PAGE.split(f"### `{section}`")[1].split("\n#")[0]
    keys = {field.alias or name for name, field in table.model_fields.items()}
    assert set(first_cells(text)) - set(Format) == keys, f"docs/directory.md, `{section}`: a row for each key"


def test_every_format_and_every_code_is_explained() -> None:
    assert set(Format) <= set(first_cells(PAGE.split("### `cards`")[1].split("\n#")[0]))
    assert set(first_cells(PAGE.split("## Decisions")[1].split("\n#")[0])) == set(Code)


def test_the_published_schema_is_what_the_tables_say() -> None:
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    shipped = SHIPPED.with_name("directory.schema.json")
    assert shipped.read_text() == text, f"{shipped.name}: renew it with python -m tests.support.directory_schema"
    assert schema()["properties"].keys() >= SECTIONS.keys()
    assert set(json.loads(SHIPPED.read_text())) <= set(schema()["properties"])
