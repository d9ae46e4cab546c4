"""Authentication at a camera: HTTP digest (RFC 7616), or basic (RFC 7617).

One rule: of several challenges the strongest is answered. The password is sent unencrypted only when
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
"""Characters of all challenges in an answer that are looked at."""
_HASHES: Final = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
"""Algorithms of RFC 7616, 6.1, the strongest first; their -sess variants are not supported."""
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 -- a token of the grammar, no secret
_PART: Final = re.compile(
    rf'[ \t,]*({_TOKEN})(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))|(?=[ \t]+[^ \t,=]|[ \t]*,|$))'
)
"""A parameter of a challenge, or the name of the next scheme (RFC 9110, 11.6.1)."""


def authorization(challenges: Iterable[str], target: str, username: str, password: str, cnonce: str) -> str | None:
    """The value of `Authorization` for a GET; None when no challenge is supported. `cnonce` is random."""
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
    """Whether only the nonce was too old and the password may be right (RFC 7616, 3.3)."""
    return any(
        scheme == "digest" and parameters.get("stale", "").lower() == "true"
        for scheme, parameters in _schemes(challenges)
    )


def _schemes(challenges: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """(scheme, parameters) of each challenge, names in lower case; a line is read up to the first syntax error."""
    schemes: list[tuple[str, dict[str, str]]] = []
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
                schemes.append((name.lower(), parameters))
            elif parameters is not None:
                value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                parameters.setdefault(name.lower(), value)
    return schemes


def _digest(  # noqa: PLR0913, PLR0917 -- the terms of the formula
    algorithm: str, parameters: dict[str, str], target: str, username: str, password: str, cnonce: str
) -> str | None:
    """The answer to a digest challenge (RFC 7616, 3.4; without qop RFC 2069, for old cameras). None: not possible."""
    realm, nonce = parameters.get("realm"), parameters.get("nonce")
    offered = {qop.strip().lower() for qop in parameters.get("qop", "").split(",")} - {""}
    if realm is None or nonce is None or (offered and "auth" not in offered):
        return None
    ours = [realm, nonce, parameters.get("opaque", ""), username, target]
    if any(not text.isprintable() or not text.isascii() for text in ours):  # these become a part of our header
        return None

    def hashed(*parts: str) -> str:
        return _HASHES[algorithm](":".join(parts).encode()).hexdigest()

    secret, request = hashed(username, realm, password), hashed("GET", target)
    fields = {"username": username, "realm": realm, "nonce": nonce, "uri": target}
    plain = {"algorithm": algorithm} if "algorithm" in parameters else {}
    if offered:
        fields["response"] = hashed(secret, nonce, "00000001", cnonce, "auth", request)
        fields["cnonce"] = cnonce
        plain |= {"qop": "auth", "nc": "00000001"}
    else:
        fields["response"] = hashed(secret, nonce, request)
    if "opaque" in parameters:
        fields["opaque"] = parameters["opaque"]
    quoted = [f'{name}="{_escaped(value)}"' for name, value in fields.items()]
    return "Digest " + ", ".join([*quoted, *(f"{name}={value}" for name, value in plain.items())])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
