"""A form with a file, as a browser sends it (RFC 7578).

One rule: what is not exactly such a form is refused. Parts are bytes; nothing of a file is stored.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from edge.web.page import read_body

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST_FILE: Final = 1 << 20
"""Bytes: 5,000 people with groups and cards have about half of it."""
REST: Final = 4096
"""Bytes of the other fields, and of what parts them."""
MOST_PARTS: Final = 8
WITHIN_S: Final = 60.0
_FORM: Final = re.compile(r'multipart/form-data; ?boundary="?([0-9A-Za-z\'()+_,./:=?-]{1,70})"?', re.IGNORECASE)
_NAME: Final = re.compile(rb'content-disposition: form-data; name="([a-z]{1,20})"(?:;[^\r\n]*)?', re.IGNORECASE)


async def read_upload(request: Request) -> dict[str, bytes]:
    """The fields of a form, files among them; of a repeated field the last. Raises HTTPException."""
    found = _FORM.fullmatch(request.headers.get("content-type", "").strip())
    if found is None:
        raise HTTPException(415, "Expected a form with a file.")
    body = await read_body(request, LARGEST_FILE + REST, WITHIN_S)
    fields = parts(body, found[1].encode())
    if fields is None:
        raise HTTPException(400, "Expected a form with a file.")
    return fields


def parts(body: bytes, boundary: bytes) -> dict[str, bytes] | None:
    """The fields of a body; None when it is no form."""
    first, *rest = (b"\r\n" + body).split(b"\r\n--" + boundary, MOST_PARTS + 1)
    if first or not rest or rest[-1].rstrip(b"\r\n") != b"--":
        return None
    fields: dict[str, bytes] = {}
    for part in rest[:-1]:
        head, parted, content = part.partition(b"\r\n\r\n")
        named = next((one for one in map(_NAME.fullmatch, head.split(b"\r\n")) if one), None)
        if not parted or named is None:
            return None
        fields[named[1].decode()] = content
    return fields
