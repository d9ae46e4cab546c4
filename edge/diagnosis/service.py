"""What systemd says of doord.

One rule: asked once, without a shell, and not for long; where there is no systemd, that is all there is to say.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from edge.diagnosis.facts import ServiceFacts
from edge.diagnosis.machine import exists, number

if TYPE_CHECKING:
    from edge.diagnosis.machine import SystemPaths

SYSTEMCTL_S: Final = 5.0
PROPERTIES: Final = ("ActiveState", "UnitFileState", "Result", "NRestarts", "ExecMainStatus", "LoadState")
"""https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html"""


def look_at_service(paths: SystemPaths) -> ServiceFacts | str:
    """The unit, or why nothing can be said of it."""
    if not exists(paths.systemd):
        return "systemd does not run here"
    command = [paths.systemctl, "show", "doord.service", f"--property={','.join(PROPERTIES)}"]
    try:
        done = subprocess.run(  # noqa: S603 -- a fixed list of words
            command, capture_output=True, text=True, errors="replace", timeout=SYSTEMCTL_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    said = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if said.get("LoadState") == "not-found":
        return "doord.service is not installed"
    return ServiceFacts(
        active=said.get("ActiveState", ""),
        enabled=said.get("UnitFileState", ""),
        result=said.get("Result", ""),
        restarts=number(said.get("NRestarts")) or 0,
        exit_status=number(said.get("ExecMainStatus")) or 0,
    )
