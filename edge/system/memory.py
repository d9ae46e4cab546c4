"""How much memory may still be had, before something large is taken in: a doord that is killed guards no door.

One rule: what cannot be found out refuses nothing.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

EACH_BYTE: Final = 12
"""Bytes of memory that a byte of a directory document takes while it is read beside the one in force: 10, measured with
10,000 and 100,000 cards, and what comes in meanwhile."""
ALWAYS: Final = 1 << 20
"""A document up to this size is read whatever is left."""
PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def too_large(size: int) -> str | None:
    """Why a directory document of so many bytes is not read, for people; None when there is room for it."""
    spare = spare_bytes()
    if size <= ALWAYS or spare is None or size * EACH_BYTE <= spare:
        return None
    needs, left = size * EACH_BYTE >> 20, max(0, spare) >> 20
    return f"found {size >> 20} MiB, which take about {needs} MiB of memory to read: {left} MiB can be had"


def spare_bytes() -> int | None:
    """What the computer has left, or the service may still have (MemoryMax= of its unit), whichever is less."""
    found = [spare for spare in (_computers(), _services()) if spare is not None]
    return min(found) if found else None


def _computers() -> int | None:
    """proc(5)."""
    with suppress(OSError, ValueError, IndexError):
        for line in (PROC / "meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _services() -> int | None:
    """https://docs.kernel.org/admin-guide/cgroup-v2.html#memory; files that can be read again do not count."""
    with suppress(OSError, ValueError, StopIteration):
        lines = (PROC / "self" / "cgroup").read_text("utf-8").splitlines()
        own = CGROUPS / next(line for line in lines if line.startswith("0::")).removeprefix("0::").lstrip("/")
        most = int((own / "memory.max").read_text("ascii"))  # `max` is no number: no limit
        taken = dict(line.split() for line in (own / "memory.stat").read_text("ascii").splitlines())
        return most - int(taken["anon"]) - int(taken.get("kernel", "0"))
    return None
