"""Keeps who waits for a card to enrol, ends it after a minute, and lets the readers show that they listen.

One rule: nothing of it is stored. A restart ends every enrolment.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge.access.enrolment.listening import (
    WITHIN_NS,
    Enrolment,
    ShownCard,
    begun,
    ended,
    expired,
    listening_places,
    next_deadline,
    offered,
)
from edge.model.messages import NS_PER_S
from edge.system.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from edge.access.credentials import Presented
    from edge.access.enrolment.listening import Listening
    from edge.directory.directory import Directory
    from edge.model.messages import Actor
    from edge.system.clock import Clock


class Enrolments:
    """The enrolments of one controller. Every method is called on the loop and returns at once."""

    def __init__(
        self, clock: Clock, readers: Callable[[], Iterable[str]], listen: Callable[[frozenset[str]], None]
    ) -> None:
        """`readers` are the doors and elevators that have one; at those of `listen` the readers show that they do."""
        self._clock, self._readers, self._listen = clock, readers, listen
        self._listening: Listening = ()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, actor: Actor, reader: str | None) -> Enrolment:
        """Wait for the next card that nobody has, at the reader of this door or elevator, or at any.

        Raises OccupiedError when somebody else does there.
        """
        until_ns = self._clock.now_ns() + WITHIN_NS
        new = Enrolment(actor, reader, until_ns, Calendar(self._clock).at(until_ns))
        self._now(begun(self._up_to_now(), new))
        return new

    def end(self, actor: Actor) -> Enrolment | None:
        """End the enrolment of this actor; returns it."""
        self._now(ended(self._up_to_now(), actor.id))
        return self.of(actor)

    def of(self, actor: Actor) -> Enrolment | None:
        """What this actor waits for or has got; None when they never began, or doord has forgotten it."""
        return next((one for one in self._up_to_now() if one.actor.id == actor.id), None)

    def offer(
        self, directory: Directory, place: str, seen: Presented, at_ns: int, known: datetime | None = None
    ) -> bool:
        """Offer a card that was shown at this door or elevator. True: somebody waited for it, and nobody has it.

        `known`: it is not earlier. The card of a visitor whose time is over is nobody's.
        """
        if seen.card is None or seen.pin is not None or not self._listening:
            return False
        card = directory.card(seen.card)
        member = None if card is None else directory.holder(card.id)
        holder = None if member is None or member.has_left(known) else directory.user_of(member).name
        shown = ShownCard(seen.card, place, Calendar(self._clock).at(at_ns), None if card is None else card.id, holder)
        listening, taken = offered(self._up_to_now(), shown)
        self._now(listening)
        return taken

    def stop(self) -> None:
        """Stop: nobody waits any more."""
        self._now(())

    def _up_to_now(self) -> Listening:
        """A card that comes just after the time is over is not taken, even before the timer has noticed."""
        return expired(self._listening, self._clock.now_ns())

    def _now(self, listening: Listening) -> None:
        if listening == self._listening:
            return
        readers = [*self._readers()]
        before, places = (listening_places(one, readers) for one in (self._listening, listening))
        self._listening = listening
        if places != before:
            self._listen(places)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ns = next_deadline(listening)
        if due_ns is not None:
            delay_s = max(0, due_ns - self._clock.now_ns()) / NS_PER_S
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._due)

    def _due(self) -> None:
        self._timer = None
        listening = self._up_to_now()
        self._now(listening)
        if self._timer is None and next_deadline(listening) is not None:  # the timer came a little early
            self._timer = asyncio.get_running_loop().call_later(0.01, self._due)
