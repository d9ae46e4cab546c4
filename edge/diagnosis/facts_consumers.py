"""What a diagnosis knows about integrations, alerts, cameras, and lines whose drivers count errors.

One rule: as in edge/diagnosis/facts.py, plain values from the daemon's answer; what it does not contain is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

THROWN_AWAY: Final = ("fragments", "wrong_parity", "wrong_keys", "collisions", "too_long", "torn", "stale")
"""Counts of discarded bursts of a Wiegand reader (`drivers.wiegand.frames.DropReason`)."""


@dataclass(frozen=True, slots=True)
class IntegrationFacts:
    """An integration that gets records."""

    id: str
    state: str
    """`ok`, `retrying` or `disabled`."""
    backlog: int
    failed: int
    """Failures among the latest tries."""
    last_error: str | None


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """A channel for messages about alerts: `mqtt`, `email`, `webhook ID`."""

    name: str
    waiting: int
    error: str | None


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """An alert that nobody has acknowledged."""

    id: str
    raised_us: int


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """A camera."""

    id: str
    doors: int
    dropped: int
    error: str | None


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """A Modbus board."""

    driver: str
    unit: str
    state: str
    reason: str | None
    repairs: int
    """How often its relays were not in the state that they had been set to."""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A Modbus line."""

    driver: str
    asked: int
    troubled: int
    """Questions without an answer, or with one that could not be read."""


@dataclass(frozen=True, slots=True)
class PulseFacts:
    """A Wiegand reader."""

    point: str
    read: int
    """Cards and keys that were read."""
    swapped: int
    other_lengths: int
    thrown_away: int


@dataclass(frozen=True, slots=True)
class PartFacts:
    """A part of doord that failed; doors do not need it."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class ConsumerFacts:
    """All facts of this file."""

    integrations: tuple[IntegrationFacts, ...] = ()
    channels: tuple[ChannelFacts, ...] = ()
    alerts: tuple[AlertFacts, ...] = ()
    cameras: tuple[CameraFacts, ...] = ()
    boards: tuple[BoardFacts, ...] = ()
    lines: tuple[LineFacts, ...] = ()
    pulses: tuple[PulseFacts, ...] = ()
    failed: tuple[PartFacts, ...] = ()

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> ConsumerFacts:
        """From the answer to {"op": "facts"}. Raises KeyError, TypeError or ValueError for anything else."""
        alerts, drivers = answer.get("alerts", {}), answer["drivers"].items()
        errors = alerts.get("last_errors", {})
        modbus = [(name, found.get("facts", {})) for name, found in drivers if found["kind"] == "modbus"]
        wiegand = [found.get("facts", {}) for _, found in drivers if found["kind"] == "wiegand"]
        return cls(
            tuple(_integration(key, found) for key, found in answer.get("integrations", {}).items()),
            tuple(ChannelFacts(str(k), int(n), _words(errors.get(k))) for k, n in alerts.get("waiting", {}).items()),
            tuple(
                AlertFacts(str(alert["alert"]), _us(alert["raised"]))
                for alert in alerts.get("open", ())
                if alert.get("told", True)  # who was told of nothing owes no answer
            ),
            tuple(_camera(key, found) for key, found in answer.get("cameras", {}).items()),
            tuple(_board(name, unit, b) for name, facts in modbus for unit, b in facts.get("boards", {}).items()),
            tuple(_line(name, facts["line"]) for name, facts in modbus if "line" in facts),
            tuple(_pulses(point, reader) for facts in wiegand for point, reader in facts.get("readers", {}).items()),
            tuple(PartFacts(str(part), str(why)) for part, why in answer.get("failed_parts", {}).items()),
        )


def _integration(key: str, facts: Mapping[str, Any]) -> IntegrationFacts:
    failed = int(facts["failed_of_latest"][0])
    return IntegrationFacts(str(key), str(facts["state"]), int(facts["backlog"]), failed, _words(facts["last_error"]))


def _camera(key: str, facts: Mapping[str, Any]) -> CameraFacts:
    return CameraFacts(str(key), len(facts["doors"]), int(facts["dropped"]), _words(facts["last_error"]))


def _board(driver: str, unit: str, facts: Mapping[str, Any]) -> BoardFacts:
    return BoardFacts(driver, str(unit), str(facts["state"]), _words(facts["reason"]), int(facts["repairs"]))


def _line(driver: str, counts: Mapping[str, Any]) -> LineFacts:
    return LineFacts(driver, int(counts["asked"]), sum(int(counts[name]) for name in ("silent", "garbled")))


def _pulses(point: str, facts: Mapping[str, Any]) -> PulseFacts:
    """The counts of a Wiegand reader; a missing one (its chip is not open) is 0."""
    counts = {name: int(facts.get(name, 0)) for name in ("cards", "keys", "swapped", "other_lengths", *THROWN_AWAY)}
    thrown_away = sum(counts[name] for name in THROWN_AWAY)
    return PulseFacts(
        str(point), counts["cards"] + counts["keys"], counts["swapped"], counts["other_lengths"], thrown_away
    )


def _us(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1_000_000)


def _words(value: object) -> str | None:
    return None if value is None else str(value)
