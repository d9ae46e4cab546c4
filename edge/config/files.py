"""The files that a configuration names: which ones, which are secrets, and which cannot be read.

One rule: whether a file can be read depends on the user, so a problem of permission names the user.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from edge.delivery.secrets import FOLDER
from edge.model.problems import Problem, ProblemReport, dotted
from edge.settings import tables
from edge.system.secret_files import exposed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.settings.controller import Settings

SERVICE: Final = "doorward"
"""The user of doord.service."""
PAGE: Final = "doorweb"
"""The user of doorweb.service."""
DENIED: Final = os.strerror(errno.EACCES)
EXPECTED: Final = "expected a file that can be read"


def check_files(settings: Settings) -> tuple[Problem, ...]:
    """The files of doord that the calling user cannot read.

    systemd's credentials are left out outside of the service, where nobody can see them.
    """
    report = ProblemReport(settings.file)
    if settings.directory.file is not None:
        report.problems += _directory_problems(settings, settings.directory.file)
    keys = [key for key in settings.commands.keys if key.file.parent != tables.CREDENTIALS]
    if keys:
        from edge.commands.tokens import read_keys  # noqa: PLC0415 -- cryptography is loaded only where there are keys

        for where, message in read_keys(keys)[1].items():
            report.add(where, message)
    _unreadable(report, {**_doords(settings), **secrets_of(settings)})
    return _for_whom(report)


def check_page_files(settings: Settings) -> tuple[Problem, ...]:
    """The files of doorweb that the calling user cannot read."""
    report = ProblemReport(settings.file)
    _unreadable(report, page_files(settings))
    return _for_whom(report)


def secrets_of(settings: Settings) -> dict[str, Path]:
    """Key in the configuration -> file, for the passwords and keys that only doord may read."""
    files: dict[str, Path | None] = {}
    for section, names in (
        ("mqtt", ("password_file", "key_file")),
        ("smtp", ("password_file",)),
        ("ntfy", ("token_file", "password_file")),
    ):
        chosen = getattr(settings, section)
        files |= {dotted(section, name): getattr(chosen, name) for name in names if chosen is not None}
    for name, camera in settings.cameras.items():
        files[dotted("camera", name, "password_file")] = camera.password_file
    for driver in settings.drivers.values():
        for point, wires in driver.points.items():
            files[f"{_section(point, settings)}{point}.key_file"] = getattr(wires, "key_file", None)
    return _there(files)


def known_secrets(settings: Settings) -> tuple[Path, ...]:
    """Every secret on this computer, each once: those of the configuration, and those in `secrets/`."""
    page = page_files(settings)
    files = [*secrets_of(settings).values(), *(file for key, file in page.items() if key != "web.cert_file")]
    with suppress(OSError):  # no such folder, or no permission
        files += sorted((settings.file.parent / FOLDER).iterdir())
    return tuple(dict.fromkeys(files))


def exposed_secrets(settings: Settings) -> dict[Path, str]:
    """Secret that everybody or the group `doorward` can read -> the user who should own it."""
    page = page_files(settings).values()
    owners: dict[Path, str] = {}
    for file in known_secrets(settings):
        with suppress(OSError):  # no such file, or no permission
            seen = file.stat()
            if exposed(seen.st_mode, _group(seen.st_gid)):
                owners[file] = PAGE if file in page else SERVICE
    return owners


def exposed_problems(settings: Settings) -> tuple[Problem, ...]:
    """The same as problems, with their keys."""
    report = ProblemReport(settings.file)
    keys = {file: key for key, file in {**secrets_of(settings), **page_files(settings)}.items()}
    for file, owner in exposed_secrets(settings).items():
        exposed_to = f'others than its reader may read "{file}" (mode {file.stat().st_mode & 0o777:04o})'
        report.add(keys.get(file, ""), f"{exposed_to}: chown {owner} {file}; chmod 0400 {file}")
    return tuple(report.problems)


def _group(number: int) -> str | None:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return None


def _section(point: str, settings: Settings) -> str:
    owner = point.partition(".")[0]
    return "door." if owner in settings.doors else "elevator." if owner in settings.elevators else ""


def page_files(settings: Settings) -> dict[str, Path]:
    """Key in the configuration -> file that doorweb reads."""
    web = settings.web
    return _there({f"web.{name}": getattr(web, name) for name in ("cert_file", "key_file", "metrics_token_file")})


def _doords(settings: Settings) -> dict[str, Path]:
    """Key in the configuration -> file that doord reads, other than secrets, keys of commands and the directory."""
    files: dict[str, Path | None] = {"integrations.ca_file": settings.integrations.ca_file}
    if settings.mqtt is not None:
        files |= {"mqtt.ca_file": settings.mqtt.ca_file, "mqtt.cert_file": settings.mqtt.cert_file}
    for section in ("smtp", "ntfy"):
        chosen = getattr(settings, section)
        files |= {dotted(section, "ca_file"): chosen.ca_file} if chosen is not None else {}
    for name, camera in settings.cameras.items():
        files[dotted("camera", name, "ca_file")] = camera.ca_file
    return _there(files)


def _there(files: Mapping[str, Path | None]) -> dict[str, Path]:
    return {key: file for key, file in files.items() if file is not None}


def _unreadable(report: ProblemReport, files: Mapping[str, Path]) -> None:
    for key, file in files.items():
        if file.parent == tables.CREDENTIALS:
            continue
        try:
            with file.open("rb") as stream:
                stream.read(1)
        except OSError as error:
            report.add(key, f'found "{file}", {EXPECTED}: {error.strerror}')


def _for_whom(report: ProblemReport) -> tuple[Problem, ...]:
    """The problems; those of permission name the user."""
    return tuple(
        replace(problem, message=f"{problem.message} for the user {_user()}")
        if problem.message.endswith(DENIED)
        else problem
        for problem in report.problems
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _directory_problems(settings: Settings, file: Path) -> list[Problem]:
    """The problems of the directory; checked as in the daemon, except for its version number."""
    from edge.directory.document.reading import LARGEST, DirectoryError, read  # noqa: PLC0415 -- only where there is a directory
    from edge.directory.store import read_file  # noqa: PLC0415 -- as above

    report = ProblemReport(settings.file)
    try:
        read(read_file(file, LARGEST), file, ZoneInfo(settings.controller.time_zone), doors=settings.doors)
    except DirectoryError as error:
        return [*error.problems]
    except OSError as error:
        report.add("directory.file", f'found "{file}", {EXPECTED}: {error.strerror}')
    return report.problems
