"""One door under test: items in, event types out, time moved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.doors.rules import next_deadline, step
from edge.doors.state import Door
from edge.model.messages import (
    NS_PER_S,
    Actor,
    Command,
    CommandName,
    ContactMoved,
    Event,
    Item,
    ReleaseInput,
    RexPressed,
)
from edge.model.policy import DoorPolicy, HeldOpenFrom, Relock

if TYPE_CHECKING:
    from collections.abc import Sequence

USER = Actor("user", "u1", "Ada", "ada@example.org")
OPERATOR = Actor("operator", "o1", "Otto")


class Bench:
    """`now_s` starts at 100; every method answers with the types of the events it caused."""

    def __init__(self, **policy: Any) -> None:
        for key, kind in (("relock", Relock), ("held_open_from", HeldOpenFrom)):
            if key in policy:
                policy[key] = kind(policy[key])
        self.policy = DoorPolicy(**policy)
        self.door = Door("front", "Front door", "run")
        self.now_s = 100.0
        self.events: list[Event] = []
        self.close()

    @property
    def now_ns(self) -> int:
        return round(self.now_s * NS_PER_S)

    def give(self, item: Item | None) -> list[str]:
        self.door, events = step(self.door, self.policy, item, self.now_ns)
        self.events += events
        return [event.type for event in events]

    def ask(self, name: str, actor: Actor = OPERATOR, for_s: float | None = None) -> list[str]:
        return self.give(Command("c1", CommandName(name), actor, self.now_ns, for_s))

    def unlock(self, actor: Actor = USER, for_s: float | None = None) -> list[str]:
        return self.ask("unlock", actor, for_s)

    def open(self, ago_s: float = 0.0) -> list[str]:
        return self.give(ContactMoved(True, self.now_ns - round(ago_s * NS_PER_S)))

    def close(self, ago_s: float = 0.0) -> list[str]:
        return self.give(ContactMoved(False, self.now_ns - round(ago_s * NS_PER_S)))

    def rex(self, ago_s: float = 0.0) -> list[str]:
        return self.give(RexPressed(self.now_ns - round(ago_s * NS_PER_S)))

    def release(self, asserted: bool) -> list[str]:
        return self.give(ReleaseInput(asserted, self.now_ns))

    def wait(self, seconds: float) -> list[str]:
        """Pass time as the runner does: wake at every deadline."""
        until_s, seen = self.now_s + seconds, []
        while (due_ns := next_deadline(self.door, self.policy)) is not None and due_ns <= until_s * NS_PER_S:
            self.now_s = max(self.now_s, due_ns / NS_PER_S)
            seen += self.give(None)
        self.now_s = until_s
        return seen + self.give(None)

    def last(self, event_type: str) -> Event:
        return next(event for event in reversed(self.events) if event.type == event_type)

    @property
    def types(self) -> Sequence[str]:
        return [event.type for event in self.events]
