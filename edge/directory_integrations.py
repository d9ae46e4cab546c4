"""The integrations of a directory document: which keys belong together, and what a url may be.

One rule: no secret stands in the document. A url with a user name is refused, a secret is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edge.catalogue import CATALOGUE
from edge.directory import Integration
from edge.directory_problems import once
from edge.event_types import matching
from edge.problems import dotted, meant, shown

if TYPE_CHECKING:
    from edge import directory_tables as tables
    from edge.problems import Report

_URL: Final = {
    "webhook": 'a url like "https://hooks.example.org/doors"',
    "syslog": 'a url like "tls://logs.example.org:6514"',
}
_SCHEMES: Final = {"webhook": ("https", "http"), "syslog": ("tls",)}


def integration_of(report: Report, where: str, table: tables.Integration) -> Integration:
    """The entry as a value; what is wrong with it goes into the report."""
    found = Integration(
        table.id, table.name, table.kind, table.url, once(report, dotted(where, "types"), table.types), table.secret
    )
    if found.kind is None:
        for key in ("url", "types", "secret"):
            if getattr(found, key):
                report.add(dotted(where, key), 'found without kind, expected kind = "webhook" or "syslog" as well')
        return found
    if found.url is None:
        report.add(dotted(where, "url"), f"missing, expected {_URL[found.kind]}")
    elif reason := _wrong(found.url, found.kind):
        report.add(dotted(where, "url"), reason)
    if found.kind == "webhook" and found.secret is None:
        report.add(dotted(where, "secret"), "missing, expected the name of a secret: a webhook is signed with it")
    if found.kind == "syslog" and found.secret is not None:
        report.add(dotted(where, "secret"), "found with kind syslog, which has none")
    for index, pattern in enumerate(table.types):
        if not matching([pattern]):
            report.add(dotted(where, "types", index), f"found {shown(pattern)}, {meant(pattern, CATALOGUE)}")
    return found


def _wrong(url: str, kind: str) -> str | None:
    """What is wrong with a url, or None."""
    expected = f"expected {_URL[kind]}"
    if "@" in url.partition("://")[2].partition("/")[0]:
        return f"found a user name or password in it, {expected}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"found {shown(url)}, {expected}"
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or parts.scheme not in _SCHEMES[kind] or not parts.hostname or port == 0 or parts.fragment:
        return f"found {shown(url)}, {expected}"
    if kind == "syslog" and (parts.path.strip("/") or parts.query):
        return f"found {shown(url)}, {expected}"
    return None
