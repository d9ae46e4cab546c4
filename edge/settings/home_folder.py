"""`~/` at the beginning of a path: the home folder of the user who runs the program."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def expanded(path: str) -> str:
    """The path with `~/` resolved; others as they are. Raises ValueError where there is no home."""
    if not path.startswith("~/"):
        return path
    found = os.path.expanduser(path)  # noqa: PTH111 -- stays as it is where there is no home
    if found.startswith("~"):
        raise ValueError(f'found "{path}", expected a path without ~: this user has no home folder')
    return found


def below_home(path: Path) -> bool:
    """Whether it lies in the home folder."""
    try:
        return path.is_relative_to(expanded("~/"))
    except ValueError:
        return False
