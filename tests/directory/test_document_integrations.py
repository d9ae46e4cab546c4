"""Integrations in the directory: which keys belong together, and what may stand in a url."""

from __future__ import annotations

from typing import Any

import pytest

from edge.directory.document.reading import DirectoryError, read
from edge.directory.document.writing import written
from edge.model.catalogue import CATALOGUE, matching
from tests.support.directories import BERLIN, SOURCE, made

HOOK = {"kind": "webhook", "url": "https://hooks.example.org/doors", "secret": "pager"}
CHAT = {**HOOK, "url": "https://hooks.slack.com/{secret}", "format": "slack"}
LOGS = {"kind": "syslog", "url": "tls://logs.example.org:6514"}


def document(entry: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "integrations": [{"id": "pager", "name": "Pager", **entry}]}


def problem(entry: dict[str, Any]) -> str:
    with pytest.raises(DirectoryError) as error:
        made(document(entry))
    [one] = error.value.problems
    return str(one)


@pytest.mark.parametrize("entry", [{}, HOOK, LOGS, {**HOOK, "types": ["lock.*", "reader.tamper"]}, CHAT])
def test_what_is_written_is_what_was_read(entry: dict[str, Any]) -> None:
    directory = made(document(entry))
    assert read("".join(written(directory)).encode(), SOURCE, BERLIN) == directory
    found = directory.integrations["pager"]
    assert (found.kind, found.url, found.secret) == (entry.get("kind"), entry.get("url"), entry.get("secret"))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"kind": "pigeon"}, "integrations[0].kind"),
        ({"url": "https://a.example.org"}, "without kind"),
        ({"types": ["lock.*"]}, "without kind"),
        ({"secret": "pager"}, "without kind"),
        ({**HOOK, "url": None}, "integrations[0].url: missing"),
        ({**HOOK, "secret": None}, "integrations[0].secret: missing"),
        ({**LOGS, "secret": "pager"}, "has none"),
        ({**LOGS, "format": "slack"}, "has none"),
        ({"format": "slack"}, "without kind"),
        ({**HOOK, "format": "pigeon"}, "integrations[0].format"),
        ({**HOOK, "url": "https://{secret}.example.org/"}, "in the host"),
        ({**HOOK, "url": "https://a.example.org/{secret}/{secret}"}, "twice"),
        ({**HOOK, "secret": "../etc/passwd"}, "integrations[0].secret"),
        ({**HOOK, "types": ["lock.opend"]}, 'did you mean "lock.opened"'),
        ({**HOOK, "types": ["lock.closed", "nothing.*"]}, "types[1]"),
        ({**HOOK, "types": ["lock.*", "lock.*"]}, "types"),
        ({**HOOK, "url": "https://me:word@hooks.example.org/"}, "user name or password"),
        ({**LOGS, "url": "tls://me@logs.example.org/"}, "user name or password"),
    ],
)
def test_what_does_not_belong_together_is_said(entry: dict[str, Any], said: str) -> None:
    assert said in problem({key: value for key, value in entry.items() if value is not None})


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.org",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "https:///path",
        "https://host:0/",
        "https://host:99999/",
        "https://host:port/",
        "https://[::1/",
        "https://host/#part",
        "https://host/a b",
        "https://host/\r\nX-Evil: 1",
        "https://h\xf6st/",
        "tls://logs.example.org:6514",
    ],
)
def test_a_webhook_has_a_url_of_the_web(url: str) -> None:
    assert "integrations[0].url" in problem({**HOOK, "url": url})


@pytest.mark.parametrize("url", ["https://logs.example.org", "tls://logs.example.org/path", "tls://host?x=1", "tls://"])
def test_syslog_has_a_host_and_a_port(url: str) -> None:
    assert "integrations[0].url" in problem({**LOGS, "url": url})


def test_patterns_stand_for_types_of_the_catalogue() -> None:
    assert matching(["lock.opened"]) == {"lock.opened"}
    assert matching(["lock.op*", "reader.*"]) == {"lock.opened", "reader.access", "reader.tamper"}
    assert matching([]) == matching(["*"]) == CATALOGUE.keys()
    assert matching(["Lock.*"]) == frozenset()
