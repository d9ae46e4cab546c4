"""A small file beside the log: its newest record, its cursors and the doors' modes.

One rule: the log is the truth. The mark shows that a log went back in time (an older copy was restored),
and supplies the modes when the log is gone or cannot be read.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edge.model.records import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EVERY_NS: Final = 60 * NS_PER_S
"""How often the mark is brought up to date."""
MODES_EVERY_NS: Final = NS_PER_S
"""The same, when a door's mode has changed."""
LARGEST: Final = 4 * 2**20
"""Bytes; a larger file is not a mark."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The state of a log when the mark was written."""

    epoch: str
    sequence: int
    hash: str
    """Of the record of that sequence, in hexadecimal."""
    cursors: Mapping[str, int]
    modes: Mapping[str, str]
    restored: bool = False
    """An operator declared that the log was restored from an older copy."""


def place(log: Path) -> Path:
    """The path of a log's mark."""
    return log.with_name(log.name + ".mark")


def read_mark(log: Path) -> Mark | None:
    """The mark beside a log; None when there is none or it is damaged. Never raises."""
    try:
        with place(log).open("rb") as file:
            digest, _, text = file.read(LARGEST).partition(b"\n")
        if digest.decode() != hashlib.sha256(text).hexdigest():
            return None
        content = json.loads(text)
        cursors = {str(sink): int(sequence) for sink, sequence in content["cursors"].items()}
        modes = {str(door): str(state) for door, state in content["modes"].items()}
        restored = content.get("restored") is True
        return Mark(str(content["epoch"]), int(content["sequence"]), str(content["hash"]), cursors, modes, restored)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_mark(log: Path, mark: Mark) -> None:
    """Replace the mark. Either the new one is on the medium, or OSError is raised and the old one is still there."""
    text = json.dumps(asdict(mark), sort_keys=True).encode()
    new = place(log).with_name(place(log).name + ".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with os.fdopen(fd, "wb") as file:
        with suppress(OSError):  # written by root, it belongs to the owner of the log
            owner = log.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)
        file.write(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(place(log))
    folder = os.open(log.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Marked(Protocol):
    """What a mark needs from an open log."""

    @property
    def path(self) -> Path:
        """The log's file."""

    @property
    def modes(self) -> Mapping[str, str]:
        """Door -> its mode, as stored last."""

    def marked(self) -> Mark:
        """The mark of the log's present state."""


class Marker:
    """Decides when the mark of an open log is written again. For the writer's thread."""

    def __init__(self) -> None:
        """Nothing is written yet."""
        self._left: Mark | None = None
        self._at_ns = 0

    def is_stale(self, store: Marked) -> bool:
        """The log has changed since the last mark."""
        return self._left != store.marked()

    def waits(self, store: Marked) -> bool:
        """A mode has changed since the last mark."""
        return self._left is not None and self._left.modes != store.modes

    def is_due(self, store: Marked, now_ns: int) -> bool:
        """A second after the last mark when a mode has changed; else a minute, to spare the medium."""
        every_ns = MODES_EVERY_NS if self.waits(store) else EVERY_NS
        return self._left is None or (now_ns - self._at_ns >= every_ns and self.is_stale(store))

    def leave(self, store: Marked, now_ns: int) -> None:
        """Write a mark. Its OSError is dropped: a disk that refuses the mark refuses the log too, which is reported."""
        self._left, self._at_ns = store.marked(), now_ns
        with suppress(OSError):
            write_mark(store.path, self._left)
