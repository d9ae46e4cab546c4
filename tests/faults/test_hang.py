"""A hung daemon keeps a relay released for 10 s at most: by the times of the unit, and a manager that keeps them."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.doord import ROOT
from tests.support.house import write_config
from tests.support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

UNIT = (ROOT / "systemd" / "doord.service").read_text()
AT_REST_WITHIN_S = 10.0
STARTS = 3
"""The shortest of so many counts."""


def unit(key: str) -> str:
    (found,) = re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)
    return str(found)


class Manager:
    """As much of systemd as a watchdog needs (sd_notify(3))."""

    def __init__(self, config: Path, socket_path: Path, allowed_s: float) -> None:
        self._config, self._allowed_s = config, allowed_s
        self._address = str(socket_path)
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._line.bind(self._address)

    def start(self) -> subprocess.Popen[bytes]:
        """Return when it is ready: every lock has been told to rest long before."""
        environment = {**os.environ, "NOTIFY_SOCKET": self._address, "WATCHDOG_USEC": f"{self._allowed_s * 1e6:.0f}"}
        command = [sys.executable, "-m", "edge.daemon.doord", "--config", str(self._config)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        self.wait("READY=1")
        return process

    def wait(self, word: str) -> None:
        """Until it is told."""
        said = b""
        while word.encode() not in said:
            assert select.select([self._line], [], [], PATIENCE_S)[0], f"{word} does not come"
            said = self._line.recv(4096)

    def close(self) -> None:
        self._line.close()


def end(process: subprocess.Popen[bytes]) -> float:
    """Kill it; how much of a processor it has used, which does not depend on what else the test's computer does."""
    process.kill()
    _, process.returncode, used = os.wait4(process.pid, 0)
    return used.ru_utime + used.ru_stime


def test_a_hung_daemon_is_replaced_in_time(tmp_path: Path) -> None:
    allowed_s, pause_s = float(unit("WatchdogSec")), float(unit("RestartSec"))
    assert unit("WatchdogSignal") == "SIGKILL", "a core dump on a slow card would be waited for"
    manager = Manager(write_config(tmp_path), tmp_path / "notify", allowed_s)
    process = manager.start()
    try:
        manager.wait("WATCHDOG=1")
        os.kill(process.pid, signal.SIGSTOP)  # it hangs
        end(process)
        starts = []
        for _ in range(STARTS):
            process = manager.start()
            starts.append(end(process))
        assert allowed_s + pause_s + min(starts) <= AT_REST_WITHIN_S
    finally:
        if process.returncode is None:
            end(process)
        manager.close()
