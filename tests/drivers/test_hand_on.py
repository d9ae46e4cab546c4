"""The one call by which a signal leaves a driver."""

from __future__ import annotations

import asyncio
from typing import Any

from drivers.hand_on import hand_on
from edge.model.messages import CardRead


def test_a_fault_of_the_receiver_is_reported_without_the_card() -> None:
    reported: list[dict[str, Any]] = []

    def take(_: object) -> None:
        raise RuntimeError("a fault in the rules")

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        hand_on("line", take, CardRead("front.reader", 32, b"\xde\xad\xbe\xef", 5))

    asyncio.run(scenario())
    [context] = reported
    assert context["message"] == "driver line: the receiver of CardRead failed"
    assert str(context["exception"]) == "a fault in the rules"


def test_nobody_need_listen() -> None:
    hand_on("line", None, CardRead("front.reader", 32, b"\xde\xad\xbe\xef", 5))
