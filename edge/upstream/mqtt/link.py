"""One connection to one broker over paho, driven by the asyncio loop.

One rule: a link is used for one connection. After it is lost a new one is made, so paho holds no
state from before and is given nothing while there is no connection.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.model.ports import Connected, LinkError
from edge.system.background import in_background
from edge.system.tls import why_refused
from edge.upstream.mqtt.client import PackedProperties, PahoClient
from edge.upstream.mqtt.intake import Intake
from edge.upstream.mqtt.publish import Publish
from edge.upstream.mqtt.terms import ours, password, theirs, tls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paho.mqtt.client import DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from edge.model.ports import Will
    from edge.settings.tables import MqttTable
    from edge.upstream.mqtt.intake import LinkListener

CONNECT_S: Final = 15.0
"""DNS, TCP, TLS and CONNACK together."""
HOUSEKEEPING_S: Final = 2.0


class MqttLink:
    """`edge.model.ports.Link` over paho, MQTT 5."""

    def __init__(self, settings: MqttTable, client_id: str, hearer: LinkListener) -> None:
        """Nothing is sent before `connect`, which also reads the secrets."""
        self._settings = settings
        self._hearer = hearer
        self._loop = asyncio.get_running_loop()
        self._client = PahoClient(client_id)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_socket_register_write = self._want_write
        self._connack: asyncio.Future[Connected] = self._loop.create_future()
        self._client.on_socket_close = self._closing
        self._intake = Intake(self._client, self._loop, hearer, self._check, self._lose)
        self._terms = Connected()
        self._looking: int | None = None
        """The packet identifier of the subscription that may be refused."""
        self._fd: int | None = None
        self._ended = False
        self._last_words: str | None = None
        """The reason that the broker gave when it ended the connection."""
        self._housekeeper: asyncio.TimerHandle | None = None
        self._writing = self._waiting = False
        """`_writing`: a call of `_write` is due. `_waiting`: it comes when the kernel takes more."""
        self._properties: dict[str, Properties] = {}

    async def connect(self, will: Will) -> Connected:
        """Connect and wait for the CONNACK. Raises LinkError with a reason for people."""
        try:
            async with asyncio.timeout(CONNECT_S):
                # DNS, TCP and TLS block; CONNECT and all else are sent by the loop
                await in_background(lambda: self._open(will), "mqtt-connect")
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
        """Subscribe to these topics with QoS 1; retained messages keep their flag."""
        options = SubscribeOptions(qos=1, retainAsPublished=True)  # needed to refuse retained commands
        self._client.subscribe([(topic, options) for topic in topics])

    def look(self, topic: str) -> None:
        """Subscribe to a topic for its retained message; a refusal is no fault."""
        _, self._looking = self._client.subscribe([(topic, SubscribeOptions(qos=1, retainAsPublished=True))])

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        content_type: str | None = None,
        correlation: bytes | None = None,
    ) -> int:
        """Send one message; returns the packet identifier that `acknowledged` gets later. LinkError when lost.

        Retaining and QoS 1 are used where the broker supports them; with QoS 0 it is acknowledged once it is sent.
        """
        retain &= self._terms.retains
        properties = self._message_properties(content_type, correlation)
        info = self._client.publish(topic, payload, min(1, self._terms.maximum_qos), retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkError(paho.error_string(info.rc))
        return info.mid

    def close(self) -> None:
        """Disconnect, so that no will is sent. Messages without acknowledgement may not have arrived."""
        if self._fd is not None:
            self._client.loop_write()
            self._client.disconnect()
            self._client.loop_write()  # if the kernel takes no more, the will is sent instead
        self.abandon()

    def abandon(self) -> None:
        """Close without DISCONNECT, so that the broker sends our will: the link is dead or silent."""
        self._ended = True
        self._detach()
        self._close_socket()

    def _close_socket(self) -> None:
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    # --- connecting, in a thread of its own -----------------------------------------------------------

    def _open(self, will: Will) -> None:
        settings, client = self._settings, self._client
        if settings.tls:
            client.tls_set_context(tls(settings))
        if settings.username is not None:
            client.username_pw_set(settings.username, password(settings))
        client.will_set(will.topic, will.payload, qos=will.qos, retain=will.retain)
        client.connect_timeout = CONNECT_S / 2
        client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=False, properties=ours())
        if self._ended:  # the attempt was given up meanwhile
            self._close_socket()

    # --- the socket, on the loop ----------------------------------------------------------------------

    def _attach(self) -> None:
        sock: Any = self._client.socket()  # paho's type for it lacks methods
        if sock is None:
            raise OSError("the connection was closed at once")
        self._fd = sock.fileno()
        self._intake.start(sock)
        if self._client.want_write():
            self._want_write()
        self._keep_house()

    def _detach(self) -> None:
        if self._housekeeper is not None:
            self._housekeeper.cancel()
        self._intake.stop()
        if self._fd is not None:
            self._loop.remove_writer(self._fd)
            self._fd = None

    def _closing(self, *_paho: object) -> None:
        """Paho closes the socket itself: stop watching its file descriptor before that is used again."""
        self._intake.stop()
        if self._fd is not None:
            self._loop.remove_writer(self._fd)

    def _want_write(self, *_paho: object) -> None:
        """Paho has a message to send: it leaves in the loop's next turn, with all that follows until then."""
        if self._fd is not None and not self._writing:
            self._writing = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        if self._fd is None or self._client.socket() is None:
            return
        self._check(self._client.loop_write() or self._client.flush())
        self._intake.tell()
        if self._fd is None:
            return
        left = bool(self._client.behind) or self._client.want_write()
        if left and not self._waiting:
            self._loop.add_writer(self._fd, self._write)
        elif self._waiting and not left:
            self._loop.remove_writer(self._fd)
        self._writing = self._waiting = left

    def _keep_house(self) -> None:
        """Let paho send pings and notice a missing answer."""
        self._housekeeper = self._loop.call_later(HOUSEKEEPING_S, self._keep_house)
        self._check(self._client.loop_misc())

    def _check(self, result: MQTTErrorCode) -> None:
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS and self._fd is not None:
            self._lose(paho.error_string(result))

    def _lose(self, reason: str) -> None:
        broken = None if self._client.why is None else f"the broker sent {self._client.why}"
        reason = self._last_words or broken or reason
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
            why = f"the broker refused us: {reason}"
            self._connack.set_exception(LinkError(why, refused=True, code=reason.value))
            return
        self._terms = theirs(properties)
        self._connack.set_result(self._terms)

    def _on_disconnect(
        self, _client: object, _data: object, flags: DisconnectFlags, reason: ReasonCode, _properties: object
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._last_words = f"the broker ended the connection: {reason}"
        self._loop.call_soon(self._check, MQTTErrorCode.MQTT_ERR_CONN_LOST)

    def _on_subscribe(
        self, _client: object, _data: object, mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        if mid == self._looking:
            return
        self._loop.call_soon(self._hearer.subscribed, max(reason.value for reason in reasons))

    def _on_publish(
        self, _client: object, _data: object, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._client.answers.append((mid, reason.value))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        """Called only with a version of paho in which `PahoClient` does not parse messages itself."""
        properties = message.properties
        self._client.messages.append(
            Publish(
                message.topic,
                bytes(message.payload),
                message.qos,
                message.mid,
                message.retain,
                getattr(properties, "ResponseTopic", None),
                getattr(properties, "CorrelationData", None),
            )
        )

    def _message_properties(self, content_type: str | None, correlation: bytes | None) -> Properties | None:
        if content_type is None and correlation is None:
            return None
        if content_type is not None and correlation is None and content_type in self._properties:
            return self._properties[content_type]
        properties = PackedProperties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
        if content_type is not None:
            properties.ContentType = content_type
        if correlation is not None:
            properties.CorrelationData = correlation
        elif content_type is not None:
            self._properties[content_type] = properties
        return properties
