"""Turns the signals of drivers into items for doors: settles levels, reports lost lines once.

One rule: a signal of a lost point is ignored; it was on its way when the line was lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.doors.debounce import Debouncer, Unstable
from edge.doors.inputs import Inputs
from edge.model.event_types import CONTROLLER_FAULT, CONTROLLER_FAULT_CLEARED
from edge.model.messages import (
    SYSTEM,
    Back,
    CardRead,
    Confirmed,
    Event,
    InputFault,
    InputStirs,
    InputUnstable,
    Item,
    KeysPressed,
    Level,
    LockConfirmed,
    Lost,
    PointsBack,
    PointsLost,
    Settled,
    Signal,
    Subject,
)
from edge.model.roles import CONTACT, LOCK, RELEASE, ROLES, SITE, UnknownRoleError, fault_item_of, item_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.model.messages import Json
    from edge.model.policy import Timing
    from edge.model.ports import Journal, Wires


class Signals:
    """The inputs of every door and of the site, and which points are lost."""

    def __init__(  # noqa: PLR0913, PLR0917 -- what it is lent, one by one
        self,
        wires: Wires,
        journal: Journal,
        now_ns: Callable[[], int],
        deliver: Callable[[str, Item], None],
        credential: Callable[[str, CardRead | KeysPressed], None],
        mistake: Callable[[Exception], None],
    ) -> None:
        """`deliver` is called with a door's id, or `SITE` for every door, and the item for it.

        `credential` is called with a door's id and the card or keys from its reader, `mistake` with an exception that
        is a mistake in doord itself.
        """
        self._wires, self._journal, self._now_ns = wires, journal, now_ns
        self._deliver, self._credential = deliver, credential
        self._mistake = mistake
        self._inputs: dict[str, Inputs] = {}
        self._lost: set[str] = set()
        self._levels: dict[str, tuple[bool, int]] = {}

    def watch(self, key: str, timing: Mapping[str, Timing]) -> None:
        """Take in the inputs of this door, or of `SITE`, from now on."""
        self._inputs[key] = Inputs(
            {role: _debouncer(role, rule) for role, rule in timing.items()},
            lambda role, report: self._settled(key, role, report),
            lambda role: self._wires.level(f"{key}.{role}"),
            self._now_ns,
            lambda role, since_ns, until_ns: self._stirs(key, role, since_ns, until_ns),
        )

    def levels(self) -> dict[str, tuple[bool, int]]:
        """Point -> the level its input settled at, and since when. Lost points are not in it."""
        return {point: level for point, level in self._levels.items() if point not in self._lost}

    @property
    def released(self) -> bool:
        """Whether the release input of the whole site was last seen released."""
        return self._levels.get(f"{SITE}.{RELEASE.name}", (False, 0))[0]

    def stop(self) -> None:
        """Nothing settles any more."""
        for inputs in self._inputs.values():
            inputs.stop()

    def handle(self, signal: Signal) -> None:
        """Handle one signal."""
        if isinstance(signal, Lost | Back):
            self._line(signal)
            return
        if signal.point in self._lost:  # on its way when the line was lost; the return brings all levels
            return
        key, _, role = signal.point.rpartition(".")
        if isinstance(signal, Level):
            self._inputs[key].feed(role, signal.asserted, signal.at_ns, initial=signal.initial, lost=signal.lost)
        elif isinstance(signal, Confirmed):
            if role == LOCK.name:
                self._deliver(key, LockConfirmed(signal.asserted, signal.at_ns))
        elif isinstance(signal, InputFault):
            self._input_fault(key, role, signal)
        else:
            self._credential(key, signal)

    def _input_fault(self, key: str, role: str, signal: InputFault) -> None:
        item, inputs = fault_item_of(signal), self._inputs[key]
        if signal.reason is not None:
            inputs.forget(role)
        elif (level := self._wires.level(signal.point)) is not None:
            inputs.feed(role, level, signal.at_ns, initial=True)
        self._deliver(key, item)

    def _stirs(self, key: str, role: str, since_ns: int, until_ns: int) -> None:
        if role in ROLES and ROLES[role].stirs:
            self._deliver(key, InputStirs(role, since_ns, until_ns))

    def _settled(self, key: str, role: str, report: Settled | Unstable) -> None:
        point = f"{key}.{role}"
        item: Item | None
        if isinstance(report, Settled):
            self._levels[point] = (report.level, report.at_ns)
            try:
                item = item_of(point, report)
            except UnknownRoleError as error:  # the other inputs that settle now are heard all the same
                self._mistake(error)
                return
        else:
            item = InputUnstable(point, report.at_ns)
        if item is not None:
            self._deliver(key, item)

    def _line(self, signal: Lost | Back) -> None:
        """R16: one fault when points go, one when they return, whatever the number of doors."""
        lost = isinstance(signal, Lost)
        points = {point for point in signal.points if (point in self._lost) != lost}
        if not points:
            return
        touched = sorted({point.rpartition(".")[0] for point in points} & self._inputs.keys() - {SITE})
        driver = self._wires.driver_of(next(iter(points)))
        details: dict[str, Json] = {"points": [*sorted(points)]}
        if isinstance(signal, Lost):
            self._lost |= points
            for point in points:
                key, _, role = point.rpartition(".")
                if key in self._inputs:  # not an elevator's
                    self._inputs[key].forget(role)
            details["reason"] = signal.reason
        else:
            self._lost -= points
        kind = CONTROLLER_FAULT if lost else CONTROLLER_FAULT_CLEARED
        door = touched[0] if len(touched) == 1 else None
        self._journal.append(
            [Event(kind, signal.at_ns, Subject("driver", driver, driver), SYSTEM, door=door, details=details)]
        )
        for key in touched:
            mine = frozenset(point for point in points if point.startswith(f"{key}."))
            if isinstance(signal, Lost):
                contact, lock = f"{key}.{CONTACT.name}" in mine, f"{key}.{LOCK.name}" in mine
                self._deliver(key, PointsLost(mine, contact, lock, signal.reason, signal.at_ns))
            else:
                self._deliver(key, PointsBack(mine, signal.at_ns))


def _debouncer(role: str, rule: Timing) -> Debouncer:
    known = ROLES.get(role)
    return Debouncer(rule.debounce_ms, rule.instability_ms, known.urgent if known else frozenset())
