"""What the log remembers of a sink beside its cursor: why it is disabled, and for which entry of the directory.

One rule: an entry that has changed since is a new one, and is not disabled.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.model.messages import Json


def written(disabled: str | None, mark: str) -> str:
    """The memory as text; `mark` is a digest of the sink's entry."""
    return json.dumps({"disabled": disabled, "mark": mark})


def disabled_by(modes: Mapping[str, str], sink: str, mark: str) -> str | None:
    """Why this sink is disabled according to the log; None: it is not, or its entry has changed since."""
    memory = remembered(modes, sink)
    why = memory.get("disabled")
    return why if isinstance(why, str) and memory.get("mark") == mark else None


def remembered(modes: Mapping[str, str], sink: str) -> dict[str, Json]:
    """The log's memory of a sink; {} for a new one."""
    try:
        memory = json.loads(modes.get(sink, "{}"))
    except (ValueError, RecursionError):
        return {}
    return memory if isinstance(memory, dict) else {}
