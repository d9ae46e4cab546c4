"""The conditions of a door in a status (what is wrong with it), in words.

One rule: a status without a list of conditions does not mean that all is well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.model.published.doors import ConditionJson


def conditions(door: Mapping[str, Any]) -> Sequence[ConditionJson]:
    """The conditions of a door of a status, the worst first."""
    listed: Sequence[ConditionJson] | None = door.get("conditions")
    return [_older(door)] if listed is None else listed


def _older(door: Mapping[str, Any]) -> ConditionJson:
    """The condition to show when the status has no list: doord was not restarted after an update."""
    message = "not known: restart doord, which is older than this program"
    return {"code": "older", "severity": "warning", "since": door["since"]["mode"], "message": message, "detail": None}


def since(door: Mapping[str, Any]) -> str:
    """Since when a door is what is shown of it: since its worst condition came, or since its mode began."""
    listed = conditions(door)
    return str(listed[0]["since"] if listed else door["since"]["mode"])


def words(condition: ConditionJson) -> str:
    """A condition's message and detail as one text."""
    message, detail = condition["message"], condition["detail"]
    return f"{message}: {detail}" if detail else str(message)
