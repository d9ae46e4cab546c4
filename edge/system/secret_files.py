"""Files that hold a password, a key or certificates, read where they are used.

One rule: an error names the file and never shows its content.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from edge.model.plain_text import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_SECRET: Final = 4096
"""Bytes; nobody types a longer password."""


GROUP: Final = "doorward"
"""The group whose users may use the control socket; they must not read secrets."""
_OTHERS_READ, _GROUP_READS = 0o004, 0o040


def exposed(mode: int, group: str | None) -> bool:
    """Whether everybody or the group `doorward` may read a file with this mode and group."""
    return bool(mode & _OTHERS_READ) or bool(mode & _GROUP_READS and group == GROUP)


class FileError(OSError):
    """A file cannot be used; the text names it and says why."""


def secret_in(file: Path) -> str:
    """The password in a file, without the line end; blocks. Raises FileError."""
    with naming(file), file.open("rb") as stream:
        content = stream.read(LONGEST_SECRET + 1)
    try:
        secret = text_of(content).rstrip("\r\n")
    except ValueError as error:
        raise FileError(f"{file}: {error}") from None
    if not secret or len(content) > LONGEST_SECRET:
        raise FileError(f"{file}: found {len(secret)} characters, expected a password of 1 to {LONGEST_SECRET}")
    return secret


@contextmanager
def naming(*files: Path | None) -> Iterator[None]:
    """Turn an OSError inside into a FileError that names these files: errors of libraries do not name them."""
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        names = " and ".join(str(file) for file in files if file is not None)
        names = names or "the system's authorities"
        raise FileError(f"{names} cannot be read: {error.strerror or error}") from error
