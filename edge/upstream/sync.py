"""One conversation with the upstream: send what the log has, take acknowledgements, try again.

One rule: the log is the only queue. Everything in here may be lost at any moment; records that were
not acknowledged are read from the log and sent again. Alarms always go first. See docs/mqtt.md.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from edge.model.ports import LinkError
from edge.upstream.conversation import ConversationState
from edge.upstream.in_flight import InFlight
from edge.upstream.limits import BrokerLimits
from edge.upstream.listening import Listening
from edge.upstream.messages import FAILURE, SINK, MessageKind
from edge.upstream.queue import Queue
from edge.upstream.records import STALL_S
from edge.upstream.retained import SAID, RetainedStates
from edge.upstream.witness import StreamWitness

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from edge.log.log import Log
    from edge.model.messages import Json, Record
    from edge.model.ports import Incoming, Link, Origin
    from edge.upstream.messages import ExtraMessages, Inbound, Message, RetainedFacts, UpstreamFaults, UpstreamOptions

LOG: Final = logging.getLogger(__name__)
RETRY_S: Final = (1.0, 60.0)
"""The bounds of the pause before the next attempt to connect; it is random in between (full jitter)."""
TICK_S: Final = 5.0


class Upstream:
    """The conversation, over one link after another."""

    def __init__(  # noqa: PLR0913, PLR0917 -- each part has one owner
        self,
        options: UpstreamOptions,
        log: Log,
        doors: Sequence[str],
        make_link: Callable[[Upstream], Link],
        chance: random.Random,
        extra: ExtraMessages | None = None,
        *,
        origin: Origin,
        retained: RetainedFacts,
        inbound: Inbound,
        faults: UpstreamFaults,
    ) -> None:
        """`make_link` makes a new link that reports to this object; `chance` jitters the pauses."""
        self.options = options
        self.conversation = ConversationState(faults.refuses)
        self._log, self._make_link, self._chance = log, make_link, chance
        self._link: Link | None = None
        self._lost: asyncio.Future[str] | None = None
        self._witness = StreamWitness(log, self.conversation.has_twin)
        self._states = RetainedStates(
            options, log, retained, self.conversation, doors, extra, self._witness, self._pump
        )
        self._queue = Queue(options, log, origin, self._states, self._pump)
        self._limits = BrokerLimits(options, faults.leaves_out, self._queue.smaller)
        self._flight = InFlight(options.window)
        self._listening = Listening(
            options,
            inbound=inbound,
            records=self._queue.records,
            conversation=self.conversation,
            witness=self._witness,
            extra=extra,
            talking=self._talking,
        )
        self._useful = False
        """A message was acknowledged on this link: the next link is tried soon."""
        self._task: asyncio.Task[None] | None = None
        self._deafen = log.on_commit(self._committed)

    def start(self) -> asyncio.Task[None]:
        """Connect and stay connected until `close`."""
        self._task = asyncio.create_task(self._run(), name="upstream")
        return self._task

    async def close(self, within_s: float) -> None:
        """Send the last records and the offline status, for at most `within_s` seconds, and disconnect."""
        end_s = asyncio.get_running_loop().time() + within_s
        await self._until(lambda: not self._backlog(), end_s)
        self._states.leave()
        self._pump()
        await self._until(self._said_goodbye, end_s)
        if self._link is not None and self._said_goodbye():  # else the will does
            self._link.close()
        self._deafen()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _said_goodbye(self) -> bool:
        return not self._states.status_due and MessageKind.STATUS not in self._flight.kinds()

    async def _until(self, done: Callable[[], bool], end_s: float) -> None:
        """Wait until `done()` by polling, which is used during a stop only."""
        while self._link is not None and not done() and asyncio.get_running_loop().time() < end_s:  # noqa: ASYNC110 -- ^
            await asyncio.sleep(0.01)

    def door_changed(self, door: str) -> None:
        """A door's retained state is out of date; the newest state is sent."""
        self._states.door_changed(door)

    def settings_changed(self, doors: Sequence[str]) -> None:
        """These are the doors now; the extra messages, which depend on the settings, are sent again."""
        self._states.doors_are(doors)
        self._states.extra_changed()
        self._pump()

    def reply(self, topic: str | None, payload: bytes, correlation: bytes | None) -> None:
        """Reply to a command; of too many replies the oldest are dropped."""
        self._queue.reply(topic, payload, correlation)
        self._pump()

    async def alert(self, payload: bytes) -> None:
        """Publish on `alerts`; returns when it is delivered. LinkError when that is not certain."""
        if not self._talking():
            raise LinkError("there is no link to the broker")
        taken = self._queue.alert(payload)
        self._pump()
        await taken

    def replay(self, first: int, last: int) -> None:
        """Send these records again on `events`, when no new one waits."""
        if self._queue.records.replay(first, last):
            self._pump()

    def facts(self) -> dict[str, Json]:
        """The `upstream` part of the status."""
        return {
            **self.conversation.facts(),
            "url": self.options.url,
            "ack": "application" if self.options.by_application else "broker",
            "cursor": self._log.cursor(SINK),
            "backlog": self._backlog(),
            "in_flight": len(self._flight),
            "window": self._flight.window,
            "left_out": {**self._limits.left_out},
        }

    def acknowledged(self, answers: Sequence[tuple[int, int]]) -> None:
        """PUBACKs arrived: (packet identifier, reason code) of each."""
        moved = False
        for mid, code in answers:
            message = self._flight.answered(mid, refused=code >= FAILURE)
            if message is not None and self._talking():
                moved |= self._answered(message, code)
        if moved:
            self._queue.records.advance()
        self._pump()

    def _answered(self, message: Message, code: int) -> bool:
        """Handle one acknowledgement; True when it moved the cursor."""
        self._useful = True
        self._states.answered(message, code)
        if message.kind is MessageKind.STREAM and code >= FAILURE:
            self._limits.tell(message.topic, f"the broker refuses it: reason 0x{code:02x}")
        elif code >= FAILURE or self.conversation.refuses:
            self.conversation.note(message, code, self.options.below(""))
        if message.kind is MessageKind.EVENTS:
            self.conversation.heard(code)
        return self._queue.answered(message, code)

    def subscribed(self, code: int) -> None:
        """Our subscriptions were acknowledged, with this as the worst reason code."""
        topics = ", ".join(self._listening.topics)
        self.conversation.judge(
            MessageKind.COMMANDS, code, f"the broker does not let us read {topics}: reason 0x{code:02x}"
        )

    def incoming(self, incoming: Incoming) -> None:
        """A message arrived on one of our subscriptions."""
        if self._listening.heard(incoming):
            self._pump()

    def lost(self, reason: str) -> None:
        """The link is lost."""
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(reason)

    async def _run(self) -> None:
        await self._log.settled()
        self._states.remember(self._log.modes().get(SAID, "[]"))
        attempt = 0
        while True:
            self._useful = False
            try:
                await self._session()
            except LinkError as error:
                self.conversation.offline(error)
                self._limits.refused(error.code)
            except Exception as error:  # our own mistake: logged in full; the next link tries again
                LOG.exception("the conversation failed")
                self.conversation.offline(LinkError(f"internal error: {error!r}"))
            attempt = 1 if self._useful else attempt + 1
            shortest_s, longest_s = RETRY_S
            await asyncio.sleep(self._chance.uniform(shortest_s, min(longest_s, shortest_s * 2 ** min(attempt, 10))))

    async def _session(self) -> None:
        link = self._make_link(self)
        self._lost = asyncio.get_running_loop().create_future()
        try:
            terms = await link.connect(self._limits.will(self._states.status(online=False)))
            self._flight.window = max(1, min(self.options.window, terms.receive_maximum))
            self._limits.begin(terms)
            self._queue.confirmed = self._limits.confirms
            await self._witness.hear(lambda: link.look(self.options.below("stream")))
            self._queue.records.begins = self._witness.begins
            link.subscribe(self._listening.topics)
            self._link = link
            LOG.info("online at %s", self.options.url)
            self.conversation.online()
            self._queue.begin()
            self._pump()
            while not self._lost.done():
                await asyncio.wait({self._lost}, timeout=TICK_S)
                if not self._lost.done():
                    self._tick()
            raise LinkError(self._lost.result())
        finally:  # replies and the rest of a replay are not in the log: they are kept for the next link
            self._link = None
            link.abandon()
            self._queue.end(self._flight.end())

    def _tick(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._flight and now_s - self._flight.progress_s > STALL_S:
            self.lost(f"nothing was acknowledged for {STALL_S:.0f} s")
        elif not self._talking():  # a damaged log was set aside: its successor is sent from the start
            self.lost("the log was set aside")
        if self.options.by_application and (silent_s := self._queue.records.press(now_s)) is not None:
            self.conversation.last_error = f"the application acknowledged nothing for {silent_s:.0f} s"
        self.conversation.tick(now_s)
        self._states.tick(now_s)
        self._pump()

    def _talking(self) -> bool:
        """Whether there is a link that carries the log's present stream."""
        return self._link is not None and self._queue.records.stream == self._log.stream

    def _committed(self, records: Sequence[Record]) -> None:
        self._witness.committed(records)
        if self._talking():
            self._queue.committed(records)
            self._pump()

    def _pump(self) -> None:
        """Send as much as the window allows, the most urgent first."""
        while self._talking() and self._flight.room:
            message = self._flight.held() or self._queue.next()
            if message is None or not self._flight.may_go(message):
                break
            if not self._send(message):
                continue
            if message.kind is MessageKind.ALARMS:  # send it before the next message is even made
                asyncio.get_running_loop().call_soon(self._pump)
                break
        if self._talking():
            self._queue.records.fetch()

    def _send(self, message: Message) -> bool:
        """Send a message in a form that the broker takes; False when there is none."""
        assert self._link is not None  # noqa: S101 -- checked by `_pump`
        fitting = self._limits.fit(message, self._flight)
        if fitting is None:
            self._queue.cannot(message)
            return False
        try:
            self._flight.send(self._link, fitting)
        except LinkError as error:
            self._link = None
            self.lost(str(error))
        return True

    def _backlog(self) -> int:
        return self._log.committed - self._log.cursor(SINK)
