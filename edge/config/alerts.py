"""Turns `[alert.ID]` into alert policies, and checks what they refer to.

One rule: an alert that could reach nobody is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.model.catalogue import matching
from edge.model.problems import dotted, meant, shown
from edge.settings.alert_policies import Actions, AlertPolicy, Siren

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edge.model.problems import ProblemReport
    from edge.settings.alerts import ActionsTable, AlertTable


def policy_of(
    report: ProblemReport, name: str, table: AlertTable, doors: Mapping[str, object], sections: Collection[str]
) -> AlertPolicy:
    """The policy of a table. Missing doors and sections go into the report. `doors` are the tables of doors."""
    key = dotted("alert", name)
    for door in table.doors:
        if door not in doors:
            report.add(dotted(key, "doors"), f"found {shown(door)}, {meant(door, doors)}")
    actions = _actions(report, key, table, doors, sections)
    after = Actions()
    if table.escalate_to is not None:
        after = _actions(report, dotted(key, "escalate_to"), table.escalate_to, doors, sections)
    if (table.escalate_to is None) != (table.escalate_after_s is None):
        missing, there = "escalate_to", "escalate_after_s"
        if table.escalate_to is not None:
            missing, there = there, missing
        report.add(dotted(key, missing), f"missing, expected beside {there}")
    return AlertPolicy(
        name,
        table.name or name,
        matching(table.types),
        frozenset(table.doors),
        frozenset(table.people),
        frozenset(table.groups),
        table.outcome,
        table.schedule,
        table.severity,
        table.quiet_s,
        actions,
        table.escalate_after_s,
        after,
    )


def _actions(
    report: ProblemReport, key: str, table: ActionsTable, doors: Mapping[str, object], sections: Collection[str]
) -> Actions:
    siren = None if table.siren is None else Siren(table.siren.door, table.siren.for_s)
    if not (table.mqtt or table.webhook or table.email or table.ntfy or siren):
        report.add(key, "reaches nobody, expected mqtt, webhook, email, ntfy or siren")
    if table.mqtt and "mqtt" not in sections:
        report.add(dotted(key, "mqtt"), "found true without [mqtt], expected that section as well")
    for way, section in (("email", "smtp"), ("ntfy", "ntfy")):
        if getattr(table, way) and section not in sections:
            report.add(dotted(key, way), f"found without [{section}], expected that section as well")
    if siren is not None:
        door = doors.get(siren.door)
        at = dotted(key, "siren", "door")
        if siren.door not in doors:
            report.add(at, f"found {shown(siren.door)}, {meant(siren.door, doors)}")
        elif isinstance(door, dict) and "buzzer" not in door:
            report.add(at, f"found {shown(siren.door)}, expected a door that has a buzzer")
    return Actions(table.mqtt, table.webhook, table.email, siren, table.ntfy)
