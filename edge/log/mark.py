"""A small file beside the log: how far it had come, and the modes that the doors were in.

One rule: the log is the truth. The mark tells that a log went back in time, and stands in for the
modes of one that is gone or cannot be read.
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
"""A larger file is none of ours."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a log was like a moment ago."""

    epoch: str
    sequence: int
    hash: str
    """Of the record of that sequence, in hexadecimal."""
    cursors: Mapping[str, int]
    modes: Mapping[str, str]
    restored: bool = False
    """Somebody said that the log is an older one than there was."""


def place(log: Path) -> Path:
    """Where the mark of a log is."""
    return log.with_name(log.name + ".mark")


def read_mark(log: Path) -> Mark | None:
    """None where there is none, or one that is damaged. Never raises."""
    try:
        with place(log).open("rb") as file:
            digest, _, text = file.read(LARGEST).partition(b"\n")
        if digest.decode() != hashlib.sha256(text).hexdigest():
            return None
        said = json.loads(text)
        cursors = {str(sink): int(sequence) for sink, sequence in said["cursors"].items()}
        modes = {str(door): str(state) for door, state in said["modes"].items()}
        restored = said.get("restored") is True
        return Mark(str(said["epoch"]), int(said["sequence"]), str(said["hash"]), cursors, modes, restored)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_mark(log: Path, mark: Mark) -> None:
    """Replace it: after this it is on the medium, or OSError is raised and the one before is there."""
    text = json.dumps(asdict(mark), sort_keys=True).encode()
    new = place(log).with_name(place(log).name + ".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with os.fdopen(fd, "wb") as file:
        with suppress(OSError):  # root writes it for whoever owns the log
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
    """An open log, as far as its mark goes."""

    @property
    def path(self) -> Path:
        """The log's file."""

    @property
    def modes(self) -> Mapping[str, str]:
        """Door -> its mode, as stored last."""

    def marked(self) -> Mark:
        """What the mark would say now."""


class Marker:
    """When an open log is worth another mark. For the writer's thread."""

    def __init__(self) -> None:
        """Nothing was left yet."""
        self._left: Mark | None = None
        self._at_ns = 0

    def is_stale(self, store: Marked) -> bool:
        """The mark is not what it would be now."""
        return self._left != store.marked()

    def waits(self, store: Marked) -> bool:
        """A mode has changed since."""
        return self._left is not None and self._left.modes != store.modes

    def is_due(self, store: Marked, now_ns: int) -> bool:
        """Soon after a mode has changed; else not often, for the medium's sake."""
        every_ns = MODES_EVERY_NS if self.waits(store) else EVERY_NS
        return self._left is None or (now_ns - self._at_ns >= every_ns and self.is_stale(store))

    def leave(self, store: Marked, now_ns: int) -> None:
        """Write one. A disk that does not take it does not take the log either, and that is told there."""
        self._left, self._at_ns = store.marked(), now_ns
        with suppress(OSError):
            write_mark(store.path, self._left)
