"""`doorctl check` and `doorctl log`: commands that need files, and no daemon."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge.cli.text import say, say_json

if TYPE_CHECKING:
    import argparse


def check(arguments: argparse.Namespace) -> int:
    """Check a configuration, and print all problems at once. 1 with problems; warnings alone are 0."""
    from edge.config.checking import Checked, against_running, checked  # noqa: PLC0415 -- pydantic is slow to import

    seen: Checked = checked(arguments.file, arguments.user)
    changes = None if seen.settings is None else against_running(arguments.socket, seen.settings)
    refused = [] if changes is None else changes.get("refused", [])
    bad = bool(seen.problems or refused)
    if arguments.json:
        say_json({"file": str(arguments.file), **seen.facts(), "reload": changes})
        return 1 if bad else 0
    for found in seen.problems:
        say(str(found))
    for warning in seen.warnings:
        say(f"warning: {warning}")
    for problem in refused:
        say(f"doorctl reload refuses {problem}")
    if seen.settings is not None and not bad:
        doors, drivers = len(seen.settings.doors), len(seen.settings.drivers)
        whose = f" for the user {seen.user}" if seen.user else ""
        say(f"{arguments.file}: valid{whose}, {doors} doors on {drivers} drivers")
        for line in _reload_lines(changes):
            say(line)
    return 1 if bad else 0


def _reload_lines(changes: dict[str, list[str]] | None) -> list[str]:
    if changes is None:
        return []
    lines = [f"doorctl reload applies: {', '.join(changes['applied'])}"] if changes["applied"] else []
    if changes["needs_restart"]:
        lines.append(f"only after systemctl restart doord: {', '.join(changes['needs_restart'])}")
    return lines or ["doord already runs with this configuration"]


def verify(arguments: argparse.Namespace) -> int:
    """Check the hash chain. 1 with a broken record, 2 when there is no log."""
    from edge.client.connection import Client, Unreachable  # noqa: PLC0415 -- only without a file
    from edge.log.verify import verify as walk  # noqa: PLC0415 -- sqlite-utils is slow to import

    path, reached = arguments.file, 0
    if path is None:
        from pathlib import Path  # noqa: PLC0415 -- as above

        try:
            with Client(arguments.socket) as client:
                log = client.ask("status")["log"]
                path, reached = Path(log["path"]), log["committed"]
        except Unreachable as error:
            sys.stderr.write(f"doorctl: {error}; name the file: doorctl log verify FILE\n")
            return 2
    result = walk(path, reached=reached)
    if arguments.json:
        say_json({**asdict(result), "ok": result.ok})
    elif result.broken is None:
        removed = f", {result.removed} removed by retention" if result.removed else ""
        say(f"{result.path}: {result.checked} records are intact, {result.first} to {result.last}{removed}")
    else:
        where = f"record {result.broken.sequence}" if result.broken.sequence else "the file"
        say(f"{result.path}: {where} is broken: {result.broken.what}")
        say(f"the {result.checked} records before it are intact")
    return 0 if result.ok else 1


def log(arguments: argparse.Namespace) -> int:
    """The verbs of `doorctl log`."""
    return restored(arguments) if arguments.verb == "restored" else verify(arguments)


def restored(arguments: argparse.Namespace) -> int:
    """Say that a log was put back from a copy: it goes on as another stream, now or from its next start on."""
    from edge.client.connection import Client  # noqa: PLC0415 -- only without a file
    from edge.log.remembered import say_restored  # noqa: PLC0415 -- only with one

    if arguments.file is None:
        with Client(arguments.socket) as client:
            answer = client.ask("log_restored")
        text = f"the log goes on as stream {answer['stream']}"
    else:
        say_restored(arguments.file)
        answer, text = (
            {"file": str(arguments.file)},
            f"{arguments.file} goes on as another stream from its next start on",
        )
    if arguments.json:
        say_json(answer)
    else:
        say(text)
    return 0
