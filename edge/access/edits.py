"""Edits of the directory from the control socket or over MQTT, and the answers to them.

One rule: a setting says who may edit the directory. A refusal says where it can be edited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.directory.document.reading import DirectoryError
from edge.directory.edits.recent import StaleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.access.people import People
    from edge.directory.directory import Directory
    from edge.model.messages import Actor, Json
    from edge.settings.tables import DirectoryTable

MOST_PROBLEMS: Final = 50
"""Problems of a directory that an answer lists. It also has the number of further ones."""


class BroughtBy(NamedTuple):
    """Where an edit comes from, and who asks for it."""

    source: Path
    actor: Actor


class EditAnswer(NamedTuple):
    """The answer to an edit; `code` is None when it is in force and stored."""

    code: str | None
    text: str
    outcomes: Mapping[str, Json]


async def edit_directory(
    people: People, changes: Sequence[Any], base: int | None, origin: BroughtBy, *, upstream: bool
) -> EditAnswer:
    """Put these changes in force. `upstream`: they come over MQTT. `base`: the version that they were made from."""
    if (where := elsewhere(people.managed, upstream=upstream)) is not None:
        return EditAnswer("managed_elsewhere", where, {})
    directory = people.directory
    try:
        now = await directory.edit(changes, base, *origin)
    except StaleError as error:
        return EditAnswer("stale", error.problems[0], {"in_force": directory.in_force.version, **_told(error.problems)})
    except (DirectoryError, OSError) as error:
        return _refused(error)
    return EditAnswer(None, "", {"version": now.version})


async def adopt_directory(people: People, directory: Directory, origin: BroughtBy) -> EditAnswer:
    """Put a directory in force that was made here from the one in force."""
    if (where := elsewhere(people.managed, upstream=False)) is not None:
        return EditAnswer("managed_elsewhere", where, {})
    try:
        now = await people.directory.adopt(directory, *origin)
    except StaleError as error:
        in_force = people.directory.in_force.version
        return EditAnswer("stale", error.problems[0], {"in_force": in_force, **_told(error.problems)})
    except OSError as error:
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
    """The refusal, with every problem of the document, or with why it has to wait."""
    if isinstance(error, OSError):
        return EditAnswer("busy", str(error), {})
    problems = [f"{problem.key}: {problem.message}".removeprefix(": ") for problem in error.problems]
    return EditAnswer("invalid_directory", problems[0], _told(problems))


def _told(problems: Sequence[str]) -> dict[str, Json]:
    """The first problems, and the number of further ones."""
    return {"problems": [*problems[:MOST_PROBLEMS]], "more": max(0, len(problems) - MOST_PROBLEMS)}


def elsewhere(managed: DirectoryTable, *, upstream: bool) -> str | None:
    """The sentence that says where to edit the directory; None: it may be edited here."""
    if managed.managed == "file":
        return f"the directory is managed by its file: change {managed.file}, then doorctl reload"
    if managed.managed == "upstream" and not upstream:
        return "the directory is managed upstream: change it there, it comes over MQTT"
    return None
