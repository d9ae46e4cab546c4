"""docs/installing.md: what it says to write is taken, what it says to run does what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.config.reading import load
from edge.log.verify import verify
from edge.model.roles import INPUTS
from tests.support.configs import settings_of
from tests.support.doorctl_page import renewed
from tests.support.doord import ROOT, Doord
from tests.support.readme import Ready, plain
from tests.support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs" / "installing.md").read_text()
DRAWINGS = sorted((ROOT / "docs").glob("wiring-*.svg"))
POINT = re.compile(rf"\b({'|'.join(INPUTS)}) = (\{{ driver = \"gpio\"[^}}]*\}})")
HEAD = """
[controller]
id = "hq"
site = "hq"
name = "HQ"
[driver.gpio]
kind = "gpio"
[door.front]
"""
LOCK = 'lock = { driver = "gpio", line = 17, unlocked = "high", resting = "locked" }\n'


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}")[1].split("\n## ")[0]


def blocks(kind: str, text: str) -> list[str]:
    return re.findall(rf"^ *```{kind}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)


def test_every_input_of_the_tables_is_configuration(tmp_path: Path) -> None:
    points = POINT.findall(PAGE)
    assert {name for name, _ in points} == {*INPUTS}, "docs/installing.md, 3. Wire it, has a row for each input"
    for name, wires in points:
        assert settings_of(tmp_path, f"{HEAD}{LOCK}{name} = {wires}\n")


def test_every_way_to_hang_a_lock_is_configuration_and_rests_as_it_says(tmp_path: Path) -> None:
    rows = [row for row in section("2.").splitlines() if row.startswith("| ") and "resting = " in row]
    assert len(rows) == 4
    for row in rows:
        driven_says, idle_says, *_ = [cell.strip(" *") for cell in row.split("|")[3:]]
        for switches_on, keys in zip(("low", "high"), re.findall(r"`(unlocked[^`]*)`", row), strict=True):
            settings = settings_of(tmp_path, f'{HEAD}lock = {{ driver = "gpio", line = 5, {keys} }}\n')
            [level] = settings.drivers["gpio"].points["front.lock"].rest_levels.values()
            driven = level == (switches_on == "high")
            assert not driven, f"an idle relay rests: {row}"
            unlocked = re.search(r'unlocked = "(\w+)"', keys)
            assert unlocked is not None
            assert (driven_says == "released") == (unlocked[1] == switches_on)
            assert (idle_says == "released") == (unlocked[1] != switches_on)


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda path: path.stem)
def test_every_drawing_is_shown_and_says_what_to_configure(drawing: Path, tmp_path: Path) -> None:
    assert f"]({drawing.name})" in PAGE
    words = ["".join(one.itertext()) for one in ET.parse(drawing).iter() if one.tag.endswith(("text", "title", "desc"))]
    [lock] = [line for line in words if line.startswith("lock = ")]
    assert settings_of(tmp_path, f"{HEAD}{lock}\n")
    assert {"fuse", "GPIO 5", "JD-VCC", "VCC"} <= set(words)


def test_there_is_a_drawing_for_each_kind_of_lock() -> None:
    assert [path.stem for path in DRAWINGS] == ["wiring-bolt", "wiring-magnet", "wiring-strike"]


def test_the_expanders_of_the_table_are_those_of_the_example() -> None:
    chips = set(re.findall(r'\| `"(\w+)"` \|', PAGE))
    drivers = load(ROOT / "config" / "example-expander.toml").drivers.values()
    assert {getattr(driver.settings, "chip", None) for driver in drivers} - {0} == chips
    example = (ROOT / "config" / "example-expander.toml").read_text()
    for overlay in re.findall(r"`(dtoverlay=[^`]+)`", PAGE):
        assert overlay in example


def test_the_first_person_gets_a_card_as_it_says(tmp_path: Path) -> None:
    text = (ROOT / "config" / "example-simulated.toml").read_text()
    config = tmp_path / "doorward.toml"
    config.write_text(text.replace("../run/example.db", "log.db").replace("../run/example.sock", "doord.sock"))
    with Ready(config):
        assert plain(renewed(section("7."), tmp_path)) == plain(section("7."))


@pytest.fixture
def machine() -> Iterator[Path]:
    """A tree with programs that do what sudo and systemctl would do here: the command itself, and nothing."""
    root = Path(tempfile.mkdtemp(prefix="pi"))  # short: a socket's path has at most 107 bytes
    for folder in ("etc/doorward", "var/lib/doorward", "var/lib/doorweb", "bin"):
        (root / folder).mkdir(parents=True)
    does = {
        "sudo": '[ "$1" != -u ] || shift 2; exec "$@"',
        "systemctl": "exit 0",
        "chown": "exit 0",
        "tar": f'[ "$1 $2" = "-C /" ] && shift 2; exec /usr/bin/tar -C {root} "$@"',
        "python": f'exec {sys.executable} "$@"',
        "doorctl": f'PYTHONPATH={ROOT} exec {sys.executable} -m edge.cli "$@"',
    }
    for name, script in does.items():
        (root / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (root / "bin" / name).chmod(0o755)
    text = (ROOT / "config" / "simulated.toml").read_text()
    text = text.replace('"~/.local/state/doorward/log.db"', f'"{root}/var/lib/doorward/log.db"')
    text = text.replace('"~/.local/state/doorward/doord.sock"', '"doord.sock"')
    (root / "etc/doorward/doorward.toml").write_text(text)
    shutil.copy(ROOT / "config" / "directory.json", root / "etc/doorward")
    yield root
    shutil.rmtree(root)


def run(root: Path, script: str) -> None:
    """As it is printed, in this tree instead of the machine's."""
    script = script.replace("/var/lib/doorward", f"{root}/var/lib/doorward").replace("/opt/doorward/current/bin/", "")
    environment = {**os.environ, "PATH": f"{root}/bin:{os.environ['PATH']}", "HOME": str(root)}
    subprocess.run(["/bin/sh", "-eu", "-c", script], check=True, env=environment, cwd=root, timeout=PATIENCE_S)


def test_a_backup_is_restored_on_a_new_card(machine: Path) -> None:
    [backup], [restore] = (blocks("sh", part) for part in section("9.").split("**A new SD card**"))
    state = machine / "var/lib/doorward"

    def started() -> Doord:
        doord = Doord(machine / "etc/doorward/doorward.toml").start()
        while doord.ask("status")["directory"]["state"] != "ready":
            time.sleep(0.02)
        return doord

    doord = started()
    doord.ask("command", command="lock_down", door="garage")
    stream = doord.ask("status")["stream"]
    run(machine, backup)
    doord.stop()
    assert (machine / "doorward-backup.tar.gz").stat().st_mode & 0o077 == 0, "there are keys in it"
    written = verify(state / "backup-log.db")
    assert written.ok

    shutil.rmtree(state)
    shutil.rmtree(machine / "etc/doorward")
    state.mkdir()
    (state / "log.db").write_bytes(b"of the fresh installation")
    (state / "log.db-wal").write_bytes(b"this too")
    run(machine, restore)
    (machine / "etc/doorward/directory.json").unlink()  # the one in force is in directory.db

    doord = started()
    status = doord.ask("status")
    doord.stop()
    assert status["directory"]["users"] == 6
    assert status["doors"]["garage"]["mode"] == "locked_down"
    assert status["stream"] != stream, "numbers are not used twice"
    result = verify(state / "log.db")
    assert result.ok
    assert result.last > written.last
