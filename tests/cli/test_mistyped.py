"""What somebody mistypes: `doorctl` says what may have been meant, and does nothing."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

import pytest

from edge.cli.commands import COMMANDS, completed, parser
from edge.cli.main import main
from edge.cli.overview import GROUPS
from edge.model.alike import alike, did_you_mean
from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    monkeypatch.setenv("COLUMNS", "80")
    return Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


# --- commands, verbs, choices ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evnets"], "doorctl: there is no command 'evnets'; did you mean events?"),
        (["lok"], "doorctl: there is no command 'lok'; did you mean lock, block or unlock?"),
        (["zzz"], "doorctl: there is no command 'zzz': doorctl --help lists them"),
        (["\x1b]0;x"], "doorctl: there is no command '\\x1b]0;x': doorctl --help lists them"),
        (["log", "verfy"], "doorctl log: there is no verb 'verfy'; did you mean verify?"),
        (["web", "zzz"], "doorctl web: there is no verb 'zzz'; expected add, remove, list"),
        (["events", "--class", "acess"], "doorctl events: --class: there is no choice 'acess'; did you mean access?"),
        (["sim", "front", "opne"], "doorctl sim: action: there is no choice 'opne'; did you mean open"),
    ],
)
def test_a_mistyped_command_verb_or_choice_names_what_may_be_meant(
    doorctl: Doorctl, words: list[str], said: str
) -> None:
    with FakeDaemon(doorctl.socket) as daemon:
        tried = doorctl(*words)
    assert (tried.code, tried.out, daemon.asked) == (2, "", [])
    assert tried.err.startswith(said)
    assert len(tried.err.splitlines()) == 1


@pytest.mark.parametrize(("typed", "meant"), [("lockdown", "lock_down"), ("cancel-lockdown", "cancel_lockdown")])
def test_lockdown_is_one_word_too(doorctl: Doorctl, typed: str, meant: str) -> None:
    done = {"outcomes": {"front": {"done": True, "code": None, "message": ""}}}
    with FakeDaemon(doorctl.socket, command=done) as daemon:
        assert doorctl(typed, "front", "--yes").code == 0
    assert daemon.asked == [{"op": "command", "command": meant, "door": "front"}]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["people", "--limit", "5", "list", "ada"], ["people", "list", "--limit", "5", "ada"]),
        (["people", "--json", "show", "ada"], ["people", "show", "--json", "ada"]),
        (["people", "--limit", "5", "ada"], ["people", "list", "--limit", "5", "ada"]),
        (["people", "ada", "list"], ["people", "list", "ada", "list"]),
        (["people", "list", "add"], ["people", "list", "add"]),
        (["people"], ["people", "list"]),
        (["--json", "--socket", "list", "people", "--yes", "remove", "ada"],
         ["--json", "--socket", "list", "people", "remove", "--yes", "ada"]),
        (["web", "--config", "x.toml", "list"], ["web", "list", "--config", "x.toml"]),
        (["log", "--json", "verify"], ["log", "verify", "--json"]),
        (["lockdown", "--all"], ["lock-down", "--all"]),
        (["people", "--help"], ["people", "--help"]),
        (["status"], ["status"]),
        ([], []),
    ],
)  # fmt: skip
def test_options_stand_before_a_verb_or_after_it(words: list[str], meant: list[str]) -> None:
    assert [*completed(words)] == meant


def test_the_verbs_of_the_table_are_those_of_the_commands() -> None:
    for name, command in COMMANDS.items():
        [commands] = [one for one in parser([name])._actions if isinstance(one, argparse._SubParsersAction)]
        made = commands.choices[name]
        verbs = [[*one.choices] for one in made._actions if isinstance(one, argparse._SubParsersAction)]
        assert {*command.verbs} == {*(verbs[0] if verbs else ())}, name


# --- doorctl alone --------------------------------------------------------------------------------


def test_its_help_shows_every_command_in_groups_and_examples_that_parse(doorctl: Doorctl) -> None:
    asked = doorctl("--help")
    assert asked.code == 0
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)
    for name in COMMANDS:
        assert f"    {name} " in asked.out
    assert max(map(len, asked.lines)) <= 80
    examples = [line.strip() for line in asked.lines if line.startswith("    doorctl ")]
    assert len(examples) >= 3
    for example in examples:
        words = completed(shlex.split(example.partition("  ")[0])[1:])
        assert parser(words).parse_args(words).run


def test_alone_it_says_so_on_stderr_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    assert "examples:" in said.err


# --- what is alike --------------------------------------------------------------------------------


def test_the_nearest_come_first_and_a_beginning_counts() -> None:
    assert alike("FORNT", ["front", "back", "garage"]) == ["front"]
    assert alike("serv", ["front", "server-room"]) == ["server-room"]
    assert alike("x" * 100_000, ["front"]) == []
    assert did_you_mean("front1", ["front", "front2", "back"]) == "; did you mean front or front2?"
    assert did_you_mean("", ["front"]) == ""
