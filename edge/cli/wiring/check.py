"""`doorctl test DOOR`: one point after the other, with the expected and the seen state.

One rule: an input passes when the controller has seen it. Only for the movement of the lock a person is asked,
because no wire shows it.
"""

from __future__ import annotations

import select
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from edge.cli.tables import say_fitting
from edge.cli.text import say_json
from edge.cli.wiring.door import RELEASE_S
from edge.cli.wiring.live import LiveDoor
from edge.client.connection import Unreachable
from edge.model.printable import spelt
from edge.model.roles import ROLES, PointKind

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from edge.cli.terminal import Kind
    from edge.cli.wiring.door import DoorUnderTest
    from edge.model.roles import Role

LOOK_EVERY_S: Final = 0.1
CONFIRMS_WITHIN_S: Final = 2.0
"""A relay that takes longer fails."""
VERDICTS: Final = {True: "ok", False: "FAILED", None: "skipped"}
KINDS: Final[dict[bool | None, Kind]] = {True: "", False: "alarm", None: "warning"}
BESIDE: Final = 21
"""Where what was expected begins."""


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one step."""

    role: str
    expected: str
    seen: str
    passed: bool | None
    """None: skipped."""


def test(arguments: argparse.Namespace) -> int:
    """Guide through the wiring of a door. 1 when a step failed."""
    steps = []
    with _door_under_test(arguments) as door:
        for step in _steps(door, _Guide(door, arguments)):
            steps.append(step)
            if not arguments.json:
                line = f"  {step.role:<8} {VERDICTS[step.passed]:<9} expected {step.expected}; seen: {step.seen}"
                say_fitting(line, BESIDE, KINDS[step.passed])
    if arguments.json:
        say_json({"door": arguments.door, "steps": [asdict(step) for step in steps]})
    else:
        worst = min((step.passed for step in steps), key=[False, None, True].index, default=True)
        say_fitting(f"{arguments.door}: {summary(steps)}", 0, KINDS[worst])
    return 1 if any(step.passed is False for step in steps) else 0


def summary(steps: Sequence[Step]) -> str:
    """How many steps were well, and the points of those that were not."""
    parts = []
    for passed, verdict in VERDICTS.items():
        points = [step.role for step in steps if step.passed is passed]
        named = "" if passed else f" ({', '.join(dict.fromkeys(points))})"
        parts += [f"{len(points)} {verdict}{named}"] * bool(points)
    return ", ".join(parts)


def _door_under_test(arguments: argparse.Namespace) -> AbstractContextManager[DoorUnderTest]:
    try:
        return LiveDoor(arguments)
    except Unreachable as error:
        if not isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
            raise  # a daemon runs, and only it may use its hardware
        from edge.cli.wiring.offline import OfflineDoor  # noqa: PLC0415 -- drivers are loaded only then

        sys.stderr.write(
            f"doorctl: {spelt(error)}\ndoorctl: this test opens the drivers itself; all their locks go to rest first\n"
        )
        return OfflineDoor(arguments)


def _steps(door: DoorUnderTest, guide: _Guide) -> Iterator[Step]:
    names = door.roles()
    roles = [role for name, role in ROLES.items() if name in names]
    yield from guide.each(role for role in roles if role.kind is PointKind.INPUT)
    yield guide.for_lock()
    yield from guide.each(role for role in roles if role.kind is PointKind.READER)


class _Guide:
    """Says what to do, and waits until the controller has seen it, time is up, or Return skips the step."""

    def __init__(self, door: DoorUnderTest, arguments: argparse.Namespace) -> None:
        self._door_under_test, self._wait_s = door, arguments.wait
        self._json, self._yes = arguments.json, arguments.yes
        self._asks = sys.stdin.isatty()

    def each(self, roles: Iterable[Role]) -> Iterator[Step]:
        """The steps of these roles, from the table ROLES."""
        for role in roles:
            for check in role.checks:
                step = self.for_one_more if check.counts else self.for_level
                yield step(role.name, check.expected, check.todo)

    def for_level(self, role: str, expected: str, todo: str) -> Step:
        self._tell(f"{todo}; the {role} should say: {expected}")
        passed = self._until(self._shows(role, expected), self._wait_s)
        return Step(role, expected, expected if passed else self._door_under_test.seen().get(role, "nothing"), passed)

    def for_one_more(self, role: str, expected: str, todo: str) -> Step:
        before = self._door_under_test.count(role)
        self._tell(todo)
        passed = self._until(lambda: self._door_under_test.count(role) > before, self._wait_s)
        return Step(role, expected, expected if passed else "nothing", passed)

    def for_lock(self) -> Step:
        expected = "unlocked, then locked"
        if not self._until(self._shows("lock", "locked"), self._wait_s):  # the exit button may have just released it
            return Step(
                "lock", expected, f"{self._door_under_test.seen().get('lock')} before the test: not tried", None
            )
        if not self._yes and not self._answer(f"release the lock for {RELEASE_S:.0f} s?"):
            return Step("lock", expected, "not tried", None)
        refused = self._door_under_test.release()
        if refused is not None:
            return Step("lock", expected, refused, False)
        for wanted, within_s in (("unlocked", CONFIRMS_WITHIN_S), ("locked", RELEASE_S + CONFIRMS_WITHIN_S)):
            if not self._until(self._shows("lock", wanted), within_s, skip=False):
                return Step("lock", expected, f"the relay did not become {wanted}", False)
        if not self._yes and not self._answer("did the lock unlock, and then lock again?"):
            return Step("lock", expected, "the relay switched, the lock did not: check its supply and its cable", False)
        return Step("lock", expected, expected, True)

    def _shows(self, role: str, wanted: str) -> Callable[[], bool]:
        return lambda: self._door_under_test.seen().get(role) == wanted

    def _tell(self, todo: str) -> None:
        skip = ", Return skips it" if self._asks else ""
        self._print(f"- {todo} (within {self._wait_s:g} s{skip})\n")

    def _answer(self, question: str) -> bool:
        if not self._asks:
            return False
        self._print(f"- {question} [y/N] ")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def _print(self, text: str) -> None:
        out = sys.stderr if self._json else sys.stdout  # stdout has the JSON document only
        out.write(text)
        out.flush()

    def _until(self, true: Callable[[], bool], within_s: float, *, skip: bool = True) -> bool | None:
        end_s = time.monotonic() + within_s
        while not true():
            if skip and self._asks and select.select([sys.stdin], [], [], 0)[0]:
                sys.stdin.readline()
                return None
            if time.monotonic() > end_s:
                return False
            time.sleep(LOOK_EVERY_S)
        return True
