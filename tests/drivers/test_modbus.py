"""The Modbus driver on a line with pymodbus' own server at its end; the contract's tests are in test_contract.py."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from pymodbus.framer import FramerRTU

from drivers.modbus.points import POINTS, Settings, addresses
from edge.config.reading import load
from edge.model.messages import Back, Confirmed, Level, Lost
from edge.model.problems import ConfigError
from tests.support.harness import running
from tests.support.modbus import ModbusLine, driver, modbus_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.modbus.driver import ModbusDriver

ROOT = Path(__file__).parents[2]
LOCK = {"unit": 1, "coil": 0, "unlocked": "on", "resting": "locked"}
REGISTER = {"unit": 1, "register": 1, "on": 0x0100, "off": 0x0200, "unlocked": "on", "resting": "locked"}
FLASHED = {"a.lock": LOCK | {"flash": "waveshare"}}
TWO = {
    "a.lock": LOCK,
    "a.contact": {"unit": 1, "input": 0, "closed": "off"},
    "b.lock": LOCK | {"unit": 2},
    "b.rex": {"unit": 2, "input": 0},
}
PATIENT = {"timeout_ms": 500, "misses": 2}
"""For boards that are silent on purpose; one that is slow because the machine is comes back."""


@pytest.fixture
def line(tmp_path: Path) -> Iterator[ModbusLine]:
    with modbus_line(tmp_path, 1, 2) as made:
        yield made


def shown(line: ModbusLine, unit: int, coil: int = 0) -> list[bool]:
    with line.changed:
        return [*line.boards[unit].shown.get(coil, [])]


def set_input(line: ModbusLine, unit: int, number: int, value: int, table: str = "discrete") -> None:
    with line.changed:
        line.boards[unit].tables[table][number] = value


def counts(made: ModbusDriver) -> Any:
    return made.describe()["line"]


# --- the configuration --------------------------------------------------------------------------------


def test_the_example_has_every_key() -> None:
    file = ROOT / "config" / "example-modbus.toml"
    settings = load(file)
    assert set(settings.drivers) == {"boards"}
    text = file.read_text()
    models = (Settings, *POINTS.values())
    keys = {field.alias or key for model in models for key, field in model.model_fields.items()} | {
        "every_s",
        "holding",
        "value",
    }
    assert [key for key in sorted(keys) if f"{key} = " not in text] == []


@pytest.mark.parametrize(
    ("role", "table", "why"),
    [
        ("contact", {"unit": 0, "input": 0}, "unit"),
        ("contact", {"unit": 1, "input": 0, "bit": 3}, "bit"),
        ("contact", {"unit": 1, "input": 0, "table": "holding"}, "bit"),
        ("lock", {"unit": 1, "coil": 0, "unlocked": "on"}, "resting"),
        ("lock", LOCK | {"coil": 255, "flash": "waveshare"}, "flash"),
        ("buzzer", {"unit": 1, "coil": 65536}, "coil"),
        ("buzzer", {"unit": 1}, 'either "coil" or "register"'),
        ("lock", REGISTER | {"coil": 0}, 'either "coil" or "register"'),
        ("lock", REGISTER | {"off": 0x0100}, "two different values"),
        ("buzzer", {"unit": 1, "register": 1, "on": 1}, '"on" and "off"'),
        ("lock", REGISTER | {"on_reads": 0}, "on_reads"),
        ("lock", REGISTER | {"flash": "waveshare"}, "flash"),
        ("lock", LOCK | {"on": 1}, 'belong to "register"'),
    ],
)
def test_wiring_that_cannot_be_is_refused(role: str, table: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        POINTS[role](**table)


def test_a_number_that_is_too_large_is_told_its_range(tmp_path: Path) -> None:
    text = (ROOT / "config" / "example-modbus.toml").read_text()
    file = tmp_path / "doord.toml"
    file.write_text(
        text.replace("register = 1,", "register = 70000,").replace("unit = 2, coil = 0", "unit = 2, coil = 70000")
    )
    with pytest.raises(ConfigError) as refused:
        load(file)
    assert "door.shed.lock.register: found 70000, expected 0 to 65535" in str(refused.value)
    assert "door.store.lock.coil: found 70000, expected 0 to 65535" in str(refused.value)


def test_what_a_point_occupies() -> None:
    assert addresses(POINTS["lock"](**LOCK)) == {"coil 0 of unit 1"}
    assert addresses(POINTS["lock"](**REGISTER)) == {"holding register 1 of unit 1"}
    assert addresses(POINTS["rex"](unit=1, input=0, table="coil")) == {"coil 0 of unit 1"}
    assert addresses(POINTS["rex"](unit=1, input=0)) == {"discrete input 0 of unit 1"}
    assert addresses(POINTS["rex"](unit=1, input=0, table="input", bit=2)) == {"bit 2 of input register 0 of unit 1"}


# --- boards that go and come back -----------------------------------------------------------------------


def test_a_board_that_is_cut_off_takes_its_own_points_with_it_only(line: ModbusLine) -> None:
    async def scenario() -> None:
        made = driver(line, TWO, **PATIENT)
        made.open()
        async with running(made) as seen:
            await seen.until(lambda: len(seen.of(Level)) == 2)
            made.apply({"a.lock": True})
            await seen.until(
                lambda: Confirmed("a.lock", True, 0) in [Confirmed(c.point, c.asserted, 0) for c in seen.of(Confirmed)]
            )
            line.boards[1].powered = False
            await seen.until(lambda: seen.of(Lost))
            [lost] = seen.of(Lost)
            assert (lost.points, lost.reason) == ({"a.lock", "a.contact"}, "unit 1 does not answer")
            assert (made.level("a.contact"), made.level("b.rex")) == (None, False)
            set_input(line, 2, 0, 1)
            await seen.until(lambda: any(level.point == "b.rex" and level.asserted for level in seen.of(Level)))
            made.apply({"a.lock": False, "b.lock": True})
            await seen.until(lambda: any(c.point == "b.lock" for c in seen.of(Confirmed)))
            set_input(line, 1, 0, 1)
            seen.signals.clear()
            line.boards[1].powered = True
            await seen.until(lambda: any(isinstance(s, Confirmed) and s.point == "a.lock" for s in seen.signals))
            mine = [s for s in seen.signals if not isinstance(s, Lost)]
            assert [type(signal) for signal in mine] == [Back, Level, Confirmed]
            assert (mine[1].point, mine[1].asserted, mine[1].initial) == ("a.contact", True, True)
            assert (shown(line, 1), shown(line, 2)) == ([False, True, False], [False, True])
        made.close()

    asyncio.run(scenario())


def test_a_board_that_never_answered_is_lost_and_holds_nobody_up(line: ModbusLine) -> None:
    async def scenario() -> None:
        line.boards[1].powered = False
        made = driver(line, TWO, **PATIENT)
        made.open()
        assert shown(line, 2) == [False]
        async with running(made) as seen:
            await seen.until(lambda: seen.of(Lost) and seen.of(Level))
            assert seen.of(Lost)[0].points == {"a.lock", "a.contact"}
            assert {level.point for level in seen.of(Level)} == {"b.rex"}
        made.close()

    asyncio.run(scenario())


def test_a_board_that_lost_its_power_gets_its_relay_back(line: ModbusLine) -> None:
    async def scenario() -> None:
        made = driver(line, {"a.lock": LOCK})
        made.open()
        async with running(made) as seen:
            made.apply({"a.lock": True})
            await seen.until(lambda: seen.of(Confirmed))
            with line.changed:
                line.boards[1].reset()
            line.wait_for(lambda: shown(line, 1) == [False, True, False, True])
            line.asked_again(1)
            assert made.describe()["boards"]["1"]["repairs"] == 1
            assert len(seen.signals) == 1
        made.close()

    asyncio.run(scenario())


def test_a_relay_by_register_is_switched_on_the_line(line: ModbusLine) -> None:
    async def scenario() -> None:
        line.boards[1].registers = {0x0100: 1, 0x0200: 0}
        made = driver(line, {"a.lock": REGISTER})
        made.open()
        async with running(made) as seen:
            made.apply({"a.lock": True})
            await seen.until(lambda: seen.of(Confirmed))
            assert line.boards[1].tables["holding"][1] == 1
            made.apply({"a.lock": False})
            await seen.until(lambda: len(seen.of(Confirmed)) == 2)
            assert line.boards[1].tables["holding"][1] == 0
            made.apply({"a.lock": True})
            await seen.until(lambda: len(seen.of(Confirmed)) == 3)
        made.close()
        assert line.boards[1].tables["holding"][1] == 0, "at rest"

    asyncio.run(scenario())


def test_the_watchdog_is_set_whenever_the_board_appears(line: ModbusLine) -> None:
    async def scenario() -> None:
        dog = [{"unit": 1, "holding": 8, "value": 5}]
        made = driver(line, TWO, watchdog=dog, **PATIENT)
        made.open()
        async with running(made) as seen:
            await seen.until(lambda: len(seen.of(Level)) == 2)
            assert line.boards[1].tables["holding"][8] == 5
            line.boards[1].powered = False
            await seen.until(lambda: seen.of(Lost))
            line.boards[1].tables["holding"][8] = 0
            line.boards[1].powered = True
            await seen.until(lambda: seen.of(Back))
            assert line.boards[1].tables["holding"][8] == 5
        made.close()

    asyncio.run(scenario())


# --- relays that fall back by themselves ------------------------------------------------------------------


def test_a_flashed_relay_is_renewed_while_the_driver_lives(line: ModbusLine) -> None:
    async def scenario() -> None:
        made = driver(line, FLASHED)
        made.open()
        async with running(made) as seen:
            made.apply({"a.lock": True})
            await seen.until(lambda: seen.of(Confirmed))
            for _ in range(2):
                with line.changed:
                    line.boards[1].pass_time(39)
                    before = len(line.boards[1].requests)
                line.wait_for(lambda before=before: any(r[0] == "coil" for r in line.boards[1].requests[before:]))
                assert line.boards[1].falls == {0: 40}
            made.apply({"a.lock": False})
            await seen.until(lambda: len(seen.of(Confirmed)) == 2)
            assert line.boards[1].falls == {}
        made.close()

    asyncio.run(scenario())
    assert shown(line, 1) == [False, True, False]


CHILD = """
import asyncio, sys
from drivers.modbus import driver as modbus
from drivers.modbus.points import POINTS, Settings
from edge.model.messages import Confirmed
from tests.support.modbus import boot_ns

lock = POINTS["lock"](unit=1, coil=0, unlocked="on", resting="locked", flash="waveshare")
made = modbus.create("child", Settings(port=sys.argv[1], baud=115200), {"a.lock": lock}, boot_ns)

def emit(signal):
    if isinstance(signal, Confirmed):
        print("released", flush=True)

made.open()
made.apply({"a.lock": True})
asyncio.run(made.run(emit))
"""


def test_a_flashed_relay_falls_back_when_the_driver_is_killed(line: ModbusLine) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(line.link)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "released\n"
        child.kill()
    assert shown(line, 1) == [False, True]
    with line.changed:
        line.boards[1].pass_time(40)
    assert shown(line, 1) == [False, True, False]


# --- a line that is not clean -------------------------------------------------------------------------------


def test_noise_and_broken_answers_are_counted_and_not_believed(line: ModbusLine) -> None:
    answers = 0

    def spoil(data: bytes) -> bytes:
        nonlocal answers
        answers += 1
        if answers % 3 == 0:
            return data[:-1] + bytes([data[-1] ^ 1])
        return b"\x01\x02\xff" + data

    async def scenario() -> None:
        line.spoil = spoil
        made = driver(line, TWO, timeout_ms=100, misses=20)
        made.open()
        async with running(made) as seen:
            await seen.until(lambda: len(seen.of(Level)) >= 2)
            for level in (True, False, True):
                set_input(line, 1, 0, int(level))
                made.apply({"b.lock": level})
                await seen.until(
                    lambda level=level: (
                        made.level("a.contact") is level
                        and seen.of(Confirmed)
                        and seen.of(Confirmed)[-1].asserted is level
                    )
                )
            assert counts(made)["garbled"] > 0
            assert counts(made)["noise_bytes"] > 0
        made.close()

    asyncio.run(scenario())


def test_words_that_nobody_asked_for_change_nothing(line: ModbusLine) -> None:
    async def scenario() -> None:
        made = driver(line, TWO)
        made.open()
        async with running(made) as seen:
            await seen.until(lambda: len(seen.of(Level)) == 2)
            for _ in range(20):
                line.say(b"\x02\x02\x01")
                line.asked_again(1)
            assert counts(made)["noise_bytes"] > 0
            assert len(seen.signals) == 2
        made.close()

    asyncio.run(scenario())


def test_another_units_answer_is_not_taken_for_the_boards(line: ModbusLine) -> None:
    def spoil(data: bytes) -> bytes:
        if data[0] != 1:
            return data
        other = b"\x03" + data[1:-2]
        return other + FramerRTU.compute_CRC(other).to_bytes(2, "big")

    async def scenario() -> None:
        made = driver(line, TWO, **PATIENT)
        made.open()
        async with running(made) as seen:
            await seen.until(lambda: len(seen.of(Level)) == 2)
            set_input(line, 1, 0, 1)
            line.spoil = spoil
            await seen.until(lambda: seen.of(Lost))
            assert seen.of(Lost)[0].reason == "unit 1 answers with noise"
        made.close()

    asyncio.run(scenario())


def test_a_board_that_refuses_is_lost_with_its_reason_until_it_does_not(line: ModbusLine) -> None:
    async def scenario() -> None:
        line.boards[1].refuses["read discrete"] = 2
        made = driver(line, TWO, misses=2)
        made.open()
        async with running(made) as seen:
            await seen.until(lambda: seen.of(Lost))
            assert seen.of(Lost)[0].reason == "unit 1 refuses: illegal data address (2)"
            assert counts(made)["refused"] >= 2
            with line.changed:
                line.boards[1].refuses.clear()
            await seen.until(lambda: seen.of(Back))
        made.close()

    asyncio.run(scenario())


# --- the driver itself ----------------------------------------------------------------------------------------


def test_nothing_waits_for_a_board_that_is_silent(line: ModbusLine) -> None:
    """With a timeout of a minute: `open`, `apply` and `close` would be seen to wait for it."""
    for board in line.boards.values():
        board.powered = False
    made = driver(line, TWO)
    made._patience_s = 0
    made.open()
    made.apply({"a.lock": True})
    line_thread = made._worker
    assert line_thread is not None
    made.close()
    assert line_thread._thread is not None
    line.unplug()
    line_thread._thread.join()
    with pytest.raises(OSError, match="not open"):
        made.apply({"a.lock": True})


def test_a_port_belongs_to_one_driver(line: ModbusLine) -> None:
    made, other = driver(line, TWO), driver(line, TWO)
    made.open()
    with pytest.raises(OSError, match="used by another program"):
        other.open()
    made.close()
    other.open()
    other.close()


def test_closing_ends_run(line: ModbusLine) -> None:
    async def scenario() -> None:
        made = driver(line, TWO)
        made.open()
        async with running(made) as seen:
            await seen.until(lambda: seen.of(Level))
            made.close()
            with pytest.raises(OSError, match="closed"):
                await seen.run

    asyncio.run(scenario())


def test_a_receiver_that_fails_deafens_nobody(line: ModbusLine) -> None:
    async def scenario() -> None:
        said: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
        heard: set[str] = set()
        both = asyncio.Event()

        def take(signal: object) -> None:
            heard.update([signal.point] if isinstance(signal, Level) else [])
            if len(heard) == 2:
                both.set()
            raise RuntimeError("a fault in the rules")

        made = driver(line, TWO)
        made.open()
        task = asyncio.ensure_future(made.run(take))
        await asyncio.wait_for(both.wait(), 30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        made.close()
        assert said[:2] == [f"driver {made.name}: the receiver of Level failed"] * 2

    asyncio.run(scenario())


def test_a_mistake_of_our_own_is_a_loss_and_not_silence(line: ModbusLine) -> None:
    def mistaken(_question: object) -> tuple[int, ...]:
        raise RuntimeError("a mistake")

    async def scenario() -> None:
        made = driver(line, TWO)
        made.open()
        async with running(made) as seen:
            await seen.until(lambda: len(seen.of(Level)) == 2)
            assert made._worker is not None
            made._worker.line.ask = mistaken
            with pytest.raises(OSError, match="internal error: RuntimeError"):
                await seen.until(lambda: False)
            with pytest.raises(OSError, match="internal error"):
                made.apply({"a.lock": True})
        made.close()

    asyncio.run(scenario())


def test_facts_tell_of_the_line_and_of_each_board(line: ModbusLine) -> None:
    async def scenario() -> None:
        made = driver(line, TWO)
        made.open()
        async with running(made) as seen:
            await seen.until(lambda: len(seen.of(Level)) == 2)
            facts: Any = json.loads(json.dumps(dict(made.describe())))
            assert {board["state"] for board in facts["boards"].values()} == {"up"}
            assert facts["line"]["asked"] >= facts["line"]["answered"] > 0
            assert facts["line"]["silent"] == facts["line"]["garbled"] == 0
        made.close()

    asyncio.run(scenario())
