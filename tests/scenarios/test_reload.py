"""SIGHUP: what running doors can take over is applied, a bad file changes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edge.delivery.health import ErrorLimits
from tests.support.house import OTTO, House, live, write_config

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_policy_is_applied_and_other_doors_do_not_notice(tmp_path: Path) -> None:
    config = write_config(tmp_path, doors=("front", "back"), unlock_s=5.0)

    async def script(house: House) -> None:
        await house.ask("unlock", "back")
        front, back = config.read_text().split("[door.back]")
        config.write_text(front.replace("unlock_s = 5.0", "unlock_s = 9.0") + "[door.back]" + back)
        assert await house.request("reload") == {"applied": ["door.front.unlock_s"], "needs_restart": [], "errors": []}
        await house.ask("unlock")
        await asyncio.sleep(5.1)
        assert (house.door()["lock"], house.door("back")["lock"]) == ("unlocked", "locked")
        await asyncio.sleep(4)
        assert house.door()["lock"] == "locked"

    live(config, script)


def test_a_bad_file_changes_nothing_and_names_everything(tmp_path: Path) -> None:
    config = write_config(tmp_path, unlock_s=5.0)

    async def script(house: House) -> None:
        config.write_text(config.read_text().replace("unlock_s = 5.0", "unlock_s = 9000.0\nunlok = 1"))
        answer = await house.request("reload")
        assert answer["applied"] == []
        assert len(answer["errors"]) == 2
        await house.ask("unlock")
        await asyncio.sleep(5.1)
        assert house.door()["lock"] == "locked"

    live(config, script)


def test_what_needs_a_restart_is_said_and_left(tmp_path: Path) -> None:
    config = write_config(tmp_path)

    async def script(house: House) -> None:
        config.write_text(config.read_text().replace('id = "test"', 'id = "other"'))
        answer = await house.request("reload")
        assert answer["needs_restart"] == ["controller.id"]
        assert (await house.request("status"))["controller"]["id"] == "test"

    live(config, script)


def test_what_a_reload_refuses_of_the_directory_is_known_before(tmp_path: Path) -> None:
    """An older version, or the same one with other content; not one that is only written otherwise."""
    config, file = write_config(tmp_path), tmp_path / "people.json"
    config.write_text(config.read_text() + f'[directory]\nfile = "{file}"\n')
    file.write_text('{"version": 5}')

    async def script(house: House) -> None:
        for text, version in (
            ('{"version": 5}', None),
            ('{ "version": 5, "users": [] }', None),
            ('{"version": 6, "users": [{"id": "a", "name": "Ada"}]}', None),
            ('{"version": 4}', "found 4, expected more than 5"),
            ('{"version": 5, "users": [{"id": "a", "name": "Ada"}]}', "found 5 with other content"),
            ("no directory at all", None),
        ):
            file.write_text(text)
            [*refused] = (await house.request("compare", text=config.read_text()))["refused"]
            assert len(refused) == (version is not None)
            assert all(str(version) in one and str(file) in one for one in refused)
            assert (await house.request("status"))["directory"]["version"] == 5
        file.write_text('{"version": 4}')
        assert len((await house.request("reload"))["errors"]) == 1

    live(config, script)


ALERT = """
[alert.forced]
types = ["lock.forced_open"]
siren = { door = "front", for_s = 600 }
"""


async def force(house: House) -> None:
    await house.sim("open")
    await house.sim("close")


async def open_in(house: House) -> list[tuple[str, int]]:
    """Policy and count of each open alert that somebody is told of."""
    return [(one["policy"], one["count"]) for one in (await house.request("alerts"))["open"] if one["told"]]


def test_alerts_come_and_go_and_tell_no_history(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    without = config.read_text()

    async def script(house: House) -> None:
        await force(house)
        config.write_text(without + ALERT)
        assert (await house.request("reload"))["applied"] == ["alert.forced"]
        await asyncio.sleep(1)
        assert await open_in(house) == [], "what happened before is no news"
        await force(house)
        await asyncio.sleep(1)
        assert await open_in(house) == [("forced", 1)]
        config.write_text(without + ALERT.replace("lock.forced_open", "lock.unlock"))
        assert (await house.request("reload"))["applied"] == ["alert.forced"]
        await force(house)
        await asyncio.sleep(1)
        assert await open_in(house) == [("forced", 1)]
        config.write_text(without)
        assert (await house.request("reload"))["applied"] == ["alert.forced"]
        await force(house)
        await asyncio.sleep(1)
        assert await open_in(house) == []

    live(config, script)


@pytest.mark.parametrize(("before", "told"), [("lock.forced_open", 1), ("lock.lock_down", 0)])
def test_alerts_that_were_away_for_a_while_tell_nothing_of_it(tmp_path: Path, before: str, told: int) -> None:
    config = write_config(tmp_path)
    without = config.read_text()
    seen: list[int] = []

    async def script(house: House) -> None:
        await force(house)
        await asyncio.sleep(1)
        seen.append(sum(count for _, count in await open_in(house)))

    for text in (without + ALERT.replace("lock.forced_open", before), without, without + ALERT):
        config.write_text(text)
        live(config, script)
    assert seen == [told, 0, 1]


def test_thresholds_and_the_mail_server_are_taken_over(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    smtp = '[smtp]\nhost = "{host}"\nsender = "doors@example.org"\n'
    start = config.read_text() + ALERT.replace("siren", 'email = ["ann@example.org"]\nsiren')
    config.write_text(start + smtp.format(host="old.example.org"))
    hook = '{"id": "pager", "name": "Pager", "kind": "webhook", "url": "https://pager.example.org/", "secret": "pager"}'

    async def script(house: House) -> None:
        directory = f'{{"version": 1, "integrations": [{hook}]}}'.encode()
        await house.daemon.people.directory.apply(directory, config, OTTO)
        desk, alerts = house.daemon.consumers._deliveries, house.daemon.consumers._alerts
        assert desk is not None
        assert alerts is not None
        config.write_text(start + smtp.format(host="new.example.org") + "[integrations]\ndisable_tries = 7\n")
        applied = ["integrations.disable_tries", "smtp.host"]
        assert await house.request("reload") == {"applied": applied, "needs_restart": [], "errors": []}
        assert desk._sinks["pager"].health.limits == ErrorLimits(disable_tries=7)
        assert alerts.channels._mailer is not None
        assert alerts.channels._mailer.server.host == "new.example.org"
        config.write_text(config.read_text().replace("= 7", "= 0"))
        [problem] = (await house.request("reload"))["errors"]
        assert problem.endswith("integrations.disable_tries: found 0, expected 1 to 1000000 tries")
        assert desk._sinks["pager"].health.limits == ErrorLimits(disable_tries=7)

    live(config, script)
