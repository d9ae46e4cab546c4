"""What doors do without: a fault ends its own part, and is said."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge.system.isolation import Isolation
from tests.support.logs import journal, opened

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_fault_ends_its_own_part_and_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    isolation, done = Isolation(), []
    with isolation.part("alerts"):
        raise ZeroDivisionError("by nothing")
    with isolation.part("cameras"):
        done.append("cameras")
    assert done == ["cameras"]
    assert isolation.failed == {"alerts": "ZeroDivisionError: by nothing"}
    assert "alerts has failed and does not run; doors are not affected" in caplog.text


def test_a_stop_is_no_fault() -> None:
    async def main() -> Isolation:
        isolation = Isolation()
        stopped, failed = (asyncio.create_task(work) for work in (asyncio.sleep(3600), _fail()))
        isolation.watch("index", stopped)
        isolation.watch("reports", failed)
        await asyncio.sleep(0)
        stopped.cancel()
        await asyncio.gather(stopped, failed, return_exceptions=True)
        return isolation

    assert asyncio.run(main()).failed == {"reports": "OSError: no such report"}


async def _fail() -> None:
    await asyncio.sleep(0)
    raise OSError("no such report")


def test_whoever_hears_of_records_wrongly_keeps_none_from_the_others(tmp_path: Path) -> None:
    def wrong(_records: Any) -> None:
        raise KeyError("a mistake")

    async def main() -> None:
        async with journal(tmp_path / "log.db") as held:
            held.log._listeners.insert(0, wrong)
            await held.write(opened(number=1))
            assert held.records[-1].event.details["number"] == 1

    asyncio.run(main())
