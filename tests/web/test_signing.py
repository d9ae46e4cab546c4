"""Signing in and out, and everything that must not work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from edge.web.app import application
from edge.web.attempts import FREE, RECORDED_A_MINUTE
from edge.web.pages.signing import home
from tests.support.control import FakeDaemon
from tests.support.doord import Doord
from tests.support.waiting import until
from tests.support.web import PASSWORD, Browser, answers, page_in, token, write_accounts, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.web.page import Page


@pytest.fixture
def page(tmp_path: Path) -> Page:
    write_accounts(tmp_path / "accounts.json", olga="operator", vera="viewer", wall="display")
    return page_in(tmp_path, now_ns=lambda: 10**12)  # however slow we are, it is the same minute


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path / "doord.sock", **answers()) as daemon:
        yield daemon


@pytest.fixture
def browser(page: Page, doord: FakeDaemon) -> Browser:
    assert doord
    return Browser(page)


def logins(doord: FakeDaemon) -> list[dict[str, Any]]:
    return [{key: value for key, value in ask.items() if key != "op"} for ask in doord.of("login")]


@pytest.mark.parametrize(("account", "first"), [("olga", "/doors"), ("wall", "/wall")])
def test_a_display_comes_to_the_wall_and_its_browser_keeps_it_signed_in(
    browser: Browser, account: str, first: str
) -> None:
    done = browser.sign_in(account)
    assert done.headers["location"] == first
    assert ("Max-Age" in done.headers["set-cookie"]) == (account == "wall")
    assert [browser.get(path).headers["location"] for path in ("/", "/sign-in")] == [first] * 2


def test_somebody_signs_in_and_out_and_both_are_recorded(browser: Browser, doord: FakeDaemon) -> None:
    assert browser.get("/doors").headers["location"] == "/sign-in?next=%2Fdoors"
    done = browser.sign_in("olga", next_="/events?door=front")
    assert (done.status_code, done.headers["location"]) == (303, "/events?door=front")
    assert browser.get("/doors").status_code == 200
    assert browser.post("/sign-out", data={"csrf": browser.token()}).headers["location"] == "/sign-in?left"
    assert "You have signed out." in browser.get("/sign-in?left").text
    assert browser.get("/doors").status_code == 303
    olga = {"id": "olga", "name": "olga"}
    assert logins(doord) == [
        {"action": "sign_in", "login": "olga", "address": "192.0.2.7", "as": olga},
        {"action": "sign_out", "login": "olga", "address": "192.0.2.7", "as": olga},
    ]


@pytest.mark.parametrize(
    ("secure", "expected"),
    [
        (True, "__Host-doorweb=; HttpOnly; Path=/; SameSite=strict; Secure"),
        (False, "doorweb=; HttpOnly; Path=/; SameSite=strict"),
    ],
)
def test_the_cookie_is_for_this_page_alone(tmp_path: Path, doord: FakeDaemon, secure: bool, expected: str) -> None:
    assert doord
    write_accounts(tmp_path / "accounts.json", olga="operator")
    cookie = Browser(page_in(tmp_path, secure=secure)).sign_in("olga").headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    value, _, flags = rest.partition("; ")
    assert f"{name}=; {flags}" == expected
    assert len(value) == 43


def test_a_cookie_from_before_is_worth_nothing_after(browser: Browser, page: Page) -> None:
    """Nobody can be given a session that somebody else knows (session fixation)."""
    browser.cookies.set(page.cookie, "known-to-somebody-else", domain="door.example")
    assert browser.sign_in("olga").status_code == 303
    first = browser.cookies[page.cookie]
    assert first != "known-to-somebody-else"
    form = browser.get("/sign-in")
    assert form.headers["location"] == "/doors"
    browser.cookies.delete(page.cookie)
    browser.sign_in("olga")
    assert browser.cookies[page.cookie] != first


def test_signing_in_again_ends_the_session_before(page: Page, browser: Browser) -> None:
    browser.sign_in("olga")
    old = browser.cookies[page.cookie]
    bound = browser.cookies[f"{page.cookie}-form"]
    data = {"csrf": page.forms.token(bound), "name": "vera", "password": PASSWORD}
    assert browser.post("/sign-in", data=data).status_code == 303
    assert page.sessions.find(old, use=False) is None


def test_wrong_passwords_and_unknown_names_look_the_same(browser: Browser, doord: FakeDaemon) -> None:
    wrong, unknown = browser.sign_in("olga", "wrong horse battery"), browser.sign_in("my secret password", "x")
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert "The name or the password is wrong." in wrong.text
    assert token(wrong.text) == token(unknown.text)
    assert wrong.text.replace("olga", "") == unknown.text.replace("my secret password", "")
    assert [(one["login"], one["code"]) for one in logins(doord)] == [
        ("olga", "wrong_password"),
        ("(unknown)", "wrong_password"),
    ], "what a stranger typed is not recorded: people type passwords into the wrong field"


def test_after_a_few_failures_nobody_is_even_asked(browser: Browser, doord: FakeDaemon) -> None:
    for _ in range(FREE):
        assert browser.sign_in("olga", "wrong").status_code == 403
    refused = browser.sign_in("olga")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "Try again in 1 seconds" in refused.text
    assert logins(doord)[-1]["code"] == "rate_limited"


def test_a_flood_of_failures_is_no_flood_of_records_and_is_counted(
    tmp_path: Path, doord: FakeDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    time = [10**12]
    write_accounts(tmp_path / "accounts.json", olga="operator")
    browser = Browser(page_in(tmp_path, now_ns=lambda: time[0]))
    for _ in range(FREE + RECORDED_A_MINUTE + 7):
        browser.sign_in("olga", "wrong")
    assert [one["code"] for one in logins(doord)] == ["wrong_password"] * FREE + ["rate_limited"] * RECORDED_A_MINUTE
    assert [line.message for line in caplog.records if line.name == "edge.web.pages.signing"] == [
        "more failed sign-ins than are recorded (rate_limited); the next record says how many"
    ]
    for code, left_out in (("wrong_password", None), ("rate_limited", 7), ("rate_limited", None)):
        time[0] += 60 * 10**9 if code == "wrong_password" else 0
        browser.sign_in("olga", "wrong")
        assert (logins(doord)[-1]["code"], logins(doord)[-1].get("left_out")) == (code, left_out)


def test_the_log_says_how_many_were_left_out(tmp_path: Path) -> None:
    time = [10**12]
    write_accounts(tmp_path / "accounts.json", olga="operator")
    with Doord(write_config(tmp_path)) as doord:
        browser = Browser(page_in(tmp_path, now_ns=lambda: time[0]))
        for _ in range(FREE + RECORDED_A_MINUTE + 3):
            browser.sign_in("olga", "wrong")
        time[0] += 60 * 10**9
        for _ in range(2):
            browser.sign_in("olga", "wrong")

        def told() -> list[Any]:
            return [one["data"] for one in doord.ask("events", type=["login.sign_in"])["records"]]

        until(lambda: len(told()) == FREE + RECORDED_A_MINUTE + 2)
        found = told()
    assert found[-1]["details"] == {"address": "192.0.2.7", "left_out": 3}
    assert [one["details"].get("left_out") for one in found[:-1]] == [None] * (FREE + RECORDED_A_MINUTE + 1)
    assert {one["object"]["id"] for one in found} == {"olga"}


def test_strangers_hide_no_attack_on_an_account(page: Page, browser: Browser, doord: FakeDaemon) -> None:
    for _ in range(16):
        browser.sign_in("nobody", "wrong")
    for n in range(RECORDED_A_MINUTE):  # from as many addresses as it takes
        Browser(page, f"198.51.100.{n}").sign_in("nothing", "wrong")
    for _ in range(FREE):
        Browser(page, "203.0.113.1").sign_in("olga", "wrong")
    Browser(page, "203.0.113.2").sign_in("vera", "wrong")
    told = [(one["login"], one["code"]) for one in logins(doord)]
    assert told.count(("olga", "wrong_password")) == FREE
    assert told[-1] == ("vera", "wrong_password")
    assert len(told) == 2 * RECORDED_A_MINUTE + FREE + 1


def test_an_answer_does_not_wait_for_the_record_of_the_failure(tmp_path: Path) -> None:
    """Or it would come sooner for a name whose failures are no longer recorded, and tell which names there are."""
    write_accounts(tmp_path / "accounts.json", olga="operator")
    events: list[str] = []

    class Asked:
        async def ask(self, op: str, who: str, **_body: Any) -> None:
            events.append(f"{op} {who}")

    page = page_in(tmp_path, link=Asked())
    form = urlencode({"csrf": page.forms.token("x"), "name": "olga", "password": "wrong"}).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/sign-in",
        "query_string": b"",
        "client": ("192.0.2.7", 50_000),
        "headers": [
            (b"cookie", f"{page.cookie}-form=x".encode()),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": form}

    async def send(message: Any) -> None:
        events.append(message["type"])

    asyncio.run(application(page)(scope, receive, send))
    assert events == ["http.response.start", "http.response.body", "login olga"]


def test_whoever_knows_a_password_writes_the_history_away_no_more_than_others(
    page: Page, browser: Browser, doord: FakeDaemon
) -> None:
    for _ in range(RECORDED_A_MINUTE):
        assert browser.sign_in("vera").status_code == 303
        browser.cookies.delete(page.cookie)
    refused = browser.sign_in("vera")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert "Too many sign-ins" in refused.text
    assert browser.get("/doors").status_code == 303, "nobody is signed in without a record"
    assert browser.sign_in("olga").status_code == 303
    assert [one["code"] for one in logins(doord) if "code" in one] == ["rate_limited"]


def test_another_address_is_not_held_up_by_it_but_the_account_is(page: Page, browser: Browser) -> None:
    for n in range(FREE + 1):
        browser.sign_in(f"nobody-{n}", "wrong")
    assert browser.sign_in("vera").status_code == 429
    assert Browser(page, "192.0.2.8").sign_in("vera").status_code == 303


def test_a_network_of_ipv6_is_one_address(page: Page, doord: FakeDaemon) -> None:
    assert doord
    for n in range(FREE + 1):
        Browser(page, f"2001:db8::{n}").sign_in(f"nobody-{n}", "wrong")
    assert Browser(page, "2001:db8::ffff").sign_in("vera").status_code == 429
    assert Browser(page, "2001:db8:0:1::1").sign_in("vera").status_code == 303


def test_an_address_is_that_of_the_connection(page: Page, doord: FakeDaemon) -> None:
    browser = Browser(page, "::ffff:192.0.2.9")
    browser.headers |= {"X-Forwarded-For": "203.0.113.1", "Forwarded": "for=203.0.113.1", "X-Real-IP": "203.0.113.1"}
    browser.sign_in("olga")
    assert logins(doord)[0]["address"] == "192.0.2.9"


def test_the_form_needs_its_own_token(browser: Browser) -> None:
    browser.get("/sign-in")
    for data in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
        refused = browser.post("/sign-in", data={"name": "olga", "password": PASSWORD, **data})
        assert refused.status_code == 403
        assert "session" not in refused.headers.get("set-cookie", "")
    assert browser.get("/doors").status_code == 303


def test_a_token_of_another_browser_is_none(page: Page, browser: Browser) -> None:
    other = token(Browser(page).get("/sign-in").text)
    browser.get("/sign-in")
    assert browser.post("/sign-in", data={"csrf": other, "name": "olga", "password": PASSWORD}).status_code == 403


def test_nobody_signs_in_without_a_record_of_it(page: Page) -> None:
    browser = Browser(page)  # no daemon
    refused = browser.sign_in("olga")
    assert refused.status_code == 503
    assert "program is not running" in refused.text
    assert browser.get("/doors").status_code == 303


def test_everybody_can_sign_out_without_a_daemon(tmp_path: Path, page: Page) -> None:
    browser = Browser(page)
    with FakeDaemon(tmp_path / "doord.sock", **answers()):
        browser.sign_in("olga")
        csrf = browser.token()
    assert browser.post("/sign-out", data={"csrf": csrf}).status_code == 303
    assert browser.get("/doors").headers["location"].startswith("/sign-in")


def test_an_account_that_changes_is_signed_out(tmp_path: Path, browser: Browser) -> None:
    browser.sign_in("olga")
    assert browser.get("/doors").status_code == 200
    write_accounts(tmp_path / "accounts.json", olga="viewer")
    assert browser.get("/doors").status_code == 303
    assert "your password or your role was changed" in browser.get("/sign-in").text
    browser.sign_in("olga")
    write_accounts(tmp_path / "accounts.json", vera="viewer")
    assert browser.get("/doors").status_code == 303
    assert "your account was removed" in browser.get("/sign-in").text


def test_the_form_names_the_place_keeps_the_name_and_says_why_somebody_was_signed_out(
    tmp_path: Path, doord: FakeDaemon
) -> None:
    assert doord
    write_accounts(tmp_path / "accounts.json", olga="operator")
    now = [10**12]
    page = page_in(tmp_path, now_ns=lambda: now[0])
    browser = Browser(page)
    first = browser.get("/sign-in").text
    assert f"Doorward at {page.site}" in first
    assert "You were signed out" not in first
    wrong = browser.sign_in("Olga", "not the password").text
    assert 'value="olga"' in wrong
    assert 'value="olga"' not in browser.get("/sign-in").text
    assert 'value="&#34;&gt;x"' in browser.sign_in('">x', "not the password").text
    assert browser.sign_in("olga").status_code == 303
    now[0] += 10**15
    assert browser.get("/doors").status_code == 303
    assert "nothing was clicked for a while" in browser.get("/sign-in").text
    assert browser.sign_in("olga").status_code == 303
    again = Browser(page_in(tmp_path, now_ns=lambda: now[0]))
    again.cookies = browser.cookies
    assert again.get("/doors").status_code == 303
    assert "the page was restarted" in again.get("/sign-in").text


def test_a_spoiled_file_of_accounts_stops_everybody_with_a_sentence(tmp_path: Path, browser: Browser) -> None:
    browser.sign_in("olga")
    (tmp_path / "accounts.json").write_text("{")
    stopped = browser.get("/doors")
    assert stopped.status_code == 503
    assert "no file of accounts" in stopped.text


@pytest.mark.parametrize("length", [257, 15_000])
def test_a_password_of_any_length_is_only_wrong(browser: Browser, length: int) -> None:
    assert browser.sign_in("olga", "x" * length).status_code == 403


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/doors\r\nSet-Cookie: a=b",
        "/doors\t//evil",
        "http:/doors",
        "//[",
        "/ evil",
        "/ä",
    ],
)
def test_nobody_is_sent_elsewhere(wanted: str) -> None:
    assert home(wanted) == "/doors"


@pytest.mark.parametrize("wanted", ["/events", "/events?door=front&text=a%2Fb", "/doors/front/unlock", "/events/12"])
def test_everybody_comes_back_to_where_they_were(wanted: str) -> None:
    assert home(wanted) == wanted


def test_a_redirect_elsewhere_does_not_survive_the_form(browser: Browser) -> None:
    assert "evil" not in browser.get("/sign-in?next=//evil.example").text
    assert browser.sign_in("olga", next_="//evil.example").headers["location"] == "/doors"
