"""Visitors at the page, as a browser gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.control import FakeDaemon, RefusalError, door, status
from tests.support.web import Browser, answers, page_in, write_accounts
from tests.web.test_people_pages import HERE, a_person, asked, done

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = {"id": "visitors-back-front", "name": "Visitors: Front door, Back door"}
TONIGHT = "2026-11-22T22:30:00+00:00"


def a_visitor(name: str, until: str = TONIGHT, **more: Any) -> dict[str, Any]:
    return a_person(id=name, user=name, name=name, visitor=True, valid_until=until, groups=[GROUP], **more)


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    two = {"front": door(points={"lock": "b", "reader": "b"}), "back": door(name="Back <door>")}
    entered = done(id="alan", name="Alan {T}", valid_until=TONIGHT, doors=[{"id": "back", "name": "Back {door}"}])
    told: dict[str, Any] = {
        "status": status(doors=two),
        "people": {"version": 7, "managed": HERE, "total": 0, "next": None, "people": []},
        "visitor": entered,
    }
    with FakeDaemon(tmp_path / "doord.sock", **answers(**told)) as daemon:
        yield daemon


@pytest.fixture
def browser(tmp_path: Path, doord: FakeDaemon) -> Browser:
    assert doord
    write_accounts(tmp_path / "accounts.json", rita="reception", vera="viewer")
    made = Browser(page_in(tmp_path, now_ns=lambda: 10**12))
    assert made.sign_in("rita").status_code == 303
    return made


def test_who_comes_today_stands_first_and_whose_time_is_over_last(browser: Browser, doord: FakeDaemon) -> None:
    assert "There are no visitors." in browser.get("/visitors").text
    some = [
        a_visitor("Ada", "2026-11-21T17:00:00+00:00", state="expired"),
        a_visitor("Bert", "2026-12-01T17:00:00+00:00"),
        a_visitor("Cleo", pin=False, cards=[]),
    ]
    doord.answers["people"] = {"version": 7, "managed": HERE, "total": 600, "next": "x", "people": some}
    shown = browser.get("/visitors").text
    assert shown.index("Cleo") < shown.index("Bert") < shown.index("Ada")
    for text in (
        ">until today 23:30<", ">expired 21 November 18:00<", ">Front door, Back door<", "3 of 600 are shown",
        'href="/visitors/new">Visitor for today…</a>',
    ):  # fmt: skip
        assert text in shown, text
    assert asked(doord, "people")[-1] == {"visitors": True, "limit": 500}
    assert 'href="/visitors/new"' in browser.get("/people").text


def test_a_visitor_is_sent_as_typed_and_a_pin_shown_once(browser: Browser, doord: FakeDaemon) -> None:
    form = browser.get("/visitors/new").text
    assert "Back &lt;door&gt;</label>" in form
    assert 'name="until" type="datetime-local" value=""' in form, "it is past 18:00"
    doord.answers["visitor"]["pin"] = "482913"
    csrf = browser.token("/visitors/new")
    typed = {"csrf": csrf, "name": " Alan Turing ", "door:back": "on", "until": "2026-11-22T23:30", "card": " 12:7 "}
    answer = browser.post("/visitors/new", data=typed | {"make_pin": "on"})
    assert answer.headers["location"] == "/visitors"
    assert asked(doord, "visitor") == [
        {"name": "Alan Turing", "doors": ["back"], "card": "12:7", "pin": "make", "until": "2026-11-22T22:30:00+00:00"}
    ]
    said = browser.get("/visitors").text
    assert "Alan {T} may pass until today 23:30: Back {door}." in said
    assert "The PIN is 482913." in said
    assert "482913" not in browser.get("/visitors").text
    answer = browser.post("/visitors/new", data={"csrf": csrf, "name": "A", "door:back": "on", "then_card": "yes"})
    assert answer.headers["location"] == "/people/alan/card"
    assert asked(doord, "visitor")[-1] == {"name": "A", "doors": ["back"], "card": None, "pin": None, "until": None}


def test_in_the_morning_the_form_says_18(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["status"]["clock"]["time"] = "2026-11-23T07:00:00.000000Z"
    assert 'value="2026-11-23T18:00"' in browser.get("/visitors/new").text


def test_a_form_that_is_refused_keeps_what_was_typed(browser: Browser, doord: FakeDaemon) -> None:
    def refuse(_ask: Any) -> Any:
        raise RefusalError("card_taken", "12:7 is the card of Ada (ada)")

    doord.answers["visitor"] = refuse
    typed = {
        "csrf": browser.token("/visitors/new"),
        "name": "Alan",
        "door:back": "on",
        "card": "12:7",
        "make_pin": "on",
    }
    answer = browser.post("/visitors/new", data=typed)
    assert answer.status_code == 400
    for text in ("12:7 is the card of Ada (ada)", 'value="Alan"', 'value="12:7"', 'name="make_pin" checked'):
        assert text in answer.text, text
    assert 'name="door:back" checked' in answer.text
    answer = browser.post("/visitors/new", data=typed | {"until": "soon"})
    assert (answer.status_code, "Until: expected a date and a time." in answer.text) == (400, True)


def test_a_directory_that_is_managed_elsewhere_says_so(browser: Browser, doord: FakeDaemon) -> None:
    elsewhere = {"here": False, "text": "the directory is managed upstream"}
    doord.answers["people"] = {"version": 7, "managed": elsewhere, "total": 0, "next": None, "people": []}
    shown = browser.get("/visitors").text
    assert ("the directory is managed upstream" in shown, "/visitors/new" in shown) == (True, False)


@pytest.mark.parametrize("path", ["/visitors", "/visitors/new"])
def test_visitors_are_for_those_who_look_after_people(tmp_path: Path, doord: FakeDaemon, path: str) -> None:
    assert doord
    write_accounts(tmp_path / "accounts.json", vera="viewer")
    browser = Browser(page_in(tmp_path))
    browser.sign_in("vera")
    assert browser.get(path).status_code == 403
