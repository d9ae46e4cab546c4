"""The sessions of displays in a file, so that a screen on a wall is not signed out by a restart.

One rule: the file is of no use to sign in. It has the hash of each browser's secret, and a session counts only while
its account still has the password and the role that it had.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from typing import TYPE_CHECKING, Final

from edge.model.page_roles import PageRole
from edge.web.accounts import AccountsError
from edge.web.private_file import replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.web.accounts import Account, Accounts

LOG: Final = logging.getLogger("doorweb")
FILE: Final = "displays.json"
MOST: Final = 32
"""Sessions that are kept; the one that began first goes."""
LARGEST: Final = 64 << 10
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class DisplaySessions:
    """Keeps them beside the accounts."""

    def __init__(self, path: Path, accounts: Accounts) -> None:
        """Nothing is read before `kept`."""
        self._path, self._accounts = path, accounts

    def kept(self) -> dict[str, Account]:
        """Key of a session -> its account, of those that are still what they were; {} when the file is damaged."""
        try:
            with self._path.open("rb") as file:
                content = file.read(LARGEST + 1)
            if len(content) > LARGEST:
                raise ValueError(f"more than {LARGEST} bytes")  # noqa: TRY301 -- one handler for all problems
            stored = json.loads(content)["displays"]
            accounts = self._accounts.all()
            found = {key: accounts.get(name) for key, (name, tie) in stored.items() if _DIGEST.fullmatch(key)}
            ties = {key: tie for key, (_, tie) in stored.items()}
        except FileNotFoundError:
            return {}
        except (OSError, AccountsError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            LOG.warning("%s: displays have to sign in again: %s", self._path, error)
            return {}
        displays = {key: one for key, one in found.items() if one is not None and one.role is PageRole.DISPLAY}
        return dict([(key, one) for key, one in displays.items() if ties[key] == _tie(one)][-MOST:])

    def keep(self, sessions: Mapping[str, Account]) -> None:
        """Store these, key -> account, the first to begin first. Blocks. A disk that fails is told in the journal."""
        kept = [*sessions.items()][-MOST:]
        content = json.dumps({"displays": {key: (account.name, _tie(account)) for key, account in kept}}).encode()
        try:
            replace(self._path, content)
        except OSError as error:
            LOG.warning("%s: displays will have to sign in after a restart: %s", self._path, error)


def _tie(account: Account) -> str:
    """What is another one as soon as the account has another password or role."""
    return hashlib.sha256(f"{account.name} {account.role} {account.hash}".encode()).hexdigest()
