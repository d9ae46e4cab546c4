"""A whole controller through faults that come at random and together: no rule of the contract breaks.

`make simulate SEEDS=1000` runs more. `SIMULATE_FIRST=N` takes other seeds than those of every run.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.simulation.plan import Plan, drawn
from tests.simulation.running import Bench, bench
from tests.simulation.world import BrokenError

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST: Final = int(os.environ.get("SIMULATE_FIRST", "0"))
PORTIONS, EACH = 5, 20
KEPT: Final = sorted((Path(__file__).parent / "corpus").glob("*.json"))
"""Plans that once failed, or by which a fault was found."""


@pytest.fixture(name="held")
def _held() -> Iterator[Bench]:
    logging.disable()
    try:
        with bench() as held:
            yield held
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_no_rule_breaks(held: Bench, portion: int) -> None:
    for seed in range(FIRST + portion * EACH, FIRST + (portion + 1) * EACH):
        failed = held.fails(drawn(seed))
        assert failed is None, f"{failed[1]}\n.venv/bin/python -m tests.simulation --seed {seed}"


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_what_once_failed_is_well(held: Bench, file: Path) -> None:
    failed = held.fails(Plan.read(file.read_text()))
    assert failed is None, f"{failed[1]}\n.venv/bin/python -m tests.simulation --plan {file}"


def test_a_plan_comes_to_the_same_every_time(held: Bench) -> None:
    for seed in (3, 5, 8):
        assert held.run(drawn(seed)).trace == held.run(drawn(seed)).trace


def test_a_plan_that_fails_is_made_smaller(held: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a mistake in the rules that shows at the second opening, two openings are left."""
    monkeypatch.setattr("edge.doors.rules._TRIGGERS", {})
    plan = next(plan for seed in range(100) if held.fails(plan := drawn(seed)) is not None)
    failed = held.fails(plan)
    assert failed is not None
    kept = held.shrunk(plan, failed[0])
    assert len(kept) < len(plan.actions) / 4
    with pytest.raises(BrokenError, match=failed[0].split()[0]):
        held.run(plan.only(kept))
