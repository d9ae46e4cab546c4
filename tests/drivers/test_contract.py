"""The promise of `edge.model.ports.Driver`, the same for every kind of hardware."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from edge.config.reading import kinds
from edge.model.messages import Confirmed, Level
from edge.settings.door_tables import POINTS
from tests.support.harness import BENCHES, INPUTS, OUTPUTS, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.harness import Bench

HEAVY = ("gpiozero", "gpiod", "lgpio", "serial", "pymodbus", "osdp", "paho", "sqlite_utils")


@pytest.fixture(params=sorted(BENCHES))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with BENCHES[request.param]() as made:
        yield made
        made.driver.close()


# --- the module -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_the_module_offers_what_the_configuration_asks_for(kind: str) -> None:
    module: Any = import_module(f"drivers.{kind}.points")
    assert issubclass(module.Settings, BaseModel)
    assert module.Settings.model_config["extra"] == "forbid"
    assert "kind" not in module.Settings.model_fields
    assert module.POINTS.keys() <= POINTS.keys()
    for role, model in module.POINTS.items():
        assert model.model_config["extra"] == "forbid"
        assert not model.model_fields.keys() & POINTS[role].model_fields.keys(), "a key has one owner"
    if "lock" in module.POINTS:
        assert module.POINTS["lock"].model_fields["resting"].is_required(), "the installer chooses"


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_importing_a_module_loads_no_vendor_library(kind: str) -> None:
    program = f"import sys, drivers.{kind}.points; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- outputs -----------------------------------------------------------------------------------


def test_making_a_driver_touches_nothing(bench: Bench) -> None:
    assert {point: bench.shown(point) for point in OUTPUTS} == {point: [] for point in OUTPUTS}


def test_opening_shows_the_resting_level_and_no_other(bench: Bench) -> None:
    bench.driver.open()
    assert {point: bench.shown(point) for point in OUTPUTS} == {point: [rest] for point, rest in OUTPUTS.items()}


def test_closing_brings_every_output_to_rest(bench: Bench) -> None:
    async def scenario() -> None:
        bench.driver.open()
        async with running(bench.driver) as seen:
            bench.driver.apply({point: not rest for point, rest in OUTPUTS.items()})
            await seen.until(lambda: len(seen.of(Confirmed)) == len(OUTPUTS))
        bench.driver.close()

    asyncio.run(scenario())
    assert {point: bench.shown(point) for point in OUTPUTS} == {
        p: [rest, not rest, rest] for p, rest in OUTPUTS.items()
    }
    bench.driver.close()  # and once more does no harm


def test_closing_what_was_never_opened_does_no_harm(bench: Bench) -> None:
    bench.driver.close()


def test_an_output_is_confirmed_when_the_hardware_has_it(bench: Bench) -> None:
    async def scenario() -> None:
        bench.driver.open()
        async with running(bench.driver) as seen:
            before_ns = bench.now_ns()
            bench.driver.apply({"front.lock": True})
            await seen.until(lambda: seen.of(Confirmed))
            [confirmed] = seen.of(Confirmed)
            assert (confirmed.point, confirmed.asserted) == ("front.lock", True)
            assert before_ns <= confirmed.at_ns <= bench.now_ns()

    asyncio.run(scenario())
    assert bench.shown("back.lock")[0] is True
    assert bench.shown("front.lock")[:2] == [False, True]


def test_what_was_applied_before_run_is_confirmed_too(bench: Bench) -> None:
    async def scenario() -> None:
        bench.driver.open()
        bench.driver.apply({"front.lock": True})
        async with running(bench.driver) as seen:
            await seen.until(lambda: any(c.point == "front.lock" and c.asserted for c in seen.of(Confirmed)))

    asyncio.run(scenario())


def test_applying_twice_changes_nothing(bench: Bench) -> None:
    async def scenario() -> None:
        bench.driver.open()
        async with running(bench.driver) as seen:
            bench.driver.apply({"front.lock": True})
            bench.driver.apply({"front.lock": True})
            bench.driver.apply({"front.buzzer": True})
            await seen.until(lambda: any(c.point == "front.buzzer" for c in seen.of(Confirmed)))
            assert bench.shown("front.lock") == [False, True]

    asyncio.run(scenario())


# --- inputs -------------------------------------------------------------------------------------


def test_every_input_reports_its_first_level_once_before_any_edge(bench: Bench) -> None:
    async def scenario() -> None:
        bench.driver.open()
        async with running(bench.driver) as seen:
            await seen.until(lambda: len(seen.of(Level)) >= len(INPUTS))
            levels = seen.of(Level)
            assert {level.point: level.asserted for level in levels} == dict.fromkeys(INPUTS, False)
            assert len(levels) == len(INPUTS)
            assert all(level.initial for level in levels)

    asyncio.run(scenario())


def test_a_level_that_was_there_at_start_is_the_first_level(bench: Bench) -> None:
    async def scenario() -> None:
        bench.move("front.contact", True)
        bench.driver.open()
        async with running(bench.driver) as seen:
            await seen.until(lambda: len(seen.of(Level)) >= len(INPUTS))
            first = next(level for level in seen.of(Level) if level.point == "front.contact")
            assert (first.asserted, first.initial) == (True, True)

    asyncio.run(scenario())


def test_every_edge_arrives_in_order_with_the_time_it_happened(bench: Bench) -> None:
    async def scenario() -> None:
        bench.driver.open()
        async with running(bench.driver) as seen:
            await seen.until(lambda: len(seen.of(Level)) >= len(INPUTS))
            seen.signals.clear()
            moments = []
            for level in (True, False, True):
                before_ns = bench.now_ns()
                bench.move("front.rex", level)
                moments.append((before_ns, level, bench.now_ns()))
                await seen.until(lambda: len(seen.of(Level)) >= len(moments))
            edges = seen.of(Level)
            assert [edge.point for edge in edges] == ["front.rex"] * 3
            assert not any(edge.initial for edge in edges)
            for edge, (before_ns, level, after_ns) in zip(edges, moments, strict=True):
                assert edge.asserted is level
                assert before_ns <= edge.at_ns <= after_ns

    asyncio.run(scenario())


def test_a_level_can_be_read_at_any_time(bench: Bench) -> None:
    async def scenario() -> None:
        bench.driver.open()
        async with running(bench.driver) as seen:
            await seen.until(lambda: len(seen.of(Level)) >= len(INPUTS))
            assert bench.driver.level("back.contact") is False
            bench.move("back.contact", True)
            await seen.until(lambda: any(level.asserted for level in seen.of(Level)))
            assert bench.driver.level("back.contact") is True
            assert bench.driver.level("front.contact") is False
            assert bench.driver.level("front.lock") is None

    asyncio.run(scenario())


# --- loss ----------------------------------------------------------------------------------------


def test_a_line_that_is_lost_ends_run_and_returns_with_open(bench: Bench) -> None:
    async def scenario() -> None:
        driver = bench.driver
        driver.open()
        async with running(driver) as seen:
            await seen.until(lambda: len(seen.of(Level)) >= len(INPUTS))
            bench.unplug()
            with pytest.raises(OSError, match=r".+"):
                await seen.until(lambda: False)
        with pytest.raises(OSError, match=r".+"):
            driver.open()
        assert driver.level("front.contact") is None
        bench.plug()
        bench.move("front.contact", True)
        driver.open()
        async with running(driver) as seen:
            await seen.until(lambda: len(seen.of(Level)) >= len(INPUTS))
            assert all(level.initial for level in seen.of(Level))
            assert {level.point for level in seen.of(Level) if level.asserted} == {"front.contact"}

    asyncio.run(scenario())


def test_after_a_loss_the_outputs_rest_until_told_again(bench: Bench) -> None:
    async def scenario() -> None:
        bench.driver.open()
        async with running(bench.driver) as seen:
            bench.driver.apply({"front.lock": True})
            await seen.until(lambda: seen.of(Confirmed))
        bench.unplug()
        bench.plug()
        bench.driver.open()
        assert bench.shown("front.lock")[-1] is False

    asyncio.run(scenario())


def test_nothing_is_reported_after_run_has_ended(bench: Bench) -> None:
    async def scenario() -> None:
        bench.driver.open()
        async with running(bench.driver) as seen:
            await seen.until(lambda: len(seen.of(Level)) >= len(INPUTS))
        count = len(seen.signals)
        bench.move("front.contact", True)
        await asyncio.sleep(0)
        assert len(seen.signals) == count

    asyncio.run(scenario())


def test_facts_are_json_and_can_be_had_at_any_time(bench: Bench) -> None:
    json.dumps(dict(bench.driver.describe()), allow_nan=False)
    bench.driver.open()
    json.dumps(dict(bench.driver.describe()), allow_nan=False)
    bench.driver.close()
    json.dumps(dict(bench.driver.describe()), allow_nan=False)


def test_a_driver_carries_the_points_it_was_given(bench: Bench) -> None:
    assert bench.driver.points == INPUTS | OUTPUTS.keys()
    assert bench.driver.name == "bench"
