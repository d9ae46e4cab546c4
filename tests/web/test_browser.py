"""The page in Debian's Chromium, with a real doord behind it: what people do, what they see, who cannot."""

from __future__ import annotations

import contextlib
import csv
import re
import signal
import struct
import zlib
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from playwright.sync_api import expect

from tests.support.browser import House, browsed, check_readable
from tests.support.cameras import Camera
from tests.support.doord import Doord
from tests.support.waiting import PATIENCE_S
from tests.support.web import PASSWORD, Doorweb, write_accounts, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


EVIL = "<script>alert(1)</script>"
NAMES = {"front": "Front door", "back": "Back door", "evil": EVIL}
PAGES = (
    "/doors",
    "/events",
    "/events?text=front",
    "/events?view=records",
    "/events/2",
    "/activity",
    "/health",
    "/doors/front/unlock",
    "/nowhere",
)


def png(width: int, height: int) -> bytes:
    """A grey picture that a browser can show (https://www.w3.org/TR/png-3/)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + bytes(x % 256 for x in range(y, y + width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    accounts = {f"k{n}": "operator" for n in range(10)}
    with Camera(picture=png(640, 360)) as camera:
        config = write_config(folder, NAMES, f'[camera.hall]\nurl = "{camera.url}"\ndoors = ["front"]\n')
        with browsed(config, olga="operator", vera="viewer", **accounts) as house:
            yield house


@pytest.fixture(autouse=True)
def _nothing_wrong(house: House) -> Iterator[None]:
    with house.nothing_wrong():
        yield


def test_an_evening_at_the_door(house: House, tmp_path: Path) -> None:
    """Sign in, see a door forced, look into it, take the report home, sign out: and all of it is in the log."""
    page = house.signed_in()
    front = page.locator('[data-door="front"]')
    expect(front.locator('[data-says="headline"]')).to_have_text("Locked")
    house.doord.sim("front", "open")
    expect(front.locator('[data-says="headline"]')).to_have_text("Forced open")
    expect(front).to_have_attribute("data-tone", "alarm")
    expect(page.get_by_role("status")).to_have_text("Front door: Forced open")

    page.get_by_role("link", name="Events", exact=True).click()
    page.get_by_role("link", name="Every record").click()
    rows = page.locator("#records li")
    expect(rows.first).to_contain_text("Front door forced open")
    house.doord.sim("front", "close")
    expect(rows.first).to_contain_text("Front door closed")
    house.doord.sim("back", "open")
    expect(rows.first).to_contain_text("Back door forced open")

    page.get_by_text("More filters").click()
    page.get_by_label("Doors and elevators").select_option("front")
    page.get_by_role("button", name="Search").click()
    expect(rows.filter(has_text="Back door forced open")).to_have_count(0)
    expect(rows.filter(has_text="Front door forced open")).to_have_count(1)
    house.doord.sim("back", "close")
    house.doord.sim("front", "open")
    expect(rows.filter(has_text="Front door forced open")).to_have_count(2)
    expect(rows.filter(has_text="Back door closed")).to_have_count(0)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    download.value.save_as(tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8-sig") as file:
        report = [row["type"] for row in csv.DictReader(file)]
    assert report.count("lock.forced_open") == 2
    assert {row.split(".")[0] for row in report} == {"lock"}

    page.get_by_role("link", name="Front door closed").click()
    expect(page.get_by_role("heading", name="The passage")).to_be_visible()
    passage = page.locator(".records li")
    expect(passage).to_have_count(3)
    expect(passage.nth(0)).to_contain_text("Front door opened")
    expect(passage.nth(2)).to_have_attribute("aria-current", "true")

    page.locator(".records li").filter(has_text="forced open").get_by_role("link").click()
    picture = page.get_by_role("img", name="Front door forced open, seen by hall")
    expect(picture).to_be_visible()
    assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") == 640

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert house.types("web:olga") == [
        "login.sign_in",
        "event_export.create",
        "event_export.download",
        "event_export.finished",
        "login.sign_out",
    ]
    house.doord.sim("front", "close")


def test_an_operator_unlocks_and_locks_down_and_a_question_comes_first(house: House) -> None:
    page = house.signed_in("k1")
    page.get_by_role("link", name="Unlock Back door").click()
    expect(page.get_by_role("heading", name="Unlock Back door?")).to_be_visible()
    page.get_by_role("button", name="No, go back").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    back = page.locator('[data-door="back"]')
    page.get_by_role("link", name="Unlock Back door").click()
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator(".notice")).to_have_text("Back door: unlocked.")
    expect(back.locator('[data-says="lock"]')).to_have_text("Unlocked")
    expect(page.get_by_role("link", name="Cancel lockdown everywhere")).to_have_count(0)
    house.doord.ask("command", command="lock_down", door="back")
    expect(page.get_by_role("link", name="Cancel lockdown everywhere")).to_be_visible()
    page.get_by_role("link", name="Lock down every door").click()
    page.get_by_role("button", name="Lock down").click()
    expect(back.locator('[data-says="headline"]')).to_have_text("Locked down")
    expect(page.get_by_role("link", name="Lock down Back door")).to_have_count(0)
    page.get_by_role("link", name="Cancel lockdown everywhere").click()
    page.get_by_role("button", name="Cancel lockdown").click()
    expect(back.locator('[data-says="headline"]')).to_have_text("Locked")
    done = [one for one in house.types("web:k1") if one in {"lock.unlock", "lock.lock_down", "lock.cancel_lockdown"}]
    assert done == ["lock.unlock", *["lock.lock_down"] * 2, *["lock.cancel_lockdown"] * 3], "the third was locked down"


def test_it_all_works_without_a_script(house: House) -> None:
    page = house.signed_in("k2", java_script_enabled=False)
    page.get_by_role("link", name="Unlock Back door").click()
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator(".notice")).to_have_text("Back door: unlocked.")
    page.get_by_role("link", name="Events", exact=True).click()
    page.get_by_role("link", name="Every record").click()
    page.get_by_text("More filters").click()
    page.get_by_label("Period").select_option("Last hour")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#records li", has_text="Back door unlocked by k2")).to_have_count(1)
    house.doord.ask("command", command="lock", door="back")


def test_it_all_works_with_a_keyboard(house: House) -> None:
    page = house.open()
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("k3")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Doors", exact=True)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    for _ in range(60):  # how many stops come before it depends on the open alerts and on the doors above
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Unlock Back door":
            break
    else:
        pytest.fail("a keyboard never comes to the back door")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "one sees where one is"
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Unlock")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_have_text("Back door: unlocked.")
    assert "lock.unlock" in house.types("web:k3")
    house.doord.ask("command", command="lock", door="back")


def test_focus_stays_where_it_is_while_doors_change(house: House) -> None:
    page = house.signed_in("k4")
    link = page.get_by_role("link", name="Unlock Front door")
    link.focus()
    house.doord.sim("front", "open")
    expect(page.locator('[data-door="front"] [data-says="headline"]')).to_have_text("Forced open")
    expect(link).to_be_focused()
    house.doord.sim("front", "close")


def test_a_name_is_text_also_when_it_comes_live(house: House) -> None:
    page = house.signed_in("k5")
    expect(page.get_by_role("heading", name=EVIL)).to_be_visible()
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.get_by_role("heading", name="Events")).to_be_visible()
    house.doord.sim("evil", "open")
    expect(page.locator("[data-passage]").first).to_contain_text(f"{EVIL} forced open")
    assert page.locator("script:not([src])").count() == 0
    house.doord.sim("evil", "close")


def test_a_page_says_that_it_is_not_live_and_comes_back(tmp_path: Path, house: House) -> None:
    write_accounts(tmp_path / "accounts.json", olga="operator")
    config = write_config(tmp_path)
    with Doorweb(config) as web:
        other = House(Doord(config), f"https://127.0.0.1:{web.port}", house.browser)
        with other.doord:
            page = other.signed_in()
        expect(page.locator("#link")).to_contain_text("not live")
        expect(page.locator("#link")).to_contain_text("(last heard at ")
        expect(page.locator("body")).to_have_class("stale")
        with other.doord:
            expect(page.locator("#link")).not_to_contain_text("not live")
            expect(page.locator("body")).not_to_have_class("stale")
            expect(page.get_by_role("status")).to_have_text("Live again")
            other.doord.sim("front", "open")
            expect(page.locator('[data-door="front"] [data-says="headline"]')).to_have_text("Forced open")


def test_a_page_that_hears_nothing_says_so_and_comes_back(tmp_path: Path, house: House) -> None:
    """Its connection is there, and nothing comes over it: nobody tells the browser."""
    write_accounts(tmp_path / "accounts.json", olga="operator")
    config = write_config(tmp_path)
    with Doord(config) as doord, Doorweb(config) as web:
        page = House(doord, f"https://127.0.0.1:{web.port}", house.browser).signed_in()
        page.wait_for_load_state("load")  # its script, too
        assert web.process is not None
        web.process.send_signal(signal.SIGSTOP)
        try:
            expect(page.locator("#link")).to_contain_text("not live: nothing was heard")
        finally:
            web.process.send_signal(signal.SIGCONT)
        expect(page.locator("#link")).not_to_contain_text("not live")


def test_a_page_whose_server_was_restarted_goes_to_the_sign_in_and_back(tmp_path: Path, house: House) -> None:
    write_accounts(tmp_path / "accounts.json", olga="operator")
    config = write_config(tmp_path)
    with Doord(config) as doord:
        with Doorweb(config) as web:
            port = web.port
            page = House(doord, f"https://127.0.0.1:{port}", house.browser).signed_in()
            page.get_by_role("link", name="Events", exact=True).click()
            expect(page.locator("#link")).to_have_text("New events appear at the top.")
        expect(page.locator("#link")).to_contain_text("not live")
        config.write_text(config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        with Doorweb(config):
            expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
            assert page.url.endswith("/sign-in?next=%2Fevents")


def test_a_page_that_finds_no_place_comes_back_when_there_is_one(house: House) -> None:
    """At any status but 200 the browser itself gives up for good."""
    page = house.signed_in("k8")
    with contextlib.ExitStack() as others:
        cookies = {one["name"]: one["value"] for one in page.context.cookies()}
        client = others.enter_context(
            httpx2.Client(base_url=house.url, verify=False, cookies=cookies, timeout=PATIENCE_S)
        )
        page.goto(f"{house.url}/static/icon.svg")  # which has no stream of its own
        while others.enter_context(client.stream("GET", "/every-door/live")).status_code == 200:
            pass
        page.goto(f"{house.url}/doors")
        expect(page.locator("#link")).to_contain_text("not live")
        house.doord.sim("front", "open")
        assert page.evaluate("pause_ms") > page.evaluate("FIRST_MS"), "each further pause is longer"
    expect(page.locator('[data-door="front"] [data-says="headline"]')).to_have_text("Forced open")
    expect(page.locator("#link")).not_to_contain_text("not live")
    assert page.evaluate("pause_ms") == page.evaluate("FIRST_MS")
    house.doord.sim("front", "close")


def test_a_history_that_comes_back_shows_each_record_once(house: House) -> None:
    page = house.signed_in("k9")
    page.goto(f"{house.url}/events?view=records&type=lock.forced_open")
    expect(page.locator("#link")).not_to_contain_text("not live")
    rows = page.locator("#records li")
    before = rows.count()
    house.doord.sim("front", "open")
    expect(rows).to_have_count(before + 1)
    page.route("**/events/live*", lambda route: route.fulfill(status=503))
    page.evaluate("stream.close(), stream.dispatchEvent(new Event('error'))")
    expect(page.locator("#link")).to_contain_text("not live")
    house.doord.sim("back", "open")
    page.unroute("**/events/live*")
    expect(rows.first).to_contain_text("Back door forced open")
    expect(rows).to_have_count(before + 2)
    for door in ("front", "back"):
        house.doord.sim(door, "close")


def test_what_needs_somebody_moves_up_and_takes_no_focus(house: House) -> None:
    page = house.signed_in("k0")
    names = page.locator(".door h2")
    expect(names).to_have_text(list(NAMES.values()))
    link = page.get_by_role("link", name="Unlock Back door")
    link.focus()
    house.doord.sim("evil", "open")
    expect(names).to_have_text([EVIL, "Front door", "Back door"])
    house.doord.sim("back", "open")
    expect(names).to_have_text(["Back door", EVIL, "Front door"])
    expect(link).to_be_focused()
    house.doord.sim("evil", "close")
    house.doord.sim("back", "close")
    expect(names).to_have_text(list(NAMES.values()))
    expect(link).to_be_focused()


def test_a_flood_takes_nobodys_form_away(house: House) -> None:
    page = house.signed_in("k7")
    page.goto(f"{house.url}/events?text=front")
    with page.expect_navigation():
        page.evaluate("records({reload: true})")
    page.get_by_label("Find a person, card or door").fill("fro")
    page.evaluate("records({reload: true})")
    expect(page.locator("#link")).to_contain_text("reload this page")
    expect(page.get_by_label("Find a person, card or door")).to_have_value("fro")


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(320, 640, "dark"), (390, 844, "light"), (1280, 900, "dark")], ids=str
)
def test_every_page_fits_and_everybody_can_read_it(
    house: House, width: int, height: int, scheme: Any, tmp_path: Path
) -> None:
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, "bypass_csp": True}
    page = house.open(**options)
    pages = [house.signed_in(f"k{6 + width % 4}", **options)]
    looked = {"/sign-in": page, **dict.fromkeys(PAGES, pages[0])}
    house.doord.sim("front", "open")
    looked[house.pictured()] = pages[0]
    for path, at in looked.items():
        at.goto(f"{house.url}{path}")
        check_readable(at, tmp_path)
        light = at.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(re.findall(r"\d+", light)[0]) > 128) == (scheme == "light"), path
    house.doord.sim("front", "close")
