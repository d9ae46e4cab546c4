"""`doorctl diagnose`: what is wrong, likely causes, the first thing to try, and what could not be looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.cli.tables import say_fitting
from edge.cli.text import say, say_json
from edge.client import sockets
from edge.diagnosis.diagnose import diagnose
from edge.diagnosis.findings import Finding, FindingSeverity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from edge.cli.terminal import Kind
    from edge.diagnosis.facts import Facts

CONFIG: Final = Path("/etc/doorward/doorward.toml")
MARKS: Final = {FindingSeverity.FAULT: "!!", FindingSeverity.WARNING: " !", FindingSeverity.NOTE: "  "}


KINDS: Final[dict[FindingSeverity, Kind]] = {
    FindingSeverity.FAULT: "alarm",
    FindingSeverity.WARNING: "warning",
    FindingSeverity.NOTE: "",
}
INDENT: Final = 6
"""Of what is said about a finding."""
UNSEEN: Final = 3
"""Of what was not looked at."""
BESIDE: Final = 14
"""Where that begins behind its word."""


def run(arguments: argparse.Namespace) -> int:
    """Print the findings. 1 with a warning or a fault, 0 without, 2 when nothing could be looked at."""
    from edge.diagnosis.gathering import look, look_at_copy  # noqa: PLC0415 -- loads the log and the configuration

    if arguments.log:
        facts = look_at_copy(arguments.log)
    else:
        facts = look(arguments.socket or sockets.find_socket(), arguments.config or CONFIG)
    findings = diagnose(facts)
    if arguments.json:
        listed = [asdict(finding) for finding in findings]
        say_json({"findings": listed, "looked_at": list(looked_at(facts)), "unseen": list(facts.unseen)})
    else:
        for line, kind in lines(findings, facts.unseen, looked_at(facts)):
            say_fitting(line, BESIDE if line.startswith(" " * INDENT) else UNSEEN, kind)
        if findings:
            if facts.unseen:
                say()
            say_fitting(summary(findings), kind=KINDS[findings[0].severity])
    return verdict(facts, findings)


def verdict(facts: Facts, findings: tuple[Finding, ...]) -> int:
    """The exit code."""
    if any(finding.severity is not FindingSeverity.NOTE for finding in findings):
        return 1
    answers = (facts.daemon, facts.history, facts.service, facts.config)
    return 0 if any(part is not None for part in answers) else 2


def looked_at(facts: Facts) -> tuple[str, ...]:
    """The parts that could be looked at."""
    parts = {
        "the daemon": facts.daemon,
        "the service": facts.service,
        "the configuration": facts.config,
        "the boot configuration": facts.boot,
        "the disk": facts.disk,
        "the history": facts.history,
        "the supply voltage": facts.machine.throttled,
        "the temperature": facts.machine.cpu_c,
        "the memory": facts.machine.available_bytes,
    }
    return tuple(name for name, part in parts.items() if part is not None)


def lines(
    findings: tuple[Finding, ...], unseen: tuple[str, ...], looked: tuple[str, ...] = ()
) -> Iterator[tuple[str, Kind]]:
    """The findings as text, the worst first, each line with its kind."""
    for finding in findings:
        yield f"{MARKS[finding.severity]} {finding.code}  {finding.title}", KINDS[finding.severity]
        yield from ((f"      seen    {seen}", "") for seen in finding.evidence)
        yield from ((f"      perhaps {cause}", "") for cause in finding.likely_causes)
        yield f"      try     {finding.first_thing}", ""
        yield "", ""
    if not findings:
        yield f"nothing found in {', '.join(looked)}" if looked else "nothing found", ""
        yield "", ""
    yield from ((f"   not looked at: {part}", "") for part in unseen)


def summary(findings: tuple[Finding, ...]) -> str:
    """How many there are of each severity: `1 fault, 2 warnings`."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(
        f"{counts[severity]} {severity.value}{'s' * (counts[severity] > 1)}" for severity in KINDS if counts[severity]
    )
