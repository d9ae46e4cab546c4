"""Runs the `doorctl` lines of the README against a fresh daemon; run as a module, it renews their output."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edge.cli.client import Client
from tests.support.doord import ROOT, Doord

README = ROOT / "README.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
VARIES = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?", "TIME"),
    (r"\b\d+ (s|min|h|d)\b", "DURATION"),
    (r"[\d.]+ [KMG]?i?B\b", "SIZE"),
    (r"\b(un)?synced\b|\brtc\b", "CLOCK"),
    (r"^--- the clock is .*\n", ""),
    (r"by \w+( \(|$)", r"by SOMEBODY\1"),
    (r"\b[0-9a-f]{10}\b", "EPOCH"),
    (r"\b[0-9a-f]{8}-", "RUN-"),
    (r"uid:\d+,\w+", "SOMEBODY"),
    (r"[ ]+", " "),
)


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
        while self.ask("status")["directory"]["state"] != "ready":
            time.sleep(0.02)
        return self


def run(line: str, folder: Path) -> str:
    """One line as a technician types it; `sleep` is obeyed, everything else is doorctl."""
    words = shlex.split(line)
    assert words[0] == "doorctl", f"the README shows {words[0]}, which nothing here runs"
    environment = {**os.environ, "DOORWARD_SOCKET": str(folder / "doord.sock"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "edge.cli", *words[1:]]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in {0, 1}, done.stderr
    if words[1] == "sim" and words[3] in {"open", "close"}:
        _settle(folder, door=words[2], contact={"open": "open", "close": "closed"}[words[3]])
    return (done.stdout + done.stderr).replace(str(folder), "/var/lib/doorward")


def _settle(folder: Path, *, door: str, contact: str) -> None:
    """A technician looks up before typing on: the contact has settled and an alarm is decided."""
    while True:
        with Client(folder / "doord.sock") as client:
            seen = client.ask("status")["doors"][door]
        undecided = contact == "open" and seen["mode"] == "locked" and seen["alarm"] == "normal"
        if seen["contact"] == contact and not undecided:
            return


def renew() -> None:
    text = README.read_text()
    with tempfile.TemporaryDirectory() as name, simulated(Path(name)):
        for command in commands(text):
            output = re.sub(r"(?m)^--- the clock is .*\n", "", run(command.line, Path(name)))
            if "...\n" in command.output:
                output = command.output
            text = text.replace(
                f"$ {command.line}\n{command.output}", f"$ {command.line}\n{output.rstrip()}\n".rstrip() + "\n", 1
            )
    README.write_text(re.sub(r"\n\n+```", "\n```", text))


if __name__ == "__main__":
    renew()
