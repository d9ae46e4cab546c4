"""`doorctl web`: the accounts of the local page.

One rule: a password is typed at the terminal, never on the command line. Every change is recorded.
"""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from edge.cli.tables import say_table
from edge.cli.text import say, say_json
from edge.client.connection import Client, RequestRefused, Unreachable
from edge.config.reading import load
from edge.model.page_roles import PageRole
from edge.model.problems import ConfigError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def accounts(arguments: argparse.Namespace) -> int:
    """Add, remove or list accounts. 1 when there is no such account, or when a change could not be recorded."""
    try:
        from edge.web import accounts  # noqa: PLC0415 -- argon2 is installed only with the local page
    except ModuleNotFoundError as error:
        raise ValueError(f"the local page is not installed here: {error.name} is missing") from None
    name = arguments.name if arguments.verb != "list" else ""
    try:
        path = load(arguments.config).web.accounts
        listed = accounts.load(path)
        if arguments.verb == "list":
            return _list({account.name: str(account.role) for account in listed.values()}, json=arguments.json)
        if arguments.verb == "add" and not accounts.NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name for an account, expected {accounts.NAME_EXPECTED}")
        with Client(arguments.socket):  # first of all: without doord a change cannot be recorded
            made = None
            if arguments.verb == "add":
                password = _password(accounts.SHORTEST_PASSWORD, accounts.LONGEST_PASSWORD)
                made = accounts.Account(name, PageRole(arguments.role), accounts.hashed(password))
        with accounts.changing(path) as known:  # read again: typing a password may have taken long
            existed = known.pop(name, None) is not None
            if made is not None:
                if len(known) >= accounts.MOST_ACCOUNTS:
                    raise ValueError(f"there are {len(known)} accounts, which is the most there may be")
                known[name] = made
    except (ConfigError, accounts.AccountsError) as error:
        raise ValueError(str(error)) from None
    actions = ["destroy"] * existed + ["create"] * (made is not None)
    if not actions:
        sys.stderr.write(f"doorctl: no account {name!r} in {path}\n")
        return 1
    return _record(arguments, path, actions)


def _list(known: dict[str, str], *, json: bool) -> int:
    if json:
        say_json(known)
        return 0
    say_table(known.items(), ("NAME", "ROLE"))
    return 0


def _password(shortest: int, longest: int) -> str:
    """Ask for a new password twice. Raises ValueError."""
    if not sys.stdin.isatty():
        raise ValueError("a password can be typed at a terminal only, and there is none here")
    password = getpass.getpass(f"Password, at least {shortest} characters: ")
    if not shortest <= len(password) <= longest:
        raise ValueError(f"expected {shortest} to {longest} characters; nothing was changed")
    if getpass.getpass("The same again: ") != password:
        raise ValueError("the two passwords differ; nothing was changed")
    return password


def _record(arguments: argparse.Namespace, path: Path, actions: list[str]) -> int:
    """Have a change recorded, on a new connection: typing a password may have taken long."""
    try:
        with Client(arguments.socket) as doord:
            for action in actions:
                role = {"role": arguments.role} if action == "create" else {}
                doord.ask("login", action=action, login=arguments.name, **role)
    except (RequestRefused, Unreachable) as error:
        sys.stderr.write(f"doorctl: {path} was changed, but the change could not be recorded: {error}\n")
        return 1
    if arguments.json:
        say_json({"name": arguments.name, "actions": actions})
    else:
        done = {
            ("create",): "may sign in",
            ("destroy",): "removed",
            ("destroy", "create"): "has a new password and role",
        }
        say(f"{arguments.name}: {done[tuple(actions)]}")
    return 0
