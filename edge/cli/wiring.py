"""`doorctl test DOOR`: one wire after the other, with what is expected and what was seen.

One rule: a step only believes what the controller itself saw; it never guesses.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from edge.cli.client import Client, Unreachable
from edge.cli.text import printable, say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

LOOK_EVERY_S: Final = 0.1
RELEASE_S: Final = 3.0


class Bench(Protocol):
    """A door as this check sees it: through the daemon, or straight through the drivers."""

    def roles(self) -> set[str]:
        """Which points the door has."""

    def seen(self) -> dict[str, str]:
        """Role -> what is seen now: contact `open` or `closed`, rex `pressed` or `at rest` ..."""

    def pressed(self) -> int:
        """How often the exit button was pressed since the beginning."""

    def release(self) -> str | None:
        """Release the lock for a moment; a sentence when it was refused."""


@dataclass(frozen=True, slots=True)
class Step:
    """One result."""

    role: str
    expected: str
    seen: str
    passed: bool | None
    """None: left out."""


def test(arguments: argparse.Namespace) -> int:
    """Guide through the wiring of a door. 1 when a step failed."""
    steps = []
    with _bench(arguments) as bench:
        for step in _steps(bench, arguments):
            steps.append(step)
            if not arguments.json:
                verdict = {True: "ok", False: "FAILED", None: "left out"}[step.passed]
                say(f"  {step.role:<8} {verdict:<9} expected {step.expected}; seen: {printable(step.seen)}")
    if arguments.json:
        say_json({"door": arguments.door, "steps": [asdict(step) for step in steps]})
    return 1 if any(step.passed is False for step in steps) else 0


def _bench(arguments: argparse.Namespace) -> Any:  # noqa: ANN401 -- a context manager that yields a Bench
    try:
        return LiveBench(arguments)
    except Unreachable as error:
        from edge.cli.wiring_offline import OfflineBench  # noqa: PLC0415 -- drivers are loaded only then

        sys.stderr.write(f"doorctl: {error}\ntesting with the drivers themselves\n")
        return OfflineBench(arguments)


def _steps(bench: Bench, arguments: argparse.Namespace) -> Iterator[Step]:
    roles = bench.roles()
    ask = _Guide(bench, arguments)
    if "contact" in roles:
        yield ask.for_level("contact", "closed", "close the door")
        yield ask.for_level("contact", "open", "open the door")
        yield ask.for_level("contact", "closed", "close the door again")
    if "rex" in roles:
        yield ask.for_press()
    yield ask.for_relay()
    if "tamper" in roles:
        yield ask.for_level("tamper", "at rest", "close the housing")


class _Guide:
    """Says what to do and waits until it is seen, until time is up, or until Return leaves it out."""

    def __init__(self, bench: Bench, arguments: argparse.Namespace) -> None:
        self._bench, self._wait_s = bench, arguments.wait
        self._quiet, self._yes = arguments.json, arguments.yes

    def for_level(self, role: str, expected: str, what: str) -> Step:
        self._say(f"{what}; the {role} should say {expected!r}")
        seen = self._until(lambda: self._bench.seen().get(role) == expected)
        return Step(role, expected, self._bench.seen().get(role, "nothing"), seen)

    def for_press(self) -> Step:
        before = self._bench.pressed()
        self._say("press the exit button once")
        seen = self._until(lambda: self._bench.pressed() > before)
        return Step("rex", "a press", "a press" if seen else f"none, it is {self._bench.seen().get('rex')}", seen)

    def for_relay(self) -> Step:
        if not self._yes and (self._quiet or not _confirmed("release the lock for 3 seconds?")):
            return Step("lock", "a click", "not tried", None)
        refused = self._bench.release()
        if refused is not None:
            return Step("lock", "unlocked, then locked", refused, False)
        passed = self._until(lambda: self._bench.seen().get("lock") == "unlocked", RELEASE_S) and self._until(
            lambda: self._bench.seen().get("lock") == "locked", RELEASE_S * 2
        )
        return Step("lock", "unlocked, then locked", "both" if passed else str(self._bench.seen().get("lock")), passed)

    def _say(self, what: str) -> None:
        if not self._quiet:
            say(f"- {what} (within {self._wait_s:.0f} s)")
            sys.stdout.flush()

    def _until(self, true: Callable[[], bool], within_s: float | None = None) -> bool:
        end_s = time.monotonic() + (self._wait_s if within_s is None else within_s)
        while not true():
            if time.monotonic() > end_s:
                return False
            time.sleep(LOOK_EVERY_S)
        return True


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


class LiveBench:
    """Through the running daemon: what it sees is what counts."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises Unreachable without a daemon, ValueError for a door it has not."""
        self._door = arguments.door
        self._client = Client(arguments.socket)
        doors = self._client.ask("status")["doors"]
        if self._door not in doors:
            self._client.close()
            raise ValueError(f"no door {self._door!r}; expected one of {', '.join(doors)}")
        self._began = self._last_sequence()

    def __enter__(self) -> Bench:
        """Ready."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Hang up."""
        self._client.close()

    def roles(self) -> set[str]:
        """See Bench."""
        return set(self._status()["points"])

    def seen(self) -> dict[str, str]:
        """See Bench."""
        door = self._status()
        tamper = "open" if door["tamper"] else "at rest"
        return {"contact": door["contact"], "lock": door["lock"], "rex": "not pressed", "tamper": tamper}

    def pressed(self) -> int:
        """See Bench: exit requests that unlocked, or that authorised an opening."""
        records = self._client.ask("events", after=self._began, door=[self._door])["records"]
        by_rex = (r["data"]["cause"] == "rex" or r["data"]["details"].get("authorised_by") == "rex" for r in records)
        return sum(by_rex)

    def release(self) -> str | None:
        """See Bench."""
        body = {"command": "unlock", "door": self._door, "for_s": RELEASE_S}
        outcome = self._client.ask("command", **body)["outcomes"][self._door]
        return None if outcome["done"] else str(outcome["message"])

    def _status(self) -> dict[str, Any]:
        door: dict[str, Any] = self._client.ask("status")["doors"][self._door]
        return door

    def _last_sequence(self) -> int:
        return int(self._client.ask("status")["log"]["committed"])
