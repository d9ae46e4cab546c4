"""The brokers of config/: a real mosquitto takes each file, and the access lists hold both ways."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.doord import Doord
from tests.support.house import write_config
from tests.support.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paho.mqtt.reasoncodes import ReasonCode

CONFIG = Path(__file__).parents[1] / "config"
BASE = "doorward/v1/lab/test"
WITHIN_S = 120.0
ALLOWED, NOBODY, DENIED = 0x00, 0x10, 0x87
OURS = ["events", "alarms", "alerts", "doors/front/state", "status", "replies", "replies/desk-1"]


class Guarded:
    """mosquitto with config/mosquitto-tls.conf: only the port and the folders are other ones."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "certificates")
        server, key = self.authority.issue("broker", address="127.0.0.1")
        text = (CONFIG / "mosquitto-tls.conf").read_text()
        for installed, here in (
            ("listener 8883\n", ""),
            ("/etc/mosquitto/ca_certificates/doorward-ca.pem", self.authority.ca),
            ("/etc/mosquitto/certs/broker.pem", server),
            ("/etc/mosquitto/certs/broker.key", key),
            ("/etc/mosquitto/mosquitto.acl", CONFIG / "mosquitto.acl"),
        ):
            assert installed in text
            text = text.replace(installed, str(here))
        self.broker = Broker(folder / "broker", f"{text}persistence_location {folder}/broker/\n")

    def context(self, name: str | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority.ca)
        if name is not None:
            context.load_cert_chain(*self.authority.issue(name))
        return context

    def upstream(self, *, ca: Path | None = None, name: str | None = "test") -> str:
        lines = [f'url = "mqtts://127.0.0.1:{self.broker.port}"', f'ca_file = "{ca or self.authority.ca}"']
        if name is not None:
            certificate, key = self.authority.issue(name)
            lines += [f'cert_file = "{certificate}"', f'key_file = "{key}"']
        return "\n".join(["\n[mqtt]", *lines, ""])


class Client:
    """One MQTT client that knows what became of what it published."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._codes: dict[int, int] = {}
        self._news = threading.Condition()
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if context is not None:
            self._client.tls_set_context(context)
        self._client.on_publish = self._published
        self._client.on_message = self._came
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def hears(self, topic: str) -> Self:
        self._client.subscribe(topic, 1)
        assert self._subscribed.wait(WITHIN_S)
        return self

    def says(self, topic: str) -> int:
        """The reason code of the broker's answer."""
        mid = self._client.publish(topic, topic, 1).mid
        self.until(lambda: mid in self._codes)
        return self._codes[mid]

    def until(self, true: Any) -> None:
        with self._news:
            assert self._news.wait_for(true, WITHIN_S)

    def _published(self, _client: Any, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        with self._news:
            self._codes[mid] = reason.value
            self._news.notify_all()

    def _came(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._news:
            self.heard.append((message.topic, message.payload))
            self._news.notify_all()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    found = Guarded(tmp_path)
    with found.broker:
        yield found


def test_a_controller_writes_only_what_it_says_and_an_upstream_only_what_it_asks(guarded: Guarded) -> None:
    port = guarded.broker.port
    with (
        Client(port, guarded.context("test")) as controller,
        Client(port, guarded.context("upstream")) as upstream,
        Client(port, guarded.context("other")) as other,
    ):
        upstream.hears("doorward/v1/#")
        controller.hears("doorward/v1/#")
        other.hears("doorward/v1/#")
        assert {controller.says(f"{BASE}/{name}") for name in OURS} == {ALLOWED}
        for name in ("commands", "ack", "doors/front", "anything"):
            assert controller.says(f"{BASE}/{name}") == DENIED
        for name in (*OURS, "commands", "ack"):
            assert other.says(f"{BASE}/{name}") == DENIED
        assert {upstream.says(f"{BASE}/{name}") for name in ("commands", "ack")} == {ALLOWED}
        assert {upstream.says(f"{BASE}/{name}") for name in OURS} == {DENIED}
        upstream.until(lambda: len(upstream.heard) == len(OURS) + 2)
        controller.until(lambda: len(controller.heard) == 2)
        assert [topic for topic, _ in controller.heard] == [f"{BASE}/commands", f"{BASE}/ack"]
        assert other.heard == []


def test_home_assistant_commands_and_is_told_by_each_controller_of_itself(guarded: Guarded) -> None:
    port, told = guarded.broker.port, "homeassistant/device/test/doorward_lab_front/config"
    with (
        Client(port, guarded.context("test")) as controller,
        Client(port, guarded.context("home-assistant")) as home,
        Client(port, guarded.context("other")) as other,
    ):
        home.hears("#")
        controller.hears("homeassistant/#")
        other.hears("homeassistant/#")
        assert (controller.says(told), other.says(told)) == (ALLOWED, DENIED)
        assert controller.says("homeassistant/status") == DENIED
        assert controller.says("homeassistant/lock/test/front/config") == DENIED
        assert controller.says(f"{BASE}/status") == ALLOWED
        assert home.says(f"{BASE}/commands") in {ALLOWED, NOBODY}
        assert {home.says(f"{BASE}/{name}") for name in (*OURS, "ack")} == {DENIED}
        assert home.says("homeassistant/status") == ALLOWED
        home.until(lambda: len(home.heard) == 4)
        controller.until(lambda: len(controller.heard) == 2)
        other.until(lambda: other.heard)
        assert [topic for topic, _ in controller.heard] == [told, "homeassistant/status"]
        assert [topic for topic, _ in other.heard] == ["homeassistant/status"]


@pytest.mark.parametrize("name", [None, "stranger"])
def test_who_has_no_certificate_of_this_authority_is_not_let_in(guarded: Guarded, tmp_path: Path, name: str) -> None:
    context = guarded.context(None)
    if name is not None:
        context.load_cert_chain(*Authority(tmp_path / "elsewhere", "Somebody else").issue(name))
    with (
        socket.create_connection(("127.0.0.1", guarded.broker.port), WITHIN_S) as wire,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        _first_byte(context, wire)


def _first_byte(context: ssl.SSLContext, wire: socket.socket) -> bytes:
    """TLS 1.3 tells a client that it is refused only when it reads."""
    with context.wrap_socket(wire, server_hostname="127.0.0.1") as talk:
        return talk.recv(1)


def test_the_daemon_delivers_through_tls_with_its_certificate(guarded: Guarded, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text() + guarded.upstream())
    with (
        Client(guarded.broker.port, guarded.context("upstream")) as upstream,
        Doord(config) as doord,
    ):
        upstream.hears("doorward/v1/#")
        doord.sim("front", "open")
        upstream.until(lambda: any(topic.endswith("/alarms") for topic, _ in upstream.heard))
        upstream.until(lambda: any(b"lock.forced_open" in told for topic, told in upstream.heard if "events" in topic))
        upstream.until(lambda: any(topic.endswith("doors/front/state") for topic, _ in upstream.heard))
        assert doord.ask("status")["upstream"]["state"] == "online"


def _last_error(doord: Doord) -> str:
    """Why it is offline; the first attempt has ended."""
    while True:
        upstream = doord.ask("status")["upstream"]
        if upstream["last_error"]:
            assert upstream["state"] == "offline"
            return str(upstream["last_error"])


def test_a_broker_of_another_authority_is_not_believed(guarded: Guarded, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text() + guarded.upstream(ca=Authority(tmp_path / "elsewhere").ca))
    with Doord(config) as doord:
        assert "certificate verify failed" in _last_error(doord)


def test_without_a_client_certificate_the_broker_ends_the_talk(guarded: Guarded, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text() + guarded.upstream(name=None))
    with Doord(config) as doord:
        assert _last_error(doord)
        assert doord.ask("status")["upstream"]["cursor"] == 0


def test_the_files_fit_into_debians_main_file(tmp_path: Path) -> None:
    """conf.d is read after pid_file, persistence and persistence_location of /etc/mosquitto/mosquitto.conf."""
    found = Guarded(tmp_path)
    own = found.broker.config.read_text().replace(f"persistence_location {tmp_path}/broker/\n", "")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "doorward.conf").write_text(own)
    main = f"persistence true\npersistence_location {tmp_path}/broker/\ninclude_dir {tmp_path}/conf.d\n"
    found.broker.config.write_text(main)
    with found.broker, Client(found.broker.port, found.context("test")) as controller:
        assert controller.says(f"{BASE}/status") in {ALLOWED, NOBODY}


def test_the_development_broker_takes_everybody_from_this_computer(tmp_path: Path) -> None:
    text = (CONFIG / "mosquitto-development.conf").read_text()
    assert "listener 1883 127.0.0.1\n" in text
    config = write_config(tmp_path)
    with Broker(tmp_path / "broker", text.replace("listener 1883 127.0.0.1\n", "")) as broker:
        config.write_text(config.read_text() + f'\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n')
        with Subscriber(broker.port, BASE) as subscriber, Doord(config):
            subscriber.wait(lambda: "controller.start" in subscriber.types(), "the first record")
