"""`make hass`: Home Assistant's own code in an environment of its own, as much of it as discovery needs.

All of it is 800 MB; taken out of its package are its core and its integrations without their texts in 60 languages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parents[2]
TARGET: Final = ROOT / ".hass"
READY: Final = TARGET / "release"
"""Holds the release once all is there."""
REQUIREMENTS: Final = ROOT / "tests" / "hass-requirements.txt"
PYTHON: Final = "3.13"
"""What the releases run on that are asked; older ones do not take devices back, newer ones want 3.14."""
KEPT: Final = re.compile(
    r"homeassistant/((?!components/).*|components/(.*\.py|[^/]+/(manifest|translations/en)\.json))"
)


class UnavailableError(Exception):
    """Why there is none; for people."""


def pythons() -> Iterator[Path]:
    """Where such a Python may be; pyenv's shims are found as well and may lead nowhere."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    if found := shutil.which(f"python{PYTHON}"):
        yield Path(found)
    yield from sorted(pyenv.glob(f"{PYTHON}*/bin/python{PYTHON}"), reverse=True)


def python() -> Path:
    for one in pythons():
        if subprocess.run([one, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0:
            return one
    looked = "on the path or below ${PYENV_ROOT:-~/.pyenv}/versions"
    raise UnavailableError(f"it needs Python {PYTHON} with venv, and none is {looked}")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-1:]
        raise UnavailableError(f"{Path(command[0]).name} failed: {' '.join(last)}")
    return done.stdout


def named(requirement: str) -> str:
    """Without its versions."""
    return re.split("[<>=]", requirement)[0]


def make(chosen: str | None = None) -> str:
    """Returns the release; `chosen` is another requirement than the file's, as in "homeassistant==2025.4.*"."""
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    shutil.rmtree(TARGET, ignore_errors=True)
    run(python(), "-m", "venv", TARGET)
    pip = [TARGET / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    site = Path(run(pip[0], "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    with tempfile.TemporaryDirectory() as folder:
        run(*pip, "download", "--no-deps", "--dest", folder, chosen or lines[0])
        (wheel,) = Path(folder).iterdir()
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(site, (name for name in packed.namelist() if KEPT.fullmatch(name)))
        release = wheel.name.split("-")[1]
        theirs = (site / "homeassistant" / "package_constraints.txt").read_text().splitlines()
        ours = {named(line) for line in lines[1:] if named(line) != line}
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{line}\n" for line in theirs if named(line) not in ours))
        run(*pip, "install", "--no-compile", "--prefer-binary", "--constraint", constraints, *lines[1:])
    run(*pip, "uninstall", "--yes", "pip")
    READY.write_text(release + "\n")
    return release


def is_there() -> bool:
    """Made from what is written now."""
    made = READY.stat().st_mtime if READY.exists() else 0.0
    return made > max(REQUIREMENTS.stat().st_mtime, Path(__file__).stat().st_mtime)


def main(arguments: Sequence[str]) -> str:
    """What there is then; for people."""
    if named := os.environ.get("HASS"):
        return f"Home Assistant as $HASS names it: {named}"
    if is_there() and not arguments:
        return f"Home Assistant {READY.read_text().strip()} is in {TARGET.name}"
    start_s = time.monotonic()
    release = make(*arguments)
    took_s = time.monotonic() - start_s
    return f"Home Assistant {release} is in {TARGET.name} now: {took_s:.0f} s, {run('du', '-sm', TARGET).split()[0]} MB"


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]) + "\n")
    except UnavailableError as error:
        sys.exit(f"No tests with Home Assistant itself: {error}.")
