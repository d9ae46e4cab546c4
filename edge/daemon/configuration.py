"""The configuration in force, and the records of what it changed at doors.

One rule: a setting that a reload may change is read here each time it is needed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from edge.model.messages import Actor
from edge.model.roles import SITE
from edge.settings.door_changes import lock_changes, lock_facts

if TYPE_CHECKING:
    from edge.config.source import ConfigSource
    from edge.log.log import Log
    from edge.settings.controller import Settings
    from edge.settings.door_changes import Locks
    from edge.system.clock import Clock

LOCKS: Final = f"{SITE}.locks"
"""The name under which the log keeps the configuration of doors. No door has a dot in its id."""


class Configuration:
    """The settings in force, and their source."""

    def __init__(self, settings: Settings, source: ConfigSource, log: Log, clock: Clock) -> None:
        """`settings` are in force until a reload replaces them."""
        self.settings, self.source = settings, source
        self._log, self._clock = log, clock

    @property
    def file_actor(self) -> Actor:
        """The actor of changes of the file, where no person is known."""
        return Actor("system", "file", self.settings.file.name)

    def audit(self, before: Locks | None, actor: Actor) -> None:
        """Record what the configuration changed at doors since `before`, and store it for the next comparison."""
        now = lock_facts(self.settings)
        if now != before:
            self._log.append(lock_changes(before, now, actor, self._clock.now_ns()), {LOCKS: json.dumps(now)})
