"""Draws findings from facts, as an experienced engineer would who looks at this controller.

One rule: pure functions. Each finding has the evidence for it; what could not be looked at makes no finding.
The texts of the findings are in `edge/diagnosis/findings.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.diagnosis.diagnose_consumers import diagnose_consumers
from edge.diagnosis.findings import KINDS, Finding, FindingSeverity, finding
from edge.system.secret_files import GROUP, exposed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.diagnosis.facts import (
        BootFacts,
        DaemonFacts,
        DeviceFacts,
        DoorFacts,
        DriverFacts,
        Facts,
        HistoryFacts,
        PeopleFacts,
        UpstreamFacts,
    )

S_US: Final = 1_000_000
HOUR_US: Final = 3_600 * S_US
DISK_FULL_BYTES: Final = 64 << 20
DISK_LOW_BYTES: Final = 512 << 20
SLOW_COMMIT_MS: Final = 1_000.0
SLOW_WRITES: Final = 3
NEARLY_FULL: Final = 0.9
BACKLOG: Final = 1_000
EARLY_S: Final = 60.0
"""A daemon younger than this may still be connecting."""
RECONNECTS_PER_HOUR: Final = 6
TAKEN_OVER: Final = 2
"""Take-overs of the session in an hour; a single one may be a restart before the broker noticed the end."""
RESTARTS: Final = 3
CLOCK_STEPS: Final = 3
OFTEN: Final = 3
"""From so many alarms or losses in 24 hours on there is a cause to look for."""
UNLOCKS_UNOPENED: Final = 10
EDGES_LOST: Final = 100
ENOUGH_ASKED: Final = 1_000
NOISY: Final = 0.02
"""Share of questions to a reader without a readable answer; on a good cable it is one in thousands."""
REX_US: Final = 5 * 60 * S_US
FORGOTTEN_US: Final = 12 * HOUR_US
BLOCKED_US: Final = 7 * 24 * HOUR_US
OPEN_US: Final = 4 * HOUR_US
MEMORY_LOW_BYTES: Final = 32 << 20
CPU_HOT_C: Final = 80.0
"""A Raspberry Pi begins to slow down here
(https://www.raspberrypi.com/documentation/computers/config_txt.html#overclocking)."""
EX_CONFIG: Final = 78
OTHERS_WRITE: Final = 0o002
_WHY_UNREACHED: Final = (
    ("DW-FILE-UNREADABLE", "", ("cannot be read: ",)),  # as `edge.system.secret_files` says it
    ("DW-BROKER-AUTH", "", ("refused us",)),
    ("DW-CERTIFICATE-FORM", "mqtt", ("tls_strict",)),
    ("DW-BROKER-TLS", "", ("certificate", "ssl", "tls")),
    ("DW-BROKER-NAME", "", ("name or service", "name resolution", "no address associated")),
)
"""(finding, `about`, words): the first row with a word that occurs in the last error of the upstream."""
OPENINGS: Final = frozenset({"forced_open", "held_open"})
_CONDITIONS: Final = {code: (kind.code, kind.after_s * S_US) for kind in KINDS.values() for code in kind.conditions}
"""Conditions of doors that have a finding of their own, and how long it takes; the others share one, at once."""
LOW_NOW, LOW_SINCE_BOOT = 1 << 0, 1 << 16
SLOWED_NOW: Final = 1 << 1 | 1 << 2 | 1 << 3
"""Bits of get_throttled (https://www.raspberrypi.com/documentation/computers/os.html#get_throttled)."""
_ORDER: Final = (FindingSeverity.FAULT, FindingSeverity.WARNING, FindingSeverity.NOTE)
_KIND_ORDER: Final = {code: place for place, code in enumerate(KINDS)}


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """All findings from these facts, the most severe first."""
    findings_ = [*_service(facts), *_files(facts), *_storage(facts), *_machine(facts)]
    if facts.history is not None:
        findings_ += _history(facts.history, facts.log_path or "")
    if facts.daemon is not None:
        findings_ += _running(facts, facts.daemon)
    return tuple(sorted(findings_, key=lambda f: (_ORDER.index(f.severity), _KIND_ORDER[f.code])))


def _service(facts: Facts) -> Iterator[Finding]:
    socket, service = facts.socket, facts.service
    if service is not None:
        seen = f"systemd: {service.active}, result {service.result}"
        if service.exit_status == EX_CONFIG and service.active != "active":
            yield finding("DW-SERVICE-CONFIG", f"{seen}, exit status {EX_CONFIG}", about=facts.config or "FILE")
        if service.result == "watchdog":
            yield finding("DW-SERVICE-WATCHDOG", seen)
        if service.restarts >= RESTARTS:
            yield finding("DW-SERVICE-RESTARTS", f"{service.restarts} restarts since the last boot or manual start")
        if service.enabled in {"disabled", "masked"}:
            yield finding("DW-SERVICE-DISABLED", f"systemd: {service.enabled}")
    if socket is not None:
        yield from _socket(facts)
    if facts.daemon is not None and facts.daemon.version != facts.tool_version:
        yield finding("DW-VERSION-MISMATCH", f"doorctl {facts.tool_version}, doord {facts.daemon.version}")


def _socket(facts: Facts) -> Iterator[Finding]:
    socket, service = facts.socket, facts.service
    if socket is None:
        return
    seen = socket.error or f"{socket.path}: {socket.state}"
    if socket.state in {"missing", "dead"}:
        unit = f"systemd: {service.active}" if service is not None else "systemd could not be asked"
        yield finding("DW-SERVICE-DEAD", seen, unit)
    elif socket.state == "silent":
        yield finding("DW-SERVICE-SILENT", seen)
    elif socket.state in {"forbidden", "refused"}:
        yield finding("DW-SOCKET-PERMISSION", seen)
    if socket.state == "answers" and service is not None and socket.group not in {GROUP, None}:
        yield finding("DW-SOCKET-GROUP", f"{socket.path} belongs to the group {socket.group}")


def _files(facts: Facts) -> Iterator[Finding]:
    if facts.config_problems:
        yield finding("DW-CONFIG-INVALID", *facts.config_problems, about=facts.config or "FILE")
    if facts.unreadable:
        yield finding("DW-FILE-UNREADABLE", *facts.unreadable)
    if facts.password_in_clear:
        yield finding("DW-BROKER-CLEAR", "mqtt:// with a username", about=facts.config or "FILE")
    for file in facts.files:
        seen = f"{file.path}: mode {file.mode:04o}"
        if file.mode & OTHERS_WRITE:
            yield finding("DW-CONFIG-WRITABLE", seen, about=file.path)
        if file.secret and exposed(file.mode, file.group):
            yield finding("DW-SECRET-READABLE", f"{seen}, group {file.group}", about=file.path)
    if facts.boot is not None:
        yield from _boot(facts.boot)


def _boot(boot: BootFacts) -> Iterator[Finding]:
    strict = [f"missing: {line}" for line in boot.missing if not line.startswith("gpio=")]
    levels = [f"missing: {line}" for line in boot.missing if line.startswith("gpio=")]
    if strict:
        yield finding("DW-BOOT-STRICT-GPIOD", *strict, about=boot.path)
    if levels:
        yield finding("DW-BOOT-LINE-LEVEL", *levels, about=boot.path)


def _storage(facts: Facts) -> Iterator[Finding]:
    disk = facts.disk
    if disk is not None:
        free = f"{disk.free_bytes / (1 << 20):.0f} MiB free for {disk.path}"
        if disk.read_only:
            yield finding("DW-DISK-READONLY", f"{disk.path} is mounted read-only", about=disk.path)
        if disk.free_bytes < DISK_FULL_BYTES:
            yield finding("DW-DISK-FULL", free, about=disk.path)
        elif disk.free_bytes < DISK_LOW_BYTES:
            yield finding("DW-DISK-LOW", free, about=disk.path)
    if facts.log_missing:
        yield finding("DW-LOG-MISSING", f"{facts.log_path}: no such file", about=facts.log_path or "")


def _machine(facts: Facts) -> Iterator[Finding]:
    bits, cpu_c = facts.machine.throttled, facts.machine.cpu_c
    if bits is not None and bits & LOW_NOW:
        yield finding("DW-POWER-LOW", f"get_throttled: 0x{bits:x}")
    elif bits is not None and bits & LOW_SINCE_BOOT:
        yield finding("DW-POWER-WAS-LOW", f"get_throttled: 0x{bits:x}")
    if cpu_c is not None and cpu_c >= CPU_HOT_C:
        yield finding("DW-CPU-HOT", f"{cpu_c:.0f} °C")
    elif bits is not None and bits & SLOWED_NOW and not bits & LOW_NOW:
        yield finding("DW-CPU-THROTTLED", f"get_throttled: 0x{bits:x}")
    if facts.machine.available_bytes is not None and facts.machine.available_bytes < MEMORY_LOW_BYTES:
        yield finding("DW-MEMORY-LOW", f"{facts.machine.available_bytes >> 20} MiB are free")


def _history(history: HistoryFacts, path: str) -> Iterator[Finding]:
    if history.broken is not None:
        yield finding("DW-LOG-BROKEN", history.broken, about=path)
    if history.watchdog:
        yield finding("DW-SERVICE-WATCHDOG", f"controller.start after the watchdog: {history.watchdog} in 30 days")
    if history.gaps:
        yield finding("DW-LOG-GAP", f"controller.gap: {history.gaps} in 30 days")
    if history.clock_steps >= CLOCK_STEPS:
        yield finding("DW-CLOCK-STEPS", f"controller.clock_adjusted: {history.clock_steps} in 24 hours")
    for point, count in sorted(history.unstable.items()):
        seen = f"controller_input.unstable of {point}: {count} in 24 hours"
        yield finding("DW-INPUT-UNSTABLE", seen, about=point.rpartition(".")[0] or point)
    for counts, enough, code, seen in (
        (history.forced, OFTEN, "DW-FORCED-OFTEN", "lock.forced_open: {} in 24 hours"),
        (history.lost, OFTEN, "DW-DRIVER-FLAPS", "controller.fault: {} in 24 hours"),
        (history.unlocks_unopened, UNLOCKS_UNOPENED, "DW-CONTACT-SILENT", "{} unlocks and no lock.opened since"),
    ):
        for about, count in sorted(counts.items()):
            if count >= enough:
                yield finding(code, seen.format(count), about=about)


def _running(facts: Facts, daemon: DaemonFacts) -> Iterator[Finding]:
    if daemon.clock == "unsynced":
        yield finding("DW-CLOCK-UNSYNCED", f"clock: {daemon.clock}")
    elif daemon.clock == "rtc":
        yield finding("DW-CLOCK-RTC", f"clock: {daemon.clock}")
    if not daemon.doors:
        yield finding("DW-DOOR-NONE", "doord: 0 doors", about=facts.config or "FILE")
    yield from _loaded(facts, daemon)
    yield from _log(facts, daemon)
    if daemon.people is not None:
        yield from _people(daemon.people)
    if daemon.upstream is not None:
        yield from _upstream(facts.now_us, daemon, daemon.upstream)
    yield from _hardware(daemon)
    yield from diagnose_consumers(daemon.consumers, facts.now_us)
    lost = any(driver.state == "lost" for driver in daemon.drivers)
    for door in daemon.doors:
        yield from _door(facts.now_us, door, lost=lost)


def _hardware(daemon: DaemonFacts) -> Iterator[Finding]:
    for driver in daemon.drivers:
        yield from _driver(driver)
    online = {driver.name for driver in daemon.drivers if driver.state == "online"}
    for device in daemon.devices:
        if device.driver in online:  # else the finding about the driver covers its devices
            yield from _device(device)


def _loaded(facts: Facts, daemon: DaemonFacts) -> Iterator[Finding]:
    started_us = facts.now_us - daemon.uptime_s * S_US
    if daemon.config_refused:
        left_out = [f"without [{section}]" for section in daemon.left_out]
        yield finding("DW-CONFIG-KEPT", *daemon.config_refused, *left_out, about=facts.config or "FILE")
    elif facts.config_differs:
        yield finding("DW-CONFIG-DIFFERS", *facts.config_differs, about=facts.config or "FILE")
    elif facts.config_written_us is not None and facts.config_written_us > started_us:
        seen = f"written {_span(facts.now_us - facts.config_written_us)} ago"
        yield finding("DW-CONFIG-TOUCHED", seen, about=facts.config or "FILE")


def _people(people: PeopleFacts) -> Iterator[Finding]:
    if people.error is not None:
        yield finding("DW-DIRECTORY-REFUSED", people.error, f"version {people.version} stays in force")
    if people.readers and not people.cards and people.state == "ready":
        yield finding("DW-DIRECTORY-EMPTY", f"{people.readers} doors have a reader, and there are no cards")


def _log(facts: Facts, daemon: DaemonFacts) -> Iterator[Finding]:
    log = daemon.log
    waits = f"{log.waiting} events wait in memory"
    if log.writer == "stalled":
        yield finding("DW-LOG-STALLED", waits)
    if log.writer == "failed":
        error = log.error or "no reason given"
        yield finding("DW-LOG-FAILED", error, waits)
        if "readonly" in error.replace("-", "").lower() and not (facts.disk and facts.disk.read_only):
            yield finding("DW-DISK-READONLY", error, about=log.path)
    if log.dropped:
        yield finding("DW-LOG-DROPPED", f"{log.dropped} events lost since doord started")
    if log.set_aside:
        yield finding("DW-LOG-SET-ASIDE", log.set_aside, about=log.set_aside)
    slow = [f"the last write took {log.last_commit_ms:.0f} ms"] if (log.last_commit_ms or 0) >= SLOW_COMMIT_MS else []
    if facts.history is not None and facts.history.slow_writes >= SLOW_WRITES:
        slow.append(f"controller.storage (slow): {facts.history.slow_writes} in 7 days")
    if slow:
        yield finding("DW-DISK-SLOW", *slow)
    waiting = daemon.upstream is not None and daemon.upstream.backlog > 0
    if facts.log_max_bytes and waiting and log.bytes >= NEARLY_FULL * facts.log_max_bytes:
        yield finding("DW-LOG-BIG", f"{log.bytes >> 20} of {facts.log_max_bytes >> 20} MiB")


def _upstream(now_us: int, daemon: DaemonFacts, upstream: UpstreamFacts) -> Iterator[Finding]:
    error = upstream.last_error or "no reason given"
    words = error.lower()
    if upstream.state == "refused":
        yield finding("DW-BROKER-REFUSES", error)
    elif upstream.state == "no_subscriber":
        yield finding("DW-BROKER-NO-SUBSCRIBER", f"{upstream.backlog} records wait", error)
    elif upstream.state != "online" and daemon.uptime_s >= EARLY_S:
        yield _unreached(now_us, upstream, words)
    yield from _flapping(daemon, upstream)
    if upstream.backlog >= BACKLOG:
        yield finding("DW-BACKLOG", f"{upstream.backlog} records after {upstream.cursor} are not acknowledged")


def _flapping(daemon: DaemonFacts, upstream: UpstreamFacts) -> Iterator[Finding]:
    """Findings about a connection that comes and goes, whatever its state is at the moment."""
    hours = daemon.uptime_s / 3_600
    if upstream.taken_over_last_hour >= TAKEN_OVER:
        yield finding("DW-BROKER-TWINS", f"{upstream.taken_over_last_hour} times in the last hour", about=upstream.url)
    elif upstream.reconnects >= RECONNECTS_PER_HOUR <= upstream.reconnects / max(1.0, hours):
        yield finding("DW-BROKER-FLAPS", f"{upstream.reconnects} reconnects in {hours:.1f} hours")
    elif upstream.last_hour > RECONNECTS_PER_HOUR:
        yield finding("DW-BROKER-FLAPS", f"{upstream.last_hour} connections in the last hour")


def _unreached(now_us: int, upstream: UpstreamFacts, words: str) -> Finding:
    error = upstream.last_error or "no answer yet"
    for code, about, signs in _WHY_UNREACHED:
        if any(sign in words for sign in signs):
            return finding(code, error, about=about or upstream.url)
    if not upstream.connections:
        return finding("DW-BROKER-NEVER", error, about=upstream.url)
    return finding("DW-BROKER-OFFLINE", error, f"for {_span(now_us - upstream.since_us)}", about=upstream.url)


def _driver(driver: DriverFacts) -> Iterator[Finding]:
    if driver.state == "lost":
        yield finding(_why_lost(driver.reason or ""), driver.reason or "no reason given", about=driver.name)
    if driver.stuck:
        yield finding("DW-OUTPUT-STUCK", *driver.stuck, about=driver.name)
    if driver.lost_edges >= EDGES_LOST:
        yield finding("DW-EDGES-LOST", f"{driver.lost_edges} edges", about=driver.name)
    if driver.kind == "simulated":
        yield finding("DW-SIMULATED", "kind = simulated", about=driver.name)


def _device(device: DeviceFacts) -> Iterator[Finding]:
    about = f"{device.address} on {device.driver}"
    if device.state == "lost":
        yield finding("DW-READER-LOST", device.reason or "no reason given", about=about)
    elif device.encrypts is False:
        yield finding("DW-READER-NO-CRYPTO", "it does not name communication security among its abilities", about=about)
    elif device.secure not in {None, "own key"}:
        yield finding("DW-READER-INSECURE", f"secure channel: {device.secure}", about=about)
    if device.asked >= ENOUGH_ASKED and device.troubled > NOISY * device.asked:
        seen = f"{device.troubled} of {device.asked} questions had no readable answer"
        yield finding("DW-READER-NOISE", seen, about=about)
    if device.power_failure:
        yield finding("DW-READER-POWER", "it reports a power failure", about=about)


def _why_lost(reason: str) -> str:
    """The finding for a driver's reason: texts of `drivers/gpio` and of the kernel about serial lines."""
    words = reason.lower()
    if "is held by" in words or "resource busy" in words:
        return "DW-LINE-BUSY"
    if "may not be opened" in words or "permission denied" in words:
        return "DW-DEVICE-PERMISSION"
    missing = ("no gpio chip is called", "is not a gpio chip", "no such file")
    if any(word in words for word in missing) or ("does not exist" in words and not words.startswith("line ")):
        return "DW-CHIP-WRONG"
    return "DW-DRIVER-LOST"


def _door(now_us: int, door: DoorFacts, *, lost: bool) -> Iterator[Finding]:
    mode_us = now_us - door.mode_since_us
    for mode, patience_us, code in (
        ("locked_down", FORGOTTEN_US, "DW-LOCKDOWN-FORGOTTEN"),
        ("unlocked", FORGOTTEN_US, "DW-HOLD-FORGOTTEN"),
        ("blocked", BLOCKED_US, "DW-BLOCK-FORGOTTEN"),
    ):
        if door.mode == mode and mode_us >= patience_us:
            yield finding(code, f"mode {mode} for {_span(mode_us)}", about=door.id)
    yield from _conditions(now_us, door, lost=lost)
    open_us = None if door.contact_since_us is None else now_us - door.contact_since_us
    alarmed = any(condition.code in OPENINGS for condition in door.conditions)
    if door.contact == "open" and not alarmed and open_us is not None and open_us >= OPEN_US:
        yield finding("DW-DOOR-OPEN", f"open for {_span(open_us)}", about=door.id)
    if door.rex is not None and door.rex.asserted and now_us - door.rex.since_us >= REX_US:
        yield finding("DW-REX-STUCK", f"pressed for {_span(now_us - door.rex.since_us)}", about=door.id)


def _conditions(now_us: int, door: DoorFacts, *, lost: bool) -> Iterator[Finding]:
    """Findings about the conditions of a door; `lost`: a driver is lost, which has a finding of its own."""
    for condition in door.conditions:
        code, patience_us = _CONDITIONS.get(condition.code, ("DW-DOOR-CONDITION", 0))
        if condition.code == "fault" and door.contact == "unknown":
            code = "DW-DOOR-UNKNOWN"
        lasted_us = now_us - condition.since_us
        if lasted_us >= patience_us and not (lost and condition.code == "fault"):
            detail = f": {condition.detail}" if condition.detail else ""
            yield finding(code, f"{condition.message} for {_span(lasted_us)}{detail}", about=door.id)


def _span(us: int) -> str:
    """A duration in microseconds as text."""
    for length_us, unit in ((24 * HOUR_US, "days"), (HOUR_US, "hours"), (60 * S_US, "minutes")):
        if us >= 2 * length_us:
            return f"{us // length_us} {unit}"
    return f"{max(0, us) // S_US} seconds"
