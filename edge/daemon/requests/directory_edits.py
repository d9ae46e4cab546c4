"""Serves `edit_directory` at the socket: changes of single entries of the directory.

One rule: the answer comes when the edit is stored and in force, or it has all problems of the edit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from edge.access.edits import BroughtBy, edit_directory

if TYPE_CHECKING:
    from edge.access.people import People
    from edge.model.messages import Actor, Json


class _Edit(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    changes: list[Any]
    base: int | None = Field(None, ge=0, le=2**53 - 1)


class DirectoryEdits:
    """Serves the request."""

    def __init__(self, people: People) -> None:
        """`people` applies the edits."""
        self._people = people

    async def serve(self, body: dict[str, Any], actor: Actor) -> Json:
        """Apply an edit. The answer is that of the MQTT command, without an id."""
        ask = _Edit.model_validate(body)
        origin = BroughtBy(Path(f"edit by {actor.name or actor.id}"), actor)
        answer = await edit_directory(self._people, ask.changes, ask.base, origin, upstream=False)
        outcomes: Json = {**answer.outcomes}
        return {"done": answer.code is None, "code": answer.code, "message": answer.text, "outcomes": outcomes}
