"""One sink: committed records go to one receiver, in order, and each is tried again until the receiver has it.

One rule: the log is the only queue. A sink's cursor moves past a record when the receiver has taken
it or does not want it; everything in here may be lost at any moment.

The order is strict for the whole sink, not only for each door: a try nearly always fails because of the
receiver, not of the record, and after a restart one cursor is enough. Sinks never wait for each other:
each has a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from edge.delivery.errors import DeliveryError, DeliveryRefusedError
from edge.delivery.health import NS_PER_S, ErrorLimits, Health, Verdict
from edge.delivery.memory import disabled_by, remembered, written
from edge.log.log import LogUnavailableError
from edge.model.event_types import INTEGRATION_DISABLE_DUE_TO_ERROR, INTEGRATION_UPDATE, INTEGRATION_WARN_DUE_TO_ERROR
from edge.model.messages import SYSTEM, Event

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from edge.delivery.ports import DeliveryLog, Receiver
    from edge.model.messages import Actor, Json, Record, Subject

LOG: Final = logging.getLogger(__name__)
CHUNK: Final = 100
"""The most records that wait in memory for one sink; further ones are read from the log when these have left."""
LAZY: Final = 64
"""Unwanted records move the cursor once in so many: a commit for each would wear out the memory card."""
RETRY_S: Final = (1.0, 300.0)
"""The first and the longest bound of the pause before another try; it is random up to the bound (full jitter)."""
OURS_S: Final = 60.0
"""The longest bound while our own network fails: when it is back, what waits should leave soon."""
READ_AGAIN_S: Final = 5.0
"""Pause when the log cannot be read."""


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """The limits and the pauses of a sink."""

    limits: ErrorLimits = field(default_factory=ErrorLimits)
    retry_s: tuple[float, float] = RETRY_S


class Delivery:
    """The conversation with one receiver."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        sink: str,
        subject: Subject,
        receiver: Receiver,
        *,
        log: DeliveryLog,
        chance: random.Random,
        now_ns: Callable[[], int],
        options: SinkOptions | None = None,
        mark: str = "",
        modes: Mapping[str, str] | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`sink` names the cursor and the row among the log's `modes`; `mark` is the digest of the directory's entry.

        `modes` is kept up to date here if it is a dict; `changed` is called when this sink is disabled or enabled.
        """
        self.sink, self.subject, self.receiver, self.mark = sink, subject, receiver, mark
        self.options = options or SinkOptions()
        self.health = Health(self.options.limits)
        self.last_error: str | None = None
        self.delivered = 0
        self.disabled = disabled_by(modes or {}, sink, mark)
        """Why the sink is disabled; None: it is not."""
        self._memory, self._changed = modes, changed
        self._known = bool(remembered(modes or {}, sink))
        self._log, self._chance, self._now_ns = log, chance, now_ns
        self._stream = ""
        self._read_through = 0
        self._waiting: deque[Record] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._tries = 0

    # --- for the owner ---------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """`ok`, `retrying` or `disabled`."""
        if self.disabled is not None:
            return "disabled"
        return "retrying" if self._tries else "ok"

    def facts(self) -> dict[str, Json]:
        """For `doorctl status`."""
        failed, of = self.health.errors
        return {
            "state": self.state,
            "cursor": self._log.cursor(self.sink),
            "backlog": self._log.committed - self._log.cursor(self.sink),
            "delivered": self.delivered,
            "failed_of_latest": [failed, of],
            "last_error": self.disabled or self.last_error,
        }

    def start(self) -> asyncio.Task[None]:
        """Deliver from now on; the log is open."""
        self._task = asyncio.create_task(self._run(), name=self.sink)
        return self._task

    async def close(self) -> None:
        """Stop at once; what is under way is sent again after a restart."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.receiver.close()

    def enable(self, actor: Actor) -> bool:
        """Enable a disabled sink, which goes on where it stopped; False when it was not disabled."""
        if self.disabled is None:
            return False
        self.disabled = None
        self._start_over()
        event = Event(INTEGRATION_UPDATE, self._now_ns(), self.subject, actor, details={"disabled": [True, False]})
        self._remember(event)
        self._changed()
        self._news.set()
        return True

    def committed(self, records: Sequence[Record]) -> None:
        """New records are on the disk: keep them if they follow directly and there is room; else read them later."""
        follows = self._stream == self._log.stream and records[0].sequence == self._read_through + 1
        if follows and self.disabled is None and len(self._waiting) + len(records) <= CHUNK:
            self._take(records)
        self._news.set()

    # --- the task --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._news.clear()
            if self._stream != self._log.stream:  # a damaged log was set aside: its successor from the start
                self._begin()
            if self.disabled is not None:
                self._rewind()
                await self._news.wait()
            elif self._waiting:
                await self._send()
            elif self._read_through < self._log.committed:
                await self._read()
            else:
                await self._news.wait()

    def _begin(self) -> None:
        self._stream = self._log.stream
        if not self._known:  # a new receiver gets new records, not years of history
            self._log.advance(self.sink, self._log.committed)
            self._remember()
        elif remembered(self._memory or {}, self.sink).get("disabled") != self.disabled:
            self._remember()  # its entry has changed, which enables it; also if it changes back
        self._known = True
        self._rewind()

    def _rewind(self) -> None:
        self._waiting.clear()
        self._read_through = self._log.cursor(self.sink)

    async def _read(self) -> None:
        after, stream = self._read_through, self._stream
        try:
            records = await self._log.read(after, CHUNK)
        except LogUnavailableError:
            await asyncio.sleep(READ_AGAIN_S)
            return
        if stream != self._log.stream or after != self._read_through:
            return
        if records:
            self._take(records)
        else:  # retention has removed these records
            self._read_through = self._log.committed
            self._advance()

    def _take(self, records: Sequence[Record]) -> None:
        self._waiting.extend(record for record in records if self.receiver.wants(record))
        self._read_through = records[-1].sequence
        if not self._waiting and self._read_through - self._log.cursor(self.sink) >= LAZY:
            self._advance()

    def _advance(self) -> None:
        """Move the cursor to the record before the first that waits."""
        through = self._waiting[0].sequence - 1 if self._waiting else self._read_through
        self._log.advance(self.sink, through)

    async def _send(self) -> None:
        batch = [self._waiting[n] for n in range(min(self.receiver.batch, len(self._waiting)))]
        stream = self._stream
        try:
            await self.receiver.send(batch)
        except DeliveryError as error:
            await self._failed(error)
            return
        except Exception as error:  # our own mistake must not end the sink: log it and try again
            LOG.exception("internal error in delivering to %s", self.sink)
            await self._failed(DeliveryError(f"{type(error).__name__}: {error}", ours=True))
            return
        self.health.succeeded()
        self.delivered += len(batch)
        if self._tries:
            LOG.info("%s takes records again", self.sink)
        self._start_over()
        if stream == self._log.stream:
            for _ in batch:
                self._waiting.popleft()
            self._advance()

    def _start_over(self) -> None:
        self._tries, self.last_error = 0, None

    async def _failed(self, error: DeliveryError) -> None:
        if not self._tries:
            LOG.warning("%s does not take records: %s", self.sink, error)
        self._tries += 1
        self.last_error = str(error)
        final = error.final and not isinstance(error, DeliveryRefusedError)  # which concerns one record only
        verdict = self.health.failed(self._now_ns(), ours=error.ours, final=final)
        if verdict is Verdict.WARN:
            failed, of = self.health.errors
            details: dict[str, Json] = {"reason": str(error), "failed": failed, "of": of}
            self._log.append(
                [Event(INTEGRATION_WARN_DUE_TO_ERROR, self._now_ns(), self.subject, SYSTEM, details=details)]
            )
        elif verdict is Verdict.DISABLE:
            self._disable(error)
            return
        first_s, longest_s = self.options.retry_s
        bounds_s = (first_s, min(longest_s, OURS_S)) if error.ours else (first_s, longest_s)
        await asyncio.sleep(max(error.again_s, pause_s(self._tries, bounds_s, self._chance)))

    def _disable(self, error: DeliveryError) -> None:
        name = self.subject.id
        reason = f"{error}. To enable it again: doorctl integration enable {name}, or change its entry in the directory"
        LOG.error("%s is disabled: %s", self.sink, reason)
        self.disabled = str(error)
        details: dict[str, Json] = {
            "reason": reason,
            "tries": self.health.failed_in_a_row,
            "failing_s": self.health.failing_ns // NS_PER_S,
            "cursor": self._log.cursor(self.sink),
        }
        self._remember(Event(INTEGRATION_DISABLE_DUE_TO_ERROR, self._now_ns(), self.subject, SYSTEM, details=details))
        self.health = Health(self.options.limits)
        self._changed()

    def _remember(self, *events: Event) -> None:
        """Store whether the sink is disabled, and the digest of its entry, in one commit with these events."""
        text = written(self.disabled, self.mark)
        if isinstance(self._memory, dict):
            self._memory[self.sink] = text
        self._log.append(events, {self.sink: text})


def pause_s(tries: int, bounds_s: tuple[float, float], chance: random.Random) -> float:
    """The pause in seconds after so many failures in a row: exponential backoff with full jitter.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """
    first_s, longest_s = bounds_s
    return chance.uniform(0.0, min(longest_s, first_s * 2.0 ** min(tries - 1, 30)))
