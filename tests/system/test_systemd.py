"""What systemd hears, over a real datagram socket."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from edge.system.systemd import LONGEST_STATUS, Notifier, killed_by

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@doorward-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(name.replace("@", "\0", 1))
        line.settimeout(10)
        yield line, name


def test_each_message_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    line, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name}, lambda: 12_345_678)
    for call, expected in (
        (notifier.ready, b"READY=1"),
        (notifier.reloading, b"RELOADING=1\nMONOTONIC_USEC=12345"),
        (notifier.watchdog, b"WATCHDOG=1"),
        (notifier.stopping, b"STOPPING=1"),
    ):
        call()
        assert line.recv(4096) == expected


def test_a_status_is_one_line_of_bounded_length(manager: tuple[socket.socket, str]) -> None:
    line, name = manager
    Notifier({"NOTIFY_SOCKET": name}).status("4 doors\nREADY=1 " + "x" * 1000)
    said = line.recv(4096)
    assert said.startswith(b"STATUS=4 doors READY=1 xxx")
    assert len(said) == len("STATUS=") + LONGEST_STATUS


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "relative", "/nowhere/at/all", "@nobody-listens-here"])
def test_without_a_manager_nothing_happens(name: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": name} if name else {})
    notifier.ready()
    notifier.status("well")


def test_a_manager_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(name)
        notifier = Notifier({"NOTIFY_SOCKET": name})
        for _ in range(5000):  # far more than a socket queue holds
            notifier.watchdog()
        assert line.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_petted_twice_as_often_as_asked(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog_s == seconds


@pytest.mark.parametrize(
    ("said", "told"),
    [("watchdog\n", "watchdog"), ("oom-kill\n", "oom-kill"), ("success\n", None), ("\xff" * 999, None), (None, None)],
)
def test_what_systemd_ended_the_last_run_for_is_told_once(tmp_path: Path, said: str | None, told: str | None) -> None:
    if said is not None:
        (tmp_path / "ended").write_text(said, "latin-1")
    environ = {"RUNTIME_DIRECTORY": str(tmp_path)}
    assert killed_by(environ) == told
    assert killed_by(environ) is None
    assert killed_by({}) is None
