"""Every command against a daemon that answers what it is told to: words, JSON, exit codes."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from edge.cli.commands import COMMANDS, parser
from edge.cli.main import main
from edge.client import sockets
from edge.model.roles import SIM_ACTIONS
from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon, RefusalError, door, pages, record, status
from tests.support.golden import check_golden

ROOT = Path(__file__).parents[2]
MANY = status(
    doors={
        "front": door(alarm="forced_open", contact="open"),
        "back": door(mode="accessed", lock="unlocked", unlocked_for_s=4.2),
        "side": door(warning=True, contact="open", held_open_in_s=3.0),
        "vault": door(tamper="vault.tamper", fault="line lost", contact="unknown", lock="unknown"),
    }
)


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    return Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


# --- status and sync -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found", "code"),
    [
        ("well", status(), 0),
        ("doors", MANY, 1),
        ("no-upstream", status(upstream=None), 0),
        ("offline", status(upstream=status()["upstream"] | {"state": "offline", "last_error": "no route"}), 1),
        ("log", status(log=status()["log"] | {"writer": "failed", "error": "disk full", "dropped": 3}), 1),
        ("dropped", status(log=status()["log"] | {"dropped": 3}), 1),
        ("nobody", status(directory=status()["directory"] | {"version": 0, "state": "loading"}), 0),
        ("upstream", status(directory=status()["directory"] | {"managed": "upstream", "state": "recording"}), 0),
        ("refused", status(directory=status()["directory"] | {"error": "cards[3].number: found 7"}), 1),
        ("lost", status(drivers={"bench": status()["drivers"]["bench"] | {"state": "lost", "reason": "cut"}}), 1),
    ],
)
def test_status_in_words_and_in_json(doorctl: Doorctl, name: str, found: dict[str, Any], code: int) -> None:
    with FakeDaemon(doorctl.socket, status=found):
        said, raw = doorctl("status"), doorctl("status", "--json")
    assert (said.code, raw.code) == (code, code)
    assert raw.json == found
    check_golden(f"cli/status-{name}.txt", said.out)


def test_the_time_beside_an_alarm_is_the_alarms(doorctl: Doorctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.cli.status.ago", lambda iso, _now: iso)
    bad = door(alarm="forced_open", contact="open")
    bad["conditions"][0]["since"] = began = "2026-11-22T21:50:00.000000Z"
    with FakeDaemon(doorctl.socket, status=status(doors={"front": bad})):
        [row] = [line for line in doorctl("status").out.splitlines() if line.startswith("front ")]
    assert row.endswith(f"  {began}")


def test_sync_shows_the_way_upstream(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket) as daemon:
        said, raw = doorctl("sync"), doorctl("--json", "sync")
        assert (said.code, raw.code) == (0, 0)
        daemon.answers["status"] = status(upstream=status()["upstream"] | {"state": "no_subscriber"})
        assert doorctl("sync").code == 1
        daemon.answers["status"] = status(upstream=None)
        assert doorctl("sync").out.startswith("none configured")
    assert raw.json == status()["upstream"]
    check_golden("cli/sync.txt", said.out)


def test_sync_sends_again_from_a_record_on(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, replay={"from": 7, "to": 9}) as daemon:
        assert doorctl("sync", "--replay", "7").out == "records 7 to 9 are sent again\n"
        assert doorctl("sync", "--replay", "7", "--json").json == {"from": 7, "to": 9}
        assert daemon.of("replay")[0] == {"op": "replay", "from": 7}


# --- commands -------------------------------------------------------------------------------------


DONE = {"outcomes": {"front": {"done": True, "code": None, "message": ""}}}
NOT_DONE = {"outcomes": {"front": {"done": False, "code": "locked_down", "message": "Refused: locked down"}}}


@pytest.mark.parametrize(
    ("words", "body", "out"),
    [
        (["unlock", "front"], {"command": "unlock", "door": "front"}, "unlocked"),
        (["unlock", "front", "--for", "7.5"], {"command": "unlock", "door": "front", "for_s": 7.5}, "unlocked"),
        (["lock", "front"], {"command": "lock", "door": "front"}, "locked"),
        (
            ["hold-unlocked", "front"],
            {"command": "hold_unlocked", "door": "front"},
            "held unlocked until further notice",
        ),
        (
            ["hold-unlocked", "front", "--for", "8h"],
            {"command": "hold_unlocked", "door": "front", "for_s": 28800.0},
            "held unlocked for 28800 s",
        ),
        (
            ["hold-unlocked", "front", "--until", "2099-11-22T20:00:00+01:00"],
            {"command": "hold_unlocked", "door": "front", "until": "2099-11-22T20:00:00+01:00"},
            "held unlocked until 2099-11-22T20:00:00+01:00",
        ),
        (["lock-down", "front"], {"command": "lock_down", "door": "front"}, "locked down"),
        (["lock-down", "--all"], {"command": "lock_down", "all": True}, "locked down"),
        (["cancel-lock-down", "--all"], {"command": "cancel_lockdown", "all": True}, "lockdown cancelled"),
        (["block", "front"], {"command": "block", "door": "front"}, "blocked"),
        (["unblock", "front"], {"command": "unblock", "door": "front"}, "no longer blocked"),
    ],
)
def test_a_door_command(doorctl: Doorctl, words: list[str], body: dict[str, Any], out: str) -> None:
    with FakeDaemon(doorctl.socket, command=DONE) as daemon:
        said = doorctl(*words, "--yes")
        assert (said.code, said.out) == (0, f"front: {out}\n")
        assert doorctl(*words, "--yes", "--json").json == DONE["outcomes"]
    assert daemon.of("command") == [{"op": "command", **body}] * 2


def test_a_refused_command_says_why_and_exits_1(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, command=NOT_DONE):
        said = doorctl("unlock", "front", "--yes")
        assert (said.code, said.out) == (1, "front: Refused: locked down\n")
        assert doorctl("unlock", "front", "--yes", "--json").code == 1


@pytest.mark.parametrize(
    ("typed", "code", "asked"), [("y\n", 0, 1), ("YES\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), ("", 1, 0)]
)
def test_on_a_terminal_somebody_is_asked_first(doorctl: Doorctl, typed: str, code: int, asked: int) -> None:
    with FakeDaemon(doorctl.socket, command=DONE) as daemon:
        said = doorctl("lock-down", "--all", typed=typed)
        assert said.out.startswith("lock down all doors? [y/N] ")
        assert said.code == code
        assert len(daemon.asked) == asked


def test_without_a_terminal_a_script_must_say_yes(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, command=DONE) as daemon:
        said = doorctl("unlock", "front")
        assert (said.code, daemon.asked) == (2, [])
        assert said.err == "doorctl: unlock front: nothing was done; without a terminal use --yes\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["explode"],
        ["unlock"],
        ["unlock", "front", "--for", "soon", "--yes"],
        ["hold-unlocked", "front", "--for", "8h", "--until", "20:00", "--yes"],
        ["lock-down", "--yes"],
        ["lock-down", "front", "--all", "--yes"],
        ["events", "--limit", "0"],
        ["events", "--limit", "many"],
        ["events", "--lim", "3"],
        ["events", "--class", "secret"],
        ["events", "--since", "soon"],
        ["events", "--follow", "--until", "now"],
        ["sync", "--replay", "all"],
        ["sim", "front", "explode"],
        ["log"],
    ],
)
def test_wrong_usage_exits_2_and_asks_nothing(doorctl: Doorctl, words: list[str]) -> None:
    with FakeDaemon(doorctl.socket) as daemon:
        said = doorctl(*words)
    assert said.code == 2
    assert said.err
    assert [ask["op"] for ask in daemon.asked] == []


def test_sim_moves_simulated_hardware(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, sim={}) as daemon:
        for action in SIM_ACTIONS:
            assert doorctl("sim", "front", action).code == 0
        assert doorctl("sim", "front", "card", "12:345", "--json").json == {}
    assert daemon.asked[0] == {"op": "sim", "door": "front", "action": SIM_ACTIONS[0], "argument": None}
    assert daemon.asked[-1]["argument"] == "12:345"


def test_what_the_daemon_refuses_is_said_and_exits_1(doorctl: Doorctl) -> None:
    def no(_ask: dict[str, Any]) -> None:
        raise RefusalError("not_simulated", "'front' has no \x1b]0;simulated\x07 hardware")

    with FakeDaemon(doorctl.socket, sim=no):
        said = doorctl("sim", "front", "open")
    assert (said.code, said.out) == (1, "")
    assert said.err == "doorctl: 'front' has no \\x1b]0;simulated\\x07 hardware\n"


def test_who_tells_times_as_the_clock_on_the_site_shows_them(doorctl: Doorctl) -> None:
    card = {"id": "c", "format": "wiegand26", "written": "1:2", "state": "active"}
    user = {"name": "Ada", "email": None}
    member = {
        "user": user, "enabled": True, "card_enabled": True, "backup": False, "pin": False, "groups": [],
        "valid_from": "2026-12-31T23:30:00+00:00", "valid_until": "2027-06-01T22:00:00+00:00",
    }  # fmt: skip
    answer = {"found": [{"card": card, "member": member}], "time_zone": "Asia/Kathmandu"}
    with FakeDaemon(doorctl.socket, who=answer):
        said = doorctl("who", "1:2")
    assert "valid from 2027-01-01 05:15, valid until 2027-06-02 03:45" in said.out


# --- no daemon -------------------------------------------------------------------------------------


def test_without_a_daemon_it_says_what_was_tried_and_what_to_do(doorctl: Doorctl) -> None:
    said = doorctl("status")
    assert (said.code, said.out) == (2, "")
    assert said.err == f"doorctl: no daemon at {doorctl.socket}: is doord running? systemctl status doord\n"


def test_a_socket_left_by_a_dead_daemon(doorctl: Doorctl) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(doorctl.socket))
    said = doorctl("status")
    assert said.code == 2
    assert "is dead: systemctl status doord, journalctl -u doord" in said.err


def test_a_socket_for_others(doorctl: Doorctl, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_self: socket.socket, _path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", connect)
    said = doorctl("status")
    assert said.code == 2
    assert "in the group doorward" in said.err


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0\r\n", b"[1]\n", b'{"ok": true'])
def test_whatever_else_answers_is_not_believed(doorctl: Doorctl, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(doorctl.socket))
        other.listen()

        def serve() -> None:
            peer, _ = other.accept()
            with peer:
                peer.recv(1 << 16)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        said = doorctl("status")
        thread.join()
    assert said.code == 2
    assert said.err.startswith("doorctl: ")


def test_the_socket_comes_from_the_option_the_environment_or_the_usual_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sockets.find_socket.cache_clear()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOORWARD_SOCKET", str(tmp_path / "environment.sock"))
    for words, expected in (
        (["status"], "environment.sock"),
        (["status", "--socket", str(tmp_path / "after.sock")], "after.sock"),
        (["--socket", str(tmp_path / "before.sock"), "status"], "before.sock"),
    ):
        assert main(words) == 2
        assert expected in capsys.readouterr().err
    monkeypatch.delenv("DOORWARD_SOCKET")
    sockets.find_socket.cache_clear()
    assert main(["status"]) == 2
    assert "/run/doorward/doord.sock" in capsys.readouterr().err


# --- files -----------------------------------------------------------------------------------------


def test_check_names_every_problem(doorctl: Doorctl, tmp_path: Path) -> None:
    good, bad = ROOT / "config" / "simulated.toml", tmp_path / "bad.toml"
    bad.write_text(good.read_text().replace("unlock_s = 5.0", "unlock_s = 0\nunlok_s = 1", 1))
    said = doorctl("check", str(good))
    assert (said.code, said.out) == (0, f"{good}: valid, 4 doors on 1 drivers\n")
    said, raw = doorctl("check", str(bad)), doorctl("check", str(bad), "--json")
    assert (said.code, raw.code) == (1, 1)
    assert [line.split(": ")[:2] for line in said.lines] == [
        [str(bad), "door.front.unlock_s"],
        [str(bad), "door.front.unlok_s"],
    ]
    assert [problem["key"] for problem in raw.json["problems"]] == ["door.front.unlock_s", "door.front.unlok_s"]
    assert "0.5 to 600 seconds" in raw.json["problems"][0]["message"]
    assert doorctl("check", str(tmp_path / "none.toml")).code == 1


def test_check_does_not_call_well_what_a_reload_refuses(doorctl: Doorctl) -> None:
    good = ROOT / "config" / "simulated.toml"
    said_of = {"id": "demo", "site": "demo", "name": "Demo"}
    compared = {"applied": [], "needs_restart": [], "refused": ["people.json: version: found 4, expected more than 5"]}
    with FakeDaemon(doorctl.socket, status=status(controller=said_of), compare=compared):
        said, raw = doorctl("check", str(good)), doorctl("check", str(good), "--json")
    assert (said.code, raw.code) == (1, 1)
    assert said.out == "doorctl reload refuses people.json: version: found 4, expected more than 5\n"
    assert raw.json["reload"]["refused"] == compared["refused"]


# --- as a process ------------------------------------------------------------------------------------


def start(*words: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "edge.cli", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def test_head_may_close_the_pipe(tmp_path: Path) -> None:
    path = tmp_path / "doord.sock"
    with FakeDaemon(path, events=pages([record(n) for n in range(1, 5_001)])):
        process = start("--socket", str(path), "events")
        assert process.stdout is not None
        assert "Front door opened" in process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stderr.close()


@pytest.mark.parametrize("words", [["events", "--follow"], ["watch", "--json"]])
def test_ctrl_c_ends_without_a_word(tmp_path: Path, words: list[str]) -> None:
    path, end = tmp_path / "doord.sock", threading.Event()

    def live() -> Any:
        yield {"status": status()}
        end.wait(60)

    with FakeDaemon(path, events=pages([record(1)]), watch=live):
        process = start("--socket", str(path), *words)
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate()
        end.set()
    assert (process.returncode, complaints) == (0, "")


INTERRUPTED_HALF_WAY = """
import socket, sys
def interrupted(self, *_):
    raise KeyboardInterrupt
def closed(self):
    raise AttributeError("half made")
socket.SocketIO.__init__ = interrupted
socket.SocketIO.__del__ = closed  # as IOBase does from Python 3.13 on
sys.argv = ["doorctl", *sys.argv[1:]]
from edge.cli.main import run
run()
"""


def test_ctrl_c_while_it_connects_ends_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "doord.sock"
    with FakeDaemon(path):
        words = ["--socket", str(path), "status"]
        process = subprocess.run(
            [sys.executable, "-c", INTERRUPTED_HALF_WAY, *words], capture_output=True, check=False, text=True, cwd=ROOT
        )
    assert (process.returncode, process.stdout, process.stderr) == (130, "", "")


def test_a_terminal_without_umlauts_is_served_too(tmp_path: Path) -> None:
    path = tmp_path / "doord.sock"
    with FakeDaemon(path, events=pages([record(1, message="Tür geöffnet")])):
        process = start("--socket", str(path), "events", env={**os.environ, "PYTHONIOENCODING": "ascii"})
        out, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    assert "T\\xfcr ge\\xf6ffnet" in out


def test_asking_loads_neither_pydantic_nor_the_log(tmp_path: Path) -> None:
    program = "import sys; from edge.cli.main import main; main(sys.argv[1:]); print(*sys.modules)"
    path = tmp_path / "doord.sock"
    with FakeDaemon(path, command=DONE):
        for words in (["status"], ["events"], ["sync"], ["lock", "front", "--yes"]):
            done = subprocess.run(
                [sys.executable, "-c", program, "--socket", str(path), *words],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
            loaded = set(done.stdout.splitlines()[-1].split())
            assert not loaded & {"pydantic", "sqlite3", "sqlite_utils", "asyncio", "gpiozero", "paho"}, words


def test_json_has_nothing_that_a_terminal_obeys(doorctl: Doorctl) -> None:
    nasty = "A\x1b[2J\x7f\x9b\u202eB\ud800C"
    with FakeDaemon(doorctl.socket, events=pages([record(1, message=nasty)])):
        said = doorctl("events", "--json")
        shown = doorctl("events")
    assert json.loads(said.out)["data"]["message"] == nasty
    assert said.out.strip().isprintable()
    assert shown.out.strip().isprintable()
    assert "A\\x1b[2J\\x7f\\x9b\\u202eB\\ud800C" in shown.out


def test_every_command_tells_of_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    commands = "status watch events export unlock lock hold-unlocked lock-down cancel-lock-down block unblock diagnose"
    for command in [*commands.split(), "test", "log verify", "sync", "check", "sim"]:
        with pytest.raises(SystemExit, match="0"):
            main([*command.split(), "--help"])
        text = capsys.readouterr().out
        assert "--json" in text
        assert "--socket" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_alone_is_what_it_is_among_all(name: str) -> None:
    """Only the one that is asked for is made, for the time it takes; nobody may notice."""

    def told(made: argparse.ArgumentParser) -> str:
        commands = next(one for one in made._actions if isinstance(one, argparse._SubParsersAction))
        return str(commands.choices[name].format_help())

    for words in ([name], ["--socket", "status", name], ["--json", name, "status"]):
        assert told(parser(words)) == told(parser())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no-such", "events"], "there is no command 'no-such': doorctl --help lists them"),
        (["--socket"], "expected one argument"),
        ([], "    status            show doors"),
    ],
)
def test_what_is_no_command_is_told_where_all_are(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("columns", "widest"), [("60", 60), ("200", 200), ("wide", 80)])
def test_help_is_as_wide_as_the_terminal(columns: str, widest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    commands = next(one for one in parser(["events"])._actions if isinstance(one, argparse._SubParsersAction))
    lines = commands.choices["events"].format_help().splitlines()
    assert widest // 2 < max(map(len, lines)) <= widest
