"""The state of alerts as text that the log keeps, and back.

One rule: durations go on over a restart, as far as its length is known; sirens do not.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from edge.alerts.state import Alert, AlertState, Notice, NoticeKind
from edge.model.messages import ClockQuality

if TYPE_CHECKING:
    from edge.settings.alert_policies import Policies
    from edge.system.clock import Clock

_NS_PER_US: Final = 1000


def written(state: AlertState, stream: str, clock: Clock) -> str:
    """The state and its time, as JSON."""
    return json.dumps(
        {
            "stream": stream,
            "boot": clock.boot_id,
            "at_ns": clock.now_ns(),
            "wall_us": None if clock.quality() is ClockQuality.UNSYNCED else clock.wall_us(),
            "through": state.through,
            "alerts": {key: asdict(alert) for key, alert in state.alerts.items()},
            "waiting": {channel: [asdict(notice) for notice in queue] for channel, queue in state.waiting.items()},
            "left_out": dict(state.left_out),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def read(text: str, policies: Policies, stream: str, clock: Clock) -> AlertState | None:
    """The state with its times moved to the present boot clock; None when the text is malformed or empty.

    Alerts of policies that do not exist any more are left out. In another stream the log is read from the start.
    """
    try:
        memory = json.loads(text)
        by_ns = clock.now_ns() - memory["at_ns"] - _elapsed_ns(memory, clock)
        alerts = {key: _alert(fields, by_ns) for key, fields in memory["alerts"].items()}
        waiting = {c: tuple(_notice(fields) for fields in notices) for c, notices in memory["waiting"].items()}
        through, left_out = int(memory["through"]), {str(c): int(n) for c, n in memory["left_out"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    kept = {channel: tuple(n for n in notices if n.policy in policies) for channel, notices in waiting.items()}
    return AlertState(
        through if memory["stream"] == stream else 0,
        {key: alert for key, alert in alerts.items() if alert.policy in policies},
        {channel: notices for channel, notices in kept.items() if notices},
        left_out,
    )


def _elapsed_ns(memory: dict[str, Any], clock: Clock) -> int:
    """The time since the state was written: by the boot clock in the same boot, else by the calendar if it is set."""
    if memory["boot"] == clock.boot_id:
        return int(clock.now_ns() - memory["at_ns"])
    if memory["wall_us"] is None or clock.quality() is ClockQuality.UNSYNCED:
        return 0
    return max(0, clock.wall_us() - int(memory["wall_us"])) * _NS_PER_US


def _alert(fields: dict[str, Any], by_ns: int) -> Alert:
    alert = Alert(**fields)
    times = {name: getattr(alert, name) + by_ns for name in ("raised_ns", "told_ns", "happened_ns")}
    return replace(alert, **times, sirens=())


def _notice(fields: dict[str, Any]) -> Notice:
    return Notice(**{**fields, "kind": NoticeKind(fields["kind"]), "to": tuple(fields["to"])})
