"""Edits of the directory that somebody asks for, at the control socket or over MQTT, and what they are answered.

One rule: who may edit is a setting; whoever is refused is told where it can be done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.directory.document.reading import DirectoryError
from edge.directory.edits.recent import StaleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.directory.in_force import LiveDirectory
    from edge.model.messages import Actor, Json
    from edge.settings.tables import DirectoryTable

MOST_PROBLEMS: Final = 50
"""Of a directory, told in the answer; how many more there are is told too."""


class EditAnswer(NamedTuple):
    """What came of it; `code` is None when it is in force and stored."""

    code: str | None
    text: str
    outcomes: Mapping[str, Json]


async def edit_directory(  # noqa: PLR0913 -- what was asked, by whom and where, by name
    directory: LiveDirectory,
    managed: DirectoryTable,
    *,
    changes: Sequence[Any],
    base: int | None,
    source: Path,
    actor: Actor,
    upstream: bool,
) -> EditAnswer:
    """Put these changes in force; `upstream` is whether it comes over MQTT."""
    if (elsewhere := _elsewhere(managed, upstream=upstream)) is not None:
        return EditAnswer("managed_elsewhere", elsewhere, {})
    try:
        now = await directory.edit(changes, base, source, actor)
    except StaleError as error:
        return EditAnswer("stale", error.problems[0], {"in_force": directory.in_force.version, **told(error.problems)})
    except DirectoryError as error:
        return invalid(error)
    except OSError as error:
        return EditAnswer("busy", str(error), {})
    return EditAnswer(None, "", {"version": now.version})


def invalid(error: DirectoryError) -> EditAnswer:
    """Everything that is wrong with a directory, or with an edit of it."""
    problems = [f"{one.key}: {one.message}".removeprefix(": ") for one in error.problems]
    return EditAnswer("invalid_directory", problems[0], told(problems))


def told(problems: Sequence[str]) -> dict[str, Json]:
    """So many problems as an answer has room for."""
    return {"problems": [*problems[:MOST_PROBLEMS]], "more": max(0, len(problems) - MOST_PROBLEMS)}


def _elsewhere(managed: DirectoryTable, *, upstream: bool) -> str | None:
    """Where it can be edited, if not here."""
    if managed.managed == "file":
        return f"the directory is managed by its file: change {managed.file}, then doorctl reload"
    if managed.managed == "upstream" and not upstream:
        return "the directory is managed upstream: change it there, it comes over MQTT"
    return None
