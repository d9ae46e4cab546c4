"""A hung daemon keeps a relay released for 10 s at most: by the times of the unit, and a manager that keeps them."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.support.doord import ROOT
from tests.support.house import write_config

if TYPE_CHECKING:
    from pathlib import Path

UNIT = (ROOT / "systemd" / "doord.service").read_text()
AT_REST_WITHIN_S = 10.0
LONGEST_START_S = 60.0
STARTS = 3
"""The shortest of so many counts: how busy the test's computer is says nothing about a start."""


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
        self.heard("READY=1", LONGEST_START_S)
        return process

    def heard(self, word: str, within_s: float) -> bool:
        """Wait for a notification; False when it did not come in time."""
        end_s = time.monotonic() + within_s
        while (left_s := end_s - time.monotonic()) > 0:
            if select.select([self._line], [], [], left_s)[0] and word.encode() in self._line.recv(4096):
                return True
        return False

    def close(self) -> None:
        self._line.close()


def test_a_hung_daemon_is_replaced_in_time(tmp_path: Path) -> None:
    allowed_s, pause_s = float(unit("WatchdogSec")), float(unit("RestartSec"))
    assert unit("WatchdogSignal") == "SIGKILL", "a core dump on a slow card would be waited for"
    manager = Manager(write_config(tmp_path), tmp_path / "notify", allowed_s)
    process = manager.start()
    try:
        assert manager.heard("WATCHDOG=1", allowed_s)
        os.kill(process.pid, signal.SIGSTOP)  # it hangs just after it said that it was well: the worst moment
        hung_s = time.monotonic()
        assert not manager.heard("WATCHDOG=1", allowed_s)
        process.kill()
        process.wait()
        gone_s = time.monotonic() - hung_s
        starts = []
        for _ in range(STARTS):
            began_s = time.monotonic()
            process = manager.start()
            starts.append(time.monotonic() - began_s)
            process.kill()
            process.wait()
        assert gone_s + pause_s + min(starts) <= AT_REST_WITHIN_S
    finally:
        process.kill()
        process.wait()
        manager.close()
