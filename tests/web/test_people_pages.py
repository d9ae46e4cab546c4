"""People at the page, as a browser gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.control import FakeDaemon, RefusalError, door, pages, record, status
from tests.support.web import Browser, answers, page_in, token, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RITA = {"id": "rita", "name": "rita"}
HERE = {"here": True, "text": None}
STAFF, OPS = {"id": "staff", "name": "Staff"}, {"id": "ops", "name": "Operations"}
CARD = {
    "id": "ada-1", "format": "wiegand26", "number": "0:1001", "shown": "…1001", "lost": False, "enabled": True,
    "backup": False,
}  # fmt: skip


def a_person(**more: Any) -> dict[str, Any]:
    return {
        "id": "ada",
        "user": "ada",
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "state": "active",
        "valid_from": None,
        "valid_until": None,
        "visitor": False,
        "groups": [STAFF],
        "cards": [CARD],
        "pin": True,
        "extended_unlock": False,
        "last_seen": {"at": "2026-11-22T21:55:03.000000Z", "door": "front", "name": "Front door", "code": None},
        "doors": [{"door": "front", "name": "Front door", "group": "staff", "schedule": None}],
    } | more


def done(**more: Any) -> dict[str, Any]:
    answer = {"done": True, "code": None, "message": "", "outcomes": {"version": 8}, "id": "ada", "notes": []}
    return answer | {"name": "Ada Lovelace"} | more


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    two = {"front": door(points={"lock": "b", "reader": "b"}), "back": door(name="Back door")}
    told: dict[str, Any] = {
        "status": status(doors=two),
        "people": {"version": 7, "managed": HERE, "total": 1, "next": None, "people": [a_person()]},
        "person": {"version": 7, "managed": HERE, "person": a_person()},
        "groups": {"version": 7, "groups": [STAFF | {"doors": ["front"]}, OPS | {"doors": ["front", "back"]}]},
        "events": pages([record(1)]),
        "change_person": done(),
        "card": done(card=CARD),
    }
    with FakeDaemon(tmp_path / "doord.sock", **answers(**told)) as daemon:
        yield daemon


@pytest.fixture
def browser(tmp_path: Path, doord: FakeDaemon) -> Browser:
    assert doord
    write_accounts(tmp_path / "accounts.json", rita="reception")
    made = Browser(page_in(tmp_path, now_ns=lambda: 10**12))
    assert made.sign_in("rita").status_code == 303
    return made


def asked(doord: FakeDaemon, op: str) -> list[dict[str, Any]]:
    asks = doord.of(op)
    assert all(ask["as"] == RITA for ask in asks)
    return [{key: value for key, value in ask.items() if key not in {"op", "as"}} for ask in asks]


def test_the_list_says_who_with_which_card_and_where_last(browser: Browser, doord: FakeDaemon) -> None:
    shown = browser.get("/people?text=ada").text
    for text in ("Ada Lovelace", "Staff", "…1001", "PIN", "Front door, 2 min ago", ">active<"):
        assert text in shown, text
    assert asked(doord, "people") == [{"text": "ada", "after": "", "limit": 50}]
    lost = a_person(cards=[CARD | {"lost": True}], pin=False, state="off", last_seen=None)
    doord.answers["people"] = {"version": 7, "managed": HERE, "total": 2, "next": "b\nx", "people": [lost]}
    shown = browser.get("/people").text
    for text in ("lost</span>", ">off<", ">never<", 'href="/people?text=&amp;after=b%0Ax"'):
        assert text in shown, text


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"valid_until": "2026-11-22T22:00:00.000000Z"}, "until today 23:00"),
        ({"valid_until": "2026-12-01T23:00:00.000000Z"}, "until 2 December"),
        ({"state": "expired", "valid_until": "2025-06-30T22:00:00.000000Z"}, "expired 1 July 2025"),
        ({"state": "not yet", "valid_from": "2026-12-01T07:30:00.000000Z"}, "from 1 December 08:30"),
        ({"state": "no access", "groups": []}, "may pass no door"),
    ],
)
def test_a_state_is_said_with_its_time(browser: Browser, doord: FakeDaemon, more: dict[str, Any], says: str) -> None:
    doord.answers["person"] = {"version": 7, "managed": HERE, "person": a_person(**more)}
    assert f">{says}<" in browser.get("/people/ada").text


def test_a_refusal_at_a_door_is_seen_as_one(browser: Browser, doord: FakeDaemon) -> None:
    seen = {"at": "2026-11-21T20:55:03.000000Z", "door": "back", "name": "Back <door>", "code": "no_access"}
    doord.answers["person"] = {"version": 7, "managed": HERE, "person": a_person(last_seen=seen)}
    assert "refused Back &lt;door&gt;, 21 November 21:55" in browser.get("/people/ada").text


OF_ADA = {"of": "ada", "by_id": True}


@pytest.mark.parametrize(
    ("path", "op", "ask", "says"),
    [
        (
            "off",
            "change_person",
            {"action": "off", "who": "ada", "by_id": True},
            "Ada Lovelace may pass no door any more.",
        ),
        ("on", "change_person", {"action": "on", "who": "ada", "by_id": True}, "Ada Lovelace may pass again."),
        ("remove", "change_person", {"action": "remove", "who": "ada", "by_id": True}, "Ada Lovelace is removed."),
        (
            "cards/ada-1/lost",
            "card",
            {"action": "lost", "card": "ada-1"} | OF_ADA,
            "The card 0:1001 is lost: no door takes it.",
        ),
        ("cards/ada-1/found", "card", {"action": "found", "card": "ada-1"} | OF_ADA, "The card 0:1001 counts again."),
        (
            "cards/ada-1/take",
            "card",
            {"action": "take", "card": "ada-1"} | OF_ADA,
            "Ada Lovelace has the card 0:1001 no more.",
        ),
    ],
)
def test_one_button_does_it_and_says_so(  # noqa: PLR0913, PLR0917 -- a row of a table
    browser: Browser, doord: FakeDaemon, path: str, op: str, ask: dict[str, Any], says: str
) -> None:
    csrf = browser.token("/people/ada")
    assert (
        f'action="/people/ada/{path}"' in browser.get("/people/ada").text or path in {"on", "remove"} or "found" in path
    )
    assert browser.post(f"/people/ada/{path}", data={"csrf": "wrong"}).status_code == 403
    answer = browser.post(f"/people/ada/{path}", data={"csrf": csrf})
    assert answer.status_code == 303
    assert asked(doord, op) == [ask]
    assert says in browser.get(answer.headers["location"]).text


def test_whoever_is_added_is_sent_as_typed(browser: Browser, doord: FakeDaemon) -> None:
    form = {
        "csrf": browser.token("/people/~new"), "name": " Grace Hopper ", "email": "", "group:staff": "on",
        "group:ops": "on", "card": " 12:3456 ",
        "pin_kind": "make", "pin": "", "valid_from": "", "valid_until": "2026-07-01T18:00",
    }  # fmt: skip
    doord.answers["change_person"] = done(id="grace-hopper", name="Grace Hopper", pin="482913", notes=["A note"])
    answer = browser.post("/people/~new", data=form)
    assert answer.headers["location"] == "/people/grace-hopper"
    assert asked(doord, "change_person") == [
        {
            "action": "add", "name": "Grace Hopper", "email": None, "groups": ["staff", "ops"],
            "extended_unlock": False, "valid_from": None,
            "valid_until": "2026-07-01T16:00:00+00:00", "pin": "make", "card": "12:3456",
        }
    ]  # fmt: skip
    shown = browser.get("/people/ada").text
    assert "Grace Hopper is added." in shown
    assert "The PIN is 482913." in shown
    assert "A note" in shown
    assert "482913" not in browser.get("/people/ada").text, "once"
    answer = browser.post("/people/~new", data=form | {"then_card": "yes"})
    assert answer.headers["location"] == "/people/grace-hopper/card"


@pytest.mark.parametrize(
    ("kind", "pin", "sent"),
    [("", "", {}), ("typed", "2580", {"pin": "2580"}), ("", "2580", {"pin": "2580"}), ("none", "", {"pin": None})],
)
def test_a_pin_is_left_given_or_taken(
    browser: Browser, doord: FakeDaemon, kind: str, pin: str, sent: dict[str, Any]
) -> None:
    form = {"csrf": browser.token("/people/ada/change"), "name": "Ada", "pin_kind": kind, "pin": pin, "base": "7"}
    assert browser.post("/people/ada/change", data=form).status_code == 303
    (ask,) = asked(doord, "change_person")
    assert {key: ask[key] for key in ("pin",) if key in ask} == sent


def test_whoever_is_added_without_a_group_may_be_the_first_and_get_one(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["groups"] = {"version": 0, "groups": []}
    assert "The first person gets one" in browser.get("/people/~new").text
    browser.post("/people/~new", data={"csrf": browser.token("/people/~new"), "name": "Grace"})
    (ask,) = asked(doord, "change_person")
    assert "groups" not in ask


def test_what_is_refused_comes_back_as_it_was_typed(browser: Browser, doord: FakeDaemon) -> None:
    def refuse(_ask: dict[str, Any]) -> Any:
        raise RefusalError("card_taken", "12:3456 is the card of <Bob>")

    doord.answers["change_person"] = refuse
    form = {"csrf": browser.token("/people/~new"), "name": "Grace", "group:ops": "on", "card": "12:3456", "pin": "9999"}
    for wrong in ({}, {"valid_until": "tomorrow"}):
        answer = browser.post("/people/~new", data=form | wrong)
        assert answer.status_code == 400
        for text in ('value="Grace"', 'name="group:ops" checked', 'value="12:3456"'):
            assert text in answer.text, text
        assert "9999" not in answer.text
    assert "Valid until: expected a date and a time." in answer.text
    assert "12:3456 is the card of &lt;Bob&gt;" in browser.post("/people/~new", data=form).text


def test_whoever_comes_second_is_told_and_loses_nothing(browser: Browser, doord: FakeDaemon) -> None:
    shown = browser.get("/people/ada/change").text
    for text in ('name="base" value="7"', 'value="Ada Lovelace"', 'name="group:staff" checked', 'name="group:ops">'):
        assert text in shown, text
    stale = {"problems": ['members.ada: "Otto" changed it in version 8, after 7']}
    doord.answers["change_person"] = done(done=False, code="stale", message=stale["problems"][0], outcomes=stale)
    doord.answers["person"] = {"version": 8, "managed": HERE, "person": a_person(name="Countess")}
    form = {"csrf": browser.token("/people"), "name": "Lady Ada", "base": "7", "group:ops": "on"}
    answer = browser.post("/people/ada/change", data=form)
    assert answer.status_code == 400
    for text in ("&#34;Otto&#34; changed it in version 8", "Save again", 'value="Lady Ada"', 'name="base" value="8"'):
        assert text in answer.text, text
    doord.answers["change_person"] = done()
    assert browser.post("/people/ada/change", data=form | {"base": "8"}).status_code == 303
    assert [ask["base"] for ask in asked(doord, "change_person")] == [7, 8]


def test_a_card_is_given_by_its_number(browser: Browser, doord: FakeDaemon) -> None:
    doord.answers["enrol"] = {"state": "ended", "until": None, "reader": None, "card": None, "holder": None}
    csrf = browser.token("/people/ada/card")
    assert '<option value="front">Front door</option>' in browser.get("/people/ada/card").text
    assert "Back door</option>" not in browser.get("/people/ada/card").text, "it has no reader"
    answer = browser.post("/people/ada/card", data={"csrf": csrf, "card": " 0:1001 "})
    assert answer.headers["location"] == "/people/ada"
    assert asked(doord, "card") == [{"action": "give", "card": "0:1001", "who": "ada", "by_id": True}]
    assert "Ada Lovelace has the card 0:1001." in browser.get("/people/ada").text
    doord.answers["card"] = done(done=False, code="card_taken", message="0:1001 is the card of Bob")
    answer = browser.post("/people/ada/card", data={"csrf": csrf, "card": "0:1001"})
    assert answer.status_code == 400
    assert "0:1001 is the card of Bob" in answer.text


def test_a_card_is_held_to_a_reader_and_given_after_a_yes(browser: Browser, doord: FakeDaemon) -> None:
    state: dict[str, Any] = {
        "state": "listening", "until": "2026-11-22T21:58:03.000000Z", "reader": "front", "card": None, "holder": None,
    }  # fmt: skip
    doord.answers["enrol"] = lambda _ask: state
    csrf = browser.token("/people/ada/card")
    answer = browser.post("/people/ada/card/reader", data={"csrf": csrf, "reader": "front"})
    waiting, there = answer.headers["location"], "/people/ada/card/reader"
    asking = waiting.replace(there, f"{there}/state")
    assert waiting == f"{there}?until=2026-11-22T21%3A58%3A03.000000Z"
    shown = browser.get(waiting).text
    assert "Hold the card to the reader of Front door…" in shown
    assert f'data-wait="{asking}"' in shown
    before = browser.get(asking).json()["seen"]
    assert f'data-seen="{before}"' in shown
    read = {"format": "wiegand26", "number": "12:3456", "bits": 26, "reader": "front", "at": "2026-11-22T21:57:09.0Z"}
    state |= {"card": read, "holder": "Bob"}
    shown = browser.get(waiting).text
    assert "Bob has this card." in shown
    assert "Hold another card" in shown
    assert browser.get(asking).json()["seen"] != before
    state |= {"state": "card", "holder": None}
    shown = browser.get(waiting).text
    assert "Front door: <strong>wiegand26 12:3456</strong>, unknown until now" in shown
    assert 'name="card" value="wiegand26 12:3456"' in shown, "no card of another format is meant"
    state["card"] = read | {"format": "token", "number": None, "card": "phone"}
    assert 'name="card" value="phone"' in browser.get(waiting).text
    for other in ("/people/bob/card/reader", waiting.replace("58%3A03", "58%3A02")):
        shown = browser.get(other).text
        assert "No card came." in shown, "the account waits for another card, at another desk perhaps"
        assert "Take this card" not in shown
    browser.post("/people/ada/card", data={"csrf": csrf, "card": "12:3456"})
    assert asked(doord, "card") == [{"action": "give", "card": "12:3456", "who": "ada", "by_id": True}]
    assert [ask["action"] for ask in asked(doord, "enrol")][-1] == "end"
    state |= {"state": "ended", "card": None}
    assert "No card came." in browser.get(waiting).text


def test_where_the_directory_is_managed_elsewhere_it_is_shown_and_not_changed(
    browser: Browser, doord: FakeDaemon
) -> None:
    away = {"here": False, "text": "the directory is managed upstream: change it there, it comes over MQTT"}
    doord.answers["people"]["managed"] = doord.answers["person"]["managed"] = away
    for path in ("/people", "/people/ada"):
        shown = browser.get(path).text
        assert "managed upstream" in shown
        assert "/~new" not in shown
        assert "/lost" not in shown


def test_somebody_who_is_gone_is_not_found(browser: Browser, doord: FakeDaemon) -> None:
    def refuse(_ask: dict[str, Any]) -> Any:
        raise RefusalError("unknown_person", "nobody here is called 'eve'")

    doord.answers["person"] = refuse
    for path in ("", "/change", "/remove", "/card"):
        assert browser.get(f"/people/eve{path}").status_code == 404


def test_what_people_and_doors_are_called_is_never_markup(browser: Browser, doord: FakeDaemon) -> None:
    evil = "<script>alert(1)</script>"
    one = a_person(name=evil, email=f"{evil}@x", groups=[{"id": evil, "name": evil}])
    doord.answers["people"] = {"version": 7, "managed": HERE, "total": 1, "next": None, "people": [one]}
    doord.answers["person"] = {"version": 7, "managed": HERE, "person": one}
    for path in ("/people", "/people/ada", "/people/ada/change", "/people/ada/remove", "/people/ada/card"):
        shown = browser.get(path).text
        assert evil not in shown
        assert "&lt;script&gt;" in shown, path


def test_a_card_that_nobody_has_is_given_from_the_list_of_cards(browser: Browser, doord: FakeDaemon) -> None:
    def seen(**more: Any) -> dict[str, Any]:
        return {
            "at": "2026-11-22T21:55:03.000000Z", "reader": "front.reader", "format": "wiegand26", "facility": 12,
            "number": "3456", "written": "12:3456", "bits": 26, "parity": True, "raw": None, "card": None, "user": None,
            "code": "unknown_card",
        } | more  # fmt: skip

    raw = seen(format="raw", written="0a1b/37", facility=None)
    doord.answers["cards"] = {"cards": [seen(user="Ada <L>", code=None, written="0:1001"), raw, seen()]}
    shown = browser.get("/cards").text
    for text in ("Ada &lt;L&gt;", "granted", "2 min ago", 'value="wiegand26 12:3456"', 'value="raw 0a1b/37"'):
        assert text in shown, text
    assert 'value="0:1001"' not in shown, "somebody has it"
    form = {"csrf": browser.token("/cards"), "card": "wiegand26 12:3456", "who": " ada "}
    answer = browser.post("/cards", data=form)
    assert answer.headers["location"] == "/cards"
    assert asked(doord, "card") == [{"action": "give", "card": "wiegand26 12:3456", "who": "ada"}]
    assert "Ada Lovelace has the card 0:1001." in browser.get("/cards").text
    doord.answers["cards"]["cards"].append(seen(format="token", written=None, card="phone"))
    assert 'value="phone"' in browser.get("/cards").text

    def refuse(_ask: dict[str, Any]) -> Any:
        raise RefusalError("ambiguous", "'a' may be Ada; Alan")

    doord.answers["card"] = refuse
    answer = browser.post("/cards", data=form | {"who": "a"})
    assert answer.status_code == 400
    assert "may be Ada; Alan" in answer.text
    assert 'value="a"' in answer.text


def test_an_unknown_card_is_given_from_its_event(browser: Browser, doord: FakeDaemon, tmp_path: Path) -> None:
    one = record(7)
    doord.answers["events"] = pages([one])
    assert "Give card" not in browser.get("/events/7").text
    one["type"], one["data"]["code"] = "reader.access", "unknown_card"
    doord.answers["events"] = pages([one])
    card = {"written": "12:3456", "format": "wiegand26", "user": None}
    doord.answers["cards"] = {"cards": [card]}
    assert "Give card 12:3456 to" in browser.get("/events/7").text
    assert asked(doord, "cards")[-1] == {"seen": 7}
    form = {"csrf": browser.token("/events/7"), "who": " ada "}
    assert browser.post("/events/7/card", data=form).headers["location"] == "/events/7"
    assert asked(doord, "card") == [{"action": "give", "seen": 7, "who": "ada"}]
    assert "Ada Lovelace has the card 0:1001." in browser.get("/events/7").text

    def refuse(_ask: dict[str, Any]) -> Any:
        raise RefusalError("ambiguous", "'a' may be Ada; Alan")

    doord.answers["card"] = refuse
    answer = browser.post("/events/7/card", data=form | {"who": "a"})
    assert (answer.status_code, "may be Ada; Alan" in answer.text, 'value="a"' in answer.text) == (400, True, True)
    doord.answers["cards"] = refuse
    assert "Nobody can be given this card from here: &#39;a&#39; may be" in browser.get("/events/7").text

    write_accounts(tmp_path / "accounts.json", vera="viewer")
    viewer = Browser(page_in(tmp_path, now_ns=lambda: 10**12))
    assert viewer.sign_in("vera").status_code == 303
    before = len(doord.of("cards"))
    shown = viewer.get("/events/7").text
    assert "Give card" not in shown
    assert "12:3456" not in shown
    assert len(doord.of("cards")) == before, "nobody asks for the number"
    assert viewer.post("/events/7/card", data={"csrf": token(shown), "who": "ada"}).status_code == 403
