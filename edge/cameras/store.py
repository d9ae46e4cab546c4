"""Pictures on the disk: one file each, whole or not at all, within a quota.

One rule: everything here blocks and must run in a thread. File names are made of checked epochs, numbers and
ids, so no request leads out of the folder. Nothing is flushed with fsync: the log's records go first.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from edge.cameras.fetch import LARGEST, MAGIC, picture_kind

if TYPE_CHECKING:
    from pathlib import Path

MODE: Final = 0o640
MOST: Final = 100_000
"""Pictures, however small; above this the oldest are removed."""
MOST_OF_A_RECORD: Final = 64
CAMERA: Final = re.compile(r"[a-z0-9-]{1,63}")
EPOCH: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_NAME: Final = re.compile(r"([A-Za-z0-9-]{1,64})-([0-9]{16})-[a-z0-9-]{1,63}\.(?:jpg|png)")
_PART: Final = ".part"
_START: Final = max(map(len, MAGIC.values()))
_NO_FILE: Final = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO})
"""Errors of open(2) for a missing file, a symbolic link and a socket."""
_US_PER_DAY: Final = 86_400 * 1_000_000


class Picture(NamedTuple):
    """A picture of a record."""

    camera: str
    bytes: int
    taken_us: int
    """Calendar time of the file, as it was set then."""


class _File(NamedTuple):
    size: int
    written_us: int
    """Calendar time of the file, which may have been wrong."""


class PictureStore:
    """The folder of pictures. Any thread may call, several at once."""

    def __init__(self, folder: Path, max_bytes: int, keep_days: int) -> None:
        """Nothing is touched yet."""
        self.folder = folder
        self.bytes = self.count = self.removed = 0
        """Size and number of the pictures, as known since the last look, and how many were removed since the start."""
        self._max_bytes, self._keep_us = max_bytes, keep_days * _US_PER_DAY
        self._lock = threading.Lock()
        self._files: OrderedDict[str, _File] | None = None
        """File name -> file, the oldest first; None before the first look."""

    def put(self, epoch: str, sequence: int, camera: str, content: bytes) -> None:
        """Write a picture, and remove the oldest above the quota. OSError; ValueError when it is no JPEG or PNG."""
        kind, stem = picture_kind(content), f"{_prefix(epoch, sequence)}{_camera(camera)}"
        if kind is None:
            raise ValueError("no picture")
        if len(content) > self._max_bytes:
            raise OSError(errno.EFBIG, f"{len(content)} bytes are more than all pictures may have")
        with self._lock:
            files = self._look() if self._files is None else self._files
            self._room(files, 1, len(content))
            try:
                written_us = self._write(f"{stem}.{kind}", content)
            except FileNotFoundError:  # somebody removed the folder
                files = self._look()
                written_us = self._write(f"{stem}.{kind}", content)
            self._replaced(files, stem, kind)
            files[f"{stem}.{kind}"] = _File(len(content), written_us)
            self.bytes, self.count = self.bytes + len(content), len(files)

    def sweep(self, now_us: int | None) -> None:
        """Look at the folder again; remove what is too old at `now_us` (None: unknown) or above the quota. OSError."""
        with self._lock:
            files = self._look()
            for _ in range(0 if now_us is None else _old(files, now_us, now_us - self._keep_us)):
                self._remove_oldest(files)
            self._room(files, 0, 0)

    def of(self, epoch: str, sequence: int) -> list[Picture]:
        """The pictures of a record. OSError; ValueError for a malformed epoch or number."""
        prefix = _prefix(epoch, sequence)
        try:
            with os.scandir(self.folder) as entries:
                there = [entry.name for entry in entries]
        except FileNotFoundError:
            return []
        names = sorted(name for name in there if name.startswith(prefix) and _NAME.fullmatch(name))
        pictures: list[Picture] = []
        for name in names[:MOST_OF_A_RECORD]:
            camera, _, kind = name[len(prefix) :].rpartition(".")
            file = _opened(self.folder / name)
            if file is None:
                continue
            with file:
                whole = picture_kind(file.read(_START)) == kind  # a power cut may have left it incomplete
                if whole and CAMERA.fullmatch(camera):
                    known = os.fstat(file.fileno())
                    pictures.append(Picture(camera, known.st_size, known.st_mtime_ns // 1_000))
        return pictures

    def read(self, epoch: str, sequence: int, camera: str) -> bytes | None:
        """A picture; None when there is none. OSError; ValueError for a malformed epoch, number or camera id."""
        stem = f"{_prefix(epoch, sequence)}{_camera(camera)}"
        for kind in MAGIC:
            file = _opened(self.folder / f"{stem}.{kind}")
            if file is None:
                continue
            with file:
                content = file.read(LARGEST + 1)
            if len(content) <= LARGEST and picture_kind(content) == kind:
                return content
        return None

    # --- with the lock ---------------------------------------------------------------------------------

    def _look(self) -> OrderedDict[str, _File]:
        """Read the folder. Within an epoch sequence numbers decide which file is older, between epochs the calendar."""
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        files_there: list[tuple[str, str, str, _File]] = []
        latest: dict[str, int] = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                named = _NAME.fullmatch(entry.name)
                if named is None:
                    self._tidy(entry)
                    continue
                with suppress(FileNotFoundError):  # somebody removes it at the same time
                    known = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(known.st_mode):
                        file, epoch = _File(known.st_size, known.st_mtime_ns // 1_000), named[1]
                        latest[epoch] = max(latest.get(epoch, 0), file.written_us)
                        files_there.append((epoch, named[2], entry.name, file))
        files_there.sort(key=lambda item: (latest[item[0]], *item[:3]))
        self._files = files = OrderedDict((name, file) for _, _, name, file in files_there)
        self.bytes, self.count = sum(file.size for file in files.values()), len(files)
        return files

    def _tidy(self, entry: os.DirEntry[str]) -> None:
        """Remove a partial file of a run that was killed; other files are not ours."""
        name = entry.name
        ours = name.startswith(".") and name.endswith(_PART) and _NAME.fullmatch(name[1 : -len(_PART)])
        if ours and entry.is_file(follow_symlinks=False):
            (self.folder / name).unlink(missing_ok=True)

    def _room(self, files: OrderedDict[str, _File], more: int, size: int) -> None:
        while files and (self.bytes + size > self._max_bytes or len(files) + more > MOST):
            self._remove_oldest(files)

    def _remove_oldest(self, files: OrderedDict[str, _File]) -> None:
        name = next(iter(files))
        (self.folder / name).unlink(missing_ok=True)
        self.bytes -= files.pop(name).size
        self.count, self.removed = len(files), self.removed + 1

    def _replaced(self, files: OrderedDict[str, _File], stem: str, kind: str) -> None:
        """Remove the other picture with the same number: after a log is restored, numbers are used again."""
        for other in MAGIC:
            before = files.pop(f"{stem}.{other}", None)
            if before is not None:
                self.bytes -= before.size
                if other != kind:
                    (self.folder / f"{stem}.{other}").unlink(missing_ok=True)

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


def _old(files: OrderedDict[str, _File], now_us: int, before_us: int) -> int:
    """How many files, from the oldest on, were written before `before_us`.

    Files are in the order of writing, so each counts as at least as new as the one before it; times after
    `now_us` are ignored.
    """
    known_us = old = 0
    for number, file in enumerate(files.values(), 1):
        if file.written_us <= now_us:
            known_us = max(known_us, file.written_us)
            old = number if known_us < before_us else old
    return old


def _opened(file: Path) -> BinaryIO | None:
    """Open a regular file; None for anything else. Links are not followed, pipes not waited for."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return open(handle, "rb")  # noqa: PTH123 -- a handle, not a path; the caller closes it
    os.close(handle)
    return None


def _prefix(epoch: str, sequence: int) -> str:
    if not EPOCH.fullmatch(epoch) or not 0 < sequence < 10**16:
        raise ValueError("no record")
    return f"{epoch}-{sequence:016d}-"


def _camera(camera: str) -> str:
    if not CAMERA.fullmatch(camera):
        raise ValueError(f"{camera[:63]!r} is no id of a camera: expected 1 to 63 of a-z, 0-9 and -")
    return camera
