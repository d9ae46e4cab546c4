"""Findings about integrations, alerts, cameras and failed parts, and about noise on the lines of boards and readers.

One rule: as in edge/diagnosis/diagnose.py, pure functions, and each finding has the evidence for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.diagnosis.findings import Finding, finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.diagnosis.facts_consumers import (
        BoardFacts,
        CameraFacts,
        ChannelFacts,
        ConsumerFacts,
        IntegrationFacts,
        LineFacts,
        PulseFacts,
    )

_SECTIONS: Final = {"email": "smtp", "ntfy": "ntfy"}
"""Channel -> the section whose `tls_strict` applies; else that of integrations."""
FAILED: Final = 3
"""Failed tries before there is a finding; a single one may be an accident."""
BEHIND: Final = 1_000
UNANSWERED_US: Final = 12 * 3_600 * 1_000_000
ENOUGH_ASKED: Final = 1_000
NOISY: Final = 0.02
"""Share of questions to boards without a readable answer; on a good cable it is one in thousands."""
REPAIRS: Final = 3
SWAPPED: Final = 2
OTHER_LENGTHS: Final = 3
THROWN_AWAY: Final = 20
DOUBTFUL: Final = 0.05
"""Share of discarded bursts of a Wiegand reader; cards that are held badly cause fewer."""


def diagnose_consumers(consumers: ConsumerFacts, now_us: int) -> Iterator[Finding]:
    """All findings about them."""
    for part in consumers.failed:
        yield finding("DW-PART-FAILED", part.why, about=part.name)
    for integration in consumers.integrations:
        yield from _integration(integration)
    for channel in consumers.channels:
        yield from _channel(channel)
    old = [alert.id for alert in consumers.alerts if now_us - alert.raised_us >= UNANSWERED_US]
    if old:
        yield finding("DW-ALERT-UNANSWERED", *old)
    for camera in consumers.cameras:
        yield from _camera(camera)
    for board in consumers.boards:
        yield from _board(board)
    for line in consumers.lines:
        yield from _line(line)
    for pulses in consumers.pulses:
        yield from _pulses(pulses)


def _integration(facts: IntegrationFacts) -> Iterator[Finding]:
    error, waits = facts.last_error or "no reason given", f"{facts.backlog} records wait"
    if facts.state == "disabled":
        yield finding("DW-INTEGRATION-DISABLED", error, about=facts.id)
        yield from _form(error, "integrations")
    elif facts.state == "retrying" and facts.failed >= FAILED:
        yield finding("DW-INTEGRATION-FAILING", error, waits, about=facts.id)
        yield from _form(error, "integrations")
    elif facts.backlog >= BEHIND:
        yield finding("DW-INTEGRATION-BEHIND", waits, about=facts.id)


def _channel(channel: ChannelFacts) -> Iterator[Finding]:
    if channel.waiting and channel.error is not None:
        yield finding("DW-ALERT-STUCK", channel.error, f"messages that wait: {channel.waiting}", about=channel.name)
        yield from _form(channel.error, _SECTIONS.get(channel.name.partition(":")[0], "integrations"))


def _camera(camera: CameraFacts) -> Iterator[Finding]:
    if camera.error is not None:
        yield finding("DW-CAMERA-SILENT", camera.error, about=camera.id)
        yield from _form(camera.error, f"camera.{camera.id}")
    if camera.dropped:
        yield finding("DW-CAMERA-LATE", f"{camera.dropped} alarms without a picture", about=camera.id)
    if not camera.doors:
        yield finding("DW-CAMERA-NO-DOOR", "no door is named", about=camera.id)


def _form(error: str, section: str) -> Iterator[Finding]:
    """The finding for a certificate that was refused for its form."""
    if "tls_strict" in error:
        yield finding("DW-CERTIFICATE-FORM", error, about=section)


def _board(board: BoardFacts) -> Iterator[Finding]:
    about = f"{board.unit} on {board.driver}"
    if board.state == "lost":
        yield finding("DW-BOARD-LOST", board.reason or "no reason given", about=about)
    if board.repairs >= REPAIRS:
        yield finding("DW-BOARD-RESETS", f"its relays had to be set again {board.repairs} times", about=about)


def _line(line: LineFacts) -> Iterator[Finding]:
    if line.asked >= ENOUGH_ASKED and line.troubled > NOISY * line.asked:
        seen = f"{line.troubled} of {line.asked} questions had no readable answer"
        yield finding("DW-BOARD-NOISE", seen, about=line.driver)


def _pulses(pulses: PulseFacts) -> Iterator[Finding]:
    if pulses.swapped >= SWAPPED:
        seen = f"{pulses.swapped} cards or keys are right with D0 for D1"
        yield finding("DW-WIEGAND-SWAPPED", seen, about=pulses.point)
    if pulses.other_lengths >= OTHER_LENGTHS:
        seen = f"{pulses.other_lengths} cards of other lengths"
        yield finding("DW-WIEGAND-FORMAT", seen, about=pulses.point)
    sent = pulses.read + pulses.thrown_away
    if pulses.thrown_away >= THROWN_AWAY and pulses.thrown_away > DOUBTFUL * sent:
        yield finding("DW-WIEGAND-NOISE", f"{pulses.thrown_away} of {sent} made no sense", about=pulses.point)
