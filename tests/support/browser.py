"""A real doord, its page and Debian's Chromium, and what no page may do."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from tests.support.doord import Doord
from tests.support.waiting import until
from tests.support.web import PASSWORD, Doorweb, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = "/usr/bin/chromium"
WITHIN_MS = 120_000


@dataclass
class House:
    """A daemon, its page and a browser."""

    doord: Doord
    url: str
    browser: Browser
    wrong: list[str] = field(default_factory=list)
    """What no page may do: mistakes in scripts, violations of the policy, questions to others, dialogs."""

    def open(self, **options: Any) -> Page:
        """A browser that nobody has used yet."""
        page = self.browser.new_context(ignore_https_errors=True, **options).new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: self.wrong.append(f"a dialog: {dialog.message}"))
        page.on("request", lambda one: None if one.url.startswith(self.url) else self.wrong.append(one.url))
        page.on("console", lambda said: self.wrong.append(said.text) if "Content Security" in said.text else None)
        page.goto(self.url)
        return page

    def signed_in(self, name: str = "olga", **options: Any) -> Page:
        page = self.open(**options)
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator(".zones, .door").first).to_be_visible()
        page.wait_for_load_state()
        return page

    def pictured(self) -> str:
        """The page of an alarm that has a picture."""

        def found() -> list[int]:
            records = self.doord.ask("events", type=["lock.forced_open"])["records"]
            numbers = [int(one["sequence"]) for one in records]
            return [n for n in numbers if self.doord.ask("pictures", sequence=n)["pictures"]]

        return f"/events/{until(found, 'a picture')[-1]}"

    def types(self, *actors: str) -> list[str]:
        """What these did, by the log."""
        records = self.doord.ask("events", limit=500)["records"]
        return [one["type"] for one in records if (one["data"]["actor"] or {}).get("id") in actors]

    @contextlib.contextmanager
    def nothing_wrong(self) -> Iterator[None]:
        """For one test: what no page may do has not been done. Afterwards no alert is open and nobody signed in."""
        self.wrong.clear()
        yield
        assert self.wrong == []
        for alert in self.doord.ask("alerts")["open"]:
            self.doord.ask("acknowledge", alert=alert["alert"])
        for context in self.browser.contexts:
            context.close()


def check_readable(page: Page, folder: Path) -> None:
    """No horizontal scrolling (WCAG 2.2, 1.4.10), and axe-core finds nothing serious or critical. Keeps a picture."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.viewport_size is not None
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], page.url
    found = Axe().run(page).response["violations"]
    bad = [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in {"serious", "critical"}]
    assert bad == [], page.url
    name = re.sub(r"\W+", "-", page.url.partition("//")[2].partition("/")[2]).strip("-")
    page.screenshot(path=folder / f"{name}.png", full_page=True)


@contextlib.contextmanager
def browsed(config: Path, **accounts: str) -> Iterator[House]:
    """The accounts, each with a role, stand beside the configuration."""
    write_accounts(config.with_name("accounts.json"), **accounts)
    expect.set_options(timeout=WITHIN_MS)
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with Doord(config) as doord, Doorweb(config) as web, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=WITHIN_MS)
        yield House(doord, f"https://127.0.0.1:{web.port}", browser)
        browser.close()
