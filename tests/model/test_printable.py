"""Text from outside cannot move a cursor, hide a line or turn what stands beside it, wherever it comes out."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.commands.parsing import Refusal, parse_command
from edge.directory.building import built
from edge.directory.document.reading import DirectoryError, read
from edge.model.messages import Actor
from edge.model.printable import in_json, is_whole, masked, spelt
from edge.model.problems import Problem, ProblemReport, shown
from edge.reports.file import write_csv
from edge.socket.peers import Peer, PeerKind, RequestError, actor
from tests.commands.test_parsing import HERE, RECORD, UNLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EVIL = "A\x1b[2J\x1b]0;pwn\x07\x7f\x9b31m\u202egnp\u2066\u200b\ufeff\u2028\r\nX: 1\ud800B"
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
SHIPPED = json.loads((ROOT / "config" / "directory.json").read_text())


# --- the one place -----------------------------------------------------------------------------------


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_nothing_that_may_not_be_printed_comes_out(text: str) -> None:
    for out in (spelt(text), masked(text), masked(text, " "), shown(text)):
        assert out.isprintable()
        out.encode()


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_what_may_be_printed_is_left_as_it_is(text: str) -> None:
    assert spelt(text) == masked(text) == text


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_json_stays_the_same_document(value: Any) -> None:
    for indent in (None, 2):
        text = in_json(json.dumps(value, ensure_ascii=False, indent=indent))
        assert json.loads(text) == value
        assert text.replace("\n", "").isprintable()
        text.encode()


def test_half_a_surrogate_pair_is_found_anywhere() -> None:
    assert is_whole({"a": ["\U0001f600", "ü"]})
    assert not is_whole({"a": ["\ud83d"]})
    assert not is_whole({"\udc00": 1})


# --- where it comes out ------------------------------------------------------------------------------


def test_it_is_spelt_where_people_read_it() -> None:
    report = ProblemReport(Path(f"/tmp/{EVIL[:12]}"))
    report.add(EVIL, EVIL)
    for text in (str(report.problems[0]), str(Problem(Path(EVIL.replace("\ud800", "")), "", ""))):
        assert not UNPRINTABLE.search(text)
    assert str(report.problems[0]).count(r"\x1b[2J") == 3


def test_a_csv_can_be_looked_at_in_a_terminal() -> None:
    thing = {"type": "lock", "id": EVIL, "name": EVIL}
    data = dict.fromkeys(("class", "severity", "success", "code", "cause", "correlation", "clock"), EVIL)
    data |= {"object": thing, "actor": {"kind": "user", "id": EVIL, "name": EVIL, "email": EVIL}}
    data |= {"message": EVIL, "details": {EVIL: EVIL}}
    record = {"time": "t", "sequence": "1", "type": EVIL, "subject": EVIL, "id": EVIL, "data": data}
    out = io.StringIO(newline="")
    assert write_csv(out, [record]) == 1
    assert not UNPRINTABLE.search(out.getvalue().replace("\r\n", ""))
    out.getvalue().encode()
    assert len([*csv.reader(io.StringIO(out.getvalue()))]) == 2, "a line end in a name makes no row"


# --- where it comes in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "op\x1b7"},
        {"id": "op\u202e7"},
        {"id": "op\n7"},
        {"id": "op", "name": "Ann\x07"},
        {"id": "op", "name": "Ann\u2066"},
        {"id": "op", "email": "ann"},
        {"id": "op", "email": "ann@example.org\r\nBcc: x@y"},
        {"id": "op", "email": "Ann <ann@example.org>"},
        {"id": "op", "email": "@example.org"},
        {"id": "op", "email": "ann@"},
    ],
)
def test_an_actor_that_cannot_be_shown_is_refused(wrong: dict[str, str]) -> None:
    found = parse_command(json.dumps({**UNLOCK, "actor": wrong}).encode(), HERE, retained=False)
    assert isinstance(found, Refusal)
    assert found.code == "malformed"
    assert "Value error" not in found.message, "our words alone, not the library's before them"


@pytest.mark.parametrize(
    "good",
    [
        {"id": "op-7", "name": "Zoë O'Neil-漢", "email": "zoë@exämple.org"},
        {"id": "https://idp.example.org/u/7", "name": None, "email": None},
        {"id": "op", "name": ""},
    ],
)
def test_an_actor_may_have_any_name_that_can_be_shown(good: dict[str, Any]) -> None:
    found = parse_command(json.dumps({**UNLOCK, "actor": good}).encode(), HERE, retained=False)
    assert found.actor == Actor("operator", good["id"], good.get("name"), good.get("email"))


@pytest.mark.parametrize(
    "changes", [{"command": EVIL[:40]}, {"door": EVIL[:40]}, {"id": EVIL[:40]}, {EVIL: 1}, {"actor": {"id": EVIL}}]
)
@pytest.mark.parametrize("base", [UNLOCK, RECORD])
def test_a_refusal_repeats_nothing_that_may_not_be_printed(base: dict[str, Any], changes: dict[str, Any]) -> None:
    text = json.dumps({**base, **changes}, ensure_ascii=False).encode(errors="replace")
    found = parse_command(text, HERE, retained=False)
    assert isinstance(found, Refusal)
    for said in (found.id, found.name, found.door, found.message):
        assert said is None or said.isprintable(), said


@pytest.mark.parametrize("named", [{"id": "a\x1bb"}, {"id": "ada", "name": "A\u202eb"}, {"id": "ada\ud800"}])
def test_the_page_speaks_for_nobody_who_cannot_be_shown(named: dict[str, str]) -> None:
    page = Peer(998, PeerKind.PAGE, Actor("operator", "uid:998", "doorweb"))
    with pytest.raises(RequestError, match="printable"):
        actor(page, {"as": named})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every leaf of a document."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(one, (*path, key))
    if not isinstance(value, dict | list):
        yield path


@pytest.mark.parametrize("junk", ["\ud800", "2026-01-01T00:00\ud800", EVIL])
def test_half_a_surrogate_pair_anywhere_in_a_directory_is_refused_as_such(junk: str) -> None:
    for path in places(SHIPPED):
        document = json.loads(json.dumps(SHIPPED))
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = junk
        with pytest.raises(DirectoryError) as refused:
            read(json.dumps(document).encode(), Path("directory.json"), ZoneInfo("UTC"))
        str(refused.value).encode()
        assert not UNPRINTABLE.search(str(refused.value).replace("\n", ""))


def test_a_mistake_of_ours_in_reading_a_directory_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever starts with that file would have no directory at all, although one is stored."""

    def broken(*_args: Any, **_more: Any) -> Any:
        yield
        raise KeyError("a bug")

    monkeypatch.setattr("edge.directory.building.reading", broken)
    with pytest.raises(DirectoryError, match="a mistake in doord itself: KeyError"):
        asyncio.run(built(b"{}", Path("directory.json"), ZoneInfo("UTC")))
