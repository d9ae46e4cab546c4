"""Signed commands through a real mosquitto: whoever has the broker's password, and no key, moves nothing."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from edge.cli.main import main
from edge.commands.shape import Signer
from edge.commands.tokens import thumbprint
from edge.model.messages import ClockQuality
from tests.support.broker import Broker
from tests.support.house import write_config
from tests.support.live import Live
from tests.support.signatures import Pair
from tests.support.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BASE = "doorward/v1/lab/test"
HQ, LOBBY, STRANGER, NEW = Pair(1), Pair(2), Pair(3), Pair(4)
KEYS = """
[commands]
keys = ["hq.pub.pem"]
[commands.key.lobby]
file = "lobby.pub.pem"
commands = ["unlock"]
doors = ["front"]
"""
HAPPENED = {
    "type": "user.activate_2fa",
    "object": {"type": "user", "id": "u-7", "name": "Ann"},
    "details": {"by": "app"},
}
FACTS = {
    name: Signer(called, thumbprint(pair.public)).facts()
    for name, called, pair in (("hq", "hq.pub.pem", HQ), ("lobby", "lobby", LOBBY), ("new", "hq.pub.pem", NEW))
}


def claims(command: str, number: str, **more: Any) -> dict[str, Any]:
    now_s = int(time.time())
    whole = {"aud": "test", "jti": number, "iat": now_s, "exp": now_s + 60, "command": command, "actor": {"id": "ann"}}
    whole |= {} if command in {"diagnose", "record", "replay"} else {"door": "front"}
    return {key: value for key, value in {**whole, **more}.items() if value is not None}


class Yard:
    """A controller with two doors and two keys, its broker, and an upstream that hears everything."""

    def __init__(self, folder: Path, house: Live, upstream: Subscriber) -> None:
        self.folder, self.house, self.upstream = folder, house, upstream

    def send(self, payload: bytes, count: int = 1) -> dict[str, Any]:
        """The answer, which is the `count`-th there is."""
        self.upstream.send("commands", payload)
        self.upstream.wait(lambda: len(self.upstream.on("replies")) >= count, f"answer {count}")
        return dict(self.upstream.on("replies")[count - 1])

    def record(self, kind: str, code: str | None = None) -> dict[str, Any]:
        """The data of the one record like this, once it is there."""

        def found() -> list[dict[str, Any]]:
            return [r["data"] for r in self.upstream.on("events") if (r["type"], r["data"]["code"]) == (kind, code)]

        self.upstream.wait(found, f"{kind} with code {code}")
        [one] = found()
        return one

    def moved(self) -> list[str]:
        """Everything that was done at doors so far."""
        done = [r for r in self.upstream.on("events") if r["type"].startswith("lock.") and r["data"]["success"]]
        return [record["type"] for record in done]

    def door(self, door: str = "front") -> dict[str, Any]:
        return dict(self.house.ask("status")["doors"][door])

    def settled(self) -> None:
        """Everything that was recorded has come, for a local command behind it has."""
        self.house.ask("command", command="block", door="back")
        self.upstream.wait(lambda: "lock.update" in self.upstream.types(), "a record of what came later")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    HQ.write(tmp_path / "hq.pub.pem")
    LOBBY.write(tmp_path / "lobby.pub.pem")
    return tmp_path


def serving(folder: Path, port: int, keys: str = KEYS) -> Path:
    config = write_config(folder, doors=("front", "back"), unlock_s=1.0)
    config.write_text(f'{config.read_text()}\n[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n{keys}')
    return config


@pytest.fixture
def broker(folder: Path) -> Iterator[Broker]:
    with Broker(folder / "broker") as found:
        yield found


def listens(upstream: Subscriber) -> None:
    upstream.wait(lambda: upstream.on("status") and upstream.on("status")[-1]["online"], "the status")


@pytest.fixture
def yard(folder: Path, broker: Broker) -> Iterator[Yard]:
    config = serving(folder, broker.port)
    with Subscriber(broker.port, BASE) as upstream, Live(config) as house:
        listens(upstream)
        yield Yard(folder, house, upstream)


def test_a_captured_unlock_sent_again_moves_nothing_and_gets_the_first_answer(yard: Yard) -> None:
    token = HQ.token(claims("unlock", "c-1", for_s=0.5))
    first = yard.send(token)
    assert (first["id"], first["done"]) == ("c-1", True)
    unlock = yard.record("lock.unlock")
    assert unlock["details"] == {"for_s": 0.5, "signed_by": FACTS["hq"]}
    assert unlock["actor"] == {"kind": "operator", "id": "ann"}
    yard.upstream.wait(lambda: "lock.locked" in yard.upstream.types(), "the end of it")
    for count in (2, 3, 4):
        assert yard.send(token + b"\n" * (count % 2), count) == first
    yard.settled()
    done = [kind for kind in yard.moved() if kind != "lock.access_not_taken"]  # which comes a little later
    assert done == ["lock.unlock", "lock.locked", "lock.update"]
    assert yard.door()["lock"] == "locked"


def test_a_captured_unlock_is_no_use_after_a_restart_either(folder: Path, broker: Broker) -> None:
    config, token = serving(folder, broker.port), HQ.token(claims("unlock", "c-1", for_s=0.5))
    with Subscriber(broker.port, BASE) as upstream:
        with Live(config) as house:
            listens(upstream)
            first = Yard(folder, house, upstream).send(token)
            assert first["done"]
            upstream.wait(lambda: "lock.locked" in upstream.types(), "the end of it")
        upstream.wait(lambda: upstream.on("status")[-1]["online"] is False, "the goodbye")
        with Live(config) as house:
            listens(upstream)
            again = Yard(folder, house, upstream)
            answer = again.send(token, 2)
            assert answer == first
            again.settled()
            assert again.moved().count("lock.unlock") == 1


def refusals() -> dict[str, tuple[bytes, str | None, str, str | None]]:
    """Payload, id in the answer, type of the record, and who signed it, under code and name."""
    good = claims("hold_unlocked", "no")
    signed = HQ.token(good)
    half = len(signed) // 2
    plain = {key: value for key, value in good.items() if key not in {"aud", "jti", "iat", "exp"}}
    fault, unlock = "controller.fault", "lock.unlock"
    return {
        "not_signed plain": (
            json.dumps({**plain, "id": "no", "issued_at": "2026-11-22T21:57:00Z"}).encode(),
            "no",
            unlock,
            None,
        ),
        "bad_signature changed": (signed[:half] + bytes([signed[half] ^ 1]) + signed[half + 1 :], None, fault, None),
        "bad_signature stranger": (STRANGER.token(good), None, fault, None),
        "bad_signature none": (HQ.token(good, {"alg": "none"}), None, fault, None),
        "wrong_audience foreign": (HQ.token({**good, "aud": "other"}), "no", unlock, "hq"),
        "expired": (HQ.token({**good, "iat": good["iat"] - 99, "exp": good["iat"] - 9}), "no", unlock, "hq"),
        "valid_too_long": (HQ.token({**good, "exp": good["iat"] + 86_401}), "no", unlock, "hq"),
        "not_permitted command": (LOBBY.token(good), "no", unlock, "lobby"),
        "not_permitted door": (LOBBY.token(claims("unlock", "no", door="back")), "no", unlock, "lobby"),
        "not_permitted all": (LOBBY.token(claims("unlock", "no", door=None, all=True)), "no", unlock, "lobby"),
        "not_permitted record": (LOBBY.token(claims("record", "no", event=HAPPENED)), "no", fault, "lobby"),
        "not_permitted edit": (
            LOBBY.token(claims("edit_directory", "no", door=None, changes=[])),
            "no",
            fault,
            "lobby",
        ),
        "malformed": (HQ.token({**good, "sudo": True}), "no", unlock, "hq"),
        "invalid_directory": (HQ.token(claims("apply_directory", "no", door=None, directory={})), "no", fault, "hq"),
        "not_recordable": (
            HQ.token(claims("record", "no", event={**HAPPENED, "type": "lock.opened"})),
            "no",
            fault,
            "hq",
        ),
    }


@pytest.mark.parametrize("name", refusals())
def test_what_is_refused_moves_nothing_and_is_answered_and_recorded(yard: Yard, name: str) -> None:
    payload, number, kind, signer = refusals()[name]
    code = name.partition(" ")[0]
    answer = yard.send(payload)
    assert (answer["code"], answer["done"], answer["id"]) == (code, False, number)
    told = yard.record(kind, code)
    assert told["success"] is False
    assert told["details"].get("signed_by") == (FACTS[signer] if signer else None)
    known = signer is not None and code in {"expired", "invalid_directory", "not_permitted", "not_recordable"}
    assert told["actor"]["id"] == ("ann" if known else "mqtt")
    yard.settled()
    assert yard.moved() == ["lock.update"]
    assert not [record for record in yard.upstream.on("events") if record["type"] == HAPPENED["type"]]
    assert yard.door()["mode"] == "locked"


def test_a_key_does_what_it_may(yard: Yard) -> None:
    assert yard.send(LOBBY.token(claims("unlock", "c-1")))["done"]
    assert yard.record("lock.unlock")["details"]["signed_by"] == FACTS["lobby"]


def test_every_record_of_a_signed_command_names_the_key(yard: Yard) -> None:
    for count, command in enumerate(("hold_unlocked", "lock_down", "cancel_lockdown", "lock", "block"), 1):
        assert yard.send(HQ.token(claims(command, f"c-{count}")), count)["done"]
    update = yard.record("lock.update")
    assert update["details"] == {
        "operator_mode": [update["details"]["operator_mode"][0], "blocked"],
        "signed_by": FACTS["hq"],
    }
    for record in yard.upstream.on("events"):
        if record["type"].startswith("lock.") and record["data"]["actor"]:
            assert record["data"]["details"]["signed_by"] == FACTS["hq"], record["type"]


def test_what_a_door_refuses_names_the_key_too(yard: Yard) -> None:
    assert yard.send(HQ.token(claims("lock_down", "c-1")))["done"]
    assert yard.send(LOBBY.token(claims("unlock", "c-2")), 2)["code"] == "locked_down"
    assert yard.record("lock.unlock", "locked_down")["details"] == {"signed_by": FACTS["lobby"]}


def test_an_entry_is_in_the_log_once_with_who_entered_it(yard: Yard) -> None:
    token = HQ.token(claims("record", "r-1", event={**HAPPENED, "time": "2026-11-22T20:00:00Z"}))
    first = yard.send(token)
    assert first["done"]
    assert yard.send(token, 2) == first
    entered = yard.record("user.activate_2fa")
    assert entered["class"] == "audit"
    assert entered["object"] == {"type": "user", "id": "u-7", "name": "Ann"}
    assert entered["actor"] == {"kind": "operator", "id": "ann"}
    assert entered["details"] == {"by": "app", "happened_at": "2026-11-22T20:00:00Z", "signed_by": FACTS["hq"]}
    yard.settled()
    assert yard.upstream.types().count("user.activate_2fa") == 1


def test_without_keys_an_entry_is_anybodys_whom_the_broker_lets_in(folder: Path, broker: Broker) -> None:
    body = {"id": "r-1", "command": "record", "issued_at": "2026-11-22T21:57:00Z", "actor": {"id": "ann"}}
    with Subscriber(broker.port, BASE) as upstream, Live(serving(folder, broker.port, "")) as house:
        listens(upstream)
        yard = Yard(folder, house, upstream)
        assert yard.send(json.dumps({**body, "event": HAPPENED}).encode())["done"]
        assert yard.record("user.activate_2fa")["details"] == {"by": "app"}


def test_without_a_clock_a_signed_hold_is_refused(folder: Path, broker: Broker) -> None:
    with (
        Subscriber(broker.port, BASE) as upstream,
        Live(serving(folder, broker.port), quality=ClockQuality.UNSYNCED) as house,
    ):
        listens(upstream)
        yard = Yard(folder, house, upstream)
        assert yard.send(HQ.token(claims("hold_unlocked", "c-1")))["code"] == "clock_unsynced"
        assert yard.send(HQ.token(claims("lock_down", "c-2")), 2)["done"]


# --- keys come and go without a restart ---------------------------------------------------------------


def test_a_changed_key_file_counts_from_the_next_reload_on(yard: Yard) -> None:
    NEW.write(yard.folder / "hq.pub.pem")
    assert yard.send(HQ.token(claims("unlock", "c-1")), 1)["done"]  # not read again yet
    assert yard.house.ask("reload") == {"applied": ["commands"], "needs_restart": [], "errors": []}
    assert yard.send(HQ.token(claims("unlock", "c-2")), 2)["code"] == "bad_signature"
    assert yard.send(NEW.token(claims("lock_down", "c-3")), 3)["done"]
    assert yard.record("lock.lock_down")["details"]["signed_by"] == FACTS["new"]
    assert yard.house.ask("reload") == {"applied": [], "needs_restart": [], "errors": []}


def test_permissions_and_keys_of_the_configuration_are_taken_over_live(yard: Yard) -> None:
    config = yard.folder / "doorward.toml"
    config.write_text(config.read_text().replace('commands = ["unlock"]', 'commands = ["lock_down"]'))
    assert yard.house.ask("reload")["applied"] == ["commands.key.lobby"]
    assert yard.send(LOBBY.token(claims("unlock", "c-1")))["code"] == "not_permitted"
    assert yard.send(LOBBY.token(claims("lock_down", "c-2")), 2)["done"]
    config.write_text(config.read_text().partition("[commands]")[0])
    assert yard.house.ask("reload")["applied"] == ["commands.key.lobby", "commands.keys"]
    assert yard.send(LOBBY.token(claims("cancel_lockdown", "c-3")), 3)["code"] == "malformed"
    plain = {"id": "c-4", "command": "cancel_lockdown", "door": "front", "actor": {"id": "ann"}}
    assert yard.send(json.dumps({**plain, "issued_at": "2026-11-22T21:57:00Z"}).encode(), 4)["done"]


def test_a_bad_key_file_changes_nothing_at_a_reload(yard: Yard) -> None:
    (yard.folder / "hq.pub.pem").write_bytes(HQ.private_pem)
    (yard.folder / "lobby.pub.pem").unlink()
    found = yard.house.ask("reload")
    assert (found["applied"], found["needs_restart"]) == ([], [])
    assert [error.split(": ")[1] for error in found["errors"]] == ["commands.keys[0]", "commands.key.lobby"]
    assert yard.send(LOBBY.token(claims("unlock", "c-1")))["done"]


def test_a_bad_key_file_at_the_start_is_a_fault_until_it_is_mended(folder: Path, broker: Broker) -> None:
    (folder / "hq.pub.pem").unlink()
    with Subscriber(broker.port, BASE) as upstream, Live(serving(folder, broker.port)) as house:
        listens(upstream)
        yard = Yard(folder, house, upstream)
        assert "No such file" in yard.record("controller.fault")["details"]["reason"]
        assert yard.send(HQ.token(claims("unlock", "c-1")))["code"] == "bad_signature"
        assert yard.send(LOBBY.token(claims("unlock", "c-2")), 2)["done"]
        HQ.write(folder / "hq.pub.pem")
        assert house.ask("reload")["applied"] == ["commands"]
        assert yard.record("controller.fault_cleared")["object"]["id"] == "commands.keys[0]"
        assert yard.send(HQ.token(claims("lock_down", "c-3")), 3)["done"]


# --- by hand ------------------------------------------------------------------------------------------


def test_what_doorctl_signs_goes_through_mosquitto_pub(
    yard: Yard, broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "hq.key"
    key.write_bytes(HQ.private_pem)
    key.chmod(0o600)
    words = ["sign", "--key", str(key), "--controller", "test", "unlock", "--door", "front", "--id", "by-hand"]
    assert main(words) == 0
    token = capsys.readouterr().out
    send = ["mosquitto_pub", "-V", "5", "-q", "1", "-p", str(broker.port), "-t", f"{BASE}/commands", "-s"]
    subprocess.run(send, input=token.encode(), check=True, capture_output=True, timeout=60)
    yard.upstream.wait(lambda: yard.upstream.on("replies"), "the answer")
    [answer] = yard.upstream.on("replies")
    assert (answer["id"], answer["done"]) == ("by-hand", True)
    assert yard.record("lock.unlock")["details"]["signed_by"] == FACTS["hq"]


def test_commands_at_the_socket_need_no_signature(yard: Yard) -> None:
    assert yard.house.ask("command", command="lock_down", door="front")["outcomes"]["front"]["done"]
    assert yard.door()["mode"] == "locked_down"
    assert yard.record("lock.lock_down")["details"] == {}
