"""A consumer of records upstream that keeps to docs/mqtt.md."""

from __future__ import annotations

from collections import defaultdict
from typing import Any


class Consumer:
    """By the book (docs/mqtt.md): it ignores what it has, and acknowledges what it has in a row."""

    def __init__(self) -> None:
        self.calm = False
        self.hashes: dict[str, str] = {}
        """By id."""
        self.ids: dict[str, set[str]] = defaultdict(set)
        """By hash, which no two records share."""
        self.rows: dict[str, list[int]] = {}
        """By stream: with what it begins, and up to where all came since."""
        self.begins: dict[str, int] = {}
        """What the controller says of that."""
        self.known: dict[str, set[int]] = defaultdict(set)

    def store(self, record: dict[str, Any]) -> None:
        name, digest, stream = record["id"], record["data"]["hash"], record["stream"]
        assert self.hashes.setdefault(name, digest) == digest, f"{name} names two records"
        self.ids[digest].add(name)
        number = int(record["sequence"])
        self.known[stream].add(number)
        first = self.begins.get(stream, 1)
        row = self.rows.setdefault(stream, [first, first - 1])
        while row[1] + 1 in self.known[stream]:
            row[1] += 1
