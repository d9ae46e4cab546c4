"""The open alerts for the status, `doorctl alerts` and the local page. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.alerts.rules import escalates_ns
from edge.model.cloudevents import rfc3339
from edge.settings.alert_policies import NTFY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.alerts.state import Alert, AlertState
    from edge.model.messages import Json
    from edge.settings.alert_policies import Actions, Policies

_NS_PER_US = 1_000


def open_alerts(state: AlertState, policies: Policies, now_ns: int, wall_us: int) -> list[dict[str, Json]]:
    """Each alert that nobody has acknowledged. `now_ns` and `wall_us` are the present on both clocks."""
    return [
        {
            "alert": alert.id,
            "policy": alert.policy,
            "name": policies[alert.policy].name,
            "severity": policies[alert.policy].severity.value,
            "door": alert.door or None,
            "message": alert.message,
            "count": alert.count,
            "sequence": alert.sequence,
            "raised": _at(alert.raised_ns, now_ns, wall_us),
            "latest": rfc3339(alert.time_us),
            "told": [*_told(alert, state, policies)],
            "escalated": alert.escalated,
            **_escalation(alert, policies, now_ns, wall_us),
        }
        for alert in state.alerts.values()
        if not alert.acknowledged
    ]


def _told(alert: Alert, state: AlertState, policies: Policies) -> Iterator[Json]:
    policy = policies[alert.policy]
    waits = {way for way, notices in state.waiting.items() if any(notice.alert == alert.id for notice in notices)}
    for actions in (policy.actions, *([policy.escalate_to] if alert.escalated else [])):
        for way, receivers in _ways(actions):
            yield {"way": way.partition(":")[0], "to": [*receivers], "waits": way in waits}


def _escalation(alert: Alert, policies: Policies, now_ns: int, wall_us: int) -> dict[str, Json]:
    policy = policies[alert.policy]
    due_ns = escalates_ns(alert, policy)
    to: list[Json] = [receiver for _, receivers in _ways(policy.escalate_to) for receiver in receivers]
    if due_ns is None:
        return {"escalates": None, "escalates_to": []}
    return {"escalates": _at(due_ns, now_ns, wall_us), "escalates_to": to}


def _ways(actions: Actions) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each way with its receivers: addresses, the id of an integration, or the door of a siren.

    A topic of ntfy is left out: whoever knows it may read it.
    """
    for way, to in actions.channels():
        own = "" if way.startswith(NTFY) else way.partition(":")[2]
        yield way, to or ((own,) if own else ())
    if actions.siren is not None:
        yield "siren", (actions.siren.door,)


def _at(at_ns: int, now_ns: int, wall_us: int) -> str:
    return rfc3339(wall_us - (now_ns - at_ns) // _NS_PER_US)
