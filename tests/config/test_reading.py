"""Configuration files that ship, and what a good one becomes."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from edge.config.files import check_files
from edge.config.reading import kinds, load
from edge.model.policy import DoorPolicy, HeldOpenFrom, Relock, Timing
from edge.model.roles import ROLES
from edge.settings.tables import CREDENTIALS
from tests.support.configs import GOOD, MQTT, problems_of, settings_of

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "config").glob("*.toml"))

# --- what ships -------------------------------------------------------------------------------


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_every_configuration_that_ships_loads(file: Path) -> None:
    assert load(file).doors


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_driver_has_an_example_with_all_its_keys(kind: str) -> None:
    text = (ROOT / "config" / f"example-{kind}.toml").read_text()
    drivers = load(ROOT / "config" / f"example-{kind}.toml").drivers.values()
    [driver] = [one for one in drivers if one.kind == kind]  # one that carries no locks needs another beside it
    used = {point.rpartition(".")[2] for point in driver.points}
    assert {driver.module.POINTS[role] for role in used} == {*driver.module.POINTS.values()}
    tables = tomllib.loads(text)
    points = [door.get(role, {}) for door in tables["door"].values() for role in used]
    written = {*tables["driver"][driver.name]}.union(*points, *[tables["controller"].get("release", {})])
    for model in (driver.module.Settings, *driver.module.POINTS.values()):
        assert {field.alias or name for name, field in model.model_fields.items()} <= written


def test_the_simulated_example_has_every_point_and_an_elevator() -> None:
    [front] = load(ROOT / "config" / "example-simulated.toml").doors.values()
    assert front.points.keys() == ROLES.keys()
    [lift] = load(ROOT / "config" / "example-simulated.toml").elevators.values()
    assert [*lift.floors] == ["ground", "roof"]


def test_the_demonstration_has_four_doors_and_keeps_its_files_with_whoever_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load(ROOT / "config" / "simulated.toml")
    assert len(settings.doors) == 4
    assert len({door.policy for door in settings.doors.values()}) == 4
    assert settings.log.path == tmp_path / ".local/state/doorward/log.db"
    assert settings.control.socket == tmp_path / ".local/state/doorward/doord.sock"
    assert settings.mqtt is None, "without a broker nothing complains"


# --- what a good one becomes ----------------------------------------------------------------------


def test_defaults(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GOOD)
    assert settings.mqtt is None
    assert settings.release is None
    assert settings.commands.keys == ()
    assert (settings.log.path, settings.log.retention_days, settings.log.max_mib) == (
        Path("/var/lib/doorward/log.db"),
        0,
        1024,
    )
    assert settings.control.socket == Path("/run/doorward/doord.sock")
    assert settings.controller.time_zone == "UTC"
    door = settings.doors["front"]
    assert (door.id, door.name, dict(door.points), dict(door.timing)) == ("front", "front", {"lock": "sim"}, {})
    assert door.policy == DoorPolicy(has_contact=False)


SECTIONS = ("log", "control", "commands", "directory", "integrations", "metrics", "pictures", "web")


def test_a_section_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    without = settings_of(tmp_path, GOOD)
    with_all = settings_of(tmp_path, GOOD + "".join(f"\n[{name}]\n" for name in SECTIONS if f"[{name}]" not in GOOD))
    assert with_all == without
    assert repr(with_all) == repr(without)


def test_a_door_in_full(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        GOOD
        + """
        name = "Front door"
        contact = { driver = "gp", line = 27, debounce_ms = 50 }
        rex = { driver = "gp", line = 22, unlocks = false, instability_ms = 2000 }
        release = { driver = "gp", line = 5 }
        unlock_s = 3
        relock = "open"
        relock_delay_s = 1.5
        held_open_s = 60
        held_open_from = "open"
        held_open_warning_s = 10
        rex_shunt_s = 8
        rex_grace_ms = 500
        rex_level_s = 60
        rex_in_lockdown = false
        rex_in_interlock = false
        debounce_ms = 20
        instability_ms = 500
        interlock = "vestibule"
        [door.back]
        lock = { driver = "gp", line = 17, unlocked = "high", resting = "unlocked" }
        interlock = "vestibule"
        """,
    )
    door = settings.doors["front"]
    assert door.name == "Front door"
    assert door.points == {"lock": "sim", "contact": "gp", "rex": "gp", "release": "gp"}
    assert door.timing == {"contact": Timing(50, 500), "rex": Timing(20, 2000), "release": Timing(20, 500)}
    assert door.policy == DoorPolicy(
        unlock_s=3.0,
        relock=Relock.OPEN,
        relock_delay_s=1.5,
        held_open_s=60.0,
        held_open_from=HeldOpenFrom.OPEN,
        held_open_warning_s=10.0,
        rex_unlocks=False,
        rex_shunt_s=8.0,
        rex_grace_ms=500,
        rex_level_s=60.0,
        rex_settle_ms=40,
        rex_in_lockdown=False,
        rex_in_interlock=False,
        debounce_ms=50,
        instability_ms=500,
        has_contact=True,
        interlock="vestibule",
    )
    gpio = settings.drivers["gp"]
    assert gpio.kind == "gpio"
    assert set(gpio.points) == {"front.contact", "front.rex", "front.release", "back.lock"}
    assert gpio.points["back.lock"].model_dump() == {"line": 17, "unlocked": "high", "resting": "unlocked"}
    assert set(settings.drivers["sim"].points) == {"front.lock"}


def test_a_release_input_for_all_doors(tmp_path: Path) -> None:
    text = GOOD.replace('name = "HQ"', 'name = "HQ"\nrelease = { driver = "gp", line = 5, debounce_ms = 100 }')
    settings = settings_of(tmp_path, text)
    assert (settings.release, settings.release_timing) == ("gp", Timing(100, 1000))
    assert set(settings.drivers["gp"].points) == {"controller.release"}


def test_settings_are_values_that_nobody_changes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GOOD)
    assert settings == settings_of(tmp_path, GOOD)
    with pytest.raises(TypeError):
        settings.doors["back"] = settings.doors["front"]
    with pytest.raises(AttributeError):
        settings.doors["front"].name = "Back"
    with pytest.raises(ValueError, match="frozen"):
        settings.log.max_mib = 5


def test_drivers_are_made_from_their_settings(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GOOD)
    driver = settings.drivers["sim"].create(lambda: 0)
    assert (driver.name, driver.points) == ("sim", {"front.lock"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("log.db", "{folder}/log.db"),
        ("../run/log.db", "{parent}/run/log.db"),
        ("/var/lib/x.db", "/var/lib/x.db"),
        ("~/x/../log.db", "/home/pi/log.db"),
        ("~.db", "{folder}/~.db"),
    ],
)
def test_relative_paths_are_meant_from_the_files_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/home/pi")
    settings = settings_of(tmp_path, GOOD + f'[log]\npath = "{written}"')
    assert settings.log.path == Path(meant.format(folder=tmp_path, parent=tmp_path.parent))


def test_a_relative_name_of_the_file_itself_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "doorward.toml").write_text(GOOD + '[log]\npath = "log.db"')
    monkeypatch.chdir(tmp_path)
    settings = load(Path("doorward.toml"))
    assert (settings.file, settings.log.path) == (tmp_path / "doorward.toml", tmp_path / "log.db")


# --- the upstream ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtts://broker.example.org", "broker.example.org", 8883, True),
        ("mqtt://broker.example.org", "broker.example.org", 1883, False),
        ("mqtt://10.0.0.7:11883", "10.0.0.7", 11883, False),
        ("mqtts://[2001:db8::1]:8884/", "2001:db8::1", 8884, True),
    ],
)
def test_urls(tmp_path: Path, url: str, host: str, port: int, tls: bool) -> None:
    mqtt = settings_of(tmp_path, GOOD + f'[mqtt]\nurl = "{url}"').mqtt
    assert (mqtt.host, mqtt.port, mqtt.tls) == (host, port, tls)


def test_upstream_defaults(tmp_path: Path) -> None:
    mqtt = settings_of(tmp_path, MQTT).mqtt
    assert (mqtt.ack, mqtt.window, mqtt.prefix, mqtt.keepalive_s) == ("broker", 20, "doorward/v1", 30)
    assert (mqtt.username, mqtt.password_file, mqtt.ca_file, mqtt.cert_file, mqtt.key_file) == (None,) * 5


def test_a_credential_is_where_systemd_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = MQTT + 'username = "hq"\npassword_file = "credential:mqtt"\n'
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert settings_of(tmp_path, text).mqtt.password_file == CREDENTIALS / "mqtt"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/other.service")
    assert settings_of(tmp_path, text).mqtt.password_file == Path("/run/credentials/other.service/mqtt")


def test_files_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "ca.pem").write_text("x")
    (tmp_path / "hq.key").mkdir()
    settings = settings_of(
        tmp_path,
        MQTT
        + """
        username = "hq"
        password_file = "credential:mqtt"
        ca_file = "ca.pem"
        cert_file = "hq.pem"
        key_file = "hq.key"
        [commands]
        keys = ["ca.pem", "upstream.pem"]
        """,
    )
    assert [f"{p.key}: {p.message}" for p in check_files(settings)] == [
        f'commands.keys[0]: found "{tmp_path}/ca.pem", which is no public key, expected an Ed25519 one in PEM'
    ] + [
        f'{key}: found "{tmp_path}/{file}", expected a file that can be read: {why}'
        for key, file, why in (
            ("commands.keys[1]", "upstream.pem", "No such file or directory"),
            ("mqtt.cert_file", "hq.pem", "No such file or directory"),
            ("mqtt.key_file", "hq.key", "Is a directory"),
        )
    ]


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ('{"version": 1}', []),
        (
            '{"version": 0.5, "groups": [{"id": "g", "name": "G", "doors": ["fornt"]}]}',
            [
                ("directory.json", "version", "found 0.5, expected a whole number"),
                ("directory.json", "groups[0].doors", 'found "fornt", which is no door of the configuration'),
            ],
        ),
        ("[]", [("directory.json", "", "line 1, column 1: expected {")]),
        (None, [("doorward.toml", "directory.file", "expected a file that can be read: No such file")]),
        ("pipe", [("doorward.toml", "directory.file", "expected a file that can be read: it is no plain file")]),
    ],
)
def test_the_directory_is_checked_with_the_configuration(
    tmp_path: Path, content: str | None, problems: list[tuple[str, str, str]]
) -> None:
    file = tmp_path / "directory.json"
    if content == "pipe":
        os.mkfifo(file)
    elif content is not None:
        file.write_text(content)
    settings = settings_of(tmp_path, GOOD + '\n[directory]\nfile = "directory.json"\n')
    found = check_files(settings)
    assert [(problem.file.name, problem.key) for problem in found] == [(name, key) for name, key, _ in problems]
    assert all(text in problem.message for problem, (_, _, text) in zip(found, problems, strict=True))
    assert settings.directory.file == file


def test_who_is_master_of_the_directory_is_one_of_three_and_a_file_has_to_be_there(tmp_path: Path) -> None:
    assert settings_of(tmp_path, GOOD).directory.managed == "here"
    assert problems_of(tmp_path, f'{GOOD}\n[directory]\nmanaged = "me"\n') == [
        'directory.managed: found "me", expected "here", "file" or "upstream"'
    ]
    assert problems_of(tmp_path, f'{GOOD}\n[directory]\nmanaged = "file"\n') == [
        'directory.managed: found "file" without a file, expected file = "PATH" in [directory] as well'
    ]


def test_a_credential_that_systemd_did_not_hand_over_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    settings = settings_of(tmp_path, MQTT + 'username = "hq"\npassword_file = "credential:mqtt"\n')
    assert [problem.key for problem in check_files(settings)] == ["mqtt.password_file"]


def test_a_user_without_a_home_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    [problem] = problems_of(tmp_path, GOOD + '[log]\npath = "~/log.db"')
    assert problem == 'log.path: found "~/log.db", expected a path without ~: this user has no home folder'
