"""The integrations of a directory as sinks: they come, change and go, and hold nothing back when they are disabled."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from edge.delivery.address import AllowedAddresses
from edge.delivery.health import ErrorLimits
from edge.delivery.integrations import Deliveries
from edge.delivery.network import Network
from edge.delivery.secrets import Secrets
from edge.delivery.sink import SinkOptions
from edge.directory.directory import Integration
from edge.log.log import LogOptions
from edge.model.messages import Actor
from edge.socket.server import RequestError
from tests.support.clock import FakeClock
from tests.support.logs import Journal, forced, journal, opened
from tests.support.receivers import Here, HttpServer, http_server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ANN = Actor("operator", "uid:0", "root")
IMPATIENT = SinkOptions(ErrorLimits(warn_tries=4, disable_tries=10), retry_s=(0.0, 0.0))
PATIENT_WITHIN_S = 60


def hook(server: HttpServer, name: str = "pager", types: Sequence[str] = ()) -> Integration:
    return Integration(name, name.title(), "webhook", server.url(), tuple(types), "pager")


def desk(folder: Path, held: Journal, clock: FakeClock, told: list[Any] | None = None) -> Deliveries:
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / "pager").write_text("a secret of more than sixteen")

    def retain_for(sinks: Sequence[str]) -> None:
        held.log.retain_for(sinks)
        if told is not None:
            told.append(list(sinks))

    return Deliveries(
        held.log,
        Here(),
        network=Network(AllowedAddresses(allow_private=True)),
        secrets=Secrets(folder),
        chance=random.Random(1),
        now_ns=clock.now_ns,
        retain_for=retain_for,
        options=IMPATIENT,
    )


def sequences(server: HttpServer) -> list[int]:
    return [int(request.event["sequence"]) for request in server.requests]


def test_sinks_come_change_and_go_with_the_directory(tmp_path: Path) -> None:
    async def main() -> None:
        clock, told = FakeClock(), []
        async with http_server() as one, http_server() as two, journal(tmp_path / "log.db", clock) as held:
            own = desk(tmp_path, held, clock, told)
            own.apply({"pager": hook(one), "payroll": Integration("payroll", "Payroll")})
            own.start(held.log.modes())
            await asyncio.sleep(0)
            await held.write(opened(number=1))
            await one.until(1)

            own.apply({"pager": hook(two, types=["lock.forced_open"]), "all": hook(one, "all")})
            await asyncio.sleep(0)
            await held.write(opened(number=2), forced(number=3))
            await two.until(1)
            await one.until(3)
            assert [request.event["type"] for request in two.requests] == ["lock.forced_open"]

            own.apply({"all": hook(one, "all")})
            await held.write(forced(number=4))
            await one.until(4)
            own.apply({"pager": hook(two), "all": hook(one, "all")})
            await asyncio.sleep(0)
            await held.write(forced(number=5))
            await one.until(5)
            await two.until(2)
            assert sequences(one) == [1, 2, 3, 4, 5]
            assert sequences(two) == [3, 5], "who comes again is new: nothing of what was meanwhile"
            assert told[-1] == ["integration.all", "integration.pager"]
            assert set(own.facts()) == {"pager", "all"}
            await own.close()
            assert own.facts() == {}

    asyncio.run(main())


def test_other_thresholds_count_from_then_on_and_no_record_is_lost(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with http_server() as good, http_server() as bad, journal(tmp_path / "log.db", clock) as held:
            bad.answer = b"HTTP/1.1 500 No\r\n\r\n"
            own = desk(tmp_path, held, clock)
            own.reload(Network(AllowedAddresses(allow_private=True)), SinkOptions(retry_s=(0.0, 0.0)))
            own.apply({"good": hook(good, "good"), "bad": hook(bad, "bad")})
            own.start(held.log.modes())
            await asyncio.sleep(0)
            await held.write(opened(number=1))
            await bad.until(11)
            assert own.facts()["bad"]["state"] == "retrying", "ten tries are not enough"  # type: ignore[index,call-overload]
            own.reload(Network(AllowedAddresses(allow_private=True)), IMPATIENT)
            await held.eventually(lambda: own.facts()["bad"]["state"] == "disabled")  # type: ignore[index,call-overload]
            await held.write(opened(number=2))
            await held.eventually(lambda: own.facts()["good"]["backlog"] == 0)  # type: ignore[index,call-overload]
            assert sorted(set(sequences(good))) == list(range(1, held.log.committed + 1))
            own.reload(Network(AllowedAddresses(allow_private=False)), IMPATIENT)
            before = len(good.requests)
            await held.write(opened(number=3))
            await held.eventually(lambda: own.facts()["good"]["state"] == "retrying")  # type: ignore[index,call-overload]
            assert len(good.requests) == before, "a loopback address is refused now"
            await own.close()

    asyncio.run(main())


def test_a_restart_takes_up_every_sink_where_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with http_server() as good, http_server() as bad:
            bad.answer = b"HTTP/1.1 500 No\r\n\r\n"
            integrations = {"good": hook(good, "good"), "bad": hook(bad, "bad")}
            async with journal(tmp_path / "log.db", clock) as held:
                own = desk(tmp_path, held, clock)
                own.apply(integrations)
                own.start(held.log.modes())
                await asyncio.sleep(0)
                await held.write(*(opened(number=n) for n in range(5)))
                await good.until(5)
                await held.eventually(lambda: own.facts()["bad"]["state"] == "disabled")  # type: ignore[index,call-overload]
                types = [record.event.type for record in held.records]
                await held.until(lambda: "integration.disable_due_to_error" in [r.event.type for r in held.records])
                assert types.count("integration.warn_due_to_error") <= 1
                await held.eventually(lambda: own.facts()["good"]["backlog"] == 0)  # type: ignore[index,call-overload]
                await own.close()  # what is under way would be sent again
            tries = len(bad.requests)
            bad.answer = b"HTTP/1.1 204 Yes\r\n\r\n"
            async with journal(tmp_path / "log.db", clock) as held:
                own = desk(tmp_path, held, clock)
                own.start(held.log.modes())
                own.apply(integrations)
                await held.write(opened(number=5))
                await good.until(held.log.committed)
                assert len(bad.requests) == tries, "it is still disabled"
                await own.ops["enable_integration"]({"integration": "bad"}, ANN)
                await bad.until(tries + held.log.committed)
                await held.eventually(lambda: own.facts()["bad"]["backlog"] == 0)  # type: ignore[index,call-overload]
                assert sequences(bad)[tries:] == list(range(1, held.log.committed + 1))
                assert sequences(good) == list(range(1, held.log.committed + 1))
                await own.close()

    asyncio.run(main())


def test_a_disabled_sink_holds_nothing_back(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock()
        options = LogOptions(retry_first_s=0.001, lazy_s=0.01, retention_days=1, sinks=("integration.bad",))
        async with http_server() as bad, journal(tmp_path / "log.db", clock, options) as held:
            bad.answer = b"HTTP/1.1 410 Gone\r\n\r\n"
            own = desk(tmp_path, held, clock)
            own.apply({"bad": hook(bad, "bad")})
            own.start(held.log.modes())
            await asyncio.sleep(0)
            await held.write(*(opened(number=n) for n in range(5)))
            await held.until(lambda: held.records[-1].event.type == "integration.disable_due_to_error")
            assert held.log.cursor("integration.bad") == 0
            clock.tick(3 * 86_400)
            held.log.note_clock(clock.now_ns(), clock.wall_us(), clock.quality())
            await held.write(opened(number=6))
            await held.eventually(lambda: held.log.health().oldest > 5)
            await own.close()

    asyncio.run(main())


def test_until_a_directory_is_there_every_cursor_counts(tmp_path: Path) -> None:
    """A start must not remove what a sink that is not known yet still has to send."""

    async def main() -> None:
        clock = FakeClock()
        async with journal(tmp_path / "log.db", clock) as held:
            await held.write(*(opened(number=n) for n in range(5)))
            held.log.advance("integration.pager", 2)
        clock.tick(3 * 86_400)
        options = LogOptions(retry_first_s=0.001, lazy_s=0.01, retention_days=1, sinks=None)
        async with journal(tmp_path / "log.db", clock, options) as held:
            await held.eventually(lambda: held.log.health().oldest == 3)
            await held.write(opened(number=6))
            assert held.log.health().oldest == 3
            held.log.retain_for([])
            clock.tick(3 * 86_400)
            await held.write(opened(number=7))
            await held.eventually(lambda: held.log.health().oldest > 5)

    asyncio.run(main())


def test_what_is_asked_of_no_integration(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with http_server() as server, journal(tmp_path / "log.db", clock) as held:
            own = desk(tmp_path, held, clock)
            own.apply({"pager": hook(server)})
            own.start(held.log.modes())
            for name, code in (
                ("nobody", "unknown_integration"),
                (None, "unknown_integration"),
                ("pager", "not_disabled"),
            ):
                with pytest.raises(RequestError) as error:
                    await own.ops["enable_integration"]({"integration": name}, ANN)
                assert error.value.code == code
            assert json.dumps(await own.ops["integrations"]({}, ANN))
            await own.close()

    asyncio.run(main())
