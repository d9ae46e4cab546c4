"""How late doors are while somebody floods the controller, against the same with nobody (to reach: 100 ms, p99 20 ms).

Run: python -m tests.benchmarks.bench_flood [FLOOD ...] [--seconds S]

A real doord with simulated doors and a real mosquitto. While a flood runs, a door is unlocked for half a second again
and again and its exit button pressed; counted is how much later than due the lock is told to lock (as its record says),
how long after the press the button is heard, and how long the service manager waits for a sign of life. A flood is a
function that sends as much as it can until it is killed: to add one, write it and enter it in FLOODS.
"""

# ruff: noqa: T201 -- a script: it prints

from __future__ import annotations

import argparse
import contextlib
import grp
import json
import multiprocessing
import os
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.client.connection import Client
from edge.socket.peers import GROUP
from tests.support.broker import Broker
from tests.support.doord import Doord
from tests.support.house import write_config
from tests.support.web import Doorweb, write_accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROUP_ID: Final = 54_321
TOPIC: Final = "doorward/v1/lab/test"
A_SECOND: Final = 10_000
"""Messages; a flood of large ones sends as many as go through."""
SECONDS: Final = 15.0
UNLOCK_S: Final = 0.5
WATCHDOG_S: Final = 1.0
TO_REACH_MS, TO_REACH_P99_MS, TO_REACH_MIB = 100.0, 20.0, 16.0


@dataclass(frozen=True)
class Place:
    """What a flood can reach."""

    broker: int
    """The port of a broker that lets everybody in."""
    socket: Path
    """The control socket."""
    page: int
    """The port of the local page, without TLS."""


@dataclass
class Seen:
    """What was measured, in milliseconds and MiB."""

    relock: list[float] = field(default_factory=list)
    exit: list[float] = field(default_factory=list)
    sign: list[float] = field(default_factory=list)
    """How much later than due a sign of life came."""
    memory: float = 0.0
    came: int = 0
    """Useless messages that doord took in: a flood that reaches nobody measures nothing."""


# --- floods ------------------------------------------------------------------------------------------------


def _nothing(_place: Place) -> None:
    time.sleep(3_600)


def _publish(topic: str, payload: bytes, *, qos: int = 0) -> bytes:
    """A PUBLISH of MQTT 5 without properties."""
    body = len(topic).to_bytes(2) + topic.encode() + (b"\0\1" if qos else b"") + b"\0" + payload
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([0x30 | qos << 1]) + length + body


def _flood_topic(topic: str, payload: bytes) -> Callable[[Place], None]:
    def run(place: Place) -> None:
        with socket.create_connection(("127.0.0.1", place.broker)) as line:
            line.sendall(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x03evl")
            line.recv(100)
            some = 100
            blob, began_s, sent = _publish(topic, payload) * some, time.monotonic(), 0
            while True:
                line.sendall(blob)
                sent += some
                time.sleep(max(0.0, sent / A_SECOND - (time.monotonic() - began_s)))

    return run


def _somebody_of_the_group() -> None:
    """Not the user who measures; see `_with_a_group`."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(GROUP_ID)
        os.setuid(GROUP_ID)


def _flood_socket(place: Place) -> None:
    """Every place there is, and as many requests as go through."""
    _somebody_of_the_group()
    lines: list[socket.socket] = []
    while True:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(OSError):
            line.connect(str(place.socket))
            line.setblocking(False)
            lines.append(line)
        for one in [*lines]:
            try:
                one.send(b'{"op": "status"}\n' * 100)
                one.recv(1 << 20)
            except BlockingIOError:
                continue
            except OSError:
                lines.remove(one)
                one.close()


def _flood_connections(place: Place) -> None:
    """Come and go."""
    _somebody_of_the_group()
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(str(place.socket))


def _flood_page(place: Place) -> None:
    """Strangers who sign in with what is no form, and half of them break off."""
    body = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\na=b"
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", place.page), 5) as line:
            line.sendall(b"POST /sign-in HTTP/1.1\r\nHost: x\r\n" + body)
            line.shutdown(socket.SHUT_WR)
            line.recv(100)


FLOODS: Final[dict[str, Callable[[Place], None]]] = {
    "none": _nothing,
    "commands": _flood_topic(f"{TOPIC}/commands", b"x" * 100),
    "commands-large": _flood_topic(f"{TOPIC}/commands", b'{"id":"' + b"a" * 60_000 + b'"}'),
    "ack": _flood_topic(f"{TOPIC}/ack", b'{"stream":"x","sequence":1}'),
    "home-assistant": _flood_topic("homeassistant/status", b"junk"),
    "socket": _flood_socket,
    "connections": _flood_connections,
    "page": _flood_page,
}


# --- measuring ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _signs(folder: Path, seen: Seen) -> Iterator[dict[str, str]]:
    """A service manager that counts signs of life; the environment of whom it watches."""
    path = folder / "notify"
    end = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(path))
        line.settimeout(0.1)

        def listen() -> None:
            last_s: float | None = None
            while not end.is_set():
                with contextlib.suppress(TimeoutError):
                    if b"WATCHDOG=1" in line.recv(4_096):
                        now_s = time.monotonic()
                        if last_s is not None:
                            seen.sign.append((now_s - last_s - WATCHDOG_S) * 1e3)
                        last_s = now_s

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield {**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(round(2e6 * WATCHDOG_S))}
        finally:
            end.set()
            thread.join()


def _rss_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _measure(doord: Doord, seconds: float, seen: Seen, idle_mib: float) -> None:
    assert doord.process is not None
    end_s = time.monotonic() + seconds
    pressed_ns: list[int] = []
    while time.monotonic() < end_s:
        with Client(doord.socket) as line:  # a button needs no place at the socket
            line.ask("command", command="unlock", door="front", for_s=UNLOCK_S)
            pressed_ns.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
            line.ask("sim", door="back", action="rex", argument=None)
        time.sleep(UNLOCK_S + 0.3)
        seen.memory = max(seen.memory, _rss_mib(doord.process.pid) - idle_mib)
    time.sleep(1.0)
    upstream = doord.ask("status")["upstream"]
    seen.came = upstream["unrecorded_refusals"] + upstream["ignored_acks"]
    pages = doord.ask("events", type=["lock.unlock", "lock.locked"], door=["front", "back"], limit=500)["records"]
    records = sorted(pages, key=lambda record: record["sequence"])
    front = [record for record in records if record["subject"] == "doors/front"]
    for unlock, locked in zip(front[::2], front[1::2], strict=True):
        seen.relock.append(_between_ms(unlock["time"], locked["recordedtime"]) - UNLOCK_S * 1e3)
    heard = [r["data"]["uptime_ns"] for r in records if r["subject"] == "doors/back" and r["type"] == "lock.unlock"]
    seen.exit += [(at - pressed) / 1e6 for pressed, at in zip(pressed_ns, heard, strict=True)]


def _between_ms(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() * 1e3


def _run(name: str, folder: Path, seconds: float) -> Seen:
    seen = Seen()
    with Broker(folder / "broker", "allow_anonymous true\npersistence false\nlog_type error\n") as broker:
        config = write_config(folder, doors=("front", "back"), unlock_s=UNLOCK_S)
        web = '\n[web]\nlisten = "127.0.0.1:0"\ntls = false\naccounts = "accounts.json"\n'
        write_accounts(folder / "accounts.json", olga="operator")
        mqtt = f'{web}[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n[home_assistant]\n'
        config.write_text(config.read_text() + mqtt)
        with _signs(folder, seen) as environment, Doord(config, environment) as doord, Doorweb(config) as page:
            while doord.ask("status")["upstream"]["state"] not in {"online", "no_subscriber"}:
                time.sleep(0.1)
            time.sleep(2.0)
            assert doord.process is not None
            idle_mib = _rss_mib(doord.process.pid)
            place = Place(broker.port, doord.socket, page.port)
            flood = multiprocessing.Process(target=FLOODS[name], args=(place,), daemon=True)
            flood.start()
            try:
                time.sleep(1.0)
                _measure(doord, seconds, seen, idle_mib)
            finally:
                flood.kill()
                flood.join()
    return seen


def _figures(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], ordered[-1]


def _with_a_group() -> None:
    """As root begin again where there is a group `doorward`: a flood of the socket is somebody else's."""
    try:
        grp.getgrnam(GROUP)
    except KeyError:
        if os.geteuid() != 0:
            return
    else:
        return
    groups = Path(tempfile.mkdtemp()) / "group"
    groups.write_text(f"{Path('/etc/group').read_text()}{GROUP}:x:{GROUP_ID}:\n")
    inside = ["mount", "--bind", str(groups), "/etc/group"]
    again = [sys.executable, "-m", "tests.benchmarks.bench_flood", *sys.argv[1:]]
    command = ["unshare", "-m", "sh", "-c", f'{" ".join(inside)} && exec "$@"', "sh", *again]
    os.execvp(command[0], command)


def main() -> int:
    """Print how late everything was; 1 when later than is to be reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("flood", nargs="*", default=list(FLOODS), help=", ".join(FLOODS))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    _with_a_group()
    reached = True
    quiet: dict[str, Any] = {}
    for name in dict.fromkeys(["none", *asked.flood]):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # the group finds the socket
            seen = _run(name, Path(folder), asked.seconds)
        print(f"{name}: {seen.came} came in; memory {seen.memory:+.1f} MiB", end="")
        for what, values in (("relock", seen.relock), ("exit", seen.exit), ("sign of life", seen.sign)):
            middle, p99, worst = _figures(values)
            if name == "none":
                quiet[what] = (p99, worst)
            print(f"; {what} late by {middle:.1f} ms, p99 {p99:.1f}, worst {worst:.1f}", end="")
            over_p99, over_worst = p99 - quiet[what][0], worst - quiet[what][1]
            reached &= over_p99 <= TO_REACH_P99_MS and over_worst <= TO_REACH_MS
        print()
        reached &= seen.memory <= TO_REACH_MIB
    print(json.dumps({"reached": reached}))
    return int(not reached)


if __name__ == "__main__":
    sys.exit(main())
