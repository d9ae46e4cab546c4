"""The whole way to a real mosquitto and back: delivery, commands, refusals, and what the broker can do to us."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.diagnosis.diagnose import TAKEN_OVER
from edge.log.log import Log, LogOptions
from edge.model.messages import ClockQuality, Event, Subject
from edge.system.clock import Clock
from tests.support.broker import Broker, free_port
from tests.support.cli import Doorctl
from tests.support.doord import Doord
from tests.support.house import write_config
from tests.support.live import Live
from tests.support.people import document
from tests.support.proxy import Proxy
from tests.support.subscriber import Subscriber
from tests.support.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BASE = "doorward/v1/lab/test"
OPEN = "allow_anonymous true\npersistence false\nmax_queued_messages 0\n"
FRONT = Subject("lock", "front", "front door")


def configured(folder: Path, port: int, *lines: str, **policy: Any) -> Path:
    config = write_config(folder, **policy)
    mqtt = "\n".join(["", "[mqtt]", f'url = "mqtt://127.0.0.1:{port}"', *lines, ""])
    config.write_text(config.read_text() + mqtt)
    return config


def moment(in_s: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=in_s)).isoformat()


def order(name: str, number: str, **more: Any) -> dict[str, Any]:
    """A command as an upstream sends it; None takes a key away."""
    body = {"id": number, "command": name, "issued_at": moment(0), "actor": {"id": "u-1", "name": "Ann"}} | more
    if name in {"unlock", "lock", "lock_down", "cancel_lockdown"}:
        body = {"door": "front", "expires_at": moment(60)} | body
    return {key: value for key, value in body.items() if value is not None}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", OPEN) as found:
        yield found


@pytest.fixture
def upstream(broker: Broker) -> Iterator[Subscriber]:
    with Subscriber(broker.port, BASE) as found:
        yield found


def listens(upstream: Subscriber) -> None:
    """The daemon has subscribed to its commands: its status goes out after that, on the same connection."""
    upstream.wait(lambda: upstream.on("status") and upstream.on("status")[-1]["online"], "the status")


def answered(upstream: Subscriber, number: str | None, count: int = 1) -> dict[str, Any]:
    """The last answer to this id, once there are so many."""
    mine: list[dict[str, Any]] = []

    def came() -> bool:
        mine[:] = [answer for answer in upstream.on("replies") if answer["id"] == number]
        return len(mine) >= count

    upstream.wait(came, f"answer {count} to {number}")
    return mine[-1]


# --- somebody else with our id ---------------------------------------------------------------------------


def twins(doord: Doord) -> int:
    return int(doord.ask("status")["upstream"]["taken_over_last_hour"])


def test_two_controllers_with_one_id_are_named_by_each_whatever_the_broker_says(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mosquitto 2.0.11 ends the older connection without a reason, 2.0.21 says "session taken over"."""
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    with Doord(configured(folders[0], broker.port)) as one, Doord(configured(folders[1], broker.port)) as other:
        for doord in (one, other):
            until(lambda: twins(doord) >= TAKEN_OVER, f"the other at {doord.config}")  # noqa: B023 -- called at once
            findings = Doorctl(doord.socket, monkeypatch, capsys)("diagnose", "--json").json["findings"]
            assert "DW-BROKER-TWINS" in {finding["code"] for finding in findings}


# --- what happens at doors -----------------------------------------------------------------------


def test_a_locked_door_that_opens_is_told_on_both_topics_and_is_in_the_history(
    tmp_path: Path, broker: Broker, upstream: Subscriber
) -> None:
    with Doord(configured(tmp_path, broker.port)) as doord:
        doord.sim("front", "open")
        upstream.wait(lambda: upstream.types("alarms"), "the alarm")
        upstream.wait(lambda: "lock.forced_open" in upstream.types(), "the record of the alarm")
        told = [kind for kind in upstream.types() if kind.startswith("lock.")]
        assert told == ["lock.opened", "lock.forced_open"]
        assert upstream.types("alarms") == ["lock.forced_open"]
        history = [record["type"] for record in doord.ask("events", door=["front"])["records"]]
        assert sorted(history) == ["lock.forced_open", "lock.opened"]
        upstream.wait(lambda: upstream.on("doors/front/state")[-1]["alarm"] == "forced_open", "the state")


def test_a_door_held_open_is_told_at_the_time_counted_from_the_unlock_and_ends_with_the_closing(
    tmp_path: Path, broker: Broker, upstream: Subscriber
) -> None:
    config = configured(tmp_path, broker.port, held_open_s=15.0, unlock_s=14.0)  # so long the opening may take
    with Live(config) as house:
        listens(upstream)
        upstream.send("commands", order("unlock", "in"))
        assert answered(upstream, "in")["done"]
        house.sim("front", "open")
        upstream.wait(lambda: "lock.held_open" in upstream.types("alarms"), "the alarm")
        house.sim("front", "close")
        upstream.wait(lambda: "lock.closed" in upstream.types(), "the closing")
        at = {record["type"]: record["data"] for record in upstream.on("events")}
        took_ns = at["lock.held_open"]["uptime_ns"] - at["lock.unlock"]["uptime_ns"]
        assert at["lock.opened"]["uptime_ns"] > at["lock.unlock"]["uptime_ns"]
        assert took_ns == 15_000_000_000
        assert "held_open" in json.dumps(at["lock.closed"]["details"]["cleared"])
        assert at["lock.unlock"]["actor"] == {"kind": "operator", "id": "u-1", "name": "Ann"}


# --- commands ------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, bool]] = {
    "retained": (order("lock_down", "no", expires_at=None), True),
    "expired": (order("lock_down", "no", expires_at="2020-01-01T00:00:00Z"), False),
    "issued_in_future": (order("lock_down", "no", issued_at="2099-01-01T00:00:00Z", expires_at=None), False),
    "malformed": (order("lock_down", "no", sudo=True), False),
    "too_large": (json.dumps(order("lock_down", "no")).encode() + b" " * 65_536, False),
    "unknown_command": (order("open_sesame", "no", door="front"), False),
    "invalid_directory": (order("apply_directory", "no", directory={"version": 1, "users": 7}, door=None), False),
    "unknown_door": (order("lock_down", "no", door="attic", expires_at=None), False),
}


@pytest.mark.parametrize("code", sorted(REFUSED))
def test_what_is_refused_moves_nothing_and_is_answered_and_recorded(
    tmp_path: Path, broker: Broker, upstream: Subscriber, code: str
) -> None:
    content, retain = REFUSED[code]
    with Live(configured(tmp_path, broker.port)) as house:
        listens(upstream)
        upstream.send("commands", content, retain=retain)
        upstream.wait(lambda: upstream.on("replies"), "the answer")
        answer = upstream.on("replies")[0]
        assert (answer["code"], answer["done"]) == (code, False)
        assert answer["message"]
        assert answer["id"] == (None if code == "too_large" else "no")
        upstream.wait(lambda: [r for r in upstream.on("events") if r["data"]["code"] == code], "the record")
        [record] = [r for r in upstream.on("events") if r["data"]["code"] == code]
        assert record["data"]["success"] is False
        assert house.ask("status")["doors"]["front"]["mode"] == "locked"
        assert not [r for r in upstream.on("events") if r["type"] == "lock.lock_down" and r["data"]["success"]]


def test_a_directory_comes_by_command_and_a_removed_user_stays_in_the_history(
    tmp_path: Path, broker: Broker, upstream: Subscriber
) -> None:
    config = configured(tmp_path, broker.port)
    config.write_text(config.read_text().replace("rex = ", 'reader = { driver = "bench" }\nrex = ', 1))
    first = document()
    first["groups"] = [{"id": "always", "name": "Always", "doors": ["front"]}]
    first["members"] = [{**first["members"][0], "groups": ["always"]}]
    second = {**first, "version": 2, "users": [first["users"][1]], "members": []}
    with Live(config) as house:
        listens(upstream)
        upstream.send("commands", order("apply_directory", "d-1", directory=first, door=None))
        assert answered(upstream, "d-1") == {
            "id": "d-1", "command": "apply_directory", "done": True, "code": None, "message": "",
            "outcomes": {"version": 1},
        }  # fmt: skip
        house.ask("sim", door="front", action="card", argument="12:1001")
        upstream.wait(lambda: "lock.unlock" in upstream.types(), "the passage")
        upstream.send("commands", order("apply_directory", "d-2", directory=second, door=None))
        assert answered(upstream, "d-2")["done"]
        upstream.wait(lambda: "user.destroy" in upstream.types(), "the removal")
        types = upstream.types()
        assert types.index("reader.access") < types.index("lock.unlock") < types.index("user.destroy")
        [passage] = [one["data"] for one in upstream.on("events") if one["type"] == "lock.unlock"]
        assert passage["actor"] == {"kind": "user", "id": "ada", "name": "Ada", "email": "ada@example.org"}
        [gone] = [one["data"] for one in upstream.on("events") if one["type"] == "user.destroy"]
        assert gone["actor"] == {"kind": "operator", "id": "u-1", "name": "Ann"}
        upstream.send("commands", order("apply_directory", "d-3", directory=second, door=None))
        answer = answered(upstream, "d-3")
        assert (answer["code"], len(answer["outcomes"]["problems"])) == ("invalid_directory", 1)
        assert "expected more than 2" in answer["message"]


def test_edits_come_by_command_once_and_say_who_made_them(tmp_path: Path, broker: Broker, upstream: Subscriber) -> None:
    config = configured(tmp_path, broker.port)
    config.write_text(config.read_text().replace("rex = ", 'reader = { driver = "bench" }\nrex = ', 1))
    entry = {"id": "grace", "name": "Grace Hopper"}
    card = {"id": "g1", "format": "wiegand26", "facility": 12, "number": 3456}
    people = [
        {"put": "group", "entry": {"id": "staff", "name": "Staff", "doors": ["front"]}},
        {"put": "user", "entry": entry},
        {"put": "card", "entry": card},
        {"put": "member", "entry": {"id": "grace", "user": "grace", "cards": ["g1"], "groups": ["staff"]}},
    ]

    def edit(name: str, *changes: Any, **more: Any) -> dict[str, Any]:
        upstream.send("commands", order("edit_directory", name, changes=[*changes], door=None, **more))
        return answered(upstream, name)

    with Live(config) as house:
        listens(upstream)
        assert edit("e-1", *people, base=0) == {
            "id": "e-1", "command": "edit_directory", "done": True, "code": None, "message": "",
            "outcomes": {"version": 1},
        }  # fmt: skip
        house.ask("sim", door="front", action="card", argument="12:3456")
        upstream.wait(lambda: "lock.unlock" in upstream.types(), "the passage")
        assert edit("e-2", {"put": "card", "entry": card | {"state": "inactive"}}, base=1)["outcomes"] == {"version": 2}
        stale = edit("e-3", {"remove": "card", "id": "g1"}, base=1)
        assert (stale["code"], stale["outcomes"]) == (
            "stale",
            {"in_force": 2, "problems": ['cards.g1: "Ann" changed it in version 2, after 1'], "more": 0},
        )
        wrong = edit("e-4", {"remove": "card", "id": "g1"}, base=2)
        assert (wrong["code"], wrong["outcomes"]["problems"]) == (
            "invalid_directory",
            ['members.grace.cards: found "g1", expected one of cards'],
        )
        upstream.wait(lambda: "card.deactivate" in upstream.types(), "the bar")
        [barred] = [one["data"] for one in upstream.on("events") if one["type"] == "card.deactivate"]
        assert barred["actor"] == {"kind": "operator", "id": "u-1", "name": "Ann"}
        assert house.ask("status")["directory"]["version"] == 2
    config.write_text(config.read_text() + '\n[directory]\nfile = "people.json"\nmanaged = "file"\n')
    with Live(config):
        listens(upstream)
        refused = edit("e-5", {"put": "user", "entry": entry})
        assert refused["code"] == "managed_elsewhere"
        assert "people.json" in refused["message"]


def test_without_a_clock_an_unlock_is_refused(tmp_path: Path, broker: Broker, upstream: Subscriber) -> None:
    with Live(configured(tmp_path, broker.port), ClockQuality.UNSYNCED) as doord:
        listens(upstream)
        upstream.send("commands", order("unlock", "in"))
        assert answered(upstream, "in")["code"] == "clock_unsynced"
        assert doord.ask("status")["doors"]["front"]["lock"] == "locked"


def test_an_answer_goes_where_it_is_asked_for_with_what_it_is_known_by(tmp_path: Path, broker: Broker) -> None:
    with (
        Live(configured(tmp_path, broker.port)),
        Subscriber(broker.port, "desk/7", name="desk") as desk,
        Subscriber(broker.port, BASE) as upstream,
    ):
        listens(upstream)
        seen: list[bytes | None] = []
        heard = desk._client.on_message
        assert heard is not None

        def look(client: Any, data: Any, message: Any) -> None:
            seen.append(getattr(message.properties, "CorrelationData", None))
            heard(client, data, message)

        desk._client.on_message = look
        asking = Properties(PacketTypes.PUBLISH)
        asking.ResponseTopic, asking.CorrelationData = "desk/7/answers", b"\x00\xff7"
        upstream.send("commands", order("lock_down", "c-1"), properties=asking)
        upstream.send("commands", order("fly", "c-2"), properties=asking)
        desk.wait(lambda: len(desk.on("answers")) == 2, "two answers")
        assert [(answer["id"], answer["code"]) for answer in desk.on("answers")] == [
            ("c-2", "unknown_command"),
            ("c-1", None),
        ] or [answer["id"] for answer in desk.on("answers")] == ["c-1", "c-2"]
        assert seen == [b"\x00\xff7", b"\x00\xff7"]
        assert upstream.on("replies") == []


def test_an_id_that_comes_twice_is_done_once_and_answered_twice(
    tmp_path: Path, broker: Broker, upstream: Subscriber
) -> None:
    with Live(configured(tmp_path, broker.port)):
        listens(upstream)
        for _ in range(5):
            upstream.send("commands", order("lock_down", "c-1"))
        answered(upstream, "c-1", 5)
        first, *others = upstream.on("replies")
        assert first["done"]
        assert others == [first] * 4
        upstream.send("commands", order("cancel_lockdown", "c-2"))
        answered(upstream, "c-2")
        upstream.wait(lambda: "lock.cancel_lockdown" in upstream.types(), "the end of the lockdown")
        assert upstream.types().count("lock.lock_down") == 1


def test_an_id_whose_time_is_over_is_still_answered_with_what_was_done(
    tmp_path: Path, broker: Broker, upstream: Subscriber
) -> None:
    with Live(configured(tmp_path, broker.port)):
        listens(upstream)
        soon_over = order("lock_down", "c-1")
        upstream.send("commands", soon_over)
        first = answered(upstream, "c-1")
        assert first["done"]
        late = soon_over | {"expires_at": "2020-01-01T00:00:00Z"}
        upstream.send("commands", late)
        assert answered(upstream, "c-1", 2) == first


def test_a_command_is_done_once_also_when_the_daemon_is_killed_after_it(
    tmp_path: Path, broker: Broker, upstream: Subscriber
) -> None:
    doord = Doord(configured(tmp_path, broker.port))
    with doord:
        listens(upstream)
        upstream.send("commands", order("lock_down", "c-1"))
        first = answered(upstream, "c-1")
        upstream.send("commands", order("cancel_lockdown", "c-2"))
        answered(upstream, "c-2")
        upstream.wait(lambda: "lock.cancel_lockdown" in upstream.types(), "what both did")
        doord.kill()
        upstream.wait(lambda: upstream.on("status")[-1]["online"] is False, "the last will")
        doord.start()
        listens(upstream)
        upstream.send("commands", order("lock_down", "c-1"))
        again = answered(upstream, "c-1", 2)
        assert again == first or again["code"] == "duplicate"  # the answer may have died with the daemon
        assert doord.ask("status")["doors"]["front"]["mode"] == "locked"
        assert upstream.types().count("lock.lock_down") == 1


def test_a_replay_sends_records_again_and_a_diagnosis_is_the_status(
    tmp_path: Path, broker: Broker, upstream: Subscriber
) -> None:
    with Live(configured(tmp_path, broker.port)) as house:
        house.sim("front", "open")
        upstream.wait(lambda: "lock.forced_open" in upstream.types(), "the alarm")
        known = len(upstream.records)
        upstream.send("commands", order("replay", "c-1", **{"from": 1}))
        assert answered(upstream, "c-1")["done"]
        upstream.wait(lambda: upstream.duplicates >= known, "everything again")
        again = upstream.on("events")[-known:]
        assert all(record["data"]["replayed"] for record in again)
        assert [int(record["sequence"]) for record in again] == list(range(1, known + 1))
        upstream.send("commands", order("diagnose", "c-2"))
        told = answered(upstream, "c-2")["outcomes"]
        assert told["doors"]["front"]["alarm"] == "forced_open"
        assert told["upstream"]["state"] == "online"


# --- what brokers do -----------------------------------------------------------------------------


def test_a_killed_daemon_has_a_last_will_and_a_stopped_one_says_goodbye(
    tmp_path: Path, broker: Broker, upstream: Subscriber
) -> None:
    with Doord(configured(tmp_path, broker.port)) as doord:
        upstream.wait(lambda: any(status["online"] for status in upstream.on("status")), "the status")
        doord.kill()
        upstream.wait(lambda: upstream.on("status")[-1]["online"] is False, "the last will")
        doord.start()
        upstream.wait(lambda: upstream.on("status")[-1]["online"] is True, "the status")
        doord.stop()
        upstream.wait(lambda: upstream.on("status")[-1]["online"] is False, "the goodbye")
        goodbye = upstream.on("status")[-1]
        assert goodbye["sequence"] == max(upstream.sequences)
        assert goodbye["stream"].startswith("test/")
        assert goodbye["doors"] == ["front"]
        doord.start()
        upstream.wait(lambda: "controller.stop" in upstream.types(), "the last words, which a slow disk kept")


@pytest.mark.parametrize("ack", ["broker", "application"])
def test_a_broker_that_forgets_everything_loses_no_record(tmp_path: Path, broker: Broker, ack: str) -> None:
    with (
        Subscriber(broker.port, BASE, acknowledges=ack == "application") as upstream,
        Doord(configured(tmp_path, broker.port, f'ack = "{ack}"')) as doord,
    ):
        upstream.wait(lambda: "controller.start" in upstream.types(), "the start")
        broker.stop()
        for _ in range(3):
            for action in ("open", "close"):
                doord.sim("front", action)
        committed = until(lambda: _committed(doord, 10), "the records")
        broker.start()
        upstream.wait(lambda: len(upstream.records) >= committed, "what happened meanwhile")
        upstream.check_chain()
        until(lambda: doord.ask("status")["upstream"]["cursor"] >= committed, "the acknowledgement")


def _committed(doord: Doord, least: int) -> int:
    found = int(doord.ask("status")["log"]["committed"])
    return found if found >= least else 0


def test_while_nobody_subscribes_records_wait(tmp_path: Path, broker: Broker) -> None:
    with Proxy(broker.port) as proxy, Doord(configured(tmp_path, proxy.port)) as doord:
        until(lambda: doord.ask("status")["upstream"]["state"] == "no_subscriber", "the state")
        assert doord.ask("status")["upstream"]["cursor"] == 0
        with Subscriber(broker.port, BASE) as upstream:
            proxy.cut()  # a new connection does not wait for the 30 s
            upstream.wait(lambda: "controller.start" in upstream.types(), "what waited")
            until(lambda: doord.ask("status")["upstream"]["state"] == "online", "the state")


def test_a_broker_that_refuses_our_events_is_a_fault_and_no_success(tmp_path: Path) -> None:
    access = tmp_path / "acl"
    access.write_text("".join(f"topic readwrite {BASE}/{name}\n" for name in ("status", "alarms", "doors/+/state")))
    with (
        Broker(tmp_path / "broker", f"{OPEN}acl_file {access}\n") as broker,
        Doord(configured(tmp_path, broker.port)) as doord,
    ):
        # mosquitto 2.0.11 also ends the connection after some refusals, so the state may say offline
        until(lambda: "reason 0x87" in (doord.ask("status")["upstream"]["last_error"] or ""), "the refusal")
        assert doord.ask("status")["upstream"]["cursor"] == 0

        def faults() -> list[str]:
            found = [record["data"] for record in doord.ask("events", type=["controller.fault"])["records"]]
            return [data["message"] for data in found if data["object"]["type"] == "upstream"]

        until(lambda: any("events" in fault for fault in faults()), "the fault")
        assert any("/stream" in fault for fault in faults()), "an access list of an earlier release does not know it"


def _refused(doord: Doord) -> Any:
    found = doord.ask("status")["upstream"]
    return found if found["state"] == "refused" else None


def test_a_wrong_password_is_a_fault_until_it_is_right(tmp_path: Path) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "password"
    program = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
    subprocess.run([program, "-b", "-c", str(passwords), "test", "right"], check=True, capture_output=True)
    secret.write_text("wrong\n")
    lines = ('username = "test"', f'password_file = "{secret}"')
    with (
        Broker(tmp_path / "broker", f"allow_anonymous false\npassword_file {passwords}\n") as broker,
        Doord(configured(tmp_path, broker.port, *lines)) as doord,
    ):
        told = until(lambda: _refused(doord), "the refusal")
        assert "the broker refused us" in told["last_error"]
        until(lambda: doord.ask("events", type=["controller.fault"])["records"], "the fault")
        secret.write_text("right\n")
        until(lambda: doord.ask("events", type=["controller.fault_cleared"])["records"], "the end of the fault")
        assert len(doord.ask("events", type=["controller.fault"])["records"]) == 1


def test_a_broker_that_takes_two_at_a_time_gets_two_at_a_time(tmp_path: Path) -> None:
    with (
        Broker(tmp_path / "broker", f"{OPEN}max_inflight_messages 2\n") as broker,
        Subscriber(broker.port, BASE) as upstream,
    ):
        asyncio.run(_fill(tmp_path / "log.db", 200))
        with Doord(configured(tmp_path, broker.port)) as doord:
            upstream.wait(lambda: len(upstream.records) > 200, "the backlog")
            assert doord.ask("status")["upstream"]["window"] == 2
            assert doord.ask("status")["upstream"]["reconnects"] == 0
            upstream.check_chain()


async def _fill(path: Path, count: int) -> None:
    """Records that nobody has fetched; the last one is an alarm."""
    clock = Clock()
    log = Log(path, "test", clock, LogOptions(sinks=("mqtt",)))
    log.start()
    await log.opened()
    kinds = ["lock.opened"] * (count - 1) + ["lock.forced_open"]
    log.append([Event(kind, clock.now_ns(), FRONT, door="front") for kind in kinds])
    assert await log.close(PATIENCE_S) == 0


def test_an_alarm_from_before_overtakes_3000_records(tmp_path: Path, broker: Broker, upstream: Subscriber) -> None:
    asyncio.run(_fill(tmp_path / "log.db", 3_000))
    with Doord(configured(tmp_path, broker.port)):
        upstream.wait(lambda: len(upstream.records) > 3_000, "the backlog")
        order_of_arrival = [
            (name, content["sequence"]) for name, content, _ in upstream.messages if "sequence" in content
        ]
        alarm = order_of_arrival.index(("alarms", "0000000000003000"))
        assert alarm < order_of_arrival.index(("events", "0000000000002000"))
        assert upstream.types("alarms") == ["lock.forced_open"]
        upstream.check_chain()


def test_a_broker_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    port = free_port()
    with Doord(configured(tmp_path, port)) as doord:
        until(lambda: doord.ask("status")["upstream"]["state"] == "offline", "the state")
        assert "refused" in doord.ask("status")["upstream"]["last_error"].lower()
        with Broker(tmp_path / "broker", OPEN, port=port), Subscriber(port, BASE) as upstream:
            upstream.wait(lambda: "controller.start" in upstream.types(), "the first record")


def test_a_broker_of_small_packets_gets_everything_that_fits(tmp_path: Path) -> None:
    """Its limit is announced: whoever sends more is cut off (MQTT 5, 3.2.2.3.6)."""
    doors = ("front", "back", "side", "garage")
    asked = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    asked.CorrelationData = b"c" * 2_500
    with (
        Broker(tmp_path / "broker", f"{OPEN}max_packet_size 3000\n") as broker,
        Subscriber(broker.port, BASE) as upstream,
    ):
        config = configured(tmp_path, broker.port, "[home_assistant]", doors=doors)
        with Live(config) as house:
            listens(upstream)
            upstream.send("commands", order("diagnose", "d1", expires_at=None), properties=asked)
            answer = answered(upstream, "d1")
            assert (answer["done"], answer["outcomes"]) == (True, {})
            happening = {"type": "user.activate_2fa", "object": {"type": "user", "id": "u", "name": "n"}}
            record = order("record", "r1", event=happening | {"details": {"x": "a" * 2_300}})
            upstream.send("commands", record)
            assert answered(upstream, "r1")["done"]
            upstream.wait(lambda: "user.activate_2fa" in upstream.types(), "the record")
            house.sim("front", "open")
            upstream.wait(lambda: "lock.forced_open" in upstream.types("alarms"), "the alarm")
            told = house.ask("status")["upstream"]
            assert (told["reconnects"], told["state"]) == (0, "online")
            assert f"{BASE}/events" in told["left_out"]
            assert any(topic.startswith("homeassistant/") for topic in told["left_out"])
    cut = next(record for record in upstream.on("events") if record["type"] == "user.activate_2fa")
    assert cut["data"]["details"] == {"truncated": True}
