"""`doorctl diagnose` on a living daemon, a dead one and a copied log: whatever fails costs only itself."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.client.connection import Client
from edge.config.reading import load
from edge.diagnosis.diagnose import diagnose
from edge.diagnosis.facts import MachineFacts, ServiceFacts
from edge.diagnosis.gathering import look, look_at_copy
from edge.diagnosis.loaded import differences
from edge.diagnosis.machine import SystemPaths
from tests.support.cli import Doorctl
from tests.support.control import STATUS, FakeDaemon, door, status
from tests.support.doord import ROOT, Doord
from tests.support.house import write_config
from tests.support.logs import forced, journal, opened

if TYPE_CHECKING:
    from edge.diagnosis.facts import Facts

NOBODY = 65_534
REACHABLE = all(
    folder.stat().st_mode & 0o001
    for start in (ROOT / "edge", Path(sys.executable))
    for folder in start.resolve().parents
)


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    return Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


@pytest.fixture
def paths(tmp_path: Path) -> SystemPaths:
    """A computer of our own, on which there is nothing yet."""
    computer = tmp_path / "computer"
    computer.mkdir()
    return SystemPaths(
        boot=(computer / "config.txt", computer / "old-config.txt"),
        throttled=(computer / "get_throttled",),
        temperature=computer / "temp",
        memory=computer / "meminfo",
        systemctl=str(computer / "systemctl"),
        systemd=computer / "systemd",
    )


def written(path: Path, count: int = 6, *, alarms: int = 0) -> Path:
    """A log that a daemon left behind."""

    async def write() -> None:
        async with journal(path) as log:
            await log.write(
                *(opened(n, n) for n in range(count)), *(forced(count + n, count + n) for n in range(alarms))
            )

    asyncio.run(write())
    return path


def spoil(path: Path, *, offset: int = 0) -> None:
    """What a worn-out card does to a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * (path.stat().st_size - offset))


def codes(facts: Facts) -> set[str]:
    return {finding.code for finding in diagnose(facts)}


def unseen(facts: Facts, what: str) -> bool:
    return any(line.startswith(f"{what}: ") for line in facts.unseen)


def systemctl(paths: SystemPaths, script: str) -> None:
    paths.systemd.mkdir()
    program = Path(paths.systemctl)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


# --- a copied log ------------------------------------------------------------------------------------------


def test_a_copied_log_is_looked_at_by_its_own_clock(tmp_path: Path) -> None:
    facts = look_at_copy(written(tmp_path / "log.db", alarms=3))
    assert codes(facts) == {"DW-FORCED-OFTEN"}
    assert facts.history is not None
    assert facts.history.forced == {"front": 3}
    assert unseen(facts, "everything but the log")


def test_a_copied_log_is_left_as_it_was(tmp_path: Path, doorctl: Doorctl) -> None:
    log = written(tmp_path / "log.db")
    log.chmod(0o444)
    before, names = log.read_bytes(), sorted(tmp_path.iterdir())
    assert doorctl("diagnose", "--log", str(log)).code == 0
    assert log.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == names


@pytest.mark.parametrize("offset", [0, 4_096])
def test_a_damaged_log_is_a_finding_and_no_crash(tmp_path: Path, doorctl: Doorctl, offset: int) -> None:
    log = written(tmp_path / "log.db", 40)
    spoil(log, offset=offset)
    said = doorctl("--json", "diagnose", "--log", str(log))
    assert said.code == 1
    assert [finding["code"] for finding in said.json["findings"]] == ["DW-LOG-BROKEN"]


@pytest.mark.parametrize("content", [b"", b"not a log at all" * 500])
def test_what_is_no_log_is_named_as_such(tmp_path: Path, doorctl: Doorctl, content: bytes) -> None:
    log = tmp_path / "log.db"
    log.write_bytes(content)
    said = doorctl("diagnose", "--log", str(log))
    assert said.code == 1
    assert "DW-LOG-BROKEN" in said.out


@pytest.mark.parametrize("name", ["missing.db", "."])
def test_without_a_file_nothing_can_be_told(tmp_path: Path, doorctl: Doorctl, name: str) -> None:
    said = doorctl("diagnose", "--log", str(tmp_path / name))
    assert (said.code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1


# --- a dead daemon -----------------------------------------------------------------------------------------


def test_a_dead_daemon_leaves_its_configuration_and_its_log(tmp_path: Path, paths: SystemPaths) -> None:
    config = write_config(tmp_path)
    written(tmp_path / "log.db")
    facts = look(tmp_path / "doord.sock", config, paths)
    assert codes(facts) == {"DW-SERVICE-DEAD"}
    assert facts.history is not None
    assert facts.disk is not None
    assert facts.log_max_bytes == 1_024 << 20
    for what in ("the service", "the supply voltage", "the temperature", "the memory"):
        assert unseen(facts, what)


def test_a_dead_daemon_and_a_damaged_log_are_both_found(tmp_path: Path, paths: SystemPaths) -> None:
    config = write_config(tmp_path)
    spoil(written(tmp_path / "log.db"))
    facts = look(tmp_path / "doord.sock", config, paths)
    assert codes(facts) == {"DW-SERVICE-DEAD", "DW-LOG-BROKEN"}
    assert unseen(facts, "the history")


def test_damage_outside_the_chain_is_found_too(
    tmp_path: Path, paths: SystemPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path)
    spoil(written(tmp_path / "log.db", 40), offset=4_096)
    monkeypatch.setattr("edge.diagnosis.gathering._broken", lambda *_: None)
    facts = look(tmp_path / "doord.sock", config, paths)
    assert "DW-LOG-BROKEN" in codes(facts)


def test_a_log_that_is_not_there_is_a_finding(tmp_path: Path, paths: SystemPaths) -> None:
    assert codes(look(tmp_path / "doord.sock", write_config(tmp_path), paths)) == {"DW-SERVICE-DEAD", "DW-LOG-MISSING"}


def test_a_wrong_configuration_is_named_with_its_problems(tmp_path: Path, paths: SystemPaths) -> None:
    config = write_config(tmp_path, unlock_s=-1)
    facts = look(tmp_path / "doord.sock", config, paths)
    assert codes(facts) == {"DW-SERVICE-DEAD", "DW-CONFIG-INVALID"}
    assert any("unlock_s" in problem for problem in facts.config_problems)


def test_permissions_are_looked_at(tmp_path: Path, paths: SystemPaths) -> None:
    config = write_config(tmp_path)
    secret = tmp_path / "mqtt.password"
    secret.write_text("s3cret\n")
    secret.chmod(0o644)
    config.write_text(
        f'{config.read_text()}\n[mqtt]\nurl = "mqtt://127.0.0.1"\nusername = "u"\npassword_file = "{secret}"\n'
    )
    config.chmod(0o666)
    facts = look(tmp_path / "doord.sock", config, paths)
    assert {"DW-CONFIG-WRITABLE", "DW-SECRET-READABLE"} <= codes(facts)
    assert "s3cret" not in repr(facts)


@pytest.mark.skipif(os.geteuid() == 0 and not REACHABLE, reason="nobody may run this Python, so nobody can be tried")
def test_who_may_see_little_still_gets_a_diagnosis() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, private = Path(name), Path(name, "private")
        config = write_config(folder)
        config.write_text(config.read_text().replace('"log.db"', '"private/log.db"'))
        private.mkdir()
        written(private / "log.db")
        folder.chmod(0o755)
        private.chmod(0o700 if os.geteuid() == 0 else 0)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "edge.cli",
                "diagnose",
                "--json",
                "--config",
                str(config),
                "--socket",
                f"{name}/none",
            ],
            cwd=ROOT,
            user=NOBODY if os.geteuid() == 0 else None,
            capture_output=True,
            text=True,
            check=False,
        )
        private.chmod(0o700)
    assert done.returncode == 1, done.stderr
    answer = json.loads(done.stdout)
    assert [finding["code"] for finding in answer["findings"]] == ["DW-SERVICE-DEAD"]
    assert any(line.startswith("the log: ") and "ermission" in line for line in answer["unseen"])


# --- the computer ------------------------------------------------------------------------------------------


def test_the_computer_is_read_from_the_kernels_files(tmp_path: Path, paths: SystemPaths) -> None:
    paths.throttled[0].write_text("50005\n")
    paths.temperature.write_text("81234\n")
    paths.memory.write_text("MemTotal:  948304 kB\nMemFree:  9000 kB\nMemAvailable:   20000 kB\n")
    facts = look(tmp_path / "doord.sock", tmp_path / "none.toml", paths)
    assert facts.machine == MachineFacts(0x50005, 81.234, 20_000 << 10)
    assert {"DW-POWER-LOW", "DW-CPU-HOT"} <= codes(facts)


@pytest.mark.parametrize("text", ["", "garbage", "-", "0x", "٣", "1\n2", "9" * 400, "\udcff"])
def test_garbage_in_the_kernels_files_tells_nothing(tmp_path: Path, paths: SystemPaths, text: str) -> None:
    for path in (paths.throttled[0], paths.temperature, paths.memory):
        path.write_text(text, errors="surrogateescape")
    assert look(tmp_path / "doord.sock", tmp_path / "none.toml", paths).machine == MachineFacts()


def test_systemd_is_asked_where_it_runs(tmp_path: Path, paths: SystemPaths) -> None:
    systemctl(
        paths,
        "printf 'ActiveState=failed\\nUnitFileState=disabled\\nResult=exit-code\\nNRestarts=7\\n"
        "ExecMainStatus=78\\nLoadState=loaded\\n'",
    )
    facts = look(tmp_path / "doord.sock", tmp_path / "none.toml", paths)
    assert facts.service == ServiceFacts("failed", "disabled", "exit-code", 7, 78)
    assert {"DW-SERVICE-CONFIG", "DW-SERVICE-RESTARTS", "DW-SERVICE-DISABLED"} <= codes(facts)


@pytest.mark.parametrize("script", ["exit 1", "echo LoadState=not-found", "kill -9 $$"])
def test_a_systemd_that_does_not_know_costs_only_itself(tmp_path: Path, paths: SystemPaths, script: str) -> None:
    systemctl(paths, script)
    facts = look(tmp_path / "doord.sock", tmp_path / "none.toml", paths)
    assert facts.service is None
    assert unseen(facts, "the service")


def test_odd_letters_from_systemd_are_no_reason_to_stop(tmp_path: Path, paths: SystemPaths) -> None:
    systemctl(paths, "printf 'ActiveState=\\377\\nResult=success\\n'")
    assert look(tmp_path / "doord.sock", tmp_path / "none.toml", paths).service is not None


GPIO = """
[driver.gp]
kind = "gpio"
[door.gate]
lock = { driver = "gp", line = 17, unlocked = "high", resting = "locked" }
"""


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("dtparam=strict_gpiod\ngpio = 17 = op,dl  # the gate\n", ()),
        ("#dtparam=strict_gpiod\ngpio=17=op,dh\n", ("dtparam=strict_gpiod", "gpio=17=op,dl")),
        ("gpio=17=op,dl\n", ("dtparam=strict_gpiod",)),
        ("dtparam=i2c_arm=on,strict_gpiod\ngpio=4,16-18=OP,dl\n", ()),
        ("dtparam=strict_gpiod=off\ngpio=17=op\ngpio=17=dl\n", ("dtparam=strict_gpiod",)),
        ("dtparam=strict_gpiod\ngpio=17=op,dl\ngpio=0-27=ip\n", ("gpio=17=op,dl",)),
        ("[none]\ndtparam=strict_gpiod\n[all]\ngpio=17=dl,op\n", ("dtparam=strict_gpiod",)),
        ("gpio=x=op,dl\ngpio=0-9999999=op\ngpio=\ndtparam\n[\n=\n", ("dtparam=strict_gpiod", "gpio=17=op,dl")),
    ],
)
def test_the_boot_configuration_is_compared_with_the_wiring(
    tmp_path: Path, paths: SystemPaths, text: str, missing: tuple[str, ...]
) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text() + GPIO)
    paths.boot[0].write_text(text)
    facts = look(tmp_path / "doord.sock", config, paths)
    assert facts.boot is not None
    assert facts.boot.missing == missing


def test_a_section_for_some_models_is_said_to_be_undecided(tmp_path: Path, paths: SystemPaths) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text() + GPIO)
    paths.boot[0].write_text("dtparam=strict_gpiod\n[pi4]\ngpio=17=op,dl\n")
    facts = look(tmp_path / "doord.sock", config, paths)
    assert not {code for code in codes(facts) if code.startswith("DW-BOOT")}
    assert [line for line in facts.unseen if "[pi4]" in line]


# --- a living daemon ---------------------------------------------------------------------------------------


def test_a_living_daemon_tells_of_itself(tmp_path: Path, doorctl: Doorctl) -> None:
    config = write_config(tmp_path)
    with Doord(config) as doord:
        doord.sim("front", "tamper")
        with Client(doord.socket) as client:
            next(item for item in client.stream("watch") if tampered(item))
        said = doorctl("--json", "diagnose", "--config", str(config))
    found = {finding["code"]: finding for finding in said.json["findings"]}
    assert (
        {"DW-SIMULATED", "DW-TAMPER"} <= found.keys() <= {"DW-SIMULATED", "DW-TAMPER", "DW-CLOCK-UNSYNCED"} | machine()
    )
    assert found["DW-TAMPER"]["title"] == "a tamper switch of front is open"
    assert said.code == 1


def tampered(item: dict[str, Any]) -> bool:
    return "status" in item and item["status"]["doors"]["front"]["tamper"] is not None


def machine() -> set[str]:
    """What may be wrong with the computer that runs the tests."""
    return {"DW-DISK-LOW", "DW-DISK-FULL", "DW-CPU-HOT", "DW-MEMORY-LOW", "DW-CLOCK-RTC", "DW-CPU-THROTTLED"}


def test_a_file_that_was_edited_and_not_reloaded_is_found(tmp_path: Path, paths: SystemPaths) -> None:
    config = write_config(tmp_path, doors=("front", "back"))
    with Doord(config) as doord:
        assert "DW-CONFIG-DIFFERS" not in codes(look(doord.socket, config, paths))
        text = config.read_text().replace('id = "test"', 'id = "other"').replace("[door.back]", "[door.yard]")
        config.write_text(text.replace('name = "front door"', 'name = "Main"'))
        facts = look(doord.socket, config, paths)
    assert "DW-CONFIG-DIFFERS" in codes(facts)
    assert facts.config_differs == (
        "controller.id: doord has 'test', the file 'other'",
        "door.back: doord has it, the file does not",
        "door.front.name: doord has 'front door', the file 'Main'",
        "door.yard: the file has it, doord does not",
    )


def test_a_file_written_after_the_start_is_told(tmp_path: Path, paths: SystemPaths) -> None:
    config = write_config(tmp_path, unlock_s=5.0)
    with Doord(config) as doord:
        assert "DW-CONFIG-TOUCHED" not in codes(look(doord.socket, config, paths))
        config.write_text(config.read_text().replace("unlock_s = 5.0", "unlock_s = 6.0"))
        written_s = config.stat().st_mtime + 1  # the uptime is told to a tenth of a second, and doord has just started
        os.utime(config, (written_s, written_s))
        facts = look(doord.socket, config, paths)
    assert "DW-CONFIG-TOUCHED" in codes(facts)
    assert facts.config_differs == ()


def test_points_and_drivers_are_compared(tmp_path: Path) -> None:
    file = load(write_config(tmp_path))
    running = {
        "controller": {"id": "test", "site": "lab", "name": "Test"},
        "drivers": {"bench": {"kind": "gpio"}, "bus": {"kind": "osdp"}},
        "doors": {"front": {"name": "front door", "points": dict(file.doors["front"].points) | {"rex": "bus"}}},
    }
    assert differences(running, file) == (
        "door.front.rex: doord has 'bus', the file 'bench'",
        "driver.bench.kind: doord has 'gpio', the file 'simulated'",
        "driver.bus: doord has it, the file does not",
    )


def otherwise(part: str, **changes: Any) -> dict[str, Any]:
    """The account of a daemon of another version."""
    return status(**{part: STATUS[part] | changes})


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "yes",
        {},
        status(doors=[]),
        status(log={}),
        status(uptime_s=math.nan),
        status(uptime_s=1e300),
        otherwise("upstream", backlog=None),
        otherwise("upstream", since="soon"),
        otherwise("log", last_commit_ms="slow"),
        otherwise("log", dropped={}),
        status(doors={"front": door(since={"mode": 7})}),
        status(drivers={"bench": {"kind": "simulated"}}),
    ],
)
def test_a_daemon_that_speaks_otherwise_costs_only_its_own_account(
    tmp_path: Path, paths: SystemPaths, answer: Any
) -> None:
    config = write_config(tmp_path)
    written(tmp_path / "log.db")
    with FakeDaemon(tmp_path / "doord.sock", facts=answer, events=answer):
        facts = look(tmp_path / "doord.sock", config, paths)
    assert facts.daemon is None
    assert facts.disk is not None
    assert unseen(facts, "the daemon's answer")
    assert codes(facts) <= {"DW-SERVICE-DEAD"}


def test_odd_words_in_a_daemons_account_are_only_words(tmp_path: Path, paths: SystemPaths) -> None:
    answer = otherwise("log", error=["a", "list"], writer=None) | {"version": 7}
    with FakeDaemon(tmp_path / "doord.sock", facts=answer):
        facts = look(tmp_path / "doord.sock", tmp_path / "none.toml", paths)
    assert facts.daemon is not None
    assert "DW-VERSION-MISMATCH" in codes(facts)
