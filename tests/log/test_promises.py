"""What the network waits for: an id that belongs to one command, and the moment when everything is on the disk."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge.log.log import LogUnavailableError
from edge.model.ports import Admission
from tests.support.logs import PATIENT, Disk, journal, opened

if TYPE_CHECKING:
    from pathlib import Path

THIS, OTHER = b"this", b"other"


def test_an_id_belongs_to_one_content_also_after_a_restart(tmp_path: Path) -> None:
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            assert await held.log.admit("id-1", content=THIS) == Admission(first=True)
            held.log.settle("id-1", b"done")
        async with journal(tmp_path / "log.db") as held:
            assert await held.log.admit("id-1", content=THIS) == Admission(first=False, reply=b"done")
            assert await held.log.admit("id-1", content=OTHER) == Admission(first=False, same=False)

    asyncio.run(run())


def test_an_id_of_an_older_release_has_no_content_and_is_the_same_command(tmp_path: Path) -> None:
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            assert (await held.log.admit("id-1")).first
            held.log.settle("id-1", b"done")
            assert await held.log.admit("id-1", content=THIS) == Admission(first=False, reply=b"done")

    asyncio.run(run())


def test_who_only_looks_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            assert await held.log.admit("id-1", only_look=True) == Admission(first=False, known=False)
            assert (await held.log.admit("id-1", content=THIS)).first
            held.log.settle("id-1", b"done")
            found = await held.log.admit("id-1", content=THIS, only_look=True)
            assert found == Admission(first=False, reply=b"done")

    asyncio.run(run())


def test_durable_waits_for_the_disk_and_for_who_listens(tmp_path: Path) -> None:
    disk = Disk()

    async def run() -> None:
        async with journal(tmp_path / "log.db", options=replace(PATIENT, connect=disk.connect)) as held:
            await held.log.durable()  # nothing was handed over
            disk.go.clear()
            held.log.append([opened(1, 1)])
            waits = asyncio.ensure_future(held.log.durable())
            await held.eventually(disk.waiting.is_set)
            await asyncio.sleep(0)
            assert not waits.done()
            disk.go.set()
            await waits
            assert [record.event.details["number"] for record in held.records if record.event.type == "lock.opened"]
            held.log.append([], {"front": "{}"})  # modes alone are waited for, too
            await held.log.durable()
            held.log.append([opened(2, 2)])
        held.log.append([opened(3, 3)])
        with pytest.raises(LogUnavailableError):
            await held.log.durable()

    asyncio.run(run())
