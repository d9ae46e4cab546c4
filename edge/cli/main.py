"""Runs one command of `doorctl`. An error becomes a line on stderr and an exit code."""

from __future__ import annotations

import importlib
import io
import os
import sys
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.cli.commands import completed, parser
from edge.client.connection import RequestRefused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

WELL, FINDINGS, CANNOT_TELL = 0, 1, 2
MISTYPED: Final = ("ambiguous", "unknown")
"""How codes of refusals begin because nobody can tell who or what is meant; their sentences name what may be."""
COMPLETE: Final = "__complete"
"""Asked by the scripts of the shells."""
INTERRUPTED: Final = 130
"""128 plus the number of SIGINT, as in shells."""


def run() -> None:
    """The program: runs one command and exits at once. The interpreter's own clean-up would take 8 ms for nothing."""
    sys.unraisablehook = _unheard
    if sys.stdout is None:
        code = _fail(OSError("there is no standard output"), CANNOT_TELL)
    else:
        code = _complete(sys.argv[2:]) if sys.argv[1:2] == [COMPLETE] else main()
    for stream in (sys.stdout, sys.stderr):  # also what was printed before an error
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(code)


def _unheard(_: object) -> None:
    """Say nothing of objects that Ctrl-C left half made, such as the file of a socket. The program ends anyway."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = completed(sys.argv[1:] if argv is None else argv)
    if not words:
        parser().exit(CANNOT_TELL, parser().format_help())
    arguments = parser(words).parse_args(words)
    module, _, function = arguments.run.partition(":")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a character that the terminal cannot show is escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = int(getattr(importlib.import_module(f"edge.cli.{module}"), function)(arguments))
        sys.stdout.flush()
    except Unreachable as error:
        return _fail(error, CANNOT_TELL)
    except RequestRefused as error:
        return _fail(error, CANNOT_TELL if error.code.startswith(MISTYPED) else FINDINGS)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WELL
    except _expected() as error:
        return _fail(error, CANNOT_TELL)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _expected() -> tuple[type[Exception], ...]:
    """Errors that have a sentence for people; those of a log file only where one was read."""
    databases = sys.modules.get("sqlite3")
    return (ValueError, OSError) if databases is None else (ValueError, OSError, databases.Error)


def _complete(words: Sequence[str]) -> int:
    """What may come next. Whatever goes wrong is no concern of somebody who types."""
    from edge.cli.completion import complete  # noqa: PLC0415 -- a shell asks it

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
        return complete(words)


def _fail(error: Exception, code: int) -> int:
    from edge.model.printable import spelt  # noqa: PLC0415 -- only when something went wrong

    named = isinstance(error, OSError) and error.filename is not None and error.strerror is not None
    text = f"{error.filename}: {error.strerror}" if named else str(error)  # type: ignore[attr-defined]  # an OSError
    sys.stderr.writelines(f"doorctl: {spelt(line)}\n" for line in text.splitlines())
    return code
