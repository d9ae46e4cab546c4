"""The socket's `edit_directory`: changes to who may pass, by whoever may ask at the socket.

One rule: it is answered when it is stored and in force, or with everything that is wrong.
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
        """`people` has the directory in force."""
        self._people = people

    async def serve(self, body: dict[str, Any], actor: Actor) -> Json:
        """The answer is that of the MQTT command, without an id."""
        ask = _Edit.model_validate(body)
        origin = BroughtBy(Path(f"edit by {actor.name or actor.id}"), actor)
        answer = await edit_directory(self._people, ask.changes, ask.base, origin, upstream=False)
        outcomes: Json = {**answer.outcomes}
        return {"done": answer.code is None, "code": answer.code, "message": answer.text, "outcomes": outcomes}
