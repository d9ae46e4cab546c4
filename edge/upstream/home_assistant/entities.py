"""The entities of a controller and of a door, with their templates, as MQTT discovery has them.

One rule: a part that a door lacks has its platform only, which removes it. Templates read the public topics and write
ordinary commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.doors.conditions import KINDS
from edge.doors.modes import Mode
from edge.model.catalogue import CATALOGUE, EventClass
from edge.model.event_types import READER_ACCESS
from edge.model.messages import ClockQuality

if TYPE_CHECKING:
    from edge.settings.controller import DoorSettings, Settings

EXPIRES_S: Final = 15
"""A command that releases a door expires after this time."""
EVENTS: Final = tuple(
    row.type for row in CATALOGUE.values()
    if row.event_class is EventClass.ACCESS and not row.type.startswith("elevator.")
)  # fmt: skip
"""Event types of doors."""
CONTACT: Final = "{{ {'open': 'ON', 'closed': 'OFF'}.get(value_json.contact, 'None') }}"
NAMED: Final = {"forced_open": "forced", "held_open": "held"}
"""Conditions whose sensors go by another name in Home Assistant, where people have built on it."""
SHOWN_AS: Final = {"tamper": {"device_class": "tamper"}, "fault": {"entity_category": "diagnostic"}}
"""What a sensor has otherwise than a plain problem."""

Part = dict[str, Any]


def controller_parts(settings: Settings) -> dict[str, Part]:
    """The parts of the controller, by name."""
    status = {"state_topic": f"{_base(settings)}/status"}
    diagnostic = {**status, "entity_category": "diagnostic", "availability": _availability(settings)}
    return {
        "online": {
            "platform": "binary_sensor", "name": "Connection", "device_class": "connectivity",
            "entity_category": "diagnostic", **status, "value_template": _on("value_json.online"),
        },
        "records": {
            "platform": "binary_sensor", "name": "Record delivery", "device_class": "problem",
            **diagnostic, "value_template": _on("value_json.no_subscriber"),
        },
        "backlog": {
            "platform": "sensor", "name": "Records waiting", "unit_of_measurement": "records",
            "state_class": "measurement", "icon": "mdi:tray-full",
            **diagnostic, "value_template": "{{ value_json.sequence - value_json.cursor }}",
        },
        "clock": {
            "platform": "sensor", "name": "Clock", "device_class": "enum",
            "options": [quality.value for quality in ClockQuality], "icon": "mdi:clock-check-outline",
            **diagnostic, "value_template": "{{ value_json.clock }}",
        },
        "lockdown": _lock_down(settings, '"all": true'),
    }  # fmt: skip


def door_parts(settings: Settings, door: DoorSettings) -> dict[str, Part]:
    """Every part that a door can have. A part that this door lacks has its platform only: that removes it."""
    state = {
        "state_topic": f"{_base(settings)}/doors/{door.id}/state",
        "availability": _availability(settings),
    }
    has_contact = "contact" in door.points
    return {
        **_lock(settings, door, state),
        "lockdown": _lock_down(settings, f'"door": "{door.id}"'),
        "mode": {
            "platform": "sensor", "name": "Mode", "device_class": "enum", "options": [mode.value for mode in Mode],
            "icon": "mdi:door", **state, "value_template": "{{ value_json.mode }}",
        },
        "contact": {
            "platform": "binary_sensor",
            **({"name": "Contact", "device_class": "door", **state, "value_template": CONTACT} if has_contact else {}),
        },
        **_conditions(door, state),
        "event": {
            "platform": "event", "name": "Event", "event_types": [*EVENTS], "icon": "mdi:history",
            "state_topic": f"{_base(settings)}/events", "availability": _availability(settings),
            "value_template": _event(door),
        },
        "last": _last_access(settings, door),
        **_alerts(settings, state),
    }  # fmt: skip


def _alerts(settings: Settings, state: Part) -> dict[str, Part]:
    """Whether an alert is open, and a button that acknowledges the oldest one, where commands need no signature."""
    chosen = settings.home_assistant
    assert chosen is not None  # noqa: S101 -- see `discovery.topic`
    told: Part = {"platform": "binary_sensor", "name": "Open alert", "device_class": "problem", **state}
    told |= {
        "value_template": _on("value_json.alerts"),
        "json_attributes_topic": state["state_topic"],
        "json_attributes_template": "{{ {'alerts': value_json.alerts} | to_json }}",
    }
    button: Part = {"platform": "button"}
    if chosen.acknowledge and not settings.commands.keys:
        there = "{{ 'online' if value_json.alerts else 'offline' }}"
        oldest = "(value_json.alerts | map(attribute='alert') | list + [none]) | first"
        button |= {
            "name": "Acknowledge alert", "icon": "mdi:bell-check", "availability_mode": "all",
            "availability": [*_availability(settings), {"topic": state["state_topic"], "value_template": there}],
            "json_attributes_topic": state["state_topic"],
            "json_attributes_template": f"{{{{ {{'alert': {oldest}}} | to_json }}}}",
            "command_topic": f"{_base(settings)}/commands",
            "command_template": _command("acknowledge", '"alert": "{{ this.attributes.get(\'alert\') }}"'),
            "qos": 1, "retain": False,
        }  # fmt: skip
    return {"alert": told, "acknowledge": button}


def _last_access(settings: Settings, door: DoorSettings) -> Part:
    """A sensor for who was let in or refused last, from `events`: nothing more is published for it."""
    chosen = settings.home_assistant
    assert chosen is not None  # noqa: S101 -- see `discovery.topic`
    if not chosen.last_access:
        return {"platform": "sensor"}
    record = "value_json.data"
    who = f"{{% set who = ({record}.actor or {{}}).get('name') or ({record}.actor or {{}}).get('id') or 'Somebody' %}}"
    about = (
        f"value_json.subject == 'doors/{door.id}' and value_json.type == '{READER_ACCESS}' and not {record}.replayed"
    )
    granted = f"'granted' if {record}.success else 'refused'"
    known = "this.state if this.state not in ['unknown', 'unavailable'] else 'None'"
    kept = ", ".join(f"'{key}': this.attributes.get('{key}')" for key in ("person", "outcome", "code", "time"))
    told = f"'person': who, 'outcome': {granted}, 'code': {record}.code, 'time': value_json.time"
    events = f"{_base(settings)}/events"
    return {
        "platform": "sensor", "name": "Last access", "icon": "mdi:account-clock", "state_topic": events,
        "availability": _availability(settings),
        "value_template": (
            f"{who}{{% if {about} %}}{{{{ ((who | truncate(200, true)) ~ ': ' ~ ({granted})) }}}}"
            f"{{% else %}}{{{{ {known} }}}}{{% endif %}}"
        ),
        "json_attributes_topic": events,
        "json_attributes_template": (
            f"{who}{{{{ ({{{told}}} if {about} else {{{kept}}}) | to_json }}}}"
        ),
    }  # fmt: skip


def _conditions(door: DoorSettings, state: Part) -> dict[str, Part]:
    """A sensor for each thing that can be wrong with this door, with the reason as an attribute."""
    parts: dict[str, Part] = {}
    for code, kind in KINDS.items():
        part: Part = {"platform": "binary_sensor"}
        if kind.needs is None or kind.needs in door.points:
            entry = f"value_json.conditions | selectattr('code', 'eq', '{code}')"
            reason = f"{{{{ {{'reason': ({entry} | map(attribute='detail') | list + [none]) | first}} | to_json }}}}"
            part |= {
                "name": kind.words.capitalize(), "device_class": "problem", **SHOWN_AS.get(code, {}), **state,
                "value_template": _on(f"{entry} | list"),
                "json_attributes_topic": state["state_topic"], "json_attributes_template": reason,
            }  # fmt: skip
        parts[NAMED.get(code, code)] = part
    return parts


def _lock(settings: Settings, door: DoorSettings, state: Part) -> dict[str, Part]:
    """A lock to operate; a sensor only, where commands need a signature, which a template cannot make."""
    chosen = settings.home_assistant
    assert chosen is not None  # noqa: S101 -- see `discovery.topic`
    if settings.commands.keys:
        locked = "{{ {'locked': 'OFF', 'unlocked': 'ON'}.get(value_json.lock, 'None') }}"
        look = {"name": "Lock", "device_class": "lock", **state, "value_template": locked}
        return {"lock": {"platform": "lock"}, "locked": {"platform": "binary_sensor", **look}}
    press = {
        "name": None,
        **state,
        "value_template": "{{ {'locked': 'LOCKED', 'unlocked': 'UNLOCKED'}.get(value_json.lock, 'None') }}",
        "command_topic": f"{_base(settings)}/commands",
        "command_template": _press(door, holds=chosen.unlock == "hold"),
        "qos": 1,
        "retain": False,
        **({"payload_open": "OPEN"} if chosen.unlock == "hold" else {}),
    }
    return {"lock": {"platform": "lock", **press}, "locked": {"platform": "binary_sensor"}}


def _lock_down(settings: Settings, target: str) -> Part:
    """A button for a lockdown, where configured. None to cancel it: that needs somebody who knows the reason for it."""
    chosen = settings.home_assistant
    assert chosen is not None  # noqa: S101 -- see `discovery.topic`
    if settings.commands.keys or not chosen.lockdown:
        return {"platform": "button"}
    return {
        "platform": "button", "name": "Lock down", "icon": "mdi:lock-alert", "availability": _availability(settings),
        "command_topic": f"{_base(settings)}/commands", "command_template": _command("lock_down", target),
        "qos": 1, "retain": False,
    }  # fmt: skip


def _press(door: DoorSettings, *, holds: bool) -> str:
    unlock = "hold_unlocked" if holds else "unlock"
    name = f"{{{{ {{'LOCK': 'lock', 'UNLOCK': '{unlock}', 'OPEN': 'unlock'}}[value] }}}}"
    end = f'"expires_at": "{{{{ (t + timedelta(seconds={EXPIRES_S})).isoformat() }}}}", '
    return _command(name, f'"door": "{door.id}"', f"{{% if value != 'LOCK' %}}{end}{{% endif %}}")


def _command(name: str, target: str, end: str = "") -> str:
    """The template of a command, filled in by Home Assistant: a new id, the time of issue, and `end` (its expiry)."""
    return (
        "{% set t = utcnow() %}"
        '{"id": "ha-{{ (t.timestamp() * 1000) | int }}-{{ range(100000) | random }}-{{ range(100000) | random }}", '
        f'"command": "{name}", {target}, "issued_at": "{{{{ t.isoformat() }}}}", {end}'
        '"actor": {"id": "home-assistant", "name": "Home Assistant"}}'
    )


def _event(door: DoorSettings) -> str:
    """The template of a door's event; replayed events are left out, so that they start no automation."""
    fields = ", ".join(f"'{key}': value_json.data.{key}" for key in ("message", "success", "code", "cause"))
    who = "(value_json.data.actor or {}).get('name') or (value_json.data.actor or {}).get('id')"
    return (
        f"{{% if value_json.subject == 'doors/{door.id}' and value_json.type in {[*EVENTS]} "
        "and not value_json.data.replayed %}"
        f"{{{{ {{'event_type': value_json.type, {fields}, 'actor': {who}, 'time': value_json.time, "
        "'record': value_json.id} | to_json }}{% endif %}"
    )


def _base(settings: Settings) -> str:
    assert settings.mqtt is not None  # noqa: S101 -- the configuration sees to it
    return f"{settings.mqtt.prefix}/{settings.controller.site}/{settings.controller.id}"


def _availability(settings: Settings) -> list[Part]:
    seen = "{{ 'online' if value_json.online else 'offline' }}"
    return [{"topic": f"{_base(settings)}/status", "value_template": seen}]


def _on(condition: str) -> str:
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"
