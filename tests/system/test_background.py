"""Work beside the loop, and tasks that nobody awaits."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from edge.system.background import in_background
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_future_ends_with_the_work() -> None:
    done: list[str] = []

    async def scenario() -> None:
        await in_background(lambda: done.append(threading.current_thread().name), "a look")

    asyncio.run(scenario())
    assert done == ["a look"]


@pytest.mark.parametrize("fault", [OSError(5, "a bad block"), ValueError("no name")])
def test_a_fault_of_the_work_is_its_futures(fault: Exception) -> None:
    def work() -> None:
        raise fault

    async def scenario() -> None:
        with pytest.raises(type(fault), match=str(fault.args[-1])):
            await in_background(work, "a look")

    asyncio.run(scenario())


def test_a_mistake_in_the_work_lets_nobody_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        with pytest.raises(OSError, match="KeyError: 'none such'"):
            await in_background(lambda: {}["none such"], "a look")

    asyncio.run(scenario())
    assert "internal error in a look" in caplog.text


def test_a_thread_that_cannot_be_had_is_a_fault_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def scenario() -> None:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(BlockingIOError, match="can't start new thread"):
            await in_background(lambda: None, "a look")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda: 1 / 0, ["sink a ended"]),
        (lambda: None, []),
        (lambda: asyncio.current_task().cancel(), []),  # type: ignore[union-attr]  # it runs in one
    ],
)
def test_only_a_fault_is_said(end: Callable[[], object], said: list[str], caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        end()
        await asyncio.sleep(0)

    async def scenario() -> None:
        task = asyncio.create_task(work(), name="sink a")
        task.add_done_callback(say_why)
        await asyncio.wait({task})

    with caplog.at_level(logging.DEBUG, "edge.system.tasks"):
        asyncio.run(scenario())
    assert [record.getMessage() for record in caplog.records] == said
