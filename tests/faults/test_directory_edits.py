"""What was answered stays: an edit of the directory outlives a kill right after its answer, and is recorded once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge.log.reading.query import LogReader, Query
from tests.scenarios.test_directory_edits import fresh
from tests.scenarios.test_people import ready, told
from tests.scenarios.test_visitors import it_is
from tests.support.doord import Doord
from tests.support.house import House, live, write_config
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 4


def created(log: Path) -> list[str]:
    reader = LogReader(log)
    try:
        return [one.event.object.id for one in reader.records(Query(limit=1000, types=("user.create",)))]
    finally:
        reader.close()


def test_an_edit_that_was_answered_outlives_a_kill_and_is_recorded_once(tmp_path: Path) -> None:
    with Doord(write_config(tmp_path)) as doord:
        for number in range(KILLS):
            added = {"put": "user", "entry": {"id": f"u{number}", "name": "Ada"}}
            answer = doord.ask("edit_directory", changes=[added], base=number)
            assert answer["outcomes"] == {"version": number + 1}
            doord.kill()
            doord.start()
            until(
                lambda: doord.ask("status")["directory"]["state"] == "ready", "the directory is in force and recorded"
            )
            assert doord.ask("status")["directory"]["version"] == number + 1
    assert sorted(created(doord.log)) == [f"u{number}" for number in range(KILLS)]


def test_a_visit_that_was_answered_ends_at_its_time_after_a_kill(tmp_path: Path) -> None:
    end = "2027-01-04T18:00"
    with Doord(fresh(tmp_path)) as doord:
        ends = doord.ask("visitor", name="Alan Turing", doors=["front"], until=f"{end}:00+00:00", card="12:3456")
        assert ends["done"]
        doord.kill()

    async def script(house: House) -> None:
        it_is(house, "2027-01-04T17:59:00+00:00")
        await ready(house)
        await house.sim("card", "12:3456")
        assert house.door()["lock"] == "unlocked"
        await asyncio.sleep(61)
        await house.sim("card", "12:3456")
        assert told(house, "reader.access")[-1].code == "expired"

    live(tmp_path / "doorward.toml", script)
