"""Reads the head of an HTTP response (RFC 9110, 9112) from a server that may be hostile.

One rule: the number of lines is bounded here, their length by the reader, and the time by the caller.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import asyncio

MOST_HEADERS: Final = 100
"""Header lines of one response."""
MOST_INTERIM: Final = 5
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: .*)?\r?\n", re.DOTALL)

Headers: TypeAlias = "list[tuple[str, str]]"
"""(name in lower case, value) of each."""


async def status_of(reader: asyncio.StreamReader) -> int:
    """Read up to the final status line; its headers follow. ValueError when it is no HTTP; OSError, EOFError."""
    for _ in range(MOST_INTERIM):
        line = await reader.readline()
        if not line:
            raise EOFError("the connection was closed without an answer")
        match = _STATUS.fullmatch(line)
        if match is None:
            raise ValueError(f"{line[:40]!r}")
        status = int(match[1])
        if status >= HTTPStatus.OK:
            return status
        await headers_of(reader)
    raise ValueError("only interim answers")


async def headers_of(reader: asyncio.StreamReader) -> Headers:
    """Read the headers after a status line. Raises as `status_of`."""
    headers: Headers = []
    for _ in range(MOST_HEADERS):
        line = (await reader.readline()).decode("latin-1")
        if not line:
            raise EOFError("the connection was closed within the headers")
        if not line.rstrip("\r\n"):
            return headers
        if line[0] in " \t" and headers:  # RFC 9112, 5.2: old servers fold long lines
            name, value = headers.pop()
            headers.append((name, f"{value} {line.strip()}"))
        else:
            name, _, value = line.partition(":")
            headers.append((name.strip().lower(), value.strip()))
    raise ValueError(f"more than {MOST_HEADERS} headers")
