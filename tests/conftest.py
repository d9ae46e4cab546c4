"""What holds for every test: the same dice on every run, a limit on every wait, and a Ctrl-C that means the same."""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_S = 600.0
"""Longer than any wait within a test: only a hang takes this long."""
AGAIN_S = 20.0
"""What cleans up after a hang may hang as well."""

settings.register_profile(
    "doorward",
    deadline=None,  # no test fails by being slow
    suppress_health_check=[HealthCheck.too_slow],  # as above; the first run of a clone makes hypothesis's tables
    database=None,  # what failed on this machine before is no example of this run
    print_blob=True,
)
settings.load_profile("doorward")

for name in [one for one in os.environ if one.startswith("DOORWARD_")] + [
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
]:
    os.environ.pop(name, None)  # of whoever runs the tests
os.environ["TZ"] = "UTC"
time.tzset()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As it is under nohup or `&` of a script; every program that a test starts and interrupts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class HangError(BaseException):
    """Nothing on the way may take it for an error that it knows."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write_line(f"--hypothesis-seed={config.getoption('hypothesis_seed')}")


@pytest.fixture(autouse=True)
def _same_dice(request: pytest.FixtureRequest) -> None:
    random.seed(request.config.getoption("hypothesis_seed"))


def _hangs(*_signal: object) -> NoReturn:
    faulthandler.dump_traceback(sys.__stderr__, all_threads=True)
    raise HangError(f"not over after {LIMIT_S:g} s: it waits for something that never comes")


def _limited() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, _hangs)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S, AGAIN_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


pytest_runtest_setup = pytest_runtest_call = pytest_runtest_teardown = pytest.hookimpl(wrapper=True)(_limited)
