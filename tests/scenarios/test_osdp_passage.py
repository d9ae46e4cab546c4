"""A card on the wire, a door that opens without a network, a name in the history, and upstream once it is back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from edge.directory.cards import LAYOUTS, Format, encode
from tests.support.broker import Broker
from tests.support.doord import ROOT, Doord
from tests.support.osdp_peripheral import Peripheral
from tests.support.osdp_relay import Cable
from tests.support.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = bytes(range(1, 17))
ADA, STRANGER = 1001, 7777
LED, OUTPUT = 2, 1
"""libosdp's numbers of what its device is told."""
PATIENCE_S = 120.0
"""Only tells a hang from a slow machine."""
AGAIN_S = 3.0
"""On a machine that is too slow libosdp's device forgets what it had to say."""
PEOPLE = {
    "version": 1,
    "users": [{"id": "ada", "name": "Ada Lovelace", "email": "ada@example.org"}],
    "members": [{"id": "ada", "user": "ada", "cards": ["blue-1"], "groups": ["staff"], "pin": "2580"}],
    "cards": [{"id": "blue-1", "format": "wiegand26", "facility": 0, "number": ADA}],
    "groups": [{"id": "staff", "name": "Staff", "doors": ["front"]}],
}
CONFIG = """
[controller]
id = "test"
site = "lab"
name = "Test"
[log]
path = "log.db"
[control]
socket = "doord.sock"
[directory]
file = "directory.json"
[mqtt]
url = "mqtt://127.0.0.1:{port}"
[driver.line]
kind = "osdp"
port = "{panel}"
baud = 115200
[driver.bench]
kind = "simulated"
[door.front]
name = "Front door"
reader = {{ driver = "line", address = 5, key_file = "5.key" }}
lock = {{ driver = "line", address = 5, output = 1, unlocked = "on", resting = "locked" }}
contact = {{ driver = "bench" }}
"""


def until(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    end_s = time.monotonic() + patience_s
    while not (found := condition()):
        if time.monotonic() > end_s:
            return found
        time.sleep(0.02)
    return found


def present(reader: Peripheral, number: int, seen: Callable[[], Any]) -> Any:
    """Show a card until it is seen."""
    bits = encode(LAYOUTS[Format.WIEGAND26][0], 0, number)
    for _ in range(20):
        reader.card(bits)
        if found := until(seen, AGAIN_S):
            return found
    raise AssertionError("the card never arrives")


def test_a_card_opens_its_door_while_the_broker_is_gone(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    (tmp_path / "5.key").write_text(KEY.hex() + "\n")
    (tmp_path / "directory.json").write_text(json.dumps(PEOPLE))

    def records(kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = doord.ask("events", type=[kind])["records"]
        return found

    with Cable() as cable, Peripheral(cable.readers[0], 5, key=KEY, flags="enforce") as reader:
        config = tmp_path / "doorward.toml"
        config.write_text(CONFIG.format(port=broker.port, panel=cable.panel))
        with Doord(config) as doord:
            assert until(lambda: doord.ask("status")["directory"]["version"] == 1)
            [refused, *_] = present(reader, STRANGER, lambda: records("reader.access"))
            assert (refused["data"]["success"], refused["data"]["code"]) == (False, "unknown_card")
            assert not [order for order in reader.commands(OUTPUT) if order["control_code"] == 5]

            present(reader, ADA, lambda: records("lock.unlock"))
            assert until(lambda: [order for order in reader.commands(OUTPUT) if order["control_code"] == 5])
            assert until(lambda: [order for order in reader.commands(LED) if order["on_color"] == 2])
            said = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "edge.cli",
                    "--socket",
                    str(doord.socket),
                    "events",
                    "--user",
                    "ada@example.org",
                ],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
            assert "Ada Lovelace" in said.stdout
            assert doord.ask("status")["upstream"]["state"] != "online"

            with broker, Subscriber(broker.port, "doorward/v1/lab/test") as upstream:
                upstream.wait(lambda: "lock.unlock" in upstream.types(), "the passage")
                granted = [one for one in upstream.on("events") if one["type"] == "reader.access"][-1]["data"]
                assert granted["actor"]["email"] == "ada@example.org"
                assert "2580" not in json.dumps(upstream.on("events"))
