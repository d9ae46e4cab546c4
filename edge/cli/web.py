"""`doorctl web`: who may sign in at the local page.

One rule: a password is asked for on the terminal, never taken from the command line, and every change is recorded.
"""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from edge.cli.text import say, say_json
from edge.cli.text import table as columns
from edge.client.connection import Client, RequestRefused, Unreachable
from edge.config.reading import load
from edge.model.page_roles import PageRole
from edge.model.problems import ConfigError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def accounts(arguments: argparse.Namespace) -> int:
    """Add, remove or list. 1 when there is no such account, or when a change could not be recorded."""
    try:
        from edge.web import accounts  # noqa: PLC0415 -- argon2 is there only where the page is
    except ModuleNotFoundError as error:
        raise ValueError(f"the local page is not installed here: no {error.name}") from None
    name = arguments.name if arguments.verb != "list" else ""
    try:
        path = load(arguments.config).web.accounts
        found = accounts.load(path)
        if arguments.verb == "list":
            return _list({one.name: str(one.role) for one in found.values()}, json=arguments.json)
        if arguments.verb == "add" and not accounts.NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for an account, expected {accounts.NAME_EXPECTED}")
        with Client(arguments.socket):  # before anything is changed: it must be possible to record it
            made = None
            if arguments.verb == "add":
                password = _password(accounts.SHORTEST_PASSWORD, accounts.LONGEST_PASSWORD)
                made = accounts.Account(name, PageRole(arguments.role), accounts.hashed(password))
        with accounts.changing(path) as known:  # as it is now: somebody may have thought about a password for long
            existed = known.pop(name, None) is not None
            if made is not None:
                if len(known) >= accounts.MOST_ACCOUNTS:
                    raise ValueError(f"there are {len(known)} accounts, and there may be no more")
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
    for line in columns(known.items(), ("NAME", "ROLE")):
        say(line)
    return 0


def _password(shortest: int, longest: int) -> str:
    """Ask twice. Raises ValueError."""
    if not sys.stdin.isatty():
        raise ValueError("a password is asked for on a terminal, and there is none here")
    password = getpass.getpass(f"Password, at least {shortest} characters: ")
    if not shortest <= len(password) <= longest:
        raise ValueError(f"expected {shortest} to {longest} characters; nothing was changed")
    if getpass.getpass("The same again: ") != password:
        raise ValueError("the two are not the same; nothing was changed")
    return password


def _record(arguments: argparse.Namespace, path: Path, actions: list[str]) -> int:
    """Have it recorded. On a connection of its own: somebody may have thought about a password for long."""
    try:
        with Client(arguments.socket) as doord:
            for action in actions:
                role = {"role": arguments.role} if action == "create" else {}
                doord.ask("login", action=action, login=arguments.name, **role)
    except (RequestRefused, Unreachable) as error:
        sys.stderr.write(f"doorctl: {path} was changed, but that could not be recorded: {error}\n")
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
