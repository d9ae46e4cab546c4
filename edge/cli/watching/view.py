"""What is watched: doors, the last events, the chosen door, and what a key makes of them.

One rule: pure. A key that acts on a door names the door that was chosen when it was pressed, and asks first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.cli.status import kind as status_kind
from edge.client.conditions import conditions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.cli.terminal import Kind
    from edge.model.published.doors import DoorJson
    from edge.model.published.status import StatusJson

REMEMBERED: Final = 200
HISTORY: Final = 200
"""Events of a door that are fetched for its list."""
PAGE: Final = 10
COMMANDS: Final = {"u": "unlock", "l": "lock", "h": "hold_unlocked", "d": "lock_down"}
QUESTIONS: Final = {
    "unlock": "unlock {}?",
    "lock": "lock {}?",
    "hold_unlocked": "hold {} unlocked until further notice?",
    "lock_down": "lock down {}?",
}
MOVES: Final = {"up": -1, "down": 1, "page up": -PAGE, "page down": PAGE, "home": -1_000_000, "end": 1_000_000}


class Showing(Enum):
    """What the screen shows."""

    DOORS = "doors"
    DOOR = "door"
    EVENTS = "events"
    HELP = "help"


class KeyRequest(NamedTuple):
    """A request that a key makes."""

    op: str
    body: dict[str, Any]
    about: str
    """The name of the door."""


class Shown(NamedTuple):
    """What there is to show at one moment."""

    status: StatusJson | None
    records: tuple[dict[str, Any], ...]


@dataclass
class View:
    """Everything that the screen depends on. Times in seconds are of a clock that only goes forward."""

    status: StatusJson | None = None
    came_s: float = 0.0
    """When the status came."""
    records: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    trouble: str | None = None
    """Why the daemon cannot be asked."""
    mode: Showing = Showing.DOORS
    chosen: str | None = None
    """The id of a door."""
    filter: str = ""
    typing: bool = False
    """The filter is being typed."""
    asking: KeyRequest | None = None
    """What is done after a yes."""
    said: str = ""
    """What came of the last key."""
    history: Sequence[dict[str, Any]] = ()
    """The events of the chosen door, the newest first."""
    offset: int = 0
    """How many of them are above the screen."""
    held: Shown | None = None
    """What a pause shows."""
    missed: int = 0
    """Records since the pause began."""

    @property
    def now(self) -> Shown:
        """What is shown: of a pause, what there was when it began."""
        return self.held or Shown(self.status, tuple(self.records))

    def took(self, item: dict[str, Any], now_s: float) -> None:
        """An item of the stream."""
        self.trouble = None
        if "status" in item:
            self.status, self.came_s = item["status"], now_s
        if "record" in item:
            self.records.append(item["record"])
            self.missed += 1

    def passed_s(self, now_s: float) -> float:
        """Seconds since the status that is shown; in a pause none pass."""
        return 0.0 if self.held else max(0.0, now_s - self.came_s)

    def doors(self) -> list[tuple[str, DoorJson]]:
        """The doors that the filter lets through; those first that need somebody."""
        status = self.now.status
        doors = status["doors"].items() if status else ()
        return sorted((pair for pair in doors if self._fits(*pair)), key=lambda pair: rank(pair[1]))

    def door(self) -> tuple[str, DoorJson] | None:
        """The chosen door, if it is still there and not hidden by the filter."""
        return next((pair for pair in self.doors() if pair[0] == self.chosen), None)

    def _fits(self, key: str, door: DoorJson) -> bool:
        about = " ".join([key, door["name"], door["mode"], door["contact"], *(c["message"] for c in conditions(door))])
        about = f"{about} {door.get('zone') or ''}".replace("_", " ").casefold()
        return all(word in about for word in self.filter.casefold().split())

    # --- keys ---------------------------------------------------------------------------------------

    def pressed(self, key: str) -> KeyRequest | None:
        """What a key does: changes the view, or returns what to ask the daemon."""
        self.said = ""
        if self.asking:
            ask, self.asking = self.asking, None
            if key in {"y", "Y"}:
                return ask
            self.said = "nothing was done"
        elif self.typing:
            self._typed(key)
        elif key in MOVES:
            self._move(MOVES[key])
        elif key in {"escape", "left"}:
            self.mode = Showing.DOOR if self.mode is Showing.EVENTS and self.door() else Showing.DOORS
        elif key == "?":
            self.mode = Showing.DOORS if self.mode is Showing.HELP else Showing.HELP
        elif key == "p":
            self.held, self.missed = (None if self.held else self.now), 0
        elif key == "/":
            self.mode, self.typing = Showing.DOORS, True
        else:
            return self._act(key)
        return None

    def _typed(self, key: str) -> None:
        if key == "escape":
            self.filter, self.typing = "", False
        elif key == "enter":
            self.typing = False
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif len(key) == 1:
            self.filter += key

    def _move(self, steps: int) -> None:
        if self.mode is Showing.EVENTS:
            self.offset = max(0, min(len(self.history) - 1, self.offset + steps))
            return
        keys = [key for key, _ in self.doors()]
        if keys:
            begin = -1 if steps > 0 else len(keys)
            at = keys.index(self.chosen) if self.chosen in keys else begin if abs(steps) == 1 else 0
            self.chosen = keys[max(0, min(len(keys) - 1, at + steps))]

    def _act(self, key: str) -> KeyRequest | None:
        if key not in {*COMMANDS, "a", "e", "enter", "right"}:
            return None
        if (found := self.door()) is None:
            self.said = "choose a door first, with the arrows"
            return None
        door, facts = found
        name = facts["name"]
        if key in {"enter", "right"}:
            self.mode = Showing.DOOR
        elif key == "e":
            self.mode, self.history, self.offset = Showing.EVENTS, (), 0
            return KeyRequest("events", {"door": [door], "newest": True, "limit": HISTORY}, name)
        elif key == "a":
            status = self.now.status
            alerts = [one for one in (status["alerts"]["open"] if status else ()) if one["door"] == door]
            if alerts:
                return KeyRequest("acknowledge", {"alert": alerts[0]["alert"]}, name)
            self.said = f"{name}: no alert is open"
        else:
            self.asking = KeyRequest("command", {"command": COMMANDS[key], "door": door}, name)
        return None

    def answered(self, ask: KeyRequest, answer: dict[str, Any] | str) -> None:
        """What came of a request: its result, or the sentence of a refusal."""
        if isinstance(answer, str):
            self.said = f"{ask.about}: {answer}"
        elif ask.op == "events":
            self.history = answer["records"]
        elif ask.op == "acknowledge":
            self.said = f"{ask.about}: {answer['alert']} is acknowledged"
        else:
            self.said = "; ".join(f"{ask.about}: {told(ask, one)}" for one in answer["outcomes"].values())


def told(ask: KeyRequest, outcome: dict[str, Any]) -> str:
    """What came of a command to a door, in words."""
    from edge.cli.doors import DONE  # noqa: PLC0415 -- most of the time nobody presses a key

    return str(outcome["message"] or DONE[ask.body["command"]])


def question(ask: KeyRequest) -> str:
    """What is asked before it is done."""
    return f"{QUESTIONS[ask.body['command']].format(ask.about)} y/N"


def kind(door: DoorJson) -> Kind:
    """How a door is shown: as in the status, and `open` if that says nothing of it."""
    is_open = door["contact"] == "open" or door["lock"] == "unlocked"
    return status_kind(door) or ("open" if is_open else "")


def rank(door: DoorJson) -> int:
    """Its place among the doors: what needs somebody comes first."""
    return ("alarm", "warning", "open", "").index(kind(door))
