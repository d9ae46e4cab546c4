"""Every TLS client refuses an authority without a key usage, on every Python, unless a setting lets it pass."""

from __future__ import annotations

import asyncio
import re
import ssl
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from edge.cameras.fetch import CameraError
from edge.cameras.pictures import _fetcher
from edge.delivery.errors import DeliveryError
from edge.delivery.integrations import chosen
from edge.model.ports import LinkError, Will
from edge.settings.alerts import IntegrationsTable
from edge.settings.cameras import CameraTable
from edge.settings.tables import MqttTable
from edge.upstream.mqtt.link import MqttLink
from tests.alerts.test_mail import Box, box
from tests.support.broker import Broker
from tests.support.cameras import JPEG, Camera
from tests.support.certificates import Authority
from tests.support.doord import Doord
from tests.support.house import write_config
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = r"key usage extension \(refused by tls_strict\)$"
LAX = [{}, {"tls_strict": False}]


class Silent:
    """Hears of a link and makes nothing of it."""

    def acknowledged(self, _answers: Any) -> None: ...
    def subscribed(self, _code: int) -> None: ...
    def incoming(self, _incoming: Any) -> None: ...
    def lost(self, _reason: str) -> None: ...


@pytest.fixture
def old(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "old", form="")


def serving(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", address="127.0.0.1"))
    return context


@pytest.mark.parametrize("more", LAX)
def test_a_broker(old: Authority, tmp_path: Path, more: dict[str, bool]) -> None:
    certificate, key = old.issue("broker", address="127.0.0.1")
    guarded = f"allow_anonymous true\ncafile {old.ca}\ncertfile {certificate}\nkeyfile {key}\n"

    async def main(port: int) -> None:
        table = {"url": f"mqtts://127.0.0.1:{port}", "ca_file": str(old.ca), **more}
        link = MqttLink(MqttTable.model_validate(table, context={"folder": tmp_path}), "strict", Silent())
        try:
            await link.connect(Will("status", b"{}"))
        finally:
            link.close()

    with Broker(tmp_path / "broker", guarded) as broker:
        judged(main(broker.port), LinkError, more)


@pytest.mark.parametrize("more", LAX)
def test_what_records_are_delivered_to(old: Authority, tmp_path: Path, more: dict[str, bool]) -> None:
    async def main() -> None:
        table = IntegrationsTable.model_validate(
            {"allow_private": True, "ca_file": str(old.ca), **more}, context={"folder": tmp_path}
        )
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=serving(old))
        async with server:
            _, writer = await chosen(table)[0].connect("127.0.0.1", server.sockets[0].getsockname()[1], tls=True)
            writer.close()

    judged(main(), DeliveryError, more)


@pytest.mark.parametrize("more", LAX)
def test_a_camera(old: Authority, tmp_path: Path, more: dict[str, bool]) -> None:
    with Camera(context=serving(old)) as camera:
        table = CameraTable.model_validate(
            {"url": camera.url, "ca_file": str(old.ca), **more}, context={"folder": tmp_path}
        )

        async def main() -> None:
            assert await _fetcher(table).fetch() == JPEG

        judged(main(), CameraError, more)


@pytest.mark.parametrize("more", LAX)
def test_a_mail_server(old: Authority, tmp_path: Path, more: dict[str, bool]) -> None:
    """From the configuration of a real doord to the server."""
    lax = "".join(f"{key} = {str(value).lower()}\n" for key, value in more.items())
    alert = '[alert.forced]\ntypes = ["lock.forced_open"]\nemail = ["guard@example.org"]\n'
    server = '[smtp]\nhost = "127.0.0.1"\nport = {port}\nsender = "doors@example.org"\nca_file = "{ca}"\n'
    config = write_config(tmp_path)

    def force(port: int, held: Box) -> None:
        config.write_text(config.read_text() + server.format(port=port, ca=old.ca) + lax + alert)
        with Doord(config) as doord:
            until(lambda: doord.ask("status")["doors"]["front"]["contact"] == "closed")
            doord.sim("front", "open")
            errors = lambda: doord.ask("alerts")["last_errors"].get("email", "")  # noqa: E731
            until(lambda: held.got or errors())
            assert bool(held.got) is bool(more)
            assert more or re.search(REFUSED, errors())

    async def main() -> None:
        async with box(serving(old)) as held:
            await asyncio.to_thread(force, held.port, held)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of the test server, which was hung up on in its handshake
        asyncio.run(main())


def judged(attempt: Any, error: type[Exception], more: dict[str, bool]) -> None:
    """It succeeds exactly when the setting lets it."""
    if more:
        asyncio.run(attempt)
    else:
        with pytest.raises(error, match=REFUSED):
            asyncio.run(attempt)
