"""A directory that this computer cannot hold is refused before it is read: doors and the one in force go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from edge.directory.building import built
from edge.directory.document.reading import DirectoryError
from edge.directory.store import read_file
from edge.system import memory
from edge.system.memory import ALWAYS, EACH_BYTE, spare_bytes, too_large
from tests.support.directories import large

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """512 MiB of which 300 can be had; a service that may have 312 and has 50, beside 200 of files."""
    own = tmp_path / "cgroup" / "system.slice" / "doord.service"
    own.mkdir(parents=True)
    (tmp_path / "self").mkdir()
    (tmp_path / "meminfo").write_text(f"MemTotal: 425984 kB\nMemAvailable:   {300 * 1024} kB\n")
    (tmp_path / "self" / "cgroup").write_text("0::/system.slice/doord.service\n")
    (own / "memory.max").write_text(f"{312 * MIB}\n")
    (own / "memory.stat").write_text(f"anon {50 * MIB}\nfile {200 * MIB}\nkernel {2 * MIB}\n")
    monkeypatch.setattr(memory, "PROC", tmp_path)
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    return tmp_path


def test_the_nearer_limit_counts(computer: Path) -> None:
    own = computer / "cgroup" / "system.slice" / "doord.service"
    assert spare_bytes() == (312 - 50 - 2) * MIB
    (own / "memory.max").write_text("max\n")
    assert spare_bytes() == 300 * MIB
    (own / "memory.max").write_text(f"{312 * MIB}\n")
    (computer / "meminfo").write_text(f"MemAvailable: {40 * 1024} kB\n")
    assert spare_bytes() == 40 * MIB


@pytest.mark.parametrize("broken", ["", "MemAvailable:\n", "MemAvailable: much kB\n", "\xff"])
def test_what_cannot_be_found_out_refuses_nothing(computer: Path, broken: str) -> None:
    (computer / "self" / "cgroup").write_text("1:name=systemd:/\n")
    (computer / "meminfo").write_bytes(broken.encode("latin-1"))
    assert spare_bytes() is None
    assert too_large(1 << 40) is None
    (computer / "meminfo").unlink()
    assert too_large(1 << 40) is None


def test_a_document_is_judged_by_what_it_takes(computer: Path) -> None:
    fits = 260 * MIB // EACH_BYTE
    assert too_large(fits) is None
    assert too_large(fits + 1) == "found 21 MiB, which take about 260 MiB of memory to read: 260 MiB are free"
    (computer / "meminfo").write_text("MemAvailable: 0 kB\n")
    assert too_large(ALWAYS) is None, "a small one is read whatever is left"
    assert too_large(ALWAYS + 1) is not None


def test_it_is_refused_unread(computer: Path) -> None:
    document = large(10_000)
    file = computer / "directory.json"
    file.write_bytes(document)
    assert read_file(file, 1 << 30) == document
    assert asyncio.run(built(document, file, ZoneInfo("UTC"))).version == 1
    (computer / "meminfo").write_text("MemAvailable: 4096 kB\n")
    with pytest.raises(OSError, match=r"take about .* MiB of memory to read: 4 MiB are free"):
        read_file(file, 1 << 30)
    with pytest.raises(DirectoryError, match="4 MiB are free"):
        asyncio.run(built(document, file, ZoneInfo("UTC")))
