"""The figures as a file for node-exporter's textfile collector (https://github.com/prometheus/node_exporter).

One rule: in one step, so whoever reads sees the old figures or the new ones.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

LOG: Final = logging.getLogger(__name__)


class MetricsFile:
    """One file."""

    def __init__(self, path: Path) -> None:
        """Nothing is written yet."""
        self._path = path
        self._unwritten: str | None = None

    def write(self, content: str) -> None:
        """Replace it; blocks, and never raises. A folder that is missing is said once."""
        beside = self._path.with_name(f".{self._path.name}.new")
        try:
            beside.write_text(content, encoding="utf-8")
            beside.chmod(0o644)  # node-exporter is another user, and no figure names anybody
            beside.replace(self._path)
        except OSError as error:
            if self._unwritten is None:
                LOG.warning("the figures cannot be written: %s", error)
            self._unwritten = str(error)
        else:
            self._unwritten = None
