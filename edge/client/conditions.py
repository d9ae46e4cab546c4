"""What is wrong with a door, as a status says it, in words.

One rule: a status without the list is not one in which all is well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.model.published.doors import ConditionJson


def conditions(door: Mapping[str, Any]) -> Sequence[ConditionJson]:
    """What is wrong with a door of a status, the worst first."""
    listed: Sequence[ConditionJson] | None = door.get("conditions")
    return [_older(door)] if listed is None else listed


def _older(door: Mapping[str, Any]) -> ConditionJson:
    """A doord that was not restarted after an update sends no list."""
    message = "not known: restart doord, which is older than this program"
    return {"code": "older", "severity": "warning", "since": door["since"]["mode"], "message": message, "detail": None}


def words(condition: ConditionJson) -> str:
    """Message and detail."""
    message, detail = condition["message"], condition["detail"]
    return f"{message}: {detail}" if detail else str(message)
