"""Pictures of every page, for eyes: `python -m tests.support.screenshots [FOLDER]`; `make screenshots` writes build/.

With 4 and 32 doors, calm and with an alarm, on a desk and on a phone, light and dark: real doord, doorweb and Chromium.
A new page is among them by itself: the paths are those of the application.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from edge.web.app import routes
from tests.support.browser import House, browsed
from tests.support.doord import ROOT
from tests.support.waiting import until
from tests.support.web import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

FOLDER: Final = ROOT / "build" / "screenshots"
README: Final = ("doors-32-alarm-desk-light.png", ROOT / "docs" / "page.png")
"""The picture that `--readme` puts there."""
SIZES: Final = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
SCHEMES: Final = ("light", "dark")
ZONES: Final = {"Ground floor": ("Front door", "Back door", "Garage"), "Upper floor": ("Server room",)}
NO_PAGE: Final = re.compile(r"/(live|metrics)?$|\.|/pictures/")
ACCOUNTS: Final = {"mia": "manager", "rita": "reception", "olga": "operator"}
PEOPLE: Final = ("Ada Lovelace", "Grace Hopper", "Emmy Noether", "Hedy Lamarr")


def named(count: int) -> dict[str, tuple[str, str]]:
    """Door -> its name and zone."""
    every = [(name, zone) for zone, names in ZONES.items() for name in names]
    more = ((f"Room {1 + n // 8}.{n % 8:02}", f"Floor {1 + n // 8}") for n in range(count - len(every)))
    return {re.sub(r"\W+", "-", name.lower()): (name, zone) for name, zone in (*every, *more)}


def configured(folder: Path, doors: dict[str, tuple[str, str]]) -> Path:
    names, zones = ({key: one[part] for key, one in doors.items()} for part in (0, 1))
    config = write_config(folder, names, zones=zones)
    text, contact = config.read_text(), 'contact = { driver = "bench" }\n'
    config.write_text(text.replace(contact, f"{contact}{contact.replace('contact', 'reader')}"))
    return config


def lived_in(house: House, doors: dict[str, tuple[str, str]]) -> None:
    """People, a schedule, a visitor, an unknown card, and somebody who went through a door."""
    ask = house.doord.ask
    until(lambda: ask("status")["log"]["committed"], "the log")
    until(lambda: ask("status")["directory"]["state"] == "ready", "the directory")
    for name, role in ACCOUNTS.items():
        ask("login", action="create", login=name, role=role)
    week = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "06:00", "to": "22:00"}]
    days = {"id": "staff", "name": "Working days", "kind": "access", "weekly": week}
    staff = {"id": "staff", "name": "Staff", "doors": [*doors]}
    changes = [{"put": "schedule", "entry": days}, {"put": "group", "entry": staff}]
    done = ask("edit_directory", changes=changes)
    assert done["done"], done
    for number, name in enumerate(PEOPLE):
        ask("change_person", action="add", name=name, groups=["staff"], card=f"12:{1001 + number}")
    ask("visitor", name="Alan Turing", doors=["front-door"], card="12:77")
    for door, card in (("front-door", "12:1001"), ("back-door", "12:3456"), ("garage", "12:1002")):
        ask("sim", door=door, action="card", argument=card)
    for action, came in (("open", "lock.opened"), ("close", "lock.closed")):
        ask("sim", door="front-door", action=action)
        until(lambda came=came: ask("events", type=[came])["records"], came)
    until(lambda: len(ask("events", type=["reader.access"])["records"]) == 3, "who came")


def paths(house: House) -> Iterator[str]:
    """Every page of the application."""
    (unknown,) = house.doord.ask("events", code=["unknown_card"], limit=1)["records"]
    sequence = str(int(unknown["sequence"]))
    places = {"person": "ada-lovelace", "own": "staff", "group": "staff", "schedule": "staff", "door": "front-door"}
    places |= {"name": "olga", "sequence": sequence, "command": "lock_down", "card": "ada-lovelace-1"}
    for route in routes():
        if isinstance(route, Route) and "GET" in (route.methods or ()) and not NO_PAGE.search(route.path):
            yield re.sub(r"\{(\w+)(:\w+)?\}", lambda found: places[found[1]], route.path)


def take(house: House, folder: Path, about: str, only: str) -> int:
    """A picture of each page whose path contains `only`; returns how many."""
    first = house.signed_in("mia")
    state, count = first.context.storage_state(), 0
    first.context.close()
    for (size, viewport), scheme in product(SIZES.items(), SCHEMES):
        options: dict[str, Any] = {"viewport": viewport, "color_scheme": scheme}
        stranger, page = house.open(**options), house.open(storage_state=state, **options)
        for path in (one for one in paths(house) if only in one):
            seen_by = stranger if path == "/sign-in" else page
            count += pictured(seen_by, house.url + path, folder, f"{about}-{size}-{scheme}")
        stranger.context.close()
        page.context.close()
    return count


def pictured(page: Page, url: str, folder: Path, about: str) -> int:
    answer = page.goto(url)
    assert answer is not None
    assert answer.ok, f"{url}: {answer.status}"
    name = re.sub(r"\W+", "-", url.split("/", 3)[3]).strip("-")
    page.screenshot(path=folder / f"{name}-{about}.png")
    return 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="screenshots", description="Take a picture of every page.")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--doors", type=int, action="append", help="how many doors (4 and 32)")
    parser.add_argument("--readme", action="store_true", help=f"write {README[1].relative_to(ROOT)} again")
    parser.add_argument("--only", default="", metavar="TEXT", help="pages whose path contains this")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for many in arguments.doors or (4, 32):
        doors = named(many)
        with tempfile.TemporaryDirectory() as folder, browsed(configured(Path(folder), doors), **ACCOUNTS) as house:
            lived_in(house, doors)
            count += take(house, arguments.folder, f"{many}-calm", arguments.only)
            house.doord.ask("sim", door="server-room", action="open")
            until(lambda: house.doord.ask("events", type=["lock.forced_open"])["records"], "the alarm")
            count += take(house, arguments.folder, f"{many}-alarm", arguments.only)
    if arguments.readme:
        shutil.copyfile(arguments.folder / README[0], README[1])
    print(f"{count} pictures in {arguments.folder}")  # noqa: T201 -- what it is for


if __name__ == "__main__":
    main()
