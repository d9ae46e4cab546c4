"""The controller's health: doord's status, and the findings of `doorctl diagnose`.

One rule: it uses doord and public files of the kernel only, and says what `doorctl diagnose` checks in addition.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from edge import __version__
from edge.client.connection import Client
from edge.client.sources import DaemonSource
from edge.diagnosis.diagnose import diagnose
from edge.diagnosis.facts import DaemonFacts, Facts, at_us
from edge.diagnosis.findings import FindingSeverity
from edge.diagnosis.history import history
from edge.diagnosis.machine import SystemPaths, look_at_machine
from edge.model.printable import masked as visible
from edge.web.lights import lights
from edge.web.page import page_of
from edge.web.words import CLOCKS

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.web.words import Words

ELSEWHERE: Final = (
    "the service, the configuration, the disk, the hash chain and the boot configuration: doorctl diagnose on the "
    "controller looks at them"
)
SEVERITIES: Final = {FindingSeverity.FAULT: "Fault", FindingSeverity.WARNING: "Warning", FindingSeverity.NOTE: "Note"}
TONES: Final = {FindingSeverity.FAULT: "alarm", FindingSeverity.WARNING: "warning", FindingSeverity.NOTE: "calm"}


def look(socket: Path) -> tuple[dict[str, Any], DaemonFacts, Facts]:
    """The answer of doord and the facts for a diagnosis; reads up to 10,000 records. RequestRefused and Unreachable."""
    with Client(socket) as client:
        answer = client.ask("facts")
        now_us = at_us(answer["clock"]["time"])
        machine, unseen = look_at_machine(SystemPaths())
        past = history(DaemonSource(client), now_us, None)
    daemon = DaemonFacts.from_json(answer)
    return (
        answer,
        daemon,
        Facts(now_us, __version__, daemon, history=past, machine=machine, unseen=(*unseen, ELSEWHERE)),
    )


async def health(request: Request) -> Response:
    """Lights, findings and key figures on one page."""
    page = page_of(request)
    await page.link.ask("status")  # says it in the page's words where nobody answers
    async with page.looking:
        status, daemon, facts = await asyncio.to_thread(look, page.link.socket)
    findings = [
        {"tone": TONES[finding.severity], "severity": SEVERITIES[finding.severity], "finding": finding}
        for finding in diagnose(facts)
    ]
    return page.html(
        request,
        "health.html",
        findings=findings,
        unseen=facts.unseen,
        rows=_rows(status, page.words),
        lights=lights(status, daemon, facts.machine),
    )


def _rows(status: dict[str, Any], words: Words) -> dict[str, str]:
    """The key figures for a technician."""
    log, upstream, clock = status["log"], status["upstream"], status["clock"]
    rows = {
        "Controller": f"{status['controller']['site']}/{status['controller']['id']}",
        "Version": f"doord {status['version']}, page {__version__}",
        "Running for": span(status["uptime_s"]),
        "Time": f"{words.time(clock['time'])} {words.zone.key}{CLOCKS[clock['quality']]}",
        "Log": f"{log['committed']} records, {size(log['bytes'])}, writer {log['writer']}",
    }
    if upstream is None:
        rows["Upstream"] = "none configured: the log is the only record"
    else:
        rows["Upstream"] = f"{upstream['state'].replace('_', ' ')}, {visible(upstream['url'])}"
        rows["Waiting for upstream"] = f"{upstream['backlog']} records"
    return rows


def span(seconds: float) -> str:
    """A duration, roughly."""
    for length_s, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * length_s:
            return f"{seconds // length_s:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def size(count: float) -> str:
    """Bytes for people."""
    kib = 1024
    for unit in ("B", "KiB", "MiB"):
        if count < kib:
            return f"{count:.0f} {unit}"
        count /= kib
    return f"{count:.1f} GiB"


ROUTES: Final = [Route("/health", health)]
