"""What the installer gets from the release it has just built: a first configuration, a check, boot lines.

One rule: it only reads and prints; systemd/install makes all changes to the machine.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.config.files import exposed_secrets
from edge.config.pi_header import LINES, Driven, is_header
from edge.config.reading import load
from edge.model.problems import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.settings.controller import Settings

NO_CHANGE_AT_A_CRASH: Final = "dtparam=strict_gpiod"
"""Without it a Pi's kernel leaves a line as it was when the process that drove it dies (raspberrypi/linux#6117)."""
NO_DOOR_YET: Final = """\
# No door is guarded and no line is driven until you say how yours is wired: the driver and the door at the end are an
# example. Make lines, levels and `resting` those of your wiring (docs/installing.md), take the # away, then
# `sudo doorctl check`, and `sudo systemctl restart doord`.
"""
SYSTEM_PATHS: Final = {
    "~/.local/state/doorward/log.db": "/var/lib/doorward/log.db",
    "~/.local/state/doorward/doord.sock": "/run/doorward/doord.sock",
}


def boot_lines(settings: Settings) -> tuple[str, ...]:
    """Lines for config.txt that keep locks, buzzers and readers at rest from power-up on and after a crash.

    Empty when no output is on the header. Source:
    https://www.raspberrypi.com/documentation/computers/config_txt.html#gpio
    """
    levels = {
        line: "dh" if high else "dl"
        for driver in settings.drivers.values()
        if is_header(driver)
        for point in driver.points.values()
        if isinstance(point, Driven)
        for line, high in point.rest_levels.items()
        if line in LINES
    }
    if not levels:
        return ()
    return (NO_CHANGE_AT_A_CRASH, *(f"gpio={line}=op,{level}" for line, level in sorted(levels.items())))


def open_secrets(settings: Settings) -> tuple[str, ...]:
    """`USER FILE` for each secret beside the configuration that others than USER can read."""
    folder = settings.file.parent
    return tuple(
        f"{owner} {file}"
        for file, owner in exposed_secrets(settings).items()
        if file.is_relative_to(folder) and file.resolve() == file and file.is_file() and str(file).isprintable()
    )


def first_config(template: str, host: str, zone: str = "") -> str:
    """Adapt a shipped configuration to this machine: id, name, time zone, paths.

    Sections that the installer cannot know become comments: upstream, directory, and GPIO lines with their doors.
    """
    identity = re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:63].strip("-") or "controller"
    text = re.sub(r'(?m)^id = "[^"]*"', f'id = "{identity}"', template, count=1)
    text = re.sub(r'(?m)^name = "[^"]*"', f'name = "{identity}"', text, count=1)
    if zone:
        text = re.sub(r'(?m)^time_zone = "[^"]*"', f'time_zone = "{zone}"', text, count=1)
    for own, absolute in SYSTEM_PATHS.items():
        text = text.replace(f'"{own}"', f'"{absolute}"')
    header = "# Written by the installer and yours from now on: it is never changed again.\n"
    later = "mqtt|directory"
    if "[driver.gpio]" in text:
        header += NO_DOOR_YET
        later += r"|driver\.gpio|door\.[a-z0-9-]+"
    rest = text[_comment_end(text) :]
    return header + re.sub(rf"(?ms)^\[({later})\]\n.*?(?=^\s*$|\Z)", _commented, rest)


def _comment_end(text: str) -> int:
    """The end of the opening comment, which describes the file in the repository."""
    match = re.match(r"(?:#[^\n]*\n)*", text)
    return match.end() if match else 0


def _commented(section: re.Match[str]) -> str:
    return "".join(f"# {line}\n" for line in section[0].splitlines())


def main(argv: Sequence[str] | None = None) -> int:
    """`check`, `boot-lines`, `open-secrets`, `doors` of a FILE, `first-config TEMPLATE HOST ZONE`.

    Exit code 78 when FILE is invalid, 1 for `doors` when it has none.
    """
    parser = argparse.ArgumentParser(prog="python -m edge.config.provision", description="Used by systemd/install.")
    parser.add_argument("task", choices=["check", "boot-lines", "open-secrets", "doors", "first-config"])
    parser.add_argument("file", type=Path)
    parser.add_argument("host", nargs="?", default="")
    parser.add_argument("zone", nargs="?", default="")
    chosen = parser.parse_args(argv)
    if chosen.task == "first-config":
        sys.stdout.write(first_config(chosen.file.read_text(), chosen.host, chosen.zone))
        return 0
    try:
        settings = load(chosen.file)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 78
    if chosen.task == "boot-lines":
        sys.stdout.writelines(f"{line}\n" for line in boot_lines(settings))
    if chosen.task == "open-secrets":
        sys.stdout.writelines(f"{line}\n" for line in open_secrets(settings))
    return int(chosen.task == "doors" and not settings.doors)


if __name__ == "__main__":
    sys.exit(main())
