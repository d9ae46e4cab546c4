"""What a signed command says: a command object whose id and times are claims of a JSON Web Token (RFC 7519).

One rule: a claim and the key that says the same never contradict each other; the claim is what counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from edge.commands.shape import RefusedError, time_us
from edge.model.cloudevents import rfc3339

if TYPE_CHECKING:
    from edge.commands.shape import Signer

LONGEST_VALID_S: Final = 86_400
"""From `iat` to `exp`: a signed command is good for a day at most."""
LONGEST_UNLOCK_VALID_S: Final = 300
"""The same for an `unlock`, which somebody waits for at a door."""
LATEST_S: Final = 253_402_300_799
"""The end of the year 9999, the last that RFC 3339 can say."""
ANY_TIME: Final = frozenset({"lock", "lock_down", "block", "replay", "diagnose"})
"""Signed commands that are obeyed without a clock: one kept back by somebody lets nobody in, whenever it comes."""
_TOKEN: Final = re.compile(rb"[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+")


def token_of(payload: bytes) -> bytes | None:
    """The compact token (RFC 7515, section 3.1) that a message is, with or without a line's end; else None."""
    token = payload.rstrip(b"\r\n")
    return token if _TOKEN.fullmatch(token) else None


def body_of(claims: dict[str, Any], controller: str) -> dict[str, Any]:
    """The command object that verified claims stand for. Raises RefusedError."""
    audience = claims.pop("aud", None)
    if audience not in (controller, [controller]):
        raise RefusedError("wrong_audience", f"aud is not this controller alone, which is {controller!r}")
    jti, issued_s, expires_s = claims.pop("jti", None), _seconds(claims, "iat"), _seconds(claims, "exp")
    if not isinstance(jti, str) or claims.get("id", jti) != jti:
        raise RefusedError("malformed", "jti is the command's id, and id is the same or left out")
    if expires_s <= issued_s:
        raise RefusedError("malformed", "exp is not after iat")
    longest_s = LONGEST_UNLOCK_VALID_S if claims.get("command") == "unlock" else LONGEST_VALID_S
    if expires_s - issued_s > longest_s:
        raise RefusedError("valid_too_long", f"it is valid for {expires_s - issued_s} s, expected at most {longest_s}")
    _same(claims, "issued_at", issued_s, "iat")
    _same(claims, "expires_at", expires_s, "exp")
    at = {"issued_at": rfc3339(issued_s * 1_000_000), "expires_at": rfc3339(expires_s * 1_000_000)}
    return {**claims, "id": jti, **at}


def _seconds(claims: dict[str, Any], name: str) -> int:
    value = claims.pop(name, None)
    if type(value) is not int or not 0 <= value <= LATEST_S:
        raise RefusedError("malformed", f"{name} is not a whole number of seconds since 1970")
    return value


def _same(claims: dict[str, Any], key: str, second: int, claim: str) -> None:
    """A time may have a fraction, a claim has none here."""
    if key not in claims:
        return
    try:
        found_us = time_us(claims[key]) if isinstance(claims[key], str) else None
    except ValueError:
        found_us = None
    if found_us is None or found_us // 1_000_000 != second:
        raise RefusedError("malformed", f"{key} is not the time that {claim} says")


def judge_permission(signer: Signer, command: str, doors: tuple[str, ...]) -> None:
    """Refuse what a key may not. A key with doors of its own may do what concerns no door only where that is said."""
    if signer.commands is not None and command not in signer.commands:
        raise RefusedError("not_permitted", f"the key {signer.name} may not {command}")
    if signer.doors is None:
        return
    if not doors and signer.commands is None:
        raise RefusedError("not_permitted", f"the key {signer.name} is for doors; {command} is not among its commands")
    if others := [door for door in doors if door not in signer.doors]:
        raise RefusedError("not_permitted", f"the key {signer.name} may not {command} {others[0]}")
