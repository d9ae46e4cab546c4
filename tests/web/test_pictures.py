"""Pictures at the page: linked from their record, and sent as what they are."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from edge.web.app import application
from tests.support.control import FakeDaemon, RefusalError, pages, record
from tests.support.web import Browser, answers, page_in, request_of, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)
TAKEN = {"camera": "hall", "name": "Hall <camera>", "bytes": len(PNG), "taken": "2026-11-22T21:57:04.000000Z"}


def in_parts(content: bytes, kind: str = "png", at_once: int = 400) -> Any:
    def part(ask: dict[str, Any]) -> dict[str, Any]:
        piece = content[ask["offset"] : ask["offset"] + at_once]
        return {"kind": kind, "bytes": len(content), "content": base64.b64encode(piece).decode()}

    return part


def refuse(_ask: dict[str, Any]) -> Any:
    raise RefusalError("not_found", "there is no such picture")


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    write_accounts(tmp_path / "accounts.json", ada="viewer")
    held = [record(7, "lock.forced_open")]
    given = answers(events=pages(held), pictures={"pictures": [TAKEN]}, picture=in_parts(PNG))
    with FakeDaemon(tmp_path / "doord.sock", **given) as daemon:
        yield daemon


@pytest.fixture
def browser(tmp_path: Path, doord: FakeDaemon) -> Browser:
    assert doord
    made = Browser(page_in(tmp_path))
    assert made.sign_in("ada").status_code == 303
    return made


def test_a_record_shows_its_pictures_and_names_the_camera(browser: Browser, doord: FakeDaemon) -> None:
    shown = browser.get("/events/7").text
    assert 'src="/events/7/pictures/hall"' in shown
    assert "Hall &lt;camera&gt;" in shown
    assert doord.of("pictures") == [{"op": "pictures", "sequence": 7}]
    doord.answers["pictures"] = {"pictures": []}
    assert "<img" not in browser.get("/events/7").text


def test_a_disk_that_does_not_answer_hides_no_record(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["pictures"] = refuse
    shown = browser.get("/events/7")
    assert (shown.status_code, "<img" in shown.text) == (200, False)


def test_a_picture_comes_whole_and_as_its_kind(browser: Browser, doord: FakeDaemon) -> None:
    found = browser.get("/events/7/pictures/hall")
    assert (found.status_code, found.content) == (200, PNG)
    assert found.headers["content-type"] == "image/png"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["cache-control"] == "no-store"
    assert [ask["offset"] for ask in doord.of("picture")] == [0, 400, 800]


@pytest.mark.parametrize("path", ["/events/7/pictures/none", "/events/0/pictures/hall", "/events/7/pictures/"])
def test_there_is_no_such_picture(browser: Browser, doord: FakeDaemon, path: str) -> None:
    doord.answers["picture"] = refuse
    assert browser.get(path).status_code == 404


@pytest.mark.parametrize("changed", [{"bytes": len(PNG) + 1}, {"kind": "jpg"}, {"content": ""}])
def test_a_picture_that_changes_meanwhile_breaks_off(
    browser: Browser, doord: FakeDaemon, changed: dict[str, Any]
) -> None:
    first = in_parts(PNG)

    def part(ask: dict[str, Any]) -> dict[str, Any]:
        return dict(first(ask)) if not ask["offset"] else {**first(ask), **changed}

    doord.answers["picture"] = part
    found = browser.get("/events/7/pictures/hall")
    assert (found.content, found.headers["content-length"]) == (PNG[:400], str(len(PNG)))


def test_a_picture_is_read_as_it_is_taken(tmp_path: Path, doord: FakeDaemon) -> None:
    """Whoever takes nothing makes the page hold a part of it, and not all of its 4 MiB."""
    page, asked = page_in(tmp_path), list[int]()

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        if message.get("body"):
            asked.append(len(doord.of("picture")))

    async def run() -> None:
        scope = request_of(page, "ada", "/events/7/pictures/hall")
        await application(page)(scope, receive, send)

    asyncio.run(run())
    assert asked == [1, 2, 3]


@pytest.mark.parametrize("content", ["", "!!"])
def test_what_is_no_part_of_a_picture_ends_it(browser: Browser, doord: FakeDaemon, content: str) -> None:
    doord.answers["picture"] = {"kind": "png", "bytes": 10, "content": content}
    assert browser.get("/events/7/pictures/hall").status_code == (503 if content else 404)


def test_strangers_see_no_picture(tmp_path: Path, doord: FakeDaemon) -> None:
    found = Browser(page_in(tmp_path)).get("/events/7/pictures/hall")
    assert (found.status_code, doord.of("picture")) == (303, [])
