"""Checks a configuration as whoever will run it: what is wrong, and what is worth a second look.

One rule: root can read everything, so what root can read says nothing about the service.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edge.client.connection import Client, RequestRefused, Unreachable
from edge.config.as_user import as_user
from edge.config.files import (
    DENIED,
    EXPECTED,
    PAGE,
    SERVICE,
    check_files,
    check_page_files,
    exposed_problems,
    page_files,
)
from edge.config.interlock_groups import overlap_warnings
from edge.config.reading import DEFAULT_PATH, content_of, load
from edge.config.warnings import warnings
from edge.model.plain_text import text_of
from edge.model.problems import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edge.settings.controller import Settings


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it."""

    settings: Settings | None
    """None when it cannot be used."""
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    user: str | None = None
    """As whom files were read; None: as whoever asked."""

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        found = {"problems": _facts(self.problems), "warnings": _facts(self.warnings)}
        return {**found, "user": self.user}


def checked(file: Path, user: str | None = None) -> Checked:
    """Check a file and all that it names, as that user or whoever runs it. Raises ValueError and OSError."""
    try:
        settings = load(file)
        mine = check_files(settings)  # loads what the other user perhaps may not load
    except ConfigError as error:
        return Checked(None, error.problems)
    user = user or service_user(file)
    problems = mine if user is None else unreadable(settings, user)
    notes = (*warnings(settings), *exposed_problems(settings), *overlap_warnings(settings, datetime.now(UTC)))
    if user is None and _is_the_services(file) and os.geteuid() not in {0, _uid(SERVICE)}:
        closed = [one for one in problems if DENIED in one.message]  # as it should be: it is not ours to judge
        problems = tuple(one for one in problems if one not in closed)
        text = "not looked at, only root can do so as the service: sudo doorctl check"
        notes += tuple(replace(one, message=text) for one in closed)
    if service_user(file) and page_files(settings) and _uid(PAGE) is not None:
        problems += _from_json(as_user(PAGE, lambda: _facts(check_page_files(settings))))
    return Checked(settings, problems, notes, user)


def against_running(socket: Path, settings: Settings) -> dict[str, list[str]] | None:
    """What a reload of the running doord would take over of it, and what waits for a restart.

    None when no doord of this controller runs, or when it cannot be asked.
    """
    who = settings.controller
    try:
        text = text_of(content_of(settings.file))
        with Client(socket) as client:
            running = client.ask("status")["controller"]
            if (running["id"], running["site"]) != (who.id, who.site):
                return None
            found: dict[str, list[str]] = client.ask("compare", text=text)
    except (Unreachable, RequestRefused, ConfigError, ValueError, KeyError, TypeError):
        return None  # it says nothing against the file
    return found


def readable(problem: Problem) -> bool:
    """Whether it is about what stands in a file, not about getting at it."""
    return EXPECTED not in problem.message


def unreadable(settings: Settings, user: str | None) -> tuple[Problem, ...]:
    """What that user, or whoever asks, cannot read or use of the configuration and the files that it names."""
    if user is None:
        return check_files(settings)
    return _from_json(as_user(user, lambda: _facts(_all(settings.file, check_files))))


def service_user(file: Path) -> str | None:
    """Who runs this configuration, if it is the service's own and root asks."""
    known = os.geteuid() == 0 and _uid(SERVICE) is not None and _is_the_services(file)
    return SERVICE if known else None


def _is_the_services(file: Path) -> bool:
    return file.absolute().parent == DEFAULT_PATH.parent


def _uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def _all(file: Path, look: Callable[[Settings], tuple[Problem, ...]]) -> tuple[Problem, ...]:
    try:
        return look(load(file))
    except ConfigError as error:
        return error.problems


def _facts(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    return [{"file": str(one.file), "key": one.key, "message": one.message} for one in problems]


def _from_json(found: list[dict[str, str]]) -> tuple[Problem, ...]:
    return tuple(Problem(Path(one["file"]), one["key"], one["message"]) for one in found)
