"""An alarm on every page in Debian's Chromium: it appears by itself, calls, is taken by one click and recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import House, browsed, check_readable
from tests.support.waiting import until
from tests.support.web import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = ("/doors", "/alerts", "/events", "/people", "/schedules", "/activity", "/health", "/password", "/nowhere")
NOTIFICATIONS = """
  window.shown = [];
  window.Notification = class extends EventTarget {
    static permission = 'granted';
    static requestPermission() { return Promise.resolve('granted'); }
    constructor(title, options) { super(); window.shown.push([title, options.tag]); }
  };
"""

MOMENT = """() => {
  const told = () => [document.getElementById('link').textContent.includes('not live'), news.textContent];
  const after = [];
  connection('');  // a slow machine may have had some trouble before
  say('');
  for (const trouble of ['a restart', '']) { connection(trouble); after.push(told()); }
  lost('a longer one');
  after.push(told());
  connection('');
  after.push(told());
  return after;
}"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    accounts = {f"k{n}": "manager" for n in range(8)}
    with browsed(write_config(tmp_path_factory.mktemp("house")), olga="operator", vera="viewer", **accounts) as house:
        yield house


@pytest.fixture(autouse=True)
def _nothing_wrong(house: House) -> Iterator[None]:
    with house.nothing_wrong():
        yield


def alarm(house: House, door: str = "front") -> None:
    """The door is forced open, and shut again when that is known."""
    house.doord.sim(door, "open")
    until(lambda: any(one["door"] == door for one in house.doord.ask("alerts")["open"]))
    house.doord.sim(door, "close")


def taken(house: House, actor: str) -> list[str]:
    """The messages of the alerts that an account took, by the log."""
    records = house.doord.ask("events", type=["integration.update"], limit=500)["records"]
    return [one["data"]["message"] for one in records if one["data"]["actor"]["id"] == actor]


def ready(page: Page) -> None:
    """The page is connected, or listens to one that is."""
    until(lambda: page.evaluate("stream ? stream.readyState === EventSource.OPEN : others !== null"))


@pytest.mark.parametrize("path", PAGES)
def test_an_alarm_appears_on_every_page_and_is_taken_there(house: House, path: str) -> None:
    page = house.signed_in(f"k{PAGES.index(path) % 8}")
    page.goto(f"{house.url}{path}")
    ready(page)
    here, plain = page.url, page.title()
    alarm(house)
    bar = page.locator(".alert")
    expect(bar).to_contain_text("Front door forced open")
    expect(page).to_have_title(f"(1) {plain}")
    expect(page.get_by_role("link", name="Alerts 1 open")).to_be_visible()
    expect(page.locator("#icon")).to_have_attribute("href", "/static/icon-alert.svg")
    expect(page.get_by_role("alert")).to_have_text("Alarm Front door forced open")
    page.get_by_role("button", name="I take it: Front door forced open").click()
    expect(bar).to_have_count(0)
    expect(page).to_have_title(plain)
    assert page.url == here
    name = f"k{PAGES.index(path) % 8}"
    assert taken(house, f"web:{name}")[-1] == f"{name} deals with an alert: Front door forced open"


def test_what_one_took_is_gone_for_everybody_and_of_many_the_newest_are_shown(house: House) -> None:
    first, second = house.signed_in("olga"), house.signed_in("vera")
    second.goto(f"{house.url}/health")
    ready(second)
    alarm(house, "back")
    expect(second.locator(".alert")).to_contain_text("Back door forced open")
    expect(second.get_by_role("button", name="I take it")).to_have_count(0)
    first.get_by_role("button", name="I take it").click()
    expect(second.locator(".alert")).to_have_count(0)
    second.goto(f"{house.url}/alerts")
    expect(second.locator(".record").first).to_contain_text("Taken by olga")


def test_by_keyboard_on_a_phone_and_the_focus_goes_on(house: House, tmp_path: Path) -> None:
    page = house.signed_in("k1", viewport={"width": 390, "height": 844}, color_scheme="dark", bypass_csp=True)
    page.goto(f"{house.url}/health")
    ready(page)
    for door in ("front", "back"):
        alarm(house, door)
    expect(page.locator(".alert")).to_have_count(2)
    check_readable(page, tmp_path)
    buttons = page.get_by_role("button", name="I take it")
    buttons.first.focus()
    page.keyboard.press("Enter")
    expect(buttons).to_have_count(1)
    expect(buttons.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".alert")).to_have_count(0)
    expect(page.locator("#main")).to_be_focused()
    page.goto(f"{house.url}/alerts")
    alarm(house)
    expect(page.locator(".alert")).to_have_count(1)
    check_readable(page, tmp_path)


def test_without_a_script_it_is_a_form(house: House) -> None:
    page = house.signed_in("k2", java_script_enabled=False)
    alarm(house)
    page.goto(f"{house.url}/events?text=front")
    page.get_by_role("button", name="I take it").click()
    expect(page.locator(".notice")).to_have_text("You have taken the alert. It is recorded.")
    expect(page).to_have_url(f"{house.url}/events?text=front")
    expect(page.locator(".alert")).to_have_count(0)


def test_pages_of_one_browser_share_a_connection_and_another_takes_over(house: House) -> None:
    """Every further page would take one of the six connections that a browser has."""
    first = house.signed_in("k3")
    first.goto(f"{house.url}/health")
    ready(first)
    others = [first.context.new_page() for _ in range(7)]
    for page in others:
        page.goto(f"{house.url}/schedules")
        ready(page)
    assert [page.evaluate("stream === null") for page in (first, *others)] == [False, *[True] * 7]
    alarm(house)
    expect(others[-1].locator(".alert")).to_have_count(1)
    first.close()
    until(lambda: others[0].evaluate("stream !== null"))
    others[-1].get_by_role("button", name="I take it").click()
    expect(others[3].locator(".alert")).to_have_count(0)


def test_a_notification_and_a_sound_only_where_somebody_switched_them_on(house: House) -> None:
    page = house.signed_in("k4")
    page.add_init_script(NOTIFICATIONS)
    page.goto(f"{house.url}/alerts")
    ready(page)
    alarm(house)
    expect(page.locator(".alert")).to_have_count(1)
    assert page.evaluate("[shown, speaker]") == [[], None]
    page.get_by_label("Show a notification").check()
    page.get_by_label("Make a sound").check()
    until(lambda: page.evaluate("speaker && speaker.state === 'running'"))
    page.goto(f"{house.url}/health")
    ready(page)
    assert page.evaluate("shown") == [], "an old alert calls nobody again"
    alarm(house, "back")
    until(lambda: page.evaluate("shown.length"))
    [[title, tag]] = page.evaluate("shown")
    assert (title, tag.rpartition("-")[0]) == ("Back door forced open", "lock.forced_open")
    page.goto(f"{house.url}/alerts")
    expect(page.get_by_label("Make a sound")).to_be_checked()


def test_a_moment_without_connection_is_not_told_and_a_longer_one_is_no_news_for_ever(house: House) -> None:
    page = house.signed_in("k5")
    ready(page)
    calm, longer = [False, ""], [True, "Not live: a longer one"]
    assert page.evaluate(MOMENT) == [calm, calm, longer, [False, "Live again"]]
    expect(page.locator("#news")).to_have_text("")


def test_a_page_is_live_again_after_a_restart_of_doord_and_open_alerts_outlive_it(house: House) -> None:
    page = house.signed_in("k6")
    alarm(house)
    expect(page.locator(".alert")).to_have_count(1)
    house.doord.stop()
    until(lambda: page.evaluate("latest !== ''"))
    house.doord.start()
    until(lambda: page.evaluate("latest === ''"))
    expect(page.locator("#link")).not_to_contain_text("not live")
    expect(page.locator("#news")).not_to_contain_text("live", ignore_case=True)
    expect(page.locator(".alert")).to_have_count(1)
