"""The questions and orders to a reader that is online: switches first, then lights and sounds, statuses, polls.

One rule: states are kept, not queued; only lights and sounds wait in a queue, and it is short.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from drivers.osdp import messages
from drivers.osdp.messages import CommandCode, Function, OsdpCommand
from drivers.osdp.profile import QUEUE, STATUS_NS, TIMED_LEVELS, Profile, Switched, Unable
from drivers.osdp.switches import Relay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.osdp.switches import Switch


class Duties:
    """The duties of one reader that is online."""

    def __init__(self, profile: Profile, switches: Mapping[str, Switch]) -> None:
        """Switches by the name of their point."""
        self.switches = dict(switches)
        self._profile = profile
        self._queue: deque[OsdpCommand] = deque(maxlen=QUEUE)  # full: the oldest light or sound is forgotten
        self._status_ns: dict[CommandCode, int] = {}
        self._unknown: set[CommandCode] = set()

    def begin(self, now_ns: int, abilities: messages.Capabilities) -> None:
        """A conversation starts: the states of switches are not known, statuses are due."""
        level = abilities.level(Function.OUTPUTS)
        for switch in self.switches.values():
            switch.forget()
            if isinstance(switch, Relay):
                switch.timed = switch.timed and (level == 0 or level in TIMED_LEVELS)
        wanted = {CommandCode.ISTAT: self._profile.inputs, CommandCode.LSTAT: self._profile.local}
        self._status_ns = {code: now_ns for code, wants in wanted.items() if wants and code not in self._unknown}

    def lose(self) -> None:
        """The reader is lost: forget all orders, and what the reader can do."""
        self._queue.clear()
        self._unknown.clear()
        for switch in self.switches.values():
            switch.lose()

    @property
    def urgent(self) -> bool:
        """Whether a switch, a light or a sound waits."""
        return bool(self._queue) or any(switch.due_ns() == 0 for switch in self.switches.values())

    def say(self, order: OsdpCommand) -> None:
        """Queue a light or a sound, unless the reader has none."""
        if order.code not in self._unknown:
            self._queue.append(order)

    def next(self, now_ns: int) -> tuple[OsdpCommand, str | None]:
        """The next order, and the switch it is for."""
        for name, switch in self.switches.items():
            due_ns = switch.due_ns()
            if due_ns is not None and due_ns <= now_ns:
                return switch.order(), name
        if self._queue:
            return self._queue.popleft(), None
        for code, due_ns in self._status_ns.items():
            if due_ns <= now_ns:
                self._status_ns[code] = now_ns + STATUS_NS
                return OsdpCommand(code), None
        return messages.POLL, None

    def accepted(self, name: str, now_ns: int) -> list[Switched]:
        """The reader has accepted a switch's order. Returns the switch's state if it is new."""
        news = self.switches[name].accepted(now_ns)
        return [] if news is None else [Switched(self._profile.address, name, news)]

    def refused(self, order: OsdpCommand, name: str | None, reason: int) -> list[Unable]:
        """The reader refused this order: try another form of it, or do not try it again."""
        if name is None:
            self._unknown.add(order.code)
            self._status_ns.pop(order.code, None)
        elif not self.switches[name].refused():
            return [Unable(self._profile.address, name, f"it refuses to switch this (NAK {reason})")]
        return []
