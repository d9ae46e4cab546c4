"""Drives alerts: reads the log with a cursor of its own, keeps the state in it, sends what waits.

One rule: what has to be told is in the log before the cursor passes the record it is about. So a
message may come twice after a crash, and none is lost.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from edge import alerts
from edge.alert_memory import read, written
from edge.alerts import State
from edge.control import RequestError
from edge.delivery import CHUNK, LAZY, READ_AGAIN_S, DeliveryError, pause_s
from edge.log import LogUnavailableError
from edge.messages import NS_PER_S, Event, Subject
from edge.wire import rfc3339

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from edge.alert_policies import Policies, Where
    from edge.alert_ways import Ways
    from edge.alerts import Notice
    from edge.clock import Clock
    from edge.delivery_ports import Journal
    from edge.messages import Actor, Json, Record
    from edge.wire import Identity

LOG: Final = logging.getLogger(__name__)
SINK: Final = "alerts"
MODE: Final = "alerts.state"
"""The mode row; no door has a dot in its id."""
RETRY_S: Final = (1.0, 60.0)
"""Alerts are tried more often than records: somebody is waited for."""
REFUSED_S: Final = (10.0, 600.0)
"""What was refused for good is tried more seldom: until somebody corrects the address, or answers the alert."""
_FOREIGN_NS: Final = 86_400 * NS_PER_S
"""The age of what happened in another boot, as far as sirens are concerned."""


class Host(Protocol):
    """What the daemon lends."""

    def identity(self) -> Identity:
        """Who we are."""

    def sound(self, doors: frozenset[str]) -> None:
        """The buzzers of these doors are to sound, and no others on behalf of alerts."""


class AlertRunner:
    """The alerts of one controller."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        policies: Policies,
        *,
        log: Journal,
        clock: Clock,
        host: Host,
        where: Where,
        ways: Ways,
        chance: random.Random,
        retry_s: tuple[float, float] = RETRY_S,
    ) -> None:
        """Nothing happens before `start`."""
        self.policies, self.ways = policies, ways
        self.state = State()
        self.last_errors: dict[str, str] = {}
        self._log, self._clock, self._host, self._where = log, clock, host, where
        self._chance, self._retry_s = chance, retry_s
        self._stream = ""
        self._fresh: list[Record] = []
        """Committed just now, and next in turn: they need not be read from the disk."""
        self._news = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._main: asyncio.Task[None] | None = None
        self._sounding: frozenset[str] = frozenset()

    # --- for the daemon --------------------------------------------------------------------------------

    def start(self, modes: Mapping[str, str]) -> asyncio.Task[None]:
        """The log is open, and this is what it remembers."""
        self._stream = self._log.stream
        remembered = modes.get(MODE, "")
        found = read(remembered, self.policies, self._stream, self._clock)
        if found is None:
            known = self._log.cursor(SINK) if remembered else 0  # alerts that are new here do not tell history as news
            self.state = State(known or self._log.committed)
            self._keep()
        else:
            self.state = found
        self._log.on_commit(self._committed)
        self._main = asyncio.create_task(self._run(), name="alerts")
        return self._main

    async def close(self) -> None:
        """Stop; what waits is sent after the next start."""
        tasks = [*self._tasks.values(), *([] if self._main is None else [self._main])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._host.sound(frozenset())

    def reload(self, policies: Policies) -> None:
        """Other policies are in force: what is open by one that is no more is closed without a word."""
        state, self.policies = self.state, policies
        kept = {c: tuple(n for n in notices if n.policy in policies) for c, notices in state.waiting.items()}
        alive = {key: alert for key, alert in state.alerts.items() if alert.policy in policies}
        waiting = {channel: notices for channel, notices in kept.items() if notices}
        self.state = State(state.through, alive, waiting, state.left_out)
        self._keep()
        self._news.set()

    def facts(self) -> dict[str, Json]:
        """For `doorctl status` and `doorctl alerts`."""
        now_ns, wall_us = self._clock.now_ns(), self._clock.wall_us()
        return {
            "open": [
                {
                    "alert": one.id,
                    "policy": one.policy,
                    "door": one.door or None,
                    "message": one.message,
                    "count": one.count,
                    "raised": rfc3339(wall_us - (now_ns - one.raised_ns) // 1_000),
                    "escalated": one.escalated,
                }
                for one in self.state.alerts.values()
                if not one.acknowledged
            ],
            "waiting": {channel: len(notices) for channel, notices in self.state.waiting.items()},
            "last_errors": dict(self.last_errors),
        }

    @property
    def ops(self) -> dict[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]]:
        """What the control socket serves of this."""
        return {"alerts": self._list, "acknowledge": self._acknowledge}

    async def _list(self, _body: dict[str, Any], _actor: Actor) -> Json:
        return self.facts()

    async def _acknowledge(self, body: dict[str, Any], actor: Actor) -> Json:
        """Record it and end it in one commit."""
        name = body.get("alert")
        alert = alerts.found(self.state, name) if isinstance(name, str) else None
        if alert is None:
            known = ", ".join(one.id for one in self.state.alerts.values() if not one.acknowledged) or "none"
            raise RequestError("unknown_alert", f"no open alert {name!r}; there is {known}")
        self.state = alerts.acknowledged(self.state, alert)
        subject = Subject("integration", f"alert.{alert.policy}", self.policies[alert.policy].name)
        details: dict[str, Json] = {"acknowledged": alert.id, "alert": alert.message, "count": alert.count}
        door = alert.door or None
        event = Event("integration.update", self._clock.now_ns(), subject, actor, door=door, details=details)
        self._keep(event)
        self._sound()
        self._news.set()
        return {"alert": alert.id, "count": alert.count}

    # --- the task --------------------------------------------------------------------------------------

    def _committed(self, records: Sequence[Record]) -> None:
        last = self._fresh[-1].sequence if self._fresh else self.state.through
        if records[0].sequence == last + 1 and len(self._fresh) + len(records) <= CHUNK:
            self._fresh += records
        self._news.set()

    async def _run(self) -> None:
        while True:
            self._news.clear()
            if self._stream != self._log.stream:  # a damaged log was set aside: its successor from the start
                self._stream = self._log.stream
                self.state = State(0, self.state.alerts, self.state.waiting, self.state.left_out)
                self._fresh.clear()
            more = await self._read()
            before = self.state
            self.state = alerts.due(self.state, self.policies, self._clock.now_ns())
            if self.state != before:
                self._keep()
            self._sound()
            self._send()
            if not more:
                await self._sleep()

    async def _read(self) -> bool:
        """Take in what follows; True when there may be more."""
        start = max(self.state.through, self._log.cursor(SINK))
        if start >= self._log.committed:
            return False
        stream, records, self._fresh = self._stream, self._fresh, []
        if not records or records[0].sequence != start + 1:
            try:
                records = await self._log.read(start, CHUNK)
            except LogUnavailableError:
                await asyncio.sleep(READ_AGAIN_S)
                return True
        if stream != self._log.stream:
            return True
        before = self.state
        for record in records:
            now_ns = self._clock.now_ns()
            self.state = alerts.fold(self.state, self.policies, record, self._where, now_ns, self._age_ns(record))
            await asyncio.sleep(0)  # doors come first
        if stream != self._log.stream:
            return True
        told = (before.alerts, before.waiting) != (self.state.alerts, self.state.waiting)
        through = self.state.through if records else self._log.committed
        if told:
            self._keep()
        if told or through - self._log.cursor(SINK) >= LAZY or not records:
            self._log.advance(SINK, through)
        return True

    def _age_ns(self, record: Record) -> int:
        if record.boot != self._clock.boot_id:
            return _FOREIGN_NS
        return max(0, self._clock.now_ns() - record.event.at_ns)

    def _keep(self, *events: Event) -> None:
        """Durable with these events, and before the cursor that moves after it."""
        self._log.append(events, {MODE: written(self.state, self._stream, self._clock)})

    def _sound(self) -> None:
        now = alerts.sounding(self.state, self._clock.now_ns())
        if now != self._sounding:
            self._sounding = now
            self._host.sound(now)

    async def _sleep(self) -> None:
        deadline_ns = alerts.next_deadline(self.state, self.policies)
        for_s = None if deadline_ns is None else max(0, deadline_ns - self._clock.now_ns()) / NS_PER_S
        try:
            async with asyncio.timeout(for_s):
                await self._news.wait()
        except TimeoutError:
            return

    # --- what leaves -----------------------------------------------------------------------------------

    def _send(self) -> None:
        """A task for each channel that has something to send."""
        for channel in self.state.waiting:
            if channel not in self._tasks:
                task = self._tasks[channel] = asyncio.create_task(self._empty(channel), name=f"alerts by {channel}")
                task.add_done_callback(lambda done, channel=channel: self._emptied(channel, done))  # type: ignore[misc]  # bound now

    def _emptied(self, channel: str, task: asyncio.Task[None]) -> None:
        del self._tasks[channel]
        if not task.cancelled() and task.exception() is not None:
            LOG.critical("%s ended", task.get_name(), exc_info=task.exception())

    async def _empty(self, channel: str) -> None:
        tries, refused = 0, set[str]()
        while waiting := self.state.waiting.get(channel):
            notice = waiting[0]
            try:
                await self._tell(channel, notice)
            except DeliveryError as error:
                if not tries:
                    LOG.warning("alerts by %s do not leave: %s", channel, error)
                self.last_errors[channel] = str(error)
                if error.final:  # this one; the others may be for other people
                    refused.add(notice.id)
                    self.state = alerts.behind(self.state, channel, notice.id)
                    if any(one.id not in refused for one in self.state.waiting.get(channel, ())):
                        continue
                tries += 1
                await asyncio.sleep(pause_s(tries, REFUSED_S if error.final else self._retry_s, self._chance))
                refused.clear()
                continue
            if tries:
                LOG.info("alerts by %s leave again", channel)
            tries = 0
            if not refused:
                self.last_errors.pop(channel, None)
            self.state = alerts.taken(self.state, channel, notice.id)
            self._keep()

    async def _tell(self, channel: str, notice: Notice) -> None:
        """Raises DeliveryError, also for a mistake of ours: it ends no channel."""
        policy, left_out = self.policies[notice.policy], self.state.left_out.get(channel, 0)
        try:
            await self.ways.tell(channel, notice, policy, self._host.identity(), left_out)
        except DeliveryError:
            raise
        except Exception as error:
            LOG.exception("a mistake in telling of %s by %s", notice.id, channel)
            raise DeliveryError(f"{type(error).__name__}: {error}", final=True) from error
