"""Which characters may be shown anywhere: no control character, nothing invisible, no change of direction.

One rule: only this module decides; all code that shows text from outside calls it. Half a surrogate pair, which no
encoding can write, is never printable.
"""

from __future__ import annotations

import json
import re
from typing import Final

REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
_SUSPECT: Final = re.compile(r"[^\x20-\x7e\n]")
"""The characters of JSON that are checked; outside of its strings JSON is plain ASCII."""


def spelt(value: object) -> str:
    """Text in which unprintable characters are escaped as in Python: for messages, terminals and files."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def masked(value: object, mark: str = REPLACED) -> str:
    """Text with a mark in place of each unprintable character: for names, where an escape would only disturb."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else mark for c in text)


def in_json(text: str) -> str:
    """A JSON document with unprintable characters escaped as in JSON. It still says the same."""
    return _SUSPECT.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)


def is_whole(value: object) -> bool:
    """Whether a value of JSON has no half of a surrogate pair anywhere: JSON can express one, nothing can store it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
