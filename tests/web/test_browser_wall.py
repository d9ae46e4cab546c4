"""The wall view in Debian's Chromium: 32 doors on one screen, an alarm on it, and nothing that can be done from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.broker import free_port
from tests.support.browser import House, browsed, check_readable
from tests.support.doord import Doord
from tests.support.waiting import until
from tests.support.web import Doorweb, write_accounts, write_config
from tests.web.test_browser_tiles import DOORS, ON_SCREEN, ZONE_OF

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCREEN: Any = {"width": 1920, "height": 1080}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with browsed(
        write_config(tmp_path_factory.mktemp("house"), DOORS, zones=ZONE_OF),
        light="display",
        dark="display",
        plain="display",
    ) as house:
        yield house


@pytest.fixture(autouse=True)
def _nothing_wrong(house: House) -> Iterator[None]:
    with house.nothing_wrong():
        yield


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_doors_and_an_alarm_are_on_the_screen(house: House, scheme: Any, tmp_path: Path) -> None:
    page = house.signed_in(scheme, viewport=SCREEN, color_scheme=scheme, bypass_csp=True)
    expect(page).to_have_url(f"{house.url}/wall")
    until(lambda: page.evaluate(ON_SCREEN) == len(DOORS), "every door on the screen")
    for door in ("d20", "d21", "d22"):
        house.doord.sim(door, "open")
    expect(page.locator('.door[data-tone="alarm"]')).to_have_count(3)
    expect(page.locator(".door").first).to_have_attribute("data-door", "d20")
    expect(page.locator("#alerts .alert:visible")).to_have_count(3)
    until(lambda: page.evaluate(ON_SCREEN) == len(DOORS), "every door on the screen")
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    check_readable(page, tmp_path)
    for door in ("d20", "d21", "d22"):
        house.doord.sim(door, "close")


def test_without_javascript_it_reloads_itself(house: House) -> None:
    page = house.signed_in("plain", java_script_enabled=False, viewport=SCREEN)
    page.goto(f"{house.url}/wall")
    house.doord.sim("d9", "open")
    expect(page.locator(".door").first).to_have_attribute("data-door", "d9")
    house.doord.sim("d9", "close")


def test_a_wall_goes_on_by_itself_after_a_restart_of_the_page(tmp_path: Path, house: House) -> None:
    write_accounts(tmp_path / "accounts.json", wall="display")
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{free_port()}"))
    with Doord(config) as doord:
        with Doorweb(config) as web:
            page = House(doord, f"https://127.0.0.1:{web.port}", house.browser).signed_in("wall")
            expect(page).to_have_url(re.compile("/wall$"))
        expect(page.locator("body")).to_have_class(re.compile("stale"))
        with Doorweb(config):
            expect(page.locator("body")).not_to_have_class(re.compile("stale"))
            doord.sim("front", "open")
            expect(page.locator('[data-door="front"] [data-says="headline"]')).to_have_text("Forced open")
            expect(page).to_have_url(re.compile("/wall$"))
