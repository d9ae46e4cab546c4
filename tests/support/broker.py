"""Debian's mosquitto on a port of its own: started, stopped, killed, asked."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Self

from tests.support.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from pathlib import Path


def free_port() -> int:
    """A port that stays free: it is below those that the kernel gives to others meanwhile (ip(7))."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Broker:
    """`settings` are lines of mosquitto.conf after the listener."""

    def __init__(self, folder: Path, settings: str = "allow_anonymous true\n", *, port: int | None = None) -> None:
        found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert found is not None, "mosquitto is missing: make test installs it"
        self.program = found
        self.port = port or free_port()
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "mosquitto.conf"
        own = "user root\n" if os.geteuid() == 0 else ""  # root may write where pytest puts its folders
        self.config.write_text(f"{own}listener {self.port} 127.0.0.1\n{settings}")
        self.log = folder / "mosquitto.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen([self.program, "-v", "-c", str(self.config)], stdout=out, stderr=out)
        until(self._listens, "mosquitto")
        return self

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), PATIENCE_S).close()
            return True
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)
            self.process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()
