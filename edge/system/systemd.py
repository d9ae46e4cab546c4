"""Tells systemd the daemon's state: ready, alive, reloading, stopping, and one line of status.

One rule: it never fails and never blocks; without a service manager it does nothing.
The protocol is sd_notify(3): datagrams of KEY=VALUE lines to $NOTIFY_SOCKET.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST_STATUS: Final = 200
KILLED: Final = frozenset({"watchdog", "oom-kill"})


def killed_by(environ: Mapping[str, str] = os.environ) -> str | None:
    """Why systemd killed the last run, `watchdog` or `oom-kill`; None for any other end, and when asked again.

    The unit's ExecStopPost= leaves $SERVICE_RESULT (systemd.exec(5)) in the runtime directory.
    """
    folder = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if not folder:
        return None
    try:
        file = Path(folder) / "ended"
        with file.open(encoding="ascii", errors="replace") as stream:
            result = stream.read(LONGEST_STATUS).strip()
        file.unlink()
    except OSError:
        return None
    return result if result in KILLED else None


class Notifier:
    """The connection of this process to its service manager."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,  # systemd's own clock, used only for its time stamp
    ) -> None:
        """`monotonic_ns` reads CLOCK_MONOTONIC, which systemd wants a reload to be stamped with."""
        self._monotonic_ns = monotonic_ns
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s: Final = _interval_s(environ)
        """Interval for calls of `watchdog`, half of what systemd allows; None without a watchdog."""

    def ready(self) -> None:
        """Start-up or a reload is complete."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it. The time stamp is required by Type=notify-reload."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The stop has begun."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Reset systemd's watchdog."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())[:LONGEST_STATUS]}")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        # A service manager that is gone or does not read must not affect the doors.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as line,
        ):
            line.sendto("\n".join(lines).encode(), self._address)


def _address(name: str) -> str | None:
    """The address of $NOTIFY_SOCKET: a path, or an abstract name whose `@` stands for a zero byte; else None."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _interval_s(environ: Mapping[str, str]) -> float | None:
    """Half of $WATCHDOG_USEC, if $WATCHDOG_PID is this process (sd_watchdog_enabled(3))."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    allowed_us = environ.get("WATCHDOG_USEC", "")
    if not allowed_us.isascii() or not allowed_us.isdigit() or int(allowed_us) == 0:
        return None
    return int(allowed_us) / 2e6
