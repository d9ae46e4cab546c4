"""The integrations of a directory document: which keys belong together, and what a url may be.

One rule: no secret stands in the document. A url with a user name is refused, a secret is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edge.model.catalogue import CATALOGUE, matching
from edge.model.problems import dotted, meant, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.directory.directory import Integration
    from edge.directory.document import tables
    from edge.model.problems import ProblemReport

_URL: Final = {
    "webhook": 'a url like "https://hooks.example.org/doors"',
    "syslog": 'a url like "tls://logs.example.org:6514"',
}
_PLACE: Final = "{secret}"
_SCHEMES: Final = {"webhook": ("https", "http"), "syslog": ("tls",)}


def integration_of(
    report: ProblemReport, where: str, table: tables.IntegrationEntry, found: Integration
) -> Integration:
    """Return the integration as it is; problems go into the report."""
    if found.kind is None:
        for key in ("url", "types", "secret", "format"):
            if getattr(found, key):
                report.add(dotted(where, key), 'found without kind, expected kind = "webhook" or "syslog" as well')
        return found
    for key, reason in _unfit(found, found.kind):
        report.add(dotted(where, key), reason)
    for index, pattern in enumerate(table.types):
        if not matching([pattern]):
            report.add(dotted(where, "types", index), f"found {shown(pattern)}, {meant(pattern, CATALOGUE)}")
    return found


def _unfit(found: Integration, kind: str) -> Iterator[tuple[str, str]]:
    """Keys that do not go with the kind, and why."""
    if found.url is None:
        yield "url", f"missing, expected {_URL[kind]}"
    elif reason := _wrong(found.url, kind):
        yield "url", reason
    if kind == "webhook" and found.secret is None:
        yield "secret", "missing, expected the name of the secret that signs requests or is inserted into the url"
    if kind == "syslog":
        for key in ("secret", "format"):
            if getattr(found, key) is not None:
                yield key, "found with kind syslog, which has none"


def _wrong(url: str, kind: str) -> str | None:
    """What is wrong with a url, or None."""
    expected = f"expected {_URL[kind]}"
    named = url.partition("://")[2].partition("/")[0]
    if _PLACE in named or url.count(_PLACE) > 1:
        return f"found {_PLACE} {'in the host' if _PLACE in named else 'twice'}, expected it once, behind the host"
    if "@" in named:
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
