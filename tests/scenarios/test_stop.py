"""How a daemon starts late, stays well and ends: whatever hangs, the locks rest and it is over in time (R14, R15)."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest

from edge.config.reading import load
from edge.daemon.remembering import MEMORY_WITHIN_S
from edge.log.connections import connect
from edge.log.log import LogOptions
from tests.support import virtual
from tests.support.doord import ROOT, Doord
from tests.support.house import House, live, write_config
from tests.support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path


class Manager:
    """A service manager that counts."""

    watchdog_s = 1.0

    def __init__(self) -> None:
        self.petted = 0

    def watchdog(self) -> None:
        self.petted += 1

    def __getattr__(self, name: str) -> Any:
        return lambda *_words: None


def test_a_log_that_opens_late_gives_its_memory_back_and_the_daemon_stays_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path, doors=("front", "back"))

    async def before(house: House) -> None:
        await house.ask("lock_down", "front")
        await house.ask("lock_down", "back")

    live(config, before)
    monkeypatch.setattr("edge.log.writer.recall", lambda _path: None)  # nor can it be read
    missing = True

    def late(path: Path) -> sqlite3.Connection:
        if missing:
            raise OSError("Input/output error")
        return connect(path)

    async def run(loop: virtual.VirtualLoop) -> None:
        nonlocal missing
        manager = Manager()
        house = House(loop, config, LogOptions(connect=late), manager)
        loop.waits_for = []
        stop = asyncio.Event()
        task = asyncio.ensure_future(house.daemon.run(stop))
        await asyncio.sleep(MEMORY_WITHIN_S + 1)
        assert house.door("front")["mode"] == "locked", "nobody knows yet"
        await house.ask("cancel_lockdown", "back")
        missing = False
        opened = asyncio.ensure_future(house.daemon.log.opened())
        while not opened.done():
            await asyncio.sleep(1)
            await loop.run_in_executor(None, lambda: None)
        await asyncio.sleep(1)
        assert house.door("front")["mode"] == "locked_down"
        assert house.door("back")["mode"] == "locked", "what was said meanwhile is newer"
        petted = manager.petted
        await asyncio.sleep(10)
        assert manager.petted > petted + 5, "a task that has done its work is no reason to start again"
        stop.set()
        await task

    virtual.run(run)

    async def after(house: House) -> None:
        assert [house.door(door)["mode"] for door in ("front", "back")] == ["locked_down", "locked"]

    live(config, after)


@pytest.mark.parametrize(("where", "well"), [("daemon._figures._measure", True), ("clock.watch", False)])
def test_a_mistake_in_what_doors_do_without_is_no_reason_to_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str, well: bool
) -> None:
    async def run(loop: virtual.VirtualLoop) -> None:
        manager = Manager()
        house = House(loop, write_config(tmp_path), notifier=manager)
        part, _, name = where.rpartition(".")

        async def mistaken(*_given: object) -> None:
            raise KeyError("none such")

        monkeypatch.setattr(attrgetter(part)(house), name, mistaken)
        async with house.running():
            await asyncio.sleep(10)
            assert (manager.petted > 5) is well

    virtual.run(run)
    assert "none such" in caplog.text


def test_a_driver_that_does_not_let_go_keeps_no_lock_from_resting(tmp_path: Path) -> None:
    async def run(loop: virtual.VirtualLoop) -> None:
        house, let_go = House(loop, write_config(tmp_path)), asyncio.Event()

        async def deaf() -> None:
            while not let_go.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await let_go.wait()

        async with house.running():
            await house.ask("unlock", for_s=600.0)
            house.daemon.tasks.spawn(deaf(), "deaf")
        let_go.set()
        assert house.daemon.drivers["bench"].driver.history("front.lock")[-1][1] is False

    virtual.run(run)


class SlowToLeave:
    """A conversation that takes as long as it may to say goodbye."""

    async def close(self, within_s: float) -> None:
        await asyncio.sleep(within_s)

    def __getattr__(self, name: str) -> Any:
        return lambda *_words: None


def test_no_conversation_begins_anew_while_doord_stops(tmp_path: Path) -> None:
    """A reload that exchanges the broker is under way when the stop comes."""
    config = write_config(tmp_path)

    async def run(loop: virtual.VirtualLoop) -> None:
        house = House(loop, config)
        async with house.running():
            config.write_text(config.read_text() + '[mqtt]\nurl = "mqtt://broker.example:1883"\n')
            house.daemon.configuration.settings = load(config)
            house.daemon.broker.upstream = SlowToLeave()  # type: ignore[assignment]
            exchange = asyncio.ensure_future(house.daemon.broker.restart())
        await exchange
        assert house.daemon.broker.upstream is None
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "upstream"]

    virtual.run(run)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_clean_however_often_it_is_asked_for(tmp_path: Path, number: signal.Signals) -> None:
    doord = Doord(write_config(tmp_path)).start()
    doord.ask("command", command="unlock", door="front", for_s=600.0)
    assert doord.process is not None
    doord.process.send_signal(number)
    doord.process.send_signal(number)
    assert doord.stop(number) == 0
    assert not doord.socket.exists()
    with sqlite3.connect(doord.log) as db:
        (last,) = db.execute("select type from record order by seq desc limit 1").fetchone()
    db.close()
    assert last == "controller.stop"


def test_a_hangup_during_the_start_ends_nothing(tmp_path: Path) -> None:
    """systemctl reload may come at any time; before the configuration was read there is nothing to do."""
    script = (
        "import signal, os, edge.daemon.doord as d\n"
        "honest = d.ConfigSource.start\n"
        "def start(source):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return honest(source)\n"
        "d.ConfigSource.start = start\n"
        f"raise SystemExit(d.main(['--config', {str(tmp_path / 'none.toml')!r}]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, timeout=PATIENCE_S
    )
    assert ended.returncode == 78, "told that the file is missing, not killed by the signal"


def test_a_disk_that_hangs_for_ever_does_not_keep_the_daemon(tmp_path: Path) -> None:
    """Both the writer and the reader hang in the disk; the process still ends, its locks at rest."""
    config = write_config(tmp_path)
    script = (
        "import threading, sqlite3, signal, os, sys\n"
        "import edge.daemon.doord, edge.daemon.daemon as d\n"
        "from edge.log.reading.thread import ReadingThread\n"
        "from edge.doors.driver_supervisor import DriverSupervisor\n"
        "honest, closed = DriverSupervisor.close, []\n"
        "def close(self):\n"
        "    honest(self)\n"
        "    print('resting', self.driver.history('front.lock')[-1][1], flush=True)\n"
        "DriverSupervisor.close = close\n"
        "for_ever = threading.Event()\n"
        "ReadingThread._look = lambda *_args: for_ever.wait()\n"
        "start = d.Daemon.run\n"
        "async def run(self, stop):\n"
        "    import asyncio\n"
        "    loop = asyncio.get_running_loop()\n"
        "    def go():\n"
        "        if not self.log.stream or self.runner.waits_for_memory:\n"
        "            return loop.call_later(0.01, go)\n"
        "        self.runner.command(CommandName.UNLOCK, ['front'], command_id='c', actor=SYSTEM, for_s=600.0)\n"
        "        self.log._writer._store.commit = lambda *_args: for_ever.wait()\n"
        "        self.reading = asyncio.ensure_future(self.log.read(0, 1))\n"
        "        stop.set()\n"
        "    go()\n"
        "    await start(self, stop)\n"
        "d.Daemon.run = run\n"
        "from edge.model.messages import SYSTEM, CommandName\n"
        f"sys.exit(edge.daemon.doord.main(['--config', {str(config)!r}]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert "resting False" in ended.stdout, ended.stderr
    assert ended.returncode == 1, ended.stderr


@pytest.mark.parametrize(
    ("act", "code"),
    [
        ("threading.Event().wait()", 1),  # a share on the network that has gone
        ("raise OSError(28, 'No space left on device')", 0),
        ("raise RuntimeError('a mistake')", 0),
    ],
    ids=["hangs", "fails", "is mistaken"],
)
def test_a_report_that_is_being_written_does_not_keep_the_daemon(tmp_path: Path, act: str, code: int) -> None:
    """The stop comes while its thread writes; what became of it is recorded."""
    config = write_config(tmp_path)
    config.write_text(config.read_text() + f'[report.all]\nevery = "day"\nfolder = "{tmp_path}"\n')
    script = (
        "import os, signal, sys, threading\n"
        "import edge.daemon.doord, edge.reports.runner as reports\n"
        "from edge.model.messages import ClockQuality\n"
        "from edge.system.clock import Clock\n"
        "Clock.quality = lambda self: ClockQuality.SYNCED\n"
        "def written(*_given):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        f"    {act}\n"
        "reports.written = written\n"
        f"sys.exit(edge.daemon.doord.main(['--config', {str(config)!r}]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert ended.returncode == code, ended.stderr
    with contextlib.closing(sqlite3.connect(tmp_path / "log.db")) as db:
        *_, (created, _), (finished, success), (last, _) = db.execute("select type, success from record order by seq")
    assert (created, finished, last) == ("event_export.create", "event_export.finished", "controller.stop")
    assert not success
