"""All open drivers, and which driver has which point. Doors, elevators and readers reach their wires through it.

One rule: a point belongs to one driver for as long as the daemon runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from edge.model.messages import Back, CardRead, KeysPressed, Lost, ReaderDisplay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge.access.elevators import Elevators
    from edge.doors.driver_supervisor import DriverSupervisor
    from edge.doors.runner import Runner
    from edge.model.messages import Signal
    from edge.settings.controller import DriverSettings

READER: Final = ".reader"


@runtime_checkable
class Simulator(Protocol):
    """A driver with simulated hardware."""

    def simulate(self, door: str, action: str, argument: str | None) -> None:
        """Do an action at the hardware of a door. Raises ValueError."""


class Drivers:
    """Implements `edge.model.ports.Wires`; also has the displays of readers."""

    def __init__(self, settings: Mapping[str, DriverSettings], supervisors: Mapping[str, DriverSupervisor]) -> None:
        """`supervisors` are open: every lock is at its resting level (R14)."""
        self._supervisors = dict(supervisors)
        self._driver_of = {point: name for name, driver in settings.items() for point in driver.points}
        self._shown: dict[str, ReaderDisplay] = {}
        self._listening: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> DriverSupervisor:
        """One driver by name."""
        return self._supervisors[name]

    def __iter__(self) -> Iterator[str]:
        """The names of all drivers."""
        return iter(self._supervisors)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._supervisors)

    def items(self) -> list[tuple[str, DriverSupervisor]]:
        """Every driver with its name."""
        return [*self._supervisors.items()]

    def apply(self, driver: str, outputs: Mapping[str, bool]) -> bool:
        """See `edge.model.ports.Wires`."""
        return self._supervisors[driver].apply(outputs)

    def level(self, point: str) -> bool | None:
        """See `edge.model.ports.Wires`."""
        return self._supervisors[self._driver_of[point]].level(point)

    def driver_of(self, point: str) -> str:
        """See `edge.model.ports.Wires`."""
        return self._driver_of[point]

    def show(self, door: str, shown: ReaderDisplay) -> None:
        """Let the reader of a door show the state of the door, unless it listens for a card to enrol."""
        self._shown[door] = shown
        self._show(door)

    def listen(self, places: frozenset[str]) -> None:
        """Let the readers of these doors and elevators, and no others, show that they listen for a card to enrol."""
        changed, self._listening = self._listening ^ places, places
        for place in sorted(changed):
            self._show(place)

    def _show(self, place: str) -> None:
        point = f"{place}{READER}"
        if point in self._driver_of:
            standing = self._shown.get(place, ReaderDisplay.LOCKED)  # an elevator has no state to show
            shown = ReaderDisplay.LISTENING if place in self._listening else standing
            self._supervisors[self._driver_of[point]].show(point, shown)

    def readers(self) -> list[str]:
        """The doors and elevators that have a reader, by id."""
        return sorted(point.removesuffix(READER) for point in self._driver_of if point.endswith(READER))

    def light(self, point: str, granted: bool) -> None:
        """Let a reader show whether a card was granted."""
        self._supervisors[self._driver_of[point]].answer(point, granted=granted)

    def simulator(self, door: str) -> Simulator | None:
        """The simulated driver of a door, or of the controller itself; None: it has none."""
        names = {name for point, name in self._driver_of.items() if point.startswith(f"{door}.")}
        drivers = (self._supervisors[name].driver for name in sorted(names))
        return next((driver for driver in drivers if isinstance(driver, Simulator)), None)

    def extend(
        self, settings: Mapping[str, DriverSettings], opened: Mapping[str, DriverSupervisor], now_ns: int
    ) -> list[Lost]:
        """Add the new points of `settings`; `opened` are new drivers. Returns new points of drivers that are lost."""
        self._supervisors |= opened
        lost: list[Lost] = []
        for name, driver in settings.items():
            points = {point: model for point, model in driver.points.items() if point not in self._driver_of}
            self._driver_of |= dict.fromkeys(points, name)
            if points and name not in opened and (reason := self._supervisors[name].add(points)) is not None:
                lost.append(Lost(frozenset(points), reason, now_ns))
        return lost

    def close(self) -> None:
        """Bring every lock to rest (R15) and close the drivers."""
        for supervisor in self._supervisors.values():
            supervisor.close()


class SignalRouter:
    """Hands the signals of drivers to doors and elevators."""

    def __init__(self, runner: Runner, elevators: Elevators) -> None:
        """Signals of doors and readers go to `runner`, those of floors to `elevators`."""
        self._runner, self._elevators = runner, elevators

    def take(self, signal: Signal) -> None:
        """Pass on a signal of any driver."""
        if isinstance(signal, Lost | Back):
            self._runner.take(signal)
            self._elevators.take(signal)
        elif signal.point in self._elevators.points and not isinstance(signal, CardRead | KeysPressed):
            self._elevators.take(signal)
        else:
            self._runner.take(signal)
