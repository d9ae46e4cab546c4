"""Who is at the other end of the control socket, by the kernel's SO_PEERCRED (unix(7)), and who may ask for others.

One rule: a request may name another actor only when it comes from the local page's user, from root or from the
daemon's own user, who could become any user anyway.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from edge.model.messages import Actor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.model.messages import Json

GROUP: Final = "doorward"
WEB_USER: Final = "doorweb"
"""The user of the local page, which asks for the people who signed in there."""
WEB: Final = "web:"
"""Prefix of the actor ids of people who signed in at the local page."""
LONGEST_LOGIN: Final = 100
KNOWN_S: Final = 5.0
"""How long a user's groups are cached: looking them up reads files or asks a directory service."""
MOST_KNOWN: Final = 64


class RequestError(Exception):
    """A request that cannot be served; `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str, details: Mapping[str, Json] | None = None) -> None:
        """All of it is sent to the client; `details` for programs."""
        super().__init__(message)
        self.code = code
        self.details = details or {}


class PeerKind(StrEnum):
    """Kinds of users, each with limits of its own."""

    ROOT = "root"
    """Root, and the daemon's own user."""
    PAGE = "page"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Peer:
    """A user who may ask."""

    uid: int
    kind: PeerKind
    actor: Actor

    def __str__(self) -> str:
        """For the journal."""
        return f"{self.actor.name} ({self.actor.id})"

    @property
    def speaks_for_others(self) -> bool:
        """Whether a request may name another actor in `as`."""
        return self.kind is not PeerKind.GROUP


class Peers:
    """Looks peers up, and caches each user for `KNOWN_S`."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """`now_s` returns seconds of a clock that only goes forward."""
        self._now_s = now_s
        self._known: dict[tuple[int, int], tuple[float, Peer | None]] = {}

    def of(self, link: socket.socket) -> Peer | None:
        """The peer of a connection; None when that user may not ask. OSError for a socket that is not connected."""
        raw = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, gid = struct.unpack("3i", raw)
        now_s = self._now_s()
        until_s, peer = self._known.get((uid, gid), (now_s, None))
        if until_s <= now_s:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            peer = _looked_up(uid, gid)
            self._known[uid, gid] = now_s + KNOWN_S, peer
        return peer


def actor(peer: Peer, body: dict[str, Any]) -> Actor:
    """The actor of a request: the peer, or whom `as` names (`{"id", "name"}` of an account of the local page).

    Takes `as` out of the body. Raises RequestError.
    """
    named = body.pop("as", None)
    if named is None:
        return peer.actor
    if not peer.speaks_for_others:
        raise RequestError("not_allowed", f"only the user {WEB_USER} may speak for others")
    login, name = (named.get("id"), named.get("name")) if isinstance(named, dict) else (None, None)
    whole = isinstance(login, str) and 0 < len(login) <= LONGEST_LOGIN and isinstance(name, str | None)
    if not whole or not f"{login}{name or ''}".isprintable():
        expected = f'{{"id": 1 to {LONGEST_LOGIN} printable characters, "name": a text or null}}'
        raise RequestError("malformed", f"as: expected {expected}")
    return Actor("operator", f"{WEB}{login}", name and name[:LONGEST_LOGIN])


def _looked_up(uid: int, gid: int) -> Peer | None:
    try:
        name = pwd.getpwuid(uid).pw_name
        groups = os.getgrouplist(name, gid)
    except KeyError:
        name, groups = f"uid {uid}", [gid]
    who = Actor("operator", f"uid:{uid}", name)
    if uid in {0, os.geteuid()}:
        return Peer(uid, PeerKind.ROOT, who)
    if uid == _uid_of(WEB_USER):
        return Peer(uid, PeerKind.PAGE, who)
    try:
        allowed = grp.getgrnam(GROUP).gr_gid in groups
    except KeyError:
        allowed = False
    return Peer(uid, PeerKind.GROUP, who) if allowed else None


def _uid_of(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
