"""Serves `login` at the socket: records sign-ins, sign-outs and changes of accounts of the local page.

One rule: the page reports who signs in and out. Root, and managers at the page, change accounts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.daemon.requests.page_rights import CHANGES
from edge.model.event_types import LOGIN_CREATE, LOGIN_DESTROY, LOGIN_SIGN_IN, LOGIN_SIGN_OUT
from edge.model.messages import Event, Subject
from edge.model.page_roles import PageRole
from edge.socket.server import LONGEST_LOGIN, WEB, RequestError

if TYPE_CHECKING:
    from edge.daemon.requests.page_rights import PageRights
    from edge.log.log import Log
    from edge.model.messages import Actor, Json
    from edge.system.clock import Clock


EVENT_TYPES: Final = {
    "create": (LOGIN_CREATE,),
    "change": (LOGIN_DESTROY, LOGIN_CREATE),
    "destroy": (LOGIN_DESTROY,),
    "sign_in": (LOGIN_SIGN_IN,),
    "sign_out": (LOGIN_SIGN_OUT,),
}
"""Action -> what is recorded. An account with a new password or role is another account."""


class _Login(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    action: Literal["create", "change", "destroy", "sign_in", "sign_out"]
    login: str = Field(min_length=1, max_length=LONGEST_LOGIN)
    code: str | None = Field(None, pattern="^[a-z_]{1,40}$")
    address: str | None = Field(None, pattern="^[0-9a-fA-F:.]{2,45}$")
    """The address of the browser."""
    role: PageRole | None = Field(None, strict=False)
    """The role of the account."""
    left_out: int | None = Field(None, ge=1, le=2**53)
    """How many earlier ones of this kind were not recorded, because there were too many."""


class Logins:
    """Serves the request."""

    def __init__(self, log: Log, clock: Clock, rights: PageRights) -> None:
        """`rights` has the accounts."""
        self._log, self._clock, self._rights = log, clock, rights

    async def serve(self, body: dict[str, Any], actor: Actor) -> Json:
        """Record what happened to an account. Raises RequestError for a user who may not report it."""
        ask = _Login.model_validate(body)
        changes = ask.action in CHANGES
        if changes and not actor.id.startswith(WEB) and actor.id not in {"uid:0", f"uid:{os.geteuid()}"}:
            raise RequestError("not_allowed", "only root, and managers at the local page, change its accounts")
        if not changes and not actor.id.startswith(WEB):
            raise RequestError("not_allowed", "only the local page records what its accounts do")
        login, role = Subject("login", ask.login, ask.login), ask.role
        if ask.action == "change":
            before = self._rights.role(ask.login)
            if before is None:
                raise RequestError("unknown_account", f"doord knows no account {ask.login!r}")
            role = role or PageRole(before)
        at_ns, success = self._clock.now_ns(), ask.code is None
        details: dict[str, Json] = {} if ask.address is None else {"address": ask.address}
        if role is not None:
            details["role"] = role
        if ask.left_out is not None:
            details["left_out"] = ask.left_out
        modes = self._rights.change(ask.action, ask.login, role) if changes else None
        kinds = EVENT_TYPES[ask.action]
        events = [Event(kind, at_ns, login, actor, success=success, code=ask.code, details=details) for kind in kinds]
        self._log.append(events, modes)
        return {}
