"""Nothing leaves without its headers, nothing changes without its token, nobody does what is not theirs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from starlette.routing import Mount, Route

from edge.daemon.requests.page_rights import PageRights
from edge.model.messages import Actor
from edge.model.page_roles import PageRole, rights_of
from edge.web.app import routes
from edge.web.guard import HEADERS
from edge.web.page import LARGEST_FORM, MOST_FIELDS, Page
from edge.web.pages.live import OVER
from tests.support.control import FakeDaemon, RefusalError, door, pages, record, status
from tests.support.web import Browser, answers, page_in, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = ("/doors", "/events", "/events/1", "/activity", "/health", "/doors/front/unlock")
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
NOT_THIS_FORM = {"/sign-in", "/people/~import"}
"""One has no session yet; the other takes a file, and its own test sends it a wrong token."""
SEEN = "&lt;script&gt;alert(1)&lt;/script&gt;"


def paths(method: str) -> list[str]:
    """Every path that can be asked with this method, with something in its places."""
    places = {
        "{door}": "front",
        "{command}": "lock_down",
        "{sequence:sequence}": "1",
        "{name}": "vera",
        "{person}": "ada",
        "{own}": "staff",
        "{group}": "staff",
        "{schedule}": "days",
        "{card}": "ada-1",
        "{action:turn}": "off",
        "{action:mark}": "lost",
    }
    found = []
    for route in routes():
        if isinstance(route, Route) and method in (route.methods or ()):
            path = route.path
            for place, value in places.items():
                path = path.replace(place, value)
            found.append(path)
    return found


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path / "doord.sock", **answers(events=pages([record(1)]))) as daemon:
        yield daemon


@pytest.fixture
def page(tmp_path: Path, doord: FakeDaemon) -> Page:
    assert doord
    write_accounts(tmp_path / "accounts.json", olga="operator", vera="viewer", mia="manager")
    return page_in(tmp_path)


@pytest.fixture
def browser(page: Page) -> Browser:
    made = Browser(page)
    assert made.sign_in("olga").status_code == 303
    return made


def test_the_list_of_paths_is_whole() -> None:
    """The tests below go by it."""
    assert {type(route) for route in routes()} == {Route, Mount}
    assert "/events.csv" in paths("GET")
    assert set(paths("POST")) == {
        "/sign-in",
        "/sign-out",
        "/password",
        "/accounts",
        "/accounts/vera",
        "/accounts/vera/remove",
        "/groups/~new",
        "/groups/staff",
        "/groups/staff/remove",
        "/schedules/~new",
        "/schedules/days/change",
        "/schedules/staff/remove",
        "/people/~new",
        "/cards",
        "/events/1/card",
        "/people/~import",
        "/people/~import/apply",
        "/people/~import/drop",
        "/visitors/new",
        "/people/ada/change",
        "/people/ada/card",
        "/people/ada/card/reader",
        "/people/ada/card/reader/stop",
        "/people/ada/off",
        "/people/ada/remove",
        "/people/ada/cards/ada-1/lost",
        "/doors/front/lock_down",
        "/every-door/lock_down",
        "/alerts/take",
    }


@pytest.mark.parametrize(
    "path", [*(p for p in paths("GET") if not p.endswith("/live")), "/nowhere", "/static/page.css", "/static/../app.py"]
)
def test_every_answer_has_its_headers(browser: Browser, path: str) -> None:
    for answer in (browser.get(path), browser.delete(path)):
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "strict-transport-security" not in browser.get(path).headers


def test_a_mistake_of_ours_has_them_too_and_says_nothing_of_itself(page: Page, doord: FakeDaemon) -> None:
    browser = Browser(page)
    browser.sign_in("olga")
    doord.answers["status"] = {}
    broken = browser.get("/doors")
    assert broken.status_code == 500
    assert {name: broken.headers.get(name) for name in HEADERS} == HEADERS
    assert "KeyError" not in broken.text


def test_a_phone_may_keep_the_page_on_its_home_screen(browser: Browser) -> None:
    assert '<link rel="manifest" href="/static/page.webmanifest">' in browser.get("/doors").text
    manifest = browser.get("/static/page.webmanifest").json()
    assert browser.get(manifest["start_url"]).status_code == 200
    assert [browser.get(icon["src"]).headers["content-type"] for icon in manifest["icons"]] == ["image/svg+xml"]


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("path", [p for p in paths("GET") if p not in {"/sign-in", "/metrics"}])
def test_who_is_not_signed_in_sees_nothing(page: Page, doord: FakeDaemon, path: str) -> None:
    answer = Browser(page).get(path)
    assert answer.status_code in {303, 401} or answer.text == OVER
    assert answer.headers.get("location", "/sign-in").startswith("/sign-in")
    assert not doord.asked, "doord is not even asked"


@pytest.mark.parametrize(
    "host", ["x/static/", "x/static/?", "x/sign-in?", "x/sign-in#", "door.example/static/page.css#"]
)
def test_no_host_makes_a_path_public(page: Page, doord: FakeDaemon, host: str) -> None:
    """What a browser sends as Host has no say in what it may see."""
    for path in ("/doors", "/events", "/events/1", "/activity", "/health", "/every-door/live", "/events.csv"):
        answer = Browser(page).get(path, headers={"Host": host})
        assert answer.status_code in {303, 400, 401} or answer.text == OVER, path
        assert "Front door" not in answer.text
    assert not doord.asked


def test_a_slash_too_many_sends_nobody_elsewhere(browser: Browser) -> None:
    answer = browser.get("/doors/", headers={"Host": "evil.example"})
    assert (answer.status_code, "location" in answer.headers) == (404, False)


@pytest.mark.parametrize("path", [p for p in paths("POST") if p not in NOT_THIS_FORM])
@pytest.mark.parametrize("sent", [{"x": "y"}, {"csrf": ""}, {"csrf": "x" * 43}, {"csrf": "ä"}])
def test_nothing_is_done_without_the_token_of_the_session(
    page: Page, doord: FakeDaemon, path: str, sent: dict[str, str]
) -> None:
    browser = Browser(page)
    browser.sign_in("mia")  # who may everything, so that nothing else refuses it
    before = len(doord.asked)
    answer = browser.post(path, data=sent)
    assert (answer.status_code, "not one of yours" in answer.text) == (403, True)
    assert not [ask for ask in doord.asked[before:] if ask["op"] != "status"]
    assert browser.get("/doors").status_code == 200, "and nobody was signed out"


@pytest.mark.parametrize("path", [p for p in paths("GET") if not p.endswith(("/live", ".csv"))])
def test_whoever_only_looks_changes_nothing(page: Page, doord: FakeDaemon, path: str) -> None:
    manager = Browser(page)
    manager.sign_in("mia")
    before = len(doord.asked)
    manager.get(path)
    looks = {"status", "facts", "events", "alerts", "pictures", "picture", "metrics"}
    looks |= {"passages", "proposals", "people", "person", "cards", "groups", "schedules", "access", "entries"}
    changes = [ask for ask in doord.asked[before:] if ask["op"] not in looks]
    assert [ask for ask in changes if (ask["op"], ask.get("action")) != ("enrol", "state")] == []


@pytest.mark.parametrize("role", [*PageRole])
def test_what_the_page_asks_for_an_account_doord_allows_it(tmp_path: Path, doord: FakeDaemon, role: PageRole) -> None:
    """Each path decides by itself who may; doord decides again, and must not be asked for more."""
    done = {"done": True, "code": None, "outcomes": {"version": 8}, "id": "ada", "name": "Ada", "notes": []}
    managed = {"here": True, "text": None}
    ada = {
        "id": "ada", "user": "ada", "name": "Ada", "email": None, "state": "active", "valid_from": None,
        "valid_until": None, "visitor": False, "groups": [], "cards": [], "pin": False, "extended_unlock": False,
        "last_seen": None, "doors": [],
    }  # fmt: skip
    ended = {"state": "ended", "until": None, "reader": None, "card": None, "holder": None}
    entry = {"id": "staff", "name": "Staff", "kind": "access"}
    doord.answers |= {
        "people": {"version": 7, "managed": managed, "total": 1, "next": None, "people": [ada]},
        "person": {"version": 7, "managed": managed, "person": ada},
        "groups": {"groups": []}, "schedules": {"schedules": [], "at": "2026-11-30T12:00:00+01:00"},
        "entries": {"version": 7, "entries": [entry]}, "enrol": ended, "cards": {"cards": []},
        "change_person": done, "card": done | {"card": None}, "edit_directory": done,
        "visitor": done | {"valid_until": "2026-11-30T17:00+00:00", "doors": []},
    }  # fmt: skip
    write_accounts(tmp_path / "accounts.json", rita=role.value, vera="viewer")
    somebody = Browser(page_in(tmp_path))
    somebody.sign_in("rita")
    rights = PageRights()
    rights.restore(json.dumps({"rita": role.value, "vera": "viewer"}))
    csrf = somebody.token()
    for path in paths("GET"):
        if not path.endswith("/live"):
            somebody.get(path)
    for path in sorted(set(paths("POST")) - {"/sign-in", "/sign-out"}):
        somebody.post(path, data={"csrf": csrf, "name": "x", "card": "1", "who": "ada", "door:front": "on"})
    may = {"people": "change_person", "directory": "edit_directory", "accounts": "login", "lock_down": "command"}
    asked = {ask["op"] for ask in doord.asked}
    assert {op for right, op in may.items() if right in rights_of(role)} <= asked
    for ask in doord.asked:
        login = ask.get("as", {}).get("id")
        actor = Actor("operator", "uid:998" if login is None else f"web:{login}", "doorweb")
        body = {key: value for key, value in ask.items() if key not in {"op", "as"}}
        rights.check(ask["op"], body, actor)


def test_the_token_of_somebody_else_is_none(page: Page, browser: Browser, doord: FakeDaemon) -> None:
    other = Browser(page)
    other.sign_in("olga")
    assert browser.post("/doors/front/unlock", data={"csrf": other.token()}).status_code == 403
    assert not doord.of("command")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_what_another_site_sends_is_refused_even_with_the_token(browser: Browser, doord: FakeDaemon, site: str) -> None:
    sent = browser.post("/doors/front/unlock", data={"csrf": browser.token()}, headers={"Sec-Fetch-Site": site})
    assert sent.status_code == 403
    assert not doord.of("command")


@pytest.mark.parametrize("path", [p for p in paths("POST") if "door" in p])
def test_a_viewer_moves_no_door(page: Page, doord: FakeDaemon, path: str) -> None:
    viewer = Browser(page)
    viewer.sign_in("vera")
    assert viewer.get(path).status_code == 403
    assert viewer.post(path, data={"csrf": viewer.token()}).status_code == 403
    assert not doord.of("command")
    shown = viewer.get("/doors").text
    assert "Unlock" not in shown
    assert "Lock down" not in shown


@pytest.mark.parametrize(
    ("content", "kind", "status_"),
    [
        (b"csrf=" + b"x" * LARGEST_FORM, "application/x-www-form-urlencoded", 413),
        (b'{"csrf": "x"}', "application/json", 415),
        (b"csrf=x", "multipart/form-data; boundary=x", 415),
        (b"csrf=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff", "application/x-www-form-urlencoded", 400),
        (b"&a=" * (MOST_FIELDS + 1), "application/x-www-form-urlencoded", 400),
    ],
)
def test_what_is_no_form_is_refused(browser: Browser, content: bytes, kind: str, status_: int) -> None:
    answer = browser.post("/doors/front/unlock", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status_


def told_everywhere(doord: FakeDaemon, evil: str) -> None:
    """The same text in everything that a daemon tells and a page shows."""
    actor = {"kind": "user", "id": evil, "name": evil, "email": evil}
    one = record(
        1,
        "lock.forced_open",
        message=evil,
        actor=actor,
        code=evil,
        cause=evil,
        details={evil: evil},
        object={"type": "lock", "id": "front", "name": evil},
    )
    driver = {
        "kind": "gpio",
        "state": "lost",
        "reason": evil,
        "since": status()["drivers"]["bench"]["since"],
        "facts": {},
    }
    told = status(
        doors={"front": door(name=evil, tamper=evil, fault=evil)},
        drivers={evil: driver},
        log={**status()["log"], "error": evil, "writer": evil},
        upstream={**status()["upstream"], "url": evil, "last_error": evil, "state": "offline"},
    )
    doord.answers |= {"status": told, "facts": told, "events": pages([one, record(2, message=evil)])}


def test_names_and_messages_are_text_wherever_they_come_from(browser: Browser, doord: FakeDaemon) -> None:
    told_everywhere(doord, EVIL)
    for path in PAGES:
        shown = browser.get(path)
        assert shown.status_code == 200, path
        assert "<script>alert" not in shown.text
        assert "<img" not in shown.text
        assert SEEN in shown.text, path


def test_nothing_that_may_not_be_printed_is_on_any_page(browser: Browser, doord: FakeDaemon) -> None:
    told_everywhere(doord, "A\x1b[2J\x07\x9b31m\u202egnp\u2066\u200b\u2028\ud800Z")
    for path in PAGES:
        shown = browser.get(path)
        assert shown.status_code == 200, path
        assert not UNPRINTABLE.search(shown.text), path
    assert "\\u001b[2J" in browser.get("/events/1").text, "the details of a record stay the JSON that they are"


@pytest.mark.parametrize(
    "key", ["text", "user", "group", "code", "since", "type", "door", "outcome", "period", "class"]
)
def test_what_is_asked_comes_back_as_text(browser: Browser, key: str) -> None:
    shown = browser.get("/events", params={key: EVIL})
    assert "<script>alert" not in shown.text
    assert "<img" not in shown.text


def test_a_refusal_of_doord_is_text(browser: Browser, doord: FakeDaemon) -> None:
    def refuse(_ask: Any) -> None:
        raise RefusalError("malformed", EVIL)

    doord.answers["command"] = refuse
    told = browser.post("/doors/front/unlock", data={"csrf": browser.token()})
    assert (told.status_code, SEEN in told.text, "<script>alert" in told.text) == (400, True, False)


def test_characters_that_turn_text_around_are_shown_as_such(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["status"] = status(doors={"front": door(name="Front \u202egnp.exe\x07")})
    shown = browser.get("/doors").text
    assert "\u202e" not in shown
    assert "Front \ufffdgnp.exe\ufffd" in shown
