"""Which daemon is asked when nobody says which: one that answers, and that is no stranger's."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.client import sockets

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a socket's has at most 107 bytes."""
    name = Path(tempfile.mkdtemp())
    yield name
    shutil.rmtree(name)


def listening(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()
    return server


def dead(path: Path) -> None:
    listening(path).close()


def test_the_services_is_asked_while_no_other_answers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system, own = folder / "system", folder / "own"
    assert sockets.chosen(system, own) == system, "whose absence is then said"
    dead(own)
    assert sockets.chosen(system, own) == system, "left by a daemon that was killed"
    own.unlink()
    own.write_text("")
    assert sockets.chosen(system, own) == system, "no socket at all"
    assert capsys.readouterr().err == ""


def test_ones_own_is_asked_where_there_is_no_service(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(listening(folder / "own")):
        assert sockets.chosen(folder / "system", folder / "own") == folder / "own"
    assert capsys.readouterr().err == ""


def test_of_two_the_services_is_asked_and_that_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system, own = folder / "system", folder / "own"
    with closing(listening(own)):
        dead(system)
        assert sockets.chosen(system, own) == own
        assert f"asking {own}; there is also {system}" in capsys.readouterr().err
        system.unlink()
        with closing(listening(system)):
            assert sockets.chosen(system, own) == system
            assert f"asking {system}; there is also {own}" in capsys.readouterr().err


def test_a_daemon_that_is_busy_answers_all_the_same(folder: Path) -> None:
    with closing(listening(folder / "own")) as server:
        server.listen(0)
        waiting = []
        for _ in range(3):  # more than the kernel holds for this one
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.setblocking(False)
            waiting.append((client, client.connect_ex(str(folder / "own"))))
        assert any(code for _, code in waiting)
        assert sockets.chosen(folder / "system", folder / "own") == folder / "own"
        for client, _ in waiting:
            client.close()


@pytest.mark.parametrize("owner", ["doorward", "mallory", None])
def test_a_strangers_socket_is_left_alone(
    folder: Path, owner: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    system, own = folder / "system", folder / "own"
    uid = os.geteuid()
    monkeypatch.setattr(sockets.os, "geteuid", lambda: uid + 77)
    real = Path.stat

    def stat(path: Path, **more: bool) -> os.stat_result:
        found = real(path, **more)
        values = list(found)
        values[4] = 4711
        return os.stat_result(values)

    class Entry:
        pw_name = owner

    def name_of(_uid: int) -> Entry:
        if owner is None:
            raise KeyError
        return Entry()

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(sockets.pwd, "getpwuid", name_of)
    with closing(listening(own)):
        asked = sockets.chosen(system, own)
    said = capsys.readouterr().err
    if owner == "doorward":
        assert (asked, said) == (own, "")
    else:
        assert asked == system
        assert f"it belongs to {owner or 'uid 4711'}, not to you" in said


def test_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOORWARD_SOCKET", "/somewhere/else.sock")
    sockets.find_socket.cache_clear()
    assert sockets.find_socket() == Path("/somewhere/else.sock")
    sockets.find_socket.cache_clear()
