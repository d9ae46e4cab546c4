"""The real daemon as a process of its own, with simulated doors."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edge.client.connection import Client, RequestRefused, Unreachable
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
STOPS_WITHIN_S = 120.0
"""Longer than doord gives its disk when it ends."""


class Doord:
    """`config` says where its socket is: `doord.sock` beside it."""

    def __init__(self, config: Path, environment: Mapping[str, str] | None = None, program: str | None = None) -> None:
        self.config, self.environment = config, environment
        self.words = ["-m", "edge.daemon.doord"] if program is None else ["-c", program]
        self.socket = config.with_name("doord.sock")
        self.log = config.with_name("log.db")
        self.output = config.with_name("doord.out")
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Execute it, and wait for nothing."""
        command = [sys.executable, *self.words, "--config", str(self.config)]
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=self.environment)

    def start(self) -> Self:
        self.spawn()
        until(self._started, self.output.read_text)
        return self

    def _started(self) -> bool:
        """Whether it answers and its log is open, or cannot be: on a slow disk the socket comes first."""
        try:
            status = self.ask("status")
        except Unreachable:
            assert self.process is not None
            assert self.process.poll() is None, self.output.read_text()
            return False
        return bool(status["stream"] or status["log"]["writer"] == "failed")

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"doord did not end: {self.output.read_text()}") from None
        finally:
            self.process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        if self.process is not None:
            self.stop()

    def ask(self, op: str, **body: Any) -> Any:
        """The history is asked for when what happened before is on the disk, unless that takes nothing."""
        with Client(self.socket) as client:
            if op == "events":
                until(lambda: _is_written(client.ask("status")["log"]), "the disk")
            return client.ask(op, **body)

    def try_to(self, op: str, **body: Any) -> None:
        """Ask, whether or not anybody answers."""
        with contextlib.suppress(Unreachable, RequestRefused):
            self.ask(op, **body)

    def sim(self, door: str, action: str) -> None:
        """Move a door, and wait until its contact has settled: what is shut again before that never was open."""
        self.ask("sim", door=door, action=action)
        if contact := {"open": "open", "close": "closed"}.get(action):
            until(lambda: self.ask("status")["doors"][door]["contact"] == contact, f"{door} {contact}")


def _is_written(log: dict[str, Any]) -> bool:
    return log["waiting"] == 0 or log["writer"] != "ok"
