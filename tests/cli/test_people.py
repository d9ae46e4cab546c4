"""`doorctl people` and `doorctl card`, through a real doord: a fresh controller, and a door that opens."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import pytest

from edge.cli.commands import completed
from tests.scenarios.test_directory_edits import fresh
from tests.support.cli import Doorctl
from tests.support.readme import Ready
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Doorctl]:
    with Ready(fresh(tmp_path, unlock_s=600.0)):
        yield Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


def unlocked(doorctl: Doorctl) -> bool:
    return bool(doorctl("status", "--json").json["doors"]["front"]["lock"] == "unlocked")


def test_three_commands_on_a_fresh_controller_and_the_door_opens(doorctl: Doorctl) -> None:
    assert doorctl("people").out == "there is nobody yet: doorctl people add NAME\n"
    added = doorctl("people", "add", "Grace Hopper")
    assert (added.code, added.lines) == (
        0,
        [
            "Grace Hopper is added: grace-hopper",
            "there was no group yet: everybody is made, which may pass every door at any time",
        ],
    )
    given = doorctl("people", "card", "grace", "--number", "12:3456", "--yes")
    assert (given.code, given.out) == (0, "Grace Hopper has card 12:3456\n")
    assert doorctl("sim", "front", "card", "12:3456").code == 0
    until(lambda: unlocked(doorctl), "an open door")
    until(lambda: "wiegand26 12:3456" in doorctl("cards").out, "the card that was read")
    assert "wiegand26 12:3456" in doorctl("who", "wiegand26 12:3456").out
    lost = doorctl("card", "lost", "12:3456")
    assert (lost.code, lost.out) == (0, "card 12:3456 of Grace Hopper is refused from now on\n")
    [row] = [line for line in doorctl("people", "12:3456").lines if line.startswith("Grace")]
    assert row.split()[2:6] == ["grace-hopper", "everybody", "…3456", "(lost)"]
    assert doorctl("card", "found", "--of", "grace").code == 0


def test_who_is_not_clear_is_asked_back_and_who_is_not_there_is_said(doorctl: Doorctl) -> None:
    for name in ("Grace Hopper", "Grace Kelly"):
        assert doorctl("people", "add", name).code == 0
    for words in (("people", "show", "grace"), ("people", "off", "GRACE"), ("card", "lost", "--of", "grace")):
        said = doorctl(*words)
        assert (said.code, said.out) == (2, "")
        assert "may be Grace Hopper (grace-hopper); Grace Kelly (grace-kelly)" in said.err
    assert doorctl("people", "show", "nobody").code == 2
    assert doorctl("people", "change", "grace k", "--group", "nope").err.startswith(
        "doorctl: no group is called 'nope'"
    )
    refused = doorctl("people", "change", "grace k", "--email", "nope")
    assert (refused.code, refused.err) == (1, 'doorctl: email: found "nope", expected an e-mail address\n')
    assert doorctl("people", "change", "grace k").code == 2
    assert doorctl("people", "card", "grace k").code == 2
    assert doorctl("card", "lost").code == 2


def test_a_pin_is_typed_twice_or_made_and_shown_once(doorctl: Doorctl, monkeypatch: pytest.MonkeyPatch) -> None:
    made = doorctl("people", "add", "Grace", "--pin")
    assert made.lines[-1].startswith("PIN ")
    assert len(made.lines[-1].split()[1].removesuffix(":")) == 6
    assert "has a PIN" in doorctl("people", "show", "grace").out
    typed = iter(["4711", "4711", "4711", "4712"])
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(typed))
    changed = doorctl("people", "change", "grace", "--pin", typed="")
    assert (changed.code, "4711" in changed.out) == (0, False)
    assert doorctl("people", "change", "grace", "--pin", typed="").err == (
        "doorctl: the two are not the same; nothing was done\n"
    )
    assert doorctl("people", "change", "grace", "--no-pin").code == 0
    assert "has a PIN" not in doorctl("people", "show", "grace").out


def test_a_removal_asks_first(doorctl: Doorctl) -> None:
    assert doorctl("people", "add", "Grace", "--card", "12:1").code == 0
    said = doorctl("people", "remove", "grace")
    assert (said.code, "without a terminal use --yes" in said.err) == (2, True)
    said = doorctl("people", "remove", "grace", typed="n\n")
    assert (said.code, said.lines[-1]) == (1, "remove Grace (grace) and 1 card? [y/N] nothing was done")
    said = doorctl("people", "remove", "grace", typed="y\n")
    assert (said.code, said.lines[-1]) == (0, "remove Grace (grace) and 1 card? [y/N] Grace is removed")
    assert doorctl("people", "--json").json["total"] == 0


def test_times_are_the_sites_and_answers_are_json_too(doorctl: Doorctl) -> None:
    added = doorctl("people", "add", "Grace", "--until", "2126-12-24 18:00")
    assert added.lines[-1] == "valid until 2126-12-24 18:00"
    raw = doorctl("people", "change", "grace", "--until", "", "--json").json
    assert (raw["done"], raw["id"], raw["valid_until"]) == (True, "grace", None)
    assert doorctl("people", "show", "grace", "--json").json["person"]["valid_until"] is None
    assert doorctl("people", "off", "grace").out == "Grace is refused everywhere from now on\n"
    assert doorctl("people", "show", "grace").lines[0] == "Grace (grace), off"
    assert doorctl("people", "on", "grace").code == 0


def test_more_people_than_a_page_are_told(doorctl: Doorctl) -> None:
    for number in range(3):
        assert doorctl("people", "add", f"Person {number}").code == 0
    said = doorctl("people", "--limit", "2")
    assert said.lines[-1] == "2 of 3 people: --limit 3 shows all"
    assert [one["id"] for one in doorctl("people", "--limit", "2", "--json").json["people"]] == ["person-0", "person-1"]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("people", "people list"),
        ("people ada", "people list ada"),
        ("--json people --limit 5 ada", "--json people list --limit 5 ada"),
        ("people --socket add add Ada", "people add --socket add Ada"),
        ("--socket people people ada", "--socket people people list ada"),
        ("people --help", "people --help"),
        ("people show ada", "people show ada"),
        ("who people", "who people"),
        ("card", "card"),
        ("", ""),
    ],
)
def test_a_search_needs_no_verb(words: str, meant: str) -> None:
    assert [*completed(words.split())] == meant.split()
