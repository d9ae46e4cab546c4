"""The controller, as it is retained."""

from __future__ import annotations

from typing import Literal, TypedDict


class LogStateJson(TypedDict):
    """The log, as far as the retained status tells."""

    writer: Literal["ok", "stalled", "failed"]
    """`stalled`: a write has been under way for over 2 s."""
    error: str | None
    """Why it failed."""


class ControllerStateJson(TypedDict):
    """The controller, retained on `status`."""

    online: bool
    """The broker publishes `false` when the controller is gone."""
    version: str
    """The version of `doord`."""
    boot: str
    """The id of the computer's boot."""
    clock: Literal["synced", "rtc", "unsynced"]
    """How far its calendar can be trusted."""
    doors: list[str]
    """The ids of its doors."""
    log: LogStateJson
    """Whether the log is written."""
    stream: str
    """The log's identity; empty while it was never open."""
    sequence: int
    """The highest record on the disk."""
    cursor: int
    """Everything up to this record is acknowledged."""
    no_subscriber: bool
    """Nobody subscribes to `events`; the records wait."""
