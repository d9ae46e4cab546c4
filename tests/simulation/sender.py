"""Whoever sends commands over MQTT: new ones, the same again, other ones under a used id, and what must be refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from edge.model.messages import ClockQuality
from edge.model.ports import Incoming
from tests.support.upstream import TOPIC

if TYPE_CHECKING:
    from tests.simulation.world import World

RULE: Final = "4 one outcome and one answer for each command id"
BUSY: Final = "busy"
"""It could not be judged: nothing is known of it."""
NOT_YET: Final = frozenset({"expired", "issued_in_future", "clock_unsynced", "too_many"})
"""Refused before its id was stored: it may be sent again."""
GARBAGE: Final = (
    b"",
    b"\xff\xfe\x00",
    b"[" * 60_000,
    b'{"id": "g", "command": "unlock"',
    b'{"id": "g", "id": "h", "command": "unlock", "door": "front", "actor": {"id": "a"}}',
    b'{"id": "g", "command": "unlock", "door": "front", "for_s": NaN}',
    b'{"id": 7, "command": "unlock", "door": "front", "issued_at": 0, "actor": "root"}',
    b'{"id": "g", "command": "format_disk", "all": true, "actor": {"id": "a"}}',
    b"x" * 65_537,
)


@dataclass(slots=True)
class Message:
    """One message on `commands`."""

    id: str
    kind: str
    """`order`, or what is wrong with it: `retained`, `expired`, `garbage`."""
    body: dict[str, Any]
    payload: bytes
    expires_us: int
    until_s: float = 0.0
    """By the boot clock: when it expires, as the controller could know when it got it."""
    answered: bool = False
    taken: bool = False

    @property
    def may_be_done(self) -> bool:
        """It may be carried out, if its time is not over or nobody knows the time."""
        return self.kind in {"order", "expired"}

    @property
    def said(self) -> dict[str, Any]:
        """What it says, without its times."""
        return {key: value for key, value in self.body.items() if key not in {"issued_at", "expires_at"}}


@dataclass(slots=True)
class Fate:
    """What is known of one id."""

    done: int = 0
    """How often it was carried out."""
    before: bool = False
    """It was carried out before the log went back or was lost; the log may know that still."""
    by: dict[str, Any] = field(default_factory=dict)
    """What the command said that was carried out."""
    answer: bytes | None = None
    """What somebody was told of it, once it was carried out."""


class Sender:
    """Sends, and hears the answers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.messages: list[Message] = []
        """The number of each is its correlation."""
        self._fates: dict[str, Fate] = {}

    # --- what is sent ---

    def send(self, kind: str, number: int, target: str, command: str, for_s: float | None) -> None:
        """Say a command; the same number is the same id."""
        now_us = self._wall_us()
        lasts_s = -5 if kind == "expired" else 12
        where: dict[str, Any] = {"all": True} if target == "all" else {"door": target}
        body = {
            "id": f"c-{number}",
            "command": command,
            **where,
            **({"for_s": for_s} if for_s else {}),
            "issued_at": _text(now_us - 10_000_000 if kind == "expired" else now_us),
            "expires_at": _text(now_us + lasts_s * 1_000_000),
            "actor": {"id": "ann"},
        }
        payload = GARBAGE[number % len(GARBAGE)] if kind == "garbage" else json.dumps(body).encode()
        self.messages.append(Message(f"c-{number}", kind, body, payload, now_us + lasts_s * 1_000_000))
        self._world.broker.deliver()

    def _wall_us(self) -> int:
        return round(self._world.time() * 1e6) + self._world.wall_offset_us

    def repeat(self) -> bool:
        """Send again what nobody has answered; False when there is nothing."""
        waiting = [message for message in self.messages if not message.answered]
        for message in waiting:
            if message.taken:
                message.answered = True  # by the answer to the next one
                self.messages.append(replace(message, answered=False, taken=False))
        self._world.broker.deliver()
        return bool(waiting)

    def incoming(self, number: int) -> Incoming:
        """As the broker hands it to the controller."""
        message = self.messages[number]
        clock, correlation = self._world.life.clock, str(number).encode()
        if clock.quality() is not ClockQuality.UNSYNCED:
            message.until_s = self._world.time() + (message.expires_us - clock.wall_us()) / 1e6
        return Incoming(f"{TOPIC}/commands", message.payload, message.kind == "retained", None, correlation)

    # --- what becomes of it ---

    def carried_out(self, command_id: str, name: str, doors: list[str]) -> None:
        """The rules get it now: it was sent, may be carried out, and is so for the first time."""
        clock, fate = self._world.life.clock, self._fates.setdefault(command_id, Fate())
        orders = [
            message
            for message in self.messages
            if message.id == command_id
            and message.may_be_done
            and message.body["command"] == name
            and sorted(doors) == ([message.body["door"]] if "door" in message.body else sorted(self._world.doors))
            and (clock.quality() is ClockQuality.UNSYNCED or clock.wall_us() < message.expires_us)
            and (name != "unlock" or self._world.time() < message.until_s)
        ]
        if not orders:
            self._world.breaks("4 only a valid command in its time is carried out", f"{command_id}: {name} {doors}")
        elif fate.done:
            self._world.breaks("4 each id is carried out at most once", f"{command_id}: {name} {doors}")
        else:
            fate.by = orders[0].said
        fate.done += 1

    def forget(self) -> None:
        """The log went back or was lost: ids may be used again, answers may change."""
        self._fates = {name: Fate(before=fate.before or fate.done > 0) for name, fate in self._fates.items()}
        self._world.commanding.said.clear()

    def heard(self, correlation: bytes | None, payload: bytes) -> None:
        """An answer arrived."""
        message, answer = self.messages[int(correlation or b"-1")], json.loads(payload)
        message.answered = True
        self._world.trace.append((self._world.time(), message.id, payload))
        if not message.may_be_done:
            if answer["done"] or answer["code"] is None:
                self._world.breaks("4 what is no valid command is refused", f"{message.kind}: {payload!r}")
            return
        fate = self._fates.setdefault(message.id, Fate())
        if fate.done and message.said == fate.by:
            self._one_answer(message, fate, answer, payload)
        elif answer["done"] and not fate.before:
            self._world.breaks(RULE, f"{message.id} was never carried out: {payload!r}")

    def _one_answer(self, message: Message, fate: Fate, answer: dict[str, Any], payload: bytes) -> None:
        if answer["code"] == BUSY:
            return
        if answer["code"] in NOT_YET and not answer["outcomes"]:
            self._world.breaks(RULE, f"{message.id} was carried out: {payload!r}")
        if fate.answer is not None and fate.answer != payload:
            self._world.breaks(RULE, f"{message.id}: {fate.answer!r}, then {payload!r}")
        if answer["code"] == "duplicate":
            return
        fate.answer = payload
        said = self._world.commanding.said.get(message.id, {})
        for door, outcome in answer["outcomes"].items():
            self._world.commanding.answered(door, said[door], done=outcome["done"], stored=True)


def _text(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat()
