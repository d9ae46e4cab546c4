"""A test of an alert policy: one message by every way that it has, and what each answered.

One rule: it is no alert. Nothing is open afterwards, repeated or escalated, and no siren sounds unless asked.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from edge.alerts.state import Notice, NoticeKind
from edge.delivery.errors import DeliveryError
from edge.model.event_types import INTEGRATION_UPDATE
from edge.model.messages import NS_PER_S, Event, Subject
from edge.settings.alert_policies import EMAIL
from edge.socket.server import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.alerts.sender import NoticeQueue
    from edge.model.messages import Actor, Json
    from edge.settings.alert_policies import AlertPolicy
    from edge.system.clock import Clock

LOG: Final = logging.getLogger(__name__)
LIMIT_S: Final = 70.0
"""Limit for all answers; a mail server may take 60 s."""
AT_ONCE: Final = 8
"""Messages that are sent at the same time."""
SIREN_S: Final = 5.0
"""A siren that is tested sounds so long at most."""


class Trials:
    """Tests the policies of the runner, when somebody asks at the control socket."""

    def __init__(self, alerts: NoticeQueue, clock: Clock, changed: Callable[[], None]) -> None:
        """`changed` is called when other sirens have to sound."""
        self._alerts, self._clock, self._changed = alerts, clock, changed
        self._sirens: dict[str, int] = {}
        """Door whose siren is tested -> its end, in nanoseconds of the boot clock."""

    async def serve(self, body: dict[str, Any], actor: Actor) -> Json:
        """Test `policy`, its `siren` too. Who does so is recorded before anything leaves."""
        name = body.get("policy")
        policies = {key: policy for key, policy in self._alerts.policies.items() if not policy.spare}
        policy = policies.get(name) if isinstance(name, str) else None
        if policy is None:
            raise RequestError(
                "unknown_policy", f"there is no alert policy {name!r}; there is {', '.join(policies) or 'none'}"
            )
        aloud = body.get("siren") is True
        subject = Subject("integration", f"alert.{policy.id}", policy.name)
        details: dict[str, Json] = {"tested": policy.id, "siren": aloud}
        self._alerts.keep(Event(INTEGRATION_UPDATE, self._clock.now_ns(), subject, actor, details=details))
        sirens = [self._siren(*siren, aloud=aloud) for siren in _sirens(policy).items()]
        return {"policy": policy.id, "answers": [*await self._messages(policy), *sirens]}

    def sounding(self, now_ns: int) -> frozenset[str]:
        """The doors whose siren sounds for a test."""
        self._sirens = {door: until_ns for door, until_ns in self._sirens.items() if now_ns < until_ns}
        return frozenset(self._sirens)

    def deadline_ns(self) -> int | None:
        """When the next siren ends; None: none sounds."""
        return min(self._sirens.values(), default=None)

    def _siren(self, door: str, for_s: float, *, aloud: bool) -> Json:
        if aloud:
            self._sirens[door] = self._clock.now_ns() + round(for_s * NS_PER_S)
            self._changed()
        answer = f"sounds for {for_s:g} s" if aloud else "not tested: give --siren"
        return {"way": f"siren {door}", "taken": True if aloud else None, "answer": answer}

    async def _messages(self, policy: AlertPolicy) -> list[Json]:
        """Send a message by each way; what each answered, in that order."""
        notices = [*_notices(policy, self._clock.wall_us())]
        gate = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.create_task(self._send(*one, policy, gate), name=f"test by {one[0]}") for one in notices]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=LIMIT_S)
        finally:
            for task in tasks:
                task.cancel()
        return [_answer(channel, notice, task) for (channel, notice), task in zip(notices, tasks, strict=True)]

    async def _send(self, channel: str, notice: Notice, policy: AlertPolicy, gate: asyncio.Semaphore) -> str | None:
        """Why the message was not taken; None: it was."""
        try:
            async with gate:
                await self._alerts.channels.tell(channel, notice, policy, self._alerts.identity(), 0)
        except DeliveryError as error:
            return str(error)
        except Exception as error:
            LOG.exception("internal error in a test by %s", channel)
            return f"{type(error).__name__}: {error}"
        return None


def _sirens(policy: AlertPolicy) -> dict[str, float]:
    """Door -> seconds that its siren sounds in a test."""
    sirens = (actions.siren for actions in (policy.actions, policy.escalate_to))
    return {siren.door: min(siren.for_s, SIREN_S) for siren in sirens if siren is not None}


def _notices(policy: AlertPolicy, now_us: int) -> Iterator[tuple[str, Notice]]:
    """Channel and message, one for each recipient of e-mail: a server may refuse some of them only."""
    ways = dict.fromkeys(
        (channel, one)
        for actions in (policy.actions, policy.escalate_to)
        for channel, to in actions.channels()
        for one in (to or ("",))
    )
    alert, text = f"{policy.id}-test", f"{policy.name}. Nothing has happened"
    for number, (channel, to) in enumerate(ways, 1):
        about = (alert, policy.id, NoticeKind.TEST, "", 0, now_us, text, 0)
        yield channel, Notice(f"{alert}-{now_us}-{number}", *about, (to,) if to else ())


def _answer(channel: str, notice: Notice, task: asyncio.Task[str | None]) -> Json:
    error = task.result() if task.done() and not task.cancelled() else f"no answer within {LIMIT_S:.0f} s"
    way = f"{channel} {notice.to[0]}" if channel == EMAIL else channel
    return {"way": way, "taken": error is None, "answer": error}
