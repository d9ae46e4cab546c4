"""docs/doorctl.md: its lines do what they show, against a real daemon with simulated doors."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from edge.cli.commands import completed, parser
from edge.cli.main import main
from tests.support.doorctl_page import BLOCK, PAGE, commands, renewed
from tests.support.readme import plain, simulated

if TYPE_CHECKING:
    from pathlib import Path

HASTE = "doorctl test"
"""What it prints depends on how quick the computer is: only the first word is compared."""
MACHINE = "doorctl diagnose"
"""Looks at the computer too, its clock and its own configuration: of its findings those are compared that both have."""
OURS = "DW-SIMULATED"
"""A finding that is there whatever computer it is."""


def shown(page: str) -> dict[str, list[str]]:
    found = {}
    for block in BLOCK.findall(page):
        for line, output in commands(block):
            lines = plain(re.sub(r"\b\d+ (records|to|hold)\b|to \d+$", r"N \1", output, flags=re.MULTILINE))
            found[line] = [text[:2] for text in lines[:1]] if line.startswith(HASTE) else lines
    return found


def findings(output: list[str]) -> dict[str, list[str]]:
    """By their codes."""
    found: dict[str, list[str]] = {}
    here: list[str] = []
    for text in output:
        if code := re.match(r"[ !]*(DW-[A-Z-]+) ", text):
            here = found.setdefault(code[1], [])
        elif not text:
            here = []
        here.append(text.lstrip() if code else text)  # the first finding of a page is stripped
    return found


def test_every_line_of_the_page_prints_what_it_shows(tmp_path: Path) -> None:
    page = PAGE.read_text()
    with simulated(tmp_path):
        now = shown(renewed(page, tmp_path))
    before = shown(page)
    assert len(before) > 15
    for line, output in before.items():
        if line.startswith("doorctl export"):  # times and ids throughout
            assert [text.count(",") for text in now[line]] == [text.count(",") for text in output]
        elif line == MACHINE:
            here, there = findings(now[line]), findings(output)
            assert OURS in here.keys() & there.keys()
            for code in here.keys() & there.keys():
                assert here[code] == there[code], f"{code}: python -m tests.support.doorctl_page renews the page"
        else:
            assert now[line] == output, f"$ {line}: python -m tests.support.doorctl_page renews the page"


def test_the_examples_of_the_directory_print_what_they_show(tmp_path: Path) -> None:
    page = PAGE.with_name("directory.md").read_text()
    with simulated(tmp_path):
        now = shown(renewed(page, tmp_path))
    assert len(now) > 2
    assert now == shown(page)


def test_what_the_table_of_the_directory_says_to_type_is_a_command() -> None:
    table = PAGE.with_name("directory.md").read_text().partition("`doorctl` …")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[1] for line in table.splitlines()[2:]]
    lines = re.findall(r"`([a-z][^`]*)`", " ".join(cells))
    assert len(lines) > 15
    for line in lines:
        words = completed(shlex.split(line))
        assert parser(words).parse_args(words).run, line


def test_every_command_and_option_has_its_place_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text()
    with pytest.raises(SystemExit):
        main(["--help"])
    names = re.findall(r"^ {4}([a-z][a-z-]+) ", capsys.readouterr().out, re.MULTILINE)
    assert len(names) > 15
    for name in names:
        assert re.search(rf"(###|doorctl|`){name}\b|`{name} |### {name}", page), name
        with pytest.raises(SystemExit):
            main([name, "--help"])
        for option in re.findall(r"--[a-z-]+", capsys.readouterr().out):
            assert option == "--help" or option in page, f"{name} {option}"
