"""The real daemon on GPIO lines: the shipped Raspberry Pi configuration on a chip in a file."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.doord import ROOT, Doord
from tests.support.gpio import PATIENCE_S, shim_chip
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gpio import ShimChip

LOCK, CONTACT, REX = 17, 27, 22
RESTING = False
"""`unlocked = "high", resting = "locked"`."""


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[ShimChip]:
    with shim_chip(tmp_path) as made:
        made.keep_outputs(keep=True)
        made.drive(CONTACT, high=False)
        made.drive(REX, high=True)
        yield made


@pytest.fixture
def doord(tmp_path: Path, chip: ShimChip) -> Iterator[Doord]:
    """Not started yet."""
    text = (ROOT / "config" / "raspberry-pi.toml").read_text()
    before, mqtt = text.split("[mqtt]")
    text = before + mqtt[mqtt.index("[control]") :]
    text = text.replace("/var/lib/doorward/log.db", str(tmp_path / "log.db"))
    text = text.replace("/run/doorward/doord.sock", str(tmp_path / "doord.sock"))
    text = text.replace("unlock_s = 5.0 ", "unlock_s = 600.0 ").replace("held_open_s = 30.0 ", "held_open_s = 600.0 ")
    config = tmp_path / "doorward.toml"
    config.write_text(text)
    made = Doord(config, chip.environment())
    try:
        yield made
    finally:
        if made.process is not None:
            made.kill()


def types(doord: Doord) -> list[str]:
    return [record["type"] for record in doord.ask("events")["records"]]


def recorded(doord: Doord, *wanted: str) -> None:
    """Wait until these types stand in the log, in this order, whatever else is between."""

    def found() -> bool:
        rest = iter(types(doord))
        return all(one in rest for one in wanted)

    until(found, lambda: (wanted, types(doord)))


def door(doord: Doord) -> dict[str, Any]:
    facets: dict[str, Any] = doord.ask("status")["doors"]["front"]
    return facets


def settled(doord: Doord, **facets: str) -> None:
    until(lambda: facets.items() <= door(doord).items(), lambda: (facets, door(doord)))


def test_a_lock_line_shows_its_resting_level_first_and_last(chip: ShimChip, doord: Doord) -> None:
    doord.start()
    settled(doord, contact="closed", lock="locked")
    assert chip.driven(LOCK) == [RESTING], "no other level before it"
    assert doord.ask("command", command="unlock", door="front")["outcomes"]["front"]["done"]
    settled(doord, lock="unlocked")
    assert chip.driven(LOCK) == [RESTING, not RESTING]
    assert doord.stop() == 0
    assert chip.driven(LOCK) == [RESTING, not RESTING, RESTING], "at rest before the line is let go"
    assert not chip.held(LOCK)


def test_a_kill_in_the_middle_of_a_pulse_is_put_to_rest_by_the_next_start(chip: ShimChip, doord: Doord) -> None:
    doord.start()
    doord.ask("command", command="unlock", door="front", for_s=600.0)
    settled(doord, lock="unlocked")
    recorded(doord, "lock.unlock")
    doord.kill()
    chip.reap()
    assert chip.level(LOCK) is not RESTING, "as on a Raspberry Pi: nobody lets go of the line"
    mark = chip.mark()
    doord.start()
    settled(doord, contact="closed", lock="locked", mode="locked")
    assert chip.driven(LOCK, mark) == [RESTING], "an unlock never resumes"
    recorded(doord, "lock.unlock", "controller.start")


def test_a_contact_and_a_button_on_wires(chip: ShimChip, doord: Doord) -> None:
    doord.start()
    settled(doord, contact="closed")
    chip.drive(REX, high=False)
    settled(doord, mode="accessed", lock="unlocked")
    assert chip.level(LOCK) is not RESTING
    chip.drive(CONTACT, high=True)
    settled(doord, contact="open")
    chip.drive(REX, high=True)
    chip.drive(CONTACT, high=False, count=9, pause_s=0.001)
    settled(doord, contact="closed", mode="locked", lock="locked", alarm="normal")
    assert chip.level(LOCK) is RESTING
    assert "lock.forced_open" not in types(doord)
    recorded(doord, "lock.unlock", "lock.opened", "lock.closed", "lock.locked")
    chip.drive(CONTACT, high=True)
    settled(doord, alarm="forced_open")
    recorded(doord, "lock.locked", "lock.opened", "lock.forced_open")
    assert types(doord).count("lock.opened") == 2, "bounce is no opening"


def test_a_chip_that_vanishes_is_one_fault_and_its_return_puts_the_relay_right(chip: ShimChip, doord: Doord) -> None:
    doord.start()
    settled(doord, contact="closed")
    chip.remove()
    settled(doord, contact="unknown", lock="unknown")
    assert doord.ask("command", command="hold_unlocked", door="front")["outcomes"]["front"]["done"]
    chip.plug()
    mark = chip.mark()
    settled(doord, contact="closed", lock="unlocked", mode="unlocked")
    assert chip.level(LOCK) is not RESTING
    assert chip.driven(LOCK, mark)[-1] is not RESTING
    recorded(doord, "controller.fault", "controller.fault_cleared")
    assert types(doord).count("controller.fault") == 1
    assert types(doord).count("controller.fault_cleared") == 1


def test_without_its_chip_the_daemon_starts_and_guards_as_soon_as_it_comes(chip: ShimChip, doord: Doord) -> None:
    chip.remove()
    doord.start()
    settled(doord, contact="unknown", lock="unknown")
    chip.plug()
    settled(doord, contact="closed", lock="locked")
    assert set(chip.driven(LOCK)) == {RESTING}
    recorded(doord, "controller.fault", "controller.fault_cleared")


def test_a_new_door_on_the_chip_touches_no_other_line(chip: ShimChip, doord: Doord) -> None:
    new = '[door.shed]\nlock = { driver = "gpio", line = 5, unlocked = "low", resting = "locked" }\n'
    new += 'contact = { driver = "gpio", line = 6, closed = "low" }\n'
    chip.drive(6, high=True)
    doord.start()
    settled(doord, contact="closed")
    doord.ask("command", command="hold_unlocked", door="front")
    settled(doord, lock="unlocked")
    mark = chip.mark()
    doord.config.write_text(doord.config.read_text() + new)
    assert doord.ask("reload") == {"applied": ["door.shed"], "needs_restart": [], "errors": []}
    until(lambda: doord.ask("status")["doors"]["shed"]["contact"] == "open", "its contact")
    assert doord.ask("status")["doors"]["shed"]["alarm"] == "normal"
    assert set(chip.driven(5)) == {True}, "its relay is at rest from the first moment on"
    assert chip.driven(LOCK, mark) == [], "the other does not notice"
    assert door(doord)["lock"] == "unlocked"
    doord.ask("command", command="unlock", door="shed")
    until(lambda: not chip.level(5), "its relay")
    chip.drive(6, high=False)
    until(lambda: doord.ask("status")["doors"]["shed"]["contact"] == "closed", "its contact")


def test_a_second_daemon_touches_no_line(chip: ShimChip, doord: Doord) -> None:
    doord.start()
    doord.ask("command", command="hold_unlocked", door="front")
    settled(doord, lock="unlocked")
    mark = chip.mark()
    command = [sys.executable, "-m", "edge.daemon.doord", "--config", str(doord.config)]
    second = subprocess.run(
        command, cwd=ROOT, env=doord.environment, check=False, capture_output=True, timeout=PATIENCE_S
    )
    assert second.returncode == 1, second.stderr
    assert chip.driven(LOCK, mark) == []
    assert door(doord)["lock"] == "unlocked"
    assert doord.stop() == 0
