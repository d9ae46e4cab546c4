"""How often a key may give each command: by key, command and door; an edit by its changes. Times are handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.commands.allowance import ALLOWANCES, CHANGES_EACH, KeyAllowance
from edge.commands.parsing import NO_DOOR, DirectoryEdit, Order
from edge.commands.shape import Signer
from edge.model.messages import Actor, CommandName

if TYPE_CHECKING:
    from collections.abc import Iterable

ANN, BOB = Signer("ann", "a"), Signer("bob", "b")
NO_LIMIT = {"replay", "diagnose"}
"""The first has one of its own (docs/mqtt.md), the second writes nothing."""


def order(name: str, doors: Iterable[str] = (), signer: Signer | None = ANN, changes: int = 0) -> Order:
    edit = DirectoryEdit([{}] * changes, None) if changes else None
    return Order("c", name, tuple(doors), Actor("operator", "ann"), 0, None, edit=edit, signer=signer)


def given(allowance: KeyAllowance, asked: Order, times: int, now_s: float = 0.0) -> int:
    """How many of so many commands may be given."""
    done = 0
    for _ in range(times):
        if not allowance.wait_s(asked, now_s):
            allowance.spend(asked, now_s)
            done += 1
    return done


@pytest.mark.parametrize("name", sorted(ALLOWANCES))
def test_so_many_at_once_and_so_many_a_minute_in_the_long_run(name: str) -> None:
    allowance, asked = KeyAllowance(), order(name, () if name in NO_DOOR else ("front",))
    at_once, a_minute = ALLOWANCES[name]
    assert given(allowance, asked, 1_000) == at_once
    assert allowance.wait_s(asked, 0.0) == pytest.approx(60 / a_minute)
    later = sum(given(allowance, asked, 10, now_s / 10) for now_s in range(1, 6_001))
    assert later == pytest.approx(10 * a_minute, abs=1)


def test_every_command_that_writes_has_an_allowance() -> None:
    assert {*ALLOWANCES} == {*map(str, CommandName)} | NO_DOOR - NO_LIMIT


def test_keys_commands_and_doors_are_counted_by_themselves() -> None:
    allowance = KeyAllowance()
    given(allowance, order("unlock", ["front"]), 1_000)
    assert allowance.wait_s(order("unlock", ["front"]), 0.0) > 0
    for other in (
        order("unlock", ["back"]),
        order("lock", ["front"]),
        order("cancel_lockdown", ["front"]),
        order("unlock", ["front"], BOB),
        order("unlock", ["front"], None),
        order("record"),
    ):
        assert allowance.wait_s(other, 0.0) == 0


def test_a_command_for_several_doors_counts_at_each() -> None:
    allowance, both = KeyAllowance(), order("unlock", ["front", "back"])
    assert given(allowance, order("unlock", ["front"]), 50) == 50
    assert given(allowance, both, 1_000) == 10
    assert given(allowance, order("unlock", ["back"]), 1_000) == 50


def test_what_is_given_back_was_never_counted() -> None:
    allowance, asked = KeyAllowance(), order("edit_directory", changes=1_000)
    for _ in range(1_000):
        allowance.spend(asked, 0.0)
        allowance.give_back(asked, 0.0)
    assert given(allowance, asked, 1_000) == ALLOWANCES["edit_directory"].at_once // 10


@pytest.mark.parametrize(("changes", "counts"), [(1, 1), (100, 1), (101, 2), (1_300, 13)])
def test_an_edit_counts_by_its_changes(changes: int, counts: int) -> None:
    assert CHANGES_EACH == 100
    done = given(KeyAllowance(), order("edit_directory", changes=changes), 1_000)
    assert done == ALLOWANCES["edit_directory"].at_once // counts


def test_an_upstream_at_rush_hour_is_not_shut_out() -> None:
    """One key, twenty doors; at each somebody passes every second for an hour, after forty who came at once."""
    allowance, doors = KeyAllowance(), [f"d{number}" for number in range(20)]
    for door in doors:
        assert given(allowance, order("unlock", [door]), 40) == 40
    for now_s in range(1, 3_601):
        for door in doors:
            assert given(allowance, order("unlock", [door]), 1, now_s) == 1
