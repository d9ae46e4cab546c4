"""Faults that were mended once are found again, each within a hundred seeds, when they are put back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import pytest

from tests.simulation.mistakes import MISTAKES
from tests.simulation.plan import drawn
from tests.simulation.running import bench

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SEEDS: Final = 100


@pytest.mark.parametrize(
    ("put_back", "rule"), MISTAKES.items(), ids=[put_back.__name__.lstrip("_") for put_back in MISTAKES]
)
def test_a_mended_fault_is_found_when_it_is_put_back(
    monkeypatch: pytest.MonkeyPatch, put_back: Callable[[pytest.MonkeyPatch], None], rule: str
) -> None:
    put_back(monkeypatch)
    logging.disable()
    try:
        with bench() as held:
            found = next(filter(None, (held.fails(drawn(seed)) for seed in range(MOST_SEEDS))), None)
    finally:
        logging.disable(logging.NOTSET)
    assert found is not None
    assert found[0] == rule
