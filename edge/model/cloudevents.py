"""Writes a record as one CloudEvents JSON object.

One rule: a record has the same `source` and `id` for ever, however often it is sent.
CloudEvents 1.0: https://github.com/cloudevents/spec (JSON format and MQTT binding).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Final

from edge.model.catalogue import CATALOGUE, kind_of, message

if TYPE_CHECKING:
    from edge.model.records import Event, Json, Record

CONTENT_TYPE: Final = "application/cloudevents+json"
TRUNCATED: Final = {"truncated": True}
"""In place of details that are too large for the broker."""
CLIPPED: Final = 40
"""In a record that is too large even without details, texts are cut to this many characters."""
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose records these are: the source and the stream of everything sent."""

    site: str
    controller: str
    epoch: str


def rfc3339(time_us: int) -> str:
    """Microseconds since 1970 UTC as RFC 3339 with six digits."""
    seconds, micros = divmod(time_us, 1_000_000)
    return f"{_second(seconds)}.{micros:06d}Z"


@lru_cache(64)
def _second(seconds: int) -> str:
    """Cached: records that are sent one after the other often happened in the same second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def cloudevent(record: Record, identity: Identity, *, replayed: bool) -> dict[str, Json]:
    """A record as a CloudEvents JSON object (docs/mqtt.md)."""
    event, identity = record.event, _told_as(record, identity)
    kind = kind_of(event.type)
    return {
        "specversion": "1.0",
        "id": record_id(record, identity),
        "source": f"/doorward/{identity.site}/{identity.controller}",
        "type": event.type,
        "subject": "controller" if event.door is None else f"doors/{event.door}",
        "time": rfc3339(record.time_us),
        "datacontenttype": "application/json",
        "sequence": f"{record.sequence:016d}",
        "recordedtime": rfc3339(record.recorded_us),
        "stream": f"{identity.controller}/{identity.epoch}",
        "data": {
            "class": kind.event_class.value,
            "severity": kind.severity.value,
            "success": event.success,
            "code": event.code,
            "message": message(event),
            "actor": _actor(event),
            "cause": event.cause,
            "object": {"type": event.object.type, "id": event.object.id, "name": event.object.name},
            "correlation": event.correlation,
            "clock": record.clock.value,
            "boot": record.boot,
            "uptime_ns": event.at_ns,
            "replayed": replayed,
            "prev": record.prev,
            "hash": record.hash,
            "details": dict(event.details),
        },
    }


def encode_cut(record: Record, identity: Identity, *, replayed: bool, most: int) -> bytes:
    """As `encode`, but without details; if that is above `most` bytes, with texts cut and the actor's name left out."""
    event = replace(record.event, details=TRUNCATED)
    content = encode(replace(record, event=event), identity, replayed=replayed)
    if len(content) <= most:
        return content
    thing, actor = event.object, event.actor
    event = replace(
        event,
        object=replace(thing, id=thing.id[:CLIPPED], name=thing.name[:CLIPPED]),
        actor=None if actor is None else replace(actor, id=actor.id[:CLIPPED], name=None, email=None),
        cause=None if event.cause is None else event.cause[:CLIPPED],
        code=None if event.code is None else event.code[:CLIPPED],
        correlation=event.correlation[:CLIPPED],
    )
    return encode(replace(record, event=event), identity, replayed=replayed)


def encode(record: Record, identity: Identity, *, replayed: bool) -> bytes:
    """The bytes of one message: exactly `to_bytes(cloudevent(...))`, in half the time, for there may be a backlog."""
    identity = _told_as(record, identity)
    event, head, text = record.event, _head(identity), _text
    thing = event.object
    subject = "controller" if event.door is None else f"doors/{event.door}"
    details = _JSON.encode(dict(event.details)) if event.details else "{}"
    actor = "null" if event.actor is None else _JSON.encode(_actor(event))
    return (
        f'{{"specversion":"1.0","id":{text(record_id(record, identity))},{head[0]},"type":{text(event.type)},'
        f'"subject":{text(subject)},"time":"{rfc3339(record.time_us)}","datacontenttype":"application/json",'
        f'"sequence":"{record.sequence:016d}","recordedtime":"{rfc3339(record.recorded_us)}",{head[1]},'
        f'"data":{{{_KINDS[event.type]},"success":{"true" if event.success else "false"},"code":{text(event.code)},'
        f'"message":{text(message(event))},"actor":{actor},"cause":{text(event.cause)},'
        f'"object":{{"type":{text(thing.type)},"id":{text(thing.id)},"name":{text(thing.name)}}},'
        f'"correlation":{text(event.correlation)},"clock":"{record.clock}","boot":{text(record.boot)},'
        f'"uptime_ns":{event.at_ns},"replayed":{"true" if replayed else "false"},'
        f'"prev":{text(record.prev)},"hash":{text(record.hash)},"details":{details}}}}}'
    ).encode()


def record_id(record: Record, identity: Identity) -> str:
    """The id of a record: together with its source it is unique for ever."""
    return f"{record.epoch or identity.epoch}-{record.sequence}"


def _told_as(record: Record, identity: Identity) -> Identity:
    """The identity for this record: it keeps the epoch of its stream when the log has begun another one."""
    if record.epoch in {"", identity.epoch}:
        return identity
    return replace(identity, epoch=record.epoch)


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


@lru_cache(4)
def _head(identity: Identity) -> tuple[str, str]:
    """What is the same in every record of a stream: the source, and the stream."""
    source = _text(f"/doorward/{identity.site}/{identity.controller}")
    return f'"source":{source}', f'"stream":{_text(f"{identity.controller}/{identity.epoch}")}'


def _class(event_type: str) -> str:
    row = kind_of(event_type)
    return f'"class":"{row.event_class}","severity":"{row.severity}"'


class _Kinds(dict[str, str]):
    """The class and the severity of every type, encoded; for types not in the catalogue, when asked for."""

    def __missing__(self, event_type: str) -> str:
        return _class(event_type)


_KINDS: Final = _Kinds({name: _class(name) for name in CATALOGUE})


def to_bytes(value: Json) -> bytes:
    """Compact JSON in UTF-8."""
    return _JSON.encode(value).encode()


def _actor(event: Event) -> Json:
    actor = event.actor
    if actor is None:
        return None
    fields: dict[str, Json] = {"kind": actor.kind, "id": actor.id}
    if actor.name is not None:
        fields["name"] = actor.name
    if actor.email is not None:
        fields["email"] = actor.email
    return fields
