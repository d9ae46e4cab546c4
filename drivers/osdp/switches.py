"""What a reader switches for us, kept as it should be: relays and the sounder.

One rule: whatever is not at rest is told so for a few seconds only, again and again. When the panel
dies or the cable is cut, the reader itself brings it back to rest.
"""

from __future__ import annotations

from typing import Final

from drivers.osdp import messages
from drivers.osdp.messages import OsdpCommand, OutputAction

HOLD_S: Final = 5.0
"""How long a relay stays away from rest after the last word: longer than any disturbance that is not a cut."""
RENEW_NS: Final = 2_000_000_000
"""How often it is told again: two of three words may be lost."""
BEEP_S: Final = (0.2, 0.3, 10)
"""The sounder: on, off, how often; five seconds altogether."""


class Switch:
    """Something with a state of rest, a wanted state and the state the reader accepted last."""

    def __init__(self, *, rest: bool) -> None:
        """At rest; nothing has been told."""
        self.rest = rest
        self.wanted = rest
        self.able = True
        """Whether the reader does it at all."""
        self.told: bool | None = None
        """What the reader accepted in this session; None when that is not known."""
        self._shown: bool | None = None
        self._sent = rest
        self._renew_ns = 0

    def due_ns(self) -> int | None:
        """When the reader must be told something: 0 is now, None is never."""
        if not self.able:
            return None
        if self.told is not self.wanted:
            return 0
        return self._renew_ns if self.wanted is not self.rest else None

    def order(self) -> OsdpCommand:
        """What to tell it; `accepted` or `refused` must follow before the next order."""
        self._sent = self.wanted
        return self._say(on=self.wanted)

    def accepted(self, now_ns: int) -> bool | None:
        """The reader has taken the order; returns the state it newly has, None if that is no news."""
        news = self._sent if self._shown is not self._sent else None
        self.told = self._shown = self._sent
        self._renew_ns = now_ns + RENEW_NS
        return news

    def refused(self) -> bool:
        """The reader refused the order; returns whether there is another form of it."""
        self.able = False
        return False

    def forget(self) -> None:
        """A session has ended: what the reader shows now is not known."""
        self.told = None

    def lose(self) -> None:
        """The reader is lost: what was wanted is not, and it is asked afresh what it can do."""
        self.wanted, self.able, self._shown = self.rest, True, None

    def _say(self, *, on: bool) -> OsdpCommand:
        raise NotImplementedError


class Relay(Switch):
    """An output of the reader. Timed operation resumes what was said for good, so that is said first."""

    def __init__(self, number: int, *, rest: bool) -> None:
        """`number` from 0; `rest` is whether it is on while nobody says otherwise."""
        super().__init__(rest=rest)
        self.number = number
        self.timed = True
        """Whether the reader can time its outputs (PDCAP function 2, level 3 or 4)."""
        self._founded = False
        self._founding = False

    def order(self) -> OsdpCommand:
        """Rest for good (a timed state may go on meanwhile), then the wanted state for a while."""
        self._founding = self.wanted is not self.rest and self.timed and not self._founded
        if self._founding:
            return messages.output(self.number, OutputAction.ON_LATER if self.rest else OutputAction.OFF_LATER)
        return super().order()

    def accepted(self, now_ns: int) -> bool | None:
        """As for every switch; the first word for good is no news."""
        if self._founding:
            self._founding, self._founded = False, True
            return None
        self._founded = self._founded or self._sent is self.rest
        return super().accepted(now_ns)

    def refused(self) -> bool:
        """A reader that cannot time is told for good; then only we can bring it back to rest."""
        self.able, self.timed = self.timed, False
        return self.able

    def forget(self) -> None:
        """Also what was said for good: the reader may have lost its power."""
        super().forget()
        self._founded = self._founding = False

    def _say(self, *, on: bool) -> OsdpCommand:
        if on is self.rest or not self.timed:
            return messages.output(self.number, OutputAction.ON if on else OutputAction.OFF)
        return messages.output(self.number, OutputAction.ON_TIMED if on else OutputAction.OFF_TIMED, HOLD_S)


class Sounder(Switch):
    """The reader's own sounder; silent at rest."""

    def __init__(self, reader: int = 0) -> None:
        """`reader` from 0: a device may carry two."""
        super().__init__(rest=False)
        self.reader = reader

    def _say(self, *, on: bool) -> OsdpCommand:
        return messages.sound(self.reader, *BEEP_S) if on else messages.silence(self.reader)
