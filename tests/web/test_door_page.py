"""The page of one door: what it shows to whom, what it offers when, and what comes of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.web.door_actions import offered, primary
from edge.web.words import Words
from tests.support.control import FakeDaemon, RefusalError, door, passed, status
from tests.support.web import Browser, answers, page_in, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = Words(ZoneInfo("Europe/Berlin"))
SCHEDULE = {"id": "office", "name": "Office", "state": "off", "next_change": "2026-11-23T07:00:00.000000Z"}
ADA = {"kind": "user", "id": "ada", "name": "Ada", "email": None}
CLOSED = ["unlock", "hold_unlocked", "block", "lock_down"]
ROLES = {"olga": "operator", "vera": "viewer", "rita": "reception", "dis": "display"}


def by(kind: str) -> dict[str, Any]:
    return {"mode": "unlocked", "unlocked_by": {"kind": kind, "name": "x"}}


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    facts = status(doors={"front": door(schedule=SCHEDULE, zone="Ground floor")})
    told = {"rows": [{"person": {"id": "ada", "name": "Ada <b>"}}], "next": None}
    levels = {"front.contact": {"asserted": False, "since": "2026-11-22T20:57:03.000000Z", "at_ns": 1}}
    with FakeDaemon(
        tmp_path / "doord.sock",
        **answers(status=facts, facts={**facts, "inputs": levels}, access=lambda _ask: told),
    ) as daemon:
        yield daemon


@pytest.fixture
def browser(tmp_path: Path, doord: FakeDaemon) -> Browser:
    assert doord
    write_accounts(tmp_path / "accounts.json", **ROLES)
    browser = Browser(page_in(tmp_path))
    browser.sign_in("olga")
    return browser


@pytest.mark.parametrize(
    ("changes", "offers", "one"),
    [
        ({}, CLOSED, "unlock"),
        ({"mode": "accessed"}, ["unlock", "lock", *CLOSED[1:]], "unlock"),
        ({"mode": "blocked"}, ["unlock", "hold_unlocked", "unblock", "lock_down"], "unblock"),
        (by("operator"), ["lock", "block", "lock_down"], "lock"),
        (by("operator") | {"held_until": "2026-11-22T22:57:03Z"}, ["lock", *CLOSED[1:]], "lock"),
        (by("schedule"), ["lock", *CLOSED[1:]], "lock"),
        ({"mode": "locked_down"}, ["cancel_lockdown"], "cancel_lockdown"),
        ({"mode": "locked_open"}, [], ""),
    ],
)
def test_what_a_door_cannot_do_now_is_not_offered(changes: dict[str, Any], offers: list[str], one: str) -> None:
    state = door(**changes)
    assert (offered(state), primary(state)) == (offers, one)


def test_the_page_of_a_door_has_everything_about_it(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["passages"] = {"passages": [passed(shown=2)], "next": 1}
    shown = browser.get("/doors/front").text
    for text in (
        '<h1 class="door-name">Front door</h1>',
        "<dd>Ground floor</dd>",
        '<a href="/events/2" data-row="title">Ada Lovelace</a>',
        'data-live="/doors/front/live?after=',
        ">granted</span>",
        "opened, closed after 3 s",
        '<a href="/schedules/office">Office</a> off now; next change 23 November 08:00.',
        "<p>Ada &lt;b&gt;</p>",
        '<th scope="row">contact</th><td>closed</td><td>today 21:57</td><td>bench</td>',
        '<th scope="row">rex</th><td>unknown</td>',
        "0 openings",
    ):
        assert text in shown
    assert "What is wrong" not in shown
    [asked] = doord.of("passages")
    assert (asked["door"], asked["class"]) == (["front"], "access")
    assert browser.get("/doors/nowhere").status_code == 404


def test_what_is_wrong_with_a_door_is_said_with_its_time(browser: Browser, doord: FakeDaemon) -> None:
    bad = status(doors={"front": door(alarm="forced_open", fault="front.lock: no answer")})
    doord.answers["facts"] = {**bad, "inputs": {}}
    shown = browser.get("/doors/front").text
    assert "<strong>Forced open</strong>, since today 21:57" in shown
    assert "<strong>Fault: front.lock: no answer</strong>, since today 21:57" in shown


@pytest.mark.parametrize(
    ("who", "may", "sees"),
    [
        ("olga", {*CLOSED}, True),
        ("rita", {"unlock"}, True),
        ("vera", set(), True),
        ("dis", set(), False),
    ],
)
def test_a_role_is_offered_what_it_may(
    browser: Browser, doord: FakeDaemon, who: str, may: set[str], *, sees: bool
) -> None:
    doord.asked.clear()
    browser.cookies.clear()
    browser.sign_in(who)
    shown = browser.get("/doors/front").text
    assert {one for one in CLOSED if f'href="/doors/front/{one}?back=door"' in shown} == may
    assert ("Last passages" in shown, "Who may pass" in shown, bool(doord.of("facts"))) == (sees, sees, sees)
    assert ('name="minutes"' in shown) == ("hold_unlocked" in may)


@pytest.mark.parametrize("path", ["hold_unlocked?minutes=0", "hold_unlocked?minutes=61", "hold_unlocked?minutes=5.5",
    "hold_unlocked?minutes=%D9%A5", "unlock?minutes=5"])  # fmt: skip
def test_minutes_are_one_to_sixty(browser: Browser, doord: FakeDaemon, path: str) -> None:
    answer = browser.post(f"/doors/front/{path}", data={"csrf": browser.token()})
    assert answer.status_code == 400
    assert "1 to 60 minutes" in answer.text
    assert not doord.of("command")


def test_a_refusal_looks_like_one_on_the_page_that_asked(browser: Browser, doord: FakeDaemon) -> None:
    why = "Refused: Front door unlocked by olga (interlock)"
    doord.answers["command"] = {"outcomes": {"front": {"done": False, "code": "interlock", "message": why}}}
    question = browser.get("/doors/front/unlock?back=door").text
    assert 'action="/doors/front/unlock?back=door"' in question
    assert 'href="/doors/front"' in question
    answer = browser.post("/doors/front/unlock?back=door", data={"csrf": browser.token()})
    assert answer.headers["location"] == "/doors/front"
    assert f'<p class="problem" role="alert">{why}</p>' in browser.get("/doors/front").text
    assert why not in browser.get("/doors/front").text, "it is said once"


def test_a_script_is_answered_in_place(browser: Browser, doord: FakeDaemon) -> None:
    def post(path: str) -> dict[str, Any]:
        answer = browser.post(path, data={"csrf": browser.token()}, headers={"Accept": "application/json"})
        assert answer.status_code == 200
        return dict(answer.json())

    done = {"done": True, "says": ["Front door: unlocked for 5 min."]}
    assert post("/doors/front/hold_unlocked?minutes=5") == done
    why = "Refused: Front door unlocked by olga (locked_down)"
    doord.answers["command"] = {"outcomes": {"front": {"done": False, "code": "locked_down", "message": why}}}
    assert post("/doors/front/unlock") == {"done": False, "says": [why]}

    def refuse(_ask: Any) -> None:
        raise RefusalError("rate_limited", "too many")

    doord.answers["command"] = refuse
    assert post("/doors/front/unlock") == {"done": False, "says": ["too many"]}
    shown = browser.get("/doors").text
    assert "too many" not in shown, "nothing is said again on the next page"
    assert "unlocked for 5 min" not in shown


def test_people_that_cannot_be_told_cost_nothing_else(browser: Browser, doord: FakeDaemon) -> None:
    def refuse(_ask: Any) -> None:
        raise RefusalError("busy", "the directory is loading")

    doord.answers["access"] = refuse
    shown = browser.get("/doors/front").text
    assert "the directory is loading" in shown
    assert "Last passages" in shown


def test_a_door_called_live_has_its_page(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["status"] = doord.answers["facts"] = {**status(doors={"live": door(name="Live")}), "inputs": {}}
    assert '<h1 class="door-name">Live</h1>' in browser.get("/doors/live").text
