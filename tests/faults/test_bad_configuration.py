"""A configuration that was spoilt between two starts: doors are guarded by the one from before, and it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from edge.client.connection import Client
from edge.diagnosis.diagnose import diagnose
from edge.diagnosis.facts import DaemonFacts, Facts
from tests.support.doord import ROOT, Doord
from tests.support.house import write_config

if TYPE_CHECKING:
    from pathlib import Path


def service(config: Path, state: Path) -> Doord:
    state.mkdir(exist_ok=True)
    return Doord(config, {**os.environ, "STATE_DIRECTORY": str(state)})


def kinds(doord: Doord) -> list[tuple[str, str | None]]:
    """The configuration's own records: what, and why."""
    found = doord.ask("events", type=["controller.fault", "controller.fault_cleared"])["records"]
    return [
        (one["type"], one["data"]["details"]["reason"])
        for one in found
        if one["data"]["object"]["type"] == "configuration"
    ]


def test_a_spoilt_file_leaves_no_door_unguarded(tmp_path: Path) -> None:
    config, state = write_config(tmp_path, unlock_s=5.0), tmp_path / "state"
    good = config.read_text()
    with service(config, state) as doord:
        assert doord.ask("status")["configuration"]["refused"] == []
        doord.ask("reload")  # answered when it is kept
    spoilt = good.replace("unlock_s = 5.0", "unlock_s = 9000.0\nunlok = 1")
    config.write_text(spoilt)
    with service(config, state) as doord:
        status = doord.ask("status")
        assert [*status["doors"]] == ["front"]
        assert len(status["configuration"]["refused"]) == 2
        doord.ask("command", command="unlock", door="front", for_s=600.0)
        assert doord.ask("status")["doors"]["front"]["lock"] == "unlocked"
        (told,) = kinds(doord)
        assert told[0] == "controller.fault"
        assert "unlock_s: found 9000.0, expected 0.5 to 600 seconds" in str(told[1])
        facts = Facts(now_us=0, tool_version=status["version"], daemon=DaemonFacts.from_json(doord.ask("facts")))
        assert "DW-CONFIG-KEPT" in [one.code for one in diagnose(facts)]
        said = subprocess.run(
            [sys.executable, "-m", "edge.cli", "--socket", str(doord.socket), "status"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == 1
        assert "NOT IN FORCE: doord uses the earlier one" in said.stdout
        # a reload with a file that is still bad changes nothing; a good one ends it
        assert len(doord.ask("reload")["errors"]) == 2
        assert doord.ask("status")["configuration"]["refused"]
        config.write_text(good.replace("unlock_s = 5.0", "unlock_s = 7.0"))
        assert doord.ask("reload")["applied"] == ["door.front.unlock_s"]
        assert doord.ask("status")["configuration"]["refused"] == []
        assert kinds(doord)[-1] == ("controller.fault_cleared", None)
    assert "guarding by the configuration that was in force before" in doord.output.read_text()
    config.unlink()
    with service(config, state) as doord, Client(doord.socket) as client:
        assert "cannot be read: No such file" in client.ask("status")["configuration"]["refused"][0]


def test_a_first_start_and_a_check_refuse(tmp_path: Path) -> None:
    config, state = write_config(tmp_path, unlock_s=9000.0), tmp_path / "state"
    state.mkdir()
    for module, words in (("edge.daemon.doord", ["--config", str(config)]), ("edge.cli", ["check", str(config)])):
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            env={**os.environ, "STATE_DIRECTORY": str(state)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == {"edge.daemon.doord": 78, "edge.cli": 1}[module]
        assert "unlock_s: found 9000" in done.stdout + done.stderr


def test_a_state_directory_that_takes_nothing_is_said_once(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with Doord(config, {**os.environ, "STATE_DIRECTORY": str(tmp_path / "none")}) as doord:
        doord.ask("reload")
        doord.ask("reload")
    assert doord.output.read_text().count("cannot be kept for the next start") == 1
