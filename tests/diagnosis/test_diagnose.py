"""Every finding: made by the facts that call for it, worded as its golden file, and by nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.wiegand.frames import DropReason
from drivers.wiegand.reader import STALE
from edge.cli.diagnose import lines, looked_at, verdict
from edge.diagnosis.diagnose import diagnose
from edge.diagnosis.facts import (
    LONGEST,
    BootFacts,
    DaemonFacts,
    DeviceFacts,
    DiskFacts,
    DriverFacts,
    Facts,
    FileFacts,
    InputFacts,
    MachineFacts,
    ServiceFacts,
    SocketFacts,
)
from edge.diagnosis.facts_consumers import (
    THROWN_AWAY,
    AlertFacts,
    BoardFacts,
    CameraFacts,
    ChannelFacts,
    IntegrationFacts,
    LineFacts,
    PartFacts,
    PulseFacts,
)
from edge.diagnosis.findings import KINDS
from edge.doors.conditions import KINDS as CONDITIONS
from tests.support import facts as make
from tests.support.facts import HOUR_US, NOW_US, S_US, WELL
from tests.support.golden import check_golden

DEAD = "no daemon at /run/doorward/doord.sock: is doord running? systemctl status doord"
OFFLINE = {"state": "offline", "since_us": NOW_US - 7 * HOUR_US}

CASES: dict[str, Facts] = {
    "DW-SERVICE-DEAD": make.with_socket("missing", DEAD, ServiceFacts("inactive", "enabled")),
    "DW-SERVICE-SILENT": make.with_socket("silent", "the daemon did not answer within 15 s"),
    "DW-SERVICE-CONFIG": replace(WELL, service=ServiceFacts("failed", "enabled", "exit-code", 0, 78)),
    "DW-SERVICE-WATCHDOG": replace(WELL, service=ServiceFacts("active", "enabled", "watchdog", 1)),
    "DW-SERVICE-RESTARTS": replace(WELL, service=ServiceFacts("active", "enabled", "success", 3)),
    "DW-SERVICE-DISABLED": replace(WELL, service=ServiceFacts("active", "disabled")),
    "DW-VERSION-MISMATCH": replace(WELL, tool_version="0.2.0"),
    "DW-SOCKET-PERMISSION": make.with_socket("forbidden", "no permission for /run/doorward/doord.sock"),
    "DW-SOCKET-GROUP": replace(WELL, socket=SocketFacts("/run/doorward/doord.sock", "answers", "root")),
    "DW-CONFIG-INVALID": replace(WELL, config_problems=("doorward.toml: door.front.lock: missing", "one more")),
    "DW-CONFIG-DIFFERS": replace(
        WELL, config_differs=("door.back: the file has it, doord does not",), config_written_us=NOW_US - HOUR_US
    ),
    "DW-CONFIG-KEPT": make.with_daemon(
        config_refused=("doorward.toml: mqtt.urk: unknown key", "doorward.toml: door.front: missing"),
        left_out=("mqtt",),
    ),
    "DW-DOOR-NONE": make.with_daemon(doors=()),
    "DW-CONFIG-TOUCHED": replace(WELL, config_written_us=NOW_US - 24 * HOUR_US + 1),
    "DW-CONFIG-WRITABLE": replace(WELL, files=(FileFacts("/etc/doorward/doorward.toml", 0o666, False),)),
    "DW-SECRET-READABLE": replace(WELL, files=(FileFacts("/etc/doorward/mqtt.password", 0o640, True, "doorward"),)),
    "DW-FILE-UNREADABLE": replace(
        WELL, unreadable=('doorward.toml: smtp.password_file: found "/etc/doorward/mail", expected a file',)
    ),
    "DW-BROKER-CLEAR": replace(WELL, password_in_clear=True),
    "DW-BOOT-STRICT-GPIOD": replace(WELL, boot=BootFacts("/boot/firmware/config.txt", ("dtparam=strict_gpiod",))),
    "DW-BOOT-LINE-LEVEL": replace(
        WELL, boot=BootFacts("/boot/firmware/config.txt", ("gpio=17=op,dl", "gpio=23=op,dl"))
    ),
    "DW-READER-LOST": make.with_reader(state="lost", reason="no answer within 200 ms"),
    "DW-READER-NO-CRYPTO": make.with_reader(encrypts=False, secure="off"),
    "DW-READER-INSECURE": make.with_reader(secure="no session, install mode"),
    "DW-READER-NOISE": make.with_reader(asked=1_000, troubled=21),
    "DW-READER-POWER": make.with_reader(power_failure=True),
    "DW-WIEGAND-SWAPPED": make.with_outlets(pulses=(PulseFacts("back.reader", 0, 2, 0, 0),)),
    "DW-WIEGAND-FORMAT": make.with_outlets(pulses=(PulseFacts("back.reader", 500, 0, 3, 0),)),
    "DW-WIEGAND-NOISE": make.with_outlets(pulses=(PulseFacts("back.reader", 300, 0, 0, 20),)),
    "DW-BOARD-LOST": make.with_outlets(boards=(BoardFacts("bus", "3", "lost", "unit 3 does not answer", 0),)),
    "DW-BOARD-RESETS": make.with_outlets(boards=(BoardFacts("bus", "3", "up", None, 3),)),
    "DW-BOARD-NOISE": make.with_outlets(lines=(LineFacts("bus", 1_000, 21),)),
    "DW-DIRECTORY-REFUSED": make.with_daemon(people=replace(make.PEOPLE, error="cards[3].number: found 7")),
    "DW-DIRECTORY-EMPTY": make.with_daemon(people=replace(make.PEOPLE, version=0, cards=0)),
    "DW-CLOCK-UNSYNCED": make.with_daemon(clock="unsynced"),
    "DW-CLOCK-RTC": make.with_daemon(clock="rtc"),
    "DW-CLOCK-STEPS": make.with_history(clock_steps=3),
    "DW-DISK-FULL": replace(WELL, disk=DiskFacts("/var/lib/doorward", 63 << 20, False)),
    "DW-DISK-LOW": replace(WELL, disk=DiskFacts("/var/lib/doorward", 64 << 20, False)),
    "DW-DISK-READONLY": replace(WELL, disk=DiskFacts("/var/lib/doorward", 8 << 30, True)),
    "DW-DISK-SLOW": make.with_log(last_commit_ms=1_000.0),
    "DW-LOG-STALLED": make.with_log(writer="stalled", waiting=17),
    "DW-LOG-FAILED": make.with_log(writer="failed", error="OperationalError: disk I/O error", waiting=17),
    "DW-LOG-DROPPED": make.with_log(dropped=4),
    "DW-LOG-SET-ASIDE": make.with_log(set_aside="/var/lib/doorward/log.db.damaged-20261122T215703Z"),
    "DW-LOG-BROKEN": make.with_history(broken="record 7: its content does not match its hash"),
    "DW-LOG-MISSING": replace(WELL, log_missing=True),
    "DW-LOG-GAP": make.with_history(gaps=2),
    "DW-LOG-BIG": replace(make.with_log(bytes=950 << 20), log_max_bytes=1 << 30),
    "DW-BROKER-NEVER": make.with_upstream(
        state="offline",
        since_us=NOW_US - 24 * HOUR_US,
        reconnects=0,
        connections=0,
        last_error="mqtts://broker.example.org:8883: timed out",
    ),
    "DW-BROKER-OFFLINE": make.with_upstream(**OFFLINE, last_error="The connection was lost."),
    "DW-BROKER-NAME": make.with_upstream(**OFFLINE, last_error="[Errno -2] Name or service not known"),
    "DW-BROKER-AUTH": make.with_upstream(**OFFLINE, last_error="the broker refused us: Not authorized"),
    "DW-BROKER-TLS": make.with_upstream(
        **OFFLINE, last_error="[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired (_ssl.c:992)"
    ),
    "DW-CERTIFICATE-FORM": make.with_upstream(
        **OFFLINE,
        last_error="mqtts://broker.example.org:8883: certificate verify failed: "
        "CA cert does not include key usage extension (refused by tls_strict)",
    ),
    "DW-BROKER-REFUSES": make.with_upstream(state="refused", last_error="the broker refuses events: reason 0x87"),
    "DW-BROKER-NO-SUBSCRIBER": make.with_upstream(
        state="no_subscriber", backlog=40, last_error="nobody subscribes to the events"
    ),
    "DW-BROKER-TWINS": make.with_upstream(reconnects=150, taken_over_last_hour=75),
    "DW-BROKER-FLAPS": make.with_upstream(reconnects=150),
    "DW-BACKLOG": make.with_upstream(backlog=1_000),
    "DW-PART-FAILED": make.with_outlets(failed=(PartFacts("alerts", "KeyError: 'forced'"),)),
    "DW-INTEGRATION-DISABLED": make.with_outlets(
        integrations=(IntegrationFacts("pager", "disabled", 40, 20, "1000 tries in a row failed: it answers 500"),)
    ),
    "DW-INTEGRATION-FAILING": make.with_outlets(
        integrations=(IntegrationFacts("pager", "retrying", 40, 3, "pager.example.org: connection refused"),)
    ),
    "DW-INTEGRATION-BEHIND": make.with_outlets(integrations=(IntegrationFacts("pager", "ok", 1_000, 0, None),)),
    "DW-ALERT-STUCK": make.with_outlets(channels=(ChannelFacts("email", 2, "mail.example.org: timed out"),)),
    "DW-ALERT-UNANSWERED": make.with_outlets(alerts=(AlertFacts("forced-7", NOW_US - 12 * HOUR_US),)),
    "DW-CAMERA-SILENT": make.with_outlets(cameras=(CameraFacts("hall", 1, 0, "10.0.0.9: the password is wrong"),)),
    "DW-CAMERA-LATE": make.with_outlets(cameras=(CameraFacts("hall", 1, 3, None),)),
    "DW-CAMERA-NO-DOOR": make.with_outlets(cameras=(CameraFacts("hall", 0, 0, None),)),
    "DW-DRIVER-LOST": make.with_lost("gpiochip0 (pinctrl-bcm2711) has gone: look at its power and cable"),
    "DW-LINE-BUSY": make.with_lost("line 22 of gpiochip0 is held by 'w1-gpio': stop that program or overlay"),
    "DW-DEVICE-PERMISSION": make.with_lost("/dev/gpiochip0 may not be opened: put the user into the group gpio"),
    "DW-CHIP-WRONG": make.with_lost("/dev/gpiochip4 does not exist: set `chip` to one of this machine's GPIO chips"),
    "DW-DRIVER-FLAPS": make.with_history(lost={"bus": 5, "gpio": 2}),
    "DW-OUTPUT-STUCK": make.with_driver(stuck=("front.lock",)),
    "DW-EDGES-LOST": make.with_driver(lost_edges=100),
    "DW-SIMULATED": make.with_driver(kind="simulated"),
    "DW-REX-STUCK": make.with_door(rex=InputFacts(True, NOW_US - 300 * S_US)),
    "DW-CONTACT-FAULT": make.with_condition("contact_fault", contact="fault"),
    "DW-INPUT-UNSTABLE": make.with_history(unstable={"front.contact": 2}),
    "DW-CONTACT-SILENT": make.with_history(unlocks_unopened={"front": 10, "back": 9}),
    "DW-TAMPER": make.with_condition("tamper", "front.tamper"),
    "DW-LOCKDOWN-FORGOTTEN": make.with_door(mode="locked_down", mode_since_us=NOW_US - 12 * HOUR_US),
    "DW-HOLD-FORGOTTEN": make.with_door(mode="unlocked", mode_since_us=NOW_US - 12 * HOUR_US),
    "DW-BLOCK-FORGOTTEN": make.with_door(mode="blocked", mode_since_us=NOW_US - 168 * HOUR_US),
    "DW-RELEASE-ACTIVE": make.with_condition("release_input", lasted_us=30 * S_US, mode="locked_open"),
    "DW-DOOR-FORCED": make.with_condition("forced_open", lasted_us=90 * S_US),
    "DW-DOOR-HELD": make.with_condition("held_open", lasted_us=HOUR_US),
    "DW-DOOR-OPEN": make.with_door(contact="open", contact_since_us=NOW_US - 4 * HOUR_US),
    "DW-DOOR-UNKNOWN": make.with_condition("fault", "reader 3 does not answer", contact="unknown"),
    "DW-DOOR-CONDITION": make.with_condition("fault", "line 17 of gpiochip0 is held by 'w1-gpio'"),
    "DW-FORCED-OFTEN": make.with_history(forced={"front": 3, "back": 2}),
    "DW-POWER-LOW": replace(WELL, machine=MachineFacts(0x50005, 51.0)),
    "DW-POWER-WAS-LOW": replace(WELL, machine=MachineFacts(0x50000, 51.0)),
    "DW-CPU-HOT": replace(WELL, machine=MachineFacts(0x8, 80.0)),
    "DW-CPU-THROTTLED": replace(WELL, machine=MachineFacts(0x8, 79.0)),
    "DW-MEMORY-LOW": replace(WELL, machine=MachineFacts(0, 51.0, (32 << 20) - 1)),
}
CASES |= {
    kind.code: make.with_condition(kind.conditions[0], lasted_us=max(kind.after_s, 30) * S_US)
    for kind in KINDS.values()
    if kind.conditions and kind.code not in CASES
}
"""What can be wrong with a door needs no case of its own."""

JUST_WELL: dict[str, Facts] = {
    "a young daemon is still connecting": make.with_daemon(
        uptime_s=59.0, upstream=replace(make.UPSTREAM, state="connecting", since_us=NOW_US - 59 * S_US)
    ),
    "no upstream at all": make.with_daemon(upstream=None),
    "a lockdown of today": make.with_door(mode="locked_down", mode_since_us=NOW_US - 12 * HOUR_US + 1),
    "a door held open for a while": make.with_condition("held_open", lasted_us=HOUR_US - 1),
    "an exit button held for minutes": make.with_door(rex=InputFacts(True, NOW_US - 299 * S_US)),
    "an exit button long at rest": make.with_door(rex=InputFacts(False, 0)),
    "two forced openings": make.with_history(forced={"front": 2}, lost={"gpio": 2}, clock_steps=2, slow_writes=2),
    "a big log that is acknowledged": replace(
        make.with_daemon(log=replace(make.LOG, bytes=1 << 30), upstream=replace(make.UPSTREAM, backlog=0))
    ),
    "few reconnects in a short life": make.with_daemon(uptime_s=600.0, upstream=replace(make.UPSTREAM, reconnects=5)),
    "many reconnects in a long life": make.with_upstream(reconnects=143),
    "an unsigned public file": replace(WELL, files=(FileFacts("/etc/doorward/doorward.toml", 0o644, False),)),
    "a socket on a developer's computer": replace(WELL, service=None, socket=SocketFacts("/tmp/s", "answers", "ann")),
    "a door that has stood open since lunch": make.with_door(contact="open", contact_since_us=NOW_US - 4 * HOUR_US + 1),
    "a door long open whose alarm says so already": make.with_condition(
        "held_open", lasted_us=HOUR_US - 1, contact="open", contact_since_us=0
    ),
    "a door that nobody has used for weeks": make.with_door(contact="closed", contact_since_us=0),
    "a configuration older than the daemon": replace(WELL, config_written_us=NOW_US - 24 * HOUR_US),
    "a file touched while nothing runs": replace(WELL, daemon=None, config_written_us=NOW_US),
    "a computer that was slow once": replace(WELL, machine=MachineFacts(0xE0000, 60.0)),
    "little memory, but enough": replace(WELL, machine=MachineFacts(0, 51.0, 32 << 20)),
    "a receiver that failed twice": make.with_outlets(
        integrations=(IntegrationFacts("pager", "retrying", 2, 2, "down"),)
    ),
    "a receiver that has just come back": make.with_outlets(
        integrations=(IntegrationFacts("p", "ok", 999, 20, "down"),)
    ),
    "a mail that failed and left": make.with_outlets(channels=(ChannelFacts("email", 0, "timed out"),)),
    "a mail on its way": make.with_outlets(channels=(ChannelFacts("email", 3, None),)),
    "a line that was hardly used": make.with_outlets(lines=(LineFacts("bus", 999, 999),)),
    "a busy reader": make.with_outlets(pulses=(PulseFacts("back.reader", 10_000, 0, 0, 400),)),
    "a warm computer": replace(WELL, machine=MachineFacts(None, 79.9)),
}


def codes(facts: Facts) -> list[str]:
    return [finding.code for finding in diagnose(facts)]


@pytest.mark.parametrize(
    ("uptime_s", "down_for_s", "changes", "expected"),
    [
        (90.0, 60, {"reconnects": 20}, ["DW-BROKER-OFFLINE", "DW-BROKER-FLAPS"]),
        (7_200.0, 5, {"reconnects": 400}, ["DW-BROKER-OFFLINE", "DW-BROKER-FLAPS"]),
        (7_200.0, 5, {"reconnects": 400, "taken_over_last_hour": 100}, ["DW-BROKER-TWINS", "DW-BROKER-OFFLINE"]),
        (100 * 86_400.0, 5, {"reconnects": 30, "last_hour": 12}, ["DW-BROKER-OFFLINE", "DW-BROKER-FLAPS"]),
        (90.0, 80, {"reconnects": 0}, ["DW-BROKER-OFFLINE"]),
        (90.0, 80, {"reconnects": 0, "connections": 0}, ["DW-BROKER-NEVER"]),
    ],
)
def test_a_link_that_was_there_once_was_reached_and_one_that_comes_and_goes_flaps(
    uptime_s: float, down_for_s: int, changes: dict[str, int], expected: list[str]
) -> None:
    """Whether or not it happens to be up when somebody asks."""
    why = {"state": "offline", "last_error": "The connection was lost.", "since_us": NOW_US - down_for_s * S_US}
    facts = make.with_daemon(uptime_s=uptime_s, upstream=replace(make.UPSTREAM, **why, **changes))
    assert [code for code in codes(facts) if "BROKER" in code] == expected


def test_every_finding_has_its_case() -> None:
    assert CASES.keys() == KINDS.keys(), "tests/diagnosis/test_diagnose.py: a case in CASES for each row of findings.py"
    assert len(KINDS) >= 20


def test_a_finding_tells_of_conditions_that_a_door_can_have() -> None:
    told = [code for kind in KINDS.values() for code in kind.conditions]
    assert set(told) <= CONDITIONS.keys(), (
        "edge/diagnosis/findings.py names a condition that edge/doors/conditions.py has not"
    )
    assert len(told) == len(set(told))


@pytest.mark.parametrize("code", CASES)
def test_a_finding_is_made_by_its_facts_alone_and_reads_well(code: str) -> None:
    found = diagnose(CASES[code])
    assert [finding.code for finding in found] == [code]
    assert found[0].evidence
    assert "{" not in found[0].title + found[0].first_thing
    check_golden(f"diagnosis/{code}.txt", "\n".join(text for text, _ in lines(found, ())))


def test_a_healthy_controller_has_no_findings() -> None:
    assert diagnose(WELL) == ()
    parts = "the daemon, the service, the configuration, the boot configuration, the disk, the history"
    assert [text for text, _ in lines((), (), looked_at(WELL))] == [
        f"nothing found in {parts}, the supply voltage, the temperature, the memory",
        "",
    ]


def test_a_diagnosis_vouches_only_for_what_it_saw() -> None:
    assert looked_at(replace(WELL, daemon=None, boot=None, machine=MachineFacts())) == (
        "the service",
        "the configuration",
        "the disk",
        "the history",
    )
    assert looked_at(Facts(NOW_US, "0.1.0")) == ()


@pytest.mark.parametrize("what", JUST_WELL)
def test_nothing_is_made_of(what: str) -> None:
    assert codes(JUST_WELL[what]) == []


def test_who_saw_nothing_says_nothing() -> None:
    nothing = Facts(NOW_US, "0.1.0", unseen=("everything",))
    assert diagnose(nothing) == ()
    assert verdict(nothing, ()) == 2


@pytest.mark.parametrize(("code", "exit_code"), [("DW-TAMPER", 1), ("DW-DOOR-FORCED", 1), ("DW-SIMULATED", 0)])
def test_the_exit_code_follows_the_worst_finding(code: str, exit_code: int) -> None:
    assert verdict(CASES[code], diagnose(CASES[code])) == exit_code
    assert verdict(WELL, ()) == 0


def test_faults_come_before_warnings_and_notes() -> None:
    facts = make.with_daemon(
        clock="unsynced",
        drivers=(replace(make.DRIVER, kind="simulated"),),
        doors=make.with_condition("forced_open").daemon.doors,
    )
    assert codes(facts) == ["DW-DOOR-FORCED", "DW-CLOCK-UNSYNCED", "DW-SIMULATED"]


FORM = "certificate verify failed: CA cert does not include key usage extension (refused by tls_strict)"


@pytest.mark.parametrize(
    ("section", "other", "facts"),
    [
        (
            "integrations",
            "DW-INTEGRATION-FAILING",
            make.with_outlets(integrations=(IntegrationFacts("pager", "retrying", 9, 20, FORM),)),
        ),
        (
            "integrations",
            "DW-INTEGRATION-DISABLED",
            make.with_outlets(integrations=(IntegrationFacts("pager", "disabled", 9, 20, FORM),)),
        ),
        ("integrations", "DW-ALERT-STUCK", make.with_outlets(channels=(ChannelFacts("webhook pager", 1, FORM),))),
        ("smtp", "DW-ALERT-STUCK", make.with_outlets(channels=(ChannelFacts("email", 1, FORM),))),
        ("camera.hall", "DW-CAMERA-SILENT", make.with_outlets(cameras=(CameraFacts("hall", 1, 0, FORM),))),
    ],
)
def test_a_certificate_of_the_wrong_form_is_told_of_whom_it_is(section: str, other: str, facts: Facts) -> None:
    """The section that is named is the one whose setting lets it pass."""
    found = {one.code: one for one in diagnose(facts)}
    assert found.keys() == {other, "DW-CERTIFICATE-FORM"}
    form = found["DW-CERTIFICATE-FORM"]
    assert f"tls_strict in [{section}]" in form.title
    assert f"tls_strict = false under [{section}]" in form.first_thing
    assert form.evidence == (FORM,)


def test_one_lost_driver_is_not_told_once_for_each_of_its_doors() -> None:
    lost = replace(make.DRIVER, state="lost", reason="unplugged")
    [door] = make.with_condition("fault", "unplugged", contact="unknown").daemon.doors
    doors = tuple(replace(door, id=f"d{n}") for n in range(3))
    assert codes(make.with_daemon(drivers=(lost,), doors=doors)) == ["DW-DRIVER-LOST"]


def test_a_read_only_database_is_a_read_only_disk() -> None:
    facts = make.with_log(writer="failed", error="OperationalError: attempt to write a readonly database")
    assert codes(facts) == ["DW-DISK-READONLY", "DW-LOG-FAILED"]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("line 99 of gpiochip0 does not exist: use one of 0 to 53", "DW-DRIVER-LOST"),
        ("no GPIO chip is called 'pinctrl-rp1': this machine has none", "DW-CHIP-WRONG"),
        ("[Errno 2] No such file or directory: '/dev/ttyUSB0'", "DW-CHIP-WRONG"),
        ("[Errno 13] Permission denied: '/dev/ttyUSB0'", "DW-DEVICE-PERMISSION"),
        ("[Errno 16] Device or resource busy", "DW-LINE-BUSY"),
        ("", "DW-DRIVER-LOST"),
    ],
)
def test_why_a_driver_is_lost_is_read_from_its_own_words(reason: str, code: str) -> None:
    assert codes(make.with_lost(reason)) == [code]


WORDS = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "{",
        "{about}",
        "{0}",
        "locked_down",
        "unlocked",
        "blocked",
        "locked_open",
        "open",
        "fault",
        "unknown",
        "lost",
        "online",
        "offline",
        "refused",
        "no_subscriber",
        "rtc",
        "unsynced",
        "failed",
        "stalled",
        "missing",
        "dead",
        "silent",
        "forbidden",
        "answers",
        "watchdog",
        "readonly",
        "TLS",
        "tls_strict",
        "gpio=17",
        "held_open",
        "forced_open",
        "simulated",
        "active",
        "disabled",
    ]
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63),
    float: st.floats(0, LONGEST),
    NoneType: st.none(),
}


def anything(hint: Any) -> st.SearchStrategy[Any]:
    """Every value that the type allows."""
    if hint in PLAIN:
        return PLAIN[hint]
    if is_dataclass(hint):
        return st.builds(hint, **{name: anything(found) for name, found in get_type_hints(hint).items()})
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return st.lists(anything(inner[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(anything(inner[0]), anything(inner[1]), max_size=3)
    assert origin is UnionType, hint
    return st.one_of(*map(anything, inner))


@given(anything(Facts))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_facts_of_the_world_break_a_diagnosis(facts: Facts) -> None:
    found = diagnose(facts)
    assert verdict(facts, found) in {0, 1, 2}
    assert all(finding.evidence and finding.code in KINDS for finding in found)
    assert json.loads(json.dumps([asdict(finding) for finding in found])) is not None
    assert list(lines(found, facts.unseen, looked_at(facts)))


def test_the_daemons_own_account_is_understood() -> None:
    since = {"mode": "2026-11-22T20:57:03Z", "contact": "2026-11-22T20:57:03Z", "alarm": "2026-11-22T20:57:03Z"}
    door = {f.name: getattr(make.DOOR, f.name) for f in fields(make.DOOR)} | {
        "since": since,
        "points": {"reader": "gpio"},
    }
    log = asdict(make.LOG) | {"committed": 4_003, "oldest": 1}
    counts = {"asked": 100_000, "silent": 5, "damaged": 4, "unreadable": 3, "busy": 9}
    reader = {"state": "online", "reason": None, "secure": "own key", "counts": counts, "power_failure": False}
    reader["abilities"] = {"communication_security": [1, 1]}
    dumb = {"state": "lost", "reason": "the port is not open", "points": []}
    line = {"asked": 100_000, "answered": 99_000, "silent": 10, "garbled": 2, "refused": 7, "noise_bytes": 3}
    board = {"state": "up", "reason": None, "repairs": 2, "losses": 0, "slowest_poll_ms": 60}
    thrown_away = dict.fromkeys(THROWN_AWAY, 2) | {"stale": 7}
    wiegand = {
        "back.reader": {"cards": 499, "keys": 1, "swapped": 1, "other_lengths": 2, **thrown_away, "glitches": 99},
        "side.reader": {"d0": 5, "d1": 6, "trouble": "the chip is not open"},
    }
    answer = {
        "version": "0.1.0",
        "uptime_s": 86_400.0,
        "clock": {"quality": "synced"},
        "log": log,
        "upstream": asdict(make.UPSTREAM) | {"since": "2026-11-22T01:57:03Z", "window": 20},
        "drivers": {
            "gpio": {"kind": "gpio", "state": "online", "reason": None, "facts": {"stuck": ["front.lock"]}},
            "line": {"kind": "osdp", "state": "online", "reason": None, "facts": {"devices": {"5": reader, "6": dumb}}},
            "bus": {
                "kind": "modbus",
                "state": "online",
                "reason": None,
                "facts": {"line": line, "boards": {"3": board}},
            },
            "wires": {"kind": "wiegand", "state": "online", "reason": None, "facts": {"readers": wiegand}},
        },
        "integrations": {"pager": {"state": "ok", "backlog": 2, "failed_of_latest": [1, 20], "last_error": None}},
        "alerts": {
            "open": [{"alert": "forced-7", "raised": "2026-11-22T20:57:03Z", "count": 2}],
            "waiting": {"email": 3},
            "last_errors": {"email": "timed out", "mqtt": "there is no broker"},
        },
        "cameras": {"hall": {"doors": ["front"], "dropped": 0, "last_error": None}},
        "doors": {"front": door},
        "directory": {"version": 7, "cards": 20, "state": "ready", "error": None, "users": 12},
        "inputs": {"front.rex": {"asserted": True, "since": "2026-11-22T21:57:02.5Z"}},
    }
    rex = InputFacts(True, NOW_US - S_US // 2)
    assert DaemonFacts.from_json(json.loads(json.dumps(answer))) == replace(
        make.DAEMON,
        drivers=(
            replace(make.DRIVER, stuck=("front.lock",)),
            DriverFacts("line", "osdp", "online", None),
            DriverFacts("bus", "modbus", "online", None),
            DriverFacts("wires", "wiegand", "online", None),
        ),
        doors=(replace(make.DOOR, rex=rex),),
        devices=(
            replace(make.READER, driver="line"),
            DeviceFacts("line", "6", "lost", "the port is not open", None, None),
        ),
        consumers=replace(
            make.OUTLETS,
            channels=(ChannelFacts("email", 3, "timed out"),),
            pulses=(*make.OUTLETS.pulses, PulseFacts("side.reader", 0, 0, 0, 0)),
        ),
    )


def test_what_is_thrown_away_is_what_the_driver_says() -> None:
    assert {*THROWN_AWAY, "swapped", "other_lengths"} == {*DropReason, STALE}


def test_an_end_by_the_watchdog_is_known_from_the_log_too() -> None:
    """systemd has forgotten it as soon as doord runs again."""
    (found,) = diagnose(make.with_history(watchdog=1))
    assert (found.code, found.evidence) == (
        "DW-SERVICE-WATCHDOG",
        ("controller.start after the watchdog: 1 in 30 days",),
    )
