"""The history in Debian's Chromium, with a real doord: passages that grow, chips, the search, and other pages of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import browsed, check_readable
from tests.support.waiting import until
from tests.support.web import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.browser import House

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
NAMES = {"front": "Front door", "back": "Back door"}
ADA, GRACE, UNKNOWN = "1001", "1002", "7777"
DIRECTORY = {
    "version": 1,
    "users": [{"id": "ada", "name": "Ada Lovelace"}, {"id": "grace", "name": "Grace Hopper"}],
    "members": [
        {"id": "ada", "user": "ada", "cards": ["blue-1"], "groups": ["operations"]},
        {"id": "grace", "user": "grace", "cards": ["blue-2"], "groups": ["staff"]},
    ],
    "cards": [
        {"id": "blue-1", "format": "wiegand26", "facility": 0, "number": 1001},
        {"id": "blue-2", "format": "wiegand26", "facility": 0, "number": 1002},
    ],
    "groups": [
        {"id": "operations", "name": "Operations", "doors": ["front", "back"]},
        {"id": "staff", "name": "Staff", "doors": ["front", "back"], "schedule": "never"},
    ],
    "schedules": [{"id": "never", "name": "Working days", "kind": "access", "weekly": []}],
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Ada may always pass, Grace never: the hour of the day changes nothing."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "directory.json").write_text(json.dumps(DIRECTORY))
    config = write_config(folder, NAMES, '[directory]\nfile = "directory.json"\n')
    contact = 'contact = { driver = "bench" }\n'
    config.write_text(config.read_text().replace(contact, f"{contact}{contact.replace('contact', 'reader')}"))
    with browsed(config, vera="viewer") as house:
        until(lambda: house.doord.ask("status")["log"]["committed"], "the log")
        yield house


@pytest.fixture(autouse=True)
def _nothing_wrong(house: House) -> Iterator[None]:
    with house.nothing_wrong():
        yield


def show(house: House, door: str, card: str) -> None:
    house.doord.ask("sim", door=door, action="card", argument=card)


def recorded(house: House, kind: str, door: str) -> int:
    return len(house.doord.ask("events", type=[kind], door=[door])["records"])


def pass_by(house: House, door: str, card: str) -> None:
    """Somebody comes in, and the door is shut again."""
    before = recorded(house, "lock.locked", door)
    show(house, door, card)
    until(lambda: recorded(house, "lock.unlock", door) > before, "the unlock")
    house.doord.sim(door, "open")
    house.doord.sim(door, "close")
    until(lambda: recorded(house, "lock.locked", door) > before, "the relock")


def test_a_passage_grows_in_its_row(house: House, tmp_path: Any) -> None:
    page = house.signed_in("vera", viewport=DESK)
    page.get_by_role("link", name="Events", exact=True).click()
    rows = page.locator("[data-passage]")
    show(house, "front", ADA)
    row = rows.filter(has_text="Ada Lovelace").first
    expect(row.locator("[data-row=tag]")).to_have_text("granted")
    shown = rows.count()
    house.doord.sim("front", "open")
    expect(row.locator("[data-row=detail]")).to_contain_text("opened")
    house.doord.sim("front", "close")
    expect(row.locator("[data-row=detail]")).to_contain_text("card, by Operations · opened, closed after")
    expect(row.locator("[data-row=rest]")).to_have_text("· Front door")
    expect(row.locator("[data-row=mark]")).to_have_text("AL")
    assert rows.count() == shown, "one row for all of it"
    show(house, "back", UNKNOWN)
    expect(rows.first).to_contain_text("Unknown card")
    expect(rows.first.locator("[data-row=tag]")).to_have_text("refused")
    house.doord.sim("back", "open")
    expect(rows.first).to_contain_text("Back door forced open")
    expect(rows.first).to_have_attribute("data-tone", "alarm")
    house.doord.sim("back", "close")
    expect(rows.first).to_contain_text("stood open")
    expect(page.locator("#records h2").first).to_contain_text("Today, ")
    check_readable(page, tmp_path)


@pytest.mark.parametrize(
    ("viewport", "scripts", "scheme"),
    [(DESK, True, "light"), (PHONE, True, "dark"), (PHONE, False, "light")],
    ids=["desk", "phone", "no-script"],
)
def test_chips_and_the_search_lead_to_a_refusal_and_its_records(
    house: House, viewport: Any, scripts: bool, scheme: Any, tmp_path: Any
) -> None:
    pass_by(house, "front", ADA)
    refused = recorded(house, "reader.access", "back")
    show(house, "back", GRACE)
    until(lambda: recorded(house, "reader.access", "back") > refused, "the refusal")
    page = house.signed_in("vera", viewport=viewport, java_script_enabled=scripts, color_scheme=scheme)
    page.get_by_role("link", name="Events", exact=True).click()
    rows = page.locator("[data-passage]")
    chips = page.get_by_role("navigation", name="What to show")
    chips.get_by_role("link", name="Refused").click()
    expect(chips.get_by_role("link", name="Refused")).to_have_attribute("aria-current", "true")
    expect(rows.first).to_contain_text("Grace Hopper · Back door")
    expect(rows.first).to_contain_text("outside the schedule (the clock is not set)")
    expect(rows.filter(has_text="granted")).to_have_count(0)
    chips.get_by_role("link", name="Today").click()
    expect(rows.first).to_contain_text("Grace Hopper")
    page.get_by_label("Find a person, card or door").fill("hopp")
    page.get_by_role("button", name="Find").click()
    expect(rows.first).to_contain_text("Grace Hopper")
    page.get_by_role("link", name="Grace Hopper", exact=True).first.click()
    expect(chips.get_by_role("link", name="do not filter by it")).to_have_count(1)
    if scripts:
        check_readable(page, tmp_path)
    chips.get_by_role("link", name="Every record").click()
    expect(page.locator(".record").first).to_contain_text("Grace Hopper at Back door reader")
    page.goto(f"{house.url}/events?text=7777")
    expect(rows.filter(has_not_text="7777")).to_have_count(0)


def test_every_passage_is_on_one_page_only(house: House) -> None:
    page = house.signed_in("vera", viewport=DESK)
    for _ in range(28):
        house.doord.ask("command", command="lock_down", door="front")
        house.doord.ask("command", command="cancel_lockdown", door="front")
    page.goto(f"{house.url}/events")
    first = [one.get_attribute("data-passage") for one in page.locator("#records [data-passage]").all()]
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    second = [one.get_attribute("data-passage") for one in page.locator("#records [data-passage]").all()]
    assert len(first) == 50
    assert second
    assert not {*first} & {*second}
    assert min(map(int, filter(None, first))) > max(map(int, filter(None, second)))
