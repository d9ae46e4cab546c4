"""Figures at the page's port: for whoever knows the token, and for nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.control import FakeDaemon
from tests.support.web import Browser, answers, page_in, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "a token of more than 16"


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path / "doord.sock", **answers(metrics={"text": "doorward_info 1\n"})) as daemon:
        yield daemon


@pytest.fixture
def browser(tmp_path: Path, doord: FakeDaemon) -> Browser:
    assert doord
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    write_accounts(tmp_path / "accounts.json", olga="operator")
    return Browser(page_in(tmp_path, metrics_token_file=tmp_path / "token"))


def test_who_knows_the_token_has_the_figures(browser: Browser) -> None:
    answer = browser.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.text) == (200, "doorward_info 1\n")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("said", [None, "", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
def test_nobody_else_has(browser: Browser, doord: FakeDaemon, said: str | None) -> None:
    assert browser.sign_in("olga").status_code == 303  # a session opens it for nobody
    answer = browser.get("/metrics", headers={} if said is None else {"Authorization": said})
    assert answer.status_code == 401
    assert not [ask for ask in doord.asked if ask["op"] == "metrics"]


@pytest.mark.parametrize("content", ["", "short", None])
def test_a_token_that_is_none_opens_nothing(browser: Browser, tmp_path: Path, content: str | None) -> None:
    if content is None:
        (tmp_path / "token").unlink()
    else:
        (tmp_path / "token").write_text(content)
    assert browser.get("/metrics", headers={"Authorization": f"Bearer {content or ''}"}).status_code == 401


def test_without_a_token_there_is_no_such_page(tmp_path: Path, doord: FakeDaemon) -> None:
    assert doord
    write_accounts(tmp_path / "accounts.json", olga="operator")
    assert Browser(page_in(tmp_path)).get("/metrics").status_code == 404
