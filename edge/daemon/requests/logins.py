"""The socket's `login`: what happened to an account of the local page, as a record.

One rule: that page witnesses who signs in and out, and whoever keeps the accounts who has one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.model.event_types import LOGIN_CREATE, LOGIN_DESTROY, LOGIN_SIGN_IN, LOGIN_SIGN_OUT
from edge.model.messages import Event, Subject
from edge.socket.server import LONGEST_LOGIN, WEB, RequestError

if TYPE_CHECKING:
    from edge.daemon.requests.page_rights import PageRights
    from edge.log.log import Log
    from edge.model.messages import Actor, Json
    from edge.system.clock import Clock


EVENT_TYPES: Final = {
    "create": LOGIN_CREATE,
    "destroy": LOGIN_DESTROY,
    "sign_in": LOGIN_SIGN_IN,
    "sign_out": LOGIN_SIGN_OUT,
}


class _Login(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    action: Literal["create", "destroy", "sign_in", "sign_out"]
    login: str = Field(min_length=1, max_length=LONGEST_LOGIN)
    code: str | None = Field(None, pattern="^[a-z_]{1,40}$")
    address: str | None = Field(None, pattern="^[0-9a-fA-F:.]{2,45}$")
    """Where they came from."""
    role: str | None = Field(None, pattern="^[a-z]{1,40}$")
    """What the account may do."""
    left_out: int | None = Field(None, ge=1, le=2**53)
    """How many of the same kind before this one were too many to be recorded."""


class Logins:
    """Serves the request."""

    def __init__(self, log: Log, clock: Clock, rights: PageRights) -> None:
        """`rights` keeps the accounts that there are."""
        self._log, self._clock, self._rights = log, clock, rights

    async def serve(self, body: dict[str, Any], actor: Actor) -> Json:
        """What happened to an account of the local page: that page witnesses it, and whoever keeps the accounts."""
        ask = _Login.model_validate(body)
        keeps = ask.action in {"create", "destroy"} and actor.id in {"uid:0", f"uid:{os.geteuid()}"}
        if not actor.id.startswith(WEB) and not keeps:
            raise RequestError("not_allowed", "only the local page records what its accounts do")
        login = Subject("login", ask.login, ask.login)
        at_ns, success = self._clock.now_ns(), ask.code is None
        details: dict[str, Json] = {} if ask.address is None else {"address": ask.address}
        if ask.role is not None:
            details["role"] = ask.role
        if ask.left_out is not None:
            details["left_out"] = ask.left_out
        event_type = EVENT_TYPES[ask.action]
        event = Event(event_type, at_ns, login, actor, success=success, code=ask.code, details=details)
        modes = self._rights.change(ask.action, ask.login, ask.role) if keeps else None
        self._log.append([event], modes)
        return {}
