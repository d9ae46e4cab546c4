"""The computer's supply voltage, temperature and memory, for a diagnosis.

One rule: it reads files of the kernel only, each of them optional; without a file its fact is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.diagnosis.facts import MachineFacts

_AVAILABLE: Final = re.compile(r"^MemAvailable:\s+(\d{1,15}) kB$", re.MULTILINE)
"""Memory that is available without swapping (proc_meminfo(5))."""


@dataclass(frozen=True, slots=True)
class SystemPaths:
    """Paths on a Raspberry Pi; tests use others."""

    boot: tuple[Path, ...] = (Path("/boot/firmware/config.txt"), Path("/boot/config.txt"))
    throttled: tuple[Path, ...] = (
        Path("/sys/devices/platform/soc/soc:firmware/get_throttled"),
        Path("/sys/devices/platform/soc@107c000000/soc:firmware/get_throttled"),
    )
    temperature: Path = Path("/sys/class/thermal/thermal_zone0/temp")
    memory: Path = Path("/proc/meminfo")
    systemctl: str = "/usr/bin/systemctl"
    systemd: Path = Path("/run/systemd/system")
    """Exists when systemd runs (sd_booted(3))."""


def look_at_machine(paths: SystemPaths) -> tuple[MachineFacts, tuple[str, ...]]:
    """What the kernel shows, and sentences about what it does not show."""
    throttled = next((bits for path in paths.throttled if (bits := _hex(path)) is not None), None)
    milli_c = number(_text(paths.temperature))
    available = _AVAILABLE.search(_text(paths.memory) or "")
    machine = MachineFacts(
        throttled,
        None if milli_c is None else milli_c / 1_000,
        None if available is None else int(available[1]) << 10,
    )
    unseen = {
        "the supply voltage": machine.throttled,
        "the temperature": machine.cpu_c,
        "the memory": machine.available_bytes,
    }
    return machine, tuple(
        f"{name}: this computer's kernel does not show it" for name, value in unseen.items() if value is None
    )


def number(text: str | None) -> int | None:
    """A whole number as programs and the kernel write it; None for other text."""
    return int(text) if text is not None and re.fullmatch(r"-?[0-9]{1,18}", text) else None


def exists(path: Path) -> bool:
    """Whether a path exists and is visible to us."""
    try:
        return path.exists()
    except OSError:  # a directory that we may not enter
        return False


def _text(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):  # another kernel or computer: no such fact
        return None


def _hex(path: Path) -> int | None:
    text = _text(path)
    return int(text, 16) if text is not None and re.fullmatch(r"(?:0x)?[0-9a-fA-F]{1,8}", text) else None
