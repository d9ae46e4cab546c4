"""The table of roles is whole: what it leaves open, no other place may guess."""

from __future__ import annotations

import pytest

from edge.model.messages import InputFault, Settled, TamperChanged
from edge.model.roles import INPUTS, OUTPUTS, ROLES, PointKind, Role, UnknownRoleError, carried, fault_item_of, item_of


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_a_row_says_all_that_its_kind_needs(role: Role) -> None:
    assert role.what
    assert (role.kind is PointKind.READER) == (role.words == ("", ""))
    assert (role.becomes is not None) == (role.kind is PointKind.INPUT), "what the rules are told of it"
    assert (role.broken is None) == (role.kind is PointKind.OUTPUT), "what they are told of a cut wire"
    assert bool(role.checks) == (role.kind is not PointKind.OUTPUT), "how an installer tries it"
    assert all(check.counts or check.expected in role.words for check in role.checks)


def test_only_a_tamper_switch_becomes_a_tamper_alarm() -> None:
    items = {name: item_of(f"front.{name}", Settled(True, 5)) for name in INPUTS}
    assert [name for name, item in items.items() if isinstance(item, TamperChanged)] == ["tamper"]
    assert items["tamper"] == TamperChanged("front.tamper", True, 5)


def test_a_role_that_is_in_no_row_becomes_nothing() -> None:
    with pytest.raises(UnknownRoleError, match='no point has the role "window"; '):
        item_of("front.window", Settled(True, 5))
    with pytest.raises(UnknownRoleError):
        fault_item_of(InputFault("front.window", "cut", 5))


@pytest.mark.parametrize("name", [*OUTPUTS, "reader"])
def test_what_is_no_input_settles_at_nothing(name: str) -> None:
    with pytest.raises(UnknownRoleError):
        item_of(f"front.{name}", Settled(True, 5))


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_has_no_supervised_wiring(name: str) -> None:
    with pytest.raises(UnknownRoleError):
        fault_item_of(InputFault(f"front.{name}", "cut", 5))


def test_a_driver_carries_what_it_names_and_every_other_input_alike() -> None:
    assert carried(reader="r") == {"reader": "r"}
    models = carried(inputs="any", lock="l", contact="c")
    assert models == {"lock": "l", **dict.fromkeys(INPUTS, "any"), "contact": "c"}
    with pytest.raises(UnknownRoleError):
        carried(window="w")
