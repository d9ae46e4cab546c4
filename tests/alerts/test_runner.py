"""Alerts at work: over restarts, by every way, answered from the socket."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge.alerts import sender
from edge.alerts.channels import Channels
from edge.alerts.runner import AlertRunner
from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.model.cloudevents import Identity
from edge.model.messages import Actor
from edge.settings.alert_policies import Actions, AlertPolicy, Siren
from edge.socket.server import RequestError
from tests.support import virtual
from tests.support.clock import FakeClock
from tests.support.logs import forced, journal, opened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.delivery.receivers.chat import ChatMessage
    from edge.model.messages import Record
    from tests.support.logs import Journal
    from tests.support.virtual import VirtualLoop

ANN = Actor("operator", "uid:0", "root")
FORCED = AlertPolicy(
    "forced",
    "Forced open",
    frozenset({"lock.forced_open"}),
    quiet_s=300,
    actions=Actions(mqtt=True, siren=Siren("front", 60)),
    escalate_after_s=900,
    escalate_to=Actions(webhook=("chief",)),
)


class Outside:
    """Takes what leaves, and lends what the daemon lends."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.posted: list[tuple[str, str, dict[str, Any]]] = []
        self.sounds: list[set[str]] = []
        self.broken: set[str] = set()
        self.tries = 0
        self._news = asyncio.Event()

    def identity(self) -> Identity:
        return Identity("lab", "test", "epoch-1")

    def sound(self, doors: frozenset[str]) -> None:
        self.sounds.append(set(doors))

    def groups_of(self, _user: str) -> frozenset[str]:
        return frozenset()

    def active(self, _schedule: str, _record: Record) -> bool:
        return True

    async def publish(self, body: bytes) -> None:
        await self._take("mqtt")
        self.published.append(json.loads(body)["data"])

    async def post(self, integration: str, message: ChatMessage) -> None:
        await self._take("webhook")
        self.posted.append((integration, message.id, json.loads(message.body)))

    async def _take(self, way: str) -> None:
        await asyncio.sleep(0)
        self.tries += 1
        if way in self.broken:
            raise DeliveryError("it is away")

    @property
    def channels(self) -> Channels:
        return Channels(publish=self.publish, post=self.post)


def runner(
    held: Journal, outside: Outside, *policies: AlertPolicy, modes: Mapping[str, str] | None = None, **more: Any
) -> AlertRunner:
    own = AlertRunner(
        {policy.id: policy for policy in policies or (FORCED,)},
        log=held.log,
        clock=held.clock,
        identity=outside.identity,
        sound=outside.sound,
        where=outside,
        channels=outside.channels,
        chance=random.Random(1),
        retry_s=(0.0, 0.001),
        **more,
    )
    own.start(held.log.modes() if modes is None else modes)
    return own


def copied(folder: Path, crashed: Path) -> None:
    """What a crash would leave."""
    for part in folder.glob("log.db*"):
        shutil.copy(part, crashed / part.name)


@pytest.mark.parametrize("killed", [False, True])
def test_nothing_is_lost_over_a_restart(tmp_path: Path, killed: bool) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir()

    async def first() -> None:
        outside = Outside()
        outside.broken = {"mqtt"}
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside)
            await asyncio.sleep(0)
            await held.write(opened(), forced(door="front"), forced(door="back"), forced(door="front"))
            await held.eventually(lambda: len(own.state.waiting.get("mqtt", ())) == 2 and own.state.through == 4)
            await held.write(opened(number=1))
            copied(tmp_path, crashed)
            await held.write(*([forced(door="side")] if not killed else []))
            await held.eventually(lambda: killed or len(own.state.waiting["mqtt"]) == 3)
            await own.close()
        assert outside.published == []

    async def second() -> list[tuple[str, int]]:
        outside = Outside()
        async with journal((crashed if killed else tmp_path) / "log.db") as held:
            own = runner(held, outside)
            await held.eventually(lambda: len(outside.published) >= (2 if killed else 3))
            await held.write(opened(number=9))
            await held.eventually(lambda: own.state.through == held.log.committed)
            assert not own.state.waiting
            await own.close()
        return [(one["alert"], one["count"]) for one in outside.published]

    asyncio.run(first())
    told = asyncio.run(second())
    assert told == [("forced-2", 1), ("forced-3", 1), *([] if killed else [("forced-6", 1)])]
    assert asyncio.run(third(crashed if killed else tmp_path)) == [], "what was told is not told again"


async def third(folder: Path) -> list[dict[str, Any]]:
    outside = Outside()
    async with journal(folder / "log.db") as held:
        own = runner(held, outside)
        await held.write(opened(number=10))
        await held.eventually(lambda: own.state.through == held.log.committed)
        await own.close()
    return outside.published


def test_alerts_that_are_new_here_do_not_tell_history(tmp_path: Path) -> None:
    async def main() -> None:
        outside = Outside()
        async with journal(tmp_path / "log.db") as held:
            await held.write(*(forced(number=n) for n in range(5)))
            own = runner(held, outside, modes={})
            await held.write(forced(number=5))
            await held.eventually(lambda: bool(outside.published))
            assert [one["alert"] for one in outside.published] == ["forced-6"]
            await own.close()

    asyncio.run(main())


def test_an_answer_is_recorded_and_ends_siren_and_escalation(tmp_path: Path) -> None:
    async def main() -> None:
        outside = Outside()
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside)
            await asyncio.sleep(0)
            await held.write(forced())
            await held.eventually(lambda: bool(outside.published))
            assert outside.sounds == [{"front"}]
            assert (await own.ops["alerts"]({}, ANN))["open"][0]["alert"] == "forced-1"  # type: ignore[index,call-overload]
            assert await own.ops["acknowledge"]({"alert": "forced-1"}, ANN) == {"alert": "forced-1", "count": 1}
            assert outside.sounds == [{"front"}, set()]
            await held.until(lambda: held.records[-1].event.type == "integration.update")
            event = held.records[-1].event
            assert (event.actor, event.object.id, event.door) == (ANN, "alert.forced", "front")
            assert event.details["acknowledged"] == "forced-1"
            for name in ("forced-1", "forced-9", None, 3):
                with pytest.raises(RequestError, match="no open alert"):
                    await own.ops["acknowledge"]({"alert": name}, ANN)
            await own.close()

    asyncio.run(main())


def test_a_key_for_some_doors_silences_no_alert_of_others_and_doors_are_told_of_theirs(tmp_path: Path) -> None:
    async def main() -> None:
        outside, told = Outside(), list[str]()
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside, changed=told.append)
            await held.write(forced())
            await held.eventually(lambda: bool(outside.published))
            assert told == ["front"]
            with pytest.raises(RequestError, match="does not permit that at front") as error:
                own.acknowledge("forced-1", ANN, frozenset({"back"}))
            assert error.value.code == "not_permitted"
            assert [one["alert"] for one in own.open_at("front")] == ["forced-1"]
            own.acknowledge("forced-1", ANN, frozenset({"front"}), {"signed_by": "hq"})
            assert (own.open_at("front"), told) == ([], ["front", "front"])
            await held.until(lambda: held.records[-1].event.type == "integration.update")
            assert held.records[-1].event.details["signed_by"] == "hq"
            await own.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "fault",
    [DeliveryRefusedError("none of the recipients", final=True), UnicodeEncodeError("ascii", "\u00fc", 0, 1, "no")],
)
def test_a_message_that_nobody_takes_keeps_no_other_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(sender, "REFUSED_S", (0.0, 0.001))
    monkeypatch.setattr(sender, "MOST_REFUSALS", 1_000_000)

    async def main() -> None:
        outside = Outside()
        wrong = {"door-0", "door-2"}
        take = outside.publish

        async def publish(body: bytes) -> None:
            if json.loads(body)["data"]["door"] in wrong:
                await asyncio.sleep(0)
                outside.tries += 1
                raise fault
            await take(body)

        monkeypatch.setattr(outside, "publish", publish)
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside, replace(FORCED, escalate_after_s=None))
            await asyncio.sleep(0)
            await held.write(*(forced(door=f"door-{number}") for number in range(4)))
            await held.eventually(lambda: {one["door"] for one in outside.published} == {"door-1", "door-3"})
            await held.write(forced(door="door-4"))
            await held.eventually(lambda: outside.published[-1]["door"] == "door-4")
            tries = outside.tries
            await held.eventually(lambda: outside.tries > tries + 4)
            assert len(own.state.waiting["mqtt"]) == 2
            assert own.facts()["last_errors"]["mqtt"], "as long as one of them waits"  # type: ignore[index,call-overload]
            wrong.clear()
            await held.eventually(lambda: not own.state.waiting)
            assert sorted(one["door"] for one in outside.published) == [f"door-{number}" for number in range(5)]
            await own.close()

    asyncio.run(main())


def test_a_message_that_is_refused_again_and_again_is_given_up_and_that_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "REFUSED_S", (0.0, 0.0))
    failures = AlertPolicy(
        "failures", "Failures", frozenset({"integration.warn_due_to_error"}), actions=Actions(webhook=("pager",))
    )

    async def main() -> None:
        outside = Outside()

        async def publish(_body: bytes) -> None:
            await asyncio.sleep(0)
            outside.tries += 1
            raise DeliveryRefusedError("it will not have it", final=True)

        monkeypatch.setattr(outside, "publish", publish)
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside, replace(FORCED, escalate_after_s=None), failures)
            await asyncio.sleep(0)
            await held.write(forced())
            await held.until(lambda: held.records[-1].event.type == "integration.warn_due_to_error")
            event = held.records[-1].event
            assert (event.object.id, event.door) == ("alert.forced", "front")
            assert event.details["given_up"] == "forced-1"
            assert event.details["tries"] == outside.tries == sender.MOST_REFUSALS
            await held.write(opened(number=1))
            await held.eventually(lambda: own.state.through == held.log.committed)
            assert not own.state.waiting, "nor does anybody hear of it by another alert: that would go on for ever"
            assert own.facts()["last_errors"] == {}
            await own.close()

    asyncio.run(main())


def test_what_was_refused_is_tried_again_when_something_was_corrected(tmp_path: Path) -> None:
    async def main() -> None:
        outside, corrected = Outside(), Outside()

        async def refuse(_body: bytes) -> None:
            outside.tries += 1
            raise DeliveryRefusedError("nobody of that name", final=True)

        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside, replace(FORCED, escalate_after_s=None))
            own.reload(own.policies, Channels(publish=refuse))
            await asyncio.sleep(0)
            await held.write(forced())
            await held.eventually(lambda: outside.tries > 0)
            own.reload(own.policies, corrected.channels)
            await held.eventually(lambda: len(corrected.published) == 1)
            await own.close()

    asyncio.run(main())


def test_one_way_that_is_away_delays_no_other(tmp_path: Path) -> None:
    both = replace(FORCED, actions=Actions(mqtt=True, webhook=("pager",)), escalate_after_s=None)

    async def main() -> None:
        outside = Outside()
        outside.broken = {"mqtt"}
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside, both)
            await asyncio.sleep(0)
            for number in range(3):
                await held.write(forced(door=f"door-{number}"))
                await held.eventually(lambda number=number: len(outside.posted) == number + 1)  # type: ignore[misc]  # bound now
            assert outside.published == []
            assert own.facts()["last_errors"] == {"mqtt": "it is away"}
            integration, message_id, body = outside.posted[0]
            assert (integration, message_id) == ("pager", "epoch-1-forced-1-1")
            assert (body["type"], body["subject"], body["id"]) == ("doorward.alert", "doors/door-0", message_id)
            outside.broken = set()
            await held.eventually(lambda: len(outside.published) == 3)
            assert own.facts()["last_errors"] == {}
            await own.close()

    asyncio.run(main())


def test_nobody_answers_in_time(tmp_path: Path) -> None:
    async def main(loop: VirtualLoop) -> None:
        clock, outside = FakeClock(loop.now_ns), Outside()
        loop.waits_for.append(lambda: not outside.published)
        async with journal(tmp_path / "log.db", clock) as held:
            own = runner(held, outside)
            await asyncio.sleep(0)
            held.log.append([forced(at_ns=clock.now_ns())])
            async with asyncio.timeout(10_000):
                while not outside.posted:  # noqa: ASYNC110 -- virtual minutes
                    await asyncio.sleep(1)
            assert 900 <= loop.time() - 1000 <= 902
            assert outside.posted[0][2]["data"]["kind"] == "escalated"
            assert outside.sounds == [{"front"}, set()], "by itself after a minute"
            await own.close()

    virtual.run(main)


def test_other_policies_close_what_was_open_by_those_that_are_gone(tmp_path: Path) -> None:
    async def main() -> None:
        outside = Outside()
        outside.broken = {"mqtt"}
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside)
            await asyncio.sleep(0)
            await held.write(forced())
            await held.eventually(lambda: bool(own.state.waiting))
            own.reload({"other": replace(FORCED, id="other")}, outside.channels)
            await held.eventually(lambda: outside.sounds[-1:] == [set()])
            assert own.facts()["open"] == []
            outside.broken = set()
            await held.write(forced(door="back"))
            await held.eventually(lambda: bool(outside.published))
            assert [one["policy"] for one in outside.published] == ["other"]
            await own.close()

    asyncio.run(main())


def test_a_log_that_is_full_of_other_things_moves_the_cursor_seldom(tmp_path: Path) -> None:
    async def main() -> None:
        outside = Outside()
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside)
            await asyncio.sleep(0)
            await held.write(*(opened(number=n) for n in range(200)))
            await held.eventually(lambda: own.state.through == held.log.committed)
            assert 200 - 64 <= held.log.cursor("alerts") <= 200
            await own.close()

    asyncio.run(main())
