"""A daemon that only has a control socket: answers what it is told to, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from copy import deepcopy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from edge.daemon.status import condition_facts
from edge.doors.conditions import conditions
from edge.doors.state import Alarm, Contact, Door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    Answer = Callable[[dict[str, Any]], Any]

SINCE = "2026-11-22T20:57:03.000000Z"
DOOR: dict[str, Any] = {
    "name": "Front door",
    "zone": None,
    "unlocked_by": None,
    "schedule": None,
    "last": None,
    "mode": "locked",
    "contact": "closed",
    "lock": "locked",
    "alarm": "normal",
    "warning": False,
    "tamper": None,
    "fault": None,
    "since": dict.fromkeys(("mode", "contact", "lock", "alarm"), SINCE),
    "conditions": [],
    "held_until": None,
    "locks_when_closed": False,
    "waits_for": None,
    "unlocked_for_s": None,
    "held_open_in_s": None,
    "points": {"lock": "bench", "contact": "bench", "rex": "bench"},
}
STATUS: dict[str, Any] = {
    "controller": {"id": "lobby", "site": "hq", "name": "HQ lobby", "time_zone": "Europe/Berlin"},
    "version": "0.1.0",
    "boot": "11111111-2222-4333-8444-555555555555",
    "uptime_s": 90_000.0,
    "stream": "lobby/0123456789",
    "clock": {"quality": "synced", "time": "2026-11-22T21:57:03.000000Z"},
    "log": {
        "path": "/var/lib/doorward/log.db",
        "committed": 3,
        "waiting": 0,
        "bytes": 24_576,
        "oldest": 1,
        "dropped": 0,
        "last_commit_ms": 3.5,
        "writer": "ok",
        "error": None,
        "set_aside": None,
    },
    "upstream": {
        "state": "online",
        "url": "mqtts://broker.example.org:8883",
        "ack": "broker",
        "cursor": 3,
        "backlog": 0,
        "in_flight": 0,
        "window": 20,
        "since": SINCE,
        "last_error": None,
        "left_out": {},
        "connections": 1,
        "connections_last_hour": 0,
        "reconnects": 0,
        "taken_over": 0,
        "taken_over_last_hour": 0,
        "ignored_acks": 0,
        "unrecorded_refusals": 0,
    },
    "drivers": {"bench": {"kind": "simulated", "state": "online", "reason": None, "since": SINCE, "facts": {}}},
    "doors": {"front": DOOR},
    "elevators": {},
    "configuration": {"file": "/etc/doorward/doorward.toml", "refused": [], "more": 0, "left_out": []},
    "failed_parts": {},
    "integrations": {},
    "alerts": {"open": [], "waiting": {}, "last_errors": {}},
    "cameras": {},
    "directory": {
        "managed": "here",
        "state": "ready",
        "version": 7,
        "users": 12,
        "members": 12,
        "cards": 20,
        "groups": 3,
        "source": "directory.json",
        "since": SINCE,
        "stored": True,
        "recorded": None,
        "error": None,
    },
}


def status(**changes: Any) -> dict[str, Any]:
    return deepcopy(STATUS) | changes


def door(**changes: Any) -> dict[str, Any]:
    """A door of a status; what is wrong with it is found as doord finds it."""
    one = deepcopy(DOOR) | changes
    state = Door(
        "front",
        one["name"],
        contact=Contact(one["contact"]),
        alarm=Alarm(one["alarm"]),
        warning=one["warning"],
        tamper=frozenset({one["tamper"]} - {None}),
        lost={"front.lock": one["fault"]} if one["fault"] else {},
        release_input=one["mode"] == "locked_open",
    )
    calendar: Any = SimpleNamespace(at=lambda _at_ns: SINCE)
    return {**one, "conditions": [condition_facts(condition, calendar) for condition in conditions(state, (), 0)]}


def passed(**changes: Any) -> dict[str, Any]:
    """A passage as doord tells it."""
    return {
        "first": 4,
        "last": 8,
        "shown": 4,
        "records": 5,
        "tag": "granted",
        "severity": "info",
        "class": "access",
        "type": "reader.access",
        "message": "Ada Lovelace at Front door reader",
        "code": None,
        "cause": None,
        "door": "front",
        "where": "Front door",
        "people": [{"kind": "user", "id": "ada", "name": "Ada Lovelace"}],
        "openings": 1,
        "open_s": 3.2,
        "alarms": [],
        "warnings": [],
        "continued": False,
        "clock": "synced",
        "details": {"credential": "card", "group": "Operations", "number": "…1001"},
        "time": "2026-11-29T21:57:46.100000Z",
        "until": "2026-11-29T21:57:50.100000Z",
    } | changes


def record(sequence: int, event: str = "lock.opened", **changes: Any) -> dict[str, Any]:
    """A CloudEvent; what is a field of `data` goes there."""
    data = {
        "class": "access",
        "severity": "alarm" if event == "lock.forced_open" else "info",
        "success": True,
        "code": None,
        "message": "Front door opened",
        "actor": None,
        "cause": None,
        "object": {"type": "lock", "id": "front", "name": "Front door"},
        "correlation": "c-1",
        "clock": "synced",
        "boot": STATUS["boot"],
        "uptime_ns": sequence * 1_000_000_000,
        "replayed": False,
        "prev": "00" * 32,
        "hash": "11" * 32,
        "details": {},
    }
    data |= {key: value for key, value in changes.items() if key in data}
    envelope = {
        "specversion": "1.0",
        "id": f"0123456789-{sequence}",
        "source": "/doorward/hq/lobby",
        "type": event,
        "subject": "doors/front",
        "time": f"2026-11-22T21:{sequence // 60 % 60:02}:{sequence % 60:02}.000000Z",
        "datacontenttype": "application/json",
        "sequence": f"{sequence:016}",
        "recordedtime": "2026-11-22T21:57:03.000000Z",
        "stream": STATUS["stream"],
    }
    return envelope | {key: value for key, value in changes.items() if key in envelope} | {"data": data}


class RefusalError(Exception):
    """Answer no."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def pages(records: Iterable[dict[str, Any]]) -> Answer:
    """Serve `events` as the daemon does: by sequence and correlation, at most 500 a page; no other filter."""
    held = list(records)

    def answer(ask: dict[str, Any]) -> dict[str, Any]:
        assert 1 <= ask["limit"] <= 500
        after, before = ask.get("after") or 0, ask.get("before") or 1 << 62
        chosen = [r for r in held if after < int(r["sequence"]) < before]
        if passage := ask.get("correlation"):
            chosen = [r for r in chosen if r["data"]["correlation"] == passage]
        if ask.get("newest"):
            chosen.reverse()
        skipped, chosen = chosen[: ask.get("skip", 0)], chosen[ask.get("skip", 0) :]
        page = chosen[: ask["limit"]]
        more = len(chosen) > len(page)
        return {"records": page, "next": int(page[-1]["sequence"]) if more else None, "skipped": len(skipped)}

    return answer


class FakeDaemon:
    """Serves `path` inside a `with`. Streams end, and with them the connection, when their items are out."""

    def __init__(self, path: Path, **answers: Any) -> None:
        """`answers`: op -> a result, a function of the request, or for `watch` a list of items."""
        self.path = path
        self.answers: dict[str, Any] = {
            "status": status(),
            "events": pages([]),
            "alerts": STATUS["alerts"],
            "watch": [],
            "export": {"export": "export-1", "through": 1 << 53},
            **answers,
        }
        self.asked: list[dict[str, Any]] = []
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # who asked has gone
                    for line in self.rfile:
                        if not fake.reply(json.loads(line), self._say):
                            return

            def _say(self, answer: dict[str, Any]) -> None:
                self.wfile.write(json.dumps(answer).encode() + b"\n")

        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def reply(self, ask: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> bool:
        """Whether the connection goes on."""
        self.asked.append(ask)
        answer = self.answers.get(ask["op"])
        if ask["op"] == "watch":
            for item in answer() if callable(answer) else answer:
                say({"ok": True, "item": item})
            return False
        try:
            say({"ok": True, "result": answer(ask) if callable(answer) else answer})
        except RefusalError as no:
            say({"ok": False, "code": no.code, "message": str(no)})
        return True

    def of(self, op: str) -> list[dict[str, Any]]:
        """The requests of this kind."""
        return [ask for ask in self.asked if ask["op"] == op]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.path.unlink(missing_ok=True)
