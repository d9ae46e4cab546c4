"""Checks a configuration and its files as the user who will run it: problems and warnings.

One rule: root can read every file, so files are checked as the service's user.
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
    """The result of a check."""

    settings: Settings | None
    """None when the configuration cannot be used."""
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    user: str | None = None
    """The user as whom files were read; None: the calling user."""

    def facts(self) -> dict[str, Any]:
        """The result as JSON."""
        return {"problems": _facts(self.problems), "warnings": _facts(self.warnings), "user": self.user}


def checked(file: Path, user: str | None = None) -> Checked:
    """Check a file and the files that it names, as `user`, by default the one who runs it. ValueError and OSError."""
    try:
        settings = load(file)
        mine = check_files(settings)  # also loads modules that the other user may not be able to read
    except ConfigError as error:
        return Checked(None, error.problems)
    user = user or service_user(file)
    problems = mine if user is None else unreadable(settings, user)
    notes = (*warnings(settings), *exposed_problems(settings), *overlap_warnings(settings, datetime.now(UTC)))
    if user is None and _is_the_services(file) and os.geteuid() not in {0, _uid(SERVICE)}:
        closed = [problem for problem in problems if DENIED in problem.message]  # rightly: only the service may read it
        problems = tuple(problem for problem in problems if problem not in closed)
        text = "not looked at, only root can do so as the service: sudo doorctl check"
        notes += tuple(replace(problem, message=text) for problem in closed)
    if service_user(file) and page_files(settings) and _uid(PAGE) is not None:
        problems += _from_json(as_user(PAGE, lambda: _facts(check_page_files(settings))))
    return Checked(settings, problems, notes, user)


def against_running(socket: Path, settings: Settings) -> dict[str, list[str]] | None:
    """Which changes a reload of the running doord would apply, which it would refuse, and which wait for a restart.

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
        return None  # no fault of the file
    return found


def readable(problem: Problem) -> bool:
    """Whether the problem is in a file's content, not in its permissions or place."""
    return EXPECTED not in problem.message


def unreadable(settings: Settings, user: str | None) -> tuple[Problem, ...]:
    """Problems of `user` (None: the calling user) in reading the configuration and the files that it names."""
    if user is None:
        return check_files(settings)
    return _from_json(as_user(user, lambda: _facts(_all(settings.file, check_files))))


def service_user(file: Path) -> str | None:
    """The service's user, when root asks about the service's own configuration; else None."""
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
    return [{"file": str(problem.file), "key": problem.key, "message": problem.message} for problem in problems]


def _from_json(facts: list[dict[str, str]]) -> tuple[Problem, ...]:
    return tuple(Problem(Path(fact["file"]), fact["key"], fact["message"]) for fact in facts)
