"""Home Assistant: MQTT discovery of this controller and its doors, one message for each device.

One rule: nothing else is published for it. Its templates read the public topics and write ordinary commands.
Format: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.doors.conditions import KINDS
from edge.doors.modes import Mode
from edge.model.catalogue import CATALOGUE, EventClass
from edge.model.cloudevents import to_bytes
from edge.model.messages import ClockQuality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.model.ports import Incoming
    from edge.settings.controller import DoorSettings, Settings

CONTROLLER: Final = "controller"
"""The controller's name among the devices; no door may have this id."""
BORN: Final = b"online"
GONE: Final = b"offline"
"""Home Assistant's birth message and its will."""
BIRTH_S: Final = 30.0
"""Further birth messages within this time are ignored, so that nobody can keep us busy with them."""
MOST_STRAYS: Final = 2_000
"""At most so many messages about devices that are gone are removed over one connection."""
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


def topic(settings: Settings, device: str) -> str:
    """The topic of a device's message; `device` is a door's id or CONTROLLER.

    One level is the controller's id alone, so that a broker's access list can match it with a user.
    """
    chosen, who = settings.home_assistant, settings.controller
    assert chosen is not None  # noqa: S101 -- asked only where there is one
    return f"{chosen.prefix}/device/{who.id}/doorward_{who.site}_{device}/config"


def devices(settings: Settings) -> list[str]:
    """The devices to announce; the controller first, which the doors refer to (`via_device`)."""
    chosen = settings.home_assistant
    return [CONTROLLER, *settings.doors] if chosen is not None and chosen.enabled else []


def message(settings: Settings, device: str, version: str) -> bytes:
    """The discovery message of one device."""
    who = settings.controller
    own = f"doorward_{who.site}_{who.id}"  # ids have no `_`: no two things are called the same
    shown: Part = {"manufacturer": "Doorward", "sw_version": version}
    if device == CONTROLLER:
        shown |= {"identifiers": [own], "name": who.name, "model": "Door controller"}
        parts = _controller(settings)
    else:
        door = settings.doors[device]
        shown |= {"identifiers": [f"{own}_{device}"], "name": door.name, "model": "Door", "via_device": own}
        parts = _door(settings, door)
    for name, part in parts.items():
        if len(part) > 1:
            part["unique_id"] = f"{own}_{device}_{name}"
    whole: Part = {"device": shown, "origin": {"name": "Doorward", "sw_version": version}, "components": parts}
    return to_bytes(whole)


def _controller(settings: Settings) -> dict[str, Part]:
    status = {"state_topic": f"{_base(settings)}/status"}
    diagnostic = {**status, "entity_category": "diagnostic", "availability": _availability(settings)}
    return {
        "online": {
            "platform": "binary_sensor", "name": "Connection", "device_class": "connectivity",
            "entity_category": "diagnostic", **status, "value_template": _on("value_json.online"),
        },
        "records": {
            "platform": "binary_sensor", "name": "Nobody takes the records", "device_class": "problem",
            **diagnostic, "value_template": _on("value_json.no_subscriber"),
        },
        "backlog": {
            "platform": "sensor", "name": "Backlog", "unit_of_measurement": "records",
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


def _door(settings: Settings, door: DoorSettings) -> dict[str, Part]:
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
    assert chosen is not None  # noqa: S101 -- see `topic`
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
    assert chosen is not None  # noqa: S101 -- see `topic`
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


class DiscoveryMessages:
    """The discovery messages that are still to be sent over the present link, as `ExtraMessages`."""

    def __init__(self, settings: Callable[[], Settings], version: str) -> None:
        """`settings` returns the settings in force, which have `[home_assistant]`."""
        self._settings, self._version = settings, version
        chosen = settings().home_assistant
        assert chosen is not None  # noqa: S101 -- see `topic`
        self._birth = f"{chosen.prefix}/status"
        self._ours = topic(settings(), "").removesuffix("/config")
        self._due: dict[str, None] = {}
        """Topics of messages to send, in order; the content is made when it is sent."""
        self._born_s = -BIRTH_S

    @property
    def topics(self) -> Iterable[str]:
        """Topics to subscribe to: the birth message, and our retained messages, to find devices that are gone."""
        return self._birth, f"{self._ours.rpartition('/')[0]}/+/config"

    def begin(self) -> None:
        """Send everything: the link is new, or the settings changed."""
        wanted = [topic(self._settings(), device) for device in devices(self._settings())]
        self._due = {**dict.fromkeys(wanted), **self._due}

    def heard(self, incoming: Incoming, now_s: float) -> bool | None:
        """True: Home Assistant started and has subscribed. False: a message of use. None: a message of no use."""
        if incoming.topic == self._birth:
            return self._heard_of_it(incoming.payload, now_s)
        if not incoming.topic.startswith(self._ours):
            return None
        if self._is_stray(incoming) and len(self._due) < MOST_STRAYS:
            self._due[incoming.topic] = None
        return False

    def _heard_of_it(self, payload: bytes, now_s: float) -> bool | None:
        if payload == GONE:
            return False
        if payload != BORN or now_s - self._born_s < BIRTH_S:
            return None
        self._born_s = now_s
        self.begin()
        return True

    def next(self) -> tuple[str, bytes] | None:
        """Take the next retained message: its topic and content, empty for a device that is gone; None: no more."""
        if not self._due:
            return None
        where = next(iter(self._due))
        del self._due[where]
        device = self._device(where)
        return where, b"" if device is None else message(self._settings(), device, self._version)

    def _is_stray(self, incoming: Incoming) -> bool:
        there = incoming.retained and incoming.payload and incoming.topic.startswith(self._ours)
        return bool(there) and self._device(incoming.topic) is None

    def _device(self, where: str) -> str | None:
        """The device of a topic; None when it does not exist any more."""
        settings, name = self._settings(), where.removeprefix(self._ours).removesuffix("/config")
        chosen = settings.home_assistant
        there = chosen is not None and chosen.enabled and (name == CONTROLLER or name in settings.doors)
        return name if there else None
