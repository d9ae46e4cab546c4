"""A log in which somebody has changed what is remembered: doors are guarded, and no part of doord ends."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support.house import House, live, write_config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("[" * 100_000, id="deep"),
        "",
        "7",
        "[]",
        "null",
        '{"version": [], "window": 7, "locked_down": [], "operator": {}, "until_us": "x", "alerts": 7, "recorded": {}}',
    ],
)
def test_a_memory_that_is_nonsense_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture, state: str) -> None:
    config = write_config(tmp_path)

    async def before(house: House) -> None:
        await house.ask("lock_down", "front")

    live(config, before)
    with closing(sqlite3.connect(tmp_path / "log.db")) as db, db:
        assert db.execute("update mode set state = ?", (state,)).rowcount > 1

    async def after(house: House) -> None:
        await asyncio.sleep(5)
        assert house.door("front")["mode"] == "locked"
        await house.sim("rex")
        assert house.door("front")["lock"] == "unlocked"

    live(config, after)
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]
