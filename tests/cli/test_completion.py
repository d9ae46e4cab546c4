"""Completion: what may come next, quickly, and nothing where nobody can be asked."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.cli.commands import COMMANDS
from edge.cli.completion import FILES, may_follow
from edge.client import sockets
from tests.support.control import FakeDaemon, RefusalError, door, status
from tests.support.terminal import DOORCTL, Terminal
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "systemd" / "completion"
DOORS = {key: door(name=key.replace("-", " ").title()) for key in ("front", "back", "server-room")}


def people(ask: dict[str, Any]) -> dict[str, Any]:
    those = [{"id": "ada", "name": "Ada Lovelace"}, {"id": "emmy", "name": "Emmy Noether"}]
    return {"people": [one for one in those if one["id"].startswith(ask["text"])]}


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    monkeypatch.setenv("DOORWARD_SOCKET", str(tmp_path / "doord.sock"))
    monkeypatch.setattr("edge.cli.completion.WITHIN_S", 120.0)  # a slow machine
    sockets.find_socket.cache_clear()
    groups = {"groups": [{"id": "staff", "name": "Staff"}]}
    cameras = {"cameras": {"hall": {"name": "Hall"}}}
    with FakeDaemon(
        tmp_path / "doord.sock", status=status(doors=DOORS), people=people, groups=groups, cameras=cameras
    ) as served:
        yield served


def offered(line: str) -> list[str]:
    *before, typed = line.split(" ")
    found = [value for value, _ in may_follow(before, typed)]
    return [value for value in found if value.startswith(typed) or value == FILES]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("unl", ["unlock"]),
        ("unlock ", [*DOORS]),
        ("unlock fr", ["front"]),
        ("unlock --yes fr", ["front"]),
        ("unlock front --f", ["--for"]),
        ("unlock --for 5m se", ["server-room"]),
        ("unlock front ", []),
        ("--json status --so", ["--socket"]),
        ("events --door ba", ["back"]),
        ("events --door front --door s", ["server-room"]),
        ("events --door = fr", ["front"]),
        ("events --class a", ["access", "audit"]),
        ("events --code unknown_ca", ["unknown_card"]),
        ("events --type lock.forced", ["lock.forced_open"]),
        ("events --log ", [FILES]),
        ("check ", [FILES]),
        ("people sh", ["show"]),
        ("people show a", ["ada"]),
        ("people change ada --group s", ["staff"]),
        ("people card emmy --reader b", ["back"]),
        ("card lost --of e", ["emmy"]),
        ("access f", ["front"]),
        ("access ad", ["ada"]),
        ("access ada fr", ["front"]),
        ("camera try h", ["hall"]),
        ("web add nobody --role op", ["operator"]),
        ("sim front op", ["open"]),
        ("lockdown fr", ["front"]),
        ("no-such-command ", []),
        ("who ", []),
    ],
)
@pytest.mark.usefixtures("daemon")
def test_what_may_come_next(line: str, found: list[str]) -> None:
    assert offered(line) == found


def test_every_command_is_offered(daemon: FakeDaemon) -> None:
    assert offered("") == [*COMMANDS]
    assert daemon.asked == []


@pytest.mark.parametrize("line", ["unlock ", "people show ", "camera try ", "acknowledge ", "access ", "schedules "])
def test_without_a_daemon_or_rights_nothing_is_offered(
    daemon: FakeDaemon, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(_ask: dict[str, Any]) -> None:
        raise RefusalError("not_allowed", "you may not")

    daemon.answers |= dict.fromkeys(("status", "people", "cameras", "alerts", "schedules"), no)
    assert offered(line) == []
    monkeypatch.setenv("DOORWARD_SOCKET", "/nonexistent/doord.sock")
    sockets.find_socket.cache_clear()
    assert offered(line) == []


def test_the_program_prints_words_with_what_they_are_and_complains_of_nothing(daemon: FakeDaemon) -> None:
    def said(*words: str, **environment: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*DOORCTL, "__complete", *words],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    assert said("unlock", "s") == (0, "server-room\tServer Room\n", "")
    assert said("unlock", "", DOORWARD_SOCKET="/nonexistent") == (0, "", "")
    daemon.answers["status"] = status(doors={"x": door(name="\x1b]0;x")})
    assert said("unlock", "x") == (0, "x\t\\x1b]0;x\n", "")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """`doorctl` in a folder for PATH."""
    shim = tmp_path / "bin" / "doorctl"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\ncd {shlex.quote(str(ROOT))} && exec {shlex.join(DOORCTL)} "$@"\n')
    shim.chmod(0o755)
    return shim.parent


@pytest.mark.usefixtures("daemon")
def test_bash_completes_a_door(program: Path, tmp_path: Path) -> None:
    keys = tmp_path / "inputrc"
    keys.write_text("set enable-bracketed-paste off\nset bell-style none\n")
    environment = {"PATH": f"{program}:{os.environ['PATH']}", "INPUTRC": str(keys), "TERM": "dumb"}
    with Terminal("--norc", "-i", program=("bash",), environment=environment) as terminal:
        terminal.type(f". {SCRIPTS}/doorctl.bash; PS1='> '; echo re''ady\n")
        terminal.until(lambda text: "\nready" in text)
        for typed, whole in (
            ("doorctl unlock ser", "doorctl unlock server-room"),
            ("doorctl events --door=fr", "doorctl events --door=front"),
            ("doorctl people show ad", "doorctl people show ada"),
        ):
            terminal.type(typed)
            until(tab(terminal, whole), lambda: f"not completed:\n{terminal.screen}", every_s=2.0)
            terminal.type("\x15")
        terminal.type("exit\n")
        assert terminal.ended() == 0


def tab(terminal: Terminal, whole: str) -> Callable[[], bool]:
    """Tab, until it is there: doorctl gives up on a daemon that is slow, as on a busy machine."""

    def completes() -> bool:
        there = whole in terminal.screen
        if not there:
            terminal.type("\t")
        return there

    return completes


@pytest.mark.usefixtures("daemon")
def test_zsh_and_fish_complete_a_door(program: Path) -> None:
    environment = {**os.environ, "PATH": f"{program}:{os.environ['PATH']}"}
    if shutil.which("fish"):
        script = f"source {SCRIPTS}/doorctl.fish; complete -C 'doorctl unlock s'"
        done = subprocess.run(["fish", "-c", script], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "server-room\tServer Room\n"
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n", SCRIPTS / "doorctl.zsh"], check=True)
    assert re.match("#compdef doorctl\n", (SCRIPTS / "doorctl.zsh").read_text())
