"""So many at the same time, also when they all come at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.exceptions import HTTPException

from edge.web.app import application
from edge.web.limits import AnswerLimits
from edge.web.page import (
    MOST_DOWNLOADS_OF_ONE,
    MOST_REQUESTS_OF_ONE,
    MOST_SEARCHES,
    MOST_SEARCHES_OF_ONE,
    MOST_STREAMS,
    MOST_STREAMS_OF_ONE,
)
from tests.support.control import FakeDaemon, pages, record
from tests.support.web import answers, page_in, request_of, write_accounts

if TYPE_CHECKING:
    from pathlib import Path

    from edge.web.page import Page


def test_a_place_is_given_back_however_it_ends() -> None:
    places = AnswerLimits(3, 1, "full")
    with pytest.raises(ValueError, match="x"), places.hold("olga"):
        raise ValueError("x")
    with places.hold("olga"), pytest.raises(HTTPException, match="full"), places.hold("olga"):
        pytest.fail("there was none")
    with places.hold("a"), places.hold("b"), places.hold("c"), pytest.raises(HTTPException), places.hold("olga"):
        pytest.fail("there was none for anybody")
    with places.hold("olga"):
        pass


async def _statuses(page: Page, path: str, accounts: list[str]) -> list[int]:
    """Ask all at once; nobody leaves before everybody has an answer."""
    app, found, everybody = application(page), list[int](), asyncio.Event()

    async def ask(account: str) -> None:
        scope = request_of(page, account, path)

        async def receive() -> dict[str, Any]:
            await everybody.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            await asyncio.sleep(0)  # as when the browser's window is full: everybody else has a turn
            if message["type"] == "http.response.start":
                found.append(message["status"])
                if len(found) == len(accounts):
                    everybody.set()

        await app(scope, receive, send)

    await asyncio.gather(*(ask(account) for account in accounts))
    await page.link.close()
    return found


@pytest.fixture
def page(tmp_path: Path) -> Page:
    write_accounts(tmp_path / "accounts.json", **{f"k{n}": "viewer" for n in range(10)})
    return page_in(tmp_path)


@pytest.mark.parametrize("path", ["/every-door/live", "/events/live?after=0"])
def test_streams_that_come_at_once_are_counted_too(page: Page, path: str) -> None:
    found = asyncio.run(_statuses(page, path, [f"k{n // 4}" for n in range(40)]))
    assert (found.count(200), found.count(429)) == (MOST_STREAMS, 40 - MOST_STREAMS)
    assert asyncio.run(_statuses(page, path, ["k0"])) == [200], "and given back"


def test_one_account_leaves_room_for_the_others(page: Page) -> None:
    found = asyncio.run(_statuses(page, "/every-door/live", ["k1"] * MOST_STREAMS + ["k2"]))
    assert found.count(200) == MOST_STREAMS_OF_ONE + 1


def test_a_stream_that_never_begins_holds_nothing(page: Page) -> None:
    accounts = ["k1"] * MOST_STREAMS_OF_ONE
    assert set(asyncio.run(_statuses(page, "/events/live?after=x", accounts))) == {400}
    assert set(asyncio.run(_statuses(page, "/events/live?after=0", accounts))) == {200}


def test_downloads_that_come_at_once_are_counted_before_anything_is_recorded(page: Page, tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "doord.sock", **answers()) as doord:
        found = asyncio.run(_statuses(page, "/events.csv", ["k1"] * 5 + ["k2"]))
    assert (found.count(200), found.count(429)) == (MOST_DOWNLOADS_OF_ONE + 1, 5 - MOST_DOWNLOADS_OF_ONE)
    assert [ask["action"] for ask in doord.of("export")].count("create") == MOST_DOWNLOADS_OF_ONE + 1


@pytest.mark.parametrize("path", ["/events?view=records&text=~q&period=all", "/events/1"])
def test_searches_that_come_at_once_are_counted_before_doord_is_asked(page: Page, tmp_path: Path, path: str) -> None:
    with FakeDaemon(tmp_path / "doord.sock", **answers(events=pages([record(1)]))) as doord:
        found = asyncio.run(_statuses(page, path, ["k1"] * 20 + ["k2"]))
        assert (found.count(200), found.count(429)) == (MOST_SEARCHES_OF_ONE + 1, 20 - MOST_SEARCHES_OF_ONE)
        assert len(doord.of("status")) <= MOST_SEARCHES_OF_ONE + 1
        found = asyncio.run(_statuses(page_in(tmp_path), path, [f"k{n // 4}" for n in range(20)]))
        assert found.count(200) == MOST_SEARCHES, "of all accounts together"


def test_an_account_has_so_many_requests_whatever_they_are(page: Page, tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "doord.sock", **answers()) as doord:
        found = asyncio.run(_statuses(page, "/doors", ["k1"] * 40 + ["k2"]))
    assert (found.count(200), found.count(429)) == (MOST_REQUESTS_OF_ONE + 1, 40 - MOST_REQUESTS_OF_ONE)
    assert len(doord.of("status")) == MOST_REQUESTS_OF_ONE + 1
