"""What a delivery needs: a log to read from, and a receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.model.messages import Event, Record


class DeliveryLog(Protocol):
    """The part of `edge.log.log.Log` that a sink uses."""

    stream: str
    committed: int

    def append(self, events: Sequence[Event], modes: Mapping[str, str] | None = None) -> None: ...  # noqa: D102 -- as there
    def on_commit(self, listener: Callable[[Sequence[Record]], None]) -> object: ...  # noqa: D102 -- as there
    async def read(self, after: int, limit: int) -> list[Record]: ...  # noqa: D102 -- as there
    def cursor(self, sink: str) -> int: ...  # noqa: D102 -- as there
    def advance(self, sink: str, sequence: int) -> None: ...  # noqa: D102 -- as there


class Receiver(Protocol):
    """A receiver of records."""

    batch: int
    """The most records that it takes at once."""

    def wants(self, record: Record) -> bool:
        """Whether the receiver wants this record."""

    async def send(self, records: Sequence[Record]) -> None:
        """Return when the receiver has taken all of them. DeliveryError when that is not certain."""

    async def close(self) -> None:
        """Release connections; nothing more is sent."""
