"""Whatever the documentation leads to is there: links, headings, files, modules."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = [path for top in ("edge", "drivers", "tests", "systemd", "config") for path in (ROOT / top).rglob("*")]
SOURCES = [path for path in CODE if path.suffix in {".py", ".toml", ".conf", ".sh"} or path.parent.name == "systemd"]
FILE = re.compile(r"(?<![\w/.~{}*<-])((?:edge|drivers|tests|docs|systemd)/[\w./*-]*[\w*/])(?![\w<{-])")
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
MODULE = re.compile(r"(?:python -m |`)((?:edge|drivers|tests)(?:\.\w+)+)")


def text_of(path: Path) -> str:
    return path.read_text(errors="replace")


@cache
def headings(path: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def named(text: str) -> set[str]:
    """Files and modules that a text names."""
    modules = {name.replace(".", "/") for name in MODULE.findall(text)}
    return {*FILE.findall(text), *modules}


def is_there(name: str) -> bool:
    """Whether there is such a file, folder or module, or a name within a module."""
    if any(ROOT.glob(name.rstrip("/"))):
        return True
    sources = (ROOT / f"{Path(*name.split('/')[:parts])}.py" for parts in range(2, name.count("/") + 2))
    within = name.rpartition("/")[2]
    return any(
        path.is_file() and (path.stem == within or re.search(rf"\b{within}\b", text_of(path))) for path in sources
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, heading = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{page.name} links to {target}: there is no such file, mend the link"
        if heading and path.suffix == ".md":
            assert heading in headings(path), f"{page.name} links to {target}: there is no such heading, mend the link"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # tells of what there was
        return
    gone = {name for name in named(text_of(page)) if not is_there(name)}
    assert not gone, f"{page.relative_to(ROOT)} names {gone}: say where it is now"


@cache
def defined_in(file: str) -> set[str]:
    """The tests in a file; none where there is no such file."""
    path = ROOT / file
    tree = ast.parse(path.read_text() if path.is_file() else "")
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    gone = [f"{file}::{test}" for file, test in TEST.findall(text_of(page)) if test not in defined_in(file)]
    assert not gone, f"{page.relative_to(ROOT)} names {gone}: say how they are called now"


def test_every_fault_names_the_tests_that_hold_it() -> None:
    table = text_of(ROOT / "docs" / "reliability.md").partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    for row in rows:
        if not row[0].startswith("**"):  # the heading of a part
            assert len(row) == 3, f"docs/reliability.md: expected three columns: {row[0]}"
            assert TEST.search(row[2]), f"docs/reliability.md: name a test, tests/FILE.py::NAME, for: {row[0]}"


def test_the_files_that_sources_name_exist() -> None:
    for path in SOURCES:
        if path == Path(__file__) or not path.is_file():
            continue
        gone = {name for name in named(text_of(path)) if not is_there(name)}
        assert not gone, f"{path.relative_to(ROOT)} names {gone}: say where it is now"


def test_a_file_that_is_gone_is_found() -> None:
    text = "`edge/doors/rules.py`, `edge.doors.rules.step`, tests/doors, `edge/nowhere.py`, `edge.doors.nowhere`"
    assert {name for name in named(text) if not is_there(name)} == {"edge/nowhere.py", "edge/doors/nowhere"}
