"""Serves `edit_directory` at the socket: changes of single entries of the directory.

One rule: the answer comes when the edit is stored and in force, or it has all problems of the edit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from edge.access.edits import BroughtBy, edit_directory
from edge.directory.edits.shape import KINDS
from edge.people.names import free_id, slug

if TYPE_CHECKING:
    from edge.access.people import People
    from edge.directory.directory import Directory
    from edge.model.messages import Actor, Json


NAMED: Final = frozenset({"group", "schedule"})


class _Edit(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    changes: list[Any]
    base: int | None = Field(None, ge=0, le=2**53 - 1)


def _with_id(directory: Directory, change: Any) -> Any:  # noqa: ANN401 -- not checked yet
    """The change; a new group or schedule without an id gets one that is made of its name."""
    if not isinstance(change, dict) or str(change.get("put")) not in NAMED:
        return change
    entry = change.get("entry")
    if not isinstance(entry, dict) or "id" in entry or not isinstance(entry.get("name"), str):
        return change
    known = getattr(directory, KINDS[change["put"]])
    return {**change, "entry": {"id": free_id(slug(entry["name"], change["put"]), known.__contains__), **entry}}


class DirectoryEdits:
    """Serves the request."""

    def __init__(self, people: People) -> None:
        """`people` applies the edits."""
        self._people = people

    async def serve(self, body: dict[str, Any], actor: Actor) -> Json:
        """Apply an edit. The answer is that of the MQTT command, without an id."""
        ask = _Edit.model_validate(body)
        origin = BroughtBy(Path(f"edit by {actor.name or actor.id}"), actor)
        directory = self._people.directory.in_force
        changes = [_with_id(directory, change) for change in ask.changes]
        base = directory.version if ask.base is None and changes != ask.changes else ask.base
        answer = await edit_directory(self._people, changes, base, origin, upstream=False)
        outcomes: Json = {**answer.outcomes}
        return {"done": answer.code is None, "code": answer.code, "message": answer.text, "outcomes": outcomes}
