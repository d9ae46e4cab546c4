"""Commands from the broker: judged, admitted once, carried out, answered; or refused, and why.

One rule: an id is on the disk before its command reaches a door, so it is carried out at most once,
also across a restart. The network waits for the disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from edge.log import LogUnavailableError
from edge.messages import SYSTEM, Actor, CommandName, Event, Subject
from edge.orders import Order, Receiver, Refusal, parse_command, reply
from edge.problems import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.clock import Clock
    from edge.log import Log
    from edge.messages import Json
    from edge.order_shape import Signer
    from edge.orders import Entry, Keyring
    from edge.people import People
    from edge.ports import Incoming
    from edge.runner import Runner
    from edge.settings import KeySettings, Settings
    from edge.sync import Upstream

LOG: Final = logging.getLogger(__name__)
MAX_AT_ONCE: Final = 100
"""Commands under way; more are refused as `busy`."""
REFUSALS_A_MINUTE: Final = 30
"""More refusals are answered and counted, but not recorded: nobody may fill the log from outside."""
MOST_PROBLEMS: Final = 50
"""Of a directory, told in the answer; how many more there are is told too."""
MAX_ANSWERS: Final = 200
"""Answers kept here as well: the log does not have the newest ones yet, and says nothing of expired ids."""
SENDER: Final = Actor("operator", "mqtt", "MQTT")
RECORDED_AS: Final = {
    CommandName.UNLOCK: "lock.unlock",
    CommandName.HOLD_UNLOCKED: "lock.unlock",
    CommandName.LOCK: "lock.locked",
    CommandName.LOCK_DOWN: "lock.lock_down",
    CommandName.CANCEL_LOCKDOWN: "lock.cancel_lockdown",
    CommandName.BLOCK: "lock.update",
    CommandName.UNBLOCK: "lock.update",
}


class Host(Protocol):
    """What the daemon lends."""

    runner: Runner
    people: People
    log: Log
    clock: Clock
    upstream: Upstream | None

    def controller(self) -> Subject:
        """The controller itself."""

    def status(self) -> Json:
        """The whole status, the answer to `diagnose`."""


class CommandDesk:
    """Takes messages of the `commands` topic."""

    def __init__(self, host: Host, *, signatures_required: bool) -> None:
        """Serves for as long as the host lives; a signature that is required is refused until there are keys."""
        self._host = host
        self._signatures_required = signatures_required
        self._keyring: Keyring | None = None
        self._bad_keys: tuple[str, ...] = ()
        self._under_way: set[asyncio.Task[None]] = set()
        self._answers: dict[str, bytes] = {}
        """By id, the oldest first; of too many the oldest are forgotten."""
        self._window_s, self._refused = 0.0, 0
        self.unrecorded = 0

    async def start(self, settings: Settings) -> None:
        """Read the keys, without making doors wait. One that cannot be used is a fault; the others count."""
        keyring, problems = await _read(settings)
        self.obey(keyring, settings)
        for key, message in problems.items():
            LOG.error("%s: %s", key, message)
            self._say("controller.fault", key, message)
        self._bad_keys = tuple(problems)

    async def read_keys(self, settings: Settings) -> Keyring | None:
        """Read keys that are to count from now on. Raises ConfigError with everything that is wrong with them."""
        keyring, problems = await _read(settings)
        if problems:
            raise ConfigError(Problem(settings.file, key, message) for key, message in problems.items())
        return keyring

    def obey(self, keyring: Keyring | None, settings: Settings) -> bool:
        """From the next message on these keys count; whether that is any change."""
        before = self._signatures_required, _signers(self._keyring)
        self._keyring, self._signatures_required = keyring, bool(settings.commands.keys)
        for key in self._bad_keys:
            self._say("controller.fault_cleared", key, None)
        self._bad_keys = ()
        return before != (self._signatures_required, _signers(keyring))

    def _say(self, kind: str, key: str, reason: str | None) -> None:
        at_ns, details = self._host.clock.now_ns(), {"reason": reason}
        self._host.log.append([Event(kind, at_ns, Subject("key", key, key), SYSTEM, details=details)])

    def ordered(self, incoming: Incoming) -> None:
        """A message came."""
        host = self._host
        receiver = Receiver(
            host.controller().id,
            host.runner.doors,
            host.clock.wall_us(),
            host.clock.quality(),
            self._signatures_required,
            self._keyring,
        )
        order = parse_command(incoming.payload, receiver, retained=incoming.retained)
        if isinstance(order, Order) and len(self._under_way) >= MAX_AT_ONCE:
            order = _refusal(order, "busy", f"{MAX_AT_ONCE} commands are under way")
        if isinstance(order, Refusal):
            before = self._answers.get(order.id or "") if order.code == "expired" else None
            if before is not None:  # it came in time once, and comes again
                self._answer(incoming, before)
            else:
                self._refuse(order, incoming)
            return
        task = asyncio.create_task(self._serve(order, incoming), name=f"command {order.id}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _serve(self, order: Order, incoming: Incoming) -> None:
        log = self._host.log
        try:
            admission = await log.admit(order.id, order.expires_us)
        except LogUnavailableError as error:
            self._refuse(_refusal(order, "busy", str(error)), incoming)
            return
        if not admission.first:
            text = "this id was carried out before; its answer is lost"
            lost = reply(order.id, order.name, {}, code="duplicate", text=text)
            self._answer(incoming, admission.reply or self._answers.get(order.id, lost))
            return
        if self._expired(order):  # while it waited for the disk: a pulse never runs late
            answer = self._refuse(_refusal(order, "expired", "it expired before it could be admitted"), incoming)
        else:
            answer = self._carry_out(order) if order.directory is None else await self._apply(order, order.directory)
            self._answer(incoming, answer)
        log.settle(order.id, answer)
        self._answers[order.id] = answer
        if len(self._answers) > MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]

    def _expired(self, order: Order) -> bool:
        return order.expires_us is not None and order.expires_us <= self._host.clock.wall_us()

    def _carry_out(self, order: Order) -> bytes:
        host = self._host
        if order.name == "diagnose":
            return reply(order.id, order.name, host.status())
        if order.span is not None and host.upstream is not None:
            host.upstream.replay(*order.span)
            return reply(order.id, order.name, {})
        if order.entry is not None:
            return self._enter(order, order.entry)
        outcomes = host.runner.command(
            CommandName(order.name),
            order.doors,
            command_id=order.id,
            actor=order.actor,
            for_s=order.for_s,
            details=_signed_by(order.signer),
        )
        told: Mapping[str, Json] = {door: asdict(outcome) for door, outcome in outcomes.items()}
        refused = next((outcome for outcome in outcomes.values() if not outcome.done), None)
        if refused is None:
            return reply(order.id, order.name, dict(told))
        return reply(order.id, order.name, dict(told), code=refused.code, text=refused.message)

    def _enter(self, order: Order, entry: Entry) -> bytes:
        """What nobody at a door can witness, in the words of whoever may say it."""
        details = {**entry.details, **_signed_by(order.signer)}
        event = Event(entry.type, self._host.clock.now_ns(), entry.object, order.actor, "operator", details=details)
        self._host.log.append([event])
        return reply(order.id, order.name, {})

    async def _apply(self, order: Order, directory: Mapping[str, Json]) -> bytes:
        """Put a whole directory in force, or say everything that is wrong with it."""
        document = json.dumps(directory, ensure_ascii=False).encode()
        try:
            applied = await self._host.people.keeper.apply(document, Path(f"command {order.id}"), order.actor)
        except ConfigError as error:
            problems: list[Json] = [f"{one.key}: {one.message}".removeprefix(": ") for one in error.problems]
            refusal = _refusal(order, "invalid_directory", str(problems[0]))
            left = max(0, len(problems) - MOST_PROBLEMS)
            outcomes: dict[str, Json] = {"problems": problems[:MOST_PROBLEMS], "more": left}
        except OSError as error:
            refusal, outcomes = _refusal(order, "busy", str(error)), {}
        else:
            return reply(order.id, order.name, {"version": applied.version})
        self._record(refusal)
        return reply(order.id, order.name, outcomes, code=refusal.code, text=refusal.message)

    def _record(self, refusal: Refusal) -> None:
        LOG.warning("a command was refused: %s", refusal.code)
        if self._worth_recording():
            self._host.log.append([self._event(refusal)])
        else:
            self.unrecorded += 1

    def _refuse(self, refusal: Refusal, incoming: Incoming) -> bytes:
        self._record(refusal)
        answer = reply(refusal.id, refusal.name, {}, code=refusal.code, text=refusal.message)
        self._answer(incoming, answer)
        return answer

    def _event(self, refusal: Refusal) -> Event:
        """A refused command as what it would have been; one that makes no sense as a fault."""
        host = self._host
        now_ns = host.clock.now_ns()
        details: dict[str, Json] = {"command": refusal.name, "id": refusal.id, "reason": refusal.message}
        details |= _signed_by(refusal.signer)
        door = host.runner.doors.get(refusal.door or "")
        known = RECORDED_AS.get(CommandName(refusal.name)) if refusal.name in set(CommandName) else None
        return Event(
            known or "controller.fault",
            now_ns,
            host.controller() if door is None else door.subject,
            refusal.actor or SENDER,
            "operator" if known else None,
            success=False,
            code=refusal.code,
            door=refusal.door,
            details=details,
        )

    def _worth_recording(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._window_s > 60:  # noqa: PLR2004 -- a minute
            self._window_s, self._refused = now_s, 0
        self._refused += 1
        return self._refused <= REFUSALS_A_MINUTE

    def _answer(self, incoming: Incoming, answer: bytes) -> None:
        if self._host.upstream is not None:
            self._host.upstream.reply(incoming.response_topic, answer, incoming.correlation)


def _refusal(order: Order, code: str, text: str) -> Refusal:
    """A good command that comes to nothing."""
    return Refusal(code, text, order.id, order.name, actor=order.actor, signer=order.signer)


def _signed_by(signer: Signer | None) -> dict[str, Json]:
    return {} if signer is None else {"signed_by": signer.facts()}


async def _read(settings: Settings) -> tuple[Keyring | None, dict[str, str]]:
    return await asyncio.to_thread(_read_keys, settings.commands.keys) if settings.commands.keys else (None, {})


def _read_keys(chosen: Sequence[KeySettings]) -> tuple[Keyring, dict[str, str]]:
    from edge.tokens import read_keys  # noqa: PLC0415 -- doors are guarded before cryptography is imported

    return read_keys(chosen)


def _signers(keyring: Keyring | None) -> tuple[Signer, ...]:
    return () if keyring is None else keyring.signers
