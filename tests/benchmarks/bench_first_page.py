"""The first page of every search as people get it, on a log of a million records: to reach 100 ms at the median.

    python -m tests.benchmarks.bench_first_page [--file FILE] [--records 1000000] [--rounds 11]

`doorctl events` as a process, from exec to its end, of the log file and of a running doord; and the local page with
a session, from the request to the last byte. Beside them stands what nobody gets below: an empty Python.
Then the page's two views in turns: passages beside every record, with each quick chip.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.rows import Row, told
from tests.support.doord import ROOT, Doord
from tests.support.million import END_US, NEVER, RARE, index, make, person
from tests.support.web import PASSWORD, Doorweb, token, write_accounts, write_config

if TYPE_CHECKING:
    from collections.abc import Callable

TO_REACH_MS = 100
WAYS = ("doorctl --log", "doorctl", "the page")
END = datetime.fromtimestamp(END_US / 1e6, UTC)
EVER, SINCE = "2000-01-01", "2026-08-24"
SEARCHES: dict[str, list[tuple[str, str]]] = {
    "newest, 90 days": [("since", SINCE)],
    "one day, two years ago": [("since", "2024-11-20"), ("until", "2024-11-21")],
    "a door, 90 days": [("since", SINCE), ("door", "door-03")],
    "a person by e-mail": [("since", EVER), ("user", "p77@example.org")],
    "a person with 3 records": [("since", EVER), ("user", RARE.name or "")],
    "a group of 400": [("since", EVER), ("group", "Staff")],
    "an alarm type": [("since", EVER), ("type", "lock.forced_open")],
    "audit events": [("since", EVER), ("class", "audit")],
    "refused": [("since", EVER), ("outcome", "refused")],
    "a code that never occurred": [("since", EVER), ("code", NEVER)],
    "text, a name": [("since", EVER), ("text", "quist")],
    "text beyond ASCII": [("since", EVER), ("text", "ZOË")],
    "text, nothing in all": [("since", EVER), ("text", "no such words")],
    "person, door and text": [("since", EVER), ("user", person(77).id), ("door", "door-02"), ("text", "card")],
}
PASSAGES: dict[str, list[tuple[str, str]]] = {
    "passages": [("since", SINCE)],
    "after an import": [],
    "alarms": [("since", SINCE), ("show", "alarms")],
    "alarms, of the whole log": [("since", EVER), ("show", "alarms")],
    "refused": [("since", SINCE), ("show", "refused")],
    "changes": [("since", SINCE), ("show", "changes")],
    "today": [("since", str((END - timedelta(days=1)).date()))],
    "7 days": [("since", str((END - timedelta(days=7)).date()))],
    "a word": [("since", SINCE), ("text", "jansen 1")],
    "a word, 3 records": [("since", EVER), ("text", "quist")],
    "a door": [("since", SINCE), ("door", "door-03")],
    "a person": [("since", EVER), ("user", "p77@example.org")],
}
"""The chips for a time stand for the days before the log's last record, whenever this runs.

All but one end there: doord begins with an import of 400 people, one passage of 800 records."""
PAUSE_S = 0.2
"""Before each round: the page may send doord 100 requests a second, and more would wait."""
MOST_TIMES = 1.5
"""A page of passages may take so many times as long as one of every record."""


def directory(folder: Path) -> Path:
    """400 users who are in the one group."""
    people = [person(5 * number) for number in range(400)]
    document = {
        "version": 1,
        "users": [{"id": one.id, "name": one.name} for one in people],
        "members": [{"id": one.id, "user": one.id, "groups": ["staff"]} for one in people],
        "groups": [{"id": "staff", "name": "Staff"}],
    }
    path = folder / "directory.json"
    path.write_text(json.dumps(document))
    return path


def largest(rows: list[list[float]]) -> None:
    """The slowest search of each way."""
    for way, column in zip(WAYS, zip(*rows, strict=True), strict=True):
        told(Row(15, f"first page, the slowest search, {way}", max(column), "ms", TO_REACH_MS, ""))


def timed(rounds: int, what: Callable[[], object]) -> float:
    """The median in milliseconds; the first round fills the caches and does not count."""
    took = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        what()
        took.append((time.perf_counter() - start) * 1e3)
    return statistics.median(took[1:])


def process(*words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "edge.cli", *words],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


class Visitor:
    """Somebody with a session at the local page."""

    def __init__(self, port: int) -> None:
        unverified = ssl._create_unverified_context()  # it is self-made, a moment ago
        self._http = http.client.HTTPSConnection("127.0.0.1", port, context=unverified)
        self._origin = f"https://127.0.0.1:{port}"
        self._cookies: dict[str, str] = {}
        form = {"csrf": token(self.get("/sign-in")), "name": "ann", "password": PASSWORD, "next": ""}
        self.get("/sign-in", urllib.parse.urlencode(form))
        assert "Sign out" in self.get("/events")

    def get(self, path: str, form: str | None = None) -> str:
        head = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if form is not None:
            head |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._origin}
        self._http.request("GET" if form is None else "POST", path, form, head)
        answer = self._http.getresponse()
        text = answer.read().decode()
        assert answer.status < http.client.BAD_REQUEST, f"{path}: {answer.status}"
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return text


def say(name: str, *columns: float) -> None:
    late = " LATE" if any(column > TO_REACH_MS for column in columns) else ""
    sys.stdout.write(f"{name:28}" + "".join(f"{column:14.0f}" for column in columns) + f"{late}\n")
    sys.stdout.flush()


def compare(path: Path, folder: Path, rounds: int) -> None:
    config = write_config(folder)
    text = config.read_text().replace('path = "log.db"', f'path = "{path}"')
    config.write_text(f'{text}\n[directory]\nfile = "{directory(folder)}"\n')
    write_accounts(folder / "accounts.json", ann="viewer")
    with Doord(config) as doord, Doorweb(config) as page:
        visitor = Visitor(page.port)
        say("an empty Python", timed(rounds, lambda: subprocess.run([sys.executable, "-c", ""], check=True)))
        sys.stdout.write(f"{'milliseconds':28}" + "".join(f"{way:>14}" for way in WAYS) + "\n")
        rows = []
        for name, words in SEARCHES.items():
            options = [part for key, value in words for part in (f"--{key}", value)]
            address = "/events?" + urllib.parse.urlencode([*words, ("view", "records")])
            assert re.search(r"<h1", visitor.get(address)), name
            found = [
                timed(rounds, lambda: process("events", "--log", str(path), "--limit", "100", *options)),  # noqa: B023 -- used at once
                timed(rounds, lambda: process("--socket", str(doord.socket), "events", "--limit", "100", *options)),  # noqa: B023 -- as above
                timed(rounds, lambda: visitor.get(address)),  # noqa: B023 -- as above
            ]
            say(name, *found)
            rows.append(found)
        largest(rows)
        views(visitor, rounds)


def views(visitor: Visitor, rounds: int) -> None:
    """The two views of the page, each round one after the other."""
    sys.stdout.write(f"{'milliseconds':28}{'every record':>14}{'passages':>14}{'times':>14}\n")
    worst = (0.0, 0.0)
    for name, words in PASSAGES.items():
        ends = [("until", END.isoformat())] if words else [("since", SINCE)]
        of_passages = "/events?" + urllib.parse.urlencode(words + ends)
        of_records = f"{of_passages}&view=records"
        assert 'class="pass"' in visitor.get(of_passages), name
        assert 'class="record"' in visitor.get(of_records), name
        both = []
        for _ in range(rounds):
            time.sleep(PAUSE_S)
            both.append([timed(1, lambda: visitor.get(one)) for one in (of_records, of_passages)])  # noqa: B023 -- used at once
        records, passages = map(statistics.median, zip(*both, strict=True))
        late = " LATE" if passages > TO_REACH_MS or passages > MOST_TIMES * records else ""
        sys.stdout.write(f"{name:28}{records:14.0f}{passages:14.0f}{passages / records:14.1f}{late}\n")
        worst = max(worst[0], passages), max(worst[1], passages / records)
    told(Row(15, "first page of passages, the slowest search", worst[0], "ms", TO_REACH_MS, ""))
    told(
        Row(
            15, "first page of passages, the furthest above every record", worst[1], "times", MOST_TIMES, "every record"
        )
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="made when it is not there, and kept; else a temporary one")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: nothing is compiled anew at each start
    with tempfile.TemporaryDirectory() as folder:
        path = (options.file or Path(folder) / "log.db").absolute()
        if not path.exists():
            make(path, options.records)
            index(path)
        compare(path, Path(folder), options.rounds)


if __name__ == "__main__":
    main()
