"""What comes by itself: one stream for each open page, over a real connection."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from edge.web.link import GONE
from edge.web.page import HERE, MOST_STREAMS_OF_ONE
from edge.web.pages.live import BEAT_S
from tests.support.control import FakeDaemon, RefusalError, door, pages, record, status
from tests.support.waiting import PATIENCE_S
from tests.support.web import PASSWORD, Doorweb, answers, token, write_accounts, write_config
from tests.web.test_alerts import ALERT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Watched:
    """A daemon whose stream gives what a test puts in."""

    def __init__(self) -> None:
        self.items: list[Any] = [{"status": status()}]
        self.given = threading.Condition()
        self.over = False
        self.streams = 0

    def put(self, item: Any) -> None:
        with self.given:
            self.items.append(item)
            self.given.notify_all()

    def end(self) -> None:
        with self.given:
            self.over = True
            self.given.notify_all()

    def __call__(self) -> Iterator[Any]:
        self.streams += 1
        sent = 0
        while True:
            with self.given:
                assert self.given.wait_for(lambda n=sent: len(self.items) > n or self.over, PATIENCE_S)
                if self.over:
                    return
                item = self.items[sent]
            yield item
            sent += 1


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def doord(tmp_path: Path, watched: Watched) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path / "doord.sock", **answers(watch=watched, events=pages([record(1)]))) as daemon:
        yield daemon
        watched.end()


@pytest.fixture
def client(tmp_path: Path, doord: FakeDaemon) -> Iterator[httpx2.Client]:
    assert doord
    write_accounts(tmp_path / "accounts.json", olga="operator")
    config = write_config(tmp_path, web="tls = false")
    with Doorweb(config) as page, httpx2.Client(base_url=f"http://127.0.0.1:{page.port}", timeout=PATIENCE_S) as made:
        form = token(made.get("/sign-in").text)
        made.post("/sign-in", data={"csrf": form, "name": "olga", "password": PASSWORD, "next": ""})
        yield made


def events(answer: httpx2.Response, *, beats: bool = False, alerts: bool = False) -> Iterator[tuple[str, Any]]:
    """Name and data of each event; with `beats` and `alerts` also those that come on every stream."""
    name = ""
    for line in answer.iter_lines():
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data" and (beats or name != "alive") and (alerts or name != "alerts"):
            yield name, json.loads(value)


def test_a_door_that_changes_is_told(client: httpx2.Client, watched: Watched) -> None:
    with client.stream("GET", "/every-door/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = events(answer)
        name, first = next(told)
        assert (name, first["doors"]["front"]["says"]["headline"]) == ("doors", "Locked")
        watched.put({"status": status()})  # nothing new
        watched.put({"status": status(doors={"front": door(alarm="forced_open", contact="open")})})
        _, second = next(told)
        assert (second["doors"]["front"]["tone"], second["doors"]["front"]["says"]["headline"]) == (
            "alarm",
            "Forced open",
        )


def test_what_needs_somebody_comes_first_also_when_it_comes_live(client: httpx2.Client, watched: Watched) -> None:
    two = {"front": door(), "back": door()}
    watched.items = [{"status": status(doors=two)}]
    with client.stream("GET", "/every-door/live") as answer:
        told = events(answer)
        assert next(told)[1]["order"] == ["front", "back"]
        watched.put({"status": status(doors={**two, "back": door(alarm="forced_open")})})
        assert next(told)[1]["order"] == ["back", "front"]


def test_a_passage_comes_on_the_page_of_its_door(client: httpx2.Client, watched: Watched) -> None:
    with client.stream("GET", "/doors/front/live?after=3") as answer:
        told = events(answer)
        assert {next(told)[0], next(told)[0]} == {"doors", "records"}
        watched.put({"record": record(8)})
        name, said = next(told)
        assert (name, said["through"]) == ("records", 8)


@pytest.mark.parametrize("path", ["/every-door/live", "/events/live?after=3", "/alerts/live", "/alerts/live?all"])
def test_an_alert_comes_on_every_stream_and_goes_when_it_is_taken(
    client: httpx2.Client, watched: Watched, path: str
) -> None:
    calm = status()
    alarmed = status(alerts={**calm["alerts"], "open": [{**ALERT, "alert": f"forced-{n}"} for n in range(5)]})
    with client.stream("GET", path) as answer:
        told = (said for name, said in events(answer, alerts=True) if name == "alerts")
        assert next(told)["count"] == 0
        watched.put({"status": alarmed})
        said = next(told)
        assert (said["count"], len(said["bars"])) == (5, 5 if "all" in path else 3)
        watched.put({"status": calm})
        assert next(told)["bars"] == []
        watched.end()
        assert next(told) == {"trouble": "the controller's program is not running, or is being restarted"}


def test_many_pages_are_one_stream_of_doord(client: httpx2.Client, watched: Watched) -> None:
    with (
        client.stream("GET", "/every-door/live") as one,
        client.stream("GET", "/events/live?view=records&after=0") as two,
    ):
        assert next(events(one))[0] == "doors"
        assert next(events(two))[0] == "records"
        assert watched.streams == 1


def test_new_records_come_through_the_filters_of_the_page(
    client: httpx2.Client, watched: Watched, doord: FakeDaemon
) -> None:
    with client.stream("GET", "/events/live?view=records&door=front&after=3") as answer:
        told = events(answer)
        assert next(told) == ("records", {"rows": [], "through": 3})
        doord.answers["events"] = pages([record(n) for n in range(1, 6)])
        watched.put({"record": record(5)})
        _, said = next(told)
        assert ([row["sequence"] for row in said["rows"]], said["through"]) == ([4, 5], 5)
    asked = doord.of("events")[-1]
    assert (asked["door"], asked["after"], "newest" in asked) == (["front"], 3, False)


def test_who_comes_back_goes_on_where_he_was(client: httpx2.Client, doord: FakeDaemon) -> None:
    with client.stream("GET", "/events/live?view=records&after=0", headers={"Last-Event-ID": "3"}) as answer:
        assert next(events(answer)) == ("records", {"rows": [], "through": 3})
    assert not doord.of("events")


def test_a_flood_loads_the_page_anew(client: httpx2.Client, watched: Watched, doord: FakeDaemon) -> None:
    doord.answers["events"] = pages([record(n) for n in range(1, 300)])
    with client.stream("GET", "/events/live?view=records&after=3") as answer:
        told = events(answer)
        next(told)
        watched.put({"record": record(299)})
        assert next(told) == ("records", {"reload": True})


def test_a_daemon_that_goes_is_said(client: httpx2.Client, watched: Watched) -> None:
    with client.stream("GET", "/every-door/live") as answer:
        told = events(answer)
        next(told)
        watched.end()
        _, said = next(told)
        assert said == {"trouble": GONE}


def test_a_stream_ends_with_its_session(client: httpx2.Client, watched: Watched, tmp_path: Path) -> None:
    with client.stream("GET", "/every-door/live") as answer:
        told = events(answer)
        next(told)
        write_accounts(tmp_path / "accounts.json", vera="viewer")
        watched.put({"status": status()})
        assert next(told) == ("over", {})
        assert next(told, None) is None


def test_a_stream_begins_without_the_daemon_and_says_so(client: httpx2.Client, watched: Watched) -> None:
    """A status of 503 would end it for good in the browser."""
    with client.stream("GET", "/every-door/live") as other:
        told = events(other)
        next(told)
        watched.end()
        next(told)
        for path in ("/every-door/live", "/events/live?view=records&after=0"):
            with client.stream("GET", path) as answer:
                assert answer.status_code == 200
                assert next(events(answer))[1] == {"trouble": GONE}


def test_a_question_that_fails_is_said_and_the_stream_goes_on(
    client: httpx2.Client, watched: Watched, doord: FakeDaemon
) -> None:
    def refuse(_ask: dict[str, Any]) -> None:
        raise RefusalError("log_unavailable", "the disk is gone")

    with client.stream("GET", "/events/live?view=records&after=3") as answer:
        told = events(answer)
        next(told)
        doord.answers["events"] = refuse
        watched.put({"record": record(5)})
        assert next(told) == ("records", {"trouble": "the disk is gone"})
        doord.answers["events"] = pages([record(n) for n in range(1, 6)])
        watched.put({"record": record(5)})
        assert [row["sequence"] for row in next(told)[1]["rows"]] == [4, 5]


def test_who_is_not_signed_in_is_told_so_in_the_stream(client: httpx2.Client, doord: FakeDaemon) -> None:
    """A browser gives up for good at any status but 200, and its script cannot tell one from another."""
    client.cookies.clear()
    before = len(doord.asked)
    for path in ("/every-door/live", "/events/live?view=records&after=0"):
        with client.stream("GET", path) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert list(events(answer)) == [("over", {})]
    assert client.post("/every-door/live").status_code == 401
    assert len(doord.asked) == before


def test_an_account_has_so_many_streams_and_they_end_with_their_browsers(
    client: httpx2.Client, watched: Watched
) -> None:
    held = []
    for _ in range(MOST_STREAMS_OF_ONE):
        context = client.stream("GET", "/every-door/live")
        answer = context.__enter__()
        assert answer.status_code == 200
        held.append(context)
    with client.stream("GET", "/every-door/live") as refused:
        assert refused.status_code == 429
        assert "Too many pages are open." in refused.read().decode()
    for context in held:
        context.__exit__(None, None, None)
    for _ in range(2_000):
        watched.put({"status": status(uptime_s=float(len(watched.items)))})
        with client.stream("GET", "/every-door/live") as again:
            if again.status_code == 200:
                return
    pytest.fail("the streams of browsers that went are still held")


def test_a_download_that_is_broken_off_is_recorded_so(client: httpx2.Client, doord: FakeDaemon) -> None:
    endless = record(1, message="x" * 2_000)
    asked = threading.Event()

    def forever(ask: dict[str, Any]) -> dict[str, Any]:
        if ask["after"] > 5:
            asked.set()
        return {"records": [endless] * 500, "next": ask["after"] + 1}

    ended = threading.Event()

    def export(ask: dict[str, Any]) -> dict[str, Any]:
        if ask["action"] == "finished":
            ended.set()
        return {"export": "e-1", "through": 9}

    doord.answers |= {"events": forever, "export": export}
    with client.stream("GET", "/events.csv") as answer:
        next(answer.iter_bytes())
    assert ended.wait(PATIENCE_S)
    assert doord.of("export")[-1]["code"] == "given_up"


def test_a_page_is_silent_only_when_two_beats_are_missing(client: httpx2.Client) -> None:
    with client.stream("GET", "/every-door/live") as answer:
        assert answer.headers["x-accel-buffering"] == "no", "or nginx keeps what comes"
        told = events(answer, beats=True)
        assert any(name == "doors" for name, _ in told)
        assert next(told) == ("alive", {})
    silent = re.search(r"SILENT_MS = ([0-9_]+)", (HERE / "static" / "page.js").read_text())
    assert silent is not None
    assert int(silent[1]) / 1_000 > 2 * BEAT_S
