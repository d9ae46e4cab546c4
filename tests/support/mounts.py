"""File systems that are read-only or full, in a mount namespace of their own: unshare(1), for root only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.client.connection import Client, Unreachable
from tests.support.doord import Doord

ROOT = Path(__file__).parents[2]


def inside(folder: Path, *arguments: str) -> None:
    """Run the `__main__` of the calling test's module in a namespace where `folder` is a small file system."""
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if os.geteuid() != 0 or probe.returncode != 0:
        pytest.skip("file systems can be mounted by root only")
    caller = sys._getframe(1).f_globals["__name__"]
    mount = f'mount -t tmpfs -o size=8m none "{folder}" && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", sys.executable, "-m", caller, str(folder), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


class Outside(Doord):
    """A doord whose output and socket are on another file system than its configuration."""

    def __init__(self, config: Path, elsewhere: Path) -> None:
        super().__init__(config)
        self.socket, self.output = elsewhere / "doord.sock", elsewhere / "doord.out"

    def status(self) -> dict[str, Any]:
        return dict(self.ask("status"))

    def knock(self, door: str, card: str) -> bool:
        """Show a card; False while nobody answers at the socket."""
        try:
            with Client(self.socket) as client:
                client.ask("sim", door=door, action="card", argument=card)
        except Unreachable:
            return False
        return True
