"""The README's commands do what it shows; the demo shows what it promises and ends cleanly."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from tests.support.doord import ROOT
from tests.support.readme import README, Reader, commands, plain
from tests.support.waiting import PATIENCE_S
from tests.support.web import token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


LONGEST = 150


def test_every_command_of_the_readme_prints_what_it_shows() -> None:
    shown = commands(README.read_text())
    assert [command.line.split()[0] for command in shown[:2]] == [".", "doord"], "the one start line, and nothing else"
    assert sum(command.line.startswith("doorctl ") for command in shown) > 10
    with Reader() as reader:
        for command in shown:
            output, expected = plain(reader.type(command.line)), plain(command.output)
            if "..." in expected:
                assert expected[0] in output, f"$ {command.line}"
            else:
                assert output == expected, f"$ {command.line}: python -m tests.support.readme renews it"
        assert not reader.complaints, "a first start frightens nobody"


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= LONGEST


def test_every_make_target_and_page_of_the_readme_exists() -> None:
    text = README.read_text()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|    |sudo )make (\w+)", text)) <= targets
    for page in re.findall(r"\]\((\w[^)#:]*)\)", text):
        assert (ROOT / page).exists(), page


def test_the_demo_shows_the_product_and_ends_with_ctrl_c() -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "edge.demo"]
    with (
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as demo,
        contextlib.ExitStack() as ended,
    ):
        ended.callback(demo.terminate)  # also when something is not as expected
        assert demo.stdout is not None
        seen = _until(demo.stdout, "lock.locked")
        url, name, password = _account(seen)
        with httpx2.Client(base_url=url, timeout=PATIENCE_S) as browser:
            form = {"csrf": token(browser.get("/sign-in").text), "name": name, "password": password}
            assert browser.post("/sign-in", data=form).status_code == 303
            assert "Server room" in browser.get("/doors").text
        end = _until(demo.stdout, "Ctrl-C ends it")
        folder = Path(next(line.split()[1] for line in seen if line.startswith("socket"))).parent
        tried = _try(end)
        demo.send_signal(signal.SIGINT)
        end += demo.stdout.readlines()
        assert demo.wait() == 0, end
    story = "".join([*seen, *end])
    assert "read back from the broker" in story
    assert "Server room unlocked by Ada Lovelace" in story, "the right PIN"
    assert "Traceback" not in story
    assert story.count("clock") <= 1, "said once"
    assert re.search(r"^passages [3-9], refusals [4-9], alarms [1-9]$", story, re.MULTILINE)
    stored = re.findall(r"records  (\d+) stored, (\d+) acknowledged by the broker", story)
    assert len(stored) == 2, "after the story and at the end"
    assert all(kept == acknowledged for kept, acknowledged in stored)
    assert "DW-DOOR-FORCED" in tried["doorctl diagnose"][0]
    assert "locked_down" in tried["doorctl cards"][0]
    assert re.search(r"backlog +[1-9]", tried["doorctl sync"][0]), "it waits while the broker is away"
    assert not folder.exists()
    assert not [line for line in _command_lines() if str(folder) in line], "nothing is left running"


def _until(lines: Iterable[str], word: str) -> list[str]:
    """The lines up to the one with this word, which may never come: the test has a limit of its own."""
    seen = []
    for line in lines:
        seen.append(line)
        if word in line:
            break
    return seen


def _try(lines: list[str]) -> dict[str, list[str]]:
    """Type what the demo offers into another terminal, as printed: what each line printed, in order."""
    offered = [line.strip() for line in lines if line.startswith("  ") and not line.startswith("  !")]
    shown: dict[str, list[str]] = {}
    with Reader() as reader:
        for line in offered:
            shown.setdefault(line, []).append(reader.type(line))
    return shown


def _command_lines() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            yield process.read_text()


def _account(lines: Iterable[str]) -> tuple[str, str, str]:
    """The page's address, the account and its password, from what the demo says."""
    found: dict[str, str] = {}
    for line in lines:
        if named := re.match(r"(page|account|password) +(\S+)$", line):
            found[named[1]] = named[2]
        if len(found) == 3:
            return found["page"], found["account"], found["password"]
    raise AssertionError(f"the demo told of no page: {found}")
