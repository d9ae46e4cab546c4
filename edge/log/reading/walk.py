"""All records that a query finds, page by page with pauses in between, for background work.

One rule: it runs in a thread of its own, and reports any fault of the file as an OSError.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edge.log.reading.query import LogReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.log.reading.query import Query
    from edge.model.messages import Record

PAGE: Final = 100
"""Records between two pauses: some milliseconds of the interpreter."""


class WalkStoppedError(OSError):
    """`breathe` returned False."""


def walk(path: Path, query: Query, breathe: Callable[[], bool]) -> Iterator[Record]:
    """Every record that the query finds, oldest first, in a log that is being written; `query.limit` is ignored.

    `breathe` is called after every page; once it returns False, WalkStoppedError is raised.
    """
    query = replace(query, newest=False, limit=PAGE)
    try:
        with closing(LogReader(path, live=True)) as reader:
            while True:
                page = reader.page(query)
                yield from page.records
                if page.next is None:
                    return
                if not breathe():
                    raise WalkStoppedError("stopped while the history was read")
                query = replace(query, after=page.next)
    except sqlite3.Error as error:
        raise OSError(f"the log cannot be read: {error}") from error
