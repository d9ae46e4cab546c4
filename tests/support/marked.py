"""Pages with a part that is written from the code, between `<!-- written from FILE: COMMAND -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def replaced(page: str, source: str, command: str, text: str) -> str:
    """The page with `text` in place of what stands there; ValueError where the page has no such part, or two."""
    begin, end = f"<!-- written from {source}: {command} -->\n", "<!-- end -->\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    page, parts = pattern.subn(lambda _: begin + text + end, page)
    if parts != 1:
        raise ValueError(f"expected one part that begins with {begin!r}, found {parts}")
    return page
