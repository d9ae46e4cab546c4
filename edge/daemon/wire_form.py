"""How this controller's records look on a wire: whose they are, and whether they are late.

One rule: the epoch is asked for each time, for it changes when a damaged log is set aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.model.cloudevents import Identity, cloudevent
from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from edge.log.log import Log
    from edge.model.messages import Json, Record
    from edge.settings.tables import ControllerTable
    from edge.system.clock import Clock

LATE_NS: Final = 10 * NS_PER_S
"""A record that leaves later than this after it happened is called replayed."""


class WireForm:
    """See `edge.model.ports.Origin`."""

    def __init__(self, controller: ControllerTable, log: Log, clock: Clock) -> None:
        """For the records of this log."""
        self._controller, self._log, self._clock = controller, log, clock

    def identity(self) -> Identity:
        """Who this controller is on the wire; the epoch is known once the log is open."""
        return Identity(self._controller.site, self._controller.id, self._log.stream.rpartition("/")[2])

    def is_late(self, record: Record) -> bool:
        """More than 10 s ago, or before this boot."""
        return record.boot != self._clock.boot_id or self._clock.now_ns() - record.event.at_ns > LATE_NS

    def cloudevent(self, record: Record) -> Json:
        """A record as it looks on the wire, sent now and not replayed."""
        return cloudevent(record, self.identity(), replayed=False)
