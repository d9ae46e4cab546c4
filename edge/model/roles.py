"""What a point of a door can be: one row for each role, with everything that any module says about it.

One rule: the configuration, the drivers, the displays, the wiring check and the docs take a role from its row. A role
without a row is an error, and is never taken for another. A point is named `<door>.<role>`, like `front.contact`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from edge.model.messages import (
    ContactFault,
    ContactMoved,
    InputFault,
    Observed,
    ReleaseInput,
    RexPressed,
    RexReleased,
    Settled,
    TamperChanged,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.model.messages import Item

    Becomes: TypeAlias = Callable[[str, Settled], Item | None]
    Broken: TypeAlias = Callable[[InputFault], Item]

_Model = TypeVar("_Model")
SITE: Final = "controller"
"""Before the dot in the names of the controller's own points, such as one release input for every door."""


class UnknownRoleError(LookupError):
    """A point has a role that is not in the table: a mistake in doord itself."""

    def __init__(self, role: str) -> None:
        """`role` is what was asked for."""
        super().__init__(f'no point has the role "{role}"; edge/model/roles.py has {", ".join(ROLES)}')


class PointKind(StrEnum):
    """Which way a point goes."""

    OUTPUT = "output"
    INPUT = "input"
    READER = "reader"


@dataclass(frozen=True, slots=True)
class WiringCheck:
    """One step of the wiring check: what somebody at the door does, and what is then to be seen."""

    todo: str
    expected: str
    """One of the role's `words`; with `counts`, what has to be seen once more."""
    counts: bool = False
    """Passed by a new press or card, not by a state."""


@dataclass(frozen=True, slots=True)
class Role:
    """One row. `asserted` is the logical level that drivers report; polarity is theirs."""

    name: str
    """Its key in `[door.ID]`, and what follows the dot in the name of a point."""
    kind: PointKind
    what: str
    """What it is, for the docs."""
    asserted: str
    """What an asserted level means, for the docs."""
    words: tuple[str, str]
    """What is shown while it is not asserted, and while it is."""
    needed: bool = False
    """Every door must have it."""
    becomes: Becomes | None = None
    """Makes the item for the rules when the input has settled; every input has one. It returns None for no item."""
    broken: Broken | None = None
    """Makes the item when its supervised wiring is cut or shorted, or well again; outputs have none."""
    stirs: bool = False
    """Its first edge may matter to the rules before it has settled."""
    urgent: frozenset[bool] = frozenset()
    """Levels that count even while the input is restless: people can always get out."""
    checks: tuple[WiringCheck, ...] = ()
    """Its steps of the wiring check; those of the lock are in the check itself."""


def _contact(_point: str, report: Settled) -> Item:
    return ContactMoved(report.level, report.at_ns, Observed.READ_BACK if report.read_back else Observed.EDGE)


def _rex(_point: str, report: Settled) -> Item | None:
    if report.initial:
        return None
    return RexPressed(report.at_ns, report.restless) if report.level else RexReleased(report.at_ns)


def _release(_point: str, report: Settled) -> Item:
    return ReleaseInput(report.level, report.at_ns)


def _tamper(point: str, report: Settled) -> Item:
    return TamperChanged(point, report.level, report.at_ns)


def _contact_broken(signal: InputFault) -> Item:
    return ContactFault(signal.reason, signal.at_ns)


def _broken(signal: InputFault) -> Item:
    """A cut or shorted wire is tampering, whatever the input is."""
    return TamperChanged(signal.point, signal.reason is not None, signal.at_ns)


LOCK: Final = Role(
    "lock", PointKind.OUTPUT, "the strike, magnet or bolt", "it is released", ("locked", "unlocked"), needed=True
)
CONTACT: Final = Role(
    "contact",
    PointKind.INPUT,
    "the door contact; without it nothing is known of openings",
    "the door is open",
    ("closed", "open"),
    becomes=_contact,
    broken=_contact_broken,
    stirs=True,
    checks=(
        WiringCheck("close the door", "closed"),
        WiringCheck("open the door", "open"),
        WiringCheck("close the door again", "closed"),
    ),
)
REX: Final = Role(
    "rex",
    PointKind.INPUT,
    "the request-to-exit button or motion sensor",
    "it is pressed, or sees somebody",
    ("not pressed", "pressed"),
    becomes=_rex,
    broken=_broken,
    stirs=True,
    urgent=frozenset({True, False}),
    checks=(
        WiringCheck("leave the exit button alone", "not pressed"),
        WiringCheck("press the exit button once", "a press", counts=True),
    ),
)
RELEASE: Final = Role(
    "release",
    PointKind.INPUT,
    "a release input of this door alone",
    "the fire panel releases the door",
    ("at rest", "on"),
    becomes=_release,
    broken=_broken,
    stirs=True,
    urgent=frozenset({True}),
    checks=(WiringCheck("leave the fire panel at rest", "at rest"),),
)
TAMPER: Final = Role(
    "tamper",
    PointKind.INPUT,
    "a tamper switch",
    "the housing is open",
    ("at rest", "open"),
    becomes=_tamper,
    broken=_broken,
    checks=(WiringCheck("close the housing", "at rest"),),
)
BUZZER: Final = Role("buzzer", PointKind.OUTPUT, "sounds the held-open warning", "it sounds", ("silent", "sounding"))
READER: Final = Role(
    "reader",
    PointKind.READER,
    "a card reader, for drivers that have one",
    "",
    ("", ""),
    broken=_broken,
    checks=(WiringCheck("hold any card to the reader", "a card", counts=True),),
)

ROLES: Final[Mapping[str, Role]] = MappingProxyType(
    {role.name: role for role in (LOCK, CONTACT, REX, RELEASE, TAMPER, BUZZER, READER)}
)
"""Every role by its name, in the order in which it is written down."""
INPUTS: Final = tuple(role.name for role in ROLES.values() if role.kind is PointKind.INPUT)
OUTPUTS: Final = tuple(role.name for role in ROLES.values() if role.kind is PointKind.OUTPUT)
SWITCHES: Final = tuple(name for name in INPUTS if name != CONTACT.name)
"""Inputs that a hand moves; the contact follows its leaf."""
SIM_ACTIONS: Final = ("open", "close", *SWITCHES, "card", "pin", "bounce", "cut", "mend")
"""What `doorctl sim` can do to a simulated door."""


def role_of(point: str) -> Role:
    """The row of a point, or of a role. Raises UnknownRoleError."""
    name = point.rpartition(".")[2]
    try:
        return ROLES[name]
    except KeyError:
        raise UnknownRoleError(name) from None


def item_of(point: str, report: Settled) -> Item | None:
    """The item for the rules when an input has settled. Raises UnknownRoleError for a point that is not an input."""
    becomes = role_of(point).becomes
    if becomes is None:
        raise UnknownRoleError(point)
    return becomes(point, report)


def fault_item_of(signal: InputFault) -> Item:
    """The item for the rules for a cut or shorted wire. Raises UnknownRoleError for a point that cannot have one."""
    broken = role_of(signal.point).broken
    if broken is None:
        raise UnknownRoleError(signal.point)
    return broken(signal)


def carried(*, inputs: _Model | None = None, **own: _Model) -> Mapping[str, _Model]:
    """Role -> its model, for a driver that carries the roles in `own`, and every other input as `inputs`.

    Raises UnknownRoleError.
    """
    for name in own:
        role_of(name)
    models = own if inputs is None else {**dict.fromkeys(INPUTS, inputs), **own}
    return MappingProxyType({name: models[name] for name in ROLES if name in models})
