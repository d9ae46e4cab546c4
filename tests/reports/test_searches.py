"""What is asked of the history from outside: groups become people, and every word its filter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from edge.directory.directory import Directory, Group, Member, User
from edge.log.reading.query import Query
from edge.reports.search_words import NOWHERE, UnknownGroupError, members
from edge.reports.searches import Filters, PageRequest

USERS = {name: User(name, name.title()) for name in ("ann", "bob", "cem", "dora")}
DIRECTORY = Directory(
    users=USERS,
    members={
        "m-1": Member("m-1", "ann", groups=("staff", "it")),
        "m-2": Member("m-2", "bob", groups=("it",), enabled=False),
        "m-3": Member("m-3", "ann", groups=("board",)),
        "m-4": Member("m-4", "cem"),
    },
    groups={
        "staff": Group("staff", "Everybody"),
        "it": Group("it", "Straße & Keller"),
        "board": Group("board", "Board"),
        "board-2": Group("board-2", "BOARD"),
        "empty": Group("empty", "it"),
    },
)


@pytest.mark.parametrize(
    ("names", "people", "groups"),
    [
        (["staff"], ("ann",), ("staff",)),
        (["it"], ("ann", "bob"), ("it",)),
        (["STRASSE & keller"], ("ann", "bob"), ("it",)),
        (["staff", "it"], ("ann", "bob"), ("it", "staff")),
        (["empty"], (), ("empty",)),
        (["Board"], ("ann",), ("board", "board-2")),
        ([], (), ()),
    ],
)
def test_a_group_is_who_is_in_it_now(names: list[str], people: tuple[str, ...], groups: tuple[str, ...]):
    assert members(DIRECTORY, names) == (people, groups)


def test_an_id_goes_before_a_name_and_both_may_be_meant_by_a_name():
    assert members(DIRECTORY, ["it"])[1] == ("it",)
    assert members(DIRECTORY, ["IT"])[1] == ("empty",)


@pytest.mark.parametrize(
    ("directory", "name", "says"),
    [
        (DIRECTORY, "stuff", "no group 'stuff'; did you mean staff?"),
        (DIRECTORY, "zzz", "no group 'zzz'; expected one such as board, board-2, empty"),
        (Directory(), "staff", "no group 'staff'; the directory has no groups"),
        (None, "staff", NOWHERE),
    ],
)
def test_an_unknown_group_is_no_silence(directory: Directory | None, name: str, says: str):
    with pytest.raises(UnknownGroupError) as refused:
        members(directory, [name])
    assert str(refused.value) == says


def test_every_word_becomes_its_filter():
    body = {
        "door": ["front"],
        "type": ["lock.opened"],
        "class": "access",
        "user": ["ann"],
        "group": ["it"],
        "outcome": "refused",
        "code": ["unknown_card"],
        "text": "Tür",
        "correlation": "run-front-1",
        "since_us": 1,
        "until_us": 2,
        "after": 3,
        "before": 4,
        "limit": 5,
        "newest": True,
        "skip": 6,
    }
    query = Query(
        since_us=1,
        until_us=2,
        doors=("front",),
        types=("lock.opened",),
        event_class="access",
        actors=("ann",),
        after=3,
        before=4,
        limit=5,
        newest=True,
        skip=6,
        people=("ann", "bob"),
        groups=("it",),
        success=False,
        codes=("unknown_card",),
        text="Tür",
        correlation="run-front-1",
    )
    assert PageRequest.model_validate(body).query(DIRECTORY) == query
    assert PageRequest.model_validate({}).query(None) == Query()
    assert PageRequest.model_validate({"outcome": "granted"}).query(None) == replace(Query(), success=True)
    whole = {name: value for name, value in body.items() if name not in {"after", "before", "limit", "newest", "skip"}}
    assert Filters.model_validate(whole).query(DIRECTORY) == replace(
        query, after=0, before=None, limit=500, newest=False, skip=0
    )


@pytest.mark.parametrize(
    "body",
    [
        {"outcome": "maybe"},
        {"text": "x" * 201},
        {"text": 5},
        {"correlation": ["run-front-1"]},
        {"group": "staff"},
        {"code": [1]},
        {"limit": 501},
        {"skip": -1},
        {"since_us": 2**70},
        {"until_us": -(2**63)},
        {"before": 2**63},
        {"people": ["ann"]},
        {"user": ["x" * 1_001]},
        *({key: ["\ud800"]} for key in ("door", "type", "user", "group", "code")),
    ],
)
def test_what_is_malformed_is_refused(body: dict[str, object]):
    with pytest.raises(ValidationError):
        PageRequest.model_validate(body)
