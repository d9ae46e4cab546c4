"""`doorctl access`, `groups` and `schedules`, through a real doord with the people that are shipped."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon
from tests.support.readme import simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

WEDNESDAY = "2026-06-03T10:00"
SUNDAY = "2026-06-07T22:00"
ALONE = "This goes by the directory alone: whether the door is locked down or blocked then, nobody knows."


@pytest.fixture(scope="module")
def doord() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name, simulated(Path(name)):
        yield Path(name) / "doord.sock"


@pytest.fixture
def doorctl(doord: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    return Doorctl(doord, monkeypatch, capsys)


def test_who_may_pass_a_door_at_some_time(doorctl: Doorctl) -> None:
    said = doorctl("access", "front", "--at", SUNDAY)
    assert (said.code, said.lines) == (0, [
        "Front door (front), 2026-06-07 22:00",
        "",
        "PERSON              GROUP       WHEN    WITH  VALID",
        "Ada Lovelace (ada)  Operations  always  card  -",
    ])  # fmt: skip
    people = {line.partition("  ")[0]: line for line in doorctl("access", "Front", "--at", WEDNESDAY).lines[3:]}
    assert [*people] == ["Ada Lovelace (ada)", "Grace Hopper (grace)", "Hedy Lamarr (hedy)", "Otis the temp (otis)"]
    assert "Staff  Mon-Fri 06:00-22:00 (9 days with exceptions)  card  until 2026-07-01 00:00" in people[
        "Otis the temp (otis)"
    ].replace("       ", "  ")
    assert "NOW" in doorctl("access", "front").lines[-7]


def test_where_somebody_may_pass_and_who_is_in_a_group(doorctl: Doorctl) -> None:
    ada = doorctl("access", "ada", "--at", SUNDAY).out
    assert "Server room (server-room)  -                                Operations  always  card and PIN  -" in ada
    assert "Lift (lift)                Ground floor, First floor, Roof  Operations  always  card" in ada
    garage = doorctl("access", "--group", "garage", "--at", SUNDAY).lines
    assert garage == [
        "Car park (garage), 2026-06-07 22:00",
        "doors: Garage (card)",
        "",
        "PERSON              WHEN    VALID",
        "Hedy Lamarr (hedy)  always  -",
    ]
    assert doorctl("access", "garage", "--at", SUNDAY).lines[0].startswith("Garage (garage)"), "a door comes first"
    assert doorctl("access", "cleaners", "--at", SUNDAY).lines[-1] == "nobody may pass by it"
    assert doorctl("access", "grace", "--at", SUNDAY).lines[-1] == "may pass nowhere"
    assert doorctl("access", "lift/roof", "--at", SUNDAY).lines[-1].startswith("Ada Lovelace (ada)  Roof")


STAFF = "Hedy Lamarr may pass Front door by Staff, Mon-Fri 06:00-22:00"
HOLIDAY = "2026-12-28 is an exception"


@pytest.mark.parametrize(
    ("words", "code", "lines"),
    [
        (
            ("hedy", "front", "--at", SUNDAY),
            1,
            [f"No: {STAFF}; at Sunday 2026-06-07 22:00 that is outside (outside_schedule).", ALONE],
        ),
        (("hedy", "front", "--at", WEDNESDAY), 0, ["Yes, with card phone-hedy by Staff until 22:00.", ALONE]),
        (
            ("ada", "server", "--at", SUNDAY),
            0,
            [
                "Yes, with card …1001 and PIN by Operations.",
                "  card …1001 and PIN: granted",
                "  card …1900: disabled",
                ALONE,
            ],
        ),
        (("joan", "front"), 1, ["No: Joan Clarke is switched off (disabled)."]),
    ],
)
def test_whether_somebody_may_pass_and_why_not(
    doorctl: Doorctl, words: tuple[str, ...], code: int, lines: list[str]
) -> None:
    said = doorctl("access", *words)
    assert (said.code, said.lines) == (code, lines)
    raw = doorctl("access", *words, "--json")
    assert (raw.code, raw.json["allowed"], raw.json["sentence"]) == (code, code == 0, lines[0])


def test_a_day_that_is_an_exception_is_named(doorctl: Doorctl) -> None:
    said = doorctl("access", "hedy", "front", "--at", "2026-12-28T10:00")
    assert said.lines[0].endswith(f"10:00 that is outside, as {HOLIDAY} (outside_schedule).")


def test_a_list_as_csv_and_as_json(doorctl: Doorctl) -> None:
    rows = [*csv.DictReader(io.StringIO(doorctl("access", "front", "--at", WEDNESDAY, "--csv").out))]
    assert [(row["person_id"], row["group_id"], row["with"]) for row in rows][:2] == [
        ("ada", "operations", "card"), ("ada", "staff", "card"),
    ]  # fmt: skip
    assert rows[-1]["valid_until"] == "2026-07-01T00:00:00+02:00"
    assert len(doorctl("access", "front", "--at", WEDNESDAY, "--json").json["rows"]) == len(rows)
    said = doorctl("access", "ada", "front", "--csv")
    assert (said.code, said.out) == (2, "")


def test_names_in_csv_are_no_formulas_and_all_pages_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(name: str) -> dict[str, Any]:
        named = {"id": "x", "name": name}
        return {
            "person": named, "group": named, "door": named, "floors": None, "when": "always", "ask": "card",
            "valid_from": None, "valid_until": None, "now": True,
        }  # fmt: skip

    def answer(ask: dict[str, Any]) -> dict[str, Any]:
        again = "after" in ask
        return {"kind": "door", "rows": [row("=2+3" if again else "Ada")], "next": None if again else "there"}

    doorctl = Doorctl(tmp_path / "s", monkeypatch, capsys)
    with FakeDaemon(doorctl.socket, access=answer) as daemon:
        lines = doorctl("access", "front", "--csv").lines
    assert [line.split(",")[1] for line in lines[1:]] == ["Ada", "'=2+3"]
    assert [ask.get("after") for ask in daemon.of("access")] == [None, "there"]


def test_what_is_not_there_is_said(doorctl: Doorctl) -> None:
    for words, code, text in (
        (("access", "o"), 2, "doorctl: 'o' may be Operations (operations); Otis the temp (otis, otis@example.org)\n"),
        (("access", "nobody"), 2, "doorctl: no door, group or person is called 'nobody'\n"),
        (("access",), 2, "doorctl: access: expected a door, a person or a group\n"),
        (("schedules", "x"), 2, "doorctl: no schedule 'x'; expected one of working-days, evenings or reception\n"),
    ):
        said = doorctl(*words)
        assert (said.code, said.out, said.err) == (code, "", text)


def test_groups_and_schedules(doorctl: Doorctl) -> None:
    [garage] = [line for line in doorctl("groups").lines if line.startswith("garage")]
    assert garage.split() == ["garage", "Car", "park", "1", "always", "garage"]
    assert [one["id"] for one in doorctl("groups", "--json").json["groups"]] == [
        "staff", "operations", "garage", "cleaners",
    ]  # fmt: skip
    assert "evenings" in doorctl("schedules").out
    shown = doorctl("schedules", "reception").out
    assert "  exceptions 2026-12-23: 08:00-13:00\n             2026-12-24 to 2027-01-01: closed\n" in shown
    assert "  openings   2026-12-12 10:00 to 2026-12-12 16:00\n  doors      front: " in shown
    assert doorctl("schedules", "even", "--json").json["schedules"][0]["groups"] == ["cleaners"]
