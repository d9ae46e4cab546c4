"""What a diagnosis knows about a controller: plain values, filled in by `edge/diagnosis/gathering.py`.

One rule: a fact that could not be determined is None or empty, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from edge.client.conditions import conditions
from edge.diagnosis.facts_consumers import ConsumerFacts

Counts: TypeAlias = Mapping[str, int]
LONGEST: Final = 1e12
"""A longer duration, in any unit, is not plausible."""
NONE: Final[Counts] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class InputFacts:
    """One input point and the level it settled at."""

    asserted: bool
    since_us: int


@dataclass(frozen=True, slots=True)
class ConditionFacts:
    """One thing that is wrong with a door (`edge.doors.conditions`)."""

    code: str
    message: str
    detail: str | None
    since_us: int


@dataclass(frozen=True, slots=True)
class DoorFacts:
    """One door as the daemon sees it."""

    id: str
    mode: str
    contact: str
    mode_since_us: int
    rex: InputFacts | None = None
    contact_since_us: int | None = None
    conditions: tuple[ConditionFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class DriverFacts:
    """One driver as the daemon sees it."""

    name: str
    kind: str
    state: str
    reason: str | None
    stuck: tuple[str, ...] = ()
    lost_edges: int = 0


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A reader or module on an OSDP line."""

    driver: str
    address: str
    state: str
    reason: str | None
    secure: str | None
    """State of the secure channel: `own key` is good; None before the first contact."""
    encrypts: bool | None
    """Whether the device reports that it can encrypt; None before it has reported anything."""
    asked: int = 0
    """Questions that were sent to it."""
    troubled: int = 0
    """Questions without an answer, or with one that could not be read."""
    power_failure: bool = False


@dataclass(frozen=True, slots=True)
class UpstreamFacts:
    """The conversation with the broker."""

    url: str
    state: str
    since_us: int
    cursor: int
    backlog: int
    reconnects: int
    last_error: str | None
    connections: int = 1
    """Connections since doord started."""
    last_hour: int = 0
    """Connections in the last hour."""
    taken_over_last_hour: int = 0
    """Connections that the broker ended in the last hour because another client used our id."""


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The log as its writer sees it; see `edge.log.log.LogHealth`."""

    path: str
    waiting: int
    bytes: int
    dropped: int
    last_commit_ms: float | None
    writer: str
    error: str | None
    set_aside: str | None


@dataclass(frozen=True, slots=True)
class PeopleFacts:
    """Who may pass, in numbers."""

    version: int
    cards: int
    state: str
    error: str | None
    """Why the last directory was refused."""
    readers: int
    """Doors that have a reader."""


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """A running daemon, by its own answer."""

    version: str
    uptime_s: float
    clock: str
    log: LogFacts
    upstream: UpstreamFacts | None
    drivers: tuple[DriverFacts, ...]
    doors: tuple[DoorFacts, ...]
    people: PeopleFacts | None = None
    devices: tuple[DeviceFacts, ...] = ()
    consumers: ConsumerFacts = field(default_factory=ConsumerFacts)
    config_refused: tuple[str, ...] = ()
    """Problems of the configuration file while an earlier configuration is in force."""
    left_out: tuple[str, ...] = ()
    """Sections of the earlier configuration that this version cannot use."""

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> DaemonFacts:
        """From the answer to {"op": "facts"}. Raises KeyError, TypeError or ValueError for anything else."""
        inputs = {
            point: InputFacts(bool(found["asserted"]), at_us(found["since"]))
            for point, found in answer.get("inputs", {}).items()
        }
        return cls(
            version=str(answer["version"]),
            uptime_s=_finite(answer["uptime_s"]),
            clock=str(answer["clock"]["quality"]),
            log=_log(answer["log"]),
            upstream=_upstream(answer["upstream"]),
            drivers=tuple(_driver(name, found) for name, found in answer["drivers"].items()),
            doors=tuple(_door(key, found, inputs.get(f"{key}.rex")) for key, found in answer["doors"].items()),
            people=_people(answer),
            devices=tuple(
                _device(name, address, device)
                for name, found in answer["drivers"].items()
                if found["kind"] == "osdp"
                for address, device in found.get("facts", {}).get("devices", {}).items()
            ),
            consumers=ConsumerFacts.from_json(answer),
            config_refused=tuple(map(str, answer.get("configuration", {}).get("refused", ()))),
            left_out=tuple(map(str, answer.get("configuration", {}).get("left_out", ()))),
        )


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What systemd says of doord.service."""

    active: str
    """`active`, `activating`, `failed`, `inactive`."""
    enabled: str = ""
    result: str = "success"
    restarts: int = 0
    exit_status: int = 0


@dataclass(frozen=True, slots=True)
class SocketFacts:
    """The control socket as a client sees it."""

    path: str
    state: str
    """`answers`, `missing`, `dead` (nobody listens), `silent`, `forbidden`, `refused` (by the daemon)."""
    group: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The file system that holds the log."""

    path: str
    free_bytes: int
    read_only: bool


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file whose permissions matter."""

    path: str
    mode: int
    """The permission bits."""
    secret: bool
    """True for a password or a private key, False for a configuration."""
    group: str | None = None
    """The file's group; None when it has no name."""


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """Counts from the log."""

    clock_steps: int = 0
    """In the last 24 hours."""
    slow_writes: int = 0
    """`controller.storage` of cause `slow` in the last 7 days."""
    gaps: int = 0
    """`controller.gap` in the last 30 days."""
    watchdog: int = 0
    """`controller.start` after an end by the watchdog, in the last 30 days."""
    unstable: Counts = field(default_factory=lambda: NONE)
    """Input -> times, in the last 24 hours."""
    forced: Counts = field(default_factory=lambda: NONE)
    """Door -> times, in the last 24 hours."""
    lost: Counts = field(default_factory=lambda: NONE)
    """Driver -> times, in the last 24 hours."""
    unlocks_unopened: Counts = field(default_factory=lambda: NONE)
    """Door -> unlocks since it was last seen to open, in the last 7 days."""
    broken: str | None = None
    """The first fault in the newest part of the hash chain."""


@dataclass(frozen=True, slots=True)
class BootFacts:
    """The firmware's configuration."""

    path: str
    missing: tuple[str, ...]
    """Lines that the wiring needs and that are missing."""


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The computer itself."""

    throttled: int | None = None
    """Bits of the firmware's get_throttled."""
    cpu_c: float | None = None
    """Degrees Celsius."""
    available_bytes: int | None = None
    """Free memory."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a diagnosis may look at."""

    now_us: int
    """Microseconds since 1970 UTC; for a copied log the time of its newest record."""
    tool_version: str
    daemon: DaemonFacts | None = None
    socket: SocketFacts | None = None
    service: ServiceFacts | None = None
    config: str | None = None
    config_problems: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Files that the configuration names and that doord cannot read."""
    password_in_clear: bool = False
    """Whether the broker's password goes over the network without encryption."""
    config_differs: tuple[str, ...] = ()
    """Differences between the running daemon and the file."""
    config_written_us: int | None = None
    """When the file was last written, by the calendar at that time."""
    files: tuple[FileFacts, ...] = ()
    disk: DiskFacts | None = None
    log_path: str | None = None
    log_missing: bool = False
    log_max_bytes: int | None = None
    history: HistoryFacts | None = None
    boot: BootFacts | None = None
    machine: MachineFacts = field(default_factory=MachineFacts)
    unseen: tuple[str, ...] = ()
    """What could not be looked at, and why."""


def at_us(iso: str) -> int:
    """A time of the control socket in microseconds since 1970 UTC."""
    return round(datetime.fromisoformat(iso).timestamp() * 1_000_000)


def _log(facts: Mapping[str, Any]) -> LogFacts:
    took_ms = facts["last_commit_ms"]
    return LogFacts(
        path=str(facts["path"]),
        waiting=int(facts["waiting"]),
        bytes=int(facts["bytes"]),
        dropped=int(facts["dropped"]),
        last_commit_ms=None if took_ms is None else _finite(took_ms),
        writer=str(facts["writer"]),
        error=_words(facts["error"]),
        set_aside=_words(facts["set_aside"]),
    )


def _people(answer: Mapping[str, Any]) -> PeopleFacts | None:
    directory = answer.get("directory")
    if directory is None:
        return None
    readers = sum("reader" in door["points"] for door in answer["doors"].values())
    return PeopleFacts(
        int(directory["version"]), int(directory["cards"]), str(directory["state"]), _words(directory["error"]), readers
    )


def _upstream(facts: Mapping[str, Any] | None) -> UpstreamFacts | None:
    if facts is None:
        return None
    return UpstreamFacts(
        url=str(facts["url"]),
        state=str(facts["state"]),
        since_us=at_us(facts["since"]),
        cursor=int(facts["cursor"]),
        backlog=int(facts["backlog"]),
        reconnects=int(facts["reconnects"]),
        last_error=_words(facts["last_error"]),
        connections=int(facts.get("connections", 1)),
        last_hour=int(facts.get("connections_last_hour", 0)),
        taken_over_last_hour=int(facts.get("taken_over_last_hour", 0)),
    )


def _driver(name: str, facts: Mapping[str, Any]) -> DriverFacts:
    own = facts.get("facts", {})
    stuck, lost = own.get("stuck", ()), own.get("lost_edges", 0)
    kind, state, reason = str(facts["kind"]), str(facts["state"]), _words(facts["reason"])
    return DriverFacts(name, kind, state, reason, tuple(map(str, stuck)), int(lost))


def _device(driver: str, address: str, facts: Mapping[str, Any]) -> DeviceFacts:
    abilities, counts = facts.get("abilities"), facts.get("counts", {})
    return DeviceFacts(
        driver,
        str(address),
        str(facts["state"]),
        _words(facts["reason"]),
        _words(facts.get("secure")),
        None if not abilities else "communication_security" in abilities,
        int(counts.get("asked", 0)),
        sum(int(counts.get(name, 0)) for name in ("silent", "damaged", "unreadable")),
        power_failure=facts.get("power_failure") is True,
    )


def _door(key: str, facts: Mapping[str, Any], rex: InputFacts | None) -> DoorFacts:
    since = facts["since"]
    return DoorFacts(
        key,
        mode=str(facts["mode"]),
        contact=str(facts["contact"]),
        mode_since_us=at_us(since["mode"]),
        rex=rex,
        contact_since_us=at_us(since["contact"]),
        conditions=tuple(
            ConditionFacts(str(row["code"]), str(row["message"]), _words(row["detail"]), at_us(row["since"]))
            for row in conditions(facts)
        ),
    )


def _words(value: object) -> str | None:
    return None if value is None else str(value)


def _finite(value: Any) -> float:  # noqa: ANN401 -- JSON
    """A plausible number of seconds or milliseconds. ValueError for any other."""
    number = float(value)
    if not 0 <= number <= LONGEST:
        raise ValueError(f"{number} is no plausible duration")
    return number
