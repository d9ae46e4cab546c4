"""The README's picture: the page of a running demo. `python -m tests.support.screenshot` makes it again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.support.doord import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PICTURE = ROOT / "docs" / "page.png"
CHROMIUM = "/usr/bin/chromium"
SIZE = {"width": 1000, "height": 370}
ALARM = "lock.forced_open"
"""When the picture is taken: somebody has just broken in."""


def account(lines: Iterable[str]) -> tuple[str, str, str]:
    """The page's address, the account and its password, from what the demo says."""
    found: dict[str, str] = {}
    for line in lines:
        if named := re.match(r"(page|account|password) +(\S+)$", line):
            found[named[1]] = named[2]
        if len(found) == 3:
            return found["page"], found["account"], found["password"]
    raise AssertionError(f"the demo told of no page: {found}")


def take(picture: Path) -> None:
    command = [sys.executable, "-m", "edge.demo"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as demo,
        sync_playwright() as play,
    ):
        assert demo.stdout is not None
        try:
            url, name, password = account(demo.stdout)
            browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE)
            page.goto(url)
            page.get_by_label("Name").fill(name)
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Sign in").click()
            next(line for line in demo.stdout if ALARM in line)
            page.get_by_text("Forced open").first.wait_for()
            page.screenshot(path=picture)
            browser.close()
        finally:
            demo.send_signal(signal.SIGINT)


if __name__ == "__main__":
    take(PICTURE)
