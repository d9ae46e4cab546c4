"""What is really so at one door, and what may be: a naive second reading of the contract's section 2."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

SLACK_S: Final = 0.15
"""A debounced edge and a relay take a moment."""
SETTLES_S: Final = 1.5
"""A closing after a storm is believed after so long."""
FOR_EVER: Final = float("inf")
ENDS: Final = {
    "lock": frozenset({"unlock", "hold"}),
    "lock_down": frozenset({"unlock"}),  # a hold comes back when it is cancelled
    "block": frozenset({"hold"}),  # an operator's pulse goes on for its time
}
"""Command -> what it certainly ends."""
EXITS: Final = frozenset({"rex", "release"})


@dataclass(slots=True)
class Permission:
    """Somebody or something may release the lock."""

    kind: str
    from_s: float
    until_s: float


@dataclass(slots=True)
class DoorTruth:
    """One door over all lives of its controller."""

    name: str
    moves: list[tuple[float, bool]] = field(default_factory=list)
    """When the leaf moved, and whether it was open then."""
    unquiet: list[tuple[float, float]] = field(default_factory=list)
    """When its contact stormed: nothing is said of openings then."""
    permissions: list[Permission] = field(default_factory=list)
    held: bool = False
    """A hold has been said at some time."""
    unsure: bool = False
    """Something was said last of which it is not certain that a restart knows it."""
    down: list[list[float]] = field(default_factory=list)
    """From when until when it was certainly locked down."""
    orders: int = 0
    """How many commands were said."""
    downs: int = 0
    """How many of them were lock-downs and cancels."""

    @property
    def open(self) -> bool:
        return bool(self.moves) and self.moves[-1][1]

    @property
    def is_down(self) -> bool:
        return bool(self.down) and self.down[-1][1] == FOR_EVER

    def locked_down(self, from_s: float) -> None:
        """From now on it is certainly locked down."""
        if not self.is_down:
            self.down.append([from_s, FOR_EVER])

    def up(self, at_s: float) -> None:
        """It is not certain any more that it is locked down."""
        if self.is_down:
            self.down[-1][1] = at_s

    def permit(self, kind: str, from_s: float, until_s: float) -> Permission:
        new = Permission(kind, from_s, until_s)
        self.permissions.append(new)
        return new

    def withdraw(self, number: int, now_s: float, kinds: frozenset[str]) -> None:
        """Of the first `number` permissions, those of these kinds are over at `now_s`."""
        for permission in self.permissions[:number]:
            if permission.kind in kinds:
                permission.until_s = min(permission.until_s, now_s)

    def begin(self, at_s: float) -> None:
        """A new life: pulses do not go on, and what is not certain may come back."""
        if self.unsure and self.held:
            self.permit("hold", at_s, FOR_EVER)

    def quiet(self, from_s: float, until_s: float) -> bool:
        return not any(begun <= until_s and from_s <= ended for begun, ended in self.unquiet)

    def permits(self, at_s: float, kinds: frozenset[str]) -> bool:
        return any(one.from_s <= at_s <= one.until_s for one in self.permissions if one.kind in kinds)

    def not_permitted(self, from_s: float, until_s: float, kinds: frozenset[str] | None = None) -> float | None:
        """From when on, within this time, nothing permits a released lock; None: all of it is permitted."""
        at_s = from_s
        for permission in sorted(self.permissions, key=lambda one: one.from_s):
            if kinds is None or permission.kind in kinds:
                if permission.from_s - SLACK_S > at_s:
                    break
                at_s = max(at_s, permission.until_s + SLACK_S)
        return None if at_s >= until_s else at_s

    def seems_open(self, at_s: float) -> bool:
        """Whether the leaf was open then, had been a moment before, or its contact was restless."""
        if not self.quiet(at_s, at_s):
            return True
        ends = [at_s for at_s, _ in self.moves[1:]] + [FOR_EVER]
        return any(
            opened and moved_s <= at_s + SLACK_S and at_s < end_s + SETTLES_S
            for (moved_s, opened), end_s in zip(self.moves, ends, strict=False)
        )
