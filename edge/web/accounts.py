"""Who may sign in: a file of accounts with their roles and the hashes of their passwords.

One rule: a password is hashed or checked here and stored nowhere. A check takes as long for an unknown name.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from edge.model.page_roles import PageRole, Right, rights_of
from edge.web.private_file import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
NAME_EXPECTED: Final = "1 to 40 of a-z, 0-9, '.', '_' and '-', the first a letter or a figure"
SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 256
"""Characters."""
MOST_ACCOUNTS: Final = 256
LARGEST_FILE: Final = 1 << 20
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's argon2id parameters with 19 MiB, to leave memory for the doors
(https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html)."""


class AccountsError(Exception):
    """The file cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in."""

    name: str
    role: PageRole
    hash: str
    """argon2id in the PHC string format."""

    def may(self, right: Right) -> bool:
        """Whether its role has this right."""
        return right in rights_of(self.role)


class Accounts:
    """The accounts in a file; a changed file is read again at the next request."""

    def __init__(self, path: Path) -> None:
        """Nothing is read before the first request."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._accounts: Mapping[str, Account] = {}
        self._decoy = hashed(secrets.token_urlsafe())

    def get(self, name: str) -> Account | None:
        """The account with this name; None when there is none. Raises AccountsError."""
        return self._read().get(name)

    def check(self, name: str, password: str) -> Account | None:
        """The account if this is its password, else None; takes some 50 ms and 19 MiB. Raises AccountsError."""
        account = self.get(name)
        right = matches(self._decoy if account is None else account.hash, password)
        return account if right else None

    def all(self) -> Mapping[str, Account]:
        """Name -> account. Raises AccountsError."""
        return self._read()

    def put(self, account: Account) -> None:
        """Store an account in the place of one of that name. Blocks. Raises AccountsError and OSError."""
        with changing(self._path) as accounts:
            accounts[account.name] = account

    def change(self, name: str, *, role: PageRole | None = None, hash_: str | None = None) -> Account | None:
        """Give an account another role or password, or both; what others have changed since stays.

        Returns the account; None when it has been removed. Blocks. Raises AccountsError and OSError.
        """
        with changing(self._path) as accounts:
            before = accounts.get(name)
            if before is None:
                return None
            made = Account(name, role or before.role, hash_ or before.hash)
            accounts[name] = made
            return made

    def remove(self, name: str) -> None:
        """Remove an account, if there is one. Blocks. Raises AccountsError and OSError."""
        with changing(self._path) as accounts:
            accounts.pop(name, None)

    def _read(self) -> Mapping[str, Account]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._accounts = None, {}
            return self._accounts
        except OSError as error:
            raise AccountsError(f"{self._path} cannot be read: {error.strerror}") from error
        seen = status.st_mtime_ns, status.st_ino, status.st_size
        if seen != self._seen:
            self._accounts, self._seen = load(self._path), seen
        return self._accounts


def load(path: Path) -> dict[str, Account]:
    """Name -> account; {} when there is no file. Raises AccountsError."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AccountsError(f"{path} cannot be read: {error.strerror}") from error
    try:
        if len(content) > LARGEST_FILE:
            raise ValueError(f"more than {LARGEST_FILE} bytes")  # noqa: TRY301 -- one handler for all problems
        return {name: _account(name, fields) for name, fields in json.loads(content)["accounts"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AccountsError(f"{path} is no file of accounts ({error!r}); doorctl web writes them") from error


def _account(name: str, fields: Mapping[str, str]) -> Account:
    if not NAME.fullmatch(name) or not isinstance(fields["hash"], str):
        raise ValueError(name)
    return Account(name, PageRole(fields["role"]), fields["hash"])


@contextlib.contextmanager
def changing(path: Path) -> Iterator[dict[str, Account]]:
    """All accounts, to be changed inside the context; only one process at a time. Raises AccountsError and OSError."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        accounts = load(path)
        before = dict(accounts)
        yield accounts
        if accounts != before:
            save(path, accounts)
    finally:
        os.close(folder)


def save(path: Path, accounts: Mapping[str, Account]) -> None:
    """Replace the file in one step, readable only for its owner. Raises OSError."""
    fields = {account.name: {"role": account.role, "hash": account.hash} for account in accounts.values()}
    replace(path, json.dumps({"accounts": fields}).encode())


def hashed(password: str) -> str:
    """The argon2id hash of a password, for the file."""
    return HASHER.hash(password)


def matches(hash_: str, password: str) -> bool:
    """Whether this hash is of this password; a malformed hash matches nothing."""
    try:
        return HASHER.verify(hash_, password)
    except (VerificationError, InvalidHashError):
        return False
