"""`make demo`: doord with four simulated doors, a broker and a page of its own, a little traffic, and what arrives.

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

from edge.cli.client import Client, Refused, Unreachable
from edge.cli.text import event_line, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONFIG: Final = Path(__file__).parents[1] / "config" / "simulated.toml"
READY_WITHIN_S: Final = 20.0
SCRIPT: Final[tuple[tuple[str, tuple[tuple[str, ...] | float, ...]], ...]] = (
    (
        "Ada comes in with her card, and shows a visitor out",
        (
            *(("sim", "front", "card", "0:1001"), 0.5, ("sim", "front", "open"), 1.5, ("sim", "front", "close"), 1.0),
            *(("sim", "front", "rex"), 0.5, ("sim", "front", "open"), 1.5, ("sim", "front", "close")),
        ),
    ),
    (
        "a stranger's card, one that was lost, and one of a member who is disabled",
        (
            *(("sim", "back", "card", "12:7777"), 0.5),
            *(("sim", "back", "card", "0:1004"), 0.5),
            *(("sim", "back", "card", "0:1003"), 0.5),
        ),
    ),
    (
        "the server room wants card and PIN: a wrong one, then the right one",
        (
            *(("sim", "server-room", "card", "0:1001 pin 1111"), 1.0),
            *(("sim", "server-room", "card", "0:1001 pin 2580"), 1.0),
            *(("sim", "server-room", "open"), 1.5, ("sim", "server-room", "close")),
        ),
    ),
    (
        "an operator lets somebody in at the back",
        (("unlock", "back"), 1.0, ("sim", "back", "open"), 2.0, ("sim", "back", "close")),
    ),
    ("the server room is levered open", (("sim", "server-room", "open"), 2.5, ("sim", "server-room", "close"))),
    (
        "somebody is let into the server room and props it open",
        (("unlock", "server-room"), 0.5, ("sim", "server-room", "open"), 6.0, ("sim", "server-room", "close")),
    ),
    ("the garage is unlocked, and nobody comes", (("unlock", "garage"), 4.5)),
    ("a cable is cut, and mended", (("sim", "garage", "cut"), 1.5, ("sim", "garage", "mend"), 0.5)),
    (
        "lockdown: everybody is refused, exits work",
        (
            ("lock_down", "front"),
            0.5,
            ("unlock", "front"),
            0.5,
            ("sim", "front", "rex"),
            1.0,
            ("cancel_lockdown", "front"),
        ),
    ),
)
"""What happens, in a circle: a title, then actions and pauses in seconds."""


def main() -> int:
    """Run until Ctrl-C."""
    # Ctrl-C reaches the whole group at once; the children are ended in order instead, by us.
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doorward-demo-")))
        broker = find_broker()
        port = free_port()
        if broker is None:
            say("there is no mosquitto here, so the log alone is shown (sudo apt-get install mosquitto)")
        else:
            (folder / "broker.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
            stack.enter_context(child([broker, "-c", str(folder / "broker.conf")], folder / "broker.log"))
            wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), "the broker", folder)
        config = write_config(folder, None if broker is None else port)
        subscriber = None if broker is None else Subscriber(port)
        stack.enter_context(child([sys.executable, "-m", "edge.doord", "--config", str(config)], folder / "doord.log"))
        control = folder / "doord.sock"
        wait_for(lambda: directory_of(control), "doord", folder)
        say(f"doord guards four simulated doors; try: DOORWARD_SOCKET={control} .venv/bin/doorctl watch")
        show_page(stack, folder, control)
        say(
            "every line below was read back from the broker" if subscriber else "every line below was read from the log"
        )
        say("Ctrl-C ends it")
        say()
        found = directory_of(control)
        say(f"the directory has {found['users']} users with {found['cards']} cards (doorctl events --class audit)")
        shown = threading.Thread(target=show, args=(subscriber, control), daemon=True)
        shown.start()
        try:
            while True:
                act(control)
        except Unreachable as error:
            for line in (str(error), *(folder / "doord.log").read_text().splitlines()):
                say(line)
            return 1
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of them running
            say()
            say("the doors are locked, the log is written, all is ended")
        finally:
            if subscriber is not None:
                subscriber.close()
    return 0


def show_page(stack: contextlib.ExitStack, folder: Path, control: Path) -> None:
    """The local page beside it, for one who may do everything; nothing where it is not installed."""
    try:
        from edge.web import accounts  # noqa: PLC0415 -- argon2 is there only where the page is
    except ModuleNotFoundError as error:
        say(f"the local page is not installed here: no {error.name}")
        return
    port, password = free_port(), secrets.token_urlsafe(9)
    account = accounts.Account("demo", accounts.Role.OPERATOR, accounts.hashed(password))
    accounts.save(folder / "accounts.json", {account.name: account})
    with Client(control) as client:
        client.ask("login", action="create", login=account.name, role=str(account.role))
    web = f'\n[web]\nlisten = "127.0.0.1:{port}"\ntls = false\naccounts = "accounts.json"\n'
    config = folder / "doorweb.toml"
    config.write_text((folder / "doorward.toml").read_text() + web)
    stack.enter_context(child([sys.executable, "-m", "edge.web", "--config", str(config)], folder / "doorweb.log"))
    wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), "doorweb", folder)
    say(f"the local page is at http://127.0.0.1:{port}, for {account.name} with the password {password}")


def act(control: Path) -> None:
    """Once around the script."""
    for title, actions in SCRIPT:
        say(f"--- {title}")
        for action in actions:
            if isinstance(action, float):
                time.sleep(action)
                continue
            with Client(control) as client, contextlib.suppress(Refused):
                if action[0] == "sim":
                    client.ask("sim", door=action[1], action=action[2], argument=" ".join(action[3:]) or None)
                else:
                    client.ask("command", command=action[0], door=action[1])
        time.sleep(1.0)


def directory_of(control: Path) -> dict[str, object]:
    """Who may pass, once that is in force and recorded. Raises Unreachable before."""
    with Client(control) as client:
        found: dict[str, object] = client.ask("status")["directory"]
    if found["state"] != "ready":
        raise Unreachable("the directory is not in force yet")
    return found


def show(subscriber: Subscriber | None, control: Path) -> None:
    """Print records as they arrive."""
    with contextlib.suppress(Unreachable, ValueError):
        records = subscriber.records() if subscriber else watched(control)
        for record in records:
            if not str(record["data"]["correlation"]).startswith("directory-"):  # the first ones would fill the screen
                say(event_line(record))
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
def child(command: Sequence[str], log: Path) -> Iterator[None]:
    """A program in a session of its own, so that Ctrl-C does not reach it; ended in good order."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)  # noqa: S603 -- our own words
        try:
            yield
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
