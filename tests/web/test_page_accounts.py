"""Accounts at the page itself: one's own password, and what a manager changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge.model.page_roles import PageRole
from edge.web.accounts import Account, Accounts, hashed, matches
from tests.support.control import FakeDaemon, RefusalError
from tests.support.web import PASSWORD, Browser, answers, page_in, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.web.page import Page

NEW = "a longer password than that"
LATER_NS = 48 * 3_600 * 10**9


class _Clock:
    now_ns = 10**12

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def page(tmp_path: Path, clock: _Clock) -> Page:
    write_accounts(tmp_path / "accounts.json", **{role.value: role.value for role in PageRole})
    return page_in(tmp_path, now_ns=clock)


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path / "doord.sock", **answers()) as daemon:
        yield daemon


def browser(page: Page, name: str, password: str = PASSWORD) -> Browser:
    made = Browser(page)
    assert made.sign_in(name, password).status_code == 303
    return made


def changed(doord: FakeDaemon) -> list[tuple[Any, ...]]:
    asks = [ask for ask in doord.of("login") if ask["action"] not in {"sign_in", "sign_out"}]
    return [(ask["action"], ask["login"], ask.get("role"), ask["as"]["id"]) for ask in asks]


@pytest.mark.parametrize(
    ("role", "menu", "commands"),
    [
        ("display", ["Doors"], []),
        ("viewer", ["Doors", "Events", "Activity", "Health"], []),
        ("reception", ["Doors", "Events", "Activity", "Health"], ["unlock"]),
        ("operator", ["Doors", "Events", "Activity", "Health"], ["unlock", "lock_down"]),
        ("manager", ["Doors", "Events", "Activity", "Health", "Accounts"], ["unlock", "lock_down"]),
    ],
)
def test_each_role_is_offered_what_it_may(
    page: Page, doord: FakeDaemon, role: str, menu: list[str], commands: list[str]
) -> None:
    assert doord
    one = browser(page, role)
    shown = one.get("/doors").text
    titles = ["Doors", "Events", "Activity", "Health", "Accounts"]
    assert [title for title in titles if f">{title}</a></li>" in shown] == menu
    for path, title in (("/events", "Events"), ("/health", "Health"), ("/accounts", "Accounts")):
        assert (one.get(path).status_code != 403) is (title in menu), path
    for command in ("unlock", "lock_down"):
        assert (f"/doors/front/{command}" in shown) is (command in commands)
        sent = one.post(f"/doors/front/{command}", data={"csrf": one.token("/doors")})
        assert sent.status_code == (303 if command in commands else 403)
    assert [ask["command"] for ask in doord.of("command")] == commands


def test_a_display_stays_signed_in_and_cannot_change_its_password(page: Page, doord: FakeDaemon, clock: _Clock) -> None:
    assert doord
    wall, desk = browser(page, "display"), browser(page, "viewer")
    assert wall.get("/password").status_code == 403
    clock.now_ns += LATER_NS
    assert wall.get("/doors").status_code == 200
    assert desk.get("/doors").status_code == 303


def test_a_new_password_of_ones_own_ends_every_other_session(page: Page, doord: FakeDaemon) -> None:
    here, elsewhere = browser(page, "viewer"), browser(page, "viewer")
    form = {"csrf": here.token("/password"), "old": PASSWORD, "password": NEW, "again": NEW}
    for wrong, status, text in (
        ({"old": "not the old one"}, 403, "The old password is wrong."),
        ({"again": "something else entirely"}, 400, "are not the same"),
        ({"password": "short", "again": "short"}, 400, "12 to 256 characters"),
        ({"csrf": "x"}, 403, "not one of yours"),
    ):
        answer = here.post("/password", data=form | wrong)
        assert (answer.status_code, text in answer.text) == (status, True)
    assert changed(doord) == []
    assert here.post("/password", data=form).status_code == 303
    assert changed(doord) == [("change", "viewer", None, "viewer")]
    assert "You have a new password" in here.get("/doors").text
    assert elsewhere.get("/doors").status_code == 303
    assert Browser(page).sign_in("viewer").status_code == 403
    browser(page, "viewer", NEW)


def test_guessing_the_old_password_is_counted_like_a_sign_in(page: Page, doord: FakeDaemon) -> None:
    here = browser(page, "viewer")
    form = {"csrf": here.token("/password"), "password": NEW, "again": NEW}
    answers_ = [here.post("/password", data=form | {"old": f"guess {n}"}).status_code for n in range(8)]
    assert answers_[0] == 403
    assert answers_[-1] == 429
    failures = [ask for ask in doord.of("login") if ask.get("code")]
    assert {ask["login"] for ask in failures} == {"viewer"}


def test_a_manager_adds_changes_and_removes_accounts(page: Page, doord: FakeDaemon, tmp_path: Path) -> None:
    mia = browser(page, "manager")
    csrf = mia.token("/accounts")
    form = {"csrf": csrf, "name": " Rita ", "role": "reception", "password": NEW, "again": NEW}
    for wrong, text in (
        ({"name": "Rita Meyer"}, "A name has"),
        ({"name": "viewer"}, "There is an account viewer already."),
        ({"again": "x"}, "are not the same"),
        ({"role": "king"}, "Expected a role."),
    ):
        answer = mia.post("/accounts", data=form | wrong)
        assert answer.status_code == 400
        assert text in answer.text
    assert mia.post("/accounts", data=form).status_code == 303
    rita = browser(page, "rita", NEW)
    mia.post("/accounts/rita", data={"csrf": csrf, "role": "operator", "password": "", "again": ""})
    assert rita.get("/doors").status_code == 303, "another role, another session"
    rita = browser(page, "rita", NEW)
    assert "Remove the account rita?" in mia.get("/accounts/rita/remove").text
    mia.post("/accounts/rita/remove", data={"csrf": csrf})
    assert rita.get("/doors").status_code == 303
    assert Accounts(tmp_path / "accounts.json").get("rita") is None
    assert changed(doord) == [
        ("create", "rita", "reception", "manager"),
        ("change", "rita", "operator", "manager"),
        ("destroy", "rita", None, "manager"),
    ]
    for path in ("/accounts/manager", "/accounts/manager/remove"):
        assert mia.post(path, data={"csrf": csrf, "role": "viewer"}).status_code == 403, "not one's own"
    assert mia.get("/accounts/nobody").status_code == 404


def test_nothing_changes_that_doord_does_not_record(page: Page, doord: FakeDaemon, tmp_path: Path) -> None:
    def refuse(ask: dict[str, Any]) -> dict[str, Any]:
        if ask["action"] in {"create", "change", "destroy"}:
            raise RefusalError("log_unavailable", "the log cannot be written now")
        return {}

    mia = browser(page, "manager")
    csrf = mia.token("/accounts")
    doord.answers["login"] = refuse
    before = (tmp_path / "accounts.json").read_bytes()
    both = {"csrf": csrf, "password": NEW, "again": NEW}
    assert mia.post("/accounts", data=both | {"name": "rita", "role": "viewer"}).status_code == 400
    assert mia.post("/accounts/viewer", data=both | {"role": "operator"}).status_code == 400
    assert mia.post("/accounts/viewer/remove", data=both).status_code == 400
    assert mia.post("/password", data=both | {"old": PASSWORD}).status_code == 400
    assert (tmp_path / "accounts.json").read_bytes() == before


def test_what_others_change_of_an_account_meanwhile_stays(page: Page, doord: FakeDaemon, tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts.json")
    mia, vera = browser(page, "manager"), browser(page, "viewer")
    new = hashed(NEW)

    def meanwhile(change: Any, *given: Any, **more: Any) -> None:
        def answer(ask: dict[str, Any]) -> dict[str, Any]:
            if ask["action"] == "change":
                change(*given, **more)
            return {}

        doord.answers["login"] = answer

    own = {"csrf": vera.token("/password"), "old": PASSWORD, "password": NEW, "again": NEW}
    meanwhile(accounts.change, "viewer", role=PageRole.DISPLAY)
    vera.post("/password", data=own)
    changed_one = accounts.get("viewer")
    assert changed_one is not None
    assert (changed_one.role, matches(changed_one.hash, NEW)) == (PageRole.DISPLAY, True)
    meanwhile(accounts.change, "operator", hash_=new)
    mia.post("/accounts/operator", data={"csrf": mia.token("/accounts"), "role": "viewer", "password": ""})
    assert accounts.get("operator") == Account("operator", PageRole.VIEWER, new), "the new password, not the old one"
    meanwhile(accounts.remove, "operator")
    mia.post("/accounts/operator", data={"csrf": mia.token("/accounts"), "role": "display", "password": ""})
    assert accounts.get("operator") is None, "and nobody comes back who was removed"
