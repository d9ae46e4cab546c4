"""Thirty-two doors in Debian's Chromium: how many are seen at once, and what stays true while they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import House, browsed, check_readable
from tests.support.web import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONES = ("Ground floor", "First floor", "Second floor", "Server rooms")
DOORS = {f"d{number}": f"Door {number} North" for number in range(32)}
ZONE_OF = {f"d{number}": ZONES[number // 8] for number in range(32)}
ON_SCREEN = """[...document.querySelectorAll('.door')].filter((door) => {
  const at = door.getBoundingClientRect();
  return at.height && at.top >= 0 && at.bottom <= innerHeight;
}).length"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    config = write_config(tmp_path_factory.mktemp("house"), DOORS, zones=ZONE_OF)
    accounts = {f"k{n}": "operator" for n in range(5)}
    with browsed(config, **accounts) as house:
        yield house


@pytest.fixture(autouse=True)
def _nothing_wrong(house: House) -> Iterator[None]:
    with house.nothing_wrong():
        yield


@pytest.mark.parametrize(
    ("size", "scheme", "least"),
    [((1440, 900), "light", 24), ((390, 844), "dark", 6)],
)
def test_many_doors_are_seen_at_once(
    house: House, size: tuple[int, int], scheme: Any, least: int, tmp_path: Path
) -> None:
    options = {"viewport": {"width": size[0], "height": size[1]}, "color_scheme": scheme, "bypass_csp": True}
    page = house.signed_in("k0", **options)
    assert page.evaluate(ON_SCREEN) >= least
    house.doord.ask("command", command="hold_unlocked", door="d1")
    house.doord.ask("command", command="block", door="d2")
    house.doord.ask("command", command="lock_down", door="d3")
    expect(page.locator('[data-door="d3"] use')).to_have_attribute("href", "#barred")
    page.reload()
    assert page.evaluate(ON_SCREEN) >= least, "nor does a lockdown take their place"
    house.doord.sim("d9", "open")
    expect(page.locator('[data-door="d9"] use')).to_have_attribute("href", "#alarm")
    page.reload()
    check_readable(page, tmp_path)
    house.doord.sim("d9", "close")
    house.doord.ask("command", command="lock", door="d1")
    house.doord.ask("command", command="unblock", door="d2")
    house.doord.ask("command", command="cancel_lockdown", door="d3")


def test_a_zone_with_an_alarm_comes_first_and_the_counts_follow(house: House) -> None:
    page = house.signed_in("k2")
    headings = page.locator(".zone > h2")
    expect(headings).to_have_text(list(ZONES))
    expect(page.locator('[data-count="alarm"]')).to_have_text("0 alarms")
    house.doord.sim("d20", "open")
    expect(headings).to_have_text(["Second floor", "Ground floor", "First floor", "Server rooms"])
    expect(page.locator(".door").first).to_have_attribute("data-door", "d20")
    expect(page.locator('[data-count="alarm"]')).to_have_text("1 alarm")
    page.locator('[data-count="open"]').click()
    expect(page.locator(".door:visible")).to_have_count(1)
    house.doord.sim("d20", "close")
    expect(page.locator(".door:visible")).to_have_count(0)
    expect(page.get_by_text("No door is like that.")).to_be_visible()


def test_a_door_is_found_while_one_types(house: House) -> None:
    page = house.signed_in("k3")
    page.get_by_label("Find a door").fill("door 3")
    expect(page.locator(".door:visible h3")).to_have_text(["Door 3 North", "Door 30 North", "Door 31 North"])
    page.get_by_label("Find a door").press("Enter")
    expect(page).to_have_url(f"{house.url}/doors?text=door+3")
    expect(page.locator(".door:visible")).to_have_count(3)


def test_a_held_door_is_locked_by_its_one_button_and_the_rest_is_behind_more(house: House) -> None:
    page = house.signed_in("k4", java_script_enabled=False)
    house.doord.ask("command", command="hold_unlocked", door="d5", for_s=3600)
    page.reload()
    tile = page.locator('[data-door="d5"]')
    expect(tile).to_contain_text("Held unlocked by")
    expect(tile).to_have_attribute("data-tone", "warning")
    expect(tile.locator(".primary").get_by_role("link")).to_have_count(1)
    tile.get_by_text("More").click()
    expect(tile.get_by_role("link", name="Lock down Door 5 North")).to_be_visible()
    tile.get_by_role("link", name="Lock Door 5 North", exact=True).click()
    page.get_by_role("button", name="Lock").click()
    expect(page.locator(".notice")).to_have_text("Door 5 North: locked.")
    expect(page.locator('[data-door="d5"]')).to_contain_text("Locked since")
