"""The modes of a door, and what changes them: the transition table.

One rule: the table is data; `edge.doors.rules` looks verdicts up here, and a test runs every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Mode(StrEnum):
    """How a door answers cards, exit requests and commands."""

    LOCKED = "locked"
    ACCESSED = "accessed"
    UNLOCKED = "unlocked"
    BLOCKED = "blocked"
    LOCKED_DOWN = "locked_down"
    LOCKED_OPEN = "locked_open"


class Trigger(StrEnum):
    """What can change a mode."""

    ACCESS = "access granted"
    UNLOCK = "operator unlock"
    REX = "exit request"
    HOLD = "hold_unlocked"
    LOCK = "lock"
    BLOCK = "block"
    UNBLOCK = "unblock"
    LOCK_DOWN = "lock_down"
    CANCEL = "cancel_lockdown"
    RELEASE = "release input on"
    RELEASE_OFF = "release input off"
    ACCESS_OVER = "access over"


@dataclass(frozen=True, slots=True)
class NewMode:
    """The trigger is obeyed; if no higher layer is active, the door is then in this mode."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class RefusedByMode:
    """The trigger is refused; the record carries this code."""

    code: str


RECORDED: Final = None
"""The trigger is granted and recorded, and changes nothing."""

Verdict = NewMode | RefusedByMode | None


def _table() -> dict[tuple[Mode, Trigger], Verdict]:
    locked, accessed, unlocked, blocked, down, released = (NewMode(m) for m in Mode)
    no_block, no_down = RefusedByMode("blocked"), RefusedByMode("locked_down")
    t = Trigger
    rows: dict[Trigger, tuple[Verdict, ...]] = {
        #               locked    accessed  unlocked  blocked   locked_down  locked_open
        t.ACCESS: (accessed, accessed, RECORDED, no_block, no_down, RECORDED),
        t.UNLOCK: (accessed, accessed, RECORDED, accessed, no_down, RECORDED),
        t.REX: (accessed, accessed, RECORDED, accessed, down, RECORDED),
        t.HOLD: (unlocked, unlocked, RECORDED, unlocked, no_down, released),
        t.LOCK: (locked, locked, locked, blocked, down, released),
        t.BLOCK: (blocked, blocked, blocked, RECORDED, down, released),
        t.UNBLOCK: (RECORDED, RECORDED, RECORDED, locked, down, released),
        t.LOCK_DOWN: (down, down, down, down, RECORDED, released),
        t.CANCEL: (RECORDED, RECORDED, RECORDED, RECORDED, locked, released),
        t.RELEASE: (released, released, released, released, released, RECORDED),
        t.RELEASE_OFF: (RECORDED, RECORDED, RECORDED, RECORDED, RECORDED, locked),
        t.ACCESS_OVER: (RECORDED, locked, RECORDED, RECORDED, RECORDED, RECORDED),
    }
    return {(mode, trigger): row[i] for trigger, row in rows.items() for i, mode in enumerate(Mode)}


TRANSITIONS: Final = _table()
"""Every mode and trigger. In `locked_open` the lower layers change and come back later (R13); in
`locked_down` an exit request releases the lock but the mode stays until it is cancelled (R7, R10)."""

STANDS_OPEN: Final = frozenset({Mode.UNLOCKED, Mode.LOCKED_OPEN})
"""Modes that release until they are ended, in which no new alarm arises (R5, R12)."""
