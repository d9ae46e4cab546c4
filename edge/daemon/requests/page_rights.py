"""What the local page may ask for at the socket: what its pages offer, for accounts that root or a manager has made.

One rule: a page that was taken over can do no more than its visitors could. doord keeps the list of accounts itself;
the page changes it only for a manager who is on it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from edge.model.event_types import LOGIN_CREATE
from edge.model.page_roles import COMMANDS, FOR_ALL, PageRole, Right, rights_of
from edge.socket.peers import WEB, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from edge.model.messages import Actor, Record

MEMORY: Final = "controller.accounts"
"""The name under which the log keeps the accounts. No door has a dot in its id."""
MOST_ACCOUNTS: Final = 256
LOOKS: Final = frozenset(
    {
        "status",
        "facts",
        "events",
        "passages",
        "alerts",
        "pictures",
        "picture",
        "metrics",
        "watch",
        "access",
        "groups",
        "schedules",
    }
)
"""Operations that the page uses for itself; it shows the answers to everybody who signed in."""
ACTS: Final[Mapping[str, Right]] = {
    "acknowledge": Right.TAKE,
    "export": Right.HISTORY,
    "people": Right.PEOPLE,
    "person": Right.PEOPLE,
    "change_person": Right.PEOPLE,
    "card": Right.PEOPLE,
    "cards": Right.PEOPLE,
    "visitor": Right.PEOPLE,
    "enrol": Right.PEOPLE,
    "entries": Right.DIRECTORY,
    "edit_directory": Right.DIRECTORY,
}
"""Operations for an account, with the right that each needs. `command` and `login` depend on their content."""
FILES: Final = frozenset({"directory_export", "directory_import", "apply_import"})
"""Operations for a manager, with people as CSV: the whole document, with its integrations, is not for the page."""
OFFERED: Final = frozenset({"group", "schedule", "door"})
"""Kinds of entries that the page looks up and edits: integrations and cameras, with their addresses, are not for it."""
CHANGES: Final = frozenset({"create", "change", "destroy"})
"""Changes of accounts by a manager. Everybody may `change` their own password."""
LASTS: Final = "hold_unlocked"
"""The command that may say for how long."""


class PageRights:
    """The accounts of the local page, as root and managers have made and removed them."""

    def __init__(self) -> None:
        """The accounts are not known before `restore` or `learn`."""
        self._known: dict[str, str] | None = None

    @property
    def _roles(self) -> dict[str, str]:
        if self._known is None:
            raise RequestError("log_unavailable", "the accounts of the local page are not known before the log is open")
        return self._known

    def restore(self, text: str) -> None:
        """Restore the accounts that the log stored; none if the text is damaged."""
        try:
            stored = json.loads(text)
        except (ValueError, RecursionError):
            stored = None
        self._known = {str(login): str(role) for login, role in stored.items()} if isinstance(stored, dict) else {}

    @property
    def known(self) -> bool:
        """Whether the accounts are known already."""
        return self._known is not None

    def learn(self, records: Iterable[Record]) -> dict[str, str]:
        """Learn the accounts from records, as release 0.1.0 kept no list. Returns what the log has to store."""
        self._known = {}
        for record in records:
            event = record.event
            if event.actor is None or event.actor.id.startswith(WEB):  # release 0.1.0: the page made no accounts
                continue
            if event.type == LOGIN_CREATE:
                self._known[event.object.id] = str(event.details.get("role", PageRole.VIEWER))
            else:
                self._known.pop(event.object.id, None)
        return {MEMORY: json.dumps(self._known)}

    def change(self, action: str, login: str, role: str | None) -> dict[str, str]:
        """Note a permitted change of an account. Returns what the log has to store. Raises RequestError."""
        if action == "destroy":
            self._roles.pop(login, None)
        elif login not in self._roles and len(self._roles) >= MOST_ACCOUNTS:
            raise RequestError("too_many", f"there are {MOST_ACCOUNTS} accounts, which is the most there may be")
        else:
            self._roles[login] = role or self._roles.get(login, PageRole.VIEWER)
        return {MEMORY: json.dumps(self._roles)}

    def check(self, op: str, body: Mapping[str, Any], actor: Actor) -> None:
        """Check that the page may ask this for this account, or for itself. Raises RequestError."""
        if op in LOOKS:
            return
        login = actor.id.removeprefix(WEB) if actor.id.startswith(WEB) else None
        if op == "login":
            self._login(body, login)
            return
        if op == "command":
            self._needs(COMMANDS.get(str(body.get("command")), Right.UNLOCK), login)
            self._command(body)
        elif op in FILES:
            self._needs(Right.DIRECTORY, login)
            if body.get("form") not in {None, "csv"}:
                raise RequestError("not_allowed", "the local page imports and exports people as CSV only")
        elif op in ACTS:
            self._needs(ACTS[op], login)
            if ACTS[op] is Right.DIRECTORY and not _kinds(body) <= OFFERED:
                raise RequestError("not_allowed", f"the local page edits only each {', '.join(sorted(OFFERED))}")
        else:
            raise RequestError("not_allowed", f"the local page does not offer {op!r}")

    def role(self, login: str) -> str | None:
        """The role of an account; None when there is no such account. Raises RequestError before the log is open."""
        return self._roles.get(login)

    def _needs(self, right: Right, login: str | None) -> None:
        role = self._role(login)
        if right not in rights_of(role):
            raise RequestError("not_allowed", f"an account with the role {role} may not do this at the local page")

    def _command(self, body: Mapping[str, Any]) -> None:
        offered, command = FOR_ALL if body.get("all") else COMMANDS, str(body.get("command"))
        keys = {"command", "door", "all", *(["for_s"] if command == LASTS else [])}
        if command not in offered or not body.keys() <= keys:
            raise RequestError("not_allowed", f"the local page offers only {', '.join(sorted(offered))}")

    def _login(self, body: Mapping[str, Any], login: str | None) -> None:
        """A failed sign-in may have any name, a sign-in or sign-out needs an account, other changes need a manager."""
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


def _kinds(body: Mapping[str, Any]) -> set[str]:
    """The kinds of entries that `entries` or `edit_directory` names."""
    if "kind" in body:
        return {str(body["kind"])}
    changes = body.get("changes")
    every = changes if isinstance(changes, list) else [None]
    return {str(one.get("put", one.get("remove"))) if isinstance(one, dict) else "" for one in every}
