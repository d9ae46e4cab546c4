"""Pictures on the disk: one file each, whole or not at all, within a quota.

One rule: everything here blocks and belongs into a thread; a name is made of a number and a checked
id, so no request leads out of the folder. Nothing is synced to the disk: the log's records go first.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.camera_fetch import LARGEST, picture_kind

if TYPE_CHECKING:
    from pathlib import Path

MODE: Final = 0o640
MOST_OF_A_RECORD: Final = 64
CAMERA: Final = re.compile(r"[a-z0-9-]{1,63}")
EPOCH: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}-[0-9]{16}-[a-z0-9-]{1,63}\.(?:jpg|png)")
_PART: Final = ".part"
_US_PER_DAY: Final = 86_400 * 1_000_000


class Picture(NamedTuple):
    """A picture of a record."""

    camera: str
    bytes: int
    taken_us: int
    """The calendar, as it was."""


class _File(NamedTuple):
    written_us: int
    size: int
    name: str


class PictureStore:
    """The folder of pictures. Any thread may call, several at once."""

    def __init__(self, folder: Path, max_bytes: int, keep_days: int) -> None:
        """Touches nothing."""
        self.folder = folder
        self.bytes = self.count = self.removed = 0
        """What is there, as far as known, and how many were removed since the start."""
        self._max_bytes, self._keep_us = max_bytes, keep_days * _US_PER_DAY
        self._lock = threading.Lock()
        self._files: deque[_File] | None = None
        """The oldest first; None before the first look."""

    def put(self, epoch: str, sequence: int, camera: str, content: bytes) -> None:
        """Write a picture, and remove the oldest ones beyond the quota. Raises OSError, ValueError when it is none."""
        kind = picture_kind(content)
        if kind is None:
            raise ValueError("no picture")
        name = f"{_prefix(epoch, sequence)}{_camera(camera)}.{kind}"
        with self._lock:
            if self._files is None:
                self._look()
            self._room(len(content))
            written_us = self._write(name, content)
            self._add(_File(written_us, len(content), name))

    def sweep(self, now_us: int | None) -> None:
        """Look at the folder again; remove what is too old by this calendar, and beyond the quota. Raises OSError."""
        with self._lock:
            self._look()
            files = self._files or ()
            while files and now_us is not None and files[0].written_us < now_us - self._keep_us:
                self._remove_oldest()
            self._room(0)

    def of(self, epoch: str, sequence: int) -> list[Picture]:
        """The pictures of a record. Raises OSError, ValueError for what is no epoch or number."""
        prefix, found = _prefix(epoch, sequence), []
        try:
            with os.scandir(self.folder) as entries:
                names = [one for one in entries if one.name.startswith(prefix) and _NAME.fullmatch(one.name)]
                for one in names[:MOST_OF_A_RECORD]:
                    known = one.stat(follow_symlinks=False)
                    if known.st_size:  # the power was cut before its content came
                        camera = one.name[len(prefix) :].rpartition(".")[0]
                        found.append(Picture(camera, known.st_size, known.st_mtime_ns // 1_000))
        except FileNotFoundError:
            return []
        return sorted(found)

    def read(self, epoch: str, sequence: int, camera: str) -> bytes | None:
        """A picture, or None. Raises OSError, ValueError for what is no epoch, number or id of a camera."""
        stem = f"{_prefix(epoch, sequence)}{_camera(camera)}"
        for kind in ("jpg", "png"):
            try:
                with (self.folder / f"{stem}.{kind}").open("rb") as stream:
                    content = stream.read(LARGEST + 1)
            except FileNotFoundError:
                continue
            if len(content) <= LARGEST and picture_kind(content) == kind:
                return content
        return None

    # --- with the lock ---------------------------------------------------------------------------------

    def _look(self) -> None:
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        found: list[_File] = []
        with os.scandir(self.folder) as entries:
            for one in entries:
                if one.name.endswith(_PART) and _NAME.fullmatch(one.name[1 : -len(_PART)]):
                    (self.folder / one.name).unlink(missing_ok=True)  # of a run that was killed
                elif _NAME.fullmatch(one.name) and one.is_file(follow_symlinks=False):
                    known = one.stat(follow_symlinks=False)
                    found.append(_File(known.st_mtime_ns // 1_000, known.st_size, one.name))
        self._files = deque(sorted(found))
        self.bytes, self.count = sum(one.size for one in found), len(found)

    def _room(self, size: int) -> None:
        while self._files and self.bytes + size > self._max_bytes:
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        assert self._files  # noqa: S101 -- whoever calls has looked
        one = self._files[0]
        (self.folder / one.name).unlink(missing_ok=True)
        self._files.popleft()
        self.bytes, self.count, self.removed = self.bytes - one.size, self.count - 1, self.removed + 1

    def _add(self, one: _File) -> None:
        assert self._files is not None  # noqa: S101 -- whoever calls has looked
        self._files.append(one)
        self.bytes, self.count = self.bytes + one.size, self.count + 1

    def _write(self, name: str, content: bytes) -> int:
        part, file = self.folder / f".{name}{_PART}", self.folder / name
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
        try:
            with open(handle, "wb") as out:  # noqa: PTH123 -- a handle, not a path
                os.fchmod(handle, MODE)
                out.write(content)
                out.flush()
                written_us = os.fstat(handle).st_mtime_ns // 1_000
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        return written_us


def _prefix(epoch: str, sequence: int) -> str:
    if not EPOCH.fullmatch(epoch) or not 0 < sequence < 10**16:
        raise ValueError("no record")
    return f"{epoch}-{sequence:016d}-"


def _camera(camera: str) -> str:
    if not CAMERA.fullmatch(camera):
        raise ValueError(f"{camera[:63]!r} is no id of a camera: expected 1 to 63 of a-z, 0-9 and -")
    return camera
