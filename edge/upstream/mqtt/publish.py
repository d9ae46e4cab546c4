"""Parses a PUBLISH packet (MQTT 5, 3.3). Paho makes an object of each property; a packet can have 50,000 of them.

One rule: what a broker must never send is an error; properties that a sender may add are skipped at little cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_PROPERTIES: Final = 64
"""Properties that are looked at; further ones are ignored."""
RESPONSE_TOPIC, CORRELATION_DATA, TOPIC_ALIAS, USER_PROPERTY = 0x08, 0x09, 0x23, 0x26
_FIXED: Final = {0x01: 1, 0x02: 4}
"""Property -> its length in bytes: payload format indicator, message expiry interval."""
_TEXT: Final = frozenset({0x03, RESPONSE_TOPIC, CORRELATION_DATA})
"""Properties with a length in two bytes, then the content."""
_SUBSCRIPTION: Final = 0x0B


@dataclass(frozen=True, slots=True)
class Publish:
    """A message that arrived."""

    topic: str
    payload: bytes
    qos: int
    mid: int
    """0 for QoS 0."""
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None


def decode(first: int, body: bytes | bytearray) -> Publish:
    """Parse a packet whose first byte is `first`. ValueError when a broker must not send it."""
    qos = first >> 1 & 3
    if qos > 1:
        raise ValueError("a message of QoS 2, which was not asked for")
    end = 2 + int.from_bytes(body[:2])
    topic = body[2:end].decode()  # UnicodeDecodeError is a ValueError
    mid = 0
    if qos:
        mid = int.from_bytes(body[end : end + 2])
        end += 2
    size, start = _number(body, end)
    at = start + size
    if at > len(body) or not topic or any(c in topic for c in "+#\0") or (qos and not mid):
        raise ValueError("a malformed message")
    response, correlation = _properties(body, start, at)
    return Publish(topic, bytes(body[at:]), qos, mid, bool(first & 1), response, correlation)


def _properties(body: bytes | bytearray, at: int, end: int) -> tuple[str | None, bytes | None]:
    """The response topic (None also when it is not UTF-8) and the correlation data."""
    response: str | None = None
    correlation: bytes | None = None
    for _ in range(MOST_PROPERTIES):
        if at >= end:
            break
        kind, at = body[at], at + 1
        if kind in _TEXT:
            size = int.from_bytes(body[at : at + 2])
            value, at = bytes(body[at + 2 : min(at + 2 + size, end)]), at + 2 + size
            if kind == RESPONSE_TOPIC:
                response = _text(value)
            elif kind == CORRELATION_DATA:
                correlation = value
        else:
            at = _behind(body, kind, at)
        if at > end:
            raise ValueError("a malformed message")
    return response, correlation


def _behind(body: bytes | bytearray, kind: int, at: int) -> int:
    """The offset behind a property that is of no interest. ValueError for one that has no place in a message."""
    if kind in _FIXED:
        return at + _FIXED[kind]
    if kind == USER_PROPERTY:  # a name and a value
        at += 2 + int.from_bytes(body[at : at + 2])
        return at + 2 + int.from_bytes(body[at : at + 2])
    if kind == _SUBSCRIPTION:
        return _number(body, at)[1]
    raise ValueError(f"a message with the property 0x{kind:02x}")  # also a topic alias: we announced that we take none


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _number(body: bytes | bytearray, at: int) -> tuple[int, int]:
    """A variable byte integer (MQTT 5, 1.5.5), and the offset behind it."""
    value = shift = 0
    for _ in range(4):
        if at >= len(body):
            break
        byte, at = body[at], at + 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
    raise ValueError("a malformed message")
