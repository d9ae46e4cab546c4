"""The secrets that the directory names: a file in `secrets/` beside the configuration, or a systemd credential.

One rule: a secret is read where it is used and stored nowhere else; the directory has only its name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from edge.model.plain_text import without_mark

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = re.compile(r"[a-z0-9-]{1,63}")
FOLDER: Final = "secrets"
SHORTEST: Final = 16
"""Bytes. Keys shorter than the hash (32 bytes) weaken an HMAC (RFC 2104, 3); 16 can still be typed by hand."""
LONGEST: Final = 4096


class SecretError(OSError):
    """The secret does not exist or cannot be used; the text names the file."""


class Secrets:
    """The folders in which secrets are looked for."""

    def __init__(self, beside: Path, credentials: Path | None = None) -> None:
        """`beside`: the folder of the configuration; `credentials`: that of systemd's credentials, read first."""
        self._places = [beside / FOLDER] if credentials is None else [credentials, beside / FOLDER]

    def read(self, name: str) -> bytes:
        """The secret without a line end behind it; blocks. Raises SecretError."""
        if not NAME.fullmatch(name):
            raise SecretError(f"{name!r} cannot name a secret: expected 1 to 63 of a-z, 0-9 and -")
        for place in self._places:
            file = place / name
            try:
                with file.open("rb") as stream:
                    content = stream.read(LONGEST + 1)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SecretError(f"{file} cannot be read: {error.strerror}") from error
            secret = without_mark(content).rstrip(b"\r\n")
            if not SHORTEST <= len(secret) <= LONGEST:
                raise SecretError(f"{file} has {len(secret)} bytes: expected {SHORTEST} to {LONGEST}")
            return secret
        raise SecretError(f"no secret {name}: expected a file {self._places[-1] / name}, or a credential of that name")
