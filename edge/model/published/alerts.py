"""The alerts in the status."""

from __future__ import annotations

from typing import Literal, TypedDict

from edge.model.published.doors import Time  # noqa: TC001 -- the types of fields are looked up


class WayJson(TypedDict):
    """One way by which an alert is told."""

    way: str
    """`email`, `mqtt`, `webhook`, `ntfy`, `siren`."""
    to: list[str]
    """Addresses, the integration, or the door that sounds; topics of ntfy are not told."""
    waits: bool
    """A message still waits for it."""


class AlertJson(TypedDict):
    """One alert that nobody has ended."""

    alert: str
    """Its id."""
    policy: str
    """Its policy; the type of the event where no policy tells anybody of it."""
    name: str
    """The policy's name."""
    severity: Literal["info", "warning", "alarm"]
    """The policy's severity."""
    door: str | None
    """Its door."""
    message: str
    """What happened."""
    count: int
    """How often."""
    sequence: int
    """The number of the latest record."""
    raised: Time
    """When."""
    latest: Time
    """When it happened last."""
    told: list[WayJson]
    """Who is told."""
    escalated: bool
    """The recipients of `escalate_to` were told, too."""
    escalates: Time | None
    """When they will be told; `null`: not at all, or they were."""
    escalates_to: list[str]
    """They."""


class AlertsJson(TypedDict):
    """Alerts."""

    open: list[AlertJson]
    """Those that nobody has ended."""
    waiting: dict[str, int]
    """Messages that wait, by channel."""
    last_errors: dict[str, str]
    """Why the last message failed, by channel."""
