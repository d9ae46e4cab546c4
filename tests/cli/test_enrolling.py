"""`doorctl people card WHO`: the next card that is held to a reader, through a real doord, and what it says of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.cli.desk import enrolling
from tests.scenarios.test_directory_edits import fresh
from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon, RefusalError
from tests.support.hand import Hand
from tests.support.readme import Ready
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
UNTIL = "2026-11-23T11:01:00.000000Z"
CARD: dict[str, Any] = {
    "format": "wiegand26", "number": "12:3456", "bits": 26, "parity": True, "card": None,
    "reader": "front", "name": "Front door", "at": "2026-11-23T11:00:10.000000Z",
}  # fmt: skip
GRACE = {"id": "grace-hopper", "name": "Grace Hopper"}


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    monkeypatch.setattr(enrolling, "POLL_S", 0.0)
    return Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


# --- a real doord ------------------------------------------------------------------------------


def held(doorctl: Doorctl, card: str, *words: str, typed: str | None = None) -> Any:
    hand = Hand(doorctl.socket, card)
    hand.start()
    said = doorctl("people", "card", *words, typed=typed)
    hand.join()
    return said


def test_three_commands_from_a_fresh_install_to_a_door_that_opens(tmp_path: Path, doorctl: Doorctl) -> None:
    def unlocked() -> bool:
        return bool(doorctl("status", "--json").json["doors"]["front"]["lock"] == "unlocked")

    with Ready(fresh(tmp_path, unlock_s=600.0)):
        assert doorctl("people", "add", "Grace Hopper").code == 0
        given = held(doorctl, "12:3456", "grace", "--reader", "front", typed="y\n")
        assert (given.code, given.err) == (0, "")
        asked, answered = given.lines[1].split("? [y/N] ")
        assert given.lines[0] == "Hold the card to the reader of front door … (60 s)"
        assert asked == "wiegand26 12:3456 at front door, unknown until now. Give it to Grace Hopper"
        assert answered == "Grace Hopper has card 12:3456"
        assert not unlocked()
        [before] = until(lambda: doorctl("cards").lines[1:], "the card that was read")
        assert before.split()[2:] == ["front.reader", "wiegand26", "12:3456", "Grace", "Hopper", "unknown_card"]
        until(lambda: doorctl("sim", "front", "card", "12:3456").code == 0 and unlocked(), "a door that opens", 2.5)


def test_a_card_that_was_held_to_any_reader_can_be_refused_and_given_later(tmp_path: Path, doorctl: Doorctl) -> None:
    with Ready(fresh(tmp_path, unlock_s=600.0)):
        doorctl("people", "add", "Grace Hopper")
        said = held(doorctl, "12:3456", "grace", typed="n\n")
        assert (said.code, said.lines[0]) == (1, "Hold the card to any reader … (60 s)")
        assert said.lines[1].endswith("[y/N] nothing was done")
        [row] = until(lambda: doorctl("cards").lines[1:], "the card that was read")
        assert row.endswith("  -    unknown_card: doorctl people card WHO --number 12:3456")
        said = held(doorctl, "12:3457", "grace", "--yes", "--json")
        assert (said.code, said.json["card"]["number"]) == (0, "12:3457")
        assert doorctl("people", "card", "grace", "--number", "12:3456", "--yes").code == 0
        refused = doorctl("people", "card", "grace", "--reader", "cellar", "--yes")
        assert (refused.code, refused.err) == (2, "doorctl: no reader at 'cellar'; expected one of front\n")


# --- what it says ------------------------------------------------------------------------------


def enrolment(states: Sequence[dict[str, Any]], asked: list[str] | None = None) -> Any:
    """Answers: the first to `begin`, then one after the other, the last one again and again."""
    left = [
        dict.fromkeys(("reader", "name", "card", "holder")) | {"until": UNTIL, "left_s": 60, **one} for one in states
    ]

    def answer(ask: dict[str, Any]) -> Any:
        if asked is not None:
            asked.append(ask["action"])
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


LISTENING: dict[str, Any] = {"state": "listening"}


def played(doorctl: Doorctl, states: Sequence[dict[str, Any]], *words: str, typed: str | None = None) -> Any:
    answer = {"done": True, "code": None, "message": "", "outcomes": {}, "notes": [], "name": "Grace Hopper"}
    answer["card"] = {"number": "12:3456", "id": "grace-hopper-1"}
    with FakeDaemon(doorctl.socket, person={"person": GRACE}, enrol=enrolment(states), card=answer) as fake:
        said = doorctl("people", "card", "grace", *words, typed=typed)
        given = [(ask["who"], ask["card"]) for ask in fake.of("card")]
    return said, given


def test_a_card_that_somebody_has_is_told_once_each_time_it_is_shown(doorctl: Doorctl) -> None:
    again = CARD | {"at": "2026-11-23T11:00:30.000000Z"}
    taken, other = LISTENING | {"card": CARD, "holder": "Ada"}, LISTENING | {"card": again, "holder": "Ada"}
    states = [LISTENING, LISTENING, taken, taken, other, other, {"state": "card", "card": CARD}]
    said, given = played(doorctl, states, "--yes")
    assert said.lines == [
        "Hold the card to any reader … (60 s)",
        *["wiegand26 12:3456 at Front door: Ada has this card"] * 2,
        "wiegand26 12:3456 at Front door, unknown until now.",
        "Grace Hopper has card 12:3456",
    ]
    assert (said.code, given) == (0, [("grace-hopper", "wiegand26 12:3456")])


def test_a_card_of_the_directory_and_a_misread_one_are_told_as_such(doorctl: Doorctl) -> None:
    odd = {"format": "raw", "number": "04a1b2c0/26", "parity": False, "card": "old-1"}
    said, given = played(doorctl, [LISTENING, {"state": "card", "card": CARD | odd}], "--yes")
    assert said.lines[1] == "raw 04a1b2c0/26 (26 bits, wrong parity) at Front door, which nobody has."
    assert given == [("grace-hopper", "raw 04a1b2c0/26")]


def test_no_card_is_exit_1_and_so_is_a_no(doorctl: Doorctl) -> None:
    said, given = played(doorctl, [LISTENING, LISTENING, {"state": "ended"}], "--yes")
    assert (said.code, said.err, given) == (1, "doorctl: no card came\n", [])


def test_who_begins_elsewhere_is_not_given_the_card_that_came_there(doorctl: Doorctl) -> None:
    there = {"state": "card", "card": CARD, "until": "2026-11-23T11:02:00.000000Z"}
    said, given = played(doorctl, [LISTENING, there], "--yes")
    assert (said.code, given) == (2, [])
    assert said.err == "doorctl: you have begun to enrol another card elsewhere, which has ended this one\n"


def test_a_script_says_yes_before_anything_listens(doorctl: Doorctl) -> None:
    said, _ = played(doorctl, [LISTENING])
    assert (said.code, said.err) == (2, "doorctl: nothing was done; without a terminal use --yes\n")
    said, _ = played(doorctl, [LISTENING], "--number", "12:1", "--reader", "front", "--yes")
    assert (said.code, said.err) == (2, "doorctl: expected one of --number, --seen and --reader\n")


def test_a_refusal_is_said(doorctl: Doorctl) -> None:
    def refuse(_ask: dict[str, Any]) -> Any:
        raise RefusalError(
            "managed_elsewhere", "the directory is managed upstream: change it there, it comes over MQTT"
        )

    with FakeDaemon(doorctl.socket, person={"person": GRACE}, enrol=refuse):
        said = doorctl("people", "card", "grace", "--yes")
    assert (said.code, said.err.endswith("it comes over MQTT\n")) == (1, True)


def test_ctrl_c_ends_the_listening(tmp_path: Path) -> None:
    path, asked = tmp_path / "doord.sock", list[str]()
    with FakeDaemon(path, person={"person": GRACE}, enrol=enrolment([LISTENING], asked)):
        words = [sys.executable, "-m", "edge.cli", "--socket", str(path), "people", "card", "grace", "--yes"]
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Hold the card")
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate()
    assert (process.returncode, complaints) == (130, "")
    assert "end" in asked, "maybe before the question that was interrupted"
