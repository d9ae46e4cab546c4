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
from tests.support.readme import README, commands, plain, run, simulated
from tests.support.web import token

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_every_doorctl_line_of_the_readme_prints_what_it_shows(tmp_path: Path) -> None:
    shown = commands(README.read_text())
    assert len(shown) > 10
    with simulated(tmp_path):
        for command in shown:
            output = run(command.line, tmp_path)
            if "..." not in command.output:
                assert plain(output) == plain(command.output), (
                    f"$ {command.line}: python -m tests.support.readme renews it"
                )


def test_every_make_target_and_page_of_the_readme_exists() -> None:
    text = README.read_text()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|    |sudo )make (\w+)", text)) <= targets
    for page in re.findall(r"\]\((\w[^)#:]*)\)", text):
        assert (ROOT / page).exists(), page


def test_the_demo_shows_events_read_back_from_a_broker_and_a_page_and_ends_with_ctrl_c() -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "edge.demo"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        assert demo.stdout is not None
        seen = ""
        for line in demo.stdout:
            seen += line
            if "lock.locked" in line:
                break
        page = re.search(r"page is at (\S+), for (\S+) with the password (\S+)", seen)
        assert page is not None
        with httpx2.Client(base_url=page[1]) as browser:
            form = {"csrf": token(browser.get("/sign-in").text), "name": page[2], "password": page[3]}
            assert browser.post("/sign-in", data=form).status_code == 303
            assert "Server room" in browser.get("/doors").text
        demo.send_signal(signal.SIGINT)
        seen += demo.stdout.read()
        assert demo.wait() == 0, seen
    assert "read back from the broker" in seen
    assert "lock.opened" in seen
    assert "Traceback" not in seen
    folder = re.search(r"DOORWARD_SOCKET=(\S+)/doord.sock", seen)
    assert folder is not None
    assert not Path(folder[1]).exists()
    assert not [line for line in _command_lines() if folder[1] in line], "nothing is left running"


def _command_lines() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            yield process.read_text()
