"""What commands do to doors: said at the socket or over MQTT, seen when the rules get them, believed when answered."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from edge.socket.peers import RequestError
from tests.simulation.truth import ENDS, FOR_EVER
from tests.support.house import OTTO

if TYPE_CHECKING:
    from edge.doors.runner import Outcome
    from edge.model.messages import CommandName
    from tests.simulation.life import Life
    from tests.simulation.truth import DoorTruth, Permission
    from tests.simulation.world import World

LOCAL: Final = "local-"
"""Ids of commands from the socket begin so."""


@dataclass(slots=True)
class Said:
    """One command at one door, when the rules got it."""

    command: str
    at_s: float
    permission: Permission | None
    before: int
    """How many permissions there were before it."""
    downs: int
    order: int
    life: Life
    events: int = 0
    """How many events of this life were handed to the log until it was done."""


_LATEST: Final[ContextVar[dict[str, Said]]] = ContextVar("latest")
"""What the present task has said last, by door."""


class Commanding:
    """Notes every command that reaches the doors, and what holds once it was answered."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.said: dict[str, dict[str, Said]] = {}
        """By id and door, of commands that came over MQTT."""

    def watch(self, life: Life) -> None:
        """See what the rules of this life get."""
        runner = life.daemon.runner
        command = runner.command

        def seen(name: CommandName, doors: Any, *, command_id: str, **more: Any) -> dict[str, Outcome]:
            doors = [*doors]
            if not command_id.startswith(LOCAL):
                self._world.sender.carried_out(command_id, str(name), doors)
            said = {door: self._say(life, self._world.doors[door], str(name), more.get("for_s")) for door in doors}
            outcomes = command(name, doors, command_id=command_id, **more)
            for door, outcome in outcomes.items():
                said[door].events = len(life.events)
                if not outcome.done:
                    self._withdraw(said[door])
            _LATEST.set(said)
            if not command_id.startswith(LOCAL):
                self.said[command_id] = said
            return outcomes

        runner.command = seen  # type: ignore[method-assign]

    def _say(self, life: Life, door: DoorTruth, command: str, for_s: float | None) -> Said:
        said_s, permission, before = life.loop.virtual_s, None, len(door.permissions)
        if command == "unlock":
            permission = door.permit("unlock", said_s, said_s + (for_s or self._world.unlock_s))
        elif command == "hold_unlocked":
            permission, door.held, door.unsure = door.permit("hold", said_s, FOR_EVER), True, True
        if command in {"lock_down", "cancel_lockdown"}:
            door.up(said_s)
            door.downs += 1
        door.orders += 1
        return Said(command, said_s, permission, before, door.downs, door.orders, life)

    @staticmethod
    def _withdraw(said: Said) -> None:
        if said.permission is not None:
            said.permission.until_s = min(said.permission.until_s, said.at_s)

    def answered(self, name: str, said: Said, *, done: bool, stored: bool) -> None:
        """Somebody was told what became of it at this door."""
        world, door = self._world, self._world.doors[name]
        now_s = world.life.loop.virtual_s
        if stored and said.life is world.life:
            world.life.promised = max(world.life.promised, said.events)
        if not done or said.command not in ENDS:
            return
        door.withdraw(said.before, now_s, ENDS[said.command])
        if said.order == door.orders:
            door.unsure = (door.unsure if said.command == "lock_down" else False) or not stored
        elif not stored:
            door.unsure = True
        if stored and said.command == "lock_down" and said.downs == door.downs:
            door.locked_down(now_s)

    # --- at the socket ---

    def ask(self, door: str, command: str, for_s: float | None) -> None:
        """An operator says it with `doorctl`."""
        life = self._world.life
        life.asked.append(asyncio.ensure_future(self._ask(life, door, command, for_s)))

    async def _ask(self, life: Life, door: str, command: str, for_s: float | None) -> None:
        body = {"command": command, "door": door, **({"for_s": for_s} if for_s else {})}
        try:
            answer: Any = await life.daemon.service.request("command", body, OTTO)
        except RequestError:
            return
        outcome = answer["outcomes"][door]
        outcome = outcome if isinstance(outcome, dict) else asdict(outcome)
        self._world.trace.append((life.loop.virtual_s, door, command, outcome))
        self.answered(door, _LATEST.get()[door], done=outcome["done"], stored=outcome["code"] is None)
