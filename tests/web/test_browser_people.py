"""People, cards and schedules in Debian's Chromium, with a real doord: from a fresh controller to a door that opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import browsed, check_readable
from tests.support.waiting import until
from tests.support.web import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.browser import House

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A fresh controller: nobody is in the directory."""
    config = write_config(tmp_path, {"front": "Front door", "back": "Back door", "side": "Side door"})
    contact = 'contact = { driver = "bench" }\n'
    config.write_text(config.read_text().replace(contact, f"{contact}{contact.replace('contact', 'reader')}"))
    accounts = {"rita": "reception", "mia": "manager", "vera": "viewer"}
    with browsed(config, **accounts) as house:
        until(lambda: house.doord.ask("status")["log"]["committed"], "the log")
        for name, role in accounts.items():
            house.doord.ask("login", action="create", login=name, role=role)
        with house.nothing_wrong():
            yield house


def codes(house: House) -> list[Any]:
    records = house.doord.ask("events", type=["reader.access"])["records"]
    return [one["data"]["code"] for one in records]


def show(house: House, door: str, card: str) -> None:
    house.doord.ask("sim", door=door, action="card", argument=card)


def add(page: Page, name: str) -> None:
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("link", name="Add a person").click()
    page.get_by_label("Name", exact=True).fill(name)


@pytest.mark.parametrize(
    ("viewport", "scripts"), [(DESK, True), (PHONE, True), (PHONE, False)], ids=["desk", "phone", "no-script"]
)
def test_somebody_gets_a_card_and_the_door_opens_until_it_is_lost(
    house: House, viewport: Any, scripts: bool, tmp_path: Path
) -> None:
    page = house.signed_in("rita", viewport=viewport, java_script_enabled=scripts, bypass_csp=scripts)
    add(page, "Grace Hopper")
    page.get_by_role("button", name="Save, then hold a card to a reader").click()
    expect(page.get_by_role("status").first).to_contain_text("Grace Hopper is added.")
    page.get_by_label("Reader").select_option("Front door")
    page.get_by_role("button", name="Wait for the card").click()
    expect(page.get_by_text("Hold the card to the reader of Front door")).to_be_visible()
    if scripts:
        check_readable(page, tmp_path)
    show(house, "front", "12:3456")
    expect(page.get_by_text("unknown until now")).to_be_visible()
    page.get_by_role("button", name="Take this card").click()
    expect(page.get_by_text("Grace Hopper has the card 12:3456.")).to_be_visible()
    assert codes(house) == ["unknown_card"]

    show(house, "back", "12:3456")
    until(lambda: codes(house) == ["unknown_card", None], "the card to be granted")
    page.get_by_role("button", name="The card 12:3456 is lost").click()
    expect(page.get_by_text("The card 12:3456 is lost: no door takes it.")).to_be_visible()
    show(house, "side", "12:3456")
    until(lambda: codes(house)[2:] == ["card_inactive"], "the card to be refused")
    if scripts:
        check_readable(page, tmp_path)
    assert {"user.create", "member.create", "card.assign_user", "card.deactivate"} <= {*house.types("web:rita")}


def test_a_manager_makes_a_schedule_and_a_group_that_goes_by_it(house: House, tmp_path: Path) -> None:
    page = house.signed_in("mia", viewport=PHONE, bypass_csp=True)
    page.get_by_role("link", name="Schedules", exact=True).click()
    page.get_by_role("link", name="Add a schedule").click()
    page.get_by_label("Name", exact=True).fill("Working days")
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        page.get_by_label(day).fill("6-22")
    page.get_by_text("Exceptions: holidays").click()
    page.get_by_label("Day", exact=True).first.fill("2026-12-24")
    page.get_by_label("until", exact=True).first.fill("2027-01-01")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Working days is saved.")).to_be_visible()
    page.goto(f"{house.url}/schedules/working-days?month=2026-12")
    expect(page.locator(".month [data-tone=warning]")).to_have_count(9)
    check_readable(page, tmp_path)

    page.goto(f"{house.url}/groups/~new")
    page.get_by_label("Name", exact=True).fill("Staff")
    page.get_by_label("Front door").check()
    page.get_by_label("When").select_option("working-days")
    check_readable(page, tmp_path)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Staff is saved.")).to_be_visible()
    expect(page.get_by_role("cell", name="Mon-Fri 06:00-22:00")).to_be_visible()

    add(page, "Ada Lovelace")
    expect(page.get_by_label("Staff")).to_be_checked()
    page.get_by_label("Card number").fill("0:1001")
    page.get_by_role("button", name="Save", exact=True).click()
    show(house, "side", "12:77")
    for path in (
        "cards",
        "people",
        "people/ada-lovelace",
        "people/ada-lovelace/change",
        "people/~new",
        "groups",
        "schedules",
        "visitors",
    ):
        page.goto(f"{house.url}/{path}")
        check_readable(page, tmp_path)
    page.goto(f"{house.url}/access")
    page.get_by_label("Person, group or door").fill("ada")
    page.get_by_label("Door", exact=True).select_option("Front door")
    page.get_by_label("When").fill("2026-11-29 22:00")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("outside_schedule")).to_be_visible()
    check_readable(page, tmp_path)
    page.goto(f"{house.url}/accounts")
    check_readable(page, tmp_path)


def test_of_two_at_the_same_form_the_second_is_told_and_loses_nothing(house: House) -> None:
    first, second = house.signed_in("rita"), house.signed_in("mia")
    add(first, "Grace Hopper")
    first.get_by_role("button", name="Save", exact=True).click()
    for page in (first, second):
        page.goto(f"{house.url}/people/grace-hopper/change")
    first.get_by_label("E-mail").fill("grace@example.org")
    first.get_by_role("button", name="Save").click()
    second.get_by_label("Name", exact=True).fill("Rear Admiral Hopper")
    second.get_by_role("button", name="Save").click()
    expect(second.locator("main").get_by_role("alert")).to_contain_text("rita")
    expect(second.get_by_label("Name", exact=True)).to_have_value("Rear Admiral Hopper")
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_role("heading", name="Rear Admiral Hopper")).to_be_visible()


def test_a_person_is_added_with_the_keyboard_alone(house: House) -> None:
    page = house.signed_in("rita")
    page.goto(f"{house.url}/people/~new")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    for key in ("Joan Clarke", "Tab", "joan@example.org", "Enter"):
        page.keyboard.press(key) if key in {"Tab", "Enter"} else page.keyboard.type(key)
    expect(page.get_by_role("heading", name="Joan Clarke")).to_be_visible()


def test_a_viewer_is_not_offered_people(house: House) -> None:
    page = house.signed_in("vera")
    expect(page.get_by_role("link", name="Schedules", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="People", exact=True)).to_have_count(0)


@pytest.mark.parametrize(("viewport", "scripts"), [(DESK, True), (PHONE, False)], ids=["desk", "phone-no-script"])
def test_a_manager_imports_people_and_the_door_opens(
    house: House, viewport: Any, scripts: bool, tmp_path: Path
) -> None:
    page = house.signed_in("mia", viewport=viewport, java_script_enabled=scripts, bypass_csp=scripts)
    sheet = tmp_path / "people.csv"
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("link", name="Import CSV…").click()
    if scripts:
        check_readable(page, tmp_path)
    sheet.write_text("Name;Card;Groups\nAda Lovelace;12:1001;nobody knows\n")
    page.get_by_label("CSV file").set_input_files(sheet)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("line 2")).to_be_visible()
    expect(page.get_by_role("button", name="Put in force")).to_have_count(0)
    page.get_by_role("link", name="choose it again").click()
    many = "".join(f"Person {number};9:{number}\n" for number in range(5000))
    sheet.write_text(f"\ufeffName;Card\nAda Lovelace;12:1001\n{many}")
    page.get_by_label("CSV file").set_input_files(sheet)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("+ Ada Lovelace: card 12:1001")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("5001 added, 0 changed, 0 unchanged")).to_be_visible()
    if scripts:
        check_readable(page, tmp_path)
    assert house.doord.ask("people")["total"] == 0, "nothing is in force before it was said"
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_text("The people of the file are in force.")).to_be_visible(timeout=60_000)
    show(house, "front", "12:1001")
    until(lambda: codes(house) == [None], "the card to be granted")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    text = download.value.path().read_text()
    assert len(text.splitlines()) == 5002
    assert "Ada Lovelace" in text
