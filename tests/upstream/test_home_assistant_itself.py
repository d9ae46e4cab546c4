"""Home Assistant itself discovers a real daemon at a real broker, where `make hass` made one or $HASS names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.broker import Broker, free_port
from tests.support.hass import WHY_NOT, Hass, command
from tests.support.house import write_config
from tests.support.live import Live
from tests.support.signatures import Pair
from tests.support.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = command()
BASE = "doorward/v1/lab/test"
pytestmark = pytest.mark.skipif(not PROGRAM, reason=WHY_NOT)


def controller(folder: Path, broker: Broker, *, doors: tuple[str, ...] = ("front", "back"), more: str = "") -> Live:
    """A controller as it is after a restart with this configuration."""
    folder.mkdir(exist_ok=True)
    config = write_config(folder, doors=doors, unlock_s=120.0)
    mqtt = f'\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n'
    contact = 'contact = { driver = "bench" }\n'
    wired = config.read_text().replace(contact, contact + 'reader = { driver = "bench" }\n')
    alert = '[alert.forced]\ntypes = ["lock.forced_open"]\nsiren = { door = "front", for_s = 5 }\n'
    config.write_text(wired + mqtt + alert + (more or "[home_assistant]\n"))
    return Live(config)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as one:
        yield one


@pytest.fixture
def hass(tmp_path: Path, broker: Broker) -> Iterator[Hass]:
    folder = tmp_path / "hass"
    folder.mkdir()
    with Hass(PROGRAM, folder, broker.port, free_port()) as one:
        yield one
    said = one.log.read_text()
    assert "components.mqtt" not in said.replace("homeassistant.components.mqtt.client", ""), said


def test_doors_are_found_shown_and_moved(tmp_path: Path, broker: Broker, hass: Hass) -> None:
    with Subscriber(broker.port, BASE), controller(tmp_path / "house", broker) as house:
        hass.wait_for("lock.front_door", "locked")
        assert hass.ask(devices=True) == {"Test": None, "front door": "Test", "back door": "Test"}
        hass.wait_for("binary_sensor.test_connection", "on")
        hass.wait_for("sensor.test_clock", "synced")
        hass.wait_for("binary_sensor.front_door_contact", "off")
        assert hass.call("unlock", "lock.front_door") is None
        hass.wait_for("lock.front_door", "unlocked")
        hass.wait_for("sensor.front_door_mode", "accessed")
        hass.wait(lambda: _told(hass) == ("lock.unlock", "Home Assistant"), "the event")
        house.sim("front", "open")
        hass.wait_for("binary_sensor.front_door_contact", "on")
        house.sim("front", "close")
        hass.wait_for("lock.front_door", "locked")
        house.sim("front", "open")
        hass.wait_for("binary_sensor.front_door_forced_open", "on")
        hass.wait(lambda: _told(hass) == ("lock.forced_open", None), "the alarm")
        hass.wait_for("binary_sensor.front_door_open_alert", "on")
        assert hass.states()["button.back_door_acknowledge_alert"] == "unavailable"
        assert hass.call("press", "button.front_door_acknowledge_alert") is None
        hass.wait_for("binary_sensor.front_door_open_alert", "off")
        hass.wait_for("button.front_door_acknowledge_alert", "unavailable")
        house.sim("front", "card", "1:4711")
        hass.wait_for("sensor.front_door_last_access", "Somebody: refused")
        assert hass.ask()["sensor.front_door_last_access"][1]["code"] == "unknown_card"
        house.sim("front", "close")
        hass.wait_for("binary_sensor.front_door_contact", "off")
        assert hass.states()["sensor.front_door_last_access"] == "Somebody: refused", "it stays over other events"
        assert hass.states()["sensor.back_door_last_access"] == "unknown"
        house.sim("front", "tamper")
        hass.wait_for("binary_sensor.front_door_tamper", "on")
        assert hass.states()["event.back_door_event"] == "unknown"
        assert hass.call("open", "lock.front_door") == "ServiceNotSupported"
    hass.wait_for("binary_sensor.test_connection", "off")
    hass.wait_for("lock.front_door", "unavailable")


def test_whatever_is_gone_from_the_configuration_is_gone_there(tmp_path: Path, broker: Broker, hass: Hass) -> None:
    folder = tmp_path / "house"
    with controller(folder, broker, more='[home_assistant]\nunlock = "hold"\nlockdown = true\n'):
        hass.wait_for("lock.back_door", "locked")
        assert hass.call("unlock", "lock.back_door") is None
        hass.wait_for("sensor.back_door_mode", "unlocked")
        assert hass.call("lock", "lock.back_door") is None
        hass.wait_for("sensor.back_door_mode", "locked")
        assert hass.call("open", "lock.back_door") is None
        hass.wait_for("sensor.back_door_mode", "accessed")
        assert hass.call("press", "button.front_door_lock_down") is None
        hass.wait_for("sensor.front_door_mode", "locked_down")
        assert hass.states()["sensor.back_door_mode"] != "locked_down"
        assert hass.call("press", "button.test_lock_down") is None
        hass.wait_for("sensor.back_door_mode", "locked_down")
    Pair(1).write(folder / "key.pem")
    with controller(folder, broker, doors=("front",), more='[home_assistant]\n[commands]\nkeys = ["key.pem"]\n'):
        hass.wait_for("lock.back_door", None)
        hass.wait_for("lock.front_door", None)
        hass.wait_for("binary_sensor.front_door_lock", "off")
        hass.wait_for("button.front_door_lock_down", None)
        hass.wait_for("button.test_lock_down", None)
    with controller(folder, broker, doors=("front",), more="[home_assistant]\nenabled = false\n"):
        hass.wait(lambda: hass.states() == {}, "nothing")
        assert hass.ask(devices=True) == {}


def _told(hass: Hass) -> tuple[str, str | None]:
    attributes = hass.ask()["event.front_door_event"][1]
    return attributes.get("event_type"), attributes.get("actor")
