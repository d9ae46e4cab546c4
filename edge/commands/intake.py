"""Commands from the broker: checked, carried out once and answered, or refused with the reason.

One rule: a command's id is on the disk before the command reaches a door. So it is carried out at most once,
also over a restart. The network waits for the disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.access.edits import BroughtBy, apply_directory, edit_directory
from edge.commands.allowance import KeyAllowance
from edge.commands.keyring import read_keyring, signers
from edge.commands.parsing import Context, Order, Refusal, parse_command, reply
from edge.commands.refusals import CommandRefusals, durable, signed_by
from edge.log.log import LogUnavailableError
from edge.model.event_types import CONTROLLER_FAULT, CONTROLLER_FAULT_CLEARED
from edge.model.messages import SYSTEM, ClockQuality, CommandName, Event, Subject
from edge.model.problems import ConfigError, Problem
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.access.people import People
    from edge.commands.parsing import EnteredRecord, TokenVerifier
    from edge.commands.refusals import Acknowledge, WayBack
    from edge.doors.runner import Runner
    from edge.log.log import Log
    from edge.model.messages import Json
    from edge.model.ports import Admission, Incoming
    from edge.settings.controller import Settings
    from edge.system.clock import Clock

LOG: Final = logging.getLogger(__name__)
MAX_AT_ONCE: Final = 100
"""Commands under way. Further ones are refused as `busy`."""
MOST_ARRIVALS: Final = 20
"""How often one command may arrive before its first answer. Further arrivals are not answered."""


@dataclass(slots=True)
class _UnderWay:
    """A command between its arrival and its answer."""

    task: asyncio.Task[None]
    asked: list[Incoming]
    """Its arrivals, which all get the answer."""
    ends_ns: int | None
    """When it expires by the boot clock, whatever becomes of the calendar; None: never, or not known."""


class CommandIntake:
    """Handles messages of the `commands` topic."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        controller: Subject,
        *,
        runner: Runner,
        people: People,
        log: Log,
        clock: Clock,
        way_back: Callable[[], WayBack | None],
        status: Callable[[], Json],
        acknowledge: Acknowledge,
        signatures_required: bool,
    ) -> None:
        """Where signatures are required, every command is refused until the keys are read.

        `way_back` returns None without a broker. `status` is the answer to `diagnose`.
        """
        self._controller, self._runner, self._people = controller, runner, people
        self._log, self._clock, self._way_back, self._status = log, clock, way_back, status
        self._acknowledge = acknowledge
        self._signatures_required = signatures_required
        self._keyring: TokenVerifier | None = None
        self._bad_keys: tuple[str, ...] = ()
        self._under_way: dict[tuple[str, bytes], _UnderWay] = {}
        """By id and content: which of two commands has an id, the log knows."""
        self._refusals = CommandRefusals(controller, runner, log, clock, way_back)
        self._allowance = KeyAllowance()

    async def start(self, settings: Settings) -> None:
        """Read the keys while doors go on. A key that cannot be used is recorded as a fault; the others are used."""
        keyring, problems = await read_keyring(settings.commands.keys)
        self.obey(keyring, settings)
        for key, message in problems.items():
            LOG.error("%s: %s", key, message)
            self._say(CONTROLLER_FAULT, key, message)
        self._bad_keys = tuple(problems)

    async def read_keys(self, settings: Settings) -> TokenVerifier | None:
        """Read the keys of a new configuration. Raises ConfigError with all problems of them."""
        keyring, problems = await read_keyring(settings.commands.keys)
        if problems:
            raise ConfigError(Problem(settings.file, key, message) for key, message in problems.items())
        return keyring

    def obey(self, keyring: TokenVerifier | None, settings: Settings) -> bool:
        """Use these keys from the next message on. Returns whether anything changed."""
        before = self._signatures_required, signers(self._keyring)
        self._keyring, self._signatures_required = keyring, bool(settings.commands.keys)
        for key in self._bad_keys:
            self._say(CONTROLLER_FAULT_CLEARED, key, None)
        self._bad_keys = ()
        return before != (self._signatures_required, signers(keyring))

    def _say(self, kind: str, key: str, reason: str | None) -> None:
        at_ns, details = self._clock.now_ns(), {"reason": reason}
        self._log.append([Event(kind, at_ns, Subject("key", key, key), SYSTEM, details=details)])

    @property
    def unrecorded(self) -> int:
        """Refusals that were counted and are not recorded yet."""
        return self._refusals.unrecorded

    def dropped(self, what: str) -> None:
        """Count a useless message on another topic."""
        self._refusals.dropped(what)

    def ordered(self, incoming: Incoming) -> None:
        """Handle one message."""
        context = Context(
            self._controller.id,
            self._runner.doors,
            self._clock.wall_us(),
            self._clock.quality(),
            self._signatures_required,
            self._keyring,
        )
        order = parse_command(incoming.payload, context, retained=incoming.retained)
        if isinstance(order, Refusal):
            self._refusals.refuse(order, incoming)
        elif (before := self._under_way.get((order.id, order.content))) is not None:
            self._join(before, incoming)
        elif len(self._under_way) >= MAX_AT_ONCE:
            self._refusals.refuse(_refusal(order, "busy", f"{MAX_AT_ONCE} commands are under way"), incoming)
        else:
            task = asyncio.create_task(self._serve(order), name=f"command {order.id}")
            self._under_way[order.id, order.content] = _UnderWay(task, [incoming], self._ends_ns(order))
            task.add_done_callback(say_why)

    @staticmethod
    def _join(before: _UnderWay, incoming: Incoming) -> None:
        """The same command arrives again before it was answered."""
        if len(before.asked) < MOST_ARRIVALS:
            before.asked.append(incoming)
        else:
            incoming.taken()

    async def _serve(self, order: Order) -> None:
        answer: bytes | None = None
        try:
            answer = await self._answer_to(order)
        finally:
            for incoming in self._under_way.pop((order.id, order.content)).asked:
                self._refusals.reply(incoming, answer)

    async def _answer_to(self, order: Order) -> bytes | None:
        """Returns the answer once all that it reports is on the disk."""
        refusal = order.late or self._too_many(order)
        try:
            admission = await self._admit(order, only_look=refusal is not None)
        except LogUnavailableError as error:
            return self._refusals.refused(_refusal(order, "busy", str(error)))
        if not admission.same:
            answer = self._refusals.refused(_duplicate(order))
        elif not admission.known and refusal is not None:
            answer = self._refusals.refused(refusal)
        elif not admission.first:
            text = "this command was carried out before; its answer is lost"
            return admission.reply or reply(order.id, order.name, {}, code="duplicate", text=text)
        else:
            answer = await self._first(order)
            self._log.settle(order.id, answer)
        await durable(self._log)
        return answer

    async def _admit(self, order: Order, *, only_look: bool) -> Admission:
        """Store the id on the disk. The command is counted first: others may be checked while the disk is busy."""
        first = False
        self._allowance.spend(order, self._now_s())
        try:
            admission = await self._log.admit(order.id, order.expires_us, content=order.content, only_look=only_look)
            first = admission.first and not only_look
        finally:
            if not first:
                self._allowance.give_back(order, self._now_s())
        return admission

    async def _first(self, order: Order) -> bytes:
        """Carry out a command whose id is on the disk."""
        if self._expired(order):  # while it waited for the disk: an unlock is never late
            refusal = _refusal(order, "expired", "it expired before it could be admitted")
            self._refusals.record(refusal)
            return reply(order.id, order.name, {}, code=refusal.code, text=refusal.message)
        if order.directory is not None or order.edit is not None:
            return await self._change_directory(order)
        return self._carry_out(order)

    def _ends_ns(self, order: Order) -> int | None:
        if order.expires_us is None or self._clock.quality() is ClockQuality.UNSYNCED:
            return None  # without a set clock its age is not known
        return self._clock.now_ns() + (order.expires_us - self._clock.wall_us()) * 1_000

    def _expired(self, order: Order) -> bool:
        """Whether it expired while it waited, by the time of its arrival or by what the calendar shows since."""
        now_ns, ends_ns = self._clock.now_ns(), self._under_way[order.id, order.content].ends_ns
        return any(end_ns is not None and end_ns <= now_ns for end_ns in (ends_ns, self._ends_ns(order)))

    def _carry_out(self, order: Order) -> bytes:
        if order.name == "diagnose":
            return reply(order.id, order.name, self._status())
        if order.span is not None and (way_back := self._way_back()) is not None:
            way_back.replay(*order.span)
            return reply(order.id, order.name, {})
        if order.entry is not None:
            return self._enter(order, order.entry)
        if order.alert is not None:
            return self._acknowledge_alert(order, order.alert)
        outcomes = self._runner.command(
            CommandName(order.name),
            order.doors,
            command_id=order.id,
            actor=order.actor,
            for_s=order.for_s,
            details=signed_by(order.signer),
        )
        by_door: Mapping[str, Json] = {door: asdict(outcome) for door, outcome in outcomes.items()}
        refused = next((outcome for outcome in outcomes.values() if not outcome.done), None)
        if refused is None:
            return reply(order.id, order.name, dict(by_door))
        return reply(order.id, order.name, dict(by_door), code=refused.code, text=refused.message)

    def _now_s(self) -> float:
        return self._clock.now_ns() / 1e9

    def _too_many(self, order: Order) -> Refusal | None:
        """The refusal when its key has no allowance left; its id stays free. No lock-down is refused that locks."""
        wait_s = self._allowance.wait_s(order, self._now_s())
        if not wait_s or self._locks_down(order):
            return None
        again_s = max(1, round(wait_s))
        return _refusal(order, "too_many", f"too many commands {order.name}; try again in {again_s} s")

    def _locks_down(self, order: Order) -> bool:
        """Whether a door is locked down by it that is not yet. It can be no more often than a cancel."""
        down = order.name == CommandName.LOCK_DOWN
        return down and any(not self._runner.doors[door].locked_down for door in order.doors)

    def _enter(self, order: Order, entry: EnteredRecord) -> bytes:
        """Record the event that a `record` command brings; no sensor of a door can see it."""
        details = {**entry.details, **signed_by(order.signer)}
        event = Event(entry.type, self._clock.now_ns(), entry.object, order.actor, "operator", details=details)
        self._log.append([event])
        return reply(order.id, order.name, {})

    def _acknowledge_alert(self, order: Order, alert: str) -> bytes:
        """Acknowledge an alert; a key for some doors may do that at these only."""
        doors = None if order.signer is None else order.signer.doors
        code, text = self._acknowledge(alert, order.actor, doors, signed_by(order.signer)) or (None, "")
        if code is not None:
            self._refusals.record(_refusal(order, code, text))
        return reply(order.id, order.name, {}, code=code, text=text)

    async def _change_directory(self, order: Order) -> bytes:
        """Put a whole directory or an edit in force, or answer with all problems of it."""
        origin = BroughtBy(Path(f"command {order.id}"), order.actor)
        if order.edit is not None:
            answer = await edit_directory(self._people, *order.edit, origin, upstream=True)
        else:
            document = json.dumps(order.directory, ensure_ascii=False).encode()
            answer = await apply_directory(self._people, document, origin)
        if answer.code is not None:
            self._refusals.record(_refusal(order, answer.code, answer.text))
        return reply(order.id, order.name, {**answer.outcomes}, code=answer.code, text=answer.text)


def _duplicate(order: Order) -> Refusal:
    return _refusal(order, "duplicate", "another command had this id: use a new id for each command")


def _refusal(order: Order, code: str, text: str) -> Refusal:
    """The refusal of a valid command that cannot be carried out."""
    return Refusal(code, text, order.id, order.name, actor=order.actor, signer=order.signer)
