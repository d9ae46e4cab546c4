"""`doorctl visitor`, through a real doord: who comes, where to, until when, and what is said of it."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from edge.cli import text
from tests.scenarios.test_directory_edits import fresh
from tests.support.cli import Doorctl
from tests.support.readme import Ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Doorctl]:
    with Ready(fresh(tmp_path)):
        yield Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


def test_a_visitor_comes_with_a_pin_that_is_shown_once(doorctl: Doorctl) -> None:
    said = doorctl("visitor", "Alan Turing", "--door", "front door", "--until", "2126-12-24 16:00", "--pin")
    first, *notes, pin = said.lines
    assert (said.code, first) == (0, "Alan Turing is a visitor until 2126-12-24 16:00 at front door: alan-turing")
    assert notes[-1] == "front door: its reader takes no PIN without a card"
    assert pin.endswith(": it is shown only now")
    [_, row] = doorctl("people").lines
    assert row.endswith("until 2126-12-24 16:00")
    assert "is a visitor, has a PIN" in doorctl("people", "show", "alan").out
    assert doorctl("people", "off", "alan").code == 0
    assert doorctl("people").lines[1].endswith(" off")
    today = doorctl("visitor", "Grace", "--door", "front", "--card", "12:3456")
    assert (today.code, "until today 18:00" in today.out or "until midnight" in today.out) == (0, True)


def test_a_pin_is_typed_and_answers_are_json_too(doorctl: Doorctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: "471112")
    said = doorctl("visitor", "Alan", "--door", "front", "--card", "12:3456", "--pin", typed="")
    assert (said.code, "471112" in said.out) == (0, False)
    raw = doorctl("visitor", "Alan", "--door", "front", "--json").json
    assert (raw["done"], raw["id"], raw["doors"]) == (True, "alan-2", [{"id": "front", "name": "front door"}])
    refused = doorctl("visitor", "Alan", "--door", "attic")
    assert (refused.code, refused.err) == (2, "doorctl: no door 'attic'; expected one of front\n")
    assert doorctl("visitor", "Alan", "--door", "front", "--until", "never").code == 1
    taken = doorctl("visitor", "Alan", "--door", "front", "--card", "12:3456")
    assert (taken.code, taken.err) == (1, "doorctl: 12:3456 is the card of Alan (alan)\n")
    long = doorctl("visitor", "A" * 101, "--door", "front")
    assert (long.code, long.err[:28]) == (1, 'doorctl: name: found "AAAAAA')


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("2026-11-30T17:00:00+00:00", "until today 18:00"),
        ("2026-11-30T23:00+00:00", "until midnight"),
        ("2026-11-30T23:30+00:00", "until 2026-12-01 00:30"),
        ("2026-12-24T17:00+00:00", "until 2026-12-24 18:00"),
    ],
)
def test_the_end_is_said_as_people_say_it(end: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Now(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            del tz
            return datetime.fromisoformat("2026-11-30T12:00:00+00:00")

    monkeypatch.setattr(text, "datetime", Now)
    assert text.until_words(end, "Europe/Berlin") == words
