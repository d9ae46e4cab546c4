"""What happens in one run: settings and a list of things that are done at their times, drawn from one seed.

A plan is plain JSON: a part of it can be left out, and it can be kept.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

LASTS_S: Final = 60.0
DOORS: Final = ("front", "back")
RELOCKS: Final = ("close", "open", "timer", "closed")
HANDS: Final = ("open", "close", "rex", "glitch", "storm", "walk")
ORDERS: Final = ("order", "again", "other", "retained", "expired", "garbage")
COMMANDS: Final = ("unlock", "hold_unlocked", "lock", "lock_down", "cancel_lockdown", "block", "unblock")


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    settings: dict[str, Any]
    actions: list[list[Any]]
    """Each: the time in seconds, the name of what is done, what it takes."""

    def only(self, kept: Sequence[int]) -> Plan:
        """The same run without the other actions."""
        return Plan(self.seed, self.settings, [self.actions[number] for number in kept])

    def text(self) -> str:
        head = json.dumps({"seed": self.seed, "settings": self.settings})[:-1]
        return head + ', "actions": [\n' + ",\n".join(json.dumps(action) for action in self.actions) + "\n]}\n"

    @classmethod
    def read(cls, text: str) -> Plan:
        return cls(**json.loads(text))


def drawn(seed: int) -> Plan:
    """The plan of a seed."""
    chance = random.Random(f"simulation {seed}")
    settings: dict[str, Any] = {
        "relock": chance.choice(RELOCKS),
        "unlock_s": chance.choice([0.5, 3.0, 5.0]),
        **chance.choice(
            [
                {"debounce_ms": 0, "bounce_ms": 0},
                *({"debounce_ms": d, "bounce_ms": b} for d in (30, 100) for b in (0, 20)),
            ]
        ),
        "ack": chance.choice(["broker", "application"]),
        "window": chance.choice([1, 20, 100]),
        "interlock": chance.random() < 0.25,
    }
    kinds = [
        (_hand, range(10, 41)),
        (_asked, range(2, 15)),
        (_crash, (0, 1, 1, 2, 3)),
        (_disk, (0, 0, 1, 2)),
        (_clock, (0, 0, 1, 2)),
        (_net, (0, 0, 1, 2, 4)),
    ]
    actions = [[_when(chance), *kind(chance)] for kind, numbers in kinds for _ in range(chance.choice(numbers))]
    actions += _orders(chance)
    return Plan(seed, settings, sorted(actions, key=lambda action: float(action[0])))


def _when(chance: random.Random) -> float:
    """Often together with other things: within a second of a multiple of ten."""
    if chance.random() < 0.4:
        return round(chance.randrange(1, 6) * 10 + chance.random(), 3)
    return round(chance.uniform(0.0, LASTS_S), 3)


def _hand(chance: random.Random) -> list[Any]:
    return [chance.choices(HANDS, [4, 4, 3, 1, 0.3, 3])[0], chance.choice(DOORS)]


def _orders(chance: random.Random) -> list[list[Any]]:
    """Commands over MQTT: when, in which way, the number of the id, for which doors, what and for how long."""
    orders: list[list[Any]] = []
    for number in range(chance.choice((0, 2, 4, 8))):
        kind = chance.choices(ORDERS, [6, 5, 1, 1, 1, 1])[0]
        if kind in {"again", "other"} and orders:
            _, *before = chance.choice(orders)
            again = before if kind == "again" else [before[0], before[1], *_said(chance)]
            orders.append([_when(chance), *again])
        else:
            orders.append([_when(chance), "order" if kind in {"again", "other"} else kind, number, *_said(chance)])
    return [[at_s, "order", *rest] for at_s, *rest in orders]


def _said(chance: random.Random) -> list[Any]:
    _, _, command, for_s = _asked(chance)
    return [chance.choice([*DOORS, "all"]), command, for_s]


def _asked(chance: random.Random) -> list[Any]:
    command = chance.choices(COMMANDS, [6, 2, 2, 3, 3, 1, 1])[0]
    for_s = chance.choice([None, 1.0, 20.0]) if command in {"unlock", "hold_unlocked"} else None
    return ["ask", chance.choice(DOORS), command, for_s]


def _crash(chance: random.Random) -> list[Any]:
    """Where it dies, how far from now, for how long it is down, whether it boots, what becomes of the log."""
    where = chance.choices(["turn", "before", "after", "torn", "stop"], [4, 3, 2, 2, 2])[0]
    then = chance.choices(["as it was", "older", "damaged"], [10, 1, 1])[0]
    return ["crash", where, chance.randrange(1, 60), chance.choice([0.2, 2.0, 8.0]), chance.random() < 0.4, then]


def _disk(chance: random.Random) -> list[Any]:
    return [
        "disk",
        chance.choice(["full", "error", "read_only", "stall", "late"]),
        chance.choice([0.05, 1.0, 3.0, 12.0]),
    ]


def _net(chance: random.Random) -> list[Any]:
    kinds = ["cut", "away", "silent", "refuses", "forgets"]
    return ["net", chance.choice(kinds), chance.choice([0.1, 2.0, 15.0])]


def _clock(chance: random.Random) -> list[Any]:
    step_s = chance.choice([-86_400.0, -3.0, 0.5, 3.0, 86_400.0, 0.0])
    return ["clock", step_s, chance.choice(["synced", "unsynced", "rtc"])]
