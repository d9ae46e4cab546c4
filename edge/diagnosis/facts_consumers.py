"""What a diagnosis knows of integrations, alerts, cameras and of lines whose drivers count what goes wrong.

One rule: as in edge/diagnosis/facts.py, values from the daemon's own account; what is not in it is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

THROWN_AWAY: Final = ("fragments", "wrong_parity", "wrong_keys", "collisions", "too_long", "torn", "stale")
"""Of a Wiegand reader, as `drivers.wiegand.frames.DropReason` has them: bursts in which nothing could be believed."""


@dataclass(frozen=True, slots=True)
class IntegrationFacts:
    """To whom records are passed on."""

    id: str
    state: str
    """`ok`, `retrying` or `disabled`."""
    backlog: int
    failed: int
    """Of the latest tries."""
    last_error: str | None


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """A way by which messages about alerts leave: `mqtt`, `email`, `webhook ID`."""

    name: str
    waiting: int
    error: str | None


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """One that nobody has acknowledged."""

    id: str
    raised_us: int


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """One that doors have."""

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
    """How often its relays were not as they had been told."""


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
    """Cards and keys."""
    swapped: int
    other_lengths: int
    thrown_away: int


@dataclass(frozen=True, slots=True)
class PartFacts:
    """A part that doors do without, ended by a fault."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class ConsumerFacts:
    """All of them."""

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
            tuple(AlertFacts(str(one["alert"]), _us(one["raised"])) for one in alerts.get("open", ())),
            tuple(_camera(key, found) for key, found in answer.get("cameras", {}).items()),
            tuple(_board(name, unit, b) for name, facts in modbus for unit, b in facts.get("boards", {}).items()),
            tuple(_line(name, facts["line"]) for name, facts in modbus if "line" in facts),
            tuple(_pulses(point, one) for facts in wiegand for point, one in facts.get("readers", {}).items()),
            tuple(PartFacts(str(part), str(why)) for part, why in answer.get("failed_parts", {}).items()),
        )


def _integration(key: str, found: Mapping[str, Any]) -> IntegrationFacts:
    failed = int(found["failed_of_latest"][0])
    return IntegrationFacts(str(key), str(found["state"]), int(found["backlog"]), failed, _words(found["last_error"]))


def _camera(key: str, found: Mapping[str, Any]) -> CameraFacts:
    return CameraFacts(str(key), len(found["doors"]), int(found["dropped"]), _words(found["last_error"]))


def _board(driver: str, unit: str, found: Mapping[str, Any]) -> BoardFacts:
    return BoardFacts(driver, str(unit), str(found["state"]), _words(found["reason"]), int(found["repairs"]))


def _line(driver: str, counts: Mapping[str, Any]) -> LineFacts:
    return LineFacts(driver, int(counts["asked"]), sum(int(counts[name]) for name in ("silent", "garbled")))


def _pulses(point: str, found: Mapping[str, Any]) -> PulseFacts:
    """A reader whose chip is not open has counted nothing."""
    counts = {name: int(found.get(name, 0)) for name in ("cards", "keys", "swapped", "other_lengths", *THROWN_AWAY)}
    thrown_away = sum(counts[name] for name in THROWN_AWAY)
    return PulseFacts(
        str(point), counts["cards"] + counts["keys"], counts["swapped"], counts["other_lengths"], thrown_away
    )


def _us(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1_000_000)


def _words(value: object) -> str | None:
    return None if value is None else str(value)
