"""How much memory doord may have: `MemoryMax` of the unit leaves room for what it needs at its busiest."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.directories import large
from tests.support.doord import ROOT, Doord
from tests.support.house import write_config
from tests.support.waiting import until

SMALLEST_MIB = 416
"""What Linux has of the 512 MiB of a Raspberry Pi Zero 2 W, the graphics processor's share taken off."""
CARDS = 10_000


def peak_mib(pid: int) -> int:
    """The most that was ever resident (proc(5))."""
    (found,) = re.findall(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found) // 1024


def in_force(doord: Doord) -> tuple[int, str]:
    directory = doord.ask("status")["directory"]
    return directory["version"], directory["state"]


def test_a_large_directory_is_taken_over_within_half_of_what_is_allowed(tmp_path: Path) -> None:
    """The new one is built beside the old one; half, because what comes in at the same time needs room as well."""
    (percent,) = re.findall(r"^MemoryMax=(\d+)%$", (ROOT / "systemd" / "doord.service").read_text(), re.MULTILINE)
    config, directory = write_config(tmp_path, doors=("front", "back")), tmp_path / "directory.json"
    config.write_text(config.read_text() + '[directory]\nfile = "directory.json"\n')
    directory.write_bytes(large(CARDS))
    with Doord(config) as doord:
        assert doord.process is not None
        until(lambda: in_force(doord) == (1, "ready"))
        directory.write_bytes(large(CARDS, 2).replace(b'"User 1"', b'"Somebody"'))
        doord.ask("reload")
        until(lambda: in_force(doord) == (2, "ready"))
        assert peak_mib(doord.process.pid) <= SMALLEST_MIB * int(percent) / 100 / 2
