"""Everything that `doorctl status` shows."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from edge.model.published.alerts import AlertsJson  # noqa: TC001 -- the types of fields are looked up
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
    time_zone: str
    """The time zone where its doors are, like `Europe/Berlin`."""


class ClockJson(TypedDict):
    """The calendar."""

    quality: Literal["synced", "rtc", "unsynced"]
    """How far it can be trusted."""
    time: Time
    """The time now."""


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
    """The state of the connection."""
    since: Time
    """When that began."""
    last_error: str | None
    """The last error."""
    url: str
    """The broker."""
    ack: Literal["broker", "application"]
    """Who acknowledges records."""
    cursor: int
    """Everything up to this record is acknowledged."""
    backlog: int
    """Records that are not acknowledged yet."""
    in_flight: int
    """Messages that are sent and not acknowledged yet."""
    window: int
    """How many messages may be in flight."""
    left_out: dict[str, str]
    """Each topic that is not sent because of the broker's limits, and why."""
    connections: int
    """Since the start of `doord`."""
    connections_last_hour: int
    """Of these, in the last hour."""
    reconnects: int
    """Connections after the first."""
    taken_over: int
    """How often the broker ended a connection because another client came with our id."""
    taken_over_last_hour: int
    """Of these, in the last hour."""
    ignored_acks: int
    """Acknowledgements by the application that were not valid or not expected."""
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
    """Facts that depend on the kind of driver; they may change with a release."""


class FloorJson(TypedDict):
    """One floor of an elevator."""

    name: str
    """Its name in the directory, else its id."""
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

    managed: Literal["here", "file", "upstream"]
    """Who may change it: the page, `doorctl` and MQTT (`here`); only its file; only commands over MQTT (`upstream`)."""
    state: Literal["loading", "recording", "ready"]
    """`recording`: its changes, or those of versions before, are still being written to the log."""
    version: int
    """0: there is none."""
    users: int
    """Number of users."""
    members: int
    """Number of members."""
    cards: int
    """Number of cards."""
    groups: int
    """Number of groups."""
    source: str | None
    """Where it came from."""
    since: Time | None
    """When it came."""
    stored: bool
    """It is on the disk."""
    recorded: int | None
    """While `recording`: changes recorded so far, of all versions that had to be recorded."""
    error: str | None
    """Why the last directory was refused, or could not be stored."""


class ConfigurationJson(TypedDict):
    """The configuration file."""

    file: str
    """Its path."""
    refused: list[str]
    """The problems of a refused file, while an earlier configuration is in force; empty: the file is in force."""
    more: int
    """How many problems more than `refused` has."""
    left_out: list[str]
    """Sections of that earlier configuration that this version does not understand."""


class IntegrationJson(TypedDict):
    """One integration."""

    name: str
    """Its name."""
    kind: Literal["webhook", "syslog"]
    """Its kind."""
    state: Literal["ok", "retrying", "disabled"]
    """The state of the delivery."""
    cursor: int
    """Everything up to this record is delivered."""
    backlog: int
    """Records that wait for it."""
    delivered: int
    """Since the start of `doord`."""
    failed_of_latest: list[int]
    """How many of the latest tries have failed, and how many tries these are."""
    last_error: str | None
    """Why the last try failed."""


class CameraJson(TypedDict):
    """One camera."""

    name: str
    """Its name."""
    doors: list[str]
    """The doors it looks at."""
    waiting: int
    """Records that wait for a picture."""
    taken: int
    """Pictures kept since the start of `doord`."""
    dropped: int
    """Records that got no picture in time."""
    last_picture: Time | None
    """When the last picture came."""
    last_error: str | None
    """Why the last try failed."""


class StatusJson(TypedDict):
    """Everything that `doorctl status` shows."""

    controller: WhoJson
    """Which controller this is."""
    version: str
    """The version of `doord`."""
    boot: str
    """The id of the computer's boot."""
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
    """Each part of `doord` that has failed, and why. Doors work without these parts."""
    integrations: dict[str, IntegrationJson]
    """Each integration by id."""
    alerts: AlertsJson
    """Alerts."""
    cameras: dict[str, CameraJson]
    """Each camera by id."""
