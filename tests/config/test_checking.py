"""`doorctl check` speaks for whoever will run a configuration, and warns of what can be used all the same."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from edge.config import checking
from edge.config.as_user import as_user
from edge.config.checking import checked, readable
from edge.config.files import known_secrets, secrets_of
from edge.config.provision import open_secrets
from edge.config.reading import load
from tests.support.cli import Doorctl
from tests.support.configs import GOOD, MQTT, settings_of

NOBODY = "nobody"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
CLEAR = '[mqtt]\nurl = "mqtt://{}"\nusername = "hq"\n'


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    return Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that others than root may enter."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path


def config(folder: Path, more: str = "") -> Path:
    file = folder / "doorward.toml"
    file.write_text(GOOD + more)
    return file


@ROOT_ONLY
def test_root_checks_for_the_user_who_will_run_it(
    open_folder: Path, doorctl: Doorctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What root can read says nothing about the service."""
    secret = open_folder / "mqtt.password"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    more = f'[mqtt]\nurl = "mqtts://b"\nusername = "hq"\npassword_file = "{secret}"\n'
    file = config(open_folder, more)
    assert doorctl("check", str(file)).code == 0
    named = doorctl("check", str(file), "--user", NOBODY)
    assert named.code == 1
    denied = "expected a file that can be read: Permission denied for the user nobody"
    assert named.lines == [f'{file}: mqtt.password_file: found "{secret}", {denied}']
    monkeypatch.setattr(checking, "SERVICE", NOBODY)
    monkeypatch.setattr(checking, "DEFAULT_PATH", open_folder / "other.toml")
    assert doorctl("check", str(file)).lines == named.lines  # the service's own configuration
    os.chown(secret, pwd.getpwnam(NOBODY).pw_uid, 0)
    said = doorctl("check", str(file))
    assert (said.code, said.lines[0]) == (0, f"{file}: valid for the user nobody, 1 doors on 2 drivers")
    assert doorctl("check", str(file), "--json").json["user"] == NOBODY


@ROOT_ONLY
def test_a_configuration_that_the_service_cannot_read_is_named(open_folder: Path) -> None:
    file = config(open_folder)
    file.chmod(0o600)
    (problem,) = checked(file, NOBODY).problems
    assert (problem.file, problem.message) == (file, "cannot be read: Permission denied")


def test_a_user_that_there_is_not_is_said(doorctl: Doorctl, tmp_path: Path) -> None:
    said = doorctl("check", str(config(tmp_path)), "--user", "n\x1bone")
    assert (said.code, said.err) == (2, "doorctl: there is no user 'n\\x1bone'\n")


def test_everybody_may_be_asked_as_themselves() -> None:
    assert as_user(pwd.getpwuid(os.geteuid()).pw_name, lambda: ["me"]) == ["me"]


@ROOT_ONLY
def test_a_look_that_fails_is_no_answer() -> None:
    with pytest.raises(OSError, match="looking as the user nobody failed"):
        as_user(NOBODY, lambda: {}["none"])


@ROOT_ONLY
def test_nobody_gets_root_back() -> None:
    assert as_user(NOBODY, lambda: [os.getresuid(), os.getgroups()]) == [[65534] * 3, [65534]]


@ROOT_ONLY
def test_a_technician_is_not_told_that_secrets_are_wrongly_closed(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the group he may ask doord; that he cannot read its passwords is as it should be."""
    secret = open_folder / "mqtt.password"
    secret.write_text("s3cret")
    secret.chmod(0o400)
    file = config(
        open_folder, f'[mqtt]\nurl = "mqtts://b"\nusername = "hq"\npassword_file = "{secret}"\nca_file = "none"\n'
    )
    monkeypatch.setattr(checking, "DEFAULT_PATH", open_folder / "other.toml")
    found = as_user(NOBODY, lambda: checked(file).facts())
    assert [one["key"] for one in found["problems"]] == ["mqtt.ca_file"]
    assert found["warnings"] == [
        {
            "file": str(file),
            "key": "mqtt.password_file",
            "message": "not looked at, only root can do so as the service: sudo doorctl check",
        }
    ]


@ROOT_ONLY
def test_the_installer_gives_secrets_to_their_reader(tmp_path: Path) -> None:
    for name, mode in (("mail", 0o644), ("web.key", 0o604), ("closed", 0o600)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "hook").write_text("x")
    (tmp_path / "linked").symlink_to("mail")
    text = (
        '[smtp]\nhost = "m"\nsender = "a@b"\nusername = "u"\npassword_file = "mail"\n'
        '[web]\ncert_file = "c"\nkey_file = "web.key"\nmetrics_token_file = "closed"\n'
        '[camera.a]\nurl = "http://c/x"\nusername = "u"\npassword_file = "/etc/hostname"\n'
        '[camera.b]\nurl = "http://c/x"\nusername = "u"\npassword_file = "linked"\n'
    )
    settings = load(config(tmp_path, text))
    assert sorted(open_secrets(settings)) == [
        f"doorward {tmp_path}/mail",
        f"doorward {tmp_path}/secrets/hook",
        f"doorweb {tmp_path}/web.key",
    ]


# --- warnings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["broker.example.org", "10.0.0.7", "[2001:db8::1]", "localhost.example.org"])
def test_a_password_in_clear_is_a_warning(doorctl: Doorctl, tmp_path: Path, host: str) -> None:
    file = config(tmp_path, CLEAR.format(host))
    said = doorctl("check", str(file))
    assert said.code == 0
    assert said.lines[0].startswith(f"warning: {file}: mqtt.url: over mqtt:// everybody on the network path can read")
    assert [one["key"] for one in doorctl("check", str(file), "--json").json["warnings"]] == ["mqtt.url"]


@pytest.mark.parametrize(
    "more",
    [
        CLEAR.format("127.0.0.1"),
        CLEAR.format("[::1]"),
        CLEAR.format("localhost"),
        '[mqtt]\nurl = "mqtts://b.example.org"\nusername = "hq"\n',
        '[mqtt]\nurl = "mqtt://b.example.org"\n',
    ],
)
def test_no_password_on_the_way_is_none(tmp_path: Path, more: str) -> None:
    assert checked(config(tmp_path, more)).warnings == ()


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_secret_that_others_can_read_is_a_warning(tmp_path: Path, mode: int, warned: bool) -> None:
    secret = tmp_path / "mail.password"
    secret.write_text("s3cret")
    secret.chmod(mode)
    more = f'[smtp]\nhost = "mail"\nsender = "a@b"\nusername = "u"\npassword_file = "{secret}"\n'
    said = [str(one) for one in checked(config(tmp_path, more)).warnings]
    what = f'others than its reader may read "{secret}" (mode {mode:04o})'
    mend = f"chown doorward {secret}; chmod 0400 {secret}"
    assert said == [f"{tmp_path / 'doorward.toml'}: smtp.password_file: {what}: {mend}"] * warned


def test_every_secret_is_known(tmp_path: Path) -> None:
    """Passwords and keys wherever they are named, and those that the directory names."""
    text = MQTT + (
        'username = "u"\npassword_file = "m"\ncert_file = "c"\nkey_file = "k"\n'
        '[smtp]\nhost = "mail"\nsender = "a@b"\nusername = "u"\npassword_file = "s"\n'
        '[ntfy]\nurl = "https://ntfy.sh"\ntoken_file = "n"\n'
        '[camera.yard]\nurl = "http://cam/x"\nusername = "u"\npassword_file = "y"\n'
        '[driver.line]\nkind = "osdp"\nport = "/dev/ttyS0"\n'
        '[elevator.lift]\nreader = { driver = "line", address = 2, key_file = "r2" }\n'
        '[elevator.lift.floor.one]\nrelay = { driver = "sim", resting = "locked" }\n'
        '[web]\ncert_file = "wc"\nkey_file = "w"\nmetrics_token_file = "t"\n'
        '[door.back]\nlock = { driver = "sim", resting = "locked" }\n'
        'reader = { driver = "line", address = 1, key_file = "r1" }\n'
    )
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "hook").write_text("x")
    settings = settings_of(tmp_path, text)
    assert {key: file.name for key, file in secrets_of(settings).items()} == {
        "mqtt.password_file": "m",
        "mqtt.key_file": "k",
        "smtp.password_file": "s",
        "ntfy.token_file": "n",
        "camera.yard.password_file": "y",
        "door.back.reader.key_file": "r1",
        "elevator.lift.reader.key_file": "r2",
    }
    assert {file.name for file in known_secrets(settings)} == {"m", "k", "s", "n", "y", "r1", "r2", "w", "t", "hook"}


def test_what_cannot_be_read_is_told_from_what_is_wrong(tmp_path: Path) -> None:
    more = '[directory]\nfile = "directory.json"\n[integrations]\nca_file = "none.pem"\n'
    file = config(tmp_path, more)
    (tmp_path / "directory.json").write_text("[]")
    assert [(one.key, readable(one)) for one in checked(file).problems] == [("", True), ("integrations.ca_file", False)]


GROUP = """
[directory]
file = "directory.json"
[door.side]
lock = { driver = "sim", resting = "locked" }
interlock = "air"
[door.back]
lock = { driver = "sim", resting = "locked" }
interlock = "air"
"""


@pytest.mark.parametrize(("hours", "warned"), [(("08:00", "12:00"), True), (("18:00", "20:00"), False)])
def test_schedules_that_meet_in_one_interlock_group_are_named(
    tmp_path: Path, hours: tuple[str, str], warned: bool
) -> None:
    week = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00"}]
    other = [{"days": ["fri"], "from": hours[0], "to": hours[1]}]
    directory = {
        "version": 1,
        "schedules": [
            {"id": "office", "name": "Office", "kind": "unlock", "weekly": week},
            {"id": "post", "name": "Post", "kind": "unlock", "weekly": other},
        ],
        "doors": [{"id": "side", "schedule": "office"}, {"id": "back", "schedule": "post"}],
    }
    (tmp_path / "directory.json").write_text(json.dumps(directory))
    found = checked(config(tmp_path, GROUP))
    assert [one.message for one in found.problems if "port" not in one.message] == []
    notes = [one for one in found.warnings if one.key.endswith("interlock")]
    assert [one.key for one in notes] == (["door.side.interlock"] if warned else [])
    if warned:
        assert "'Office' and 'Post' of back" in notes[0].message
