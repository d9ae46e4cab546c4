"""Home Assistant: MQTT discovery of this controller and its doors, one message for each device.

One rule: nothing else is published for it. Its templates read the public topics and write ordinary commands.
Format: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.model.cloudevents import to_bytes
from edge.upstream.home_assistant.entities import controller_parts, door_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.model.ports import Incoming
    from edge.settings.controller import Settings
    from edge.upstream.home_assistant.entities import Part

CONTROLLER: Final = "controller"
"""The controller's name among the devices; no door may have this id."""
BORN: Final = b"online"
GONE: Final = b"offline"
"""Home Assistant's birth message and its will."""
BIRTH_S: Final = 30.0
"""Further birth messages within this time are ignored, so that nobody can keep us busy with them."""
MOST_STRAYS: Final = 2_000
"""At most so many messages about devices that are gone are removed over one connection."""


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
        parts = controller_parts(settings)
    else:
        door = settings.doors[device]
        shown |= {"identifiers": [f"{own}_{device}"], "name": door.name, "model": "Door", "via_device": own}
        parts = door_parts(settings, door)
    for name, part in parts.items():
        if len(part) > 1:
            part["unique_id"] = f"{own}_{device}_{name}"
    whole: Part = {"device": shown, "origin": {"name": "Doorward", "sw_version": version}, "components": parts}
    return to_bytes(whole)


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
