"""Finds the daemon's socket when none is given: the service's, or one of a daemon that the user runs.

One rule: only a socket of root, of the service's user or of the calling user is used. Behind any other one
somebody may impersonate the daemon.
"""

from __future__ import annotations

import os
import pwd
import socket
import stat
import sys
from functools import cache
from pathlib import Path
from typing import Final

from edge.settings.home_folder import expanded

SYSTEM: Final = Path("/run/doorward/doord.sock")
OWN: Final = "~/.local/state/doorward/doord.sock"
"""The path in config/simulated.toml."""
SERVICE: Final = "doorward"


@cache
def find_socket() -> Path:
    """The socket to use. When there are several, standard error says which one."""
    if named := os.environ.get("DOORWARD_SOCKET"):
        return Path(named)
    try:
        return chosen(SYSTEM, Path(expanded(OWN)))
    except ValueError:  # a user without a home
        return SYSTEM


def chosen(system: Path, own: Path) -> Path:
    """`system`, unless only `own` answers."""
    if not _exists(own):
        return system
    if (owner := _stranger(own)) is not None:
        _note(f"{own} is not used: it belongs to {owner}, not to you")
        return system
    if not _answers(own):
        return system
    if not _exists(system):
        return own
    asked, other = (system, own) if _stranger(system) is None and _answers(system) else (own, system)
    _note(f"asking {asked}; there is also {other} (--socket or DOORWARD_SOCKET chooses)")
    return asked


def _exists(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def _stranger(path: Path) -> str | None:
    """The owner of a socket that must not be used; None: it may be used."""
    owner = path.stat().st_uid
    if owner in {0, os.geteuid()}:
        return None
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"uid {owner}"
    return None if name == SERVICE else name


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:  # a daemon listens, with a full queue
            return True
        except OSError:
            return False
        return True


def _note(text: str) -> None:
    sys.stderr.write(f"doorctl: {text}\n")
