"""The claims of a signed command: its id and times are claims of a JSON Web Token (RFC 7519).

One rule: the claims count. A key of the command object with the same meaning must agree with its claim.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from edge.commands.shape import RefusedError, time_us
from edge.model.cloudevents import rfc3339

if TYPE_CHECKING:
    from edge.commands.shape import Signer

LONGEST_VALID_S: Final = 86_400
"""The longest time from `iat` to `exp`."""
LONGEST_UNLOCK_VALID_S: Final = 300
"""The same for an `unlock`. Somebody waits at the door for it, so it need not be valid for long."""
LATEST_S: Final = 253_402_300_799
"""The end of the year 9999, the last year of RFC 3339."""
ANY_TIME: Final = frozenset({"lock", "lock_down", "block", "replay", "diagnose"})
"""Signed commands that are obeyed without a set clock: they let nobody in, even if somebody sends them late."""
_TOKEN: Final = re.compile(rb"[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+")


def token_of(payload: bytes) -> bytes | None:
    """The message as a compact token (RFC 7515, section 3.1), without a line end; None: it is not one."""
    token = payload.rstrip(b"\r\n")
    return token if _TOKEN.fullmatch(token) else None


def body_of(claims: dict[str, Any], controller: str) -> dict[str, Any]:
    """The command object of verified claims. Raises RefusedError."""
    audience = claims.pop("aud", None)
    if audience not in (controller, [controller]):
        raise RefusedError("wrong_audience", f"aud: expected this controller alone, {controller!r}")
    jti, issued_s, expires_s = claims.pop("jti", None), _seconds(claims, "iat"), _seconds(claims, "exp")
    if not isinstance(jti, str) or claims.get("id", jti) != jti:
        raise RefusedError("malformed", "jti: expected the command's id as text; id is the same or left out")
    if expires_s <= issued_s:
        raise RefusedError("malformed", "exp: expected a time after iat")
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
        raise RefusedError("malformed", f"{name}: expected a whole number of seconds since 1970")
    return value


def _same(claims: dict[str, Any], key: str, second: int, claim: str) -> None:
    """Check that a time agrees with its claim, which has whole seconds only. Raises RefusedError."""
    if key not in claims:
        return
    try:
        at_us = time_us(claims[key]) if isinstance(claims[key], str) else None
    except ValueError:
        at_us = None
    if at_us is None or at_us // 1_000_000 != second:
        raise RefusedError("malformed", f"{key}: expected the same time as {claim}")


def judge_permission(signer: Signer, command: str, doors: tuple[str, ...]) -> None:
    """Refuse a command that its key does not permit. A key for some doors has to name commands without a door."""
    if signer.commands is not None and command not in signer.commands:
        raise RefusedError("not_permitted", f"the key {signer.name} does not permit {command}")
    if signer.doors is None:
        return
    if not doors and signer.commands is None:
        raise RefusedError(
            "not_permitted", f"the key {signer.name} is for doors only, and its commands do not name {command}"
        )
    if others := [door for door in doors if door not in signer.doors]:
        raise RefusedError("not_permitted", f"the key {signer.name} does not permit {command} at {others[0]}")
