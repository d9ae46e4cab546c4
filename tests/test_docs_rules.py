"""docs/rules.md: every rule that the code refers to is there, with tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.diagram import COMMAND, PAGE, drawn

ROOT = Path(__file__).parents[1]
TEXT = PAGE.read_text()
RULES = re.findall(r"^## (R\d+) [^\n]*\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)


def test_the_diagram_of_the_modes_is_drawn_from_the_table() -> None:
    assert drawn(TEXT) == TEXT, f"docs/rules.md differs from edge/doors/modes.py: renew it with {COMMAND}"


def test_every_rule_that_is_referred_to_is_on_the_page() -> None:
    known = [name for name, _ in RULES]
    assert known == [f"R{number}" for number in range(1, len(known) + 1)], "docs/rules.md: one heading for each rule"
    files = [path for top in ("edge", "drivers", "tests") for path in (ROOT / top).rglob("*.py")]
    for path in [*files, *(ROOT / "docs").glob("*.md")]:
        referred = set(re.findall(r"\bR[1-9]\d?\b", path.read_text()))
        assert referred <= {*known}, f"{path}: {referred - {*known}} is no heading of docs/rules.md"


@pytest.mark.parametrize(("name", "chapter"), RULES, ids=[name for name, _ in RULES])
def test_the_tests_of_a_rule_exist(name: str, chapter: str) -> None:
    named = re.findall(r"\[(\S+\.py)::(\w+)\]\(\.\./tests/(\S+)\)", chapter)
    assert named, f"docs/rules.md: {name} names no test that holds it"
    for file, test, target in named:
        assert file == target, f"docs/rules.md: {name}: the link of {test} leads to {target}"
        tree = ast.parse((ROOT / "tests" / file).read_text())
        tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert test in tests, f"docs/rules.md: {name} names {test}, which is not in tests/{file}: name another one"
