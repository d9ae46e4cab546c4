"""Changes of the directory that somebody asks for, at the control socket or over MQTT, and what they are answered.

One rule: who may edit is a setting; whoever is refused is told where it can be done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.directory.document.reading import DirectoryError
from edge.directory.edits.recent import StaleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.access.people import People
    from edge.model.messages import Actor, Json
    from edge.settings.tables import DirectoryTable

MOST_PROBLEMS: Final = 50
"""Of a directory, told in the answer; how many more there are is told too."""


class BroughtBy(NamedTuple):
    """Where it comes from, and whose it is."""

    source: Path
    actor: Actor


class EditAnswer(NamedTuple):
    """What came of it; `code` is None when it is in force and stored."""

    code: str | None
    text: str
    outcomes: Mapping[str, Json]


async def edit_directory(
    people: People, changes: Sequence[Any], base: int | None, origin: BroughtBy, *, upstream: bool
) -> EditAnswer:
    """Put these changes in force; `upstream` is whether it comes over MQTT."""
    if (elsewhere := _elsewhere(people.managed, upstream=upstream)) is not None:
        return EditAnswer("managed_elsewhere", elsewhere, {})
    directory = people.directory
    try:
        now = await directory.edit(changes, base, *origin)
    except StaleError as error:
        return EditAnswer("stale", error.problems[0], {"in_force": directory.in_force.version, **_told(error.problems)})
    except (DirectoryError, OSError) as error:
        return _refused(error)
    return EditAnswer(None, "", {"version": now.version})


async def apply_directory(people: People, document: bytes, origin: BroughtBy) -> EditAnswer:
    """Put a whole directory in force."""
    try:
        now = await people.directory.apply(document, *origin)
    except (DirectoryError, OSError) as error:
        return _refused(error)
    return EditAnswer(None, "", {"version": now.version})


def _refused(error: DirectoryError | OSError) -> EditAnswer:
    """Everything that is wrong with it, or why it has to wait."""
    if isinstance(error, OSError):
        return EditAnswer("busy", str(error), {})
    problems = [f"{one.key}: {one.message}".removeprefix(": ") for one in error.problems]
    return EditAnswer("invalid_directory", problems[0], _told(problems))


def _told(problems: Sequence[str]) -> dict[str, Json]:
    """So many problems as an answer has room for."""
    return {"problems": [*problems[:MOST_PROBLEMS]], "more": max(0, len(problems) - MOST_PROBLEMS)}


def _elsewhere(managed: DirectoryTable, *, upstream: bool) -> str | None:
    """Where it can be edited, if not here."""
    if managed.managed == "file":
        return f"the directory is managed by its file: change {managed.file}, then doorctl reload"
    if managed.managed == "upstream" and not upstream:
        return "the directory is managed upstream: change it there, it comes over MQTT"
    return None
