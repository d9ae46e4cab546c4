"""`doorctl check` and `doorctl log verify`: what needs no daemon, only files."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge.cli.text import say, say_json

if TYPE_CHECKING:
    import argparse


def check(arguments: argparse.Namespace) -> int:
    """Validate a configuration. 1 with problems, all of them at once."""
    from edge.config import check_files, load  # noqa: PLC0415 -- pydantic is slow to import
    from edge.problems import ConfigError  # noqa: PLC0415 -- as above

    try:
        settings = load(arguments.file)
        problems = check_files(settings)
    except ConfigError as error:
        problems = tuple(error.problems)
    if arguments.json:
        found = [{"file": str(p.file), "key": p.key, "message": p.message} for p in problems]
        say_json({"file": str(arguments.file), "problems": found})
    else:
        for problem in problems:
            say(str(problem))
        if not problems:
            say(f"{arguments.file}: well, {len(settings.doors)} doors on {len(settings.drivers)} drivers")
    return 1 if problems else 0


def verify(arguments: argparse.Namespace) -> int:
    """Walk the hash chain. 1 names the first broken record, 2 when there is no log."""
    from edge.cli.client import Client, Unreachable  # noqa: PLC0415 -- only without a file
    from edge.log_verify import verify as walk  # noqa: PLC0415 -- sqlite-utils is slow to import

    path = arguments.file
    if path is None:
        from pathlib import Path  # noqa: PLC0415 -- as above

        try:
            with Client(arguments.socket) as client:
                path = Path(client.ask("status")["log"]["path"])
        except Unreachable as error:
            sys.stderr.write(f"doorctl: {error}; name the file: doorctl log verify FILE\n")
            return 2
    result = walk(path)
    if arguments.json:
        say_json({**asdict(result), "ok": result.ok})
    elif result.broken is None:
        removed = f", {result.removed} removed by retention" if result.removed else ""
        say(f"{result.path}: {result.checked} records hold, {result.first} to {result.last}{removed}")
    else:
        where = f"record {result.broken.sequence}" if result.broken.sequence else "the file"
        say(f"{result.path}: {where} is broken: {result.broken.what}")
        say(f"the {result.checked} records before it hold")
    return 0 if result.ok else 1
