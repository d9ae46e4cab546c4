"""Whatever a desk does, one after the other: what is planned is taken by the directory, and is what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.people.card_changes import giving, marking, taking
from edge.people.cards import CardError
from edge.people.changing import DeskError, adding, barring, changing, removing
from edge.people.finding import NotFoundError
from edge.people.slices import at_once
from tests.support.directories import BERLIN, edited, made
from tests.support.people import document

if TYPE_CHECKING:
    from collections.abc import Generator

    from edge.directory.directory import Directory
    from edge.people.changing import PersonPlan

DOORS = ["front", "back"]
NAMES = st.sampled_from(["Ada", "Émile Zola", "山田", "Grace", "Grace Hopper"])
WHO = st.one_of(NAMES, st.sampled_from(["ada", "bob", "grace", "person", "emile-zola-2", "nobody"]))
CARDS = st.sampled_from(["12:1001", "12:1900", "12:7", "wiegand34 12:7", "7", "raw beef", "0001234567"])
GROUPS = st.lists(st.sampled_from(["always", "weekdays", "everybody"]), max_size=2)
KEYS: dict[str, st.SearchStrategy[Any]] = {
    "email": st.sampled_from(["g@example.org", None, ""]),
    "card": CARDS,
    "groups_add": GROUPS,
    "valid_until": st.sampled_from(["2026-12-24T18:00", None]),
}
DEEDS = st.one_of(
    st.tuples(st.just("add"), NAMES, st.fixed_dictionaries({}, optional=KEYS)),
    st.tuples(st.just("change"), WHO, st.fixed_dictionaries({}, optional={**KEYS, "name": NAMES, "groups": GROUPS})),
    st.tuples(st.sampled_from(["off", "on", "remove", "keep"]), WHO, st.just({})),
    st.tuples(st.sampled_from(["lost", "found", "take"]), st.tuples(CARDS, st.none()), st.just({})),
    st.tuples(st.sampled_from(["lost", "found", "take"]), st.tuples(st.none(), WHO), st.just({})),
    st.tuples(st.just("give"), st.tuples(CARDS, WHO), st.just({})),
)


def planning(here: Directory, deed: str, of: Any, wanted: dict[str, Any]) -> Generator[None, None, PersonPlan]:
    plans = {
        "add": lambda: adding(here, {"name": of, **wanted}, DOORS),
        "change": lambda: changing(here, of, wanted),
        "off": lambda: barring(here, of, enabled=False),
        "on": lambda: barring(here, of, enabled=True),
        "remove": lambda: removing(here, of),
        "keep": lambda: removing(here, of, keep_cards=True),
        "lost": lambda: marking(here, *of, lost=True),
        "found": lambda: marking(here, *of, lost=False),
        "take": lambda: taking(here, *of),
        "give": lambda: giving(here, *of),
    }
    return plans[deed]()


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.lists(DEEDS, min_size=1, max_size=12))
def test_whatever_is_planned_is_taken(empty: bool, deeds: list[tuple[str, Any, dict[str, Any]]]) -> None:
    here = made({"version": 1} if empty else document())
    for deed, of, wanted in deeds:
        try:
            plan = at_once(planning(here, deed, of, wanted))
        except (CardError, DeskError, NotFoundError):
            continue
        if not plan.changes:
            assert plan.notes
            continue
        here = edited(here, plan.changes, Path("edit"), BERLIN, doors=DOORS).directory
        member = here.members.get(plan.id)
        if deed in {"remove", "keep"}:
            assert plan.id not in here.members
        elif deed in {"off", "on"}:
            assert member is not None
            assert member.enabled is (deed == "on")
        elif deed == "give":
            assert here.holders[str(plan.card)] == plan.id
        elif deed == "take":
            assert plan.card not in here.holders
        elif deed in {"lost", "found"}:
            assert here.cards[str(plan.card)].active is (deed == "found")
        elif wanted.get("card"):
            assert here.holders[str(plan.card)] == plan.id
