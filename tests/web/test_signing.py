"""Signing in and out, and everything that must not work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge.web.attempts import FREE, RECORDED_A_MINUTE
from edge.web.signing import home
from tests.support.control import FakeDaemon
from tests.support.web import PASSWORD, Browser, answers, page_in, token, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.web.page import Page


@pytest.fixture
def page(tmp_path: Path) -> Page:
    write_accounts(tmp_path / "accounts.json", olga="operator", vera="viewer")
    return page_in(tmp_path)


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


def test_somebody_signs_in_and_out_and_both_are_recorded(browser: Browser, doord: FakeDaemon) -> None:
    assert browser.get("/doors").headers["location"] == "/sign-in?next=%2Fdoors"
    done = browser.sign_in("olga", next_="/events?door=front")
    assert (done.status_code, done.headers["location"]) == (303, "/events?door=front")
    assert browser.get("/doors").status_code == 200
    assert browser.post("/sign-out", data={"csrf": browser.token()}).headers["location"] == "/sign-in"
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


def test_a_flood_of_failures_is_no_flood_of_records(browser: Browser, doord: FakeDaemon) -> None:
    for _ in range(RECORDED_A_MINUTE + 5):
        browser.sign_in("olga", "wrong")
    assert len(logins(doord)) == RECORDED_A_MINUTE


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
    assert "is doord running?" in refused.text
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
