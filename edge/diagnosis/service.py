"""The state of doord.service, from systemctl.

One rule: systemctl runs once, without a shell and with a time limit; without systemd the reason is the result.
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
    """The state of the unit, or why it is not known."""
    if not exists(paths.systemd):
        return "systemd does not run here"
    command = [paths.systemctl, "show", "doord.service", f"--property={','.join(PROPERTIES)}"]
    try:
        done = subprocess.run(  # noqa: S603 -- a fixed list of words
            command, capture_output=True, text=True, errors="replace", timeout=SYSTEMCTL_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    properties = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if properties.get("LoadState") == "not-found":
        return "doord.service is not installed"
    return ServiceFacts(
        active=properties.get("ActiveState", ""),
        enabled=properties.get("UnitFileState", ""),
        result=properties.get("Result", ""),
        restarts=number(properties.get("NRestarts")) or 0,
        exit_status=number(properties.get("ExecMainStatus")) or 0,
    )
