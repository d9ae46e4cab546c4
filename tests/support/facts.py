"""A controller in good health, to make one thing wrong with at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge.diagnosis.facts import (
    BootFacts,
    ConditionFacts,
    DaemonFacts,
    DeviceFacts,
    DiskFacts,
    DoorFacts,
    DriverFacts,
    Facts,
    FileFacts,
    HistoryFacts,
    LogFacts,
    MachineFacts,
    PeopleFacts,
    ServiceFacts,
    SocketFacts,
    UpstreamFacts,
)
from edge.diagnosis.facts_consumers import (
    AlertFacts,
    BoardFacts,
    CameraFacts,
    ChannelFacts,
    ConsumerFacts,
    IntegrationFacts,
    LineFacts,
    PulseFacts,
)
from edge.doors.conditions import KINDS

NOW_US = 1_795_384_623_000_000  # 2026-11-22T21:57:03Z
S_US = 1_000_000
HOUR_US = 3_600 * S_US

DOOR = DoorFacts("front", "locked", "closed", NOW_US - HOUR_US, None, NOW_US - HOUR_US)
DRIVER = DriverFacts("gpio", "gpio", "online", None)
UPSTREAM = UpstreamFacts("mqtts://broker.example.org:8883", "online", NOW_US - 20 * HOUR_US, 4_000, 3, 1, None)
LOG = LogFacts("/var/lib/doorward/log.db", 0, 5 << 20, 0, 4.0, "ok", None, None)
READER = DeviceFacts("gpio", "5", "online", None, "own key", True, 100_000, 12)
OUTLETS = ConsumerFacts(
    (IntegrationFacts("pager", "ok", 2, 1, None),),
    (ChannelFacts("email", 0, None),),
    (AlertFacts("forced-7", NOW_US - HOUR_US),),
    (CameraFacts("hall", 1, 0, None),),
    (BoardFacts("bus", "3", "up", None, 2),),
    (LineFacts("bus", 100_000, 12),),
    (PulseFacts("back.reader", 500, 1, 2, 19),),
)
PEOPLE = PeopleFacts(7, 20, "ready", None, 1)
DAEMON = DaemonFacts("0.1.0", 24 * 3_600.0, "synced", LOG, UPSTREAM, (DRIVER,), (DOOR,), PEOPLE, (READER,), OUTLETS)
WELL = Facts(
    NOW_US,
    "0.1.0",
    daemon=DAEMON,
    socket=SocketFacts("/run/doorward/doord.sock", "answers", "doorward"),
    service=ServiceFacts("active", "enabled"),
    config="/etc/doorward/doorward.toml",
    config_written_us=NOW_US - 48 * HOUR_US,
    files=(FileFacts("/etc/doorward/doorward.toml", 0o640, False), FileFacts("/etc/doorward/key", 0o640, True)),
    disk=DiskFacts("/var/lib/doorward", 8 << 30, False),
    log_path="/var/lib/doorward/log.db",
    log_max_bytes=1 << 30,
    history=HistoryFacts(),
    boot=BootFacts("/boot/firmware/config.txt", ()),
    machine=MachineFacts(0, 51.0, 400 << 20),
)


def with_daemon(**changes: Any) -> Facts:
    return replace(WELL, daemon=replace(DAEMON, **changes))


def with_door(**changes: Any) -> Facts:
    return with_daemon(doors=(replace(DOOR, **changes),))


def with_condition(code: str, detail: str | None = None, *, lasted_us: int = 180 * S_US, **changes: Any) -> Facts:
    return with_door(conditions=(ConditionFacts(code, KINDS[code].words, detail, NOW_US - lasted_us),), **changes)


def with_driver(**changes: Any) -> Facts:
    return with_daemon(drivers=(replace(DRIVER, **changes),))


def with_reader(**changes: Any) -> Facts:
    return with_daemon(devices=(replace(READER, **changes),))


def with_outlets(**changes: Any) -> Facts:
    return with_daemon(consumers=replace(OUTLETS, **changes))


def with_lost(reason: str) -> Facts:
    return with_driver(state="lost", reason=reason)


def with_upstream(**changes: Any) -> Facts:
    return with_daemon(upstream=replace(UPSTREAM, **changes))


def with_log(**changes: Any) -> Facts:
    return with_daemon(log=replace(LOG, **changes))


def with_history(**changes: Any) -> Facts:
    return replace(WELL, history=HistoryFacts(**changes))


def with_socket(state: str, error: str | None = None, service: ServiceFacts | None = WELL.service) -> Facts:
    return replace(
        WELL, daemon=None, socket=SocketFacts("/run/doorward/doord.sock", state, None, error), service=service
    )
