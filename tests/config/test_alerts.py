"""The configuration of what is passed on: integrations' networks, the mail server, alerts."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from edge.config.files import check_files
from edge.config.warnings import warnings
from edge.model.catalogue import Severity
from edge.settings.alert_policies import Actions, Siren
from edge.settings.controller import difference
from tests.support.configs import GOOD, problems_of, settings_of

if TYPE_CHECKING:
    from pathlib import Path

BASE = GOOD + 'buzzer = { driver = "sim" }\n[mqtt]\nurl = "mqtts://broker.example.org"\n'
SMTP = '[smtp]\nhost = "mail.example.org"\nsender = "doors@example.org"\n'
NTFY = '[ntfy]\nurl = "https://ntfy.example.org/push/"\n'
ALERT = '[alert.forced]\ntypes = ["lock.forced_open"]\n'
FULL = """
[alert.forced]
name = "Forced open"
types = ["lock.forced_open", "lock.held_*"]
doors = ["front"]
people = ["ada"]
groups = ["staff"]
outcome = "success"
schedule = "night"
severity = "alarm"
quiet_s = 60
mqtt = true
webhook = ["pager"]
email = ["guard@example.org"]
siren = { door = "front", for_s = 30 }
escalate_after_s = 600
escalate_to = { email = ["chief@example.org"] }
"""


def test_a_whole_alert(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, BASE + SMTP + FULL)
    policy = settings.alerts["forced"]
    assert policy.types == {"lock.forced_open", "lock.held_open"}
    assert (policy.doors, policy.people, policy.groups) == ({"front"}, {"ada"}, {"staff"})
    assert (policy.outcome, policy.schedule, policy.severity) == ("success", "night", Severity.ALARM)
    assert policy.actions == Actions(True, ("pager",), ("guard@example.org",), Siren("front", 30))
    assert (policy.quiet_s, policy.escalate_after_s) == (60, 600)
    assert policy.escalate_to == Actions(email=("chief@example.org",))
    assert settings.smtp.port == 587


def test_a_phone_alone_is_reached(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, BASE + NTFY + ALERT + 'ntfy = ["doors-guard", "chief"]\n')
    assert settings.alerts["forced"].actions == Actions(ntfy=("doors-guard", "chief"))
    assert [*settings.alerts["forced"].actions.channels()] == [("ntfy:doors-guard", ()), ("ntfy:chief", ())]
    assert settings.ntfy.url == "https://ntfy.example.org/push", "a topic follows after one slash"


@pytest.mark.parametrize(
    ("url", "warned"),
    [("http://10.0.0.7:2586", True), ("http://127.0.0.1:2586", False), ("https://ntfy.example.org", False)],
)
def test_messages_in_clear_are_a_warning(tmp_path: Path, url: str, warned: bool) -> None:
    found = warnings(settings_of(tmp_path, BASE + f'[ntfy]\nurl = "{url}"\n'))
    assert ("ntfy.url" in {problem.key for problem in found}) is warned


def test_nothing_is_said_of_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GOOD)
    assert (settings.alerts, settings.smtp) == ({}, None)
    assert (settings.integrations.allow_private, settings.integrations.networks) == (False, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BASE + ALERT, "alert.forced: reaches nobody"),
        (GOOD + ALERT + "mqtt = true\n", "alert.forced.mqtt: found true without [mqtt]"),
        (BASE + ALERT + 'email = ["a@example.org"]\n', "alert.forced.email: found without [smtp]"),
        (BASE + ALERT + 'ntfy = ["doors"]\n', "alert.forced.ntfy: found without [ntfy]"),
        (BASE + NTFY + ALERT + 'ntfy = ["doors/../x"]\n', "alert.forced.ntfy"),
        (BASE + NTFY.replace("https", "ftp"), "ntfy.url: found"),
        (BASE + NTFY.replace("push/", "push?up=1"), "ntfy.url: found"),
        (BASE + NTFY.replace("https://", "https://ada:pw@"), "ntfy.url: found"),
        (BASE + NTFY + 'page = "doors.example.org"\n', "ntfy.page: found"),
        (BASE + NTFY + 'token = "tk_x"\n', "ntfy.token: a secret does not belong into this file"),
        (BASE + NTFY + 'username = "u"\n', "ntfy.password_file: expected username and password_file together"),
        (BASE + NTFY + 'password_file = "p"\n', "ntfy.password_file: expected username and password_file together"),
        (
            BASE + NTFY + 'token_file = "t"\nusername = "u"\npassword_file = "p"\n',
            "ntfy.username: found beside token_file",
        ),
        (BASE + ALERT + 'siren = { door = "fornt" }\n', 'did you mean "front"'),
        (GOOD + ALERT + 'siren = { door = "front" }\n', "a door that has a buzzer"),
        (BASE + ALERT + 'mqtt = true\ndoors = ["bakc"]\n', "alert.forced.doors"),
        (BASE + ALERT + "mqtt = true\nescalate_after_s = 60\n", "alert.forced.escalate_to: missing"),
        (BASE + ALERT + "mqtt = true\nescalate_to = { mqtt = true }\n", "alert.forced.escalate_after_s: missing"),
        (BASE + ALERT + "mqtt = true\nescalate_after_s = 60\nescalate_to = {}\n", "escalate_to: reaches nobody"),
        (BASE + '[alert.a]\ntypes = ["lock.opend"]\nmqtt = true\n', 'did you mean "lock.opened"'),
        (BASE + "[alert.a]\ntypes = []\nmqtt = true\n", "alert.a.types"),
        (BASE + "[alert.a]\nmqtt = true\n", "alert.a.types: missing"),
        (BASE + ALERT + 'mqtt = true\nseverity = "panic"\n', "alert.forced.severity"),
        (BASE + ALERT + "mqtt = true\nquiet_s = -1\n", "alert.forced.quiet_s"),
        (BASE + SMTP + ALERT + 'email = ["a@b@c"]\n', "alert.forced.email"),
        (BASE + SMTP + ALERT + 'email = ["a@b.org\\r\\nBcc: x@y.org"]\n', "alert.forced.email"),
        (BASE + ALERT + "mqtt = true\nloud = true\n", "alert.forced.loud"),
        (BASE + "[alert.Forced]\nmqtt = true\n", "alert.Forced"),
        (
            BASE + '[smtp]\nhost = "m"\nsender = "a@b"\npassword_file = "p"\n',
            "smtp.password_file: found without username",
        ),
        (BASE + '[smtp]\nhost = "m"\nsender = "a@b"\ntls = "no"\n', "smtp.tls"),
        (BASE + '[integrations]\nnetworks = ["10.1.2.3/8"]\n', "integrations.networks"),
        (BASE + "[integrations]\nallow_privat = true\n", "integrations.allow_privat"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in "\n".join(problems_of(tmp_path, text))


def test_networks_are_networks(tmp_path: Path) -> None:
    text = GOOD + '[integrations]\nnetworks = ["10.1.0.0/16", "fd12::/48"]\nca_file = "ca.pem"\n'
    settings = settings_of(tmp_path, text)
    assert settings.integrations.networks == (ip_network("10.1.0.0/16"), ip_network("fd12::/48"))
    assert "integrations.ca_file" in str(check_files(settings)[0])


def test_a_change_is_taken_over(tmp_path: Path) -> None:
    old = settings_of(tmp_path, BASE + SMTP + FULL)
    for before, after, key in (
        ("quiet_s = 60", "quiet_s = 61", "alert.forced"),
        ("mail.example.org", "post.example.org", "smtp.host"),
        ("[smtp]", "[ntfy]\nurl = 'https://ntfy.sh'\n[smtp]", "ntfy"),
        ("[smtp]", "[integrations]\nallow_private = true\n[smtp]", "integrations.allow_private"),
    ):
        new = settings_of(tmp_path, (BASE + SMTP + FULL).replace(before, after))
        assert (difference(old, new).applied, difference(old, new).restart) == ((key,), ())
