"""What the local page may ask for at the socket: what its pages offer, for accounts that root or a manager has made.

One rule: a page that was taken over can do no more than its visitors could. doord keeps the list of accounts itself;
the page changes it only for a manager who is on it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from edge.model.event_types import LOGIN_CREATE
from edge.model.page_roles import PageRole, Right, rights_of
from edge.socket.peers import WEB, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from edge.model.messages import Actor, Record

MEMORY: Final = "controller.accounts"
"""Where the log keeps them; no door has a dot in its id."""
MOST_ACCOUNTS: Final = 256
LOOKS: Final = frozenset(
    {"status", "facts", "events", "pictures", "picture", "metrics", "watch", "access", "groups", "schedules"}
)
"""What the page asks for itself: it shows it to whoever signed in."""
ACTS: Final[Mapping[str, Right]] = {
    "export": Right.HISTORY,
    "people": Right.PEOPLE,
    "person": Right.PEOPLE,
    "change_person": Right.PEOPLE,
    "card": Right.PEOPLE,
    "visitor": Right.PEOPLE,
    "enrol": Right.PEOPLE,
    "entries": Right.DIRECTORY,
    "edit_directory": Right.DIRECTORY,
}
"""What it asks for an account, by the right that it takes. `command` and `login` are judged by what they say."""
CHANGES: Final = frozenset({"create", "change", "destroy"})
"""Of accounts, by a manager; `change` of one's own account is a new password."""
FOR_ALL: Final = frozenset({"lock_down", "cancel_lockdown"})
COMMANDS: Final = FOR_ALL | {"unlock"}
"""At a door; those of `FOR_ALL` at every door at once too."""


class PageRights:
    """The accounts of the local page, as root and managers have made and removed them."""

    def __init__(self) -> None:
        """Nobody knows yet which there are."""
        self._known: dict[str, str] | None = None

    @property
    def _roles(self) -> dict[str, str]:
        if self._known is None:
            raise RequestError("log_unavailable", "the accounts of the local page are not known before the log is open")
        return self._known

    def restore(self, text: str) -> None:
        """Take up what was remembered; what is no such thing is nothing."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        self._known = {str(login): str(role) for login, role in found.items()} if isinstance(found, dict) else {}

    @property
    def known(self) -> bool:
        """Whether the accounts are known already."""
        return self._known is not None

    def learn(self, records: Iterable[Record]) -> dict[str, str]:
        """Take up who was made and removed by the history: release 0.1.0 kept no list. Returns what `told` does."""
        self._known = {}
        for record in records:
            event = record.event
            if event.actor is None or event.actor.id.startswith(WEB):  # the page makes nobody
                continue
            if event.type == LOGIN_CREATE:
                self._known[event.object.id] = str(event.details.get("role", PageRole.VIEWER))
            else:
                self._known.pop(event.object.id, None)
        return {MEMORY: json.dumps(self._known)}

    def change(self, action: str, login: str, role: str | None) -> dict[str, str]:
        """An account was made, changed or removed by who may; what the log is to remember. Raises RequestError."""
        if action == "destroy":
            self._roles.pop(login, None)
        elif login not in self._roles and len(self._roles) >= MOST_ACCOUNTS:
            raise RequestError("too_many", f"there are {MOST_ACCOUNTS} accounts, and there may be no more")
        else:
            self._roles[login] = role or self._roles.get(login, PageRole.VIEWER)
        return {MEMORY: json.dumps(self._roles)}

    def check(self, op: str, body: Mapping[str, Any], actor: Actor) -> None:
        """Whether the page may ask this for this account, or for itself. Raises RequestError."""
        if op in LOOKS:
            return
        login = actor.id.removeprefix(WEB) if actor.id.startswith(WEB) else None
        if op == "login":
            self._login(body, login)
            return
        if op == "command":
            self._needs(Right.LOCK_DOWN if str(body.get("command")) in FOR_ALL else Right.UNLOCK, login)
            self._command(body)
        elif op in ACTS:
            self._needs(ACTS[op], login)
        else:
            raise RequestError("not_allowed", f"the local page does not offer {op!r}")

    def role(self, login: str) -> str | None:
        """The role of an account; None when there is no such account. Raises RequestError before the log is open."""
        return self._roles.get(login)

    def _needs(self, right: Right, login: str | None) -> None:
        role = self._role(login)
        if right not in rights_of(role):
            raise RequestError("not_allowed", f"the role {role} may not ask for this at the local page")

    def _command(self, body: Mapping[str, Any]) -> None:
        offered = FOR_ALL if body.get("all") else COMMANDS
        if str(body.get("command")) not in offered or not body.keys() <= {"command", "door", "all"}:
            raise RequestError("not_allowed", f"the local page offers {', '.join(sorted(offered))}, and nothing else")

    def _login(self, body: Mapping[str, Any], login: str | None) -> None:
        """A failure may be told of anybody; who signs in or out has an account; a manager changes the others."""
        action, of = str(body.get("action")), body.get("login")
        if action in CHANGES and not (action == "change" and of == login and body.get("role") is None):
            self._needs(Right.ACCOUNTS, login)
            if of == login:
                raise RequestError("not_allowed", "nobody removes their own account or changes its role at the page")
        elif of != login or action not in {"sign_in", "sign_out", "change"}:
            raise RequestError("not_allowed", "the local page records who signs in and out there, and nothing else")
        elif body.get("code") is None:
            self._role(login)

    def _role(self, login: str | None) -> str:
        if login is None:
            raise RequestError("not_allowed", "the local page may ask this only for an account")
        if login not in self._roles:
            text = f"doord knows no account {login!r}: sudo doorctl web add NAME makes it known"
            raise RequestError("not_allowed", text)
        return self._roles[login]
