"""Event reports leave a trace: who asked for what, and what they got."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from edge.model.messages import Actor
from edge.reports.exports import MOST_OPEN, Exports
from edge.socket.server import RequestError
from tests.reports.test_searches import DIRECTORY
from tests.support.logs import Journal, journal, opened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


KIM, LEE = Actor("operator", "uid:1000", "kim"), Actor("operator", "uid:1001", "lee")


def with_desk(tmp_path: Path, use: Callable[[Exports, Journal], Awaitable[None]]) -> None:
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            await use(Exports(held.log, held.clock, lambda: DIRECTORY), held)

    asyncio.run(run())


def test_who_asked_and_what_came_of_it(tmp_path: Path) -> None:
    async def use(desk: Exports, held: Journal) -> None:
        await held.write(opened(), opened())
        filters = {"door": ["front"], "group": ["it"], "outcome": "refused", "since_us": 5}
        begun: Any = await desk.serve({"action": "create", "name": "r.csv", "filters": filters, "limit": 9}, KIM)
        assert begun["through"] == 2
        assert await desk.serve({"action": "finished", "export": begun["export"], "records": 7}, KIM) == {}
        await held.until(lambda: len(held.records) == 4)
        create, finished = (record.event for record in held.records[2:])
        assert (create.type, finished.type) == ("event_export.create", "event_export.finished")
        assert create.actor == finished.actor == KIM
        assert create.object == finished.object
        assert (create.object.name, create.correlation) == ("r.csv", finished.correlation)
        assert dict(create.details) == {"filters": {**filters, "limit": 9}}
        assert dict(finished.details) == {"rows": 7, "filters": {**filters, "limit": 9}}
        assert finished.success

    with_desk(tmp_path, use)


def test_a_report_that_was_given_up_says_so(tmp_path: Path) -> None:
    async def use(desk: Exports, held: Journal) -> None:
        begun: Any = await desk.serve({"action": "create", "name": "r.csv"}, KIM)
        body = {"action": "finished", "export": begun["export"], "records": 0, "code": "given_up"}
        await desk.serve(body, KIM)
        await held.until(lambda: len(held.records) == 2)
        assert (held.records[1].event.success, held.records[1].event.code) == (False, "given_up")

    with_desk(tmp_path, use)


def test_a_report_that_goes_out_over_the_page_is_a_download_too(tmp_path: Path) -> None:
    async def use(desk: Exports, held: Journal) -> None:
        begun: Any = await desk.serve({"action": "create", "name": "r.csv"}, KIM)
        with pytest.raises(RequestError):
            await desk.serve({"action": "download", "export": begun["export"]}, LEE)
        await desk.serve({"action": "download", "export": begun["export"]}, KIM)
        await desk.serve({"action": "finished", "export": begun["export"], "records": 0}, KIM)
        await held.until(lambda: len(held.records) == 3)
        assert [record.event.type for record in held.records] == [
            "event_export.create",
            "event_export.download",
            "event_export.finished",
        ]
        assert {record.event.object.id for record in held.records} == {begun["export"]}

    with_desk(tmp_path, use)


def test_nobody_finishes_what_another_asked_for_or_twice(tmp_path: Path) -> None:
    async def use(desk: Exports, held: Journal) -> None:
        begun: Any = await desk.serve({"action": "create", "name": "r.csv"}, KIM)
        body = {"action": "finished", "export": begun["export"], "records": 1}
        with pytest.raises(RequestError):
            await desk.serve(body, LEE)
        await desk.serve(body, KIM)
        with pytest.raises(RequestError):
            await desk.serve(body, KIM)
        await held.until(lambda: len(held.records) == 2)

    with_desk(tmp_path, use)


def test_an_unknown_group_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    async def use(desk: Exports, held: Journal) -> None:
        with pytest.raises(RequestError, match="no group 'stuff'"):
            await desk.serve({"action": "create", "name": "r.csv", "filters": {"group": ["stuff"]}}, KIM)
        for body in ({}, {"action": "upload"}, {"action": "create"}, {"action": "create", "name": "r", "filters": 5}):
            with pytest.raises(ValidationError):
                await desk.serve(body, KIM)
        await held.write(opened())
        assert len(held.records) == 1

    with_desk(tmp_path, use)


def test_forgotten_reports_do_not_pile_up(tmp_path: Path) -> None:
    async def use(desk: Exports, _held: Journal) -> None:
        ids = [desk.create(f"r-{number}", {}, KIM) for number in range(MOST_OPEN + 3)]
        assert len(desk._open) == MOST_OPEN
        with pytest.raises(RequestError):
            await desk.serve({"action": "finished", "export": ids[2], "records": 1}, KIM)
        await desk.serve({"action": "finished", "export": ids[3], "records": 1}, KIM)

    with_desk(tmp_path, use)


def test_what_is_asked_for_does_not_fill_the_log(tmp_path: Path) -> None:
    async def use(desk: Exports, held: Journal) -> None:
        filters = {"code": ["z" * 990] * 60, "user": ["y" * 1_000] * 256, "door": ["front"], "text": "x" * 200}
        await desk.serve({"action": "create", "name": "r", "filters": filters}, KIM)
        await held.until(lambda: bool(held.records))
        details = held.records[-1].event.details
        assert details["filters"] == {"code": "60 values", "user": "256 values", "door": ["front"], "text": "x" * 200}

    with_desk(tmp_path, use)
