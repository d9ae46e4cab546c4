"""The manual pages: man shows them without a warning, and all that can be typed or set is in them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli.commands import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = ("man1/doorctl.1", "man5/doorward.toml.5", "man8/doord.8")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("man")
    command = [sys.executable, ROOT / "systemd" / "manual", ROOT / "docs", target]
    subprocess.run(command, check=True, cwd=target, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return target


def shown(page: Path) -> str:
    """As somebody reads it."""
    environment = {**os.environ, "MANWIDTH": "200", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", page], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return re.sub(r".\x08", "", done.stdout).replace("\u2010\n", "")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_without_a_warning(written: Path, name: str) -> None:
    text = shown(written / name)
    assert text.splitlines()[0].startswith(Path(name).stem.upper())
    assert "SEE ALSO" in text


def test_every_command_and_option_is_in_the_manual(written: Path) -> None:
    text = shown(written / PAGES[0])
    for name in COMMANDS:
        assert re.search(rf"^ +doorctl {name}\b", text, re.MULTILINE), name
    page = (ROOT / "docs" / "doorctl.md").read_text()
    for option in set(re.findall(r"`(--[a-z][a-z-]+)", page)) - {"--keep"}:
        assert option in text, option
    assert re.search(r"^ +130 +ended with Ctrl-C", text, re.MULTILINE)


def test_every_key_of_the_configuration_is_in_the_manual(written: Path) -> None:
    text = shown(written / PAGES[1])
    page = (ROOT / "docs" / "configuration.md").read_text()
    keys = re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)
    assert len(keys) > 60
    for key in keys:
        assert re.search(rf"^ +{key}\b", text, re.MULTILINE), key
    assert "`" not in text
    assert "](" not in text


def test_the_options_of_doord_are_in_the_manual(written: Path) -> None:
    text = shown(written / PAGES[2])
    for option in ("--config", "--keep", "--verbose", "SIGHUP", "78"):
        assert option in text
