"""Who is meant by a word: exact beats beginnings, several are named, and nothing is guessed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edge.directory.document.reading import read
from edge.people.finding import MOST_CANDIDATES, NotFoundError, find_person, finding
from edge.people.slices import aside, at_once
from tests.support.directories import BERLIN, SOURCE, large, made

if TYPE_CHECKING:
    from edge.directory.directory import Directory

PEOPLE = made(
    {
        "version": 1,
        "users": [
            {"id": "ada", "name": "Ada Lovelace", "email": "ada@example.org"},
            {"id": "u-2", "name": "Adam Riese", "email": "riese@example.org"},
            {"id": "u-3", "name": "René Müller"},
            {"id": "u-4", "name": "Ada"},
            {"id": "twice", "name": "Grace Hopper"},
            {"id": "guest", "name": "Adelheid"},
        ],
        "members": [
            {"id": "m1", "user": "ada"},
            {"id": "m2", "user": "u-2"},
            {"id": "m3", "user": "u-3"},
            {"id": "m4", "user": "u-4"},
            {"id": "day", "user": "twice"},
            {"id": "night", "user": "twice"},
        ],
    }
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("m1", "m1"),
        ("ada@example.org", "m1"),
        ("ADA@Example.org", "m1"),
        ("ada lovelace", "m1"),
        ("  Ada   Lovelace ", "m1"),
        ("ada l", "m1"),
        ("u-2", "m2"),
        ("riese", "m2"),
        ("rene muller", "m3"),
        ("RENÉ", "m3"),
        ("night", "night"),
        ("adel", "guest"),
        ("guest", "guest"),
    ],
)
def test_somebody_is_found_by_id_email_name_or_its_beginning(text: str, found: str) -> None:
    assert find_person(PEOPLE, text).id == found


def test_a_user_who_is_no_member_is_found_too() -> None:
    assert find_person(PEOPLE, "Adelheid").member is None


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("ad", ["m1", "m2", "m4", "guest"]),
        ("ada", ["m1", "m4"]),  # the id of one, the name of the other
        ("grace hopper", ["day", "night"]),
        ("twice", ["day", "night"]),
    ],
)
def test_where_several_are_meant_all_are_named(text: str, candidates: list[str]) -> None:
    with pytest.raises(NotFoundError) as refused:
        find_person(PEOPLE, text)
    assert refused.value.code == "ambiguous"
    assert [one.id for one in refused.value.candidates] == candidates
    assert all(one.described in str(refused.value) for one in refused.value.candidates)


@pytest.mark.parametrize("text", ["nobody", "", "  ", "lovelace", "\N{COMBINING ACUTE ACCENT}"])
def test_nobody_is_guessed(text: str) -> None:
    with pytest.raises(NotFoundError, match="nobody here is called") as refused:
        find_person(PEOPLE, text)
    assert refused.value.code == "unknown_person"


def test_of_very_many_some_are_named_and_others_have_their_turn_meanwhile() -> None:
    many = made_large()
    with pytest.raises(NotFoundError, match=r"\.\.\.") as refused:
        at_once(finding(many, "user"))
    assert len(refused.value.candidates) == MOST_CANDIDATES
    assert sum(1 for _ in finding(many, "user 2999")) >= 2
    assert asyncio.run(aside(finding(many, "user 2999"))).id == "m2999"


def made_large() -> Directory:
    return read(large(3000), SOURCE, BERLIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ada lovelase", "; did you mean Ada Lovelace (m1, ada@example.org) or Adam Riese (m2, riese@example.org)?"),
        ("Lovelase", "; did you mean Ada Lovelace (m1, ada@example.org)?"),
        ("Greace", "; did you mean Grace Hopper (day) or Grace Hopper (night)?"),
        ("zoe", ""),
        ("", ""),
    ],
)
def test_who_is_spelt_alike_is_proposed_never_taken(text: str, said: str) -> None:
    with pytest.raises(NotFoundError) as error:
        find_person(PEOPLE, text)
    assert str(error.value) == f"nobody here is called {text!r}{said}"


def test_proposing_somebody_of_many_lets_others_go_first() -> None:
    directory = made_large()
    steps: list[None] = []
    with pytest.raises(NotFoundError, match="did you mean User"):
        steps.extend(finding(directory, "Usre 2999"))
    assert len(steps) > 2 * 3_000 // 250 + 20
