"""The driver and the real gpiod on a chip: cards, keys, loss, and what lights and beepers show."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gpio import ShimChip, compiler, shim_chip
from tests.support.gpio_process import DriverProcess
from tests.support.waiting import until
from tests.support.wiegand import KNOWN, MS, train

if TYPE_CHECKING:
    from collections.abc import Iterator

FRONT, BACK, BUZZER = "front.reader", "back.reader", "back.buzzer"
D0, D1, LED, BEEPER, SOUNDER = 23, 24, 25, 12, 19
POINTS: dict[str, dict[str, object]] = {
    FRONT: {"d0": D0, "d1": D1, "led": LED, "beeper": BEEPER},
    BACK: {"d0": 5, "d1": 13, "format": "raw", "keypad": "off"},
    BUZZER: {"line": SOUNDER, "active": "high"},
}
QUEUE = 512
FALLING = 1 << 5


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[ShimChip]:
    if compiler() is None:
        pytest.skip("no C compiler: the GPIO shim cannot be built")
    with shim_chip(tmp_path) as it:
        yield it


def reading(chip: ShimChip, points: dict[str, dict[str, object]] | None = None, **settings: Any) -> DriverProcess:
    return DriverProcess(chip, POINTS if points is None else points, kind="wiegand", **settings)


def send(chip: ShimChip, *cards: str, lines: tuple[int, int] = (D0, D1), interval_ns: int = 2 * MS) -> None:
    """Cards or keys one after the other, 100 ms apart."""
    pulses: list[tuple[int, int]] = []
    for bits in cards:
        start_ns = pulses[-1][1] + 100 * MS if pulses else 0
        pulses += [(lines[wire], at_ns) for wire, at_ns in train(bits, start_ns=start_ns, interval_ns=interval_ns)]
    chip.pulse(pulses)


def data(bits: str) -> str:
    size = (len(bits) + 7) // 8
    return int(bits.ljust(size * 8, "0"), 2).to_bytes(size).hex()


def facts(process: DriverProcess) -> dict[str, Any]:
    process.order(describe=True)
    return dict(process.until("facts")["facts"])


# --- cards and keys --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_a_card_arrives_with_its_bits_and_its_time(chip: ShimChip, name: str) -> None:
    bits = KNOWN[name]
    with reading(chip) as process:
        process.started()
        before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        send(chip, bits)
        after_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        read = process.until("CardRead")
    assert (read["point"], read["bits"], read["data"]) == (FRONT, len(bits), data(bits))
    slack_ns = 1_000_000_000  # a slow machine may compare its clocks badly; a wrong clock is further off
    assert before_ns - slack_ns < read["at_ns"] < after_ns + slack_ns
    assert read["seen_ns"] - read["at_ns"] >= 29 * MS, "nobody knows earlier that no more bits come"


def test_a_card_and_a_pin(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        send(chip, KNOWN["h10301"], "0001", "11010010", "1010", "1011", interval_ns=1 * MS)
        assert process.until("CardRead")["data"] == data(KNOWN["h10301"])
        keys = [process.until("KeysPressed")["keys"] for _ in range(4)]
    assert keys == ["1", "2", "*", "#"]


def test_readers_do_not_hear_each_other(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        pulses = [((D0, D1)[wire], at_ns) for wire, at_ns in train(KNOWN["h10301"])]
        pulses += [((5, 13)[wire], at_ns + MS) for wire, at_ns in train("1100" * 8)]
        chip.pulse(sorted(pulses, key=lambda pulse: pulse[1]))
        read = {r["point"]: r for r in (process.until("CardRead"), process.until("CardRead"))}
    assert read[FRONT]["data"] == data(KNOWN["h10301"])
    assert (read[BACK]["bits"], read[BACK]["data"]) == (32, data("1100" * 8))


def test_noise_is_counted_and_the_next_card_is_read(chip: ShimChip) -> None:
    good = KNOWN["h10301"]
    with reading(chip) as process:
        process.started()
        send(chip, "1", "10", "0" * 26, "1" * 30, good)
        process.until("CardRead")
        seen = facts(process)["readers"][FRONT]
    assert (seen["fragments"], seen["wrong_parity"], seen["other_lengths"], seen["cards"]) == (2, 1, 1, 1)
    assert [said["data"] for said in process.seen if said["kind"] == "CardRead"] == [data(good)]


def test_a_card_that_comes_while_nobody_looks_is_whole(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        with process.frozen(chip):
            send(chip, KNOWN["h10302"], KNOWN["h10301"])
        assert [process.until("CardRead")["bits"] for _ in range(2)] == [37, 26]


def test_what_the_kernel_drops_is_no_card(chip: ShimChip) -> None:
    """The queue overflows in the middle of a card: what is left of it would still look like one in raw mode."""
    with reading(chip) as process:
        process.started()
        with process.frozen(chip):
            send(chip, *["10" * 13] * (QUEUE // 26 + 1), lines=(5, 13))
        until(lambda: chip.waiting(5) == 0, "the queue to be read")
        until(lambda: facts(process)["readers"][BACK]["cards"] == QUEUE // 26, "what is whole to be read")
        seen = facts(process)["readers"][BACK]
    assert seen["torn"] == 1
    assert {said["bits"] for said in process.seen if said["kind"] == "CardRead"} == {26}


def test_the_gap_is_what_was_configured(chip: ShimChip) -> None:
    with reading(chip, gap_ms=200) as process:
        process.started()
        send(chip, "0001", "0010")  # 100 ms apart: one burst for this reader
        until(lambda: facts(process)["readers"][FRONT]["wrong_keys"] == 1, "the burst to be over")
        assert facts(process)["readers"][FRONT]["keys"] == 0


def test_a_receiver_that_raises_deafens_nothing_and_no_card_is_repeated(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        process.order(fail=FRONT)
        process.order(level=FRONT)
        assert process.until("level")["asserted"] is None
        send(chip, KNOWN["h10301"], "0001")
        said = process.until("reported")
        process.until("KeysPressed")
    assert "CardRead" in said["text"]
    assert "b'" not in said["text"]


# --- the lines -----------------------------------------------------------------------------------------


def test_lines_are_ours_pulled_up_and_listened_to_in_one_direction(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        for line in (D0, D1, 5, 13):
            assert chip.consumer(line) == "doorward"
            assert chip.history(line)[-1].pull == "up"
            assert chip.level(line)
            assert not chip.watched(line)  # that would be both directions
            assert int(chip._do.shim_flags(chip._chip, line)) & FALLING


def test_outputs_are_off_from_the_first_moment_to_the_last(chip: ShimChip) -> None:
    mark = chip.mark()
    with reading(chip) as process:
        process.started()
        process.order(apply={BUZZER: True})
        process.until("Confirmed", point=BUZZER, asserted=True)
        process.order(apply={BUZZER: True})
        process.order(answer={FRONT: True})
        process.order(close=True)
        process.until("closed")
    assert chip.driven(LED, mark) == [True, False, True]
    assert chip.driven(BEEPER, mark) == [True]
    assert chip.driven(SOUNDER, mark) == [False, True, False]
    assert not any(chip.held(line) for line in (D0, D1, LED, BEEPER, SOUNDER))
    assert len([s for s in process.seen if s["kind"] == "Confirmed"]) == 1


def test_a_reader_shows_what_became_of_a_card(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        mark = chip.mark()
        process.order(answer={FRONT: False})
        until(lambda: len(chip.driven(BEEPER, mark)) == 6, "three tones")
        assert chip.driven(LED, mark) == []
        process.order(answer={FRONT: True})
        until(lambda: chip.driven(LED, mark) == [False, True], "the light to go on and off")
        assert chip.driven(BEEPER, mark) == [False, True] * 3
        on, off = (moment.at_ns for moment in chip.history(LED, mark))
        assert off - on >= 900 * MS
        process.order(answer={BACK: True, "nobody.reader": False})  # which have neither light nor beeper
        assert facts(process)["label"] == "pinctrl-shim"


def test_a_newer_answer_ends_the_older_one(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        mark = chip.mark()
        process.order(answer={FRONT: True})
        until(lambda: chip.driven(LED, mark) == [False], "the light")
        process.order(answer={FRONT: False})
        until(lambda: len(chip.driven(BEEPER, mark)) == 6, "three tones")
        lit = chip.history(LED, mark)
        first_tone_ns = chip.history(BEEPER, mark)[0].at_ns
    assert [moment.level for moment in lit] == [False, True]
    assert lit[1].at_ns < first_tone_ns


@pytest.mark.parametrize("line", [D0, D1, LED, BEEPER])
def test_a_line_that_somebody_holds_is_a_fault_of_its_reader_alone(chip: ShimChip, line: int) -> None:
    chip.hold(line, "w1-gpio")
    mark = chip.mark()
    with reading(chip) as process:
        lost = process.until("Lost", points=[FRONT])
        assert f"line {line} of gpiochip0 is held by 'w1-gpio'" in lost["reason"]
        send(chip, "1100" * 8, lines=(5, 13))
        process.until("CardRead", point=BACK)
        process.order(apply={BUZZER: True}, answer={FRONT: True})
        process.until("Confirmed", point=BUZZER, asserted=True)
        assert all(chip.history(own, mark) == [] for own in (D0, D1, LED, BEEPER)), "a reader is claimed whole or not"
        assert facts(process)["readers"][FRONT]["trouble"] == lost["reason"]
        chip.hold(line, None)
        process.until("Back", points=[FRONT])
        send(chip, KNOWN["h10301"])
        process.until("CardRead", point=FRONT)
        process.order(answer={FRONT: True})
        until(lambda: chip.driven(LED, mark) == [True, False, True], "the light to go on and off")
        assert facts(process)["readers"][FRONT]["trouble"] is None
        assert chip.driven(SOUNDER, mark) == [False, True], "nobody else is disturbed"


def test_a_sounder_that_somebody_holds_is_a_fault_of_its_own(chip: ShimChip) -> None:
    chip.hold(SOUNDER, "w1-gpio")
    with reading(chip) as process:
        process.until("Lost", points=[BUZZER])
        process.order(apply={BUZZER: True})
        send(chip, KNOWN["h10301"])
        process.until("CardRead", point=FRONT)
        assert facts(process)["missing"].keys() == {BUZZER}
        chip.hold(SOUNDER, None)
        process.until("Back", points=[BUZZER])
        process.order(apply={BUZZER: True})
        process.until("Confirmed", point=BUZZER, asserted=True)
    assert chip.driven(SOUNDER) == [False, True]


def test_a_chip_of_which_no_line_is_free_is_refused(chip: ShimChip) -> None:
    for line in (D0, 13, SOUNDER):
        chip.hold(line, "w1-gpio")
    mark = chip.mark()
    with reading(chip) as process:
        refused = process.until("refused")
        assert f"line {SOUNDER} of gpiochip0 is held by 'w1-gpio'" in refused["text"]
        assert all(chip.history(line, mark) == [] for line in (D1, LED, BEEPER, 5))
        chip.hold(D0, None)
        process.order(reopen=True)
        process.started()
        send(chip, KNOWN["h10301"])
        process.until("CardRead")


def test_a_chip_that_vanishes_while_readers_are_missing_is_noticed(chip: ShimChip) -> None:
    """Sounders alone would not tell."""
    chip.hold(D0, "w1-gpio")
    chip.hold(13, "w1-gpio")
    with reading(chip) as process:
        process.until("Lost", points=[BACK])
        chip.remove()
        assert "gpiochip0 (pinctrl-shim) has gone" in process.until("failed")["text"]
        chip.plug()
        chip.hold(D0, None)
        process.order(reopen=True)
        process.started()
        send(chip, KNOWN["h10301"])
        process.until("CardRead", point=FRONT)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ({FRONT: {"d0": 54, "d1": 1}}, "line 54 of gpiochip0 does not exist"),
        ({BUZZER: {"line": 60}}, "line 60 of gpiochip0 does not exist"),
    ],
)
def test_lines_that_the_chip_does_not_have(chip: ShimChip, points: dict[str, dict[str, object]], says: str) -> None:
    with reading(chip, points) as process:
        assert says in process.until("refused")["text"]


def test_a_chip_that_vanishes_in_the_middle_of_a_card(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        descriptors = len(list(Path(f"/proc/{process.process.pid}/fd").iterdir()))
        for _ in range(3):
            send(chip, KNOWN["h10301"][:13], interval_ns=MS)
            chip.remove()
            failed = process.until("failed")
            assert "gpiochip0" in failed["text"]
            process.order(apply={BUZZER: True})
            assert "gpiochip0" in process.until("not_applied")["text"]
            process.order(answer={FRONT: True})
            process.order(reopen=True)
            assert "gpiochip0 (pinctrl-shim) has gone" in process.until("refused")["text"]
            chip.plug()
            process.order(reopen=True)
            process.started()
            send(chip, KNOWN["h10301"])
            process.until("CardRead")
        assert len(list(Path(f"/proc/{process.process.pid}/fd").iterdir())) == descriptors
    assert len([s for s in process.seen if s["kind"] == "CardRead"]) == 3


def test_readers_are_found_again_by_the_label_of_their_chip(tmp_path: Path) -> None:
    with shim_chip(tmp_path, number=1, label="expander") as chip, reading(chip, devices=tmp_path) as process:
        process.started()
        chip.remove()
        process.until("failed")
        chip.path.unlink()
        with shim_chip(tmp_path, number=2, label="expander") as moved:
            process.order(reopen=True)
            process.started()
            send(moved, KNOWN["h10301"])
            process.until("CardRead")
            assert facts(process)["chip"] == "gpiochip2"


def test_a_wire_that_is_held_low_is_lost_alone_and_comes_back(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        chip.drive(D1, high=False)
        lost = process.until("Lost", points=[FRONT])
        assert f"D1 (line {D1}) is held low" in lost["reason"]
        send(chip, "1100" * 8, lines=(5, 13))
        process.until("CardRead", point=BACK)
        assert facts(process)["readers"][FRONT]["trouble"] == lost["reason"]
        chip.drive(D1, high=True)
        process.until("Back", points=[FRONT])
        send(chip, KNOWN["h10301"])
        process.until("CardRead", point=FRONT)


def test_a_storm_is_lost_and_no_longer_listened_to(chip: ShimChip) -> None:
    with reading(chip) as process:
        process.started()
        while not any(said["kind"] == "Lost" for said in process.seen):
            chip.drive(D0, high=False, count=5000, pause_s=0)
            facts(process)
        until(lambda: not int(chip._do.shim_flags(chip._chip, D0)) & FALLING, "not to be listened to")
        assert int(chip._do.shim_flags(chip._chip, 5)) & FALLING
        chip.drive(D0, high=True)
        process.until("Back", points=[FRONT])
        send(chip, KNOWN["h10301"])
        process.until("CardRead", point=FRONT)
