"""The page of one door in Debian's Chromium: what is offered as the door changes, and what comes of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import House, browsed, check_readable
from tests.support.cameras import Camera
from tests.support.waiting import until
from tests.support.web import write_config
from tests.web.test_browser import png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

EVERY_DAY = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "08:00", "to": "20:00"}
PEOPLE = {
    "version": 1,
    "users": [{"id": "ada", "name": "Ada Lovelace"}],
    "members": [{"id": "ada", "user": "ada", "cards": ["c1"], "groups": ["all"]}],
    "cards": [{"id": "c1", "format": "wiegand26", "facility": 12, "number": 1001}],
    "groups": [{"id": "all", "name": "All", "doors": ["front"]}],
    "schedules": [{"id": "office", "name": "Office", "kind": "unlock", "weekly": [EVERY_DAY], "first_to_arrive": True}],
    "doors": [{"id": "back", "schedule": "office"}],
}
READER = 'rex = { driver = "bench" }\nreader = { driver = "bench" }\n'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    (folder / "directory.json").write_text(json.dumps(PEOPLE))
    with Camera(picture=png(640, 360)) as camera:
        more = f'[camera.hall]\nurl = "{camera.url}"\ndoors = ["front"]\n[directory]\nfile = "directory.json"\n'
        config = write_config(folder, web=more)
        config.write_text(config.read_text().replace('rex = { driver = "bench" }\n', READER))
        with browsed(config, vera="viewer", **{f"k{n}": "operator" for n in range(6)}) as house:
            until(lambda: house.doord.ask("status")["directory"]["state"] == "ready")
            yield house


@pytest.fixture(autouse=True)
def _nothing_wrong(house: House) -> Iterator[None]:
    with house.nothing_wrong():
        yield


def at(page: Page, house: House) -> Page:
    page.goto(f"{house.url}/doors/front")
    return page


def test_a_door_is_blocked_and_freed_in_place(house: House) -> None:
    """From its tile, with no page loaded anew; what a door cannot do now is not offered."""
    page = house.signed_in("k0")
    page.get_by_role("link", name="Front door", exact=True).click()
    expect(page.get_by_role("heading", name="Front door", exact=True)).to_be_visible()
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Block…", exact=True).click()
    expect(page.get_by_role("heading", name="Block Front door?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Block…", exact=True).click()
    page.get_by_role("button", name="Block", exact=True).click()
    expect(page.locator(".notice")).to_have_text("Front door: blocked.")
    expect(page.locator('[data-says="headline"]')).to_have_text("Blocked")
    expect(page.get_by_role("link", name="Block…", exact=True)).to_have_count(0)
    page.get_by_role("link", name="End block…").click()
    page.get_by_role("button", name="End block").click()
    expect(page.locator(".notice")).to_have_text("Front door: block ended.")
    expect(page.locator('[data-says="headline"]')).to_have_text("Locked")
    assert page.evaluate("window.same"), "the page was not loaded anew"
    assert house.types("web:k0") == ["login.sign_in", "lock.update", "lock.update"]


def test_a_refusal_stays_in_sight(house: House) -> None:
    """The page has not heard yet of the lockdown: the door refuses."""
    page = at(house.signed_in("k1"), house)
    page.get_by_role("link", name="Unlock…").click()
    house.doord.ask("command", command="lock_down", door="front")
    page.get_by_role("dialog").get_by_role("button", name="Unlock").click()
    problem = page.get_by_role("dialog").get_by_role("alert")
    expect(problem).to_contain_text("Refused: Front door unlocked by k1")
    page.get_by_role("button", name="Close").click()
    expect(page.locator('[data-says="headline"]')).to_have_text("Locked down")
    expect(page.get_by_role("link", name="Unlock…")).to_have_count(0)
    house.doord.ask("command", command="cancel_lockdown", door="front")
    expect(page.get_by_role("link", name="Unlock…")).to_be_visible()


def test_it_works_without_a_script(house: House) -> None:
    page = at(house.signed_in("k2", java_script_enabled=False), house)
    page.get_by_label("Unlock for", exact=True).fill("5")
    page.get_by_role("button", name="Unlock… for these minutes").click()
    expect(page.get_by_role("heading", name="Unlock Front door for 5 min?")).to_be_visible()
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator(".notice")).to_have_text("Front door: unlocked for 5 min.")
    expect(page.locator(".headline")).to_contain_text("Held unlocked by k2 until")
    page.get_by_role("link", name="Lock…", exact=True).click()
    house.doord.ask("command", command="lock_down", door="front")
    page.get_by_role("button", name="Lock").click()
    expect(page.locator(".headline")).to_contain_text("Locked down")
    page.go_back()
    page.goto(f"{house.url}/doors/front/unlock?back=door")
    page.get_by_role("button", name="Unlock").click()
    expect(page.locator("main").get_by_role("alert")).to_contain_text("Refused")
    house.doord.ask("command", command="cancel_lockdown", door="front")


def test_it_works_with_a_keyboard(house: House) -> None:
    page = at(house.signed_in("k3"), house)
    page.get_by_label("Unlock for", exact=True).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Unlock Front door for 7 min?")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_role("button", name="Unlock")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_have_text("Front door: unlocked for 7 min.")
    expect(page.locator('[data-says="headline"]')).to_have_text("Held unlocked")
    house.doord.ask("command", command="lock", door="front")
    expect(page.locator('[data-says="headline"]')).to_have_text("Locked")


@pytest.mark.parametrize(("width", "height", "scheme"), [(390, 844, "dark"), (1440, 900, "light")])
def test_everything_about_a_door_can_be_read(
    house: House, width: int, height: int, scheme: Any, tmp_path: Path
) -> None:
    house.doord.sim("front", "open")
    house.pictured()
    house.doord.sim("front", "close")
    front = lambda: house.doord.ask("status")["doors"]["front"]  # noqa: E731 -- asked anew each time
    until(lambda: front()["contact"] == "closed")
    house.doord.ask("sim", door="front", action="card", argument="12:1001")
    until(lambda: front()["mode"] == "accessed")
    house.doord.sim("front", "open")
    until(lambda: front()["contact"] == "open")
    house.doord.sim("front", "close")
    until(lambda: front()["mode"] == "locked")
    house.doord.ask("sim", door="front", action="card", argument="12:7")
    until(lambda: front()["last"]["granted"] is False)
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, "bypass_csp": True}
    page = at(house.signed_in(f"k{4 + width // 1000}", **options), house)
    rows = page.locator(".pass")
    expect(rows.filter(has_text="Ada Lovelace").first).to_contain_text("opened, closed")
    expect(rows.filter(has_text="Unknown card").first).to_have_attribute("data-tone", "warning")
    picture = rows.filter(has_text="alarm").locator("img").first
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") == 640
    expect(page.locator("section", has=page.get_by_role("heading", name="Who may pass"))).to_contain_text("Ada")
    expect(page.get_by_role("row", name="contact")).to_contain_text("closed")
    check_readable(page, tmp_path)
    shown = rows.count()
    house.doord.ask("sim", door="front", action="card", argument="12:8")
    expect(rows).to_have_count(shown + 1)  # live
    expect(rows.first).to_have_attribute("data-tone", "warning")
    page.get_by_role("link", name="Lock down…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check_readable(page, tmp_path)
    page.goto(f"{house.url}/doors/back")
    schedule = page.locator("section", has=page.get_by_role("heading", name="Schedule"))
    expect(schedule).to_contain_text(re.compile("Office .*; next change "))
