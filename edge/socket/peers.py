"""Who is at the other end of the control socket: what the kernel says, and who may speak for whom.

One rule: what a request says about who asks counts only from the local page's own user, and from whoever
could be anybody anyway.
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
    from collections.abc import Callable

GROUP: Final = "doorward"
WEB_USER: Final = "doorweb"
"""The user of the local page: speaks for whoever signed in there."""
WEB: Final = "web:"
"""What the ids of those who signed in there begin with."""
LONGEST_LOGIN: Final = 100
KNOWN_S: Final = 5.0
"""How long a user's groups are believed: looking them up reads files, or asks a directory service."""
MOST_KNOWN: Final = 64


class RequestError(Exception):
    """A request that cannot be served; `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        """As the client will read them."""
        super().__init__(message)
        self.code = code


class Kind(StrEnum):
    """Whose limits at the socket somebody takes."""

    ROOT = "root"
    """Root, and the daemon's own user."""
    PAGE = "page"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who the kernel says is at the other end, and may ask."""

    uid: int
    kind: Kind
    actor: Actor

    def __str__(self) -> str:
        """For the journal."""
        return f"{self.actor.name} ({self.actor.id})"

    @property
    def speaks_for_others(self) -> bool:
        """May name in `as` who asked."""
        return self.kind is not Kind.GROUP


class Peers:
    """Looks peers up, each user once in a while."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """`now_s` only goes forward."""
        self._now_s = now_s
        self._known: dict[tuple[int, int], tuple[float, Peer | None]] = {}

    def of(self, link: socket.socket) -> Peer | None:
        """Who is at the other end, or None when they may not ask. Raises OSError for a socket that is not connected."""
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
    """Who asks: the peer, or whom it speaks for (`as`: `{"id", "name"}` of an account of the local page).

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
        return Peer(uid, Kind.ROOT, who)
    if uid == _uid_of(WEB_USER):
        return Peer(uid, Kind.PAGE, who)
    try:
        allowed = grp.getgrnam(GROUP).gr_gid in groups
    except KeyError:
        allowed = False
    return Peer(uid, Kind.GROUP, who) if allowed else None


def _uid_of(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
