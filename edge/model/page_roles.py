"""The roles of accounts of the local page, and what each may do there.

One rule: the page offers and doord answers by this one table, so that neither allows what the other does not.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class PageRole(StrEnum):
    """What an account is for."""

    DISPLAY = "display"
    VIEWER = "viewer"
    RECEPTION = "reception"
    OPERATOR = "operator"
    MANAGER = "manager"


class Right(StrEnum):
    """Something that a role may do."""

    DOORS = "doors"
    """See the doors."""
    HISTORY = "history"
    """See events, activity, health, groups, schedules and who may pass; download."""
    UNLOCK = "unlock"
    """Unlock for a moment, and lock."""
    HOLD = "hold"
    """Hold doors unlocked, block them, and end that."""
    LOCK_DOWN = "lock_down"
    """Lock down, and cancel a lockdown."""
    TAKE = "take"
    """Take an alert: say that one deals with it."""
    PEOPLE = "people"
    """See and change people, their cards and visitors."""
    DIRECTORY = "directory"
    """Change groups and schedules."""
    ACCOUNTS = "accounts"
    """Add, change and remove accounts of the page."""


_LOOKS: Final = frozenset({Right.DOORS, Right.HISTORY})
RIGHTS: Final[Mapping[PageRole, frozenset[Right]]] = {
    PageRole.DISPLAY: frozenset({Right.DOORS}),
    PageRole.VIEWER: _LOOKS,
    PageRole.RECEPTION: _LOOKS | {Right.UNLOCK, Right.TAKE, Right.PEOPLE},
    PageRole.OPERATOR: _LOOKS | {Right.UNLOCK, Right.HOLD, Right.LOCK_DOWN, Right.TAKE},
    PageRole.MANAGER: frozenset(Right),
}

COMMANDS: Final[Mapping[str, Right]] = {
    "unlock": Right.UNLOCK,
    "lock": Right.UNLOCK,
    "hold_unlocked": Right.HOLD,
    "block": Right.HOLD,
    "unblock": Right.HOLD,
    "lock_down": Right.LOCK_DOWN,
    "cancel_lockdown": Right.LOCK_DOWN,
}
"""Commands at a door that the page offers, with the right that each needs."""
FOR_ALL: Final = frozenset({"lock_down", "cancel_lockdown"})
"""Those that it offers for every door at once, too."""


def rights_of(role: str) -> frozenset[Right]:
    """What a role may do; nothing for a role that there is not."""
    return RIGHTS[PageRole(role)] if role in PageRole.__members__.values() else frozenset()
