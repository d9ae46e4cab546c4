"""How much memory is left, asked before a large document is read: a doord that is killed controls no door.

One rule: when it cannot be determined, nothing is refused.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

EACH_BYTE: Final = 12
"""Bytes of memory for each byte of a directory document that is read while another is in force: 10, measured with
10,000 and 100,000 cards, and 2 for what else happens meanwhile."""
ALWAYS: Final = 1 << 20
"""A document up to this size in bytes is always read."""
PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def too_large(size: int) -> str | None:
    """Why a directory document of `size` bytes is not read, for people; None when there is memory for it."""
    spare = spare_bytes()
    if size <= ALWAYS or spare is None or size * EACH_BYTE <= spare:
        return None
    needs, left = size * EACH_BYTE >> 20, max(0, spare) >> 20
    return f"found {size >> 20} MiB, which take about {needs} MiB of memory to read: {left} MiB are free"


def spare_bytes() -> int | None:
    """Free memory in bytes: the computer's, or what MemoryMax= of the unit leaves, whichever is less. None: unknown."""
    known = [spare for spare in (_computers(), _services()) if spare is not None]
    return min(known) if known else None


def _computers() -> int | None:
    """MemAvailable of /proc/meminfo (proc_meminfo(5))."""
    with suppress(OSError, ValueError, IndexError):
        for line in (PROC / "meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _services() -> int | None:
    """The cgroup's limit minus its memory without the page cache (docs.kernel.org/admin-guide/cgroup-v2.html)."""
    with suppress(OSError, ValueError, StopIteration):
        lines = (PROC / "self" / "cgroup").read_text("utf-8").splitlines()
        own = CGROUPS / next(line for line in lines if line.startswith("0::")).removeprefix("0::").lstrip("/")
        most = int((own / "memory.max").read_text("ascii"))  # `max` is no number: no limit
        taken = dict(line.split() for line in (own / "memory.stat").read_text("ascii").splitlines())
        return most - int(taken["anon"]) - int(taken.get("kernel", "0"))
    return None
