"""The difference of two directories: told to an independent model of the old one, it makes the new one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.directory.changes import difference
from edge.directory.directory import Directory
from edge.directory.edits.shape import KINDS
from edge.model.catalogue import CATALOGUE, EventClass, Witness
from edge.model.messages import Actor
from tests.support.directories import CHEAP, SHIPPED, cheap, documents, made

if TYPE_CHECKING:
    from edge.model.messages import Event

OTTO = Actor("operator", "uid:1000", "otto")
ASKING = {
    "ask": "card",
    "pin_within_s": 10.0,
    "wrong_pins": 5,
    "wrong_pins_within_s": 60.0,
    "locked_out_s": 60.0,
    "wrong_pins_an_hour": 20,
    "unknown_cards": 20,
}
LISTS = {"groups", "doors", "stops"}
Model = dict[str, dict[str, dict[str, Any]]]


# --- the model: what a document means, taken from its text alone ------------------------------------


def minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def parts(windows: list[dict[str, Any]]) -> frozenset[Any]:
    spans = [(minutes(one["from"]), minutes(one["to"])) for one in windows]
    return frozenset((start, end if end > start else end + 1440) for start, end in spans)


def meaning(key: str, value: Any) -> Any:
    """Whatever may be written in more than one way, in one."""
    if key == "schedule.weekly":
        return value and frozenset((day, part) for one in value for day in one["days"] for part in parts([one]))
    if key == "schedule.exceptions":
        return value and {one["date"]: parts(one.get("windows", [])) for one in value}
    if key in LISTS:
        return sorted(value or [])
    return value or None if key.startswith("schedule.") and not isinstance(value, bool | float) else value


def schedule(document: dict[str, Any], schedule_id: str | None) -> dict[str, Any]:
    if schedule_id is None:
        return {"schedule": None}
    one = next(s for s in document["schedules"] if s["id"] == schedule_id)
    defaults = {"weekly": [], "exceptions": [], "openings": [], "first_to_arrive": False, "early_s": 0.0}
    own = {f"schedule.{key}": one.get(key, default) for key, default in {"name": "", **defaults}.items()}
    return {"schedule": schedule_id} | {key: meaning(key, value) for key, value in own.items()}


def model(document: dict[str, Any]) -> Model:
    everything: Model = {kind: {} for kind in "user member card group lock elevator camera integration".split()}  # noqa: SIM905
    for one in document["users"]:
        everything["user"][one["id"]] = {"name": one["name"], "email": one.get("email")}
    for one in document["cards"]:
        token = one["format"] == "token"
        shown = "…" if token else "…" + (one["number"] if one["format"] == "raw" else f"{one['number']:05d}")[-4:]
        everything["card"][one["id"]] = {"format": one["format"], "shown": shown, "active": one["state"] == "active"}
        everything["card"][one["id"]]["user"] = one["user"]
    for one in document["members"]:
        off = set(one["disabled_cards"])
        everything["member"][one["id"]] = {
            "user": one["user"],
            "enabled": one.get("enabled", True),
            "valid_from": one.get("valid_from"),
            "valid_until": None,
            "pin": "pin_hash" in one,
            "pin_alone": one.get("pin_alone", False),
            "extended_unlock": one.get("extended_unlock", False),
            "groups": sorted(one["groups"]),
            "card": {card: card not in off for card in one["cards"]},
            "backup_card": {card: card not in off for card in one["backup_cards"]},
        }
    for one in document["groups"]:
        stops = sorted(f"{stop['elevator']}/{floor}" for stop in one["stops"] for floor in stop["floors"])
        facts = {"name": one["name"], "doors": sorted(one.get("doors", [])), "stops": stops}
        everything["group"][one["id"]] = facts | schedule(document, one["schedule"])
    for one in document["doors"]:
        own = {key: one.get(key, default) for key, default in {**ASKING, "extended_unlock_s": 20.0}.items()}
        own["anti_passback"] = one.get("anti_passback")
        everything["lock"][one["id"]] = own | schedule(document, one["schedule"])
    for one in document["elevators"]:
        own = {key: one.get(key, default) for key, default in {**ASKING, "permit_s": 10.0}.items()}
        own |= {"name": one["name"], "reader": None, "extended_permit_s": 20.0}
        own |= {f"floor.{floor['id']}": {"name": floor["name"]} for floor in one["floors"]}
        everything["elevator"][one["id"]] = own
    for one in document["cameras"]:
        everything["camera"][one["id"]] = {"name": one["name"], "doors": sorted(one.get("doors", []))}
    for one in document["integrations"]:
        own = {"kind": None, "url": None, "types": [], "secret": None}
        everything["integration"][one["id"]] = {key: one.get(key, default) for key, default in own.items()}
        everything["integration"][one["id"]]["name"] = one["name"]
    return everything


def apply(everything: Model, events: list[Event]) -> Model:
    """Do to the model what the events say happened, and insist that it could happen."""
    for event in events:
        resource, action = event.type.split(".")
        known, own, details = everything[resource], event.object.id, dict(event.details)
        if resource == "card":
            _card(known, own, action.removesuffix("_with_token"), details, event.object.name)
        elif action in {"create", "import"}:
            assert own not in known
            known[own] = {key: meaning(key, value) for key, value in details.items()}
            if resource == "member":
                known[own] |= {"card": {}, "backup_card": {}}
        elif action == "update":
            _update(known.setdefault(own, default_lock()) if resource == "lock" else known[own], details)
        elif action == "destroy":
            gone = known.pop(own)
            assert not gone.get("card")
            assert not gone.get("backup_card")
        else:
            verb, _, what = action.partition("_")
            cards = known[own][what]
            assert (details["card"] in cards) == (verb != "assign")
            if verb == "deassign":
                del cards[details["card"]]
            else:
                assert details["card"] in everything["card"]
                assert verb == "assign" or cards[details["card"]] == (verb == "disable")
                cards[details["card"]] = verb != "disable"
    return everything


def default_lock() -> dict[str, Any]:
    return {**ASKING, "extended_unlock_s": 20.0, "anti_passback": None, "schedule": None}


def _card(known: dict[str, dict[str, Any]], own: str, action: str, details: dict[str, Any], shown: str) -> None:
    if action in {"activate", "deactivate"}:
        if details.get("removed"):
            del known[own]
        elif details.get("new"):
            assert own not in known
            known[own] = {"format": details["format"], "shown": shown, "active": action == "activate", "user": None}
        else:
            assert known[own]["active"] == (action == "deactivate")
            known[own]["active"] = action == "activate"
    elif action == "assign_user":
        known[own]["user"] = details["user"]
    elif action == "deassign_user":
        assert known[own]["user"] in {details["user"], None}
        known[own]["user"] = None


def _update(facts: dict[str, Any], details: dict[str, Any]) -> None:
    for key, change in details.items():
        if change == "changed":
            assert key == "pin"
        elif isinstance(change, dict):
            before = set(facts[key] or [])
            assert before >= set(change["removed"])
            facts[key] = sorted(before - set(change["removed"]) | set(change["added"]))
        else:
            old, new = (meaning(key, side) for side in change)
            assert facts.get(key) == old
            facts[key] = new
            if new is None and key.startswith(("schedule.", "floor.")):
                del facts[key]


def tidy(everything: Model) -> Model:
    """Leave out what says nothing: doors as they are without a word, keys that are None."""
    everything["lock"] = {
        door: facts for door, facts in everything["lock"].items() if tidy_facts(facts) != tidy_facts(default_lock())
    }
    return {kind: {own: tidy_facts(facts) for own, facts in known.items()} for kind, known in everything.items()}


def tidy_facts(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value is not None}


@settings(max_examples=300, deadline=None)
@given(documents(), documents())
def test_the_events_of_a_difference_make_the_new_directory_of_the_old(old: dict[str, Any], new: dict[str, Any]) -> None:
    events = difference(made(old), made(new), OTTO, 5)
    assert tidy(apply(model(old), events)) == tidy(model(new))
    assert difference(made(old), made(new), OTTO, 5) == events
    json.dumps([dict(event.details) for event in events])
    for event in events:
        row = CATALOGUE[event.type]
        assert (row.event_class, row.witness) == (EventClass.AUDIT, Witness.CHANGE)
        assert (event.actor, event.at_ns, event.success) == (OTTO, 5, True)


@settings(max_examples=100, deadline=None)
@given(st.data(), documents(), documents())
def test_the_order_of_entries_that_were_edited_changes_nothing(
    data: st.DataObject, old: dict[str, Any], new: dict[str, Any]
) -> None:
    """After a restart edits are made again, and entries may come in another order."""

    def shuffled(document: dict[str, Any]) -> Directory:
        lists = {section: data.draw(st.permutations(document.get(section, []))) for section in KINDS.values()}
        return made(document | lists)

    before, after = made(old), made(new)
    assert difference(shuffled(old), after, OTTO, 5) == difference(before, after, OTTO, 5)
    touched = [("schedules", one) for one in {**before.schedules, **after.schedules}]
    told = difference(before, after, OTTO, 5, touched=touched)
    assert difference(shuffled(old), shuffled(new), OTTO, 5, touched=touched) == told


@settings(max_examples=50, deadline=None)
@given(documents())
def test_a_directory_differs_from_itself_in_nothing(document: dict[str, Any]) -> None:
    assert difference(made(document), made({**document, "version": 10}), OTTO, 5) == []


# --- each type, the way people cause it -----------------------------------------------------------------


def shipped() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SHIPPED.read_text())
    return document


def changes(edit: Any) -> list[Event]:
    new = shipped()
    edit(new)
    return difference(made(shipped()), made(new), OTTO, 5, names={"front": "Front door"})


def entry(document: dict[str, Any], section: str, entry_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document[section] if one["id"] == entry_id)
    return found


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_removed_user_stays_in_the_history_by_name_and_mail() -> None:
    def edit(new: dict[str, Any]) -> None:
        new["users"] = [one for one in new["users"] if one["id"] != "hedy"]
        new["members"] = [one for one in new["members"] if one["id"] != "hedy"]

    events = changes(edit)
    assert types(events) == ["member.deassign_card", "card.deassign", "member.destroy", "user.destroy"]
    last = events[-1]
    assert (last.object.type, last.object.id, last.object.name) == ("user", "hedy", "Hedy Lamarr")
    assert last.details == {"email": "hedy@example.org"}
    assert events[-2].object.name == "Hedy Lamarr"


SPARE_1 = {"card": "spare-1", "number": "…1900"}
BLUE_1 = {"card": "blue-1", "number": "…1001"}
BLUE_3 = {"card": "blue-3", "number": "…1003"}
LOST_1 = {"card": "lost-1", "number": "…1004"}
MOVED = {"groups": {"added": ["garage"], "removed": ["staff"]}}
TAKEN = ["member.deassign_backup_card", "card.deassign"]


@pytest.mark.parametrize(
    ("section", "entry_id", "change", "expected", "details"),
    [
        ("users", "ada", {"name": "Ada King"}, ["user.update"], {"name": ["Ada Lovelace", "Ada King"]}),
        ("members", "grace", {"enabled": False}, ["member.update"], {"enabled": [True, False]}),
        ("members", "grace", {"groups": ["garage"]}, ["member.update"], MOVED),
        ("members", "ada", {"disabled_cards": []}, ["member.enable_backup_card"], SPARE_1),
        ("members", "ada", {"disabled_cards": ["blue-1", "spare-1"]}, ["member.disable_card"], BLUE_1),
        ("members", "joan", {"disabled_cards": ["blue-3"]}, ["member.disable_card"], BLUE_3),
        ("members", "grace", {"backup_cards": ["lost-1"]}, ["member.assign_backup_card", "card.assign"], LOST_1),
        ("members", "ada", {"backup_cards": [], "disabled_cards": []}, TAKEN, SPARE_1),
        ("cards", "lost-1", {"state": "active"}, ["card.activate"], {}),
        ("cards", "blue-1", {"state": "inactive"}, ["card.deactivate"], {}),
        ("cards", "phone-hedy", {"state": "inactive"}, ["card.deactivate_with_token"], {}),
        ("cards", "spare-1", {"user": "ada"}, ["card.assign_user"], {"user": "ada"}),
        ("cards", "blue-2", {"user": None}, ["card.deassign_user"], {"user": "grace"}),
        ("groups", "garage", {"name": "Parking"}, ["group.update"], {"name": ["Car park", "Parking"]}),
        ("elevators", "lift", {"permit_s": 9}, ["elevator.update"], {"permit_s": [8.0, 9.0]}),
        ("cameras", "entrance", {"doors": []}, ["camera.update"], {"doors": {"added": [], "removed": ["front"]}}),
        ("integrations", "payroll", {"name": "Wages"}, ["integration.update"], {"name": ["Payroll", "Wages"]}),
        ("doors", "back", {"extended_unlock_s": 25}, ["lock.update"], {"extended_unlock_s": [20.0, 25.0]}),
    ],
)  # fmt: skip
def test_a_change_is_one_event_that_says_what(
    section: str, entry_id: str, change: dict[str, Any], expected: list[str], details: dict[str, Any]
) -> None:
    events = changes(lambda new: entry(new, section, entry_id).update(change))
    assert types(events) == expected
    assert dict(events[0].details) == details


def test_a_new_number_is_another_card() -> None:
    events = changes(lambda new: entry(new, "cards", "blue-1").update(number=2001))
    assert types(events) == ["card.deassign_user", "card.deactivate", "card.activate", "card.assign_user"]
    assert [event.object.name for event in events] == ["…1001", "…1001", "…2001", "…2001"]


def test_a_token_comes_with_a_word_for_it() -> None:
    token = {"id": "phone-2", "format": "token", "number": "ab" * 16}
    events = changes(lambda new: new["cards"].append(token))
    assert types(events) == ["card.activate_with_token"]
    assert "ab" * 4 not in repr(events)


def test_a_schedule_is_told_where_it_counts() -> None:
    events = changes(lambda new: entry(new, "schedules", "reception").update(early_s=60))
    assert [(e.type, e.object.id, e.object.name, e.door) for e in events] == [
        ("lock.update", "front", "Front door", "front")
    ]
    assert dict(events[0].details) == {"schedule.early_s": [1800.0, 60.0]}
    events = changes(lambda new: entry(new, "schedules", "evenings").update(weekly=[]))
    assert [(e.type, e.object.id) for e in events] == [("group.update", "cleaners")]


def test_from_nothing_and_to_nothing_everything_is_told() -> None:
    come = difference(Directory(), made(shipped()), OTTO, 5)
    gone = difference(made(shipped()), Directory(version=2), OTTO, 5)
    for kind in ("user", "member", "group", "elevator", "integration"):
        assert f"{kind}.create" in types(come)
        assert f"{kind}.destroy" in types(gone)
    assert "camera.import" in types(come)
    assert types(gone)[-1] == "user.destroy"
    assert {event.correlation for event in come} == {"directory-1"}


def test_every_type_of_a_change_in_the_catalogue_is_produced() -> None:
    def edit(new: dict[str, Any]) -> None:
        ada, grace = entry(new, "members", "ada"), entry(new, "members", "grace")
        ada |= {"disabled_cards": ["blue-1"], "enabled": False}
        grace |= {"cards": [], "backup_cards": ["blue-2"], "disabled_cards": ["blue-2"]}
        entry(new, "cards", "blue-3")["state"] = entry(new, "cards", "phone-hedy")["state"] = "inactive"
        entry(new, "cards", "spare-1")["user"] = "ada"
        entry(new, "cards", "blue-3")["user"] = None
        for section in ("users", "groups", "elevators", "cameras", "integrations"):
            new[section][0]["name"] = "Renamed"
        entry(new, "doors", "back")["ask"] = "card_and_pin"

    new = shipped()
    edit(new)
    before, after, nothing = made(shipped()), made(new), Directory()
    told = {
        event.type
        for old, now in ((nothing, before), (before, after), (after, before), (before, nothing))
        for event in difference(old, now, OTTO, 5)
    }
    changes_ = {row.type for row in CATALOGUE.values() if row.witness is Witness.CHANGE}
    assert changes_ - told == {"lock.create", "lock.destroy"}, "these two are the configuration's"
    assert told <= changes_


def test_no_event_has_a_secret_in_it() -> None:
    new = shipped()
    entry(new, "members", "ada")["pin_hash"] = cheap("9753")
    new["cards"].append({"id": "n", "format": "wiegand26", "facility": 201, "number": 54321})
    told = difference(made(shipped()), made(new), OTTO, 5)
    assert types(told) == ["card.activate", "member.update"]
    assert dict(told[1].details) == {"pin": "changed"}
    text = repr(told) + repr(difference(Directory(), made(new), OTTO, 5)) + repr(made(new).members)
    for secret in ("54321", "201", "scrypt", cheap("9753"), repr(CHEAP.salt)[2:-1]):
        assert secret not in text
