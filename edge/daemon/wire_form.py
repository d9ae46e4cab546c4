"""Records as they are sent: as CloudEvents, with this controller's identity.

One rule: the epoch is read each time, because it changes when a damaged log is set aside.
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
"""A record that is sent later than this after its event is marked as replayed."""


class WireForm:
    """See `edge.model.ports.Origin`."""

    def __init__(self, controller: ControllerTable, log: Log, clock: Clock) -> None:
        """`log` has the records, and the stream that they belong to."""
        self._controller, self._log, self._clock = controller, log, clock

    def identity(self) -> Identity:
        """The identity of this controller in records. The epoch is known once the log is open."""
        return Identity(self._controller.site, self._controller.id, self._log.stream.rpartition("/")[2])

    def is_late(self, record: Record) -> bool:
        """Whether a record is older than 10 s, or from before this boot."""
        return record.boot != self._clock.boot_id or self._clock.now_ns() - record.event.at_ns > LATE_NS

    def cloudevent(self, record: Record) -> Json:
        """A record as a CloudEvent that is not replayed."""
        return cloudevent(record, self.identity(), replayed=False)
