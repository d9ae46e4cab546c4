"""What can be a host, and that every key that wants one refuses what cannot be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.settings.host_names import is_host
from tests.support.configs import GOOD, problems_of, settings_of

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = ["mail", "mail.example.org", "mail.example.org.", "127.0.0.1", "::1", "2001:db8::25", "a_b.lan", "büro.example"]
NONE = [
    "127.0.0.1:2525",
    "mail.example.org:25",
    "[::1]",
    "smtp://mail",
    "mail/path",
    "mail example",
    "10.0.0.300",
    "1234",
    "-mail",
    "mail-",
    ".mail",
    "a..b",
    "x" * 64,
    ".".join(["x" * 60] * 5),
    "",
]
SMTP = GOOD + '[smtp]\nsender = "doors@example.org"\nhost = "{}"\n'


@pytest.mark.parametrize("host", HOSTS)
def test_names_and_addresses_are_hosts(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize("host", NONE)
def test_what_has_a_port_or_cannot_be_looked_up_is_none(host: str) -> None:
    assert not is_host(host)


@pytest.mark.parametrize("host", NONE)
def test_a_mail_server_is_a_host(tmp_path: Path, host: str) -> None:
    (said,) = problems_of(tmp_path, SMTP.replace("{}", host))
    assert said.startswith("smtp.host: found ")
    assert said.endswith('expected the name or address of a host, like "mail.example.org"; the port has its own key')


@pytest.mark.parametrize("host", ["mail.example.org", "::1", "10.0.0.7"])
def test_a_mail_server_may_be_named_in_every_way(tmp_path: Path, host: str) -> None:
    assert settings_of(tmp_path, SMTP.replace("{}", host)).smtp.host == host


@pytest.mark.parametrize("host", ["10.0.0.300", "bro..ker", "-broker", "bro,ker"])
def test_brokers_and_cameras_are_at_hosts(tmp_path: Path, host: str) -> None:
    said = problems_of(
        tmp_path, GOOD + f'[mqtt]\nurl = "mqtt://{host}:1883"\n[camera.yard]\nurl = "http://{host}/x.jpg"\n'
    )
    assert [one.partition(":")[0] for one in said] == ["mqtt.url", "camera.yard.url"]
