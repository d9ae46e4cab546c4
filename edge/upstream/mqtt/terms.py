"""What both sides announce at the start: our limits in CONNECT, the broker's in CONNACK, and TLS and the password.

One rule: what is announced is obeyed, by both sides (edge/upstream/mqtt/link.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.model.ports import MAX_PACKET, RECEIVE_MAXIMUM, Connected
from edge.system.secret_files import naming, secret_in
from edge.system.tls import believing
from edge.upstream.mqtt.client import MAX_PACKET_BYTES, ClosingSocket

if TYPE_CHECKING:
    import ssl

    from edge.settings.tables import MqttTable

SESSION_S: Final = 86_400
"""How long the broker keeps commands for us; each command's own expiry decides when it arrives."""
MOST_UNANSWERED: Final = 20
"""Our receive maximum: messages that the broker may send before the first of them is acknowledged."""


def ours() -> Properties:
    """The properties of our CONNECT."""
    session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
    session.SessionExpiryInterval = SESSION_S
    session.MaximumPacketSize = MAX_PACKET_BYTES
    session.ReceiveMaximum = MOST_UNANSWERED
    return session


def theirs(properties: Properties | None) -> Connected:
    """The limits in the broker's CONNACK, with the defaults of MQTT 5, 3.2.2.3."""
    return Connected(
        max(1, getattr(properties, "ReceiveMaximum", RECEIVE_MAXIMUM)),
        max(1, getattr(properties, "MaximumPacketSize", MAX_PACKET)),
        getattr(properties, "MaximumQoS", 1),
        bool(getattr(properties, "RetainAvailable", 1)),
    )


def tls(settings: MqttTable) -> ssl.SSLContext:
    """The TLS context: the broker's certificate is verified, and ours is sent where there is one."""
    context = believing(settings.ca_file, strict=settings.tls_strict, system=False)
    context.sslsocket_class = ClosingSocket
    if settings.cert_file is not None:
        with naming(settings.cert_file, settings.key_file):
            context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def password(settings: MqttTable) -> str | None:
    """The password, read anew for each connection; None: none configured. OSError and ValueError of `secret_in`."""
    if settings.password_file is None:
        return None
    return secret_in(settings.password_file)
