"""`make hass` says why there is no Home Assistant, and is not taken in by a Python that does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import hass_make

if TYPE_CHECKING:
    from pathlib import Path


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with nothing but pyenv's shim on the path, which leads nowhere."""
    shim = program(tmp_path / "shims" / "python3.13", "exit 127")
    monkeypatch.setenv("PATH", str(shim.parent))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.delenv("HASS", raising=False)
    return tmp_path


def test_a_machine_without_its_python_is_told_which_is_missing_and_where_it_was_looked_for(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hass_make, "TARGET", machine / "target")
    monkeypatch.setattr(hass_make, "READY", machine / "target" / "release")
    with pytest.raises(hass_make.UnavailableError, match=r"needs Python 3\.13 .*PYENV_ROOT"):
        hass_make.main([])


def test_a_python_of_pyenv_is_found_behind_a_shim_that_leads_nowhere(machine: Path) -> None:
    real = program(machine / "versions" / "3.13.9" / "bin" / "python3.13", "exit 0")
    program(machine / "versions" / "3.13.1" / "bin" / "python3.13", "exit 0")
    assert hass_make.python() == real


def test_what_failed_is_told_in_the_words_of_the_program_that_failed(machine: Path) -> None:
    pip = program(machine / "pip", "echo WARNING: slow >&2; echo ERROR: No matching distribution >&2; exit 1")
    with pytest.raises(hass_make.UnavailableError, match=r"^pip failed: ERROR: No matching distribution$"):
        hass_make.run(pip)


def test_nothing_is_made_where_one_is_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hass_make, "TARGET", machine / "target")
    monkeypatch.setenv("HASS", "/srv/homeassistant/bin/hass")
    assert hass_make.main([]).endswith("/srv/homeassistant/bin/hass")
    assert not (machine / "target").exists()
