"""Everything that `doorctl status` shows."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from edge.model.published.controller import LogStateJson
from edge.model.published.doors import DoorJson, Time  # noqa: TC001 -- the types of fields are looked up


class WhoJson(TypedDict):
    """Which controller this is."""

    id: str
    """Its id."""
    site: str
    """Its site."""
    name: str
    """Its name."""


class ClockJson(TypedDict):
    """The calendar."""

    quality: Literal["synced", "rtc", "unsynced"]
    """How far it can be trusted."""
    time: Time
    """Now."""


class LogJson(LogStateJson):
    """The log."""

    path: str
    """Its file."""
    committed: int
    """The highest record on the disk."""
    waiting: int
    """Events that wait for the disk."""
    bytes: int
    """Its size."""
    oldest: int
    """The oldest record there is."""
    dropped: int
    """Events since the start that were never written."""
    last_commit_ms: float | None
    """How long the last commit took."""
    set_aside: str | None
    """Where a damaged log was moved to at this start."""


class UpstreamJson(TypedDict):
    """The conversation with the broker."""

    state: Literal["connecting", "online", "offline", "no_subscriber", "refused"]
    """How it stands."""
    since: Time
    """When that began."""
    last_error: str | None
    """Why it is not well."""
    url: str
    """The broker."""
    ack: Literal["broker", "application"]
    """Who acknowledges records."""
    cursor: int
    """Everything up to this record is acknowledged."""
    backlog: int
    """Records that are not."""
    in_flight: int
    """Messages under way."""
    window: int
    """How many may be."""
    left_out: dict[str, str]
    """Topic that the broker's limits keep from being sent, and why."""
    connections: int
    """Since the start of `doord`."""
    connections_last_hour: int
    """Of these, in the last hour."""
    reconnects: int
    """Connections after the first."""
    taken_over: int
    """How often the broker ended one for another client with our id."""
    taken_over_last_hour: int
    """Of these, in the last hour."""
    ignored_acks: int
    """Acknowledgements by the application that fitted nothing."""
    unrecorded_refusals: int
    """Refused commands that are counted and not yet recorded."""


class DriverJson(TypedDict):
    """One driver."""

    kind: str
    """As in the configuration."""
    state: Literal["online", "lost"]
    """Whether its hardware answers."""
    reason: str | None
    """Why it is lost."""
    since: Time
    """When that began."""
    facts: dict[str, Any]
    """What this kind of driver tells of itself; no promise."""


class FloorJson(TypedDict):
    """One floor of an elevator."""

    permitted: bool
    """It may be chosen now."""
    permitted_for_s: float | None
    """For how long."""
    relay: Literal["unlocked", "locked", "unknown"]
    """What its relay was last told and confirmed."""
    button: bool | None
    """Its button is pressed; `null`: it has none, or it cannot be read."""


class ElevatorJson(TypedDict):
    """One elevator."""

    name: str
    """Its name."""
    floors: dict[str, FloorJson]
    """Each floor by id."""
    lost: list[str]
    """Points whose driver is lost."""
    faulty: list[str]
    """Inputs whose wiring is cut or shorted."""


class DirectoryJson(TypedDict):
    """Who may pass, in numbers."""

    state: Literal["loading", "recording", "ready"]
    """`recording`: its changes are still being written to the log."""
    version: int
    """0: there is none."""
    users: int
    """How many."""
    members: int
    """How many."""
    cards: int
    """How many."""
    groups: int
    """How many."""
    source: str | None
    """Where it came from."""
    since: Time | None
    """When it came."""
    stored: bool
    """It is on the disk."""
    recorded: int | None
    """While `recording`: changes recorded so far."""
    error: str | None
    """Why the last one was refused, or could not be kept."""


class ConfigurationJson(TypedDict):
    """The configuration file."""

    file: str
    """Its path."""
    refused: list[str]
    """What is wrong with it, while an earlier one guards; empty: it is in force."""
    more: int
    """How many problems more than `refused` has."""
    left_out: list[str]
    """Sections of the earlier one that this version does not understand."""


class IntegrationJson(TypedDict):
    """One integration."""

    name: str
    """Its name."""
    kind: Literal["webhook", "syslog"]
    """What it is."""
    state: Literal["ok", "retrying", "disabled"]
    """How it stands."""
    cursor: int
    """Everything up to this record is delivered."""
    backlog: int
    """Records that wait for it."""
    delivered: int
    """Since the start of `doord`."""
    failed_of_latest: list[int]
    """Failed tries, of how many latest."""
    last_error: str | None
    """Why the last try failed."""


class AlertJson(TypedDict):
    """One alert that nobody has ended."""

    alert: str
    """Its id."""
    policy: str
    """Its policy."""
    door: str | None
    """Its door."""
    message: str
    """What happened."""
    count: int
    """How often."""
    raised: Time
    """When."""
    escalated: bool
    """Others were told, too."""


class AlertsJson(TypedDict):
    """Alerts."""

    open: list[AlertJson]
    """Those that nobody has ended."""
    waiting: dict[str, int]
    """Messages that wait, by way."""
    last_errors: dict[str, str]
    """Why the last message failed, by way."""


class CameraJson(TypedDict):
    """One camera."""

    name: str
    """Its name."""
    doors: list[str]
    """What it looks at."""
    waiting: int
    """Records that wait for a picture."""
    taken: int
    """Pictures kept since the start of `doord`."""
    dropped: int
    """Records that got no picture in time."""
    last_picture: Time | None
    """When the last one came."""
    last_error: str | None
    """Why the last one did not."""


class StatusJson(TypedDict):
    """Everything that `doorctl status` shows."""

    controller: WhoJson
    """Which controller this is."""
    version: str
    """Of `doord`."""
    boot: str
    """The boot of the computer."""
    uptime_s: float
    """Since the start of `doord`."""
    stream: str
    """The log's identity; empty while it was never open."""
    clock: ClockJson
    """The calendar."""
    log: LogJson
    """The log."""
    upstream: UpstreamJson | None
    """The conversation with the broker; `null` without one."""
    drivers: dict[str, DriverJson]
    """Each driver by name."""
    doors: dict[str, DoorJson]
    """Each door by id."""
    elevators: dict[str, ElevatorJson]
    """Each elevator by id."""
    directory: DirectoryJson
    """Who may pass, in numbers."""
    configuration: ConfigurationJson
    """The configuration file."""
    failed_parts: dict[str, str]
    """Parts that doors do without and that ended with a fault, and which."""
    integrations: dict[str, IntegrationJson]
    """Each integration by id."""
    alerts: AlertsJson
    """Alerts."""
    cameras: dict[str, CameraJson]
    """Each camera by id."""
