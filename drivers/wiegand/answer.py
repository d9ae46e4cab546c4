"""Shows an answer at a reader: its light, or three short tones, with timers of the loop.

One rule: a newer answer ends the older one. After an answer the light is on while the door stands
unlocked, or blinks while the reader listens, and everything else is off.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.wiegand.points import Reader

GREEN_S: Final = 1.0
"""How long the light is on when a card is granted."""
TONES_S: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""When the beeper goes on, off, on ... when a card is refused."""
BLINK_S: Final = 0.2
"""The light is on and off for as long while the reader listens for a card to enrol."""


class ReaderLights:
    """The light and the beeper of one reader."""

    def __init__(self, model: Reader, switch: Callable[[int, bool], None]) -> None:
        """`switch` switches a line on or off. Its OSError is ignored: the driver reports the loss of the line."""
        self._model = model
        self._switch = switch
        self._timers: list[asyncio.TimerHandle] = []
        self._stands = False
        self._blinking: asyncio.TimerHandle | None = None

    def show(self, *, granted: bool) -> None:
        """Begin to show an answer; needs a running loop. Never raises when the line is lost."""
        self.rest()
        line = self._model.led if granted else self._model.beeper
        if line is None:
            return
        loop = asyncio.get_running_loop()
        for turn, at_s in enumerate((0.0, GREEN_S) if granted else TONES_S):
            on = turn % 2 == 0
            if at_s:
                self._timers.append(loop.call_later(at_s, self._put, line, on))
            else:
                self._put(line, on)

    def stand(self, *, on: bool, blinking: bool = False) -> None:
        """Keep the light on, or not, or let it blink, whenever no answer is shown."""
        self._still()
        if blinking:
            self._blink()
        else:
            self._stand(on)

    def _blink(self) -> None:
        self._blinking = asyncio.get_running_loop().call_later(BLINK_S, self._blink)
        self._stand(not self._stands)

    def _still(self) -> None:
        if self._blinking is not None:
            self._blinking.cancel()
            self._blinking = None

    def _stand(self, on: bool) -> None:
        self._stands = on
        now_s = asyncio.get_running_loop().time()
        if self._model.led is not None and all(timer.when() <= now_s for timer in self._timers):
            self._put(self._model.led, on)

    def off(self) -> None:
        """Switch everything off, also the light of an unlocked door."""
        self._still()
        self._stands = False
        self.rest()

    def rest(self) -> None:
        """End the answer that is shown."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []
        for line in self._model.outputs:
            self._put(line, on=False)

    def _put(self, line: int, on: bool) -> None:
        with suppress(OSError):
            self._switch(line, on or (self._stands and line == self._model.led))
