"""Metrics for a monitoring system: Prometheus text from the status and from counts since the start.

One rule: a name says what it counts and in which unit, and never changes its meaning
(https://prometheus.io/docs/practices/naming/; the format: https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from edge.model.catalogue import CATALOGUE
from edge.model.event_types import CONTROLLER_FAULT
from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge.model.messages import Record

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MOST_COMMITS: Final = 1000
"""Commits that are kept to know the age of unacknowledged records; above it every other one is dropped."""
MOST_LOOKS: Final = 12
"""The latest measurements of the loop's delay that are kept: those of a minute. Reading them resets nothing."""
MODES: Final = ("locked", "accessed", "unlocked", "blocked", "locked_down", "locked_open")
ALARMS: Final = ("forced_open", "held_open")
QUALITIES: Final = ("synced", "rtc", "unsynced")


@dataclass(slots=True)
class Counters:
    """Counts since the start of the daemon that the status does not have."""

    events: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """Driver -> how often it was lost."""
    delays_s: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_LOOKS))
    """How late the loop was, in seconds, at the latest measurements."""
    commits: deque[tuple[int, int]] = field(default_factory=deque)
    """(last sequence number, boot-clock time) of commits, the oldest first."""

    def committed(self, records: Sequence[Record], now_ns: int) -> None:
        """Count records that were committed at `now_ns`."""
        self.events.update(record.event.type for record in records)
        self.faults.update(
            record.event.object.id
            for record in records
            if record.event.type == CONTROLLER_FAULT and record.event.object.type == "driver"
        )
        if not records:
            return
        if self.commits and records[0].sequence <= self.commits[-1][0]:
            self.commits.clear()  # another log: a damaged one was set aside
        if len(self.commits) >= MOST_COMMITS:
            self.commits = deque(islice(self.commits, 0, None, 2))
        self.commits.append((records[-1].sequence, now_ns))

    def waits_s(self, cursor: int, now_ns: int) -> float:
        """How many seconds the oldest record behind `cursor` has waited for its acknowledgement."""
        while self.commits and self.commits[0][0] <= cursor:
            self.commits.popleft()
        return (now_ns - self.commits[0][1]) / NS_PER_S if self.commits else 0.0

    def late(self, seconds: float) -> None:
        """Add a measurement of the loop's delay."""
        self.delays_s.append(max(0.0, seconds))


def text(status: Mapping[str, Any], counts: Counters, now_ns: int) -> str:
    """All metrics, in the order of docs/metrics.md."""
    return "".join(_lines(status, counts, now_ns))


def _lines(status: Mapping[str, Any], counts: Counters, now_ns: int) -> Iterator[str]:
    who, log = status["controller"], status["log"]
    info = {"version": status["version"], "site": who["site"], "controller": who["id"]}
    yield from _family("info", "gauge", "Who this controller is; always 1.", [(info, 1)])
    yield from _family("uptime_seconds", "gauge", "Since doord started.", [({}, status["uptime_s"])])
    by_type = [({"type": name}, counts.events[name]) for name in CATALOGUE]
    yield from _family("events_total", "counter", "Records written since doord started, by type.", by_type)
    for name, kind, what, value in (
        ("log_committed_records", "gauge", "The highest sequence on the disk.", log["committed"]),
        ("log_waiting_events", "gauge", "Events that wait for the disk.", log["waiting"]),
        ("log_size_bytes", "gauge", "Size of the log.", log["bytes"]),
        ("log_dropped_events_total", "counter", "Events that were never written: the buffer was full.", log["dropped"]),
        ("log_commit_seconds", "gauge", "How long the last commit took.", (log["last_commit_ms"] or 0) / 1000),
        ("log_writer_up", "gauge", "1 while the writer is neither stalled nor failed.", log["writer"] == "ok"),
        ("loop_delay_seconds", "gauge", "The longest the loop was late in a minute.", max(counts.delays_s, default=0)),
    ):
        yield from _family(name, kind, what, [({}, value)])
    quality = [({"quality": one}, status["clock"]["quality"] == one) for one in QUALITIES]
    yield from _family("clock_quality", "gauge", "1 for how far the calendar can be trusted.", quality)
    yield from _upstream(status["upstream"], counts, now_ns)
    yield from _drivers(status["drivers"], counts)
    yield from _doors(status["doors"])
    for what in ("users", "cards", "version"):
        help_text = f"Of the directory in force: {what}."
        yield from _family(f"directory_{what}", "gauge", help_text, [({}, status["directory"][what])])
    sinks = status["integrations"]
    yield from _family("integration_up", "gauge", "1 unless it is disabled.", _each(sinks, "integration", _enabled))
    backlog = _each(sinks, "integration", lambda one: one["backlog"])
    yield from _family("integration_backlog_records", "gauge", "Records that wait for an integration.", backlog)
    yield from _family("alerts_open", "gauge", "Alerts that nobody has ended.", [({}, len(status["alerts"]["open"]))])
    cameras = status["cameras"]
    up = _each(cameras, "camera", lambda one: one["last_error"] is None)
    yield from _family("camera_up", "gauge", "1 unless its last picture did not come.", up)
    taken = _each(cameras, "camera", lambda one: one["taken"])
    yield from _family("pictures_total", "counter", "Pictures that were kept since doord started.", taken)
    dropped = _each(cameras, "camera", lambda one: one["dropped"])
    yield from _family("pictures_dropped_total", "counter", "Records that got no picture in time.", dropped)


def _upstream(facts: Mapping[str, Any] | None, counts: Counters, now_ns: int) -> Iterator[str]:
    if facts is None:
        return
    for name, kind, help_text, value in (
        ("upstream_up", "gauge", "1 while records go out.", facts["state"] == "online"),
        ("upstream_backlog_records", "gauge", "Records that are not acknowledged.", facts["backlog"]),
        ("upstream_in_flight_messages", "gauge", "Messages under way.", facts["in_flight"]),
        ("upstream_reconnects_total", "counter", "Connections after the first.", facts["reconnects"]),
        (
            "upstream_oldest_unacknowledged_seconds",
            "gauge",
            "How long the oldest record of this run has waited for its acknowledgement.",
            counts.waits_s(facts["cursor"], now_ns),
        ),
    ):
        yield from _family(name, kind, help_text, [({}, value)])


def _drivers(drivers: Mapping[str, Any], counts: Counters) -> Iterator[str]:
    up = [({"driver": name, "kind": driver["kind"]}, driver["state"] == "online") for name, driver in drivers.items()]
    yield from _family("driver_up", "gauge", "1 while the hardware answers.", up)
    faults = [({"driver": name}, counts.faults[name]) for name in drivers]
    yield from _family("driver_faults_total", "counter", "How often it was lost since doord started.", faults)


def _doors(doors: Mapping[str, Any]) -> Iterator[str]:
    modes = [({"door": key, "mode": mode}, door["mode"] == mode) for key, door in doors.items() for mode in MODES]
    yield from _family("door_mode", "gauge", "1 for the mode of a door.", modes)
    alarms = [
        ({"door": key, "alarm": alarm}, door["alarm"] == alarm) for key, door in doors.items() for alarm in ALARMS
    ]
    yield from _family("door_alarm", "gauge", "1 for the alarm that stands.", alarms)
    wrong = [
        ({"door": key, "code": condition["code"], "severity": condition["severity"]}, 1)
        for key, door in doors.items()
        for condition in door["conditions"]
    ]
    yield from _family("door_condition", "gauge", "1 for each thing that is wrong with a door.", wrong)
    for name, help_text, true in (
        ("door_open", "1 while the contact says so.", lambda door: door["contact"] == "open"),
        ("door_released", "1 while the lock is confirmed to be released.", lambda door: door["lock"] == "unlocked"),
        ("door_tampered", "1 while a tamper switch of it is open.", lambda door: door["tamper"] is not None),
        ("door_fault", "1 while points of it are lost.", lambda door: door["fault"] is not None),
    ):
        yield from _family(name, "gauge", help_text, _each(doors, "door", true))


def _enabled(integration: Mapping[str, Any]) -> bool:
    return bool(integration["state"] != "disabled")


def _each(parts: Mapping[str, Any], label: str, value: Any) -> list[tuple[dict[str, str], Any]]:  # noqa: ANN401 -- a look
    return [({label: key}, value(part)) for key, part in parts.items()]


def _family(name: str, kind: str, help_text: str, samples: Sequence[tuple[Mapping[str, str], Any]]) -> Iterator[str]:
    yield f"# HELP doorward_{name} {help_text}\n# TYPE doorward_{name} {kind}\n"
    for labels, value in samples:
        shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"doorward_{name}{f'{{{shown}}}' if shown else ''} {float(value):.17g}\n"


def _escaped(label: str) -> str:
    return str(label).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
