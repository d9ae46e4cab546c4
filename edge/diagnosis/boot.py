"""Checks a Raspberry Pi's config.txt for the settings of the lines that locks and buzzers are on.

One rule: the file is read as the firmware reads it, not only as the installer writes it. Whether a conditional
section applies to this computer is not decided; its filter is reported.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LINES: Final = range(1_000)
"""Line numbers that are looked at; the bound keeps a range like 0-9999 short."""
LEVELS: Final = {"dl", "dh"}
FUNCTIONS: Final = {"ip", "op", "a0", "a1", "a2", "a3", "a4", "a5"}
ALWAYS, NEVER = "all", "none"
_SPAN: Final = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")


def missing_lines(wanted: Iterable[str], text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The wanted lines that config.txt does not have in any form, and the conditional filters of its settings.

    `wanted` has `dtparam=NAME` and `gpio=LINE=op,LEVEL`. Source:
    https://www.raspberrypi.com/documentation/computers/config_txt.html#gpio and #conditional-filters
    """
    parameters: dict[str, str] = {}
    lines: dict[int, set[str]] = {}
    section, filters = ALWAYS, []
    for raw in text.splitlines():
        line = raw.partition("#")[0].replace(" ", "").strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].lower()
            continue
        key, _, value = line.partition("=")
        if section == NEVER or key not in {"dtparam", "gpio"}:
            continue
        if section != ALWAYS and section not in filters:
            filters.append(section)
        if key == "dtparam":
            parameters |= {name: set_ or "on" for name, _, set_ in (part.partition("=") for part in value.split(","))}
        else:
            _set_lines(lines, value)
    return tuple(line for line in wanted if not _is_set(line, parameters, lines)), tuple(filters)


def _set_lines(lines: dict[int, set[str]], value: str) -> None:
    """Apply `17,20-22=op,dl`; a later setting replaces earlier ones of the same kind."""
    numbers, _, words = value.partition("=")
    new = set(words.lower().split(","))
    for part in numbers.split(","):
        if (span := _SPAN.fullmatch(part)) is None:
            continue
        for number in range(int(span[1]), int(span[2] or span[1]) + 1):
            if number in MAX_LINES:
                before = lines.get(number, set())
                replaced = {word for group in (LEVELS, FUNCTIONS) if new & group for word in group}
                lines[number] = (before - replaced) | new


def _is_set(wanted: str, parameters: dict[str, str], lines: dict[int, set[str]]) -> bool:
    key, _, value = wanted.partition("=")
    if key == "dtparam":
        return parameters.get(value, "off").lower() not in {"off", "no", "false", "0"}
    number, _, words = value.partition("=")
    return set(words.split(",")) <= lines.get(int(number), set())
