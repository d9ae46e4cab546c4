"""Warnings about a configuration that can be used.

One rule: a warning refuses nothing; it says what may happen and what to write instead.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge.config.pi_header import concerns
from edge.model.problems import Problem, ProblemReport

if TYPE_CHECKING:
    from edge.settings.controller import Settings


def warnings(settings: Settings) -> tuple[Problem, ...]:
    """All warnings."""
    report = ProblemReport(settings.file)
    if password_in_clear(settings):
        report.add(
            "mqtt.url",
            "over mqtt:// everybody on the network path can read the password and unlock doors with it: "
            'expected "mqtts://host:port"',
        )
    ntfy = settings.ntfy
    if ntfy is not None and ntfy.url.startswith("http:") and not _is_here(urlsplit(ntfy.url).hostname or ""):
        report.add("ntfy.url", 'over http:// everybody on the network path can read the messages: expected "https://"')
    if not settings.doors:
        report.add("door", "there is none, so nothing is guarded: expected [door.NAME] and its [driver.NAME]")
    for key, message in concerns(settings):
        report.add(key, message)
    return tuple(report.problems)


def password_in_clear(settings: Settings) -> bool:
    """Whether the broker's password leaves this computer without encryption."""
    mqtt = settings.mqtt
    return mqtt is not None and not mqtt.tls and mqtt.username is not None and not _is_here(mqtt.host)


def _is_here(host: str) -> bool:
    """Whether a host is this computer, by a loopback address or as localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
