"""Every TLS client refuses an authority without a key usage, on every Python, unless a setting lets it pass.

The mail server's turn is in test_alert_mail.py.
"""

from __future__ import annotations

import asyncio
import ssl
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
from tests.support.broker import Broker
from tests.support.cameras import JPEG, Camera
from tests.support.certificates import Authority

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


def judged(attempt: Any, error: type[Exception], more: dict[str, bool]) -> None:
    """It succeeds exactly when the setting lets it."""
    if more:
        asyncio.run(attempt)
    else:
        with pytest.raises(error, match=REFUSED):
            asyncio.run(attempt)
