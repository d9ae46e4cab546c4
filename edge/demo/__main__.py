"""`make demo`: doord with four simulated doors, a broker and a page of its own, a little traffic, and the outcome.

One rule: everything lives in one temporary folder and ends with Ctrl-C.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.cli.event_lines import event_line
from edge.cli.text import say
from edge.client.connection import Client, Unreachable
from edge.client.zones import local_zone
from edge.demo.story import act, summary, to_try
from edge.model.page_roles import PageRole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONFIG: Final = Path(__file__).parents[2] / "config" / "simulated.toml"
READY_WITHIN_S: Final = 60.0
LOOK_S: Final = 1.0
RULE: Final = "=" * 72


def main() -> int:
    """Run until Ctrl-C."""
    # Ctrl-C reaches the whole group at once; the children are ended in order instead, by us.
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doorward-demo-")))
        port, broker = start_broker(stack, folder)
        config = write_config(folder, port)
        subscriber = None if port is None else Subscriber(port)
        stack.enter_context(
            child([sys.executable, "-m", "edge.daemon.doord", "--config", str(config)], folder / "doord.log")
        )
        control = folder / "doord.sock"
        wait_for(lambda: directory_of(control), "doord", folder)
        introduce(start_page(stack, folder, control), control, subscriber)
        shown = threading.Thread(target=show, args=(subscriber, control), daemon=True)
        shown.start()
        try:
            act(control)
            block([*summary(control), "", *to_try(control, broker), "", "Ctrl-C ends it."])
            while True:
                directory_of(control)
                time.sleep(LOOK_S)
        except Unreachable as error:
            for line in (str(error), *(folder / "doord.log").read_text().splitlines()):
                say(line)
            return 1
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of them running
            with contextlib.suppress(Unreachable):
                block(summary(control))
            say("the doors are locked, the log is written, all is ended")
        finally:
            if subscriber is not None:
                subscriber.close()
    return 0


def start_broker(stack: contextlib.ExitStack, folder: Path) -> tuple[int | None, int | None]:
    """Its port and its process; None where there is no mosquitto."""
    program = find_broker()
    if program is None:
        say("there is no mosquitto here, so the log alone is shown (sudo apt-get install mosquitto)")
        return None, None
    port = free_port()
    (folder / "broker.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = stack.enter_context(child([program, "-c", str(folder / "broker.conf")], folder / "broker.log"))
    wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), "the broker", folder)
    return port, process.pid


def introduce(page: list[str], control: Path, subscriber: Subscriber | None) -> None:
    """What there is, before anything happens."""
    with Client(control) as client:
        status = client.ask("status")
    people = status["directory"]
    block(
        [
            f"doord guards four simulated doors, for {people['users']} people with {people['cards']} cards",
            *page,
            f"socket   {control}",
        ]
    )
    if status["clock"]["quality"] == "unsynced":
        say("nobody vouches for this computer's clock: the records say so (doorctl diagnose)")
    say(f"every line below was read {'back from the broker' if subscriber else 'from the log'}; Ctrl-C ends it")
    say()


def block(lines: Sequence[str]) -> None:
    """What nobody should overlook."""
    for line in (RULE, *lines, RULE):
        say(line)
    sys.stdout.flush()


def start_page(stack: contextlib.ExitStack, folder: Path, control: Path) -> list[str]:
    """Start the local page, for one who may do everything: what to tell of it."""
    try:
        from edge.web import accounts  # noqa: PLC0415 -- argon2 is there only where the page is
    except ModuleNotFoundError as error:
        return [f"page     not installed here: no {error.name}"]
    port, password = free_port(), secrets.token_urlsafe(9)
    account = accounts.Account("demo", PageRole.OPERATOR, accounts.hashed(password))
    accounts.save(folder / "accounts.json", {account.name: account})
    with Client(control) as client:
        client.ask("login", action="create", login=account.name, role=str(account.role))
    web = f'\n[web]\nlisten = "127.0.0.1:{port}"\ntls = false\naccounts = "accounts.json"\n'
    config = folder / "doorweb.toml"
    config.write_text((folder / "doorward.toml").read_text() + web)
    stack.enter_context(child([sys.executable, "-m", "edge.web", "--config", str(config)], folder / "doorweb.log"))
    wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), "doorweb", folder)
    return [f"page     http://127.0.0.1:{port}", f"account  {account.name}", f"password {password}"]


def directory_of(control: Path) -> dict[str, object]:
    """Who may pass, once that is in force and recorded. Raises Unreachable before."""
    with Client(control) as client:
        found: dict[str, object] = client.ask("status")["directory"]
    if found["state"] != "ready":
        raise Unreachable("the directory is not in force yet")
    return found


def show(subscriber: Subscriber | None, control: Path) -> None:
    """Print records as they arrive."""
    zone = local_zone()
    with contextlib.suppress(Unreachable, ValueError):
        records = subscriber.records() if subscriber else watched(control)
        for record in records:
            if not str(record["data"]["correlation"]).startswith("directory-"):  # the first ones would fill the screen
                say(event_line(record, zone))
                sys.stdout.flush()


def watched(control: Path) -> Iterator[dict[str, Any]]:
    """Records from the daemon's own stream."""
    with Client(control) as client:
        for item in client.stream("watch"):
            if "record" in item:
                yield item["record"]


class Subscriber:
    """An upstream: subscribes to the events of every controller at the broker."""

    def __init__(self, port: int) -> None:
        """Connected and subscribed when this returns."""
        from queue import SimpleQueue  # noqa: PLC0415 -- with paho: only where there is a broker

        from paho.mqtt import client as paho  # noqa: PLC0415 -- as above; the other end of the wire is no part of doord
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415 -- as above

        self._arrived: SimpleQueue[bytes | None] = SimpleQueue()
        subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "demo-upstream", protocol=paho.MQTTv5)
        self._client.on_message = lambda _client, _data, message: self._arrived.put(bytes(message.payload))
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("doorward/v1/+/+/events", qos=1)
        self._client.loop_start()
        subscribed.wait(READY_WITHIN_S)

    def records(self) -> Iterator[dict[str, Any]]:
        """What arrives, until closed."""
        while (payload := self._arrived.get()) is not None:
            yield json.loads(payload)

    def close(self) -> None:
        """Hang up."""
        self._arrived.put(None)
        self._client.disconnect()
        self._client.loop_stop()


def write_config(folder: Path, port: int | None) -> Path:
    """The shipped four doors, with paths of their own and times for impatient people."""
    text = CONFIG.read_text()
    text = text.replace('"~/.local/state/doorward/', '"').replace(
        '"directory.json"', json.dumps(str(CONFIG.with_name("directory.json")))
    )
    if port is not None:
        text = text.replace('# [mqtt]\n# url = "mqtt://127.0.0.1:1883"', f'[mqtt]\nurl = "mqtt://127.0.0.1:{port}"')
    text = text.replace("held_open_s = 15.0", "held_open_s = 5.0")
    text = text.replace("held_open_warning_s = 5.0\ninterlock", "held_open_warning_s = 2.0\ninterlock")
    text = text.replace("unlock_s = 10.0", "unlock_s = 3.0")
    path = folder / "doorward.toml"
    path.write_text(text)
    return path


@contextlib.contextmanager
def child(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, so that Ctrl-C does not reach it; ended in good order."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)  # noqa: S603 -- our own words
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(attempt: object, what: str, folder: Path) -> None:
    """Try until it works. Raises SystemExit with the logs when it never does."""
    end_s = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            attempt()  # type: ignore[operator]  # any callable, whatever it returns
        except (OSError, Unreachable) as error:
            if time.monotonic() > end_s:
                logs = "\n".join(path.read_text() for path in folder.glob("*.log"))
                raise SystemExit(f"{what} did not start: {error}\n{logs}") from None
            time.sleep(0.05)
        else:
            return


def find_broker() -> str | None:
    """Debian keeps mosquitto where a user's PATH may not look."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C while things still start: they have been ended
        sys.exit(main())
