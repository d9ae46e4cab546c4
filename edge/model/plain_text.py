"""Text as editors write it to a file: UTF-8, with or without a byte order mark. Errors name any other encoding.

One rule: the meaning of a file does not depend on the editor that saved it, and nothing is guessed.
"""

from __future__ import annotations

from typing import Final

MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark in UTF-8, which some editors put in front (RFC 3629, 6)."""
_OTHERS: Final = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def without_mark(content: bytes) -> bytes:
    """The content behind a byte order mark, if there is one."""
    return content.removeprefix(MARK)


def text_of(content: bytes) -> str:
    """Decode a file's content. Raises ValueError with a sentence, without the content."""
    for mark, name in _OTHERS.items():
        if content.startswith(mark):
            raise ValueError(f"found {name}, expected UTF-8: save it again with that encoding")
    try:
        return without_mark(content).decode()
    except UnicodeDecodeError as error:
        line = without_mark(content)[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line}: found a byte that is not UTF-8") from None
