"""Alarms that no policy tells anybody of: the local page keeps them until somebody takes them, for a day at most.

One rule: they reach nobody by themselves; a policy of the configuration that applies to a record comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.model.catalogue import CATALOGUE, Severity
from edge.settings.alert_policies import AlertPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.settings.alert_policies import Policies

LAPSES_S: Final = 86_400.0
_UNTOLD: Final[Policies] = {
    kind.type: AlertPolicy(
        kind.type,  # no policy of the configuration has a dot in its id
        "Alarm",
        frozenset({kind.type}),
        severity=Severity.ALARM,
        quiet_s=0.0,
        spare=True,
        lapses_s=LAPSES_S,
    )
    for kind in CATALOGUE.values()
    if kind.severity is Severity.ALARM
}


def with_untold(configured: Mapping[str, AlertPolicy]) -> Policies:
    """The policies of the configuration, and one for each type of alarm."""
    return {**_UNTOLD, **configured}
