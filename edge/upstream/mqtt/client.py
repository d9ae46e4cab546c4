"""Paho's client made quicker: it reads ahead, parses acknowledgements and messages itself, and sends in batches.

One rule: it uses paho's private names only where all of them exist, and leaves every other packet
to paho. So with another version of paho it may be slower, but stays correct.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties

from edge.upstream.mqtt.publish import Publish, decode

READ_BYTES: Final = 4_096
MAX_PACKET_BYTES: Final = 256 * 1024
"""The maximum packet size that we announce; the largest command has 64 KiB. A larger packet ends the connection."""
SHORT_ACK: Final = b"\x40\x02"
"""The first two of four bytes of a PUBACK without reason code, which means Success (MQTT 5, 3.4.2.1)."""
SHORT_ACK_BYTES: Final = 4
DISCONNECT: Final = 0xE0
NEEDED: Final = (
    *("_packet_read", "_in_packet", "_out_messages", "_inflight_messages", "_last_bytes_received"),
    "_handle_publish",
)
"""Private names of paho that parsing acknowledgements and messages needs."""


class PahoClient(paho.Client):
    """Belongs to one thread once it is connected. Its owner bounds how many messages wait in it."""

    def __init__(self, client_id: str) -> None:
        """Speaks MQTT 5, and connects once."""
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, reconnect_on_failure=False)
        self.manual_ack_set(True)
        self.suppress_exceptions = True  # an exception in a callback would end the link for ever
        self.max_inflight_messages_set(0)  # no limit: the owner keeps the window
        self.answers: list[tuple[int, int]] = []
        """(packet identifier, reason code) of acknowledgements, in order of arrival; the owner takes them out."""
        self.messages: list[Publish] = []
        """Messages that arrived, in order; the owner takes them out, and calls `ack` for each."""
        self.why: str | None = None
        """How the broker violated the protocol."""
        self.packets_left = self.bytes_left = 0
        """What may still be read in this turn: packets that are no acknowledgements, and bytes from the kernel."""
        self.ahead = b""
        """Bytes that were read and not parsed yet."""
        self.behind = bytearray()
        """Bytes that paho takes for sent; `flush` sends them. At most a window of messages."""
        self._knows_paho = all(hasattr(self, name) for name in NEEDED) and hasattr(paho, "time_func")

    # --- reading ---------------------------------------------------------------------------------------

    def read(self, packets: int, size: int) -> MQTTErrorCode:
        """Read what has arrived: at most so many packets that are no acknowledgements, and so many bytes."""
        self.packets_left, self.bytes_left = packets, size
        result = self.loop_read()
        while result == MQTTErrorCode.MQTT_ERR_SUCCESS and self.packets_left > 0 and (self.ahead or self._guarded()):
            before = len(self.ahead), self.bytes_left
            result = self.loop_read()
            if before == (len(self.ahead), self.bytes_left):
                break
        return result

    @property
    def more(self) -> bool:
        """Whether bytes wait here or in the TLS layer, which the socket does not report as readable."""
        return bool(self.ahead) or self._guarded()

    def _guarded(self) -> bool:
        sock = self.socket()
        return isinstance(sock, ssl.SSLSocket) and bool(sock.pending())

    def _receive(self) -> bytes:
        if self.bytes_left <= 0:
            raise BlockingIOError
        data = super()._sock_recv(min(READ_BYTES, self.bytes_left))
        self.bytes_left -= len(data)
        return data

    def _sock_recv(self, bufsize: int) -> bytes:
        """Serve paho's small reads (1, 1 and 2 bytes for each acknowledgement) from one large read."""
        if bufsize > MAX_PACKET_BYTES:
            self.why = f"a packet of {bufsize} bytes, where {MAX_PACKET_BYTES} were allowed"
            raise OSError(self.why)
        self.ahead = self.ahead or self._receive()
        data, self.ahead = self.ahead[:bufsize], self.ahead[bufsize:]
        return data

    def _packet_read(self) -> MQTTErrorCode:
        """Parse acknowledgements here: paho's three objects for each are a quarter of the cost of sending a record."""
        if not self._knows_paho:
            return super()._packet_read()
        if not self._in_packet["command"]:
            try:
                self.ahead = self.ahead or self._receive()
            except BlockingIOError:
                return MQTTErrorCode.MQTT_ERR_AGAIN
            except OSError:
                pass  # paho meets the same error and reports it
            else:
                if (self._take_short_acks() and not self.ahead) or self.packets_left <= 0:
                    return MQTTErrorCode.MQTT_ERR_AGAIN
        ours = len(self._out_messages)
        result = super()._packet_read()
        if result != MQTTErrorCode.MQTT_ERR_AGAIN and len(self._out_messages) == ours:
            self.packets_left -= 1
        return result

    def _handle_publish(self) -> MQTTErrorCode:
        """Parse a PUBLISH here: paho takes five times as long, and longer with every property of the sender."""
        if not self._knows_paho:
            return super()._handle_publish()
        try:
            self.messages.append(decode(self._in_packet["command"], self._in_packet["packet"]))
        except ValueError as error:
            self.why = str(error)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _take_short_acks(self) -> bool:
        """Take acknowledgements from the start of `ahead`, up to one that is incomplete, unknown or has a reason."""
        ahead, at = self.ahead, 0
        while ahead.startswith(SHORT_ACK, at) and len(ahead) >= at + SHORT_ACK_BYTES:
            mid = ahead[at + 2] << 8 | ahead[at + 3]
            if self._out_messages.pop(mid, None) is None:
                break
            self._inflight_messages -= 1
            self.answers.append((mid, 0))
            at += SHORT_ACK_BYTES
        if at:
            self.ahead = ahead[at:]
            self._last_bytes_received = paho.time_func()
        return at > 0

    # --- sending ---------------------------------------------------------------------------------------

    def _sock_send(self, buf: bytes | bytearray) -> int:
        """Collect whole packets for `flush`: a system call for each would cost more than the message itself."""
        if buf[0] == DISCONNECT:  # paho closes the socket at once after this one
            if self.flush() != MQTTErrorCode.MQTT_ERR_SUCCESS or self.behind:
                raise BlockingIOError
            return super()._sock_send(buf)
        self.behind += buf
        return len(buf)

    def flush(self) -> MQTTErrorCode:
        """Send what the kernel takes now; the rest stays in `behind`."""
        sock: Any = self.socket()
        while self.behind and sock is not None:
            try:
                sent = sock.send(self.behind)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError:
                return MQTTErrorCode.MQTT_ERR_CONN_LOST
            del self.behind[:sent]
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class ClosingSocket(ssl.SSLSocket):
    """A TLS socket that is closed when its handshake fails; paho only drops it."""

    def do_handshake(self, block: bool = False) -> None:
        """Raises OSError."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class PackedProperties(Properties):
    """Properties that are encoded once, however often they are sent; they must not change after that."""

    _bytes: bytes | None = None

    def pack(self) -> bytes:
        """The bytes, property length first."""
        if self._bytes is None:
            object.__setattr__(self, "_bytes", super().pack())  # type: ignore[no-untyped-call]  # paho has no types here
        return self._bytes or b""
