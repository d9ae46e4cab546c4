"""A search, read page by page: the whole log is never in memory."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.client.sources import Source

PAGE: Final = 500


def ascending(pages: Source, asked: dict[str, Any], after: int = 0) -> Iterator[dict[str, Any]]:
    """All records above `after` (and below `before` of the filters), the oldest first."""
    following: int | None = after
    while following is not None:
        page = pages.page({**asked, "after": following, "limit": PAGE})
        following = page.next
        yield from page.records


def newest(pages: Source, asked: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    """The newest `limit` records, the oldest first. More than a page: find where they begin, then read forward."""
    back = {**asked, "newest": True, "before": asked.get("before")}
    kept: list[dict[str, Any]] = []
    while limit <= PAGE:
        page = pages.page({**back, "limit": limit - len(kept)})
        kept += page.records
        back["before"] = page.next
        if len(kept) == limit or page.next is None:
            yield from reversed(kept)
            return
    skip, first = limit - 1, None
    while first is None:
        page = pages.page({**back, "skip": skip, "limit": 1})
        skip -= page.skipped
        back["before"] = page.next
        if page.records:
            first = int(page.records[0]["sequence"])
        elif page.next is None:  # there are fewer than `limit`
            first = 1
    yield from islice(ascending(pages, asked, first - 1), limit)  # more may have come meanwhile
