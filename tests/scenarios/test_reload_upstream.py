"""A reload takes over the broker, the first directory and whatever else can be changed beside guarded doors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge.config.checking import against_running
from edge.config.reading import load
from tests.support.broker import Broker
from tests.support.cli import Doorctl
from tests.support.doord import Doord
from tests.support.house import write_config
from tests.support.subscriber import Subscriber
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

OPEN = "allow_anonymous true\n"
TOPIC = "doorward/v1/lab/test"
OTHER = "other/v2/lab/test"
MQTT = '[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n'


def reloaded(doord: Doord, text: str) -> tuple[list[str], list[str]]:
    """What a reload of this configuration applies, and what it leaves; nothing is wrong with it."""
    doord.config.write_text(text)
    assert against_running(doord.socket, load(doord.config)) is not None
    answer: Any = doord.ask("reload")
    assert answer["errors"] == []
    return answer["applied"], answer["needs_restart"]


def test_the_broker_comes_changes_and_goes(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    alone = config.read_text()
    with (
        Broker(tmp_path / "one", OPEN) as one,
        Broker(tmp_path / "two", OPEN) as two,
        Subscriber(one.port, TOPIC) as here,
        Subscriber(two.port, TOPIC) as there,
        Doord(config) as doord,
    ):
        doord.sim("front", "open")
        doord.ask("command", command="unlock", door="front", for_s=600.0)
        assert doord.ask("status")["upstream"] is None
        with_one = alone + MQTT.format(port=one.port)
        assert reloaded(doord, with_one) == (["mqtt"], [])
        here.wait(lambda: "lock.unlock" in here.types(), "what happened before")
        assert doord.ask("status")["doors"]["front"]["lock"] == "unlocked", "doors do not notice"
        doord.sim("front", "close")
        here.wait(lambda: "lock.closed" in here.types(), "what happens now")
        here.check_chain()
        acknowledged = until(lambda: _all_sent(doord), "the cursor")

        # another broker goes on from the cursor; the one before is told that we went
        assert reloaded(doord, alone + MQTT.format(port=two.port)) == (["mqtt.url"], [])
        doord.sim("front", "open")
        there.wait(lambda: "lock.opened" in there.types(), "what happens at another broker")
        assert min(there.sequences) > acknowledged - 1
        assert here.on("status")[-1]["online"] is False
        until(lambda: _all_sent(doord), "the cursor")

        # every key of the section, all at once, is taken over
        with Subscriber(two.port, OTHER, name="other") as other:
            more = MQTT.format(port=two.port) + (
                'prefix = "other/v2"\nack = "application"\nwindow = 3\nkeepalive_s = 7\nusername = "hq"\n'
            )
            keys = ["mqtt.username", "mqtt.ack", "mqtt.window", "mqtt.prefix", "mqtt.keepalive_s"]
            applied, waiting = reloaded(doord, alone + more)
            assert (sorted(applied), waiting) == (sorted(keys), [])
            doord.sim("front", "close")
            other.wait(lambda: "lock.closed" in other.types(), "the other prefix")
            until(lambda: doord.ask("status")["upstream"]["window"] == 3, "the window")
            assert doord.ask("status")["upstream"]["ack"] == "application"

        assert reloaded(doord, alone) == (["mqtt"], [])
        assert doord.ask("status")["upstream"] is None
        doord.ask("command", command="unlock", door="front", for_s=600.0)
        assert doord.ask("status")["doors"]["front"]["lock"] == "unlocked"


def _all_sent(doord: Doord) -> int:
    """The cursor, once nothing waits."""
    upstream = doord.ask("status")["upstream"]
    return 0 if upstream["backlog"] else int(upstream["cursor"])


def test_home_assistant_is_told_as_soon_as_it_is_there(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    alone = config.read_text()
    with Broker(tmp_path / "broker", OPEN) as broker, Doord(config) as doord:
        text = alone + MQTT.format(port=broker.port)
        reloaded(doord, text)
        with Subscriber(broker.port, "homeassistant", name="home") as home:
            assert reloaded(doord, text + "[home_assistant]\n") == (["home_assistant"], [])
            home.wait(lambda: home.messages, "the announcement")


def test_the_first_directory_is_taken_over_and_another_and_none(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    alone = config.read_text()
    for number, name in ((1, "first.json"), (2, "second.json")):
        (tmp_path / name).write_text(json.dumps({"version": number, "users": [{"id": f"u{number}", "name": "Ada"}]}))
    with Doord(config) as doord:
        assert doord.ask("status")["directory"]["version"] == 0
        for number, name in ((1, "first.json"), (2, "second.json")):
            applied, waiting = reloaded(doord, alone + f'[directory]\nfile = "{name}"\n')
            assert (applied, waiting) == (["directory.file", "directory"], [])
            assert doord.ask("status")["directory"]["version"] == number
        assert reloaded(doord, alone) == (["directory.file"], [])
        assert doord.ask("status")["directory"]["version"] == 2, "the one in force stays"
        doord.config.write_text(alone + '[directory]\nfile = "none.json"\n')
        assert "No such file" in doord.ask("reload")["errors"][0]
        assert reloaded(doord, alone) == (["directory.file"], [])
        assert doord.ask("status")["directory"]["error"] is None


def test_a_check_says_before_it_is_saved_what_needs_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, unlock_s=5.0)
    draft = tmp_path / "draft.toml"
    doorctl = Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)
    with Doord(config):
        assert doorctl("check", str(config)).lines[1:] == ["doord already runs with this configuration"]
        text = config.read_text().replace("unlock_s = 5.0", "unlock_s = 6.0")
        draft.write_text(
            text.replace('name = "Test"', 'name = "Lobby"')
            + '[door.back]\nlock = { driver = "bench", resting = "locked" }\n[report.daily]\nevery = "day"\n'
        )
        said = doorctl("check", str(draft))
        assert (said.code, said.lines[1:]) == (
            0,
            [
                "doorctl reload applies: door.front.unlock_s, door.back",
                "only after systemctl restart doord: controller.name, report.daily",
            ],
        )
        found = doorctl("check", str(draft), "--json").json["reload"]
        assert found["applied"] == ["door.front.unlock_s", "door.back"]
        draft.write_text(text.replace("front", "main"))
        assert doorctl("check", str(draft)).lines[1:] == [
            "only after systemctl restart doord: door.front, door.main"
        ], "a door that went keeps its wires until then"
        draft.write_text(text.replace('id = "test"', 'id = "elsewhere"'))
        assert len(doorctl("check", str(draft)).lines) == 1, "another controller's configuration is not compared"
    draft.write_text(text)
    assert len(doorctl("check", str(draft)).lines) == 1
    assert doorctl("check", str(draft), "--json").json["reload"] is None
