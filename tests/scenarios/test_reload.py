"""SIGHUP: what running doors can take over is applied, a bad file changes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.support.house import House, live, write_config

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
