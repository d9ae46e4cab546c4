"""How a camera is told who we are: HTTP digest (RFC 7616) where it can, basic (RFC 7617) where it cannot.

One rule: of several challenges the strongest is answered, and a password leaves in clear only where
the camera offers nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_CHALLENGES: Final = 8 * 1024
"""Characters of all challenges of an answer."""
_HASHES: Final = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
"""RFC 7616, 6.1; the strongest first. What ends in -sess is not answered."""
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 -- a token of the grammar, no secret
_PART: Final = re.compile(
    rf'[ \t,]*({_TOKEN})(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))|(?=[ \t]+[^ \t,=]|[ \t]*,|$))'
)
"""RFC 9110, 11.6.1: a parameter, or else the name of the next scheme."""


def authorization(challenges: Iterable[str], target: str, username: str, password: str, cnonce: str) -> str | None:
    """The value of `Authorization` for a GET; None when no challenge is one that we know. `cnonce` is random."""
    offered = _schemes(challenges)
    for algorithm in _HASHES:
        for scheme, parameters in offered:
            if scheme == "digest" and parameters.get("algorithm", "MD5").upper() == algorithm:
                answer = _digest(algorithm, parameters, target, username, password, cnonce)
                if answer is not None:
                    return answer
    if any(scheme == "basic" for scheme, _ in offered):
        return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
    return None


def is_stale(challenges: Iterable[str]) -> bool:
    """Whether only the nonce was too old, and not the password wrong (RFC 7616, 3.3)."""
    return any(scheme == "digest" and one.get("stale", "").lower() == "true" for scheme, one in _schemes(challenges))


def _schemes(challenges: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """What is offered, in small letters; what cannot be read ends the reading of its line."""
    found: list[tuple[str, dict[str, str]]] = []
    left = LONGEST_CHALLENGES
    for line in challenges:
        parameters: dict[str, str] | None = None
        text, at = line[:left], 0
        left -= len(text)
        while (part := _PART.match(text, at)) is not None:
            name, quoted, plain = part.groups()
            at = part.end()
            if quoted is None and plain is None:
                parameters = {}
                found.append((name.lower(), parameters))
            elif parameters is not None:
                value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                parameters.setdefault(name.lower(), value)
    return found


def _digest(  # noqa: PLR0913, PLR0917 -- the terms of the formula
    algorithm: str, parameters: dict[str, str], target: str, username: str, password: str, cnonce: str
) -> str | None:
    """RFC 7616, 3.4; without qop as RFC 2069 had it, which old cameras still do."""
    realm, nonce = parameters.get("realm"), parameters.get("nonce")
    offered = {one.strip().lower() for one in parameters.get("qop", "").split(",")} - {""}
    if realm is None or nonce is None or (offered and "auth" not in offered):
        return None
    ours = [realm, nonce, parameters.get("opaque", ""), username, target]
    if any(not one.isprintable() or not one.isascii() for one in ours):  # it would stand in our header
        return None

    def hashed(*parts: str) -> str:
        return _HASHES[algorithm](":".join(parts).encode()).hexdigest()

    secret, what = hashed(username, realm, password), hashed("GET", target)
    fields = {"username": username, "realm": realm, "nonce": nonce, "uri": target}
    plain = {"algorithm": algorithm} if "algorithm" in parameters else {}
    if offered:
        fields["response"] = hashed(secret, nonce, "00000001", cnonce, "auth", what)
        fields["cnonce"] = cnonce
        plain |= {"qop": "auth", "nc": "00000001"}
    else:
        fields["response"] = hashed(secret, nonce, what)
    if "opaque" in parameters:
        fields["opaque"] = parameters["opaque"]
    quoted = [f'{name}="{_escaped(value)}"' for name, value in fields.items()]
    return "Digest " + ", ".join([*quoted, *(f"{name}={value}" for name, value in plain.items())])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
