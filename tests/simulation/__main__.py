"""`make simulate SEEDS=1000`: run seeds; what fails is made smaller and printed with the command that repeats it."""

# ruff: noqa: T201 -- a script: it prints

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.simulation.plan import Plan, drawn
from tests.simulation.running import bench

if TYPE_CHECKING:
    from tests.simulation.running import Bench

EVERY: Final = 1_000
"""After so many seeds it says how far it is."""


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def _failed(held: Bench, plan: Plan, name: str, failed: tuple[str, str], *, shrink: bool) -> None:
    print(f"{name}: {failed[1]}", flush=True)
    kept = held.shrunk(plan, failed[0]) if shrink else list(range(len(plan.actions)))
    smaller = held.fails(plan.only(kept))
    print(f"  {len(kept)} of {len(plan.actions)} actions are enough: {smaller[1] if smaller else 'not every time'}")
    print(f"  .venv/bin/python -m tests.simulation {name} --only {','.join(map(str, kept))}")
    print(plan.only(kept).text(), flush=True)


def main() -> int:
    """0: all seeds were clean."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first seed")
    parser.add_argument("--seed", type=int, metavar="N", help="this seed alone")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="a plan that was kept")
    parser.add_argument("--only", type=_numbers, metavar="N,…", help="only these actions of it")
    parser.add_argument("--no-shrink", action="store_true", help="leave what fails as it is")
    asked = parser.parse_args()
    logging.disable()
    if asked.plan is not None:
        plans = [(f"--plan {asked.plan}", Plan.read(asked.plan.read_text()))]
    else:
        seeds = range(asked.first, asked.first + asked.seeds) if asked.seed is None else [asked.seed]
        plans = ((f"--seed {seed}", drawn(seed)) for seed in seeds)
    began_s, failures, count = time.process_time(), 0, 0
    with bench() as held:
        for name, whole in plans:
            plan = whole if asked.only is None else whole.only(asked.only)
            count += 1
            if (failed := held.fails(plan)) is not None:
                failures += 1
                _failed(held, plan, name, failed, shrink=not asked.no_shrink and asked.only is None)
            if count % EVERY == 0:
                print(f"{count} seeds, {failures} failed", flush=True)
    took_s = time.process_time() - began_s
    speed = f"{count / took_s:.1f} seeds a second of processor time"
    print(f"{count} seeds, {count - failures} clean, {failures} failed; {speed}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
