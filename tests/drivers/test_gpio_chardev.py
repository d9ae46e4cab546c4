"""The real gpiozero, our factory and the real gpiod on a chip: what the wires show, and what edges arrive."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gpio import SOURCE, Chip, ShimChip, SimChip, compiler, kernel_simulates, shim_chip
from tests.support.gpio_process import DriverProcess
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK, CONTACT, REX, BUZZER = "front.lock", "front.contact", "front.rex", "front.buzzer"
POINTS: dict[str, dict[str, object]] = {
    LOCK: {"line": 17, "unlocked": "high", "resting": "locked"},
    CONTACT: {"line": 27, "closed": "low", "pull": "up"},
    REX: {"line": 22, "active": "low", "pull": "up"},
    BUZZER: {"line": 23},
}
QUEUE = 64
BACKENDS = [name for name, present in (("kernel", kernel_simulates()), ("shim", compiler() is not None)) if present]


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[ShimChip]:
    """The shim, for whatever needs a history or a fault."""
    if compiler() is None:
        pytest.skip("no C compiler: the GPIO shim cannot be built")
    with shim_chip(tmp_path) as it:
        yield it


@pytest.fixture(params=BACKENDS or ["none"])
def any_chip(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chip]:
    """The kernel's own simulator where there is one, and the shim."""
    if request.param == "none":
        pytest.skip("neither gpio-sim nor a C compiler: no GPIO chip to test with")
    if request.param == "shim":
        with shim_chip(tmp_path) as it:
            yield it
        return
    sim = SimChip()
    yield sim
    sim.close()


def edges(process: DriverProcess, point: str) -> list[dict[str, Any]]:
    return [s for s in process.seen if s["kind"] == "Level" and s["point"] == point and not s["initial"]]


# --- outputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("unlocked", ["high", "low"])
@pytest.mark.parametrize("resting", ["locked", "unlocked"])
@pytest.mark.parametrize("left", [None, True, False], ids=["floating", "left high", "left low"])
def test_the_first_level_of_a_lock_is_its_resting_level(
    chip: ShimChip, unlocked: str, resting: str, left: bool | None
) -> None:
    if left is not None:  # as on a Raspberry Pi after a crash: still driven by nobody
        chip.keep_outputs(keep=True)
        table: dict[str, object] = {"line": 17, "unlocked": "high", "resting": "unlocked" if left else "locked"}
        with DriverProcess(chip, {LOCK: table}) as before:
            before.started()
        chip.reap()
    mark = chip.mark()
    released, rest = unlocked == "high", (unlocked == "high") == (resting == "unlocked")
    with DriverProcess(chip, {**POINTS, LOCK: {"line": 17, "unlocked": unlocked, "resting": resting}}) as process:
        process.started()
        process.order(apply={LOCK: True})
        process.order(apply={LOCK: False})
        process.order(close=True)
        process.until("closed")
    history = chip.history(17, mark)
    assert history[0].output
    assert history[0].level is rest
    assert all(moment.output for moment in history[:-1])
    shown = [rest, released, not released, rest]
    assert chip.driven(17, mark) == [level for i, level in enumerate(shown) if i == 0 or shown[i - 1] != level]


@pytest.mark.parametrize("point", [REX, CONTACT, BUZZER])
def test_a_line_that_somebody_holds_is_a_fault_of_its_point_alone(chip: ShimChip, point: str) -> None:
    line = POINTS[point]["line"]
    assert isinstance(line, int)
    chip.hold(line, "w1-gpio")
    mark = chip.mark()
    with DriverProcess(chip, POINTS) as process:
        lost = process.until("Lost", points=[point])
        assert f"line {line}" in lost["reason"]
        assert "'w1-gpio'" in lost["reason"]
        assert chip.driven(17, mark)[0] is False, "the lock is at rest"
        process.order(apply={LOCK: True, BUZZER: True})
        process.until("Confirmed", point=LOCK, asserted=True)
        chip.hold(line, None)
        process.until("Back", points=[point])


def test_a_lock_that_somebody_holds_keeps_no_other_from_its_rest(chip: ShimChip) -> None:
    chip.hold(17, "another")
    back: dict[str, object] = {"line": 24, "unlocked": "low", "resting": "locked"}
    with DriverProcess(chip, {**POINTS, "back.lock": back}) as process:
        process.until("Lost", points=[LOCK])
        assert chip.driven(24)[0] is True
        chip.hold(17, None)
        process.until("Back", points=[LOCK])
    assert chip.driven(17)[0] is False


def test_a_chip_of_which_no_line_is_free_is_refused(chip: ShimChip) -> None:
    for line in (17, 22, 23, 27):
        chip.hold(line, "another")
    with DriverProcess(chip, POINTS) as process:
        refused = process.until("refused")
        assert "line 17" in refused["text"]
        assert refused["facts"]["conflicts"] == dict.fromkeys(("17", "22", "23", "27"), "another")


def test_lines_are_ours_by_name(chip: ShimChip) -> None:
    with DriverProcess(chip, POINTS) as process:
        process.started()
        assert {chip.consumer(line) for line in (17, 22, 23, 27)} == {"doorward"}
        assert {line for line in range(54) if chip.watched(line)} == {22, 27}


@pytest.mark.parametrize("keep", [False, True], ids=["upstream kernel", "raspberry pi kernel"])
def test_a_kill_in_the_middle_of_an_unlock(chip: ShimChip, keep: bool) -> None:
    chip.keep_outputs(keep=keep)
    with DriverProcess(chip, POINTS) as process:
        process.started()
        process.order(apply={LOCK: True})
        process.until("Confirmed", point=LOCK, asserted=True)
        process.kill()
        chip.reap()
    last = chip.history(17)[-1]
    assert not last.held
    # The reason for `dtparam=strict_gpiod` in docs/drivers.md: without it the door stays released.
    assert (last.output, last.level) == ((True, True) if keep else (False, True))
    mark = chip.mark()
    with DriverProcess(chip, POINTS) as process:
        process.started()
        assert chip.driven(17, mark) == [False]


def test_close_rests_and_frees(chip: ShimChip) -> None:
    table: dict[str, object] = {"line": 17, "unlocked": "low", "resting": "unlocked"}
    with DriverProcess(chip, {LOCK: table, BUZZER: POINTS[BUZZER]}) as process:
        process.started()
        process.order(apply={LOCK: False, BUZZER: True})
        process.until("Confirmed", point=BUZZER, asserted=True)
        mark = chip.mark()
        process.order(close=True)
        process.until("closed")
    assert [m.level for m in chip.history(17, mark) if m.output] == [False]
    assert [m.level for m in chip.history(23, mark) if m.output] == [False]
    assert not chip.held(17)
    assert not chip.held(23)


def test_a_shorted_output_is_lost_alone_and_comes_back(chip: ShimChip) -> None:
    with DriverProcess(chip, POINTS) as process:
        process.started()
        chip.short(17, high=False)
        process.order(apply={LOCK: True})
        lost = process.until("Lost", points=[LOCK])
        assert "line 17 is driven high" in lost["reason"]
        assert not [s for s in process.seen if s["kind"] == "Confirmed" and s["point"] == LOCK and s["asserted"]]
        chip.drive(27, high=False)
        process.until("Level", point=CONTACT, asserted=False)
        chip.short(17, high=None)
        process.until("Back", points=[LOCK])
        process.until("Confirmed", point=LOCK, asserted=True)


# --- inputs -------------------------------------------------------------------------------------


def test_levels_mean_what_the_wiring_says(any_chip: Chip) -> None:
    points: dict[str, dict[str, object]] = {
        "a.contact": {"line": 5, "closed": "low", "pull": "none"},
        "b.contact": {"line": 6, "closed": "high", "pull": "none"},
        "a.rex": {"line": 12, "active": "low", "pull": "none"},
        "b.tamper": {"line": 13, "active": "high", "pull": "none"},
    }
    for line in (5, 6, 12, 13):
        any_chip.drive(line, high=True)
    with DriverProcess(any_chip, points) as process:
        process.until("opened")
        said = {name: process.until("Level", point=name, initial=True)["asserted"] for name in points}
        assert said == {"a.contact": True, "b.contact": False, "a.rex": False, "b.tamper": True}
        for line in (5, 6, 12, 13):
            any_chip.drive(line, high=False)
        for name in ("a.contact", "b.contact", "a.rex", "b.tamper"):  # in the order in which they moved
            process.until("Level", point=name, asserted=not said[name])
        for name, asserted in said.items():
            process.order(level=name)
            process.until("level", asserted=not asserted)


def test_outputs_are_seen_by_a_second_probe(any_chip: Chip) -> None:
    with DriverProcess(any_chip, POINTS) as process:
        process.started()
        assert any_chip.level(17) is False
        process.order(apply={LOCK: True})
        process.until("Confirmed", point=LOCK, asserted=True)
        assert any_chip.level(17) is True


@pytest.mark.parametrize("pull", ["up", "down", "none"])
def test_the_pull_is_asked_for(chip: ShimChip, pull: str) -> None:
    with DriverProcess(chip, {CONTACT: {"line": 27, "pull": pull}}) as process:
        process.started()
        assert chip.history(27)[-1].pull == pull


def test_edges_carry_the_time_at_which_they_happened(chip: ShimChip) -> None:
    with DriverProcess(chip, POINTS) as process:
        process.started()
        mark = chip.mark()
        before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        with process.frozen(chip):  # nobody looks while they happen
            chip.drive(27, high=False, count=4, pause_s=0.002)
        after_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        for _ in range(4):
            process.until("Level", point=CONTACT)
    happened = [moment.at_ns for moment in chip.history(27, mark)]
    reported = [edge["at_ns"] for edge in edges(process, CONTACT)]
    # One offset for all: how far the boot clock is ahead of the clock that stamps the edges.
    leads = [boot_ns - edge_ns for boot_ns, edge_ns in zip(reported, happened, strict=True)]
    assert max(leads) - min(leads) <= 1_000
    slack_ns = 1_000_000_000  # a slow machine may compare its clocks badly; a wrong clock is further off
    assert before_ns - slack_ns < reported[0] < reported[-1] < after_ns + slack_ns


def test_bursts_arrive_whole_and_in_order_of_time_across_lines(chip: ShimChip) -> None:
    rounds = 50
    with DriverProcess(chip, POINTS) as process:
        process.started()
        for _ in range(rounds):
            with process.frozen(chip):
                for _ in range(8):
                    chip.drive(22, high=False)
                    chip.drive(27, high=False)
                    chip.drive(22, high=True)
                    chip.drive(27, high=True)
            for _ in range(32):
                process.until("Level")
        process.order(describe=True)
        facts = process.until("facts")["facts"]
    everything = [s for s in process.seen if s["kind"] == "Level" and not s["initial"]]
    assert len(everything) == rounds * 32
    assert [s["at_ns"] for s in everything] == sorted(s["at_ns"] for s in everything)
    assert [s["point"] for s in everything] == [REX, CONTACT] * (rounds * 16)
    assert facts["lost_edges"] == facts["read_backs"] == 0


def test_what_the_kernel_drops_is_counted_and_the_end_is_right(chip: ShimChip) -> None:
    extra = 37
    with DriverProcess(chip, POINTS) as process:
        process.started()
        with process.frozen(chip):
            chip.drive(27, high=False, count=QUEUE + extra)
        until(lambda: chip.waiting(27) == 0, "the queue to be read")
        process.order(describe=True)
        facts = process.until("facts")["facts"]
    assert facts["lost_edges"] == extra
    assert len(edges(process, CONTACT)) == QUEUE
    assert [edge["lost"] for edge in edges(process, CONTACT)] == [extra] + [0] * (QUEUE - 1)
    assert edges(process, CONTACT)[-1]["asserted"] is chip.level(27)


def test_after_each_burst_reading_goes_on(chip: ShimChip) -> None:
    with DriverProcess(chip, POINTS) as process:
        process.started()
        for _ in range(20):
            with process.frozen(chip):
                chip.drive(27, high=False, count=QUEUE)
                chip.drive(22, high=False)
                chip.drive(22, high=True)
            process.until("Level", point=REX, asserted=True)
            process.until("Level", point=REX, asserted=False)
        process.order(describe=True)
        facts = process.until("facts")["facts"]
    assert facts["read_backs"] == 0


@pytest.mark.parametrize("first", [True, False], ids=["after an edge", "out of the blue"])
def test_an_edge_the_hardware_missed_is_found(chip: ShimChip, first: bool) -> None:
    with DriverProcess(chip, POINTS) as process:
        process.started()
        if first:
            chip.drive(27, high=False)
            process.until("Level", point=CONTACT, asserted=False)
            chip.deafen(27, 1)
            chip.drive(27, high=True)
            process.until("Level", point=CONTACT, asserted=True)
        else:
            chip.deafen(27, 1)
            chip.drive(27, high=False)
            process.until("Level", point=CONTACT, asserted=False)
        process.order(describe=True)
        facts = process.until("facts")["facts"]
    assert facts["read_backs"] == 1
    assert facts["lost_edges"] == 0


def test_a_receiver_that_raises_deafens_nothing(chip: ShimChip) -> None:
    with DriverProcess(chip, POINTS) as process:
        process.started()
        process.order(fail=CONTACT)
        process.order(level=CONTACT)
        process.until("level")
        with process.frozen(chip):
            chip.drive(27, high=False, count=3)
            chip.drive(22, high=False)
        process.until("Level", point=REX, asserted=True)
        chip.drive(27, high=True)
        process.until("Level", point=CONTACT, asserted=True)
        chip.drive(22, high=True)
        process.until("Level", point=REX, asserted=False)
    assert [edge["asserted"] for edge in edges(process, CONTACT)] == [False, True, False, True]
    assert len([s for s in process.seen if s["kind"] == "reported"]) >= 3


# --- the chip itself ----------------------------------------------------------------------------


def test_a_chip_that_vanishes_ends_the_run_and_may_come_back(chip: ShimChip) -> None:
    with DriverProcess(chip, POINTS) as process:
        process.started()
        process.order(apply={LOCK: True})
        process.until("Confirmed", point=LOCK, asserted=True)
        chip.remove()
        failed = process.until("failed")
        assert "gpiochip0" in failed["text"]
        process.order(apply={LOCK: False})
        assert "gpiochip0" in process.until("not_applied")["text"]
        process.order(level=CONTACT)
        process.until("level", asserted=None)
        process.order(reopen=True)
        assert "gpiochip0 (pinctrl-shim) has gone" in process.until("refused")["text"]
        mark = chip.mark()
        chip.plug()
        process.order(reopen=True)
        process.until("opened")
        process.order(apply={LOCK: False})
        process.until("Confirmed", point=LOCK, asserted=False)
        chip.drive(27, high=False)
        process.until("Level", point=CONTACT, asserted=False, initial=False)
        assert chip.driven(17, mark) == [False]


@pytest.mark.parametrize("device", [1, "gpiochip1", "/dev/gpiochip1"])
def test_a_chip_that_comes_back_under_another_number_is_found_by_its_label(tmp_path: Path, device: int | str) -> None:
    """A USB expander, replugged. Whoever has its number now is nobody's relay to drive."""
    with shim_chip(tmp_path, number=1, label="expander") as chip:
        named = str(chip.path) if device == "/dev/gpiochip1" else device
        with DriverProcess(chip, POINTS, named, devices=tmp_path) as process:
            process.started()
            chip.remove()
            process.until("failed")
            chip.path.unlink()
            with shim_chip(tmp_path, number=2, label="somebody-else") as other:
                process.order(reopen=True)
                said = process.until("refused")["text"]
                assert "(expander) has gone, and no other chip has its label: this machine has somebody-else" in said
                with shim_chip(tmp_path, number=3, label="expander") as moved:
                    process.order(reopen=True)
                    process.started()
                    process.order(describe=True)
                    assert process.until("facts")["facts"]["chip"] == "gpiochip3"
                    assert moved.held(17)
                    process.order(apply={LOCK: True})
                    process.until("Confirmed", point=LOCK, asserted=True)
                    assert not other.history()
                    moved.remove()
                    process.until("failed")


def test_another_chip_that_took_the_number_is_not_driven(tmp_path: Path) -> None:
    with (
        shim_chip(tmp_path, number=1, label="expander") as chip,
        DriverProcess(chip, POINTS, 1, devices=tmp_path) as process,
    ):
        process.started()
        chip.remove()
        process.until("failed")
        chip.path.unlink()
        with (
            shim_chip(tmp_path, number=1, label="somebody-else") as other,
            shim_chip(tmp_path, number=4, label="twin") as twin,
        ):
            process.order(reopen=True)
            assert "this machine has somebody-else, twin" in process.until("refused")["text"]
            assert not other.history()
            assert not twin.history()
        with (
            shim_chip(tmp_path, number=2, label="expander") as one,
            shim_chip(tmp_path, number=3, label="expander") as two,
        ):
            process.order(reopen=True)
            assert "2 other chips have its label: set `chip` to the path of one" in process.until("refused")["text"]
            assert not one.history()
            assert not two.history()


def test_reopening_an_open_driver_starts_afresh(chip: ShimChip) -> None:
    with DriverProcess(chip, POINTS) as process:
        process.started()
        descriptors = len(list(Path(f"/proc/{process.process.pid}/fd").iterdir()))
        for _ in range(5):
            chip.remove()
            process.until("failed")
            chip.plug()
            process.order(reopen=True)
            process.started()
        assert len(list(Path(f"/proc/{process.process.pid}/fd").iterdir())) == descriptors


def test_no_permission_says_which_group(chip: ShimChip) -> None:
    chip.deny(deny=True)
    with DriverProcess(chip, POINTS) as process:
        assert "group gpio" in process.until("refused")["text"]


@pytest.mark.parametrize(
    ("device", "expected"), [(7, "/dev/gpiochip7 does not exist"), ("/dev/null", "not a GPIO chip")]
)
def test_a_chip_that_is_none(chip: ShimChip, device: int | str, expected: str) -> None:
    with DriverProcess(chip, POINTS, device) as process:
        assert expected in process.until("refused")["text"]


def test_a_line_that_the_chip_does_not_have(chip: ShimChip) -> None:
    with DriverProcess(chip, {**POINTS, "front.tamper": {"line": 54}}) as process:
        assert "line 54 of gpiochip0 does not exist" in process.until("Lost", points=["front.tamper"])["reason"]


def test_two_chips_by_label_and_path(chip: ShimChip, tmp_path: Path) -> None:
    with (
        shim_chip(tmp_path, number=4, label="pinctrl-rp1") as other,
        DriverProcess(other, POINTS, str(other.path)) as p,
    ):
        p.started()
        assert other.held(17)
        assert not chip.held(17)
    script = (
        "import pathlib, sys; from drivers import gpio_chip; gpio_chip.DEVICES = pathlib.Path(sys.argv[1])\n"
        "print(gpio_chip.open_chip('pinctrl-rp1').get_info().name, gpio_chip.open_chip('gpiochip0').get_info().label)\n"
        "try: gpio_chip.open_chip('pinctrl-none')\n"
        "except OSError as error: print(error)\n"
    )
    with shim_chip(tmp_path, number=5):
        printed = python(chip, script, str(tmp_path))
    assert printed.splitlines()[0] == "gpiochip4 pinctrl-shim"
    assert "no GPIO chip is called 'pinctrl-none': this machine has pinctrl-shim, pinctrl-rp1" in printed


def test_gpiozero_takes_the_factory_by_its_own_means(chip: ShimChip) -> None:
    """Buttons, LEDs and `initial_value=None` of gpiozero itself, on a machine that is no Raspberry Pi."""
    chip.drive(5, high=True)
    script = (
        "import select\n"
        "from gpiozero import LED, Button, OutputDevice\n"
        "from drivers.gpio.factory import CharDeviceFactory\n"
        "factory = CharDeviceFactory()\n"
        "led, pressed = LED('GPIO6', active_high=False, pin_factory=factory), []\n"
        "button = Button(5, pull_up=True, bounce_time=0.005, pin_factory=factory)\n"
        "button.when_pressed = lambda: pressed.append(button.pin.bounce)\n"
        "led.on(); print(led.value, flush=True); input()\n"
        "print(factory.dispatch(60), pressed, button.active_time < 60, button.pin.edges)\n"
        "button.close(); factory.close()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        cwd=SOURCE.parents[2],
        env=chip.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        chip.drive(5, high=False)
        out, _ = process.communicate("\n")
    assert out == "1 [0.005] True both\n"
    assert chip.driven(6) == [True, False]
    assert process.returncode == 0


def test_nothing_is_loaded_before_it_is_needed(chip: ShimChip) -> None:
    script = (
        "import sys; from drivers.gpio import driver as gpio; from drivers.gpio.points import Settings\n"
        "print([name for name in ('gpiozero', 'gpiod') if name in sys.modules])\n"
        "driver = gpio.create('gpio', Settings(), {}, int); driver.open()\n"
        "print([name for name in ('gpiozero', 'gpiod', 'lgpio', 'RPi') if name in sys.modules]); driver.close()\n"
    )
    assert python(chip, script) == "[]\n['gpiozero', 'gpiod']\n"


def python(chip: ShimChip, script: str, *arguments: str) -> str:
    """What a script prints when it runs on the chip."""
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    done = subprocess.run(
        command, cwd=SOURCE.parents[2], env=chip.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
