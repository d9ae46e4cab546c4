"""Paho's client, in fewer and larger steps: reads ahead, takes in acknowledgements and messages itself, sends together.

One rule: it uses what paho does not promise only where all of it is there, and leaves to paho whatever
is not exactly what it knows; so another paho may be slower, and is right all the same.
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
"""The broker is told to keep larger packets to itself; the largest command has 64 KiB. One that sends them loses us."""
SHORT_ACK: Final = b"\x40\x02"
"""MQTT 5, 3.4.2.1: a PUBACK whose reason is Success may leave the reason out; then two bytes follow, the number."""
SHORT_ACK_BYTES: Final = 4
DISCONNECT: Final = 0xE0
NEEDED: Final = (
    *("_packet_read", "_in_packet", "_out_messages", "_inflight_messages", "_last_bytes_received"),
    "_handle_publish",
)
"""What of paho taking in acknowledgements and messages needs."""


class Client(paho.Client):
    """Belongs to one thread once it is connected; the window, and so what waits here to be sent, is its owner's."""

    def __init__(self, client_id: str) -> None:
        """Speaks MQTT 5, and connects once."""
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, reconnect_on_failure=False)
        self.manual_ack_set(True)
        self.suppress_exceptions = True  # an exception in a callback would end the link for ever
        self.max_inflight_messages_set(0)  # the window is not paho's
        self.answers: list[tuple[int, int]] = []
        """Numbers of messages and reason codes, in the order in which they came; its owner takes them out."""
        self.messages: list[Publish] = []
        """What came, in order; its owner takes them out, and calls `ack` for each."""
        self.why: str | None = None
        """What the broker did that it must not."""
        self.packets_left = self.bytes_left = 0
        """Of this turn: packets that answer nothing of ours, and bytes to ask the kernel for."""
        self.ahead = b""
        """Was read and not looked at."""
        self.behind = bytearray()
        """Paho takes it for sent; `flush` sends it. At most a window of messages."""
        self._knows_paho = all(hasattr(self, name) for name in NEEDED) and hasattr(paho, "time_func")

    # --- reading ---------------------------------------------------------------------------------------

    def read(self, packets: int, size: int) -> MQTTErrorCode:
        """Take in what is there: at most so many packets that answer nothing of ours, and bytes of the kernel's."""
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
        """Something was read that the socket will not report again."""
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
        """Paho asks the kernel for one byte, one byte and two bytes for each acknowledgement, and for whole packets."""
        if bufsize > MAX_PACKET_BYTES:
            self.why = f"a packet of {bufsize} bytes, where {MAX_PACKET_BYTES} were allowed"
            raise OSError(self.why)
        self.ahead = self.ahead or self._receive()
        data, self.ahead = self.ahead[:bufsize], self.ahead[bufsize:]
        return data

    def _packet_read(self) -> MQTTErrorCode:
        """Paho makes three objects of every acknowledgement: a quarter of what a stored record costs on its way out."""
        if not self._knows_paho:
            return super()._packet_read()
        if not self._in_packet["command"]:
            try:
                self.ahead = self.ahead or self._receive()
            except BlockingIOError:
                return MQTTErrorCode.MQTT_ERR_AGAIN
            except OSError:
                pass  # paho meets it again, and says so
            else:
                if (self._take_short_acks() and not self.ahead) or self.packets_left <= 0:
                    return MQTTErrorCode.MQTT_ERR_AGAIN
        ours = len(self._out_messages)
        result = super()._packet_read()
        if result != MQTTErrorCode.MQTT_ERR_AGAIN and len(self._out_messages) == ours:
            self.packets_left -= 1
        return result

    def _handle_publish(self) -> MQTTErrorCode:
        """Paho's own way costs five times as much, and more the more a sender puts in."""
        if not self._knows_paho:
            return super()._handle_publish()
        try:
            self.messages.append(decode(self._in_packet["command"], self._in_packet["packet"]))
        except ValueError as error:
            self.why = str(error)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _take_short_acks(self) -> bool:
        """Those at the beginning, up to the first that is torn, has a reason, or answers nothing of ours."""
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
        """One call of the kernel for each message would cost more than the message. Paho gives whole packets."""
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
    """Closed when its handshake fails, where paho only forgets it."""

    def do_handshake(self, block: bool = False) -> None:
        """Raises OSError."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class Packed(Properties):
    """Properties that are put into bytes once, however often they are sent; not changed after that."""

    _bytes: bytes | None = None

    def pack(self) -> bytes:
        """The bytes, property length first."""
        if self._bytes is None:
            object.__setattr__(self, "_bytes", super().pack())  # type: ignore[no-untyped-call]  # paho has no types here
        return self._bytes or b""
