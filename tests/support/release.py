"""What a release leaves on a disk: run as a module it makes such a folder from the code as it is.

`python -m tests.support.release tests/fixtures/release-<version>` is run once, on the day of a release. The folder is
then kept as it is: later releases have to open it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from edge.log.reading.query import LogReader
from edge.model.cloudevents import rfc3339
from edge.model.page_roles import PageRole
from edge.web.accounts import Account, hashed, save
from tests.support.broker import Broker
from tests.support.doord import ROOT, Doord
from tests.support.live import Live
from tests.support.subscriber import Subscriber

FILES = ("doorward.toml", "directory.json", "log.db", "log.db.index", "directory.db", "accounts.json")
BROKER = "mqtt://127.0.0.1:1883"
PASSWORDS = {"olga": "correct horse battery", "vera": "staple of the release"}
ALERT = """
[alert.forced]
types = ["lock.forced_open"]
mqtt = true
[web]
tls = false
accounts = "accounts.json"
"""


def make(folder: Path) -> None:
    """Two boots of four doors: everything of the first is acknowledged upstream, nothing of the second."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        config = work / "doorward.toml"
        text = (ROOT / "config" / "simulated.toml").read_text().replace('"~/.local/state/doorward/', '"') + ALERT
        text = text.replace(f'# [mqtt]\n# url = "{BROKER}"', f'[mqtt]\nurl = "{BROKER}"')
        shutil.copy(ROOT / "config" / "directory.json", work)
        save(
            work / "accounts.json",
            {
                n: Account(n, PageRole.OPERATOR if n == "olga" else PageRole.VIEWER, hashed(p))
                for n, p in PASSWORDS.items()
            },
        )
        with Broker(work / "broker") as broker:
            config.write_text(text.replace(BROKER, f"mqtt://127.0.0.1:{broker.port}"))
            upstream = Subscriber(broker.port, "doorward/v1/demo/demo")
            with upstream, Live(config) as doors:
                _first_day(doors, upstream)
        config.write_text(text)
        with Doord(config) as doors:
            _ready(doors)
            _moved(doors, "front", "open", "close")
        expected = _expected(work / "log.db")
        folder.mkdir(parents=True)
        for one in FILES:
            shutil.copy(work / one, folder)
        (folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


def _first_day(doors: Live, upstream: Subscriber) -> None:
    _ready(doors)
    doors.ask("login", action="create", login="olga", role="operator")
    for card in ("0:1001", "12:7777"):
        doors.ask("sim", door="front", action="card", argument=card)
    _moved(doors, "front", "open", "close")
    doors.ask("sim", door="server-room", action="card", argument="0:1001 pin 2580")
    _moved(doors, "back", "open")
    doors.ask("command", command="hold_unlocked", door="front")
    doors.ask("command", command="lock_down", door="garage")
    issued_at = rfc3339(time.time_ns() // 1_000)
    command = {"id": "release-1", "command": "block", "door": "back", "issued_at": issued_at, "actor": {"id": "ann"}}
    upstream.send("commands", command)
    upstream.wait(lambda: upstream.on("replies"), "an answer")
    assert upstream.on("replies")[0]["done"], upstream.on("replies")
    while doors.ask("status")["upstream"]["backlog"] or not doors.ask("alerts")["open"]:
        time.sleep(0.05)


def _ready(doors: Live | Doord) -> None:
    while doors.ask("status")["directory"]["state"] != "ready":
        time.sleep(0.02)


def _moved(doors: Live | Doord, door: str, *actions: str) -> None:
    for action in actions:
        doors.ask("sim", door=door, action=action)
        while doors.ask("status")["doors"][door]["contact"] != {"open": "open", "close": "closed"}[action]:
            time.sleep(0.02)


def _expected(log: Path) -> dict[str, Any]:
    """What has to be found again."""
    with closing(LogReader(log)) as reader:
        last = reader.db.execute("SELECT seq, hex(hash) FROM record ORDER BY seq DESC LIMIT 1").fetchone()
        cursors = dict(reader.db.execute("SELECT sink, seq FROM cursor"))
        return {"epoch": reader.epoch, "records": last[0], "last_hash": last[1].lower(), "cursors": cursors}


if __name__ == "__main__":
    make(Path(sys.argv[1]))
