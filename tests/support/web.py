"""The local page in a test: its accounts, a browser that signs in, and what a daemon answers it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from starlette.testclient import TestClient

from edge.model.page_roles import PageRole
from edge.web.accounts import Account, Accounts, hashed, save
from edge.web.app import application
from edge.web.attempts import Attempts, PageRecordAllowance
from edge.web.link import DaemonLink
from edge.web.page import Page
from edge.web.sessions import Sessions
from edge.web.words import Words
from tests.support.control import status
from tests.support.doord import ROOT
from tests.support.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from httpx2 import Response

PASSWORD = "correct horse battery"
HASH = hashed(PASSWORD)
DOORS = ("front", "back")


def write_accounts(path: Path, **roles: str) -> None:
    """All of them have the same password."""
    save(path, {name: Account(name, PageRole(role), HASH) for name, role in roles.items()})


def steady_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def page_in(folder: Path, *, secure: bool = True, now_ns: Callable[[], int] = steady_ns, **more: Any) -> Page:
    """A page that asks `folder/doord.sock`, with `folder/accounts.json`."""
    chosen: dict[str, Any] = {
        "link": DaemonLink(folder / "doord.sock"),
        "accounts": Accounts(folder / "accounts.json"),
        "sessions": Sessions(now_ns, 1_800, 43_200),
        "attempts": Attempts(now_ns),
        "allowance": PageRecordAllowance(now_ns),
        "words": Words(ZoneInfo("Europe/Berlin")),
        "now_ns": now_ns,
        "site": "HQ lobby",
        "secure": secure,
    }
    return Page(**chosen | more)


def request_of(page: Page, account: str, path: str) -> dict[str, Any]:
    """A GET of somebody who is signed in, as a server gives it to the application."""
    secret = page.sessions.begin(page.accounts.get(account))  # type: ignore[arg-type]  # there is one
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"cookie", f"{page.cookie}={secret}".encode())],
    }


def answers(**more: Any) -> dict[str, Any]:
    """What a daemon answers that records everything and refuses nothing."""
    return {
        "status": status(),
        "login": {},
        "pictures": {"pictures": []},
        "passages": {"passages": [], "next": None},
        "proposals": {"people": []},
        "command": lambda ask: {"outcomes": {ask.get("door", "front"): {"done": True, "code": None, "message": ""}}},
        "export": lambda ask: {"export": "export-1", "through": 9} if ask["action"] == "create" else {},
        **more,
    }


class Browser(TestClient):
    """Follows no redirect by itself; knows how to sign in."""

    def __init__(self, page: Page, address: str = "192.0.2.7") -> None:
        scheme = "https" if page.secure else "http"
        super().__init__(
            application(page),
            base_url=f"{scheme}://door.example",
            client=(address, 50_000),
            follow_redirects=False,
            raise_server_exceptions=False,
        )

    def sign_in(self, name: str, password: str = PASSWORD, next_: str = "") -> Response:
        form = self.get("/sign-in")
        fields = {"csrf": token(form.text), "name": name, "password": password, "next": next_}
        return self.post("/sign-in", data=fields)

    def token(self, path: str = "/doors") -> str:
        """The token of the session."""
        return token(self.get(path).text)


def token(text: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found, text
    return found[1]


class Doorweb:
    """The real program as a process of its own."""

    def __init__(self, config: Path) -> None:
        self.config, self.output = config, config.with_name("doorweb.out")
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        with self.output.open("wb") as out:
            command = [sys.executable, "-m", "edge.web", "--config", str(self.config)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
        self.port = int(until(self._listens, self.output.read_text)[1])
        return self

    def _listens(self) -> re.Match[str] | None:
        assert self.process is not None
        assert self.process.poll() is None, self.output.read_text()
        return re.search(r"listening at \('[^']+', (\d+)\)", self.output.read_text())

    def __exit__(self, *_error: object) -> None:
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0, self.output.read_text()


def write_config(
    folder: Path, names: dict[str, str] | None = None, web: str = "", zones: dict[str, str] | None = None
) -> Path:
    """Simulated doors that stay unlocked however slow a browser is, and a page on a port that the kernel chooses."""
    zoned = {key: f'zone = "{zone}"\n' for key, zone in (zones or {}).items()}
    doors = "".join(
        f"[door.{key}]\n{zoned.get(key, '')}name = '''{name}'''\nunlock_s = 300.0\n"
        'lock = { driver = "bench", resting = "locked" }\ncontact = { driver = "bench" }\nrex = { driver = "bench" }\n'
        for key, name in (names or {"front": "Front door", "back": "Back door"}).items()
    )
    path = folder / "doorward.toml"
    path.write_text(
        '[controller]\nid = "lobby"\nsite = "hq"\nname = "HQ lobby"\ntime_zone = "Europe/Berlin"\n'
        '[log]\npath = "log.db"\n[control]\nsocket = "doord.sock"\n'
        f'[web]\nlisten = "127.0.0.1:0"\naccounts = "accounts.json"\n{web}\n'
        f'[driver.bench]\nkind = "simulated"\n{doors}'
    )
    return path
