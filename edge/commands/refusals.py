"""Records and answers refused commands, and counts other useless messages over MQTT, within limits.

One rule: a flood is counted, and the count is recorded once a minute. No sender can fill the log, the journal or
the connection to the broker.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from edge.commands.parsing import reply
from edge.log.log import LogUnavailableError
from edge.model.budget import Budget
from edge.model.event_types import (
    CONTROLLER_FAULT,
    LOCK_CANCEL_LOCKDOWN,
    LOCK_LOCK_DOWN,
    LOCK_LOCKED,
    LOCK_UNLOCK,
    LOCK_UPDATE,
)
from edge.model.messages import SYSTEM, Actor, CommandName, Event, Subject
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.commands.parsing import Refusal
    from edge.commands.shape import Signer
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import Json
    from edge.model.ports import Incoming
    from edge.system.clock import Clock

LOG: Final = logging.getLogger(__name__)
RECORDS_AT_ONCE: Final = 30
RECORDS_A_MINUTE: Final = 1
"""Refusals that get a record of their own."""
ANSWERS_AT_ONCE: Final = 100
ANSWERS_A_SECOND: Final = 10
"""Refusals that are answered."""
TOLD_EVERY_S: Final = 60.0
WORTH_TELLING: Final = 100
"""Useless messages in a minute that are recorded. Fewer, without a command among them, are an application that lags."""
MOST_UNSAID: Final = 100
"""Refusals that may wait for the disk. Further ones are not answered."""
AGAIN_S: Final = 1.0
"""The wait before a busy disk is tried again."""
UPSTREAM: Final = Subject("upstream", "mqtt", "MQTT broker")
SENDER: Final = Actor("operator", "mqtt", "MQTT")
RECORDED_AS: Final = {
    CommandName.UNLOCK: LOCK_UNLOCK,
    CommandName.HOLD_UNLOCKED: LOCK_UNLOCK,
    CommandName.LOCK: LOCK_LOCKED,
    CommandName.LOCK_DOWN: LOCK_LOCK_DOWN,
    CommandName.CANCEL_LOCKDOWN: LOCK_CANCEL_LOCKDOWN,
    CommandName.BLOCK: LOCK_UPDATE,
    CommandName.UNBLOCK: LOCK_UPDATE,
}


class WayBack(Protocol):
    """The connection to the senders of commands."""

    def reply(self, topic: str | None, payload: bytes, correlation: bytes | None) -> None:
        """Answer a command."""

    def replay(self, first: int, last: int) -> None:
        """Send these records again."""


class Acknowledge(Protocol):
    """Acknowledges an alert."""

    def __call__(
        self, alert: str, actor: Actor, doors: frozenset[str] | None, details: Mapping[str, Json], /
    ) -> tuple[str, str] | None:
        """Acknowledge it, by its id, if it is of one of `doors` (None: any); `details` are for the record.

        Returns why not, as a code and a text; None: it is done.
        """


class CommandRefusals:
    """Records, answers and counts refusals."""

    def __init__(
        self, controller: Subject, runner: Runner, log: Log, clock: Clock, way_back: Callable[[], WayBack | None]
    ) -> None:
        """`way_back` returns None without a broker."""
        self._controller, self._runner, self._log, self._clock = controller, runner, log, clock
        self._way_back = way_back
        self._records = Budget(RECORDS_A_MINUTE / 60, RECORDS_AT_ONCE)
        self._answers = Budget(ANSWERS_A_SECOND, ANSWERS_AT_ONCE)
        self._unsaid: list[tuple[Incoming, bytes]] = []
        """Answers that wait until their record is on the disk."""
        self._saying: asyncio.Task[None] | None = None
        self._dropped: Counter[str] = Counter()
        """Counts since they were last recorded: refused commands by code, other messages by topic."""
        self._commands = 0
        self.unrecorded = 0

    def record(self, refusal: Refusal) -> None:
        """Record a refusal, or only count it in a flood."""
        if self._records.take(asyncio.get_running_loop().time()):
            LOG.warning("a command was refused: %s", refusal.code)
            self._log.append([self._event(refusal)])
        else:
            self.unrecorded += 1
            self._commands += 1
            self.dropped(refusal.code)

    def refused(self, refusal: Refusal) -> bytes | None:
        """Record a refusal and return its answer; None in a flood."""
        self.record(refusal)
        if not self._answers.take(asyncio.get_running_loop().time()):
            return None
        return reply(refusal.id, refusal.name, {}, code=refusal.code, text=refusal.message)

    def refuse(self, refusal: Refusal, incoming: Incoming) -> None:
        """Answer a refusal once its record is on the disk. In a flood, or while the disk hangs, it gets no answer."""
        answer = self.refused(refusal)
        if answer is None or len(self._unsaid) >= MOST_UNSAID:
            incoming.taken()
            return
        self._unsaid.append((incoming, answer))
        if self._saying is None or self._saying.done():
            self._saying = asyncio.create_task(self._say(), name="refusals")
            self._saying.add_done_callback(say_why)

    async def _say(self) -> None:
        while self._unsaid:
            unsaid, self._unsaid = self._unsaid, []
            await durable(self._log)
            for incoming, answer in unsaid:
                self.reply(incoming, answer)

    def reply(self, incoming: Incoming, answer: bytes | None) -> None:
        """Send the answer, if there is one, and acknowledge the message: its records are on the disk."""
        if answer is not None and (way_back := self._way_back()) is not None:
            way_back.reply(incoming.response_topic, answer, incoming.correlation)
        incoming.taken()

    def dropped(self, what: str) -> None:
        """Count a useless message, or one beyond a limit, by its code or topic."""
        if not self._dropped:
            asyncio.get_running_loop().call_later(TOLD_EVERY_S, self._tell)
        self._dropped[what] += 1  # bounded: by our own codes and topics

    def _tell(self) -> None:
        dropped, commands = dict(self._dropped), self._commands
        self._dropped.clear()
        self._commands = 0
        if not commands and sum(dropped.values()) < WORTH_TELLING:
            return
        count = sum(dropped.values())
        reason = f"{count} useless or refused messages within a minute"
        LOG.warning("%s: %s", reason, ", ".join(f"{what} {number}" for what, number in dropped.items()))
        details: dict[str, Json] = {"reason": reason, "messages": {**dropped}}
        now_ns = self._clock.now_ns()
        event = Event(CONTROLLER_FAULT, now_ns, UPSTREAM, SYSTEM, success=False, code="flooded", details=details)
        self._log.append([event])

    def _event(self, refusal: Refusal) -> Event:
        """The event that the command would have made, as refused; a fault where the command is not known."""
        details: dict[str, Json] = {"command": refusal.name, "id": refusal.id, "reason": refusal.message}
        details |= signed_by(refusal.signer)
        door = self._runner.doors.get(refusal.door or "")
        known = RECORDED_AS.get(CommandName(refusal.name)) if refusal.name in set(CommandName) else None
        return Event(
            known or CONTROLLER_FAULT,
            self._clock.now_ns(),
            self._controller if door is None else door.subject,
            refusal.actor or SENDER,
            "operator" if known else None,
            success=False,
            code=refusal.code,
            door=refusal.door,
            details=details,
        )


async def durable(log: Log) -> None:
    """Wait until everything so far is on the disk, without a limit."""
    while True:
        try:
            await log.durable()
        except LogUnavailableError:
            await asyncio.sleep(AGAIN_S)
        else:
            return


def signed_by(signer: Signer | None) -> dict[str, Json]:
    """The key that signed a command, for the details of a record."""
    return {} if signer is None else {"signed_by": signer.facts()}
