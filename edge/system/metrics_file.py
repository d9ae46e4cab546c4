"""The metrics as a file for node-exporter's textfile collector (https://github.com/prometheus/node_exporter).

One rule: the file is replaced in one step, so a reader sees all old or all new metrics.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

LOG: Final = logging.getLogger(__name__)


class MetricsFile:
    """The file at `path`."""

    def __init__(self, path: Path) -> None:
        """Nothing is written yet."""
        self._path = path
        self._unwritten: str | None = None

    def write(self, content: str) -> None:
        """Replace the file; blocks, never raises. An error is logged once until it is over."""
        beside = self._path.with_name(f".{self._path.name}.new")
        try:
            beside.unlink(missing_ok=True)  # the folder is node-exporter's: follow no link in it
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                os.fchmod(fd, 0o644)  # node-exporter is another user, and no metric names a person
                file.write(content)
            beside.replace(self._path)
        except OSError as error:
            if self._unwritten is None:
                LOG.warning("the figures cannot be written: %s", error)
            self._unwritten = str(error)
        else:
            self._unwritten = None
