"""What somebody mistypes: `doorctl` says what may have been meant, and does nothing."""

from __future__ import annotations

import argparse
import asyncio
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from edge.access.credentials import Code
from edge.cli.commands import COMMANDS, completed, parser
from edge.cli.main import main
from edge.cli.overview import GROUPS
from edge.model.alike import alike, did_you_mean
from edge.model.refusal_codes import REFUSAL_CODES
from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon, RefusalError, door, pages, record, status
from tests.support.logs import forced, journal, opened

ROOT = Path(__file__).parents[2]


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


# --- doors, people, codes, types and groups of a search -------------------------------------------


SEARCHED = status(
    doors={"front": door(), "back": door(name="Back door"), "garage": door(name="Garage")},
    elevators={"lift": {"name": "Lift"}},
)


def nobody(ask: dict[str, Any]) -> None:
    raise RefusalError("unknown_person", f"nobody here is called {ask['who']!r}; did you mean Ada Lovelace (ada)?")


def no_group(ask: dict[str, Any]) -> Any:
    if "group" in ask:
        raise RefusalError("unknown_group", "no group 'stuff'; expected one such as staff")
    return pages([])(ask)


@pytest.mark.parametrize("command", [["events"], ["events", "--json"], ["events", "--follow"], ["export", "-"]])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--door", "fornt"], "there is no door 'fornt'; did you mean front?"),
        (["--door", "front", "--door", "Bak door"], "there is no door 'Bak door'; did you mean back?"),
        (["--door", "zzz"], "there is no door 'zzz'; expected one of lift, front, back, garage"),
        (["--code", "unknow_card"], "there is no code 'unknow_card'; did you mean unknown_card"),
        (["--type", "lock.opend"], "'lock.opend' is not an event type; did you mean lock.opened"),
        (["--user", "adda"], "nobody here is called 'adda'; did you mean Ada Lovelace (ada)?"),
        (["--group", "stuff"], "no group 'stuff'; expected one such as staff"),
    ],
)
def test_what_a_search_names_and_nobody_knows_is_no_silence(
    doorctl: Doorctl, command: list[str], words: list[str], said: str
) -> None:
    with FakeDaemon(doorctl.socket, status=SEARCHED, person=nobody, events=no_group):
        tried = doorctl(*command, *words)
    assert (tried.code, tried.out) == (2, "")
    assert tried.err.startswith(f"doorctl: {said}")


@pytest.mark.parametrize("typed", ["back", "Back door", "BACK  door"])
def test_a_door_is_searched_by_id_or_name(doorctl: Doorctl, typed: str) -> None:
    with FakeDaemon(doorctl.socket, status=SEARCHED) as daemon:
        assert doorctl("events", "--door", typed, "--door", "lift").code == 0
    assert daemon.of("events")[-1]["door"] == ["back", "lift"]


def test_a_name_that_two_doors_have_is_not_guessed(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, status=status(doors={"a": door(), "b": door()})):
        tried = doorctl("events", "--door", "front door")
    assert (tried.code, tried.err) == (2, "doorctl: 'front door' may be Front door (a); Front door (b)\n")


def test_what_has_a_record_is_known(doorctl: Doorctl) -> None:
    """A door that is gone, an actor who is nobody of the directory, the code of a driver."""
    with FakeDaemon(doorctl.socket, status=SEARCHED, person=nobody, events=pages([record(1)])) as daemon:
        for words in (["--door", "attic"], ["--user", "root"], ["--code", "odd"]):
            assert doorctl("events", *words).code == 0
            assert daemon.of("events")[-1][words[0].strip("-")] == words[1:]
    assert daemon.of("person") == []


def test_a_person_is_searched_by_what_they_are_called(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, person={"person": {"user": "u-7"}}) as daemon:
        assert doorctl("events", "--user", "lovelace").code == 0
    assert daemon.of("person") == [{"op": "person", "who": "lovelace"}]
    assert daemon.of("events")[-1]["user"] == ["u-7"]


def test_a_log_file_knows_what_its_records_say(doorctl: Doorctl, tmp_path: Path) -> None:
    async def write() -> None:
        async with journal(tmp_path / "log.db") as held:
            await held.write(opened(0, 0), forced(1, 1, "back"))

    asyncio.run(write())
    words = ["events", "--log", str(tmp_path / "log.db"), "--since", "2020-01-01"]
    for typed, count in (("back", 1), ("front", 1)):
        assert len(doorctl(*words, "--json", "--door", typed).lines) == count
    assert "there is no door 'bakc'; did you mean back?" in doorctl(*words, "--door", "bakc").err
    assert "no record has an actor 'Anne'; did you mean Ann" in doorctl(*words, "--user", "Anne").err
    assert "did you mean unknown_card" in doorctl(*words, "--code", "unkown_card").err


# --- lengths of time ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["unlock", "front", "--for", "0"], "doorctl: --for: expected 0.5 s to 10 min, found 0 s\n"),
        (["unlock", "front", "--for", "8h"], "doorctl: --for: expected 0.5 s to 10 min, found 28800 s\n"),
        (["hold-unlocked", "front", "--for", "0s"], "doorctl: --for: expected 1 s to 366 d, found 0 s\n"),
    ],
)
def test_a_time_that_no_door_takes_is_said_in_the_words_of_the_command_line(
    doorctl: Doorctl, words: list[str], said: str
) -> None:
    with FakeDaemon(doorctl.socket) as daemon:
        tried = doorctl(*words, "--yes")
    assert (tried.code, tried.err, daemon.asked) == (2, said, [])


@pytest.mark.parametrize(
    "words", ["unlock front --for {}", "hold-unlocked front --for {}", "sign unlock --for {}", "test front --wait {}"]
)
def test_a_length_of_time_is_written_the_same_everywhere(doorctl: Doorctl, words: str) -> None:
    for written, seconds in (("90s", 90), ("5m", 300), ("8h", 28_800), ("7.5", 7.5)):
        given = words.format(written).split()
        found = vars(parser(given).parse_args(given))
        assert found.get("for_s", found.get("wait")) == seconds
    assert "'soon' is no length of time" in doorctl(*words.format("soon").split()).err


# --- reports that cannot be written ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.xlsx", "no .xlsx can be written: Excel and LibreOffice open FILE.csv that was written with --spreadsheet"),
        ("x.ODS", "no .ods can be written: Excel and LibreOffice open FILE.csv"),
        ("x.pdf", "no .pdf can be written; expected FILE.csv, FILE.jsonl or -"),
        ("none/x.csv", "{}/none/x.csv: No such file or directory"),
        ("none/x", "{}/none/x: No such file or directory"),
    ],
)
def test_a_report_that_cannot_be_written_is_named_as_it_was_typed(
    doorctl: Doorctl, tmp_path: Path, name: str, said: str
) -> None:
    with FakeDaemon(doorctl.socket, events=pages([record(1)])):
        tried = doorctl("export", str(tmp_path / name))
    assert (tried.code, tried.out) == (2, "")
    assert tried.err.startswith(f"doorctl: {said.format(tmp_path)}")
    assert [*tmp_path.glob("x*")] == []


# --- doors of commands ----------------------------------------------------------------------------


def only_ids(ask: dict[str, Any]) -> dict[str, Any]:
    if ask["door"] not in SEARCHED["doors"]:
        raise RefusalError("unknown_door", f"no door {ask['door']!r}")
    return {"outcomes": {ask["door"]: {"done": True, "code": None, "message": ""}}}


def test_a_command_takes_a_door_by_its_name(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, status=SEARCHED, command=only_ids, sim=only_ids) as daemon:
        assert doorctl("unlock", "back DOOR", "--yes").out == "back: unlocked\n"
        assert doorctl("sim", "Back door", "open").code == 0
        assert daemon.of("sim")[-1]["door"] == "back"
        assert daemon.of("status") != []
        daemon.asked.clear()
        assert doorctl("lock-down", "back", "--yes").code == 0
        assert daemon.of("status") == [], "an id waits for nothing"
        for words in (["unlock", "bakc", "--yes"], ["sim", "bakc", "open"]):
            tried = doorctl(*words)
            assert (tried.code, tried.err) == (2, "doorctl: there is no door 'bakc'; did you mean back?\n")


def test_every_code_of_a_refusal_is_in_the_list() -> None:
    commands = (ROOT / "edge" / "commands").rglob("*.py")
    raised = {code for path in commands for code in re.findall(r'RefusedError\(\s*"([a-z_]+)"', path.read_text())}
    assert len(raised) > 10
    assert {*Code} | raised <= {*REFUSAL_CODES}


# --- what is alike --------------------------------------------------------------------------------


def test_the_nearest_come_first_and_a_beginning_counts() -> None:
    assert alike("FORNT", ["front", "back", "garage"]) == ["front"]
    assert alike("serv", ["front", "server-room"]) == ["server-room"]
    assert alike("x" * 100_000, ["front"]) == []
    assert did_you_mean("front1", ["front", "front2", "back"]) == "; did you mean front or front2?"
    assert did_you_mean("", ["front"]) == ""
