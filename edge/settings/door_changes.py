"""Which changes a new configuration makes to doors, as audit events, and what such an event says.

One rule: a change names the key, the old value and the new one; of a secret only that it changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic import SecretBytes, SecretStr

from edge.model.event_types import LOCK_CREATE, LOCK_DESTROY, LOCK_UPDATE
from edge.model.messages import Event, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from edge.model.messages import Actor, Json
    from edge.settings.controller import DoorSettings, Settings

Locks: TypeAlias = "Mapping[str, Mapping[str, Json]]"
"""Door -> what is known of it, by key."""
SECRET_WORDS: Final = ("key", "secret", "password", "token")
"""A key whose name has one of these words in it (`scbk_key`) is a secret, unless it names a file."""


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Json]:
    """What an update says: `key: [old, new]`, and for lists of ids `key: {added, removed}`."""
    details: dict[str, Json] = {}
    for key in [*before, *(key for key in after if key not in before)]:
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        if _ids(was) and _ids(now):
            gone = [one for one in was or [] if one not in (now or [])]
            come = [one for one in now or [] if one not in (was or [])]
            details[key] = {"added": [*come], "removed": [*gone]}
        else:
            details[key] = [was, now]
    return details


def _ids(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def lock_changes(old: Locks | None, new: Locks, actor: Actor, at_ns: int) -> list[Event]:
    """`lock.create`, `lock.update` and `lock.destroy`, door by door in the order of their ids.

    `old` are the `lock_facts` of the configuration that was in force. None: they are not known, and
    there are no events. A door's drivers are part of the door: a relay that moved to another chip
    is a changed lock.
    """
    if old is None:
        return []
    events = []
    for door in sorted(old.keys() | new.keys()):
        before, after = old.get(door), new.get(door)
        name = str((after or before or {}).get("name", door))
        event_type, details = LOCK_UPDATE, changed(before or {}, after or {})
        if before is None:
            details = {key: "set" if _secret(value) else value for key, value in (after or {}).items()}
            event_type = LOCK_CREATE
        elif after is None:
            event_type, details = LOCK_DESTROY, {}
        else:
            details = {key: _without_secrets(before.get(key), after.get(key), said) for key, said in details.items()}
        if details or event_type == LOCK_DESTROY:
            subject = Subject("lock", door, name)
            events.append(Event(event_type, at_ns, subject, actor, door=door, details=details))
    return events


def lock_facts(settings: Settings) -> dict[str, dict[str, Json]]:
    """Everything about each door, flat, as JSON that can be kept; of a secret only a hash, to compare it by."""
    return {door: _facts(settings, one) for door, one in settings.doors.items()}


def _secret(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"secret"}


def _without_secrets(before: object, after: object, said: Json) -> Json:
    if _secret(before) or _secret(after):
        return "set" if before is None else "removed" if after is None else "changed"
    return said


def _facts(settings: Settings, door: DoorSettings) -> dict[str, Json]:
    """Its name, its policy, each point and the driver that carries it."""
    facts: dict[str, Json] = {"name": door.name}
    facts |= {} if door.zone is None else {"zone": door.zone}
    facts |= {one.name: _plain(one.name, getattr(door.policy, one.name)) for one in fields(door.policy)}
    for role, driver in sorted(door.points.items()):
        own = settings.drivers[driver]
        facts[f"{role}.driver"] = driver
        facts |= _model(role, own.points[f"{door.id}.{role}"])
        facts[f"driver.{driver}.kind"] = own.kind
        facts |= _model(f"driver.{driver}", own.settings)
    for role, timing in sorted(door.timing.items()):
        facts |= {f"{role}.{one.name}": getattr(timing, one.name) for one in fields(timing)}
    return facts


def _model(prefix: str, model: BaseModel) -> dict[str, Json]:
    return {f"{prefix}.{name}": _plain(name, getattr(model, name)) for name in type(model).model_fields}


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401 -- what settings hold, as JSON
    secret = not name.endswith("_file") and any(word in name.split("_") for word in SECRET_WORDS)
    if value is not None and (secret or isinstance(value, SecretStr | SecretBytes | bytes)):
        plain = value.get_secret_value() if isinstance(value, SecretStr | SecretBytes) else value
        return {"secret": hashlib.sha256(repr(plain).encode()).hexdigest()[:32]}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list | set | frozenset):
        items = [_plain(name, one) for one in value]
        return sorted(items, key=str) if isinstance(value, set | frozenset) else items
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
