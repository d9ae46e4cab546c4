"""doord, its page, the broker and a webhook's receiver die in turn: no record and no alert is lost on its way out."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from tests.support.broker import Broker, free_port
from tests.support.doord import Doord
from tests.support.people import document
from tests.support.subscriber import Subscriber
from tests.support.waiting import until
from tests.support.web import Doorweb, write_accounts

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"a secret of a receiver"
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
url = "mqtt://127.0.0.1:{broker}"
[web]
listen = "127.0.0.1:0"
accounts = "accounts.json"
[integrations]
allow_private = true
[alert.forced]
types = ["lock.forced_open"]
severity = "alarm"
mqtt = true
webhook = ["pager"]
siren = {{ door = "front", for_s = 5 }}
quiet_s = 0
[driver.bench]
kind = "simulated"
[door.front]
name = "Front door"
lock = {{ driver = "bench", resting = "locked" }}
contact = {{ driver = "bench" }}
buzzer = {{ driver = "bench" }}
"""


class Receiver:
    """An HTTP server that can be gone for a while; it remembers every body whose signature holds."""

    def __init__(self) -> None:
        self.port = free_port()
        self.bodies: list[dict[str, Any]] = []
        self.forged = 0
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                expected = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
                if hmac.compare_digest(expected, self.headers["X-Signature"]):
                    receiver.bodies.append(json.loads(body))
                else:
                    receiver.forged += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def sequences(self) -> list[int]:
        return [int(body["sequence"]) for body in self.bodies if "sequence" in body]

    def alerts(self) -> list[dict[str, Any]]:
        return [body for body in self.bodies if "sequence" not in body]


def forced(doord: Doord, times: int = 2) -> None:
    """The door is levered open, and closed; each time that is known to be on the disk."""
    for _ in range(times):
        doord.sim("front", "open")
        until(lambda: doord.ask("status")["doors"]["front"]["alarm"] == "forced_open", "the alarm")
        doord.sim("front", "close")
        until(lambda: doord.ask("status")["doors"]["front"]["alarm"] == "normal", "the closing")
    until(lambda: doord.ask("status")["log"]["waiting"] == 0, "the disk")


def prepare(folder: Path, broker: Broker, receiver: Receiver) -> Path:
    """A configuration whose records go to this broker and this receiver."""
    url = f"http://127.0.0.1:{receiver.port}/doors"
    pager = {"id": "pager", "name": "Pager", "kind": "webhook", "types": ["lock.*"], "secret": "pager", "url": url}
    people = document() | {"integrations": [pager]}
    people["groups"] = [{**people["groups"][0], "doors": ["front"]}]
    people["members"] = [{**people["members"][0], "groups": ["always"]}]
    (folder / "directory.json").write_text(json.dumps(people))
    (folder / "secrets").mkdir()
    (folder / "secrets" / "pager").write_bytes(SECRET)
    write_accounts(folder / "accounts.json", olga="viewer")
    config = folder / "doorward.toml"
    config.write_text(CONFIG.format(broker=broker.port))
    return config


def test_nothing_is_lost_on_the_way_out_whoever_dies(tmp_path: Path) -> None:
    broker, receiver = Broker(tmp_path / "broker"), Receiver().start()
    config = prepare(tmp_path, broker, receiver)
    doord = Doord(config)
    with broker, Subscriber(broker.port, "doorward/v1/lab/test") as upstream:
        doord.start()
        until(lambda: doord.ask("status")["integrations"], "the integration")
        try:
            forced(doord)
            until(lambda: upstream.on("alerts"), "the first alert")

            receiver.stop()
            forced(doord)
            doord.kill()
            doord.start()
            forced(doord)
            receiver.start()

            page = Doorweb(config).__enter__()
            assert page.process is not None
            page.process.kill()
            page.process.wait()
            broker.stop()
            forced(doord)
            doord.kill()
            doord.start()
            broker.start()

            records = doord.ask("events", type=["lock.forced_open"])["records"]
            assert len(records) == 8
            wanted = {int(r["sequence"]) for r in doord.ask("events")["records"] if r["type"].startswith("lock.")}
            until(lambda: wanted <= set(receiver.sequences()), "every record at the webhook")
            told = {int(record["sequence"]) for record in records}
            until(lambda: told <= _about(receiver.alerts()), "every alert at the webhook")
            until(lambda: told <= _about(upstream.on("alerts")), "every alert upstream")
            until(lambda: doord.ask("alerts")["waiting"] == {}, "the end of what waits")
        finally:
            doord.stop()
            receiver.stop()
    assert receiver.forged == 0
    delivered = receiver.sequences()
    assert len(delivered) <= len(wanted) + 3 * len(records)  # at least once: what was under way at a kill, no more
    first = [sequence for at, sequence in enumerate(delivered) if sequence not in delivered[:at]]
    assert first == sorted(first)


def _about(alerts: list[dict[str, Any]]) -> set[int]:
    """The records that these alerts tell of."""
    return {alert["data"]["sequence"] for alert in alerts}
