"""What an earlier release left on the disk is opened, migrated, verified and gone on with."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.log.reading.query import LogReader
from edge.log.verify import verify
from edge.model.messages import Actor
from edge.model.page_roles import PageRole
from edge.socket.server import RequestError
from edge.web.accounts import Accounts
from tests.support.cli import Doorctl
from tests.support.doord import ROOT, Doord
from tests.support.house import House, live
from tests.support.release import FILES, PASSWORDS
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

RELEASES = sorted((ROOT / "tests" / "fixtures").glob("release-*"))
assert RELEASES
NOBODY = "mqtt://127.0.0.1:9"


@pytest.fixture(params=RELEASES, ids=lambda folder: folder.name)
def release(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def site(release: Path, tmp_path: Path) -> Path:
    """The release's folder as a controller has it, with a broker that is not there."""
    for name in FILES:
        shutil.copy(release / name, tmp_path)
    config = tmp_path / "doorward.toml"
    config.write_text(config.read_text().replace("mqtt://127.0.0.1:1883", NOBODY))
    return tmp_path


@pytest.fixture
def doord(site: Path) -> Iterator[Doord]:
    with Doord(site / "doorward.toml") as doors:
        while doors.ask("status")["directory"]["state"] != "ready":
            time.sleep(0.02)
        yield doors


def test_an_old_log_holds_before_anything_has_touched_it(site: Path, release: Path) -> None:
    expected = json.loads((release / "expected.json").read_text())
    result = verify(site / "log.db")
    assert result.ok, result.broken
    assert result.last == expected["records"]


def test_history_modes_alerts_and_cursors_go_on(
    doord: Doord, release: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = json.loads((release / "expected.json").read_text())
    status = doord.ask("status")
    modes = {door: status["doors"][door]["mode"] for door in ("front", "back", "garage")}
    assert modes == {"front": "unlocked", "back": "blocked", "garage": "locked_down"}
    assert [alert["door"] for alert in doord.ask("alerts")["open"]] == ["back"]

    doorctl = Doorctl(doord.socket, monkeypatch, capsys)
    lines = doorctl("--json", "events", "--limit", "1000").lines
    types = {json.loads(line)["type"] for line in lines}
    assert {"lock.forced_open", "login.create", "user.create", "lock.lock_down"} <= types
    lines = doorctl("--json", "events", "--user", "ada", "--class", "access").lines
    assert {json.loads(line)["subject"] for line in lines} >= {"doors/front", "doors/server-room"}

    doord.stop()
    result = verify(doord.log)
    assert result.ok, result.broken
    assert result.last > expected["records"], "today's records follow the old ones in one chain"
    with closing(LogReader(doord.log)) as reader:
        assert reader.epoch == expected["epoch"]
        (last,) = reader.db.execute("SELECT hex(hash) FROM record WHERE seq = ?", [expected["records"]]).fetchone()
        cursors = dict(reader.db.execute("SELECT sink, seq FROM cursor"))
    assert last.lower() == expected["last_hash"]
    assert cursors["mqtt"] == expected["cursors"]["mqtt"], "nothing is taken for acknowledged, nothing is sent again"
    assert cursors["alerts"] >= expected["cursors"]["alerts"]


def test_the_directory_is_in_force_with_its_cards_and_pins(doord: Doord) -> None:
    assert doord.ask("status")["directory"]["version"] == 1
    doord.ask("command", command="cancel_lockdown", door="garage")
    before = unlocked(doord, "server-room")
    doord.ask("sim", door="server-room", action="card", argument="0:1001 pin 2580")
    until(lambda: unlocked(doord, "server-room") > before, "a door that opens")


def unlocked(doord: Doord, door: str) -> int:
    """How often."""
    return len(doord.ask("events", type=["lock.unlock"], door=[door])["records"])


def test_nothing_of_the_configuration_or_the_directory_counts_as_changed(doord: Doord, release: Path) -> None:
    doord.stop()
    old = json.loads((release / "expected.json").read_text())["records"]
    with closing(LogReader(doord.log)) as reader:
        new = [kind for (kind,) in reader.db.execute("SELECT type FROM record WHERE seq > ? ORDER BY seq", [old])]
    audited = [kind for kind in new if kind.partition(".")[0] in {"user", "card", "member", "group", "login", "camera"}]
    assert not audited, "an upgrade changed nobody"


def test_operators_of_the_page_go_on_moving_doors(site: Path) -> None:
    body = {"command": "unlock", "door": "front"}

    async def script(house: House) -> None:
        rights = house.daemon.rights
        while not rights.known:  # noqa: ASYNC110 -- read from the log beside everything else
            await asyncio.sleep(0.1)
        rights.check("login", {"action": "sign_in", "login": "olga"}, Actor("operator", "web:olga", "olga"))
        rights.check("command", body, Actor("operator", "web:olga", "olga"))
        with pytest.raises(RequestError, match="knows no account 'vera'"):  # nobody recorded that she was made
            rights.check("command", body, Actor("operator", "web:vera", "vera"))

    live(site / "doorward.toml", script)
    with closing(LogReader(site / "log.db")) as reader:
        assert json.loads(reader.modes()["controller.accounts"]) == {"olga": "operator"}, "remembered from now on"


def test_accounts_sign_in(site: Path) -> None:
    accounts = Accounts(site / "accounts.json")
    signed_in = {name: accounts.check(name, password) for name, password in PASSWORDS.items()}
    assert {name: account and account.role for name, account in signed_in.items()} == {
        "olga": PageRole.OPERATOR,
        "vera": PageRole.VIEWER,
    }
    assert accounts.check("olga", "wrong") is None
