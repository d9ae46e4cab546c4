"""The retained `stream` as a witness: it shows that an older copy of the log was restored and would reuse its numbers.

One rule: no record is sent before the retained message was compared with the log, or there is none.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from edge.log.log import LogUnavailableError
from edge.model.event_types import CONTROLLER_START
from edge.model.ports import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.log.log import Log
    from edge.model.messages import Json, Record

LOG: Final = logging.getLogger(__name__)
WITNESS_S: Final = 1.0
"""How long to wait for the retained `stream`, once after each start."""
RENEWAL_S: Final = 10.0
"""How long the disk may take to begin a new epoch before the next link tries again."""
MOST_STARTS: Final = 100
"""Starts of the newest runs that are kept, also of runs that the log lost: an older copy may have them."""
MOST_STREAMS: Final = 32
LARGEST: Final = 65_536


class StreamWitness:
    """The content of the retained `stream`, with which a later run compares its log."""

    def __init__(self, log: Log, has_twin: Callable[[], None]) -> None:
        """Nothing is known yet; `has_twin` is called when another process publishes as this controller."""
        self._log, self._has_twin = log, has_twin
        self._run = uuid4().hex
        """A random id of this run of doord."""
        self._count = 0
        """How many messages this run has made."""
        self._before: tuple[int, str] = (0, "")
        """Count and run of the message that was retained at our start."""
        self._stream = ""
        """The stream that `_last` is of."""
        self._last: tuple[int, str] = (0, "")
        """Number and hash of the newest record."""
        self._starts: list[tuple[int, str]] = []
        """Number and hash of the first record of each of the newest runs in the log."""
        self._known: list[tuple[int, str]] = []
        """The same of the runs in the retained message."""
        self.begins: dict[str, int] = {}
        """Stream -> the number of its first record in the log."""
        self._former: dict[str, list[Json]] = {}
        """Former stream -> number and hash of its newest record that was published."""
        self._word: asyncio.Future[bytes] | None = None
        self.heard = False
        """Sending may begin."""

    def committed(self, records: Sequence[Record]) -> None:
        """These records are new in the log."""
        self._notice_stream()
        self._last = records[-1].sequence, records[-1].hash
        self._starts += [(record.sequence, record.hash) for record in records if record.event.type == CONTROLLER_START]
        del self._starts[:-MOST_STARTS]

    def facts(self) -> dict[str, Json]:
        """The content for the broker to retain."""
        self._notice_stream()
        streams: dict[str, Json] = {**self._former, self._log.stream: [*self._last]}
        starts = [*dict.fromkeys([*self._known, *self._starts])][-MOST_STARTS:]
        self._count += 1
        run: Json = [self._count, self._run]
        return {"begins": {**self.begins}, "streams": streams, "starts": [[*start] for start in starts], "run": run}

    def _notice_stream(self) -> None:
        """When the log goes on in another stream, what was sent of the one before stays known to its last record."""
        if self._stream == self._log.stream:
            return
        if self._last[0]:
            former = self._former | {self._stream: [*self._last]}
            self._former = dict([*former.items()][-MOST_STREAMS:])
        self._stream, self._last = self._log.stream, (0, "")

    def take(self, payload: bytes) -> None:
        """The retained message arrived."""
        if self._word is not None and not self._word.done():
            self._word.set_result(payload)
            if self.heard:  # later than `hear` waited: compared with nothing, but what was before us is no twin
                self._before = _run(_word(payload)) or self._before
        elif self.heard and self._is_of_another(_run(_word(payload))):
            self._has_twin()

    def _is_of_another(self, run: tuple[int, str] | None) -> bool:
        """Whether another run has published it since ours began. A broker that lost data may retain an older one."""
        if run is None or run[1] == self._run:
            return False
        return run[1] != self._before[1] or run[0] > self._before[0]

    async def hear(self, ask: Callable[[], None]) -> None:
        """Wait for the retained message, and begin a new epoch if it shows that this one's numbers were used.

        This is done once after each start; after that only the log's own streams are followed, and twins noticed.
        LinkError when no new epoch can be written now. While the log cannot be read, nothing is compared.
        """
        if self.heard:
            ask()
            await self._follow()
            return
        self._word = asyncio.get_running_loop().create_future()
        ask()
        done, _ = await asyncio.wait({self._word}, timeout=WITNESS_S)
        try:
            await self._look_back()
            if done:
                await self._judge(_word(self._word.result()))
        except LogUnavailableError:
            return
        except TimeoutError:
            raise LinkError("the log went back in time, and cannot be written to say so") from None
        except Exception:  # our own mistake must not stop sending for ever
            LOG.exception("the log cannot be compared with what the broker keeps")
        self.heard = True

    async def _follow(self) -> None:
        """Read the log again if it has begun a new epoch since."""
        if self._log.stream not in self.begins:
            with suppress(LogUnavailableError):  # then nothing of it can be sent either
                await self._look_back()

    async def _look_back(self) -> None:
        """Read the newest record, the starts of runs and the streams from the log."""
        from edge.log.reading.query import Query  # noqa: PLC0415 -- sqlite-utils takes 70 ms that doors need not wait for

        page = await self._log.query(Query(types=(CONTROLLER_START,), newest=True, limit=MOST_STARTS))
        self._starts = sorted((record.sequence, record.hash) for record in page.records)
        newest = await self._log.read(self._log.committed - 1, 1)
        self._notice_stream()
        self._last = (newest[0].sequence, newest[0].hash) if newest else (self._log.committed, "")
        self.begins = await self._look_for_begins()

    async def _look_for_begins(self) -> dict[str, int]:
        """Stream -> the number of its first record, by bisection."""
        controller, _, own = self._log.stream.rpartition("/")
        begins: dict[str, int] = {}
        at = 1
        while records := await self._log.read(at - 1, 1):
            epoch = records[0].epoch or own
            begins[f"{controller}/{epoch}"] = at
            if epoch == own:
                return begins
            at = await self._behind(epoch, records[0].sequence)
        return {**begins, self._log.stream: at}

    async def _behind(self, epoch: str, last: int) -> int:
        """The number behind the last record of an epoch; record `last` belongs to it."""
        low, high = last + 1, self._log.committed + 1
        while low < high:
            middle = (low + high) // 2
            records = await self._log.read(middle - 1, 1)
            if records and records[0].epoch == epoch:
                low = records[0].sequence + 1
            else:
                high = middle
        return low

    async def _judge(self, word: dict[str, Any]) -> None:
        streams = word.get("streams")
        streams = streams if isinstance(streams, dict) else {}
        starts = word.get("starts")
        known = [(pair[0], pair[1]) for pair in starts if _is_word(pair)] if isinstance(starts, list) else []
        self._before = _run(word) or self._before
        used = streams.get(self._log.stream)
        if used is not None and not await self._is_ours(used):
            reason = f"the broker knows record {used[0]} of {self._log.stream}, and the log has another one, or none"
            LOG.error("the log went back in time: %s", reason)
            await asyncio.wait_for(self._log.new_epoch(reason, self._after(known)), RENEWAL_S)
            self._stream = self._log.stream  # `_last` is of it now; the broker knows better what the former one had
            self.begins = await self._look_for_begins()
        former = {name: pair for name, pair in streams.items() if name != self._log.stream and _is_word(pair)}
        self._former = dict(list(former.items())[-MOST_STREAMS:])
        self._known = known[-MOST_STARTS:]

    async def _is_ours(self, used: object) -> bool:
        """Whether the log has the published record; True also when it was removed since and may have been the same."""
        if not isinstance(used, list) or not _is_word(used):
            return True
        sequence, digest = int(used[0]), str(used[1])
        if sequence > self._log.committed:
            return False
        records = await self._log.read(sequence - 1, 1)
        return not records or records[0].sequence != sequence or not digest or records[0].hash == digest

    def _after(self, known: Sequence[tuple[int, str]]) -> int | None:
        """The last record before the first run that the retained message does not have; None: before this run."""
        shared = [start[0] for start in self._starts if start in known]
        new = [start[0] for start in self._starts if start not in known and start[0] > max(shared, default=0)]
        return min(new) - 1 if shared and new else None


def _is_word(pair: object) -> bool:
    return isinstance(pair, list) and [type(part) for part in pair] == [int, str] and 0 < pair[0] < 2**53


def _run(word: dict[str, Any]) -> tuple[int, str] | None:
    """Count and run of a retained message; None when it has none, as from an older release."""
    run = word.get("run")
    return (run[0], run[1]) if isinstance(run, list) and _is_word(run) else None


def _word(payload: bytes) -> dict[str, Any]:
    """The retained message, {} when it is malformed. A forged one can begin a new epoch or suggest a twin, no more."""
    try:
        content = json.loads(payload) if len(payload) <= LARGEST else None
    except (ValueError, RecursionError):
        content = None
    return content if isinstance(content, dict) else {}
