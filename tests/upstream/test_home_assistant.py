"""What Home Assistant is told: options that it knows, templates that read and write what there really is.

The option names are taken from its documentation by hand (https://www.home-assistant.io/integrations/mqtt/ and the
pages of the platforms); what it really does with them, test_home_assistant_itself shows where it is installed.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from edge.commands.parsing import Context, Order, parse_command
from edge.config.reading import load
from edge.model.cloudevents import Identity, cloudevent
from edge.model.messages import ClockQuality
from edge.model.ports import Incoming
from edge.upstream.home_assistant.discovery import (
    BIRTH_S,
    CONTROLLER,
    MOST_STRAYS,
    DiscoveryMessages,
    devices,
    message,
    topic,
)
from edge.upstream.home_assistant.entities import EVENTS
from edge.upstream.records import NOBODY_S
from edge.upstream.retained import STATUS_EVERY_S
from tests.support.broker import Broker
from tests.support.house import House, live, write_config
from tests.support.journal import OPENED, FakeJournal
from tests.support.live import Live
from tests.support.signatures import Pair
from tests.support.subscriber import Subscriber
from tests.support.upstream import Sent, Talk, converse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.model.messages import Record
    from edge.settings.controller import Settings

BASE = "doorward/v1/lab/test"
HERE = Identity("lab", "test", "epoch-1")
COMMON = {
    *("platform", "unique_id", "name", "availability", "availability_mode", "enabled_by_default", "entity_category"),
    *("icon", "json_attributes_topic", "json_attributes_template", "qos", "encoding", "state_topic", "value_template"),
}
OWN = {
    "binary_sensor": {"device_class", "expire_after", "force_update", "off_delay", "payload_off", "payload_on"},
    "sensor": {"device_class", "options", "state_class", "unit_of_measurement", "suggested_display_precision"},
    "event": {"device_class", "event_types"},
    "button": {"device_class", "command_topic", "command_template", "retain", "payload_press"},
    "lock": {
        *("command_topic", "command_template", "retain", "optimistic", "code_format", "payload_lock", "payload_unlock"),
        *("payload_open", "payload_reset", "state_locked", "state_unlocked", "state_jammed"),
    },
}
CLASSES = {
    "binary_sensor": {"connectivity", "problem", "door", "lock", "tamper"},
    "sensor": {"enum"},
}
ALERT = """
[alert.forced]
types = ["lock.forced_open"]
siren = { door = "front", for_s = 5 }
"""
PRESSED_AT = datetime(2026, 11, 23, 12, 0, 0, 5, UTC)
OF_EVENTS = {"event", "last", "acknowledge"}
DEVICE = {"identifiers", "manufacturer", "model", "name", "sw_version", "via_device"}


class State(NamedTuple):
    state: str
    attributes: dict[str, Any]


def settings_of(folder: Path, more: str = "", *, doors: tuple[str, ...] = ("front", "back")) -> Settings:
    config = write_config(folder, doors=doors)
    text = config.read_text() + f'\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n[home_assistant]\n{more}'
    config.write_text(text.replace('contact = { driver = "bench" }\n', "", 1) if "# blind" in more else text)
    return load(config)


def told(settings: Settings, device: str) -> dict[str, Any]:
    return dict(json.loads(message(settings, device, "1.2.3")))


def parts(settings: Settings, device: str = "front") -> dict[str, dict[str, Any]]:
    return dict(told(settings, device)["components"])


def render(template: str, now: datetime | None = None, **values: Any) -> str:
    """As Home Assistant does: sandboxed, and with those of its own words that we use."""
    jinja = ImmutableSandboxedEnvironment()
    jinja.filters["to_json"] = json.dumps
    jinja.globals |= {"utcnow": lambda: now or datetime.now(UTC), "timedelta": timedelta}
    return jinja.from_string(template).render(**values).strip()


def signed(folder: Path) -> str:
    Pair(1).write(folder / "key.pem")
    return '[commands]\nkeys = ["key.pem"]\n'


# --- the messages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", 'unlock = "hold"\n', "lockdown = true\n", "# blind\n", "signed"])
def test_every_option_is_one_that_home_assistant_knows(tmp_path: Path, more: str) -> None:
    settings = settings_of(tmp_path, signed(tmp_path) if more == "signed" else more)
    seen: list[str] = []
    for device in devices(settings):
        whole = told(settings, device)
        assert whole.keys() == {"device", "origin", "components"}
        assert whole["device"].keys() <= DEVICE
        assert whole["origin"]["name"] == "Doorward"
        for part in whole["components"].values():
            if part.keys() == {"platform"}:
                continue
            assert part.keys() <= COMMON | OWN[part["platform"]], part
            assert part.get("device_class") in {None} | CLASSES.get(part["platform"], set())
            told_by = part["command_topic" if part["platform"] == "button" else "state_topic"]
            assert told_by.startswith(f"{BASE}/")
            seen.append(part["unique_id"])
    assert len(seen) == len(set(seen)) > 15


def test_doors_belong_to_their_controller_and_topics_to_its_id(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 'prefix = "ha/x"\n')
    assert devices(settings) == [CONTROLLER, "front", "back"]
    assert topic(settings, "front") == "ha/x/device/test/doorward_lab_front/config"
    assert re.fullmatch(r"ha/x/device/[\w-]+/[\w-]+/config", topic(settings, CONTROLLER))
    [controller] = told(settings, CONTROLLER)["device"]["identifiers"]
    assert told(settings, "front")["device"] == {
        "identifiers": [f"{controller}_front"], "manufacturer": "Doorward", "model": "Door", "name": "front door",
        "sw_version": "1.2.3", "via_device": controller,
    }  # fmt: skip


def test_what_a_door_has_not_is_named_alone_which_removes_it(tmp_path: Path) -> None:
    blind = parts(settings_of(tmp_path, "# blind\n"))
    assert blind["contact"] == blind["forced"] == blind["held"] == {"platform": "binary_sensor"}
    seeing = parts(settings_of(tmp_path))
    assert blind.keys() == seeing.keys()
    assert seeing["locked"] == {"platform": "binary_sensor"}
    readonly = parts(settings_of(tmp_path, signed(tmp_path)))
    assert readonly["lock"] == {"platform": "lock"}
    assert readonly["locked"]["device_class"] == "lock"
    assert "command" not in json.dumps(readonly["locked"])


def test_no_command_is_ever_retained(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "lockdown = true\n")
    front = parts(settings)
    for one in front["lock"], front["lockdown"], parts(settings, CONTROLLER)["lockdown"]:
        assert (one["retain"], one["qos"], one["command_topic"]) == (False, 1, f"{BASE}/commands")


# --- the templates, on what there really is -------------------------------------------------------------------


def test_templates_show_what_happens_at_a_door(tmp_path: Path) -> None:
    (tmp_path / "ha").mkdir()
    front, looks = parts(settings_of(tmp_path / "ha")), parts(settings_of(tmp_path / "ha", signed(tmp_path / "ha")))

    def shown(house: House) -> dict[str, str]:
        state = json.loads(json.dumps(house.daemon.retained.door_state("front")))
        found = {
            n: render(p["value_template"], value_json=state)
            for n, p in front.items()
            if len(p) > 1 and n not in OF_EVENTS
        }
        found["locked"] = render(looks["locked"]["value_template"], value_json=state)
        found["why"] = json.loads(render(front["fault"]["json_attributes_template"], value_json=state))["reason"]
        return found

    async def script(house: House) -> None:
        rest = {
            "lock": "LOCKED", "locked": "OFF", "mode": "locked", "contact": "OFF", "forced": "OFF", "held": "OFF",
            "tamper": "OFF", "fault": "OFF", "why": None, "contact_fault": "OFF", "held_open_warning": "OFF",
            "release_input": "OFF", "alert": "OFF",
        }  # fmt: skip
        assert shown(house) == rest
        await house.ask("unlock")
        assert shown(house) == rest | {"lock": "UNLOCKED", "locked": "ON", "mode": "accessed"}
        await house.sim("open")
        assert shown(house) == rest | {"lock": "UNLOCKED", "locked": "ON", "mode": "accessed", "contact": "ON"}
        await asyncio.sleep(40)
        assert shown(house) == (rest := rest | {"alert": "ON"}) | {"contact": "ON", "held": "ON"}, "nobody took it"
        await house.sim("close")
        await house.sim("open")
        assert shown(house) == rest | {"contact": "ON", "forced": "ON"}
        await house.sim("close")
        await house.sim("tamper")
        assert shown(house) == rest | {"tamper": "ON"}
        await house.sim("cut")
        lost = shown(house)
        assert (lost["lock"], lost["locked"], lost["contact"], lost["fault"]) == ("None", "None", "None", "ON")
        assert lost["why"]

    live(write_config(tmp_path), script)


def test_an_event_is_told_at_its_door_while_it_is_news(tmp_path: Path) -> None:
    (tmp_path / "ha").mkdir()
    settings = settings_of(tmp_path / "ha")
    front, back = (parts(settings, door)["event"] for door in ("front", "back"))
    assert front["event_types"] == [*EVENTS]
    told_at_all: list[str] = []

    async def script(house: House) -> None:
        await house.ask("unlock")
        await house.sim("open")
        await house.sim("close")
        await house.sim("open")
        for record in house.records:
            now = house.daemon.origin.cloudevent(record)
            said = render(front["value_template"], value_json=now)
            if record.event.type in EVENTS:
                told_at_all.append(record.event.type)
                body = json.loads(said)
                assert (body["event_type"], body["record"]) == (record.event.type, now["id"])
                assert body["message"] == now["data"]["message"]
                late = now | {"data": now["data"] | {"replayed": True}}
                assert render(front["value_template"], value_json=late) == ""
            else:
                assert said == ""
            assert render(back["value_template"], value_json=now) == ""
        [unlocked] = [r for r in house.records if r.event.type == "lock.unlock"]
        assert (
            json.loads(render(front["value_template"], value_json=house.daemon.origin.cloudevent(unlocked)))["actor"]
            == "otto"
        )

    live(write_config(tmp_path), script)
    assert {"lock.unlock", "lock.opened", "lock.closed", "lock.locked", "lock.forced_open"} <= {*told_at_all}


def test_who_came_last_stays_until_somebody_else_comes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    sensor = parts(settings)["last"]

    def shown(record: Record, this: State, door: str = "front", **data: Any) -> State:
        """What Home Assistant shows after a record: it knows its own state and attributes as `this`."""
        event = cloudevent(record, HERE, replayed=False) | {"subject": f"doors/{door}"}
        event["data"] = {**event["data"], **data}
        rendered = {"value_json": event, "this": this}
        said = json.loads(render(sensor["json_attributes_template"], **rendered))
        return State(render(sensor["value_template"], **rendered), said)

    [passed, opened] = FakeJournal().write(["reader.access", "lock.opened"])
    ada = {"kind": "user", "id": "ada", "name": 'Ada \u007b\u007b 1 \u007d\u007d "L"', "email": None}
    first = shown(opened, State("unknown", {}))
    assert first == State("None", dict.fromkeys(("person", "outcome", "code", "time")))
    granted = shown(passed, first, actor=ada, success=True)
    assert granted.state == 'Ada {{ 1 }} "L": granted'
    assert (granted.attributes["person"], granted.attributes["outcome"]) == (ada["name"], "granted")
    assert shown(opened, granted) == granted
    assert shown(passed, granted, door="back", actor=ada, success=False) == granted
    assert shown(passed, granted, actor=ada, success=False, replayed=True) == granted
    refused = shown(passed, granted, actor=None, success=False, code="unknown_card")
    assert (refused.state, refused.attributes["code"]) == ("Somebody: refused", "unknown_card")
    long = shown(passed, granted, actor={**ada, "name": "x" * 300}, success=True)
    assert len(long.state) <= 255, "Home Assistant takes no longer state"
    (tmp_path / "without").mkdir()
    assert parts(settings_of(tmp_path / "without", "last_access = false\n"))["last"] == {"platform": "sensor"}


@pytest.mark.parametrize(
    ("unlock", "pressed", "asked"),
    [
        ("pulse", "LOCK", "lock"),
        ("pulse", "UNLOCK", "unlock"),
        ("hold", "LOCK", "lock"),
        ("hold", "UNLOCK", "hold_unlocked"),
        ("hold", "OPEN", "unlock"),
    ],
)
def test_what_is_pressed_is_a_whole_command(tmp_path: Path, unlock: str, pressed: str, asked: str) -> None:
    lock = parts(settings_of(tmp_path, f'unlock = "{unlock}"\n'))["lock"]
    assert ("payload_open" in lock) == (unlock == "hold")
    now_us = int(PRESSED_AT.timestamp() * 1e6)
    receiver = Context("test", ["front", "back"], now_us, ClockQuality.SYNCED)
    orders = [_order(lock, pressed, receiver) for _ in range(20)]
    assert len({order.id for order in orders}) == 20  # at one moment
    [order] = orders[:1]
    assert (order.name, order.doors, order.actor.id) == (asked, ("front",), "home-assistant")
    assert abs(order.issued_us - now_us) < 1e6
    assert (order.expires_us is None) == (pressed == "LOCK")  # locking errs on the safe side however late it is
    if order.expires_us is not None:
        assert 14e6 < order.expires_us - order.issued_us < 16e6


def test_the_oldest_alert_of_a_door_is_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "ha").mkdir()
    front = parts(settings_of(tmp_path / "ha"))
    button, sensor = front["acknowledge"], front["alert"]
    assert (button["retain"], button["command_topic"]) == (False, f"{BASE}/commands")
    config = write_config(tmp_path)
    config.write_text(config.read_text() + ALERT)

    def shown(house: House) -> tuple[str, str, Any]:
        """Whether there is an alert, whether the button is there, and the attributes of the button."""
        state = json.loads(json.dumps(house.daemon.retained.door_state("front")))
        there = render(button["availability"][1]["value_template"], value_json=state)
        own = json.loads(render(button["json_attributes_template"], value_json=state))
        return render(sensor["value_template"], value_json=state), there, own

    async def script(house: House) -> None:
        assert shown(house) == ("OFF", "offline", {"alert": None})
        await house.sim("open")
        await asyncio.sleep(1)
        on, there, own = shown(house)
        assert (on, there) == ("ON", "online")
        assert own["alert"].startswith("forced-")
        assert "forced open" not in json.dumps(house.daemon.retained.door_state("front")["alerts"])  # type: ignore[index,call-overload]
        payload = render(button["command_template"], datetime.now(UTC), value="PRESS", this=State("unknown", own))
        receiver = Context("test", ["front"], 0, ClockQuality.UNSYNCED)
        order = parse_command(payload.encode(), receiver, retained=False)
        assert isinstance(order, Order), order
        assert (order.name, order.alert, order.doors) == ("acknowledge", own["alert"], ())
        assert house.daemon.consumers.acknowledge(own["alert"], order.actor, None, {}) is None
        assert shown(house) == ("OFF", "offline", {"alert": None})

    live(config, script)
    without = settings_of(tmp_path / "ha", "acknowledge = false\n")
    assert parts(without)["acknowledge"] == {"platform": "button"}
    assert parts(settings_of(tmp_path / "ha", signed(tmp_path / "ha")))["acknowledge"] == {"platform": "button"}


@pytest.mark.parametrize(("device", "doors"), [("front", ("front",)), (CONTROLLER, ("front", "back"))])
def test_a_lockdown_is_offered_where_it_is_wanted_and_never_its_end(
    tmp_path: Path, device: str, doors: tuple[str, ...]
) -> None:
    receiver = Context("test", ["front", "back"], int(PRESSED_AT.timestamp() * 1e6), ClockQuality.SYNCED)
    wanted = "lockdown = true\n"
    for refused in "", wanted + signed(tmp_path):  # nobody asked for it; a template cannot sign
        assert parts(settings_of(tmp_path, refused), device)["lockdown"] == {"platform": "button"}
    offered = parts(settings_of(tmp_path, wanted), device)
    order = _order(offered["lockdown"], "PRESS", receiver)
    assert (order.name, order.doors, order.actor.id) == ("lock_down", doors, "home-assistant")
    assert order.expires_us is None  # it errs on the safe side, as locking does
    assert "cancel_lockdown" not in json.dumps(offered).replace("lock.cancel_lockdown", "")


def _order(lock: dict[str, Any], pressed: str, receiver: Context) -> Order:
    found = parse_command(
        render(lock["command_template"], PRESSED_AT, value=pressed).encode(), receiver, retained=False
    )
    assert isinstance(found, Order), found
    return found


# --- who is told when -----------------------------------------------------------------------------------------


def drain(announcer: DiscoveryMessages) -> list[tuple[str, bytes]]:
    return [*iter(announcer.next, None)]


def test_strays_are_taken_back_and_only_those(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    announcer = DiscoveryMessages(lambda: settings, "1")
    birth, ours = announcer.topics
    assert (birth, ours) == ("homeassistant/status", "homeassistant/device/test/+/config")
    announcer.begin()
    said = drain(announcer)
    assert [where for where, _ in said] == [topic(settings, device) for device in (CONTROLLER, "front", "back")]
    assert all(json.loads(content) for _, content in said)
    gone = topic(settings, "side")
    for where, payload, retained in (
        (topic(settings, "front"), b"{}", True),  # is there
        (gone, b"", True),  # is taken back already
        (gone, b"{}", False),  # the broker does not keep it
        ("homeassistant/device/test/doorward_elsewhere_side/config", b"{}", True),  # another site's
        ("homeassistant/device/test/kettle/config", b"{}", True),  # somebody else's
    ):
        assert not announcer.heard(Incoming(where, payload, retained), 0.0)
        assert announcer.next() is None
    announcer.heard(Incoming(gone, b"{}", retained=True), 0.0)
    assert drain(announcer) == [(gone, b"")]
    for n in range(2 * MOST_STRAYS):
        announcer.heard(Incoming(topic(settings, f"side-{n}"), b"{}", retained=True), 0.0)
    assert len(drain(announcer)) == MOST_STRAYS


def test_not_enabled_takes_everything_back(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "enabled = false\n")
    announcer = DiscoveryMessages(lambda: settings, "1")
    announcer.begin()
    assert drain(announcer) == []
    for device in (CONTROLLER, "front"):
        announcer.heard(Incoming(topic(settings, device), b"{}", retained=True), 0.0)
    assert drain(announcer) == [(topic(settings, device), b"") for device in (CONTROLLER, "front")]


def test_a_birth_counts_once_in_a_while(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    announcer = DiscoveryMessages(lambda: settings, "1")
    online = Incoming("homeassistant/status", b"online", retained=False)
    assert not announcer.heard(Incoming("homeassistant/status", b"offline", retained=False), 0.0)
    assert announcer.heard(online, 1.0)
    assert len(drain(announcer)) == 3
    assert not announcer.heard(online, BIRTH_S)
    assert drain(announcer) == []
    gone = topic(settings, "side")
    announcer.heard(Incoming(gone, b"{}", retained=True), 0.0)
    assert announcer.heard(online, 1.0 + BIRTH_S)
    assert (gone, b"") in drain(announcer)


class Visitor:
    """Says two things."""

    topics = ("ha/status",)

    def __init__(self) -> None:
        self.due: list[str] = []

    def begin(self) -> None:
        self.due = ["ha/a", "ha/b"]

    def heard(self, incoming: Incoming, _now_s: float) -> bool:
        return incoming.payload == b"online"

    def next(self) -> tuple[str, bytes] | None:
        return (self.due.pop(0), b"") if self.due else None


def test_it_is_said_on_every_link_and_after_a_change() -> None:
    async def script(talk: Talk) -> None:
        talk.journal.write([OPENED])
        await talk.start()
        first = {(sent.name, sent.retained) for sent in talk.net.sent}
        assert {("ha/a", True), ("ha/b", True), ("doors/front/state", True), ("events", False)} <= first
        talk.upstream.settings_changed(("front",))
        await talk.settle()
        assert len(talk.net.on("ha/a")) == 2
        talk.net.link.cut()
        await asyncio.sleep(5)
        assert len(talk.net.on("ha/b")) == 3

    converse(script, extra=Visitor())


def test_a_refused_message_is_a_fault_and_is_tried_again() -> None:
    refuse: Callable[[Sent], int] = lambda sent: 0x87 if sent.name == "ha/a" else 0  # noqa: E731 -- two of a kind

    async def script(talk: Talk) -> None:
        talk.net.code = refuse
        await talk.start()
        assert talk.desk.refusals == ["the broker refuses ha/a: reason 0x87"]
        talk.net.code = lambda _sent: 0
        await asyncio.sleep(2 * STATUS_EVERY_S)
        assert len(talk.net.on("ha/a")) == 2
        assert talk.desk.refusals[1:] == [None]

    converse(script, extra=Visitor())


def test_records_wait_no_longer_when_home_assistant_has_begun_to_listen() -> None:
    async def script(talk: Talk) -> None:
        talk.net.code = lambda sent: 0x10 if sent.name == "events" else 0
        talk.journal.write([OPENED])
        await talk.start()
        talk.net.code = lambda _sent: 0
        talk.upstream.incoming(Incoming("ha/status", b"else", retained=False))
        await asyncio.sleep(NOBODY_S / 3)
        assert talk.cursor == 0
        talk.upstream.incoming(Incoming("ha/status", b"online", retained=False))
        await talk.settle()
        assert talk.cursor == 1

    converse(script, extra=Visitor())


# --- through a real broker ------------------------------------------------------------------------------------


def test_what_the_broker_keeps_is_all_the_memory_there_is(tmp_path: Path) -> None:
    def controller(more: str, *doors: str) -> Live:
        config = write_config(tmp_path, doors=doors)
        mqtt = f'\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n[home_assistant]\n{more}'
        config.write_text(config.read_text() + mqtt)
        return Live(config)

    def kept(name: str) -> Any:
        return ha.on(f"device/test/doorward_lab_{name}/config")

    with (
        Broker(tmp_path / "broker") as broker,
        Subscriber(broker.port, "homeassistant", name="ha") as ha,
        Subscriber(broker.port, BASE) as upstream,
    ):
        with controller("", "front", "back") as house:
            ha.wait(lambda: kept("controller") and kept("front") and kept("back"), "the discovery")
            status = parts(load(tmp_path / "doorward.toml"), CONTROLLER)
            upstream.wait(lambda: upstream.on("status"), "the status")
            found = {
                name: render(p["value_template"], value_json=upstream.on("status")[-1])
                for name, p in status.items()
                if "value_template" in p
            }
            assert (found["online"], found["clock"]) == ("ON", "synced")
            assert int(found["backlog"]) >= 0
            assert (
                render(status["clock"]["availability"][0]["value_template"], value_json={"online": False}) == "offline"
            )
            lock = kept("front")[-1]["components"]["lock"]
            upstream.send("commands", render(lock["command_template"], value="UNLOCK").encode())
            upstream.wait(lambda: upstream.on("replies"), "the answer")
            assert upstream.on("replies")[-1]["outcomes"]["front"]["done"]
            ha.send("status", b"online")
            ha.wait(lambda: len(kept("front")) == 2, "it again")
            assert house.ask("status")["upstream"]["state"] == "online"
            config = tmp_path / "doorward.toml"
            config.write_text(config.read_text().replace('"front door"', '"Entrance"'))
            assert house.ask("reload")["applied"] == ["door.front.name"]
            ha.wait(lambda: kept("front")[-1]["device"]["name"] == "Entrance", "the new name")
        with controller("", "front"):
            ha.wait(lambda: kept("back")[-1] is None, "its removal")
        with controller("enabled = false\n", "front"):
            ha.wait(lambda: kept("front")[-1] is kept("controller")[-1] is None, "the removal of all")
        with Subscriber(broker.port, "homeassistant", name="late") as late:
            late.send("end", b"{}")
            late.wait(lambda: late.on("end"), "the end")
            assert [name for name, _, retained in late.messages if retained] == []
