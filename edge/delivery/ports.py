"""What a delivery needs: a log to read from, and a receiver; each method with its promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.model.messages import Event, Record


class Journal(Protocol):
    """As much of `edge.log.log.Log` as a sink uses."""

    stream: str
    committed: int

    def append(self, events: Sequence[Event], modes: Mapping[str, str] | None = None) -> None: ...  # noqa: D102 -- as there
    def on_commit(self, listener: Callable[[Sequence[Record]], None]) -> object: ...  # noqa: D102 -- as there
    async def read(self, after: int, limit: int) -> list[Record]: ...  # noqa: D102 -- as there
    def cursor(self, sink: str) -> int: ...  # noqa: D102 -- as there
    def advance(self, sink: str, sequence: int) -> None: ...  # noqa: D102 -- as there


class Receiver(Protocol):
    """Where records go."""

    batch: int
    """How many it takes at once, at most."""

    def wants(self, record: Record) -> bool:
        """Whether this one is for it."""

    async def send(self, records: Sequence[Record]) -> None:
        """Returns when it has taken all of them; raises DeliveryError when it has perhaps not."""

    async def close(self) -> None:
        """Nothing more is sent."""
