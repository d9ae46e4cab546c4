"""`doorctl alerts test`: each way of a policy is tried once, and nothing is left of it but who tested."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from edge.alerts import trial
from edge.alerts.channels import Channels
from edge.alerts.mail import Mailer, MailServer
from edge.alerts.ntfy import Ntfy
from edge.alerts.runner import AlertRunner
from edge.delivery.errors import DeliveryRefusedError
from edge.model.messages import Actor
from edge.settings.alert_policies import Actions, AlertPolicy, Siren
from edge.settings.alerts import NtfyTable
from edge.socket.server import RequestError
from tests.alerts.test_runner import Outside
from tests.support.logs import journal
from tests.support.receivers import http_server

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from tests.support.logs import Journal

ANN = Actor("operator", "uid:0", "root")
POLICY = AlertPolicy(
    "all",
    "Everything",
    frozenset({"integration.update", "lock.forced_open"}),
    actions=Actions(
        mqtt=True,
        webhook=("pager",),
        email=("ann@example.org", "gone@example.org"),
        siren=Siren("front", 60),
        ntfy=("doors",),
    ),
    escalate_after_s=60,
    escalate_to=Actions(email=("ann@example.org", "chief@example.org"), siren=Siren("back", 2)),
)


class Mail(Mailer):
    """Takes e-mails, but for nobody who is gone."""

    def __init__(self) -> None:
        super().__init__(MailServer("mail.example.org", 587, "doors@example.org"))
        self.got: list[EmailMessage] = []

    async def send(self, message: EmailMessage) -> None:
        await asyncio.sleep(0)
        if message["To"] == "gone@example.org":
            raise DeliveryRefusedError("mail.example.org refused all recipients", final=True)
        self.got.append(message)


def runner(held: Journal, outside: Outside, channels: Channels) -> AlertRunner:
    own = AlertRunner(
        {"all": POLICY},
        log=held.log,
        clock=held.clock,
        identity=outside.identity,
        sound=outside.sound,
        where=outside,
        channels=channels,
        chance=random.Random(1),
    )
    own.start(held.log.modes())
    return own


async def ask(own: AlertRunner, **body: Any) -> dict[str, Any]:
    answer: Any = await own.ops["test_alert"](body, ANN)
    return dict(answer)


def test_each_way_says_what_it_answered_and_nothing_is_an_alert(tmp_path: Path) -> None:
    async def main() -> None:
        outside, mail = Outside(), Mail()
        outside.broken.add("webhook")
        async with journal(tmp_path / "log.db") as held, http_server() as server:
            ntfy = Ntfy(NtfyTable(url=f"http://127.0.0.1:{server.port}"))
            channels = Channels(outside.publish, outside.post, mail, ntfy)
            own = runner(held, outside, channels)
            answers = {one["way"]: (one["taken"], one["answer"]) for one in (await ask(own, policy="all"))["answers"]}
            assert answers == {
                "mqtt": (True, None),
                "webhook:pager": (False, "it is away"),
                "ntfy:doors": (True, None),
                "email ann@example.org": (True, None),
                "email gone@example.org": (False, "mail.example.org refused all recipients"),
                "email chief@example.org": (True, None),
                "siren front": (None, "not tested: give --siren"),
                "siren back": (None, "not tested: give --siren"),
            }
            assert [one["To"] for one in mail.got] == ["ann@example.org", "chief@example.org"]
            assert "Test: Everything. Nothing has happened" in mail.got[0]["Subject"]
            assert "doorctl acknowledge" not in mail.got[0].get_content()
            assert [outside.published[0][key] for key in ("kind", "door", "count")] == ["test", None, 0]
            assert b"doorctl alerts test all" in server.requests[0].body
            await held.until(lambda: bool(held.records) and held.records[-1].event.type == "integration.update")
            event = held.records[-1].event
            assert (event.actor, event.object.id, event.details["tested"]) == (ANN, "alert.all", "all")
            await held.until(lambda: own.state.through >= held.records[-1].sequence)
            assert (own.facts()["open"], own.facts()["waiting"]) == ([], {}), "the test itself raised an alert"
            assert outside.sounds == []
            await own.close()

    asyncio.run(main())


def test_a_siren_sounds_when_asked_and_ends_by_itself(tmp_path: Path) -> None:
    async def main() -> None:
        outside = Outside()
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside, outside.channels)
            answers = (await ask(own, policy="all", siren=True))["answers"]
            assert [one["answer"] for one in answers[-2:]] == ["sounds for 5 s", "sounds for 2 s"]
            await held.eventually(lambda: outside.sounds == [{"front", "back"}])
            held.clock.tick(2)
            own._news.set()
            await held.eventually(lambda: outside.sounds[-1] == {"front"})
            held.clock.tick(3)
            own._news.set()
            await held.eventually(lambda: outside.sounds[-1] == set())
            await own.close()

    asyncio.run(main())


def test_a_way_that_never_answers_is_given_up_beside_those_that_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "LIMIT_S", 0.2)

    async def never(_payload: bytes) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        outside = Outside()
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside, Channels(never, outside.post))
            first, second, *_ = (await ask(own, policy="all"))["answers"]
            assert (first["taken"], first["answer"]) == (False, "no answer within 0 s")
            assert (second["way"], second["taken"]) == ("webhook:pager", True)
            await own.close()

    asyncio.run(main())


@pytest.mark.parametrize("name", ["al", None, 3])
def test_a_policy_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, name: object) -> None:
    async def main() -> None:
        outside = Outside()
        async with journal(tmp_path / "log.db") as held:
            own = runner(held, outside, outside.channels)
            before = len(held.records)
            with pytest.raises(RequestError, match=r"there is all$"):
                await ask(own, policy=name)
            assert len(held.records) == before
            await own.close()

    asyncio.run(main())
