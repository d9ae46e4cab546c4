"""What was answered stays: an edit of the directory outlives a kill right after its answer, and is recorded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.log.reading.query import LogReader, Query
from tests.support.doord import Doord
from tests.support.house import write_config
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
