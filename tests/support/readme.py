"""Runs the lines of the README as a reader types them; run as a module, it renews what they print.

`simulated`, `run` and `plain` serve the pages in docs/ too.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edge.client.connection import Client, Unreachable
from tests.support.doord import ROOT, Doord
from tests.support.waiting import PATIENCE_S, until

README = ROOT / "README.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
VARIES = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?", "TIME"),
    (r"\b\d+ (s|min|h|d)\b", "DURATION"),
    (r"[\d.]+ [KMG]?i?B\b", "SIZE"),
    (r"\b(un)?synced\b|\brtc\b", "CLOCK"),
    (r"^(--- )?the clock is .*\n", ""),
    (r"\d+ records are intact, 1 to \d+", "N records are intact"),
    (r"by \w+( \(|$)", r"by SOMEBODY\1"),
    (r"\b[0-9a-f]{10}\b", "EPOCH"),
    (r"\b[0-9a-f]{8}-", "RUN-"),
    (r"uid:\d+,\w+", "SOMEBODY"),
    (r"[ ]+", " "),
)
SAID_BY_DOORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ ([A-Z]+) .*\n", re.MULTILINE)
OWN = Path(".local/state/doorward")
DONE = "---done "


@dataclass(frozen=True)
class Command:
    line: str
    output: str


def commands(text: str) -> list[Command]:
    found = []
    for block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append(Command(line, output))
    return found


def plain(output: str) -> list[str]:
    """What is the same whenever and wherever it runs."""
    for pattern, word in VARIES:
        output = re.sub(pattern, word, output, flags=re.MULTILINE)
    return [line.rstrip() for line in output.strip().splitlines()]


class Reader:
    """Somebody with a clone and a terminal, who types what is printed; everything it makes goes with it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="reader"))  # short: a socket's path has at most 107 bytes
        self.home, clone = self.folder / "home", self.folder / "clone"
        self.home.mkdir()
        clone.mkdir()
        for name in ("config", "docs", "README.md"):
            (clone / name).symlink_to(ROOT / name)
        (clone / ".venv").symlink_to(sys.prefix)
        self.socket = self.home / OWN / "doord.sock"
        self.complaints: list[str] = []
        """What doord said beside plain information."""
        own = ("DOORWARD_SOCKET", "VIRTUAL_ENV")
        environment = {name: value for name, value in os.environ.items() if name not in own}
        environment |= {"HOME": str(self.home), "COLUMNS": "100", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        self._shell = subprocess.Popen(
            ["/bin/bash", "--norc"],
            cwd=clone,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._shell.communicate("kill %1 2>/dev/null; wait\n", timeout=PATIENCE_S)
        shutil.rmtree(self.folder)

    def type(self, line: str) -> str:
        """What the terminal shows, without doord's own lines."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        stored = self._stored() if line.startswith("doorctl sim") else 0
        self._shell.stdin.write(f"{line}\necho '{DONE}'\n")
        output = ""
        for shown in self._shell.stdout:
            if shown.startswith(DONE):
                break
            output += shown
        self.complaints += [said[0] for said in SAID_BY_DOORD.finditer(output) if said[1] != "INFO"]
        self._look_up(line, stored)
        return SAID_BY_DOORD.sub("", output).replace(str(self.home), "/home/you")

    def _stored(self) -> int:
        with Client(self.socket) as client:
            return int(client.ask("status")["log"]["committed"])

    def _look_up(self, line: str, stored: int) -> None:
        """Nobody types faster than a door moves; `stored` records were there before."""
        words = line.split()
        if named := re.match(r"export DOORWARD_SOCKET=(\S+)", line):
            self.socket = Path(named[1])
        elif words[0] == "doord":
            until(self._ready, "the start of doord")
        elif words[:2] == ["doorctl", "sim"]:
            until(lambda: self._stored() > stored, f"what follows {line}")
            _settle(self.socket, words)

    def _ready(self) -> bool:
        try:
            with Client(self.socket) as client:
                return bool(client.ask("status")["directory"]["state"] == "ready")
        except Unreachable:
            return False


def simulated(folder: Path) -> Doord:
    """The shipped four doors, without a broker, in this folder."""
    text = (ROOT / "config" / "simulated.toml").read_text().replace('"~/.local/state/doorward/', '"')
    config = folder / "doorward.toml"
    config.write_text(text.replace('"directory.json"', f'"{ROOT / "config" / "directory.json"}"'))
    return Ready(config)


class Ready(Doord):
    """Started, with its directory in force and its changes recorded: what is shown is the same every time."""

    def start(self) -> Self:
        super().start()
        until(lambda: self.ask("status")["directory"]["state"] == "ready", "the directory")
        return self


def run(line: str, folder: Path) -> str:
    """One line of `doorctl` against the daemon in this folder."""
    words = shlex.split(line)
    assert words[0] == "doorctl", f"{words[0]} is shown, which nothing here runs"
    environment = {**os.environ, "DOORWARD_SOCKET": str(folder / "doord.sock"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "edge.cli", *words[1:]]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    if words[1] == "sim":
        _settle(folder / "doord.sock", words)
    return (done.stdout + done.stderr).replace(str(folder), "/var/lib/doorward")


def _settle(socket: Path, words: list[str]) -> None:
    """A technician looks up before typing on: contacts have settled, an alarm is decided, everything is written."""
    door, action = words[2:4]
    contact = {"open": "open", "close": "closed"}.get(action)
    with Client(socket) as client:

        def settled() -> bool:
            status = client.ask("status")
            seen = status["doors"][door]
            undecided = contact == "open" and seen["mode"] == "locked" and seen["alarm"] == "normal"
            return contact in {None, seen["contact"]} and not undecided and not status["log"]["waiting"]

        until(settled, f"what follows {' '.join(words)}")


def renew() -> None:
    text = README.read_text()
    with Reader() as reader:
        for command in commands(text):
            output = re.sub(r"(?m)^--- the clock is .*\n", "", reader.type(command.line))
            if "...\n" not in command.output:
                printed = f"$ {command.line}\n{output.rstrip()}\n".rstrip() + "\n"
                text = text.replace(f"$ {command.line}\n{command.output}", printed, 1)
    README.write_text(text)


if __name__ == "__main__":
    renew()
