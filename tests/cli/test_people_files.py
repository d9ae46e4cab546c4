"""`doorctl people export` and `import`, through a real doord: what comes out goes in again; a sheet becomes people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

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


def test_people_come_from_a_sheet_and_the_door_opens(doorctl: Doorctl, tmp_path: Path) -> None:
    sheet = tmp_path / "people.csv"
    sheet.write_bytes("\ufeffName;E-Mail;Card;PIN\r\nAda Lovelace;ada@example.org;12:1001;\r\n".encode())
    shown = doorctl("people", "import", str(sheet), "--dry-run")
    assert (shown.code, shown.lines) == (
        0,
        [
            "+ Ada Lovelace: card 12:1001",
            "there was no group yet: everybody is made, which may pass every door at any time",
            "1 added, 0 changed, 0 unchanged",
        ],
    )
    assert doorctl("people").out.startswith("there is nobody yet")
    without = doorctl("people", "import", str(sheet))
    assert (without.code, without.err) == (
        2,
        (
            "doorctl: put this in force (1 added, 0 changed, 0 unchanged): nothing was done; "
            "without a terminal use --yes\n"
        ),
    )
    done = doorctl("people", "import", str(sheet), "--yes")
    assert (done.code, done.lines[-1]) == (0, "version 1 is in force")
    doorctl("sim", "front", "card", "12:1001")
    until(lambda: doorctl("status", "--json").json["doors"]["front"]["lock"] == "unlocked", "an open door")
    again = doorctl("people", "import", str(sheet), "--yes")
    assert (again.code, again.lines) == (0, ["nothing would change"])


def test_what_is_exported_is_imported_again(doorctl: Doorctl, tmp_path: Path) -> None:
    for name, card, *group in (("Jürgen Größmann", "12:1"), ("=cmd()", "12:2", "--group", "everybody")):
        added = doorctl("people", "add", name, "--card", card, *group, "--pin", "--until", "2026-12-24T18:00")
        assert added.code == 0
    sheet, document = tmp_path / "people.csv", tmp_path / "directory.json"
    written = doorctl("people", "export", str(sheet), "--spreadsheet")
    assert (written.code, written.err) == (0, f"2 people written to {sheet}\n")
    assert (sheet.stat().st_mode & 0o077, sheet.read_bytes()[:3]) == (0, b"\xef\xbb\xbf")
    assert [line.split(",")[1:] for line in sheet.read_text("utf-8-sig").splitlines()] == [
        ["name", "email", "groups", "cards", "pin", "valid_from", "valid_until", "state"],
        ["'=cmd()", "", "Everybody", "wiegand26 12:2", "yes", "", "2026-12-24T18:00", "active"],
        ["Jürgen Größmann", "", "Everybody", "wiegand26 12:1", "yes", "", "2026-12-24T18:00", "active"],
    ]
    assert doorctl("people", "export", str(document), "--json").json == {"file": str(document), "entries": 7}
    for file in (sheet, document):
        assert doorctl("people", "import", str(file)).out == "nothing would change\n"
    found = json.loads(document.read_text())
    del found["members"][0], found["users"][0], found["cards"][0]
    found["groups"][0]["name"] = "All"
    document.write_text(json.dumps(found))
    done = doorctl("people", "import", str(document), "--yes")
    assert done.lines == [
        "- user Jürgen Größmann (jurgen-grossmann)",
        "- member Jürgen Größmann (jurgen-grossmann)",
        "- card wiegand26 12:1 (jurgen-grossmann-1)",
        "~ group All (everybody): name",
        "users: 1 removed; members: 1 removed; cards: 1 removed; groups: 1 changed",
        "version 3 is in force",
    ]
    assert [line.split()[0] for line in doorctl("people").lines] == ["NAME", "=cmd()"]


def test_what_is_wrong_is_told_and_nothing_is_changed(doorctl: Doorctl, tmp_path: Path) -> None:
    doorctl("people", "add", "Ada", "--card", "12:1")
    sheet = tmp_path / "people.csv"
    sheet.write_text("name,groups,cards,pin\nGrace,Staff,,\nHedy,,12:1,\nJoan,,,12\n")
    wrong = doorctl("people", "import", str(sheet), "--yes")
    assert (wrong.code, wrong.err.splitlines()) == (
        1,
        [
            "doorctl: line 2: no group is called 'Staff'; expected one such as Everybody (everybody)",
            "doorctl: line 3: card 12:1 is the card of Ada (ada)",
            "doorctl: line 4: pin: found something else, expected 4 to 12 digits; a spreadsheet drops zeros in front",
            "doorctl: nothing was changed",
        ],
    )
    sheet.write_bytes("name\nJürgen\n".encode("cp1252"))
    assert doorctl("people", "import", str(sheet)).err == (
        f"doorctl: {sheet}: line 2: found a byte that is not UTF-8; in a spreadsheet: save as CSV UTF-8\n"
    )
    assert doorctl("people", "import", str(tmp_path / "people.xlsx")).code == 2
    assert doorctl("people", "export", str(tmp_path / "people.tsv")).err.endswith(
        "expected a name that ends in .csv (people) or .json (the whole directory)\n"
    )
    assert doorctl("people", "--json").json["total"] == 1
