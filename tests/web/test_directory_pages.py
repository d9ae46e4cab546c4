"""Groups, schedules and who may pass, as a browser gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.control import FakeDaemon, RefusalError, door, status
from tests.support.web import Browser, answers, page_in, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAFF = {
    "id": "staff", "name": "Staff", "doors": ["front"], "elevators": {"lift": ["roof"]}, "schedule": "days",
    "when": "Mon-Fri 06:00-22:00", "members": 12,
}  # fmt: skip
WEEKLY = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "06:00", "to": "22:00"}]
DAYS = {
    "id": "days", "name": "Working days", "kind": "access", "weekly": WEEKLY,
    "exceptions": [{"date": "2026-11-24", "until": "2026-11-25", "windows": [{"from": "10:00", "to": "12:00"}]}],
    "openings": [{"from": "2026-11-28T09:00", "to": "2026-11-28T12:00"}],
    "first_to_arrive": False, "early_s": 0.0, "words": "Mon-Fri 06:00-22:00 (2 days with exceptions)",
    "doors": [], "groups": ["staff"], "now": False, "next_change": "2026-11-23T05:00:00+00:00",
}  # fmt: skip
OPEN = {
    **DAYS, "id": "open", "name": "Reception", "kind": "unlock", "exceptions": [], "openings": [], "early_s": 1800.0,
    "first_to_arrive": True, "doors": ["front"], "groups": [], "now": True,
}  # fmt: skip
DONE = {"done": True, "code": None, "message": "", "outcomes": {"version": 8}}
FACTS = {"words", "doors", "groups", "now", "next_change"}


def entries(ask: dict[str, Any]) -> dict[str, Any]:
    """As the document has them."""
    known = {
        "group": [
            {"id": "staff", "name": "Staff", "doors": ["front"], "schedule": "days",
             "stops": [{"elevator": "lift", "floors": ["roof"]}]},
        ],
        "schedule": [{key: value for key, value in one.items() if key not in FACTS} for one in (DAYS, OPEN)],
        "door": [{"id": "front", "ask": "card_and_pin", "schedule": "open"}],
    }  # fmt: skip
    return {"version": 7, "entries": [one for one in known[ask["kind"]] if one["id"] in ask["ids"]]}


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    told: dict[str, Any] = {
        "status": status(doors={"front": door(), "back": door(name="Back <door>")}),
        "groups": {"version": 7, "at": "2026-11-22T22:57:03+01:00", "groups": [STAFF]},
        "schedules": {"version": 7, "at": "2026-11-22T22:57:03+01:00", "schedules": [DAYS, OPEN]},
        "entries": entries,
        "edit_directory": DONE,
    }
    with FakeDaemon(tmp_path / "doord.sock", **answers(**told)) as daemon:
        yield daemon


def browser(tmp_path: Path, role: str = "manager") -> Browser:
    write_accounts(tmp_path / "accounts.json", mia=role)
    made = Browser(page_in(tmp_path, now_ns=lambda: 10**12))
    assert made.sign_in("mia").status_code == 303
    return made


def edits(doord: FakeDaemon) -> list[tuple[Any, Any]]:
    asks = doord.of("edit_directory")
    assert all(ask["as"]["id"] == "mia" for ask in asks)
    return [(ask["base"], ask["changes"]) for ask in asks]


def test_whoever_may_look_sees_groups_and_schedules_and_changes_nothing(tmp_path: Path, doord: FakeDaemon) -> None:
    vera = browser(tmp_path, "viewer")
    shown = vera.get("/groups").text
    for text in ("Staff", "Front door", "lift: roof", "Mon-Fri 06:00-22:00", ">12<"):
        assert text in shown, text
    assert "Add a group" not in shown
    shown = vera.get("/schedules").text
    for text in ("Working days", "off</span> until 23 November 06:00", "Staff", "Front door"):
        assert text in shown, text
    shown = vera.get("/schedules/days").text
    for text in ("Groups may pass: Staff", "Exceptions in November 2026", "10:00-12:00", "28 November 09:00 to 28"):
        assert text in shown, text
    assert "Exceptions in January 2027" in vera.get("/schedules/days?month=2027-01").text
    assert "Exceptions in November 2026" in vera.get("/schedules/days?month=0000-99").text
    assert vera.get("/schedules/nights").status_code == 404
    for path in (
        "/groups/~new",
        "/groups/staff",
        "/schedules/~new",
        "/schedules/days/change",
        "/schedules/days/remove",
    ):
        assert vera.get(path).status_code == 403, path
        assert vera.post(path, data={"csrf": vera.token("/password")}).status_code in {403, 405}, path
    assert edits(doord) == []


def test_a_group_is_added_without_an_id_and_changed_without_losing_what_the_form_does_not_show(
    tmp_path: Path, doord: FakeDaemon
) -> None:
    mia = browser(tmp_path)
    csrf = mia.token("/groups/~new")
    assert "Back &lt;door&gt;" in mia.get("/groups/~new").text
    assert 'value="open"' not in mia.get("/groups/~new").text, "a schedule for unlocking"
    mia.post("/groups/~new", data={"csrf": csrf, "name": " Cleaners ", "door:back": "on", "schedule": ""})
    shown = mia.get("/groups/staff").text
    for text in (
        'value="Staff"',
        'name="door:front" checked',
        '<option value="days" selected>',
        'name="base" value="7"',
    ):
        assert text in shown, text
    mia.post("/groups/staff", data={"csrf": csrf, "base": "7", "name": "Staff", "door:front": "on", "door:back": "on"})
    assert mia.post("/groups/staff/remove", data={"csrf": csrf}).headers["location"] == "/groups"
    stops = [{"elevator": "lift", "floors": ["roof"]}]
    assert edits(doord) == [
        (None, [{"put": "group", "entry": {"name": "Cleaners", "doors": ["back"]}}]),
        (7, [{"put": "group", "entry": {"id": "staff", "name": "Staff", "doors": ["front", "back"], "stops": stops}}]),
        (7, [{"remove": "group", "id": "staff"}]),
    ]


def test_what_is_refused_comes_back_with_everything_that_is_wrong(tmp_path: Path, doord: FakeDaemon) -> None:
    mia = browser(tmp_path)
    csrf = mia.token("/groups/staff")
    problems = ['groups.staff: "Otto" <changed> it in version 8, after 7', "and more"]
    doord.answers["edit_directory"] = {
        "done": False, "code": "stale", "message": problems[0], "outcomes": {"problems": problems, "in_force": 8},
    }  # fmt: skip
    answer = mia.post("/groups/staff", data={"csrf": csrf, "base": "7", "name": "Crew", "door:back": "on"})
    assert answer.status_code == 400
    for text in ("&lt;changed&gt; it", "and more", "Save again", 'value="Crew"', 'name="door:back" checked'):
        assert text in answer.text, text
    assert "and more" not in mia.get("/groups").text
    removed = mia.post("/groups/staff/remove", data={"csrf": csrf})
    assert removed.status_code == 400
    assert "&lt;changed&gt; it" in removed.text


@pytest.mark.parametrize("base", ["x", "-1", "1.5", "٣", "9" * 5_000])
def test_a_version_that_is_none_is_refused(tmp_path: Path, doord: FakeDaemon, base: str) -> None:
    mia = browser(tmp_path)
    answer = mia.post("/groups/staff", data={"csrf": mia.token("/groups"), "base": base, "name": "Staff"})
    assert (answer.status_code, "This form is damaged" in answer.text) == (400, True)
    assert edits(doord) == []


def test_a_schedule_goes_through_its_form_unchanged(tmp_path: Path, doord: FakeDaemon) -> None:
    mia = browser(tmp_path)
    shown = mia.get("/schedules/days/change").text
    form = fields(shown)
    assert form["mon"] == "06:00-22:00"
    assert form["sun"] == "closed"
    assert mia.post("/schedules/days/change", data=form).headers["location"] == "/schedules/days"
    ((base, (change,)),) = edits(doord)
    assert base == 7
    assert change == {"put": "schedule", "entry": entries({"kind": "schedule", "ids": ["days"]})["entries"][0]}


def test_a_new_schedule_says_its_week_exceptions_and_openings(tmp_path: Path, doord: FakeDaemon) -> None:
    mia = browser(tmp_path)
    form = fields(mia.get("/schedules/~new").text) | {
        "name": "Late shift", "kind": "unlock", "mon": "14-22", "tue": "14-22", "early_min": "30",
        "x1-date": "2026-12-24", "x1-hours": "closed", "x2-date": "2026-12-27", "x2-until": "2026-12-30",
        "x2-hours": "10-12", "o0-from": "2027-01-02T08:00", "o0-to": "2027-01-02T09:00", "first_to_arrive": "on",
    }  # fmt: skip
    assert mia.post("/schedules/~new", data=form).headers["location"] == "/schedules"
    assert edits(doord) == [
        (None, [{"put": "schedule", "entry": {
            "name": "Late shift", "kind": "unlock", "first_to_arrive": True, "early_s": 1800.0,
            "weekly": [{"days": ["mon", "tue"], "from": "14:00", "to": "22:00"}],
            "exceptions": [
                {"date": "2026-12-24", "windows": []},
                {"date": "2026-12-27", "until": "2026-12-30", "windows": [{"from": "10:00", "to": "12:00"}]},
            ],
            "openings": [{"from": "2027-01-02T08:00", "to": "2027-01-02T09:00"}],
        }}]),
    ]  # fmt: skip
    for wrong, text in (
        ({"wed": "morning"}, "Wednesday: found &#39;morning&#39;, expected hours"),
        ({"x1-hours": "late"}, "2026-12-24: found &#39;late&#39;"),
        ({"early_min": "soon"}, "Minutes before: expected a number"),
    ):
        answer = mia.post("/schedules/~new", data=form | wrong)
        assert answer.status_code == 400
        assert text in answer.text
        assert 'value="Late shift"' in answer.text
        assert 'value="2026-12-27"' in answer.text
    assert len(edits(doord)) == 1


def test_doors_go_by_a_schedule_or_no_longer_and_keep_the_rest(tmp_path: Path, doord: FakeDaemon) -> None:
    mia = browser(tmp_path)
    form = fields(mia.get("/schedules/open/change").text)
    assert form["door:front"] == "on"
    del form["door:front"]
    mia.post("/schedules/open/change", data=form | {"door:back": "on"})
    ((_, (_, *doors)),) = edits(doord)
    assert doors == [
        {"put": "door", "entry": {"id": "back", "schedule": "open"}},
        {"put": "door", "entry": {"id": "front", "ask": "card_and_pin"}},
    ]


ROW = {
    "person": {"id": "ada", "name": "Ada <L>"}, "group": {"id": "staff", "name": "Staff"},
    "door": {"id": "front", "name": "Front door"}, "schedule": "days", "when": "Mon-Fri 06:00-22:00",
    "ask": "card_and_pin", "valid_from": None, "valid_until": "2026-12-01T23:00:00+00:00", "now": False,
}  # fmt: skip


def test_who_may_pass_is_a_list_or_a_sentence(tmp_path: Path, doord: FakeDaemon) -> None:
    vera = browser(tmp_path, "viewer")
    at = "2026-11-22T22:57:03+01:00"
    about = {
        "kind": "door",
        "of": {"id": "front", "name": "Front door"},
        "doors": None,
        "note": "Front door is blocked.",
    }
    doord.answers["access"] = {"version": 7, "at": at, **about, "rows": [ROW], "next": "c"}
    shown = vera.get("/access?door=front&of=").text
    for text in ("Ada &lt;L&gt;", "card and PIN", "until 2 December", "Front door is blocked.", "after=c"):
        assert text in shown, text
    doord.answers["access"] = {
        "version": 7, "at": at, "kind": "decision", "person": ROW["person"], "door": ROW["door"], "allowed": False,
        "code": "outside_schedule", "sentence": "No: outside <the> schedule.", "until": None, "note": None,
        "attempts": [], "rows": [], "next": None,
    }  # fmt: skip
    shown = vera.get("/access?of=ada&door=front&at=sun+22:00").text
    assert "No: outside &lt;the&gt; schedule." in shown
    assert [{key: ask[key] for key in ask.keys() - {"op", "limit"}} for ask in doord.of("access")] == [
        {"door": "front"},
        {"of": "ada", "door": "front", "at": "sun 22:00"},
    ]

    def refuse(_ask: dict[str, Any]) -> Any:
        raise RefusalError("unknown_person", "nobody here is called <eve>")

    doord.answers["access"] = refuse
    answer = vera.get("/access?of=eve")
    assert (answer.status_code, "nobody here is called &lt;eve&gt;" in answer.text) == (400, True)


def fields(shown: str) -> dict[str, str]:
    """What a browser would send of the last form of a page."""
    from html.parser import HTMLParser  # noqa: PLC0415 -- here only

    form: dict[str, str] = {}

    class _Form(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            if tag != "input" or not given.get("name"):
                return
            if given.get("type") in {"radio", "checkbox"}:
                if "checked" in given:
                    form[str(given["name"])] = given.get("value") or "on"
            else:
                form[str(given["name"])] = given.get("value") or ""

    _Form().feed(shown)
    return form
