"""The open alerts on every page as the server makes them, the page of alerts, and taking one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.web.alert_words import shown
from edge.web.open_alerts import MOST_BARS
from edge.web.words import Words
from tests.support.control import FakeDaemon, RefusalError, door, pages, record, status
from tests.support.web import Browser, answers, page_in, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALERT: dict[str, Any] = {
    "alert": "forced-7",
    "policy": "forced",
    "name": "Forced at night",
    "severity": "alarm",
    "door": "front",
    "message": "Front door forced open",
    "count": 1,
    "sequence": 7,
    "raised": "2026-11-22T21:50:03.000000Z",
    "latest": "2026-11-22T21:50:03.000000Z",
    "told": [{"way": "email", "to": ["ann@example.org"], "waits": False}],
    "escalated": False,
    "escalates": "2026-11-22T22:05:03.000000Z",
    "escalates_to": ["boss@example.org"],
}
WORDS = Words(ZoneInfo("Europe/Berlin"))


def with_open(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return status(alerts={"open": list(alerts), "waiting": {}, "last_errors": {}}, **changes)


def show(daemon: FakeDaemon, *alerts: dict[str, Any], **changes: Any) -> None:
    whole = with_open(*alerts, **changes)
    daemon.answers |= {"status": whole, "alerts": whole["alerts"]}


def said(alert: dict[str, Any], *, named: bool = True, **changes: Any) -> dict[str, str]:
    [bar] = shown(with_open(alert, **changes), WORDS, MOST_BARS, named=named)["bars"]
    return bar["says"]  # type: ignore[no-any-return]  # texts


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path / "doord.sock", **answers(acknowledge={"alert": "forced-7", "count": 1})) as daemon:
        show(daemon, ALERT)
        yield daemon


@pytest.fixture
def browsers(tmp_path: Path, doord: FakeDaemon) -> dict[str, Browser]:
    assert doord
    roles = {"olga": "operator", "rita": "reception", "vera": "viewer", "wall": "display"}
    write_accounts(tmp_path / "accounts.json", **roles)
    page = page_in(tmp_path)
    made = {name: Browser(page) for name in roles}
    assert {browser.sign_in(name).status_code for name, browser in made.items()} == {303}
    return made


# --- words ------------------------------------------------------------------------------------------------


def test_a_bar_says_what_where_since_who_was_told_and_who_comes_next() -> None:
    hall = door(zone="Ground floor", alarm="forced_open", contact="open")
    assert said(ALERT, doors={"front": hall}) == {
        "badge": "Alarm",
        "what": "Front door forced open",
        "since": "22:50:03",
        "about": "Ground floor. Now: Forced open for 1 h. Told by “Forced at night”: e-mail to ann@example.org. "
        "Goes on to boss@example.org at 23:05.",
    }


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"told": [], "escalates": None, "escalates_to": []}, "No alert policy applies: nobody was told."),
        (
            {"told": [{"way": "webhook", "to": ["pager"], "waits": True}, {"way": "mqtt", "to": [], "waits": False}]},
            "Told by “Forced at night”: message to pager (not sent yet), message to the broker. Goes on",
        ),
        ({"told": [{"way": "siren", "to": ["front"], "waits": False}], "escalates": None}, "siren at front."),
        ({"told": [{"way": "pigeon", "to": ["coop"], "waits": False}], "escalates": None}, "pigeon to coop."),
        ({"escalates_to": []}, "Goes on at 23:05."),
        ({"door": None}, "Told by “Forced at night”: e-mail to ann@example.org. Goes on"),
    ],
)
def test_what_was_told_is_said_as_it_was(changes: dict[str, Any], about: str) -> None:
    assert about in said({**ALERT, **changes})["about"]


def test_repeats_and_another_day_are_said() -> None:
    words = said({**ALERT, "count": 3, "latest": "2026-11-21T21:50:03.000000Z"})
    assert (words["what"], words["since"]) == ("Front door forced open (3 times)", "2026-11-21 22:50:03")


def test_a_display_learns_no_names() -> None:
    words = said(ALERT, named=False)
    assert "example.org" not in words["about"]
    assert words["about"].startswith("Now: Locked")


def test_the_worst_and_newest_come_first_and_the_others_are_counted() -> None:
    many = [{**ALERT, "alert": f"forced-{n}", "sequence": n, "severity": "warning"} for n in range(1, 6)]
    many[0]["severity"] = "alarm"
    found = shown(with_open(*many), WORDS, MOST_BARS, named=True)
    assert [bar["id"] for bar in found["bars"]] == ["forced-1", "forced-5", "forced-4"]
    assert (found["count"], found["newest"], found["more"]) == (5, 5, "and 2 more")


# --- on every page ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/doors", "/events", "/alerts", "/schedules", "/doors/front/unlock", "/nowhere"])
def test_every_page_has_the_open_alerts_without_a_script(browsers: dict[str, Browser], path: str) -> None:
    text = browsers["olga"].get(path).text
    assert "<title>(1) " in text
    assert text.count('data-alert="forced-7"') == 1
    assert "Front door forced open" in text
    assert 'href="/static/icon-alert.svg"' in text
    assert 'action="/alerts/take"' in text


def test_each_role_is_offered_what_it_may(browsers: dict[str, Browser]) -> None:
    parts = ("I take it", "/events/7", "ann@example.org")
    offered = {name: [part in browser.get("/doors").text for part in parts] for name, browser in browsers.items()}
    assert offered == {
        "olga": [True, True, True],
        "rita": [True, True, True],
        "vera": [False, True, True],
        "wall": [False, False, False],
    }


def test_a_calm_page_has_nothing_of_it(browsers: dict[str, Browser], doord: FakeDaemon) -> None:
    show(doord)
    text = browsers["olga"].get("/doors").text
    assert "<title>Doors" in text
    assert 'href="/static/icon.svg"' in text
    assert text.count("data-alert=") == 1, "only that of the template"


def test_a_page_is_shown_when_nobody_knows_of_alerts(browsers: dict[str, Browser], doord: FakeDaemon) -> None:
    def refuse(_ask: dict[str, Any]) -> None:
        raise RefusalError("busy", "later")

    doord.answers["alerts"] = refuse
    assert browsers["olga"].get("/doors").status_code == 200
    show(doord, {key: ALERT[key] for key in ("alert", "door", "message", "count", "raised")})
    assert browsers["olga"].get("/doors").status_code == 200, "doord is older than the page"


def test_no_command_waits_for_alerts(browsers: dict[str, Browser], doord: FakeDaemon) -> None:
    browser = browsers["olga"]
    csrf = browser.token()
    before = len(doord.of("alerts"))
    browser.post("/doors/front/unlock", data={"csrf": csrf})
    assert len(doord.of("alerts")) == before


def test_a_picture_is_shown_once_there_is_one(browsers: dict[str, Browser], doord: FakeDaemon, tmp_path: Path) -> None:
    assert tmp_path
    show(doord, ALERT, cameras={"hall": {}})
    doord.answers["pictures"] = {"pictures": [{"name": "Hall", "camera": "hall", "taken": ALERT["latest"]}]}
    assert 'src="/events/7/pictures/hall"' in browsers["olga"].get("/health").text
    assert "pictures/hall" not in browsers["wall"].get("/doors").text
    before = len(doord.of("pictures"))
    assert 'src="/events/7/pictures/hall"' in browsers["vera"].get("/health").text
    assert len(doord.of("pictures")) == before, "asked once for many pages"


# --- taking one -------------------------------------------------------------------------------------------


def test_taking_one_is_told_to_doord_with_the_account(browsers: dict[str, Browser], doord: FakeDaemon) -> None:
    browser = browsers["rita"]
    form = {"csrf": browser.token(), "alert": "forced-7", "next": "/events?door=front"}
    answer = browser.post("/alerts/take", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/events?door=front")
    assert doord.of("acknowledge") == [
        {"op": "acknowledge", "alert": "forced-7", "as": {"id": "rita", "name": "rita"}},
    ]
    assert "You have taken the alert" in browser.get("/doors").text
    away = browser.post("/alerts/take", data={**form, "next": "https://evil.example"})
    assert away.headers["location"] == "/doors"


def test_a_script_gets_words_instead_of_a_page(browsers: dict[str, Browser], doord: FakeDaemon) -> None:
    browser = browsers["olga"]

    def gone(_ask: dict[str, Any]) -> None:
        raise RefusalError("unknown_alert", "no open alert")

    doord.answers["acknowledge"] = gone
    form = {"csrf": browser.token(), "alert": "forced-7"}
    answer = browser.post("/alerts/take", data=form, headers={"Accept": "application/json"})
    assert answer.json() == {"said": "Somebody has taken this alert already."}
    doord.answers.pop("acknowledge")

    def full(_ask: dict[str, Any]) -> None:
        raise RefusalError("too_many", "slower")

    doord.answers["acknowledge"] = full
    assert browser.post("/alerts/take", data=form).status_code == 429


@pytest.mark.parametrize("name", ["vera", "wall"])
def test_who_only_looks_takes_nothing(browsers: dict[str, Browser], doord: FakeDaemon, name: str) -> None:
    browser = browsers[name]
    assert browser.post("/alerts/take", data={"csrf": browser.token(), "alert": "forced-7"}).status_code == 403
    assert not doord.of("acknowledge")


# --- history ----------------------------------------------------------------------------------------------


def test_the_history_says_who_took_what(browsers: dict[str, Browser], doord: FakeDaemon) -> None:
    def taking(sequence: int, policy: str, details: dict[str, Any], **changes: Any) -> dict[str, Any]:
        thing = {"type": "integration", "id": f"alert.{policy}", "name": "Alarm"}
        actor = {"kind": "operator", "id": "web:olga", "name": "olga", "email": None}
        return record(sequence, "integration.update", object=thing, actor=actor, details=details, **changes)

    forced = "lock.forced_open"
    alarms = [record(n, forced, message=f"Alarm number {n}") for n in (1, 2, 3, 20)]
    changes = [
        taking(4, forced, {"acknowledged": f"{forced}-2", "alert": "x", "through": 3}),
        taking(5, "lock.held_open", {"acknowledged": "lock.held_open-1", "through": 30, "alert": "Held"}),
        taking(6, "night", {"acknowledged": "night-20", "alert": "elsewhere"}, subject="doors/back"),
        record(21, "integration.update", message="an edit"),
    ]
    doord.answers["events"] = lambda ask: pages(alarms if forced in ask["type"] else changes)(ask)
    text = browsers["vera"].get("/alerts").text
    rows = [row.partition("</li>")[0] for row in text.split('<li class="record"')[1:]]
    found = {("Taken by olga" in row) for row in rows if "Alarm number 2<" in row or "Alarm number 3<" in row}
    assert found == {True}
    assert all("Not taken" in row for row in rows if "Alarm number 1<" in row or "Alarm number 20<" in row)
    assert [word for row in rows for word in ("Held", "elsewhere", "an edit") if word in row] == ["elsewhere", "Held"]
    assert len(rows) == 6
