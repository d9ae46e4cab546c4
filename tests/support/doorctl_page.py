"""Runs the lines of docs/doorctl.md, and of other pages, against a fresh simulated daemon.

`python -m tests.support.doorctl_page` renews what they print.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edge.client.connection import Client
from tests.support.doord import ROOT
from tests.support.hand import Hand
from tests.support.readme import run, simulated
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "doorctl.md"
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each line with the output shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield line, output


def renewed(text: str, folder: Path) -> str:
    """The page with what the lines print now."""

    def block(found: re.Match[str]) -> str:
        return "".join(f"$ {line}\n{_output(line, folder)}" for line, _ in commands(found[0]))

    return BLOCK.sub(block, text)


def _output(line: str, folder: Path) -> str:
    if line.startswith("doorctl people card") and "--reader" in line:
        hand = Hand(folder / "doord.sock", "12:3456")
        hand.start()
        output = run(line, folder)
        hand.join()
    else:
        output = run(line, folder)
    if line.startswith("doorctl sim"):
        _settle(line.split()[2], line.split()[3], folder)
    output = output.replace(str(ROOT), "/opt/doorward").rstrip()
    return f"{output}\n" if output else ""


def _settle(door: str, action: str, folder: Path) -> None:
    """Until the contact has settled and what it means is on the disk; a technician types slowly."""
    with Client(folder / "doord.sock") as client:

        def settled() -> bool:
            status = client.ask("status")
            return status["doors"][door]["contact"].startswith(action) and not status["log"]["waiting"]

        until(settled, f"{door} {action}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, simulated(Path(name)):
        PAGE.write_text(renewed(PAGE.read_text(), Path(name)))
