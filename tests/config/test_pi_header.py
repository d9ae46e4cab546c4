"""What `doorctl check` knows of a Raspberry Pi's header, and what a controller without any door says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from edge.config.reading import load
from edge.config.warnings import warnings

if TYPE_CHECKING:
    from pathlib import Path

HEAD = '[controller]\nid = "hq"\nsite = "hq"\nname = "HQ"\n[driver.gpio]\nkind = "gpio"\nchip = {chip}\n'
LOCK = '[door.front]\nlock = {{ driver = "gpio", line = {line}, unlocked = "{level}", resting = "locked" }}\n'
CONTACT = 'contact = {{ driver = "gpio", line = {line}, closed = "low", pull = "up" }}\n'


def warned(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "doorward.toml"
    file.write_text(text)
    return [f"{one.key}: {one.message}" for one in warnings(load(file))]


def lock(tmp_path: Path, line: int, level: str = "high", chip: str = "0") -> list[str]:
    return warned(tmp_path, HEAD.format(chip=chip) + LOCK.format(line=line, level=level))


@pytest.mark.parametrize("line", [16, 17, *range(20, 28)])
def test_lines_without_a_second_duty_are_well(tmp_path: Path, line: int) -> None:
    assert lock(tmp_path, line, "high") == lock(tmp_path, line, "low") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (1, "identifies a HAT"),
        (3, "I²C"),
        (9, "SPI"),
        (12, "PWM"),
        (15, "serial console"),
        (19, "PWM"),
        (28, "not on the 40-pin header"),
        (47, "not on the 40-pin header"),
    ],
)
def test_a_line_with_a_second_duty_is_named_with_another_to_take(tmp_path: Path, line: int, said: str) -> None:
    [warning] = lock(tmp_path, line, "low")
    assert re.fullmatch(rf"door\.front\.lock: GPIO {line} .*{said}.*: expected .*\d", warning)


@pytest.mark.parametrize(("level", "count"), [("high", 1), ("low", 0)])
def test_a_relay_that_high_drives_is_on_while_the_line_is_pulled_up(tmp_path: Path, level: str, count: int) -> None:
    found = lock(tmp_path, 6, level)
    assert [("high from power-up" in one and "16, 17" in one) for one in found] == [True] * count


def test_an_input_is_not_switched_on_by_a_pull(tmp_path: Path) -> None:
    text = HEAD.format(chip=0) + LOCK.format(line=17, level="high") + CONTACT.format(line=5)
    assert warned(tmp_path, text) == []
    text = HEAD.format(chip=0) + LOCK.format(line=17, level="high") + CONTACT.format(line=2)
    [warning] = warned(tmp_path, text)
    assert warning.startswith("door.front.contact: GPIO 2 is I²C")


@pytest.mark.parametrize("chip", ["4", '"/dev/gpiochip0"', '"pinctrl-bcm2711"', '"pinctrl-rp1"'])
def test_the_header_has_several_names(tmp_path: Path, chip: str) -> None:
    assert len(lock(tmp_path, 14, "low", chip)) == 1


@pytest.mark.parametrize("chip", ["1", '"pcf8574"', '"mcp23017"'])
def test_another_chip_is_not_the_header(tmp_path: Path, chip: str) -> None:
    assert lock(tmp_path, 2, "high", chip) == []


def test_every_line_of_a_wiegand_reader_counts(tmp_path: Path) -> None:
    text = HEAD.format(chip=0) + LOCK.format(line=17, level="high")
    text += 'reader = { driver = "wires", d0 = 8, d1 = 9, beeper = 7, active = "high" }\n'
    text += '[driver.wires]\nkind = "wiegand"\n'
    found = warned(tmp_path, text)
    assert [one.split()[2] for one in found] == ["7", "7", "8", "9"]
    assert "high from power-up" in found[1]


def test_points_of_the_controller_and_of_elevators_are_named_as_in_the_file(tmp_path: Path) -> None:
    text = HEAD.format(chip=0).replace(
        'name = "HQ"\n', 'name = "HQ"\nrelease = { driver = "gpio", line = 3, active = "low" }\n'
    )
    [said] = warned(tmp_path, text + LOCK.format(line=17, level="high"))
    assert said.startswith("controller.release: GPIO 3 ")


def test_a_controller_without_a_door_can_be_used_and_says_so(tmp_path: Path) -> None:
    text = HEAD.format(chip=0).partition("[driver")[0]
    assert warned(tmp_path, text) == [
        "door: there is none, so nothing is guarded: expected [door.NAME] and its [driver.NAME]"
    ]
