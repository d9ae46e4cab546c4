"""The switches of a reader, kept in their wanted states: relays and the sounder.

One rule: a state other than rest is ordered for a few seconds only, again and again. When the panel
dies or the cable is cut, the reader itself brings the switch back to rest.
"""

from __future__ import annotations

from typing import Final

from drivers.osdp import messages
from drivers.osdp.messages import OsdpCommand, OutputAction

HOLD_S: Final = 5.0
"""How long a relay stays away from rest after the last order: longer than any disturbance that is not a cut."""
RENEW_NS: Final = 2_000_000_000
"""How often the order is repeated: two of three may be lost."""
BEEP_S: Final = (0.2, 0.3, 10)
"""The sounder: on, off, how often; five seconds altogether."""


class Switch:
    """An output with a resting state, a wanted state, and the state that the reader accepted last."""

    def __init__(self, *, rest: bool) -> None:
        """At rest is wanted; nothing has been ordered yet."""
        self.rest = rest
        self.wanted = rest
        self.able = True
        """Whether the reader can switch it at all."""
        self.told: bool | None = None
        """The state that the reader has accepted in this session; None when that is not known."""
        self._shown: bool | None = None
        self._sent = rest
        self._renew_ns = 0

    def due_ns(self) -> int | None:
        """When the next order is due: 0 is now, None is never."""
        if not self.able:
            return None
        if self.told is not self.wanted:
            return 0
        return self._renew_ns if self.wanted is not self.rest else None

    def order(self) -> OsdpCommand:
        """The next order; `accepted` or `refused` must follow before the next one."""
        self._sent = self.wanted
        return self._say(on=self.wanted)

    def accepted(self, now_ns: int) -> bool | None:
        """The reader has accepted the order. Returns its new state, or None if the state is not new."""
        news = self._sent if self._shown is not self._sent else None
        self.told = self._shown = self._sent
        self._renew_ns = now_ns + RENEW_NS
        return news

    def refused(self) -> bool:
        """The reader refused the order. Returns whether there is another form of it."""
        self.able = False
        return False

    def forget(self) -> None:
        """A session has ended: the state at the reader is not known now."""
        self.told = None

    def lose(self) -> None:
        """The reader is lost: rest is wanted again, and what the reader can do is found out again."""
        self.wanted, self.able, self._shown = self.rest, True, None

    def _say(self, *, on: bool) -> OsdpCommand:
        raise NotImplementedError


class Relay(Switch):
    """An output of the reader. After a timed state it returns to its permanent state, so that is ordered first."""

    def __init__(self, number: int, *, rest: bool) -> None:
        """`number` from 0; `rest` is whether it is on at rest."""
        super().__init__(rest=rest)
        self.number = number
        self.timed = True
        """Whether the reader can time its outputs (PDCAP function 2, level 3 or 4)."""
        self._founded = False
        self._founding = False

    def order(self) -> OsdpCommand:
        """Order rest permanently (a timed state may go on meanwhile), then the wanted state for a time."""
        self._founding = self.wanted is not self.rest and self.timed and not self._founded
        if self._founding:
            return messages.output(self.number, OutputAction.ON_LATER if self.rest else OutputAction.OFF_LATER)
        return super().order()

    def accepted(self, now_ns: int) -> bool | None:
        """As for every switch; the first order, of the permanent state, is not a new state."""
        if self._founding:
            self._founding, self._founded = False, True
            return None
        self._founded = self._founded or self._sent is self.rest
        return super().accepted(now_ns)

    def refused(self) -> bool:
        """A reader that cannot time its outputs gets permanent orders; then only doord can bring it back to rest."""
        self.able, self.timed = self.timed, False
        return self.able

    def forget(self) -> None:
        """Forget also the permanent state: the reader may have lost its power."""
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
