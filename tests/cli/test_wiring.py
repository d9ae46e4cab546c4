"""`doorctl test DOOR`: passes by what was seen, fails by what was not, and never goes behind a daemon's back."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from edge.cli.main import main
from edge.cli.wiring import check as wiring
from edge.cli.wiring.offline import OfflineDoor
from edge.model.roles import ROLES, SWITCHES
from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon, door, status
from tests.support.golden import check_golden
from tests.support.house import write_config

if TYPE_CHECKING:
    from pathlib import Path


class Building:
    """One door whose wires move as time goes by: role -> when (s) it shows what from then on."""

    STORY: ClassVar[dict[str, list[tuple[float, Any]]]] = {
        "contact": [(0, "closed"), (1, "open"), (2, "closed")],
        "rex": [(0, False)],
        "pressed": [(3 * n, n) for n in range(100)],
        "lock": [(0, "locked")],
        "points": [(0, ("lock", "contact", "rex", "tamper", "reader"))],
        "tamper": [(0, None)],
        "cards": [(5 * n, n) for n in range(60)],
    }

    def __init__(self, clock: list[float], **story: Any) -> None:
        self.clock, self.story = clock, {**self.STORY, **story}
        self.refuses: str | None = None
        self.stuck = False
        self.broken: tuple[str, ...] = ()

    def shows(self, role: str) -> Any:
        """What has no story changes over every second."""
        story = self.story.get(role) or [(n, n % 2 == 1) for n in range(300)]
        return [what for since, what in story if since <= self.clock[0]][-1]

    def facts(self, _ask: object = None) -> dict[str, Any]:
        seen = door(**{role: self.shows(role) for role in ("contact", "lock", "tamper")})
        seen["points"] = dict.fromkeys(self.shows("points"), "bench")
        levels = {role: bool(self.shows(role)) for role in SWITCHES if role in seen["points"]}
        levels |= dict.fromkeys(self.broken, False)
        inputs = {
            f"front.{role}": {"asserted": level, "since": "2026-11-22T21:57:03Z", "at_ns": self.shows("pressed")}
            for role, level in levels.items()
        }
        return status(doors={"front": seen}) | {"inputs": inputs}

    def command(self, ask: dict[str, Any]) -> dict[str, Any]:
        assert ask == {"op": "command", "command": "unlock", "door": "front", "for_s": 3.0}
        now = self.clock[0]
        if self.refuses is None and not self.stuck:
            self.story["lock"] = [(0, "locked"), (now + 0.1, "unlocked"), (now + 3, "locked")]
        return {"outcomes": {"front": {"done": self.refuses is None, "code": None, "message": self.refuses}}}

    def cards(self, _ask: object) -> dict[str, Any]:
        """Another door's reader sees cards all the time."""
        mine = [{"at": f"{n}", "reader": "front.reader"} for n in range(self.shows("cards"))]
        return {"cards": [*mine, {"at": f"{self.clock[0]}", "reader": "back.reader"}][-50:]}

    def daemon(self, path: Path) -> FakeDaemon:
        return FakeDaemon(path, status=self.facts, facts=self.facts, command=self.command, cards=self.cards)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time passes when somebody waits, and only then."""
    now = [0.0]
    monkeypatch.setattr(wiring.time, "monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(wiring.time, "sleep", sleep)
    return now


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    return Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


def verdicts(steps: list[dict[str, Any]]) -> dict[str, list[bool | None]]:
    found: dict[str, list[bool | None]] = {}
    for step in steps:
        found.setdefault(step["role"], []).append(step["passed"])
    return found


def test_a_door_that_is_wired_well(doorctl: Doorctl, clock: list[float]) -> None:
    with Building(clock).daemon(doorctl.socket):
        said = doorctl("test", "front", "--yes")
    assert said.code == 0
    check_golden("cli/test-well.txt", said.out)


def test_json_is_one_document_and_the_guide_speaks_beside_it(doorctl: Doorctl, clock: list[float]) -> None:
    with Building(clock).daemon(doorctl.socket):
        said = doorctl("test", "front", "--yes", "--json")
    assert said.json["door"] == "front"
    assert verdicts(said.json["steps"]) == {
        "contact": [True] * 3,
        "rex": [True] * 2,
        "lock": [True],
        "reader": [True],
        "tamper": [True],
    }
    assert "press the exit button once" in said.err


@pytest.mark.parametrize("role", [name for name in ROLES if name != "buzzer"])
def test_every_point_can_be_tried(doorctl: Doorctl, clock: list[float], role: str) -> None:
    with Building(clock, points=[(0, ("lock", role))]).daemon(doorctl.socket):
        said = doorctl("test", "front", "--yes", "--json")
    steps = 1 if role == "lock" else len(ROLES[role].checks)
    assert verdicts(said.json["steps"])[role] == [True] * steps


def test_a_cut_wire_is_told_from_an_input_at_rest(doorctl: Doorctl, clock: list[float]) -> None:
    building = Building(clock, tamper=[(0, "front.rex")])
    building.broken = ("rex",)
    with building.daemon(doorctl.socket):
        said = doorctl("test", "front", "--yes", "--json", "--wait", "6")
    failed = [step["seen"] for step in said.json["steps"] if step["role"] == "rex" and not step["passed"]]
    assert failed == ["fault"]


@pytest.mark.parametrize(
    ("story", "role", "seen"),
    [
        ({"contact": [(0, "closed")]}, "contact", "closed"),
        ({"contact": [(0, "fault")]}, "contact", "fault"),
        ({"pressed": [(0, 1)]}, "rex", "nothing"),
        ({"rex": [(0, True)]}, "rex", "pressed"),
        ({"tamper": [(0, "front.tamper")]}, "tamper", "open"),
        ({"cards": [(0, 1)]}, "reader", "nothing"),
    ],
)
def test_a_wire_that_does_not_do_what_is_expected(
    doorctl: Doorctl, clock: list[float], story: dict[str, Any], role: str, seen: str
) -> None:
    with Building(clock, **story).daemon(doorctl.socket):
        said = doorctl("test", "front", "--yes", "--json", "--wait", "6")
    assert said.code == 1
    failed = [step for step in said.json["steps"] if step["passed"] is False]
    assert {step["role"] for step in failed} == {role}
    assert failed[0]["seen"] == seen


def test_a_lock_that_is_refused_or_does_not_follow(doorctl: Doorctl, clock: list[float]) -> None:
    building = Building(clock)
    building.refuses = "Refused: Front door unlocked by otto (locked_down)"
    with building.daemon(doorctl.socket):
        said = doorctl("test", "front", "--yes", "--json")
    [step] = [step for step in said.json["steps"] if step["role"] == "lock"]
    assert (said.code, step["passed"], step["seen"]) == (1, False, building.refuses)
    clock[0] = 0.0
    stuck = Building(clock)
    stuck.stuck = True
    with stuck.daemon(doorctl.socket):
        said = doorctl("test", "front", "--yes", "--json")
    [step] = [step for step in said.json["steps"] if step["role"] == "lock"]
    assert step["seen"] == "the relay did not become unlocked"


def test_a_door_that_is_held_unlocked_is_left_alone(doorctl: Doorctl, clock: list[float]) -> None:
    with Building(clock, lock=[(0, "unlocked")]).daemon(doorctl.socket) as daemon:
        said = doorctl("test", "front", "--yes", "--json")
    assert said.code == 0
    assert verdicts(said.json["steps"])["lock"] == [None]
    assert daemon.of("command") == []


def test_nothing_is_released_without_a_yes(doorctl: Doorctl, clock: list[float]) -> None:
    with Building(clock).daemon(doorctl.socket) as daemon:
        said = doorctl("test", "front", "--json")
    assert verdicts(said.json["steps"])["lock"] == [None]
    assert daemon.of("command") == []


@pytest.mark.parametrize(("typed", "passed"), [("y\ny\n", True), ("y\nn\n", False), ("n\n", None)])
def test_somebody_at_the_door_is_asked_about_the_lock(
    doorctl: Doorctl, clock: list[float], monkeypatch: pytest.MonkeyPatch, typed: str, passed: bool | None
) -> None:
    monkeypatch.setattr(wiring.select, "select", lambda *_: ([], [], []))
    with Building(clock).daemon(doorctl.socket):
        said = doorctl("test", "front", "--json", typed=typed)
    assert verdicts(said.json["steps"])["lock"] == [passed]
    assert said.code == (1 if passed is False else 0)


def test_return_leaves_a_step_out(doorctl: Doorctl, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring.select, "select", lambda *_: ([sys.stdin], [], []))
    with Building(clock, contact=[(0, "open")]).daemon(doorctl.socket):
        said = doorctl("test", "front DOOR", "--json", "--yes", typed="\n" * 9)
    assert said.json["door"] == "front"
    assert verdicts(said.json["steps"])["contact"] == [None, True, None]
    assert said.code == 0


def test_an_unknown_door_is_said_with_those_there_are(doorctl: Doorctl, clock: list[float]) -> None:
    with Building(clock).daemon(doorctl.socket):
        said = doorctl("test", "attic")
        assert (said.code, said.err) == (2, "doorctl: there is no door 'attic'; expected one of front\n")


# --- with the daemon stopped -----------------------------------------------------------------------


def test_without_a_daemon_the_drivers_are_opened_and_left_at_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path)
    made: list[OfflineDoor] = []
    opened = threading.Event()
    enter = OfflineDoor.__enter__

    def entered(bench: OfflineDoor) -> Any:
        made.append(bench)
        found = enter(bench)
        opened.set()
        return found

    monkeypatch.setattr(OfflineDoor, "__enter__", entered)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    hands = threading.Thread(target=_hands, args=(opened, made))
    hands.start()
    code = main(
        [
            "--socket",
            str(tmp_path / "none.sock"),
            "test",
            "front",
            "--config",
            str(config),
            "--yes",
            "--wait",
            "60",
            "--json",
        ]
    )
    hands.join()
    said = capsys.readouterr()
    assert "opens the drivers itself" in said.err
    assert code == 0, said
    driver = made[0]._drivers["bench"]
    assert [level for _, level in driver.history("front.lock")] == [False, True, False]  # type: ignore[attr-defined]


def _hands(opened: threading.Event, made: list[OfflineDoor]) -> None:
    """Opens and closes the door and presses the button, over and over, until the check is through."""
    opened.wait(60)
    [bench] = made
    driver: Any = bench._drivers["bench"]
    turn = threading.Event()
    while bench._thread.is_alive():
        for action, argument in (("open", None), ("close", None), ("rex", "on"), ("rex", "off")):
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                bench._loop.call_soon_threadsafe(driver.simulate, "front", action, argument)
            turn.wait(0.15)


def test_a_daemon_at_another_socket_keeps_its_hardware(doorctl: Doorctl, tmp_path: Path) -> None:
    config = write_config(tmp_path)  # its socket is doord.sock beside it
    with FakeDaemon(doorctl.socket):
        said = doorctl("--socket", str(tmp_path / "other.sock"), "test", "front", "--config", str(config))
    assert said.code == 2
    assert f"a daemon with this configuration runs: doorctl --socket {doorctl.socket} test" in said.err


def test_a_bad_configuration_and_an_unknown_door(doorctl: Doorctl, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    said = doorctl("test", "attic", "--config", str(config))
    assert said.code == 2
    assert "there is no door 'attic'; expected one of front" in said.err
    config.write_text("[door.front]\n")
    said = doorctl("test", "front", "--config", str(config))
    assert said.code == 2
    assert "door.front.lock: missing" in said.err


@pytest.mark.parametrize("why", ["forbidden", "silent"])
def test_drivers_are_never_opened_behind_a_living_daemon(
    doorctl: Doorctl, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    def never(*_args: object) -> None:
        raise AssertionError("the drivers were opened")

    monkeypatch.setattr(OfflineDoor, "__init__", never)
    if why == "forbidden":

        def connect(_self: object, _path: str) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("edge.client.connection.socket.socket.connect", connect)
        assert doorctl("test", "front").code == 2
    else:
        with FakeDaemon(doorctl.socket, facts=lambda _ask: os.close(-1)):
            assert doorctl("test", "front").code == 2
