"""How one door shall behave: what its installer chose, as the rules read it.

One rule: a policy is a frozen value that `edge.config.reading` has checked; except for tests nothing else makes
one. So the ranges are here once, next to the defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Relock(StrEnum):
    """What locks the door again after an access; the timer is always the fallback (R3)."""

    OPEN = "open"
    CLOSE = "close"
    TIMER = "timer"
    CLOSED = "closed"
    """Like `CLOSE`, and never before the door is closed: for bolts, which must not come out while it is open."""


class HeldOpenFrom(StrEnum):
    """Where the held-open count starts: at the latest unlock or at the opening (R5)."""

    UNLOCK = "unlock"
    OPEN = "open"


UNLOCK_S: Final = (0.5, 600.0)
RELOCK_DELAY_S: Final = (0.0, 600.0)
HELD_OPEN_S: Final = (3.0, 600.0)
REX_SHUNT_S: Final = (0.5, 600.0)
REX_GRACE_MS: Final = (0, 5000)
REX_LEVEL_S: Final = (0.0, 600.0)
HOLD_S: Final = (1.0, 366 * 86_400.0)
"""How long a hold may last that ends by itself."""
DEBOUNCE_MS: Final = (0, 300)
INSTABILITY_MS: Final = (1, 60_000)


@dataclass(frozen=True, slots=True)
class Timing:
    """How one input is debounced (R17)."""

    debounce_ms: int = 30
    """How long a level must stand before it counts."""
    instability_ms: int = 1000
    """How long an input may be restless before it is called unstable; at least `debounce_ms`."""


@dataclass(frozen=True, slots=True)
class DoorPolicy:
    """The settings of one door. Ranges are the constants above; `edge.config.reading` enforces them."""

    unlock_s: float = 5.0
    """How long an access releases the lock (R1)."""
    relock: Relock = Relock.CLOSE
    relock_delay_s: float = 0.0
    """How long after the opening the lock locks when `relock` is `open` (R3)."""
    held_open_s: float = 30.0
    """How long an authorised opening may last before the alarm (R5)."""
    held_open_from: HeldOpenFrom = HeldOpenFrom.UNLOCK
    held_open_warning_s: float = 0.0
    """How long before the held-open alarm the warning starts; 0 is no warning; below `held_open_s`."""
    rex_unlocks: bool = True
    """A request to exit unlocks; without it, it only shunts the forced-open alarm (R7)."""
    rex_shunt_s: float = 5.0
    """How long after a request to exit an opening is authorised (R7)."""
    rex_grace_ms: int = 0
    """How long after an opening a request to exit still authorises it (R7)."""
    rex_level_s: float = 0.0
    """How long at most a request to exit goes on while its input stays active, as a motion sensor's does; 0: an edge
    counts, not a level (R7)."""
    rex_settle_ms: int = 0
    """How long a button that was pressed in time may take to settle; until then an opening is not called forced."""
    rex_in_lockdown: bool = True
    """A request to exit works while locked down or blocked too: life safety first (R7)."""
    rex_in_interlock: bool = True
    """A request to exit works while another door of the interlock group is open (R7, R18)."""
    debounce_ms: int = 30
    """How long the contact must stand before it counts (R17)."""
    instability_ms: int = 1000
    """How long the contact may be restless before it is called unstable (R17); at least `debounce_ms`."""
    has_contact: bool = True
    """Without a contact nothing is known of openings: no forced open, no held open."""
    interlock: str | None = None
    """The name of the door's interlock group (R18)."""
