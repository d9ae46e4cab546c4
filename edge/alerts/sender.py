"""Sends the messages about alerts: a task for each channel that has something to send.

One rule: a message that is refused for its content or its recipients holds up no other. While
a channel takes nothing at all, its messages keep their order.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edge.alerts import rules
from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.delivery.sink import pause_s
from edge.model.event_types import INTEGRATION_WARN_DUE_TO_ERROR
from edge.model.messages import NS_PER_S, SYSTEM, Event, Subject

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from edge.alerts.channels import Channels
    from edge.alerts.state import AlertState, Notice
    from edge.model.cloudevents import Identity
    from edge.model.messages import Json
    from edge.settings.alert_policies import Policies
    from edge.system.clock import Clock

LOG: Final = logging.getLogger(__name__)
REFUSED_S: Final = (10.0, 3_600.0)
"""Bounds of the pause between tries of a refused message: somebody has to correct something first."""
MOST_REFUSALS: Final = 24
"""A message is given up after so many permanent refusals, in some eight hours: a server may block a client that
keeps writing to unknown recipients."""


class NoticeQueue(Protocol):
    """What the sender needs from the runner."""

    state: AlertState
    policies: Policies
    channels: Channels

    def identity(self) -> Identity:
        """The controller and its stream."""

    def keep(self, *events: Event) -> None:
        """Store the state in one commit with these events."""


@dataclass(slots=True)
class _Refusal:
    tries: int = 0
    again_ns: int = 0
    """The message is not tried before."""


class Sender:
    """Sends the waiting messages of the runner's state."""

    def __init__(
        self,
        outgoing: NoticeQueue,
        clock: Clock,
        chance: random.Random,
        retry_s: tuple[float, float],
        emptied: Callable[[], None],
    ) -> None:
        """`retry_s`: bounds of a failing channel's pause. `emptied` is called when a channel has nothing to send."""
        self.last_errors: dict[str, str] = {}
        """Channel -> error, as long as a message waits that was not taken."""
        self._outgoing, self._clock, self._chance, self._retry_s, self._done = outgoing, clock, chance, retry_s, emptied
        self._refusals: dict[tuple[str, str], _Refusal] = {}
        """(channel, id of the message) -> refusal."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def send(self) -> None:
        """Send what waits and may be tried now."""
        waiting = self._outgoing.state.waiting
        there = {(channel, notice.id) for channel, notices in waiting.items() for notice in notices}
        self._refusals = {key: refusal for key, refusal in self._refusals.items() if key in there}
        self.last_errors = {channel: error for channel, error in self.last_errors.items() if channel in waiting}
        for channel in waiting:
            if channel not in self._tasks and self._next(channel) is not None:
                task = self._tasks[channel] = asyncio.create_task(self._empty(channel), name=f"alerts by {channel}")
                task.add_done_callback(lambda done, channel=channel: self._emptied(channel, done))  # type: ignore[misc]  # bound now

    def forgive(self) -> None:
        """The configuration changed, perhaps to correct a fault: refused messages are tried at the next `send`."""
        self._refusals.clear()

    def deadline_ns(self) -> int | None:
        """When `send` has to be called next for channels that are idle; None: not at all."""
        idle = (refusal.again_ns for (channel, _), refusal in self._refusals.items() if channel not in self._tasks)
        return min(idle, default=None)

    async def close(self) -> None:
        """Stop; messages under way count as not taken."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _next(self, channel: str) -> Notice | None:
        """The message to try now: refused least often, then the oldest; None when none is due."""
        now_ns, never = self._clock.now_ns(), _Refusal()
        refusals = {
            notice: self._refusals.get((channel, notice.id), never)
            for notice in self._outgoing.state.waiting.get(channel, ())
        }
        ready = [notice for notice, refusal in refusals.items() if refusal.again_ns <= now_ns]
        return min(ready, key=lambda notice: refusals[notice].tries, default=None)

    def _emptied(self, channel: str, task: asyncio.Task[None]) -> None:
        del self._tasks[channel]
        if task.cancelled():
            return
        if task.exception() is not None:  # tried again with the next record; at once would be an endless loop
            LOG.critical("%s ended", task.get_name(), exc_info=task.exception())
        else:
            self._done()

    async def _empty(self, channel: str) -> None:
        tries = 0
        while (notice := self._next(channel)) is not None:
            try:
                await self._tell(channel, notice)
            except DeliveryRefusedError as error:
                self._refused(channel, notice, error)
            except DeliveryError as error:
                if not tries:
                    LOG.warning("alerts by %s do not leave: %s", channel, error)
                tries += 1
                self.last_errors[channel] = str(error)
                await asyncio.sleep(max(error.again_s, pause_s(tries, self._retry_s, self._chance)))
            else:
                if tries:
                    LOG.info("alerts by %s leave again", channel)
                tries = 0
                if all(other != channel for other, _ in self._refusals):
                    self.last_errors.pop(channel, None)
                self._outgoing.state = rules.taken(self._outgoing.state, channel, notice.id)
                self._outgoing.keep()

    async def _tell(self, channel: str, notice: Notice) -> None:
        """Raises DeliveryError only: our own mistake must not end the channel."""
        outgoing = self._outgoing
        try:
            policy, left_out = outgoing.policies[notice.policy], outgoing.state.left_out.get(channel, 0)
            await outgoing.channels.tell(channel, notice, policy, outgoing.identity(), left_out)
        except DeliveryError:
            raise
        except Exception as error:
            LOG.exception("internal error in sending %s by %s", notice.id, channel)
            raise DeliveryRefusedError(f"{type(error).__name__}: {error}", final=True) from error

    def _refused(self, channel: str, notice: Notice, error: DeliveryRefusedError) -> None:
        refusal = self._refusals.setdefault((channel, notice.id), _Refusal())
        refusal.tries += 1
        refusal.again_ns = self._clock.now_ns() + round(pause_s(refusal.tries, REFUSED_S, self._chance) * NS_PER_S)
        self.last_errors[channel] = str(error)
        if refusal.tries == 1:
            LOG.warning("%s is refused by %s: %s", notice.id, channel, error)
        if error.final and refusal.tries >= MOST_REFUSALS and notice in self._outgoing.state.waiting.get(channel, ()):
            self._give_up(channel, notice, error, refusal.tries)

    def _give_up(self, channel: str, notice: Notice, error: DeliveryRefusedError, tries: int) -> None:
        """Give a message up, and record that."""
        LOG.error("%s was refused by %s %d times, and is given up: %s", notice.id, channel, tries, error)
        policy = self._outgoing.policies[notice.policy]
        details: dict[str, Json] = {"given_up": notice.alert, "way": channel, "reason": str(error), "tries": tries}
        subject, door = Subject("integration", f"alert.{policy.id}", policy.name), notice.door or None
        event = Event(INTEGRATION_WARN_DUE_TO_ERROR, self._clock.now_ns(), subject, SYSTEM, door=door, details=details)
        self._refusals.pop((channel, notice.id), None)
        self._outgoing.state = rules.dropped(self._outgoing.state, channel, notice.id)
        self._outgoing.keep(event)
