"""What we and a broker tell each other before anything else: our terms in CONNECT, its in CONNACK, and who it is.

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
"""How long the broker keeps commands for us; each is judged by its own expiry when it comes."""
MOST_UNANSWERED: Final = 20
"""Commands that the broker may send before the first of them is on the disk."""


def ours() -> Properties:
    """The properties of our CONNECT."""
    session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
    session.SessionExpiryInterval = SESSION_S
    session.MaximumPacketSize = MAX_PACKET_BYTES
    session.ReceiveMaximum = MOST_UNANSWERED
    return session


def theirs(properties: Properties | None) -> Connected:
    """What the broker's CONNACK allows; what it does not say is as MQTT 5, 3.2.2.3 has it."""
    return Connected(
        max(1, getattr(properties, "ReceiveMaximum", RECEIVE_MAXIMUM)),
        max(1, getattr(properties, "MaximumPacketSize", MAX_PACKET)),
        getattr(properties, "MaximumQoS", 1),
        bool(getattr(properties, "RetainAvailable", 1)),
    )


def tls(settings: MqttTable) -> ssl.SSLContext:
    """The broker must prove its name; we prove ours where there is a certificate."""
    context = believing(settings.ca_file, strict=settings.tls_strict, system=False)
    context.sslsocket_class = ClosingSocket
    if settings.cert_file is not None:
        with naming(settings.cert_file, settings.key_file):
            context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def password(settings: MqttTable) -> str | None:
    """Read anew at each connection."""
    if settings.password_file is None:
        return None
    return secret_in(settings.password_file)
