"""How late doors are while somebody floods the controller, against the same with nobody (to reach: 100 ms, p99 20 ms).

Run: python -m tests.benchmarks.bench_flood [FLOOD ...] [--seconds S]

A real doord with simulated doors and a real mosquitto. While a flood runs, a door is unlocked for half a second again
and again and its exit button pressed; counted is how much later than due the lock is told to lock (as its record says),
how long after the press the button is heard, and how long the service manager waits for a sign of life. A flood is a
function that sends as much as it can until it is killed: to add one, write it and enter it in FLOODS (`floods`), or in
LINES with its wires (`flooded_lines`).
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
from typing import TYPE_CHECKING, Final

from edge.client.connection import Client
from edge.socket.peers import GROUP
from tests.benchmarks.flooded_lines import LINES, Wires
from tests.benchmarks.floods import FLOODS, GROUP_ID, Place, nothing
from tests.benchmarks.rows import Row, told
from tests.support.broker import Broker
from tests.support.doord import Doord
from tests.support.house import write_config
from tests.support.web import Doorweb, write_accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS: Final = 15.0
MEMORY: Final = Path("/dev/shm")
"""Where the log is: the time of a record is taken when the disk is free, and how slow that is is not measured here."""
AHEAD: Final = 15
UNLOCK_S: Final = 0.5
WATCHDOG_S: Final = 1.0
TO_REACH_MS, TO_REACH_P99_MS, TO_REACH_MIB = 100.0, 20.0, 16.0


@dataclass
class Seen:
    """What was measured, in milliseconds and MiB."""

    relock: list[float] = field(default_factory=list)
    exit: list[float] = field(default_factory=list)
    sign: list[float] = field(default_factory=list)
    """How much later than due a sign of life came."""
    memory: float = 0.0
    starved: float = 0.0
    """The longest that doord's threads waited for a processor while a door was unlocked once: this machine is busy."""
    came: int = 0
    """Useless messages, cards or bytes that doord took in: a flood that reaches nobody measures nothing."""


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


def _starved_ms(pid: int) -> float:
    """How long all threads together have waited for a processor (https://docs.kernel.org/scheduler/sched-stats.html)."""
    waited_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended
            waited_ns += int((task / "schedstat").read_text().split()[1])
    return waited_ns / 1e6


def _measure(doord: Doord, seconds: float, seen: Seen, idle_mib: float) -> None:
    assert doord.process is not None
    end_s = time.monotonic() + seconds
    pressed_ns: list[int] = []
    while time.monotonic() < end_s:
        starved_ms = _starved_ms(doord.process.pid)
        with Client(doord.socket) as line:  # a button needs no place at the socket
            line.ask("command", command="unlock", door="front", for_s=UNLOCK_S)
            pressed_ns.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
            line.ask("sim", door="back", action="rex", argument=None)
        time.sleep(UNLOCK_S + 0.3)
        seen.starved = max(seen.starved, _starved_ms(doord.process.pid) - starved_ms)
        seen.memory = max(seen.memory, _rss_mib(doord.process.pid) - idle_mib)
    time.sleep(1.0)
    upstream = doord.ask("status")["upstream"]
    seen.came = upstream["unrecorded_refusals"] + upstream["ignored_acks"]  # and what a flood counts itself
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
    run = LINES[name].flood if name in LINES else FLOODS.get(name, nothing)
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(
            Broker(folder / "broker", "allow_anonymous true\npersistence false\nlog_type error\n")
        )
        wires = stack.enter_context(LINES[name].wires(folder)) if name in LINES else Wires("", None)
        config = write_config(folder, doors=("front", "back"), unlock_s=UNLOCK_S)
        web = '\n[web]\nlisten = "127.0.0.1:0"\ntls = false\naccounts = "accounts.json"\n'
        write_accounts(folder / "accounts.json", olga="operator")
        mqtt = f'{web}[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n[home_assistant]\n'
        config.write_text(config.read_text() + wires.config + mqtt)
        environment = {**stack.enter_context(_signs(folder, seen)), **wires.environment}
        doord = stack.enter_context(Doord(config, environment, wires.program))
        page = stack.enter_context(Doorweb(config))
        while doord.ask("status")["upstream"]["state"] not in {"online", "no_subscriber"}:
            time.sleep(0.1)
        time.sleep(2.0)
        assert doord.process is not None
        idle_mib = _rss_mib(doord.process.pid)
        place = Place(broker.port, doord.socket, page.port, wires.line)
        flood = multiprocessing.Process(target=_at_usual_priority, args=(run, place), daemon=True)
        flood.start()
        try:
            time.sleep(1.0)
            _measure(doord, seconds, seen, idle_mib)
        finally:
            flood.kill()
            flood.join()
        seen.came += place.came.value
    return seen


def _ahead_of_others() -> None:
    """As root let what is measured, and what measures, run before whatever else this machine does."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -AHEAD)


def _at_usual_priority(run: Callable[[Place], None], place: Place) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    run(place)


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


def _missed(seen: Seen, quiet: Seen) -> bool:
    """Whether a figure is worse than is to be reached, compared with nobody who floods."""
    for values, usual in ((seen.relock, quiet.relock), (seen.exit, quiet.exit), (seen.sign, quiet.sign)):
        (_, p99, worst), (_, usual_p99, usual_worst) = _figures(values), _figures(usual)
        if p99 - usual_p99 > TO_REACH_P99_MS or worst - usual_worst > TO_REACH_MS:
            return True
    return seen.memory > TO_REACH_MIB


def _rows(floods: list[Seen], quiet: Seen) -> list[Row]:
    """The worst of all floods, later than with none."""
    rows = []
    for what, field_name in (("relock", "relock"), ("exit", "exit"), ("sign of life", "sign")):
        _, usual_p99, usual_worst = _figures(getattr(quiet, field_name))
        figures = [_figures(getattr(seen, field_name)) for seen in floods]
        for how, place, usual, limit in (
            ("p99", 1, usual_p99, TO_REACH_P99_MS),
            ("worst", 2, usual_worst, TO_REACH_MS),
        ):
            later = max(one[place] for one in figures) - usual
            rows.append(Row(12, f"{what} in the worst of {len(floods)} floods, {how}", later, "ms", limit, "none"))
    memory = max(seen.memory for seen in floods)
    return [*rows, Row(12, f"memory in the worst of {len(floods)} floods", memory, "MiB", TO_REACH_MIB, "before it")]


def main() -> int:
    """Print how late everything was; 1 when later than is to be reached."""
    every = [*FLOODS, *LINES]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("flood", nargs="*", default=every, help=", ".join(every))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    _with_a_group()
    _ahead_of_others()
    quiet: Seen | None = None
    missed, every_flood = [], []
    for name in dict.fromkeys(["none", *asked.flood]):
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            Path(folder).chmod(0o755)  # the group finds the socket
            seen = _run(name, Path(folder), asked.seconds)
        quiet = quiet or seen
        every_flood.append(seen)
        print(f"{name}: {seen.came:,} came in; memory {seen.memory:+.1f} MiB", end="")
        for what, values in (("relock", seen.relock), ("exit", seen.exit), ("sign of life", seen.sign)):
            middle, p99, worst = _figures(values)
            print(f"; {what} late by {middle:.1f} ms, p99 {p99:.1f}, worst {worst:.1f}", end="")
        print(f"; doord waited for a processor up to {seen.starved:.1f} ms", end="")
        missed += [name] if _missed(seen, quiet) else []
        print(f"; reached: {str(name not in missed).lower()}", flush=True)
    print(json.dumps({"reached": not missed, "missed": missed}))
    if quiet is not None:
        told(*_rows(every_flood[1:], quiet))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
