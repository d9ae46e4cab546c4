"""The real daemon as its user meets it: exit codes, a second one, a damaged log, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from edge.log.reading.query import LogReader, Query
from tests.support.doord import ROOT, Doord
from tests.support.house import write_config
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


def _run(config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge.daemon.doord", "--config", str(config)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def _types(doord: Doord) -> list[str]:
    reader = LogReader(doord.log)
    try:
        return [record.event.type for record in reader.records(Query(limit=1000))]
    finally:
        reader.close()


def test_a_bad_configuration_is_78_and_names_everything(tmp_path: Path) -> None:
    config = write_config(tmp_path, unlock_s=5.0)
    config.write_text(config.read_text().replace("unlock_s = 5.0", "unlock_s = 0.1\nunlok = 1"))
    done = _run(config)
    assert done.returncode == 78
    assert "door.front.unlock_s" in done.stderr
    assert "door.front.unlok" in done.stderr


def test_a_second_daemon_gives_way_before_it_touches_anything(tmp_path: Path) -> None:
    with Doord(write_config(tmp_path)) as first:
        until(lambda: first.ask("status")["log"]["committed"], "the first record")
        done = _run(first.config)
        assert done.returncode == 1
        assert "another doord" in done.stderr
        assert first.ask("status")["log"]["committed"] == 1


def test_sigterm_ends_well_and_is_the_last_record(tmp_path: Path) -> None:
    doord = Doord(write_config(tmp_path))
    with doord:
        doord.ask("command", command="unlock", door="front")
        assert doord.stop() == 0
    assert _types(doord) == ["controller.start", "lock.unlock", "controller.stop"]
    assert not doord.socket.exists()


def test_sighup_applies_a_new_policy(tmp_path: Path) -> None:
    config = write_config(tmp_path, unlock_s=5.0)
    with Doord(config) as doord:
        config.write_text(config.read_text().replace("unlock_s = 5.0", "unlock_s = 600.0"))
        assert doord.process is not None
        os.kill(doord.process.pid, signal.SIGHUP)
        while b"unlock_s applied" not in doord.output.read_bytes():
            doord.ask("status")
        doord.ask("command", command="unlock", door="front")
        assert doord.ask("status")["doors"]["front"]["unlocked_for_s"] > 500


def test_a_damaged_log_is_set_aside_said_so_and_doors_keep_their_lockdown(tmp_path: Path) -> None:
    with Doord(write_config(tmp_path)) as doord:
        doord.ask("command", command="lock_down", door="front")
        doord.stop()
        with doord.log.open("r+b") as file:
            file.seek(2048 * 3)
            file.write(os.urandom(4096))
        doord.start()
        status = doord.ask("status")
        assert status["log"]["set_aside"] is not None
        assert status["doors"]["front"]["mode"] == "locked_down"
        assert b"was damaged" in doord.output.read_bytes()
        doord.stop()
    assert "controller.storage" in _types(doord)


def test_modes_return_after_a_kill_and_an_unlock_does_not(tmp_path: Path) -> None:
    with Doord(write_config(tmp_path, doors=("front", "back"))) as doord:
        doord.ask("command", command="hold_unlocked", door="front")
        doord.ask("command", command="unlock", door="back", for_s=600.0)
        while doord.ask("status")["log"]["committed"] < 3:
            pass
        doord.kill()
        doord.start()
        doors = doord.ask("status")["doors"]
        assert (doors["front"]["mode"], doors["back"]["mode"]) == ("unlocked", "locked")


def test_folders_are_made_below_the_home_and_nowhere_else(tmp_path: Path) -> None:
    home, mounted = tmp_path / "home", tmp_path / "mnt"
    config = write_config(tmp_path)
    text = config.read_text()
    environment = {**os.environ, "HOME": str(home)}

    config.write_text(text.replace('path = "log.db"', 'path = "~/.local/state/doorward/log.db"'))
    with Doord(config, environment) as doord:
        assert doord.ask("status")["log"]["writer"] == "ok"
    assert (home / ".local/state/doorward").stat().st_mode & 0o777 == 0o700

    config.write_text(text.replace('path = "log.db"', f'path = "{mounted}/log.db"'))
    with Doord(config, environment) as doord:
        assert doord.ask("status")["log"]["writer"] != "ok", "the disk may be mounted yet"
    assert not mounted.exists()
