"""The real daemon on a file system that is read-only or full, as a worn card makes it."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.scenarios.test_people import ADA, config_of, people
from tests.support.broker import Broker
from tests.support.mounts import Outside, inside, remount
from tests.support.subscriber import Subscriber
from tests.support.waiting import until

CARDS = 40
"""Read in some seconds: the start is over long before the last."""


def _daemon(folder: Path, elsewhere: Path) -> Outside:
    people(folder)
    config = config_of(folder)
    config.write_text(config.read_text().replace('socket = "doord.sock"', f'socket = "{elsewhere}/doord.sock"'))
    return Outside(config, elsewhere)


def _fill(folder: Path) -> None:
    """To the last byte."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4_096)
        except OSError:
            return


def remembered(folder: Path, elsewhere: Path, how: str, end: str) -> None:
    """A locked-down door refuses from the first card on; everybody gets out; once mended, all is written."""
    doord = _daemon(folder, elsewhere)
    with doord:
        until(lambda: doord.status()["directory"]["version"] == 1)
        doord.ask("command", command="lock_down", door="front")
        doord.ask("command", command="hold_unlocked", door="back")
        doord.stop(signal.SIGKILL if end == "killed" else signal.SIGTERM)
    doord.config.write_text(doord.config.read_text().partition("[directory]")[0])  # as if it had come over MQTT
    if how == "full":
        _fill(folder)
    else:
        remount(folder, "ro")
    with doord:
        until(lambda: doord.status()["log"]["writer"] == "failed")
        status = doord.status()
        assert (status["doors"]["front"]["mode"], status["doors"]["back"]["mode"]) == ("locked_down", "unlocked")
        assert status["stream"]
        until(lambda: doord.status()["directory"]["version"] == 1)
        for _ in range(10):
            assert doord.knock("front", ADA)
            assert doord.status()["doors"]["front"]["lock"] == "locked"
        doord.sim("front", "rex")
        until(lambda: doord.status()["doors"]["front"]["lock"] == "unlocked")
        assert doord.ask("events", type=["lock.lock_down"], limit=1)["records"], "the history can be read"
        assert doord.output.read_text().count("cannot be written") == 1
        if how == "full":
            (folder / "ballast").unlink()
        else:
            remount(folder, "rw")
        until(lambda: doord.status()["log"]["writer"] == "ok" and doord.status()["log"]["waiting"] == 0)
        doord.stop()


def refused_from_exec(folder: Path, elsewhere: Path, how: str) -> None:
    """A card every 100 ms from exec on until so many were read; what a card opens is a record of its passage."""
    doord = _daemon(folder, elsewhere)
    with doord:
        until(lambda: doord.status()["directory"]["version"] == 1)
        doord.ask("command", command="lock_down", door="front")
        doord.stop()
    if how == "ro":
        remount(folder, "ro")
    doord.spawn()
    answered = 0

    def refuses() -> bool:
        nonlocal answered
        answered += doord.knock("front", ADA)
        if answered:
            assert doord.status()["doors"]["front"]["lock"] != "unlocked", answered
        return answered >= CARDS

    try:
        until(refuses, doord.output.read_text, every_s=0.1)
        assert doord.status()["doors"]["front"]["mode"] == "locked_down"
    finally:
        doord.stop()


def first_start(folder: Path, elsewhere: Path) -> None:
    """Nothing was ever written here: status tells, exits work, and the log begins once it can."""
    doord = _daemon(folder, elsewhere)
    with Broker(elsewhere / "broker") as broker:
        text = doord.config.read_text()
        doord.config.write_text(f'{text}\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n')
        remount(folder, "ro")
        with Subscriber(broker.port, "doorward/v1/lab/test") as heard, doord:
            _first_start(folder, doord, heard)
    with closing(sqlite3.connect(folder / "log.db")) as db:
        assert db.execute("SELECT type FROM record WHERE seq = 1").fetchone() == ("controller.start",)


def _first_start(folder: Path, doord: Outside, heard: Subscriber) -> None:
    until(lambda: doord.status()["log"]["writer"] == "failed")
    assert "Read-only" in doord.status()["log"]["error"]
    until(lambda: doord.status()["directory"]["cards"] > 0)
    until(lambda: any(said.get("log", {}).get("writer") == "failed" for said in heard.on("status")))
    assert doord.knock("back", ADA)
    until(lambda: doord.status()["doors"]["back"]["lock"] == "unlocked")
    doord.sim("front", "rex")
    until(lambda: doord.status()["doors"]["front"]["lock"] == "unlocked")
    remount(folder, "rw")
    heard.wait(lambda: "lock.unlock" in heard.types(), "what happened meanwhile")
    assert heard.types()[0] == "controller.start"
    doord.stop()


@pytest.mark.parametrize("how", ["ro", "full"])
@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_what_was_remembered_counts_on_a_disk_that_cannot_be_written(tmp_path: Path, how: str, end: str) -> None:
    inside(tmp_path, "remembered", how, end)


@pytest.mark.parametrize("how", ["rw", "ro"])
def test_a_locked_down_door_refuses_a_card_at_every_moment_of_a_start(tmp_path: Path, how: str) -> None:
    inside(tmp_path, "refused_from_exec", how)


def test_a_first_start_on_a_read_only_disk(tmp_path: Path) -> None:
    inside(tmp_path, "first_start")


if __name__ == "__main__":
    scenarios = {"remembered": remembered, "refused_from_exec": refused_from_exec, "first_start": first_start}
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(Path(__file__).parents[2])
        scenarios[sys.argv[2]](Path(sys.argv[1]), Path(elsewhere), *sys.argv[3:])
