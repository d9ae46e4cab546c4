"""One connection to one broker over paho, driven by the asyncio loop.

One rule: a link lives once. It connects, carries messages, is lost, and a new one is made; so
nothing is ever left in paho from before, and paho is given nothing while there is no connection.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final, Protocol

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.aside import aside
from edge.mqtt_client import Client, ClosingSocket, Packed
from edge.ports import Connected, Incoming, LinkError
from edge.secret_files import naming, secret_in
from edge.trust import believing, why_refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paho.mqtt.client import DisconnectFlags
    from paho.mqtt.reasoncodes import ReasonCode

    from edge.tables import Mqtt

CONNECT_S: Final = 15.0
"""DNS, TCP, TLS and CONNACK together."""
SESSION_S: Final = 86_400
"""How long the broker keeps commands for us; each is judged by its own expiry when it comes."""
HOUSEKEEPING_S: Final = 2.0
MAX_PACKET_BYTES: Final = 256 * 1024
"""The broker keeps larger messages to itself; the largest command has 64 KiB."""
RECEIVE_MAXIMUM: Final = 65_535
"""MQTT 5, 3.2.2.3.3: what a broker that says nothing allows."""


class Hearer(Protocol):
    """Who hears of a link; always called on the loop, never from inside paho."""

    def acknowledged(self, answers: Sequence[tuple[int, int]]) -> None:
        """Some of our messages were answered: their numbers and the reason codes."""

    def subscribed(self, code: int) -> None:
        """Our subscriptions were answered; the worst of the reason codes."""

    def incoming(self, incoming: Incoming) -> None:
        """A message came."""

    def lost(self, reason: str) -> None:
        """The link is gone."""


class MqttLink:
    """`edge.ports.Link` over paho, MQTT 5."""

    def __init__(self, settings: Mqtt, client_id: str, hearer: Hearer) -> None:
        """Nothing is sent before `connect`. Secrets are read then, each time."""
        self._settings = settings
        self._hearer = hearer
        self._loop = asyncio.get_running_loop()
        self._client = Client(client_id)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_socket_register_write = self._want_write
        self._connack: asyncio.Future[Connected] = self._loop.create_future()
        self._client.on_socket_close = self._closing
        self._fd: int | None = None
        self._ended = False
        self._last_words: str | None = None
        """Why the broker ended it, if it said so."""
        self._housekeeper: asyncio.TimerHandle | None = None
        self._writing = self._waiting = False
        """`_write` will be called; and that only when the kernel takes more."""
        self._properties: dict[str, Properties] = {}

    async def connect(self, will: tuple[str, bytes]) -> Connected:
        """Connect and wait for the broker's word. Raises LinkError with a reason for people."""
        try:
            async with asyncio.timeout(CONNECT_S):
                # DNS, TCP and TLS block; CONNECT and all else is sent by the loop
                await aside(lambda: self._open(will), "mqtt-connect")
                self._attach()
                return await self._connack
        except TimeoutError:
            raise LinkError(f"{self._settings.url} did not answer in time") from None
        except LinkError:
            raise
        except ssl.SSLCertVerificationError as error:
            raise LinkError(f"{self._settings.url}: {why_refused(error)}") from None
        except (OSError, ValueError) as error:
            raise LinkError(f"{self._settings.url}: {error}") from None

    def subscribe(self, topics: Iterable[str]) -> None:
        """Ask for these topics, QoS 1; retained messages keep their flag."""
        options = SubscribeOptions(qos=1, retainAsPublished=True)  # also while we listen: a retained command is refused
        self._client.subscribe([(topic, options) for topic in topics])

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        content_type: str | None = None,
        correlation: bytes | None = None,
    ) -> int:
        """Hand one QoS 1 message over; its mid comes back with `acknowledged`. Raises LinkError when lost."""
        info = self._client.publish(topic, payload, 1, retain, self._message_properties(content_type, correlation))
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkError(paho.error_string(info.rc))
        return info.mid

    def close(self) -> None:
        """Say goodbye, so that no will is sent, and let go; what the broker has not answered it may not have read."""
        if self._fd is not None:
            self._client.loop_write()
            self._client.disconnect()
            self._client.loop_write()  # where the kernel takes no more, the will says it for us
        self.abandon()

    def abandon(self) -> None:
        """Let go without a word: the link is dead or silent, and the broker shall send our will."""
        self._ended = True
        self._detach()
        self._close_socket()

    def _close_socket(self) -> None:
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    # --- connecting, in a thread of its own -----------------------------------------------------------

    def _open(self, will: tuple[str, bytes]) -> None:
        settings, client = self._settings, self._client
        if settings.tls:
            client.tls_set_context(_tls(settings))
        if settings.username is not None:
            client.username_pw_set(settings.username, _secret(settings))
        client.will_set(will[0], will[1], qos=1, retain=True)
        client.connect_timeout = CONNECT_S / 2
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = SESSION_S
        session.MaximumPacketSize = MAX_PACKET_BYTES
        client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=False, properties=session)
        if self._ended:  # nobody waited that long
            self._close_socket()

    # --- the socket, on the loop ----------------------------------------------------------------------

    def _attach(self) -> None:
        sock = self._client.socket()
        if sock is None:
            raise OSError("the connection was closed at once")
        self._fd = sock.fileno()
        self._loop.add_reader(self._fd, self._read)
        if self._client.want_write():
            self._want_write()
        self._keep_house()

    def _detach(self) -> None:
        if self._housekeeper is not None:
            self._housekeeper.cancel()
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd = None

    def _closing(self, *_paho: object) -> None:
        """Paho closes the socket by itself: its number must not be watched when it is given away again."""
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)

    def _read(self) -> None:
        result = self._client.read()
        if self._client.answers:
            answers, self._client.answers = self._client.answers, []
            self._hearer.acknowledged(answers)
        self._check(result)

    def _want_write(self, *_paho: object) -> None:
        """Paho has a message; whatever else is said until the loop comes round goes with it."""
        if self._fd is not None and not self._writing:
            self._writing = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        if self._fd is None or self._client.socket() is None:
            return
        self._check(self._client.loop_write() or self._client.flush())
        if self._fd is None:
            return
        left = bool(self._client.behind) or self._client.want_write()
        if left and not self._waiting:
            self._loop.add_writer(self._fd, self._write)
        elif self._waiting and not left:
            self._loop.remove_writer(self._fd)
        self._writing = self._waiting = left

    def _keep_house(self) -> None:
        """Pings, and notices when none is answered."""
        self._housekeeper = self._loop.call_later(HOUSEKEEPING_S, self._keep_house)
        self._check(self._client.loop_misc())

    def _check(self, result: MQTTErrorCode) -> None:
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS and self._fd is not None:
            self._lose(paho.error_string(result))

    def _lose(self, reason: str) -> None:
        reason = self._last_words or reason
        self.abandon()
        if not self._connack.done():
            self._connack.set_exception(LinkError(reason))
        else:
            self._hearer.lost(reason)

    # --- paho's callbacks, on the loop but inside paho ----------------------------------------------------

    def _on_connect(
        self, _client: object, _data: object, _flags: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if self._connack.done():
            return
        if reason.is_failure:
            self._connack.set_exception(LinkError(f"the broker refused us: {reason}", refused=True))
            return
        allowed = getattr(properties, "ReceiveMaximum", RECEIVE_MAXIMUM)
        self._connack.set_result(Connected(allowed))

    def _on_disconnect(
        self, _client: object, _data: object, flags: DisconnectFlags, reason: ReasonCode, _properties: object
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._last_words = f"the broker ended the connection: {reason}"
        self._loop.call_soon(self._check, MQTTErrorCode.MQTT_ERR_CONN_LOST)

    def _on_subscribe(
        self, _client: object, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        self._loop.call_soon(self._hearer.subscribed, max(reason.value for reason in reasons))

    def _on_publish(
        self, _client: object, _data: object, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._client.answers.append((mid, reason.value))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        properties = message.properties
        incoming = Incoming(
            message.topic,
            bytes(message.payload),
            message.retain,
            getattr(properties, "ResponseTopic", None),
            getattr(properties, "CorrelationData", None),
        )
        self._loop.call_soon(self._hearer.incoming, incoming)

    def _message_properties(self, content_type: str | None, correlation: bytes | None) -> Properties | None:
        if content_type is None and correlation is None:
            return None
        if content_type is not None and correlation is None and content_type in self._properties:
            return self._properties[content_type]
        made = Packed(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
        if content_type is not None:
            made.ContentType = content_type
        if correlation is not None:
            made.CorrelationData = correlation
        elif content_type is not None:
            self._properties[content_type] = made
        return made


def _tls(settings: Mqtt) -> ssl.SSLContext:
    """The broker must prove its name; we prove ours where there is a certificate."""
    context = believing(settings.ca_file, strict=settings.tls_strict, system=False)
    context.sslsocket_class = ClosingSocket
    if settings.cert_file is not None:
        with naming(settings.cert_file, settings.key_file):
            context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def _secret(settings: Mqtt) -> str | None:
    if settings.password_file is None:
        return None
    return secret_in(settings.password_file)
