"""The head of an HTTP answer (RFC 9110, 9112) from somebody hostile: so many lines, none longer than a reader allows.

One rule: whoever reads it has a deadline around it; how much is read is bounded here.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import asyncio

MOST_HEADERS: Final = 100
"""Lines of them."""
MOST_INTERIM: Final = 5
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: .*)?\r?\n", re.DOTALL)

Headers: TypeAlias = "list[tuple[str, str]]"
"""Names in small letters."""


async def status_of(reader: asyncio.StreamReader) -> int:
    """The final status; its headers follow. Raises ValueError for what is no HTTP, OSError, EOFError."""
    for _ in range(MOST_INTERIM):
        line = await reader.readline()
        if not line:
            raise EOFError("the connection was closed without an answer")
        found = _STATUS.fullmatch(line)
        if found is None:
            raise ValueError(f"{line[:40]!r}")
        status = int(found[1])
        if status >= HTTPStatus.OK:
            return status
        await headers_of(reader)
    raise ValueError("only interim answers")


async def headers_of(reader: asyncio.StreamReader) -> Headers:
    """The headers behind a status. Raises as `status_of`."""
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
