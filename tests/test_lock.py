"""The lock file: exactly what an installation gets, pinned and hashed, for every machine that Doorward runs on."""

from __future__ import annotations

import contextlib
import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
MACHINES = [
    {"python_version": python, "python_full_version": f"{python}.0", "platform_machine": machine}
    for python in ("3.11", "3.13")
    for machine in ("aarch64", "x86_64", "armv7l")
]
TEXT = (ROOT / "requirements.lock").read_text()
ENTRIES = {
    canonicalize_name(name): (version, marker, re.findall(r"--hash=sha256:([0-9a-f]{64})\b", hashes))
    for name, version, marker, hashes in re.findall(
        r"(?m)^([\w.-]+)==(\S+)(?: ; (.*?))? \\\n((?: +--hash=\S+(?: \\)?\n)+)", TEXT
    )
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["web"]]


def needed(requirement: Requirement, extras: set[str]) -> bool:
    """On any of the machines."""
    if requirement.marker is None:
        return True
    here = {key: str(value) for key, value in default_environment().items()}
    return any(
        requirement.marker.evaluate({**here, **machine, "extra": extra})
        for machine in MACHINES
        for extra in extras or {""}
    )


def installed(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None


def closure() -> dict[str, list[Requirement]]:
    """What each package is asked for: by the project, and by the packages that it brings."""
    found: dict[str, list[Requirement]] = {}
    waiting = list(WANTED)
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        new = name not in found
        found.setdefault(name, []).append(one)
        if not new:
            continue
        with contextlib.suppress(PackageNotFoundError):  # Python 3.13 brings no setuptools
            waiting += [
                asked for asked in map(Requirement, distribution(name).requires or []) if needed(asked, one.extras)
            ]
    return found


@pytest.mark.parametrize("asked", WANTED, ids=str)
def test_what_the_project_asks_for_is_what_the_lock_holds(asked: Requirement) -> None:
    version = ENTRIES[canonicalize_name(asked.name)][0]
    assert asked.specifier.contains(version, prereleases=True), "make lock"


def test_what_those_bring_along_is_in_the_lock_as_well_and_nothing_else() -> None:
    wanted = set(closure())
    assert wanted <= set(ENTRIES), "make lock"
    if all(installed(name) in {version, None} for name, (version, _, _) in ENTRIES.items()):  # as `make setup` has it
        assert wanted == set(ENTRIES), "make lock"


def test_every_line_is_pinned_and_hashed() -> None:
    assert len(ENTRIES) == len(re.findall(r"(?m)^\w", TEXT))
    assert all(hashes for _, _, hashes in ENTRIES.values())


def test_nothing_in_it_is_for_some_machines_only() -> None:
    """A bundle for one machine is made on another."""
    here = {key: str(value) for key, value in default_environment().items()}
    for name, (_, marker, _) in ENTRIES.items():
        assert not marker or all(Marker(marker).evaluate({**here, **machine}) for machine in MACHINES), name


def test_it_names_no_host_and_no_other_option() -> None:
    assert "://" not in TEXT
    assert not re.search(r"(?m)^ *--(?!hash=sha256:)", TEXT)


def test_it_brings_what_builds_the_project_itself() -> None:
    """An installation asks no index for it."""
    builds = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for asked in map(Requirement, builds):
        assert asked.specifier.contains(ENTRIES[canonicalize_name(asked.name)][0])
