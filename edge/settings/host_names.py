"""What can be the name or address of a host: RFC 1123 for names, IPv4 and IPv6 for addresses.

One rule: a port, a scheme or a path is not part of a host. A text that is refused here could never be reached.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

LONGEST: Final = 253
"""Characters of a name (RFC 1035, 2.3.4, without the length bytes)."""
LONGEST_URL: Final = 1000
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def is_host(text: str) -> bool:
    """Whether it is an address, or could be a name in the DNS; international names in their own letters too."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _is_name(text)
    return True


def is_web_url(text: str) -> bool:
    """Whether it is an http or https URL that can stand in a request line as it is: no user name, no fragment."""
    try:
        parts = urlsplit(text)
        well = parts.scheme in {"http", "https"} and is_host(parts.hostname or "")
        well = well and parts.port != 0 and not parts.fragment
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and " " not in text
    return well and plain and "@" not in text and len(text) <= LONGEST_URL


def _is_name(text: str) -> bool:
    try:
        name = text.removesuffix(".").encode("idna").decode("ascii")
    except UnicodeError:  # an empty label, or one that is too long
        return False
    labels = name.split(".")
    if len(name) > LONGEST or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    return not labels[-1].isdigit()  # 10.0.0.300 is meant to be an address
