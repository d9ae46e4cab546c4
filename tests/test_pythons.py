"""Which Python is taken, and that each version has an environment of its own."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.doord import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def python(pyenv: Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYENV_ROOT": str(pyenv)}
    command = ["sh", ROOT / "systemd" / "python", *wanted]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def pyenv(tmp_path: Path) -> Path:
    """With programs that say of themselves to be these versions."""
    for version, good in (("3.98.2", True), ("3.99.1", True), ("3.97.0", False)):
        program = tmp_path / "versions" / version / "bin" / "python3"
        program.parent.mkdir(parents=True)
        answer = f"case $2 in *print*) echo {version.rpartition('.')[0]};; esac" if good else "exit 1"
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("wanted", ["3.98", "python3.98"])
def test_a_version_of_pyenv_is_found_by_its_number_and_by_its_name(pyenv: Path, wanted: str) -> None:
    assert python(pyenv, wanted).stdout == f"{pyenv}/versions/3.98.2/bin/python3\n"


def test_all_versions_are_told_the_oldest_first_and_none_that_is_too_old(pyenv: Path) -> None:
    found = python(pyenv, "--all").stdout.split()
    assert found[-2:] == ["3.98", "3.99"]
    assert "3.97" not in found
    assert python(pyenv, "3.97").stderr == "found no Python 3.97 of version 3.11 or newer\n"


@pytest.mark.parametrize(
    ("chosen", "folder"),
    [
        ([], ".venv"),
        (["PYTHON=3.13"], ".venv-3.13"),
        (["PYTHON=python3.13"], ".venv-3.13"),
        (["PYTHON=/opt/bin/python3.13"], ".venv-3.13"),
    ],
)
def test_each_version_is_tested_in_an_environment_of_its_own(chosen: list[str], folder: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHON", "MAKEFLAGS"}}
    command = ["make", "--dry-run", "--always-make", "test", *chosen]
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert f"{folder}/bin/python -m pytest" in said.stdout
