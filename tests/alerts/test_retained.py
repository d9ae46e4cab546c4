"""The open alerts in the retained state of their door."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.alerts.runner import MOST_RETAINED
from tests.alerts.test_runner import Outside, runner
from tests.support import virtual
from tests.support.broker import Broker
from tests.support.clock import FakeClock
from tests.support.house import write_config
from tests.support.live import Live
from tests.support.logs import forced, journal
from tests.support.subscriber import Subscriber

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BASE = "doorward/v1/lab/test"
ALERT = '\n[alert.forced]\ntypes = ["lock.forced_open"]\nsiren = { door = "front", for_s = 5 }\n'


def test_an_alert_that_escalates_is_told_again(tmp_path: Path) -> None:
    async def main(loop: virtual.VirtualLoop) -> None:
        clock, outside = FakeClock(loop.now_ns), Outside()
        told: list[list[object]] = []
        loop.waits_for.append(lambda: not outside.published)
        async with journal(tmp_path / "log.db", clock) as held:

            def changed(door: str) -> None:
                told.append([alert["escalated"] for alert in own.open_at(door)])  # type: ignore[call-overload,index]

            own = runner(held, outside, changed=changed)
            await asyncio.sleep(0)
            held.log.append([forced(at_ns=clock.now_ns())])
            async with asyncio.timeout(10_000):
                while not outside.posted:  # noqa: ASYNC110 -- virtual time
                    await asyncio.sleep(1)
            assert told == [[False], [True]]
            await own.close()

    virtual.run(main)


def test_so_many_are_told_of_a_door(tmp_path: Path) -> None:
    async def main() -> None:
        outside = Outside()
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside)
            await held.write(forced())
            await held.eventually(lambda: len(own.open_at("front")) == 1)
            [(key, alert)] = own.state.alerts.items()
            many = {(key[0], f"{n}"): replace(alert, id=f"forced-{n}") for n in range(MOST_RETAINED + 5)}
            own.state = replace(own.state, alerts=many)
            assert [one["alert"] for one in own.open_at("front")] == [  # type: ignore[call-overload,index]
                f"forced-{n}" for n in range(MOST_RETAINED)
            ]
            await own.close()

    asyncio.run(main())


def test_an_open_alert_of_a_removed_door_harms_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def controller(*doors: str) -> Live:
        config = write_config(tmp_path, doors=doors)
        config.write_text(config.read_text() + f'\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n' + ALERT)
        return Live(config)

    with Broker(tmp_path / "broker") as broker, Subscriber(broker.port, BASE) as upstream:

        def states(door: str) -> list[dict[str, object]]:
            return [state for state in upstream.on(f"doors/{door}/state") if state]

        with controller("front", "back") as house:
            house.sim("back", "open")
            upstream.wait(lambda: any(state["alerts"] for state in states("back")), "the alert")
        with controller("front") as house:
            [alert] = house.ask("alerts")["open"]
            assert alert["door"] == "back"
            house.ask("acknowledge", alert=alert["alert"])
            house.sim("front", "open")
            upstream.wait(lambda: any(state["alerts"] for state in states("front")), "the alert of the other door")
    assert not caplog.records, caplog.text
