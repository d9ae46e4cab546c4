"""Golden files: what the program said when somebody last looked at it and found it right.

Renew them with `GOLDEN=write python -m pytest ...`, and read the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

TESTS = Path(__file__).parents[1]


def check_golden(name: str, text: str) -> None:
    room, _, file = name.partition("/")
    path = TESTS / room / "golden" / file
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path} differs: if the new text is right, GOLDEN=write renews it"
