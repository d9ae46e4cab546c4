"""Drives alerts: reads the log with a cursor of its own, and keeps the state of alerts there.

One rule: a waiting message is in the log before the cursor passes its record. So after a crash a
message may be sent twice, and none is lost.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from edge.alerts import rules
from edge.alerts.facts import open_alerts
from edge.alerts.memory import read, written
from edge.alerts.sender import Sender
from edge.alerts.state import AlertState
from edge.alerts.trial import Trials
from edge.delivery.sink import CHUNK, LAZY, READ_AGAIN_S
from edge.log.log import LogUnavailableError
from edge.model.event_types import INTEGRATION_UPDATE
from edge.model.messages import NS_PER_S, Event, Subject
from edge.socket.server import RequestError

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from edge.alerts.channels import Channels
    from edge.delivery.ports import DeliveryLog
    from edge.model.cloudevents import Identity
    from edge.model.messages import Actor, Json, Record
    from edge.settings.alert_policies import DirectoryView, Policies
    from edge.system.clock import Clock

SINK: Final = "alerts"
MODE: Final = "alerts.state"
"""The state's row among the log's modes; no door's id has a dot."""
MOST_RETAINED: Final = 20
"""Alerts in the retained state of a door, the oldest: the broker keeps each state."""
RETRY_S: Final = (1.0, 60.0)
"""Bounds of the pause between tries; shorter than for records, as alerts are urgent."""
_FOREIGN_NS: Final = 86_400 * NS_PER_S
"""The age that a record of another boot counts as, which sounds no siren."""


class AlertRunner:
    """The alerts of one controller."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        policies: Policies,
        *,
        log: DeliveryLog,
        clock: Clock,
        identity: Callable[[], Identity],
        sound: Callable[[frozenset[str]], None],
        where: DirectoryView,
        channels: Channels,
        chance: random.Random,
        retry_s: tuple[float, float] = RETRY_S,
        changed: Callable[[str], None] = lambda _door: None,
    ) -> None:
        """Nothing happens before `start`. `sound` lets the buzzers of these doors sound, and no others for alerts.

        `changed` is called with a door whose open alerts are others than before.
        """
        self.policies, self.channels = policies, channels
        self.state = AlertState()
        self._log, self._clock, self._where = log, clock, where
        self._identity, self._let_sound = identity, sound
        self._stream = ""
        self._fresh: list[Record] = []
        """Records that were just committed and follow directly: they need not be read from the disk."""
        self._news = asyncio.Event()
        self._sender = Sender(self, clock, chance, retry_s, self._news.set)
        self._trials = Trials(self, clock, self._news.set)
        self._main: asyncio.Task[None] | None = None
        self._sounding: frozenset[str] = frozenset()
        self._changed = changed
        self._told: frozenset[tuple[str, str, bool]] = frozenset()
        """(door, id, escalated) of each open alert, as `changed` was told."""

    # --- for the daemon --------------------------------------------------------------------------------

    def start(self, modes: Mapping[str, str]) -> asyncio.Task[None]:
        """The log is open and has these modes."""
        self._stream = self._log.stream
        remembered = modes.get(MODE, "")
        state = read(remembered, self.policies, self._stream, self._clock)
        if state is None:
            known = self._log.cursor(SINK) if remembered else 0  # newly configured alerts do not report history
            self.state = AlertState(known or self._log.committed)
            self.keep()
        else:
            self.state = state
            self._tell()
        self._log.on_commit(self._committed)
        self._main = asyncio.create_task(self._run(), name="alerts")
        return self._main

    async def close(self) -> None:
        """Stop; what waits is sent after the next start."""
        if self._main is not None:
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)
        await self._sender.close()
        self._let_sound(frozenset())

    def reload(self, policies: Policies, channels: Channels) -> None:
        """Other policies are in force: alerts of removed policies are closed without a message."""
        state, self.policies, self.channels = self.state, policies, channels
        kept = {c: tuple(n for n in notices if n.policy in policies) for c, notices in state.waiting.items()}
        alive = {key: alert for key, alert in state.alerts.items() if alert.policy in policies}
        waiting = {channel: notices for channel, notices in kept.items() if notices}
        self.state = AlertState(state.through, alive, waiting, state.left_out)
        self._sender.forgive()
        self.keep()
        self._news.set()

    def facts(self) -> dict[str, Json]:
        """For `doorctl status` and `doorctl alerts`."""
        return {
            "open": [*self._open()],
            "waiting": {channel: len(notices) for channel, notices in self.state.waiting.items()},
            "last_errors": dict(self._sender.last_errors),
        }

    def _open(self) -> list[dict[str, Json]]:
        return open_alerts(self.state, self.policies, self._clock.now_ns(), self._clock.wall_us())

    def open_at(self, door: str) -> list[Json]:
        """The open alerts of a door, as they are retained: without the message, which may name a person."""
        keys = ("alert", "policy", "raised", "escalated")
        oldest = [alert for alert in self._open() if alert["door"] == door][:MOST_RETAINED]
        return [{key: alert[key] for key in keys} for alert in oldest]

    def acknowledge_for_key(
        self, alert: str, actor: Actor, doors: frozenset[str] | None, details: Mapping[str, Json]
    ) -> tuple[str, str] | None:
        """As `acknowledge`, for a command from upstream; why not, as a code and a text."""
        try:
            self.acknowledge(alert, actor, doors, details)
        except RequestError as error:
            return error.code, str(error)
        return None

    # --- for the sender ---------------------------------------------------------------------------------

    def identity(self) -> Identity:
        """See `edge.alerts.sender.NoticeQueue`."""
        return self._identity()

    def keep(self, *events: Event) -> None:
        """Store the state in one commit with these events, and before the cursor moves."""
        self._log.append(events, {MODE: written(self.state, self._stream, self._clock)})
        self._tell()

    def _tell(self) -> None:
        open_ = (alert for alert in self.state.alerts.values() if not alert.acknowledged)
        told = frozenset((alert.door, alert.id, alert.escalated) for alert in open_)
        doors, self._told = {door for door, _, _ in told ^ self._told if door}, told
        for door in doors:
            self._changed(door)

    # --- requests ---------------------------------------------------------------------------------------

    @property
    def ops(self) -> dict[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]]:
        """The operations that the control socket serves."""
        return {"alerts": self._list, "acknowledge": self._acknowledge, "test_alert": self._trials.serve}

    async def _list(self, _body: dict[str, Any], _actor: Actor) -> Json:
        return self.facts()

    async def _acknowledge(self, body: dict[str, Any], actor: Actor) -> Json:
        return self.acknowledge(body.get("alert"), actor)

    def acknowledge(
        self, name: object, actor: Actor, doors: frozenset[str] | None = None, more: Mapping[str, Json] | None = None
    ) -> Json:
        """Acknowledge an alert: the event, with `more` details, and the new state are one commit. Raises RequestError.

        `doors`: the only ones whose alerts may be; None: all, and the controller's own.
        """
        alert = rules.alert_by_id(self.state, name) if isinstance(name, str) else None
        if alert is None:
            alerts = [one for one in self.state.alerts.values() if doors is None or one.door in doors]
            known = ", ".join(one.id for one in alerts if not one.acknowledged) or "none"
            raise RequestError("unknown_alert", f"no open alert {name!r}; there is {known}")
        if doors is not None and alert.door not in doors:
            raise RequestError("not_permitted", f"the key does not permit that at {alert.door or 'the controller'}")
        self.state = rules.acknowledged(self.state, alert)
        subject = Subject("integration", f"alert.{alert.policy}", self.policies[alert.policy].name)
        about: dict[str, Json] = {"alert": alert.message, "count": alert.count, "through": alert.sequence}
        details: dict[str, Json] = {"acknowledged": alert.id, **about, **(more or {})}
        door = alert.door or None
        event = Event(INTEGRATION_UPDATE, self._clock.now_ns(), subject, actor, door=door, details=details)
        self.keep(event)
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
                self.state = AlertState(0, self.state.alerts, self.state.waiting, self.state.left_out)
                self._fresh.clear()
            more = await self._read()
            before = self.state
            self.state = rules.due(self.state, self.policies, self._clock.now_ns())
            if self.state != before:
                self.keep()
            self._sound()
            self._sender.send()
            if not more:
                await self._sleep()

    async def _read(self) -> bool:
        """Apply the next records; True when there may be more."""
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
            self.state = rules.fold(self.state, self.policies, record, self._where, now_ns, self._age_ns(record))
            await asyncio.sleep(0)  # doors come first
        if stream != self._log.stream:
            return True
        changed = (before.alerts, before.waiting) != (self.state.alerts, self.state.waiting)
        through = self.state.through if records else self._log.committed
        if changed:
            self.keep()
        if changed or through - self._log.cursor(SINK) >= LAZY or not records:
            self._log.advance(SINK, through)
        return True

    def _age_ns(self, record: Record) -> int:
        if record.boot != self._clock.boot_id:
            return _FOREIGN_NS
        return max(0, self._clock.now_ns() - record.event.at_ns)

    def _sound(self) -> None:
        now_ns = self._clock.now_ns()
        now = rules.sounding(self.state, now_ns) | self._trials.sounding(now_ns)
        if now != self._sounding:
            self._sounding = now
            self._let_sound(now)

    async def _sleep(self) -> None:
        sources = (self._sender, self._trials)
        deadlines = [rules.next_deadline(self.state, self.policies), *(one.deadline_ns() for one in sources)]
        next_ns = min((deadline for deadline in deadlines if deadline is not None), default=None)
        for_s = None if next_ns is None else max(0, next_ns - self._clock.now_ns()) / NS_PER_S
        try:
            async with asyncio.timeout(for_s):
                await self._news.wait()
        except TimeoutError:
            return
