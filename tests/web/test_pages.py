"""Doors, events, activity and health as a browser gets them."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from edge.reports.file import COLUMNS, LOCAL, write_csv
from edge.web.attempts import RECORDED_A_MINUTE
from edge.web.pages.history import ROWS
from tests.support.control import FakeDaemon, RefusalError, door, pages, record, status
from tests.support.web import Browser, answers, page_in, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLGA = {"id": "olga", "name": "olga"}


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    two = {"front": door(), "back": door(name="Back door", mode="locked_down")}
    with FakeDaemon(tmp_path / "doord.sock", **answers(status=status(doors=two))) as daemon:
        yield daemon


@pytest.fixture
def browser(tmp_path: Path, doord: FakeDaemon) -> Browser:
    assert doord
    write_accounts(tmp_path / "accounts.json", olga="operator", vera="viewer")
    made = Browser(page_in(tmp_path, now_ns=lambda: 10**12))  # however slow we are, it is the same minute
    assert made.sign_in("olga").status_code == 303
    return made


def test_doors_that_need_somebody_come_first(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["status"] = status(
        doors={
            "a": door(name="Calm"),
            "b": door(name="Down", mode="locked_down"),
            "c": door(name="Broken", alarm="forced_open"),
        }
    )
    shown = browser.get("/doors").text
    assert shown.index("Broken") < shown.index("Down") < shown.index("Calm")
    assert "Forced open" in shown


def test_elevators_say_which_floors_may_be_chosen(browser: Browser, doord: FakeDaemon) -> None:
    def floor(relay: str, *, permitted: bool) -> dict[str, Any]:
        left_s = 3.0 if permitted else None
        return {
            "name": relay.upper(),
            "permitted": permitted,
            "permitted_for_s": left_s,
            "relay": relay,
            "button": None,
        }

    floors = {
        "ground": floor("unlocked", permitted=True),
        "first": floor("locked", permitted=False),
        "roof": floor("unknown", permitted=False),
    }
    lift = {"name": "Goods <lift>", "floors": floors, "lost": ["lift/roof.lock"], "faulty": []}
    doord.answers["status"] = status(elevators={"lift": lift})
    shown = browser.get("/doors").text
    for key, text in {
        "ground": "May be chosen",
        "first": "Closed",
        "roof": "Unknown",
        "": "No answer from lift/roof.lock",
    }.items():
        assert f'data-floor="{key}">{text}<' in shown
    assert "<dt>UNLOCKED</dt>" in shown, "a floor has the name of the directory"
    assert "Goods &lt;lift&gt;" in shown
    assert '<option value="lift">Goods &lt;lift&gt;</option>' in browser.get("/events").text


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("/doors/front/unlock", {"command": "unlock", "door": "front"}),
        ("/doors/front/lock", {"command": "lock", "door": "front"}),
        ("/doors/front/lock_down", {"command": "lock_down", "door": "front"}),
        ("/doors/front/hold_unlocked", {"command": "hold_unlocked", "door": "front"}),
        ("/doors/front/hold_unlocked?minutes=5", {"command": "hold_unlocked", "for_s": 300, "door": "front"}),
        ("/doors/front/block", {"command": "block", "door": "front"}),
        ("/doors/front/unblock", {"command": "unblock", "door": "front"}),
        ("/doors/back/cancel_lockdown", {"command": "cancel_lockdown", "door": "back"}),
        ("/every-door/lock_down", {"command": "lock_down", "all": True}),
        ("/every-door/cancel_lockdown", {"command": "cancel_lockdown", "all": True}),
    ],
)
def test_a_command_is_asked_for_and_then_given_in_the_operators_name(
    browser: Browser, doord: FakeDaemon, command: str, asked: dict[str, Any]
) -> None:
    question = browser.get(command)
    assert "?</h1>" in question.text
    assert not doord.of("command"), "looking does nothing"
    assert browser.post(command, data={"csrf": browser.token(command)}).headers["location"] == "/doors"
    assert doord.of("command") == [{"op": "command", **asked, "as": OLGA}]
    assert 'role="status">' in browser.get("/doors").text
    assert "notice" not in browser.get("/doors").text, "it is said once"


def test_a_refusal_is_said(browser: Browser, doord: FakeDaemon) -> None:
    why = "Refused: Front door unlocked by olga (locked_down)"
    doord.answers["command"] = {"outcomes": {"front": {"done": False, "code": "locked_down", "message": why}}}
    browser.post("/doors/front/unlock", data={"csrf": browser.token()})
    assert why in browser.get("/doors").text


@pytest.mark.parametrize(
    "path", ["/doors/nowhere/unlock", "/doors/front/explode", "/every-door/unlock", "/every-door/block"]
)
def test_there_is_no_such_door_or_command(browser: Browser, doord: FakeDaemon, path: str) -> None:
    assert browser.get(path).status_code == 404
    assert browser.post(path, data={"csrf": browser.token()}).status_code == 404
    assert not doord.of("command")


def test_without_a_daemon_every_page_says_so(tmp_path: Path) -> None:
    write_accounts(tmp_path / "accounts.json", olga="operator")
    browser = Browser(page_in(tmp_path))
    with FakeDaemon(tmp_path / "doord.sock", **answers()):
        browser.sign_in("olga")
    for path in ("/doors", "/events", "/events.csv", "/events/1", "/activity", "/health", "/doors/front/unlock"):
        shown = browser.get(path)
        assert shown.status_code == 503, path
        assert "program is not running, or is being restarted" in shown.text
        assert "doord.sock" not in shown.text, "no path of ours"


# --- events --------------------------------------------------------------------------------------


def test_that_the_clock_was_not_set_is_explained_once(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["events"] = pages([record(n, clock="unsynced") for n in range(1, 4)])
    shown = browser.get("/events?view=records").text
    assert shown.count("the clock was not set") == 1
    assert shown.count("≈</small>") == 3
    doord.answers["events"] = pages([record(1)])
    assert "≈" not in browser.get("/events?view=records").text


def test_every_filter_reaches_doord(browser: Browser, doord: FakeDaemon) -> None:
    query = {
        "view": "records",
        "door": ["front", "back"],
        "type": ["lock.opened", "lock.closed"],
        "user": "kim",
        "group": "it",
        "code": "expired",
        "outcome": "refused",
        "class": "access",
        "text": "a&b",
        "since": "2026-11-22T10:00",
        "until": "2026-11-22T11:00:30",
        "period": "1h",
    }
    shown = browser.get("/events", params=query)
    assert shown.status_code == 200
    [asked] = doord.of("events")
    assert asked == {
        "op": "events",
        "door": ["front", "back"],
        "type": ["lock.opened", "lock.closed"],
        "user": ["kim"],
        "group": ["it"],
        "code": ["expired"],
        "outcome": "refused",
        "class": "access",
        "text": "a&b",
        "since_us": 1_795_338_000_000_000,
        "until_us": 1_795_341_630_000_000,
        "newest": True,
        "before": None,
        "limit": ROWS,
    }, "times are those of the doors: Berlin is an hour ahead"
    assert 'value="a&amp;b"' in shown.text
    assert 'data-live="/alerts/live"' in shown.text, "nothing new can come before an end, but an alert can"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("type=lock.exploded", "no event type"),
        ("since=whenever", "is no time"),
        ("outcome=maybe", "is no outcome"),
        ("period=1y", "is no period"),
        ("Outcome=refused", "There is no field &#39;Outcome&#39;"),
        ("text=a&text=b", "Text is given twice"),
        ("door=front&" * 300 + "outcome=granted&outcome=refused", "Outcome is given twice"),
    ],
)
def test_what_cannot_be_understood_is_said_and_not_asked(
    browser: Browser, doord: FakeDaemon, query: str, says: str
) -> None:
    shown = browser.get(f"/events?view=records&{query}")
    assert (shown.status_code, says in shown.text) == (400, True)
    assert browser.get(f"/events.csv?{query}").status_code == 400
    assert not doord.of("events")
    assert not doord.of("export")


def test_however_many_doors_are_chosen_the_other_filters_count(browser: Browser, doord: FakeDaemon) -> None:
    doors = [f"d{number}" for number in range(1_024)]
    assert (
        browser.get(
            "/events", params={"view": "records", "door": doors, "type": "lock.forced_open", "before": "7"}
        ).status_code
        == 200
    )
    [asked] = doord.of("events")
    assert (asked["door"], asked["type"], asked["before"]) == (doors, ["lock.forced_open"], 7)


def test_what_doord_refuses_is_said_above_the_form(browser: Browser, doord: FakeDaemon) -> None:
    def refuse(_ask: Any) -> None:
        raise RefusalError("unknown_group", "no group 'x'; expected one such as it")

    doord.answers["events"] = refuse
    shown = browser.get("/events?view=records&group=x")
    assert shown.status_code == 400
    assert "no group &#39;x&#39;" in shown.text
    assert 'value="x"' in shown.text


def test_pages_go_back_by_sequence_and_keep_the_filters(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["events"] = pages([record(n) for n in range(1, 121)])
    first = browser.get("/events?view=records&door=front").text
    assert "/events/120" in first
    assert f"/events/{120 - ROWS}" not in first
    assert '/events?view=records&amp;door=front&amp;before=71"' in first
    second = browser.get("/events?view=records&door=front&before=71")
    assert "/events/70" in second.text
    assert 'data-live="/alerts/live"' in second.text
    assert browser.get("/events?before=x").status_code == 400
    assert browser.get("/events?before=99999999999999999999999").status_code == 400
    assert browser.get("/events?before=&text=").status_code == 200, "a field that is left empty"


def test_short_and_empty_answers_are_not_the_end(browser: Browser, doord: FakeDaemon) -> None:
    def little(ask: dict[str, Any]) -> dict[str, Any]:
        before = ask["before"] or 1_000
        return {
            "records": [record(before - 1)] if before % 200 == 0 else [],
            "next": before - 100 if before > 100 else None,
        }

    doord.answers["events"] = little
    shown = browser.get("/events?view=records").text
    assert all(f"/events/{n}" in shown for n in (999, 799, 599, 399, 199))


def test_one_record_with_everything_of_its_passage(browser: Browser, doord: FakeDaemon) -> None:
    types = {5: "lock.unlock", 7: "lock.opened", 9: "lock.closed"}
    held = [record(n, types.get(n, "lock.opened"), correlation="c-2" if n in types else "c-1") for n in range(1, 12)]
    doord.answers["events"] = pages(held)
    shown = browser.get("/events/7").text
    assert "The passage" in shown
    passage = shown[shown.index("The passage") :]
    assert [f"/events/{n}" in passage for n in range(1, 12)] == [n in types for n in range(1, 12)]
    assert passage.index("/events/5") < passage.index("/events/7") < passage.index("/events/9")
    assert passage.count("aria-current") == 1
    assert browser.get("/events/99").status_code == 404
    assert browser.get("/events/0").status_code == 404
    assert browser.get("/events/" + "9" * 5_000).status_code == 404
    assert browser.get(f"/events/{'9' * 5_000}/pictures/entrance").status_code == 404


# --- CSV -----------------------------------------------------------------------------------------


def test_the_file_is_what_doorctl_writes_for_a_spreadsheet(browser: Browser, doord: FakeDaemon) -> None:
    held = [record(n, message="=cmd()" if n == 3 else "Tür\nzu") for n in range(1, 1_300)]
    doord.answers["events"] = pages(held)
    doord.answers["export"] = lambda ask: {"export": "e-1", "through": 1_250} if ask["action"] == "create" else {}
    answer = browser.get("/events.csv?door=front&since=2026-11-01")
    expected = io.StringIO(newline="")
    write_csv(expected, held[:1_250], ZoneInfo("Europe/Berlin"))
    assert answer.content.decode() == expected.getvalue()
    assert answer.content.startswith(BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert (len(rows), tuple(rows[0])) == (1_250, (LOCAL, *COLUMNS))
    assert rows[2]["message"] == "'=cmd()", "a spreadsheet must not run it"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="events-lobby-2026-11-22')


def test_who_asked_and_what_they_got_is_recorded(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["events"] = pages([record(1), record(2)])
    browser.get("/events.csv?door=front&period=all")
    create, download, finished = doord.of("export")
    assert (create["action"], create["filters"], create["as"]) == ("create", {"door": ["front"]}, OLGA)
    assert download == {"op": "export", "action": "download", "export": "export-1", "as": OLGA}
    assert finished == {"op": "export", "action": "finished", "export": "export-1", "records": 2, "as": OLGA}


def test_a_file_that_breaks_off_is_recorded_as_given_up(browser: Browser, doord: FakeDaemon) -> None:
    held = pages([record(n) for n in range(1, 900)])

    def once(ask: dict[str, Any]) -> dict[str, Any]:
        if ask["after"]:
            raise RefusalError("log_unavailable", "the disk is gone")
        return held(ask)

    doord.answers["events"] = once
    doord.answers["export"] = lambda ask: {"export": "e-1", "through": 900} if ask["action"] == "create" else {}
    browser.get("/events.csv")
    assert doord.of("export")[-1] == {
        "op": "export",
        "action": "finished",
        "export": "e-1",
        "records": 500,
        "code": "given_up",
        "as": OLGA,
    }


def test_nothing_is_downloaded_without_a_record(browser: Browser, doord: FakeDaemon) -> None:
    def refuse(_ask: Any) -> None:
        raise RefusalError("log_unavailable", "no")

    doord.answers["export"] = refuse
    assert browser.get("/events.csv").status_code == 400
    assert not doord.of("events")


def test_so_many_downloads_a_minute_and_no_record_of_more(browser: Browser, doord: FakeDaemon) -> None:
    """Or a viewer could write the history away: each leaves three records."""
    for _ in range(RECORDED_A_MINUTE):
        assert browser.get("/events.csv?text=nothingfits").status_code == 200
    refused = browser.get("/events.csv?text=nothingfits")
    assert refused.status_code == 429
    assert "Too many downloads, and each is recorded. Try again in a minute." in refused.text
    assert len(doord.of("export")) == 3 * RECORDED_A_MINUTE
    assert browser.get("/events").status_code == 200, "looking leaves no record"
    browser.cookies.delete("__Host-doorweb")
    assert browser.sign_in("vera").status_code == 303
    assert browser.get("/events.csv").status_code == 200, "one account is nothing to another"


# --- activity and health -------------------------------------------------------------------------


def test_a_week_of_the_site_is_drawn_and_told(browser: Browser, doord: FakeDaemon) -> None:
    held = [
        record(1, "lock.opened", time="2026-11-22T08:10:00Z"),
        record(2, "lock.opened", time="2026-11-22T08:20:00Z"),
        record(3, "lock.forced_open", time="2026-11-22T08:20:00Z"),
        record(4, "lock.opened", time="2026-11-20T23:30:00Z"),
        record(5, "lock.opened", time="2026-11-21T22:30:00Z"),
    ]
    doord.answers["events"] = pages(held)
    shown = browser.get("/activity").text
    assert "4 openings" in shown
    hour = "/events?door=front&amp;since=2026-11-22T09%3A00&amp;until=2026-11-22T10%3A00"
    assert f'<a href="{hour}" aria-label="Front door, Sun 22 09:00: 2 openings; forced open (1)">' in shown, "in Berlin"
    assert "since=2026-11-21T00%3A00&amp;until=2026-11-21T01%3A00" in shown, "midnight is where the doors are"
    assert "since=2026-11-21T23%3A00&amp;until=2026-11-22T00%3A00" in shown, (
        "the last hour of a day ends on the next one"
    )
    assert shown.count('fill-opacity="1.0" d="M90 16') == 1, "the busiest hour"
    assert shown.count('class="mark" d="M90') == 1
    assert '<td data-label="Sun 22">2, forced open (1)</td>' in shown
    assert "Nothing at Back door." in shown
    assert shown.partition("<main")[2].count("<section") == 1, "a door without traffic takes one line"
    browser.get("/activity")
    assert len(doord.of("events")) == 1, "counted once for everybody who looks within a minute"


def test_more_than_can_be_counted_is_said(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["events"] = lambda ask: {"records": [record(5)], "next": (ask["before"] or 10**6) - 1}
    shown = browser.get("/activity").text
    assert "There was more than can be counted here: the figures are those of the newest 60 " in shown


def test_the_findings_are_those_of_diagnose(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["facts"] = status(
        upstream={**status()["upstream"], "state": "offline"},
        clock={**status()["clock"], "quality": "unsynced"},
        doors={"front": door(alarm="forced_open", contact="open")},
    )
    shown = browser.get("/health").text
    assert "; the clock was not set" in shown
    doord.answers["status"] = doord.answers["facts"]
    assert browser.get("/doors").text.count("The clock is not set yet: times may be wrong") == 1
    assert shown.index("DW-DOOR-FORCED") < shown.index("DW-CLOCK-UNSYNCED")
    assert "Fault" in shown
    assert "offline, mqtts://broker.example.org:8883" in shown
    assert "doorctl diagnose on the controller looks at them" in shown
