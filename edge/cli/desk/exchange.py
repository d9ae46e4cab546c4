"""`doorctl people export` and `import`: the directory as a file, whole or not at all.

One rule: before anything is changed, everything that would change or is wrong is shown.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from edge.cli.asking import sure
from edge.cli.text import say, say_json
from edge.client.connection import Client, RequestRefused
from edge.client.importing import changes, counted, pieces, problems
from edge.model.plain_text import text_of
from edge.model.printable import spelt
from edge.reports.file import whole, write_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

FORMS: Final = {".json": "json", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}
STALE: Final = "stale"
TRIES: Final = 10
LARGEST: Final = 64 << 20
"""Bytes of a file that is imported."""
LONG: Final = 2_000_000
"""Characters of a file that takes some seconds to be sent."""
WITHIN_S: Final = 900.0
"""Planning hashes up to a thousand PINs, and looks at each of 100,000 people."""
NAME_COLUMN: Final = 1
PRIVATE: Final = 0o077


def exported(arguments: argparse.Namespace) -> int:
    """Write the file. A version of the directory that comes meanwhile begins it anew."""
    form = _form(arguments.file, written=True)
    for left in reversed(range(TRIES)):
        try:
            count = _write(arguments, form)
            break
        except RequestRefused as error:
            if error.code != STALE or not left:
                raise
    if arguments.json:
        say_json({"file": str(arguments.file), "entries" if form == "json" else "people": count})
    else:
        what = f"{count} entries" if form == "json" else f"{count} people"
        sys.stderr.write(f"{what} written to {spelt(arguments.file)}\n")
    return 0


def imported(arguments: argparse.Namespace) -> int:
    """Show what the file would change, ask, and put it in force. 1 when it was refused, or something is wrong."""
    form = _form(arguments.file, written=False)
    text = _read(arguments.file)
    with Client(arguments.socket, WITHIN_S) as client:
        own = client.ask("directory_import", action="begin", form=form, combined=arguments.combined)["import"]
        sent = 0
        for piece in pieces(text):
            client.ask("directory_import", action="send", text=piece, **{"import": own})
            sent += len(piece)
            _progress(sent, len(text))
        plan = client.ask("directory_import", action="plan", **{"import": own})
        if not arguments.json:
            _tell(plan)
        answer = None
        if plan["changes"] and not plan["problems"] and not arguments.dry_run:
            if not arguments.yes and not sure(f"put this in force ({counted(plan)})"):
                client.ask("directory_import", action="drop", **{"import": own})
                return 1
            answer = client.ask("apply_import", **{"import": own})
        else:
            client.ask("directory_import", action="drop", **{"import": own})
    if arguments.json:
        say_json({**plan, "applied": answer})
    elif answer is not None and answer["done"]:
        say(f"version {answer['outcomes']['version']} is in force")
    elif answer is not None:
        again = ": run the import again" if answer["code"] == STALE else ""
        sys.stderr.write(f"doorctl: nothing was changed: {spelt(answer['message'])}{again}\n")
    return 1 if plan["problems"] or (answer is not None and not answer["done"]) else 0


def _form(file: Path, *, written: bool) -> str:
    form = FORMS.get(file.suffix.lower())
    if form is None or (written and file.suffix.lower() not in {".json", ".csv"}):
        expected = ".csv (people) or .json (the whole directory)" if written else "one of " + ", ".join(FORMS)
        raise ValueError(f"{file}: expected a name that ends in {expected}")
    return form


# --- export --------------------------------------------------------------------------------------


def _write(arguments: argparse.Namespace, form: str) -> int:
    def write(out: TextIO) -> int:
        os.fchmod(out.fileno(), os.fstat(out.fileno()).st_mode & ~PRIVATE)  # people and card numbers
        with Client(arguments.socket, WITHIN_S) as client:
            pieces = _asked(client, form)
            return _document(out, pieces) if form == "json" else _sheet(out, pieces, mark=arguments.spreadsheet)

    return whole(arguments.file, write)


def _asked(client: Client, form: str) -> Iterator[dict[str, Any]]:
    more: dict[str, Any] = {}
    while True:
        piece = client.ask("directory_export", form=form, **more)
        yield piece
        if piece["next"] is None:
            return
        more = {"after": piece["next"], "version": piece["version"]}


def _document(out: TextIO, pieces: Iterator[dict[str, Any]]) -> int:
    return sum(_entries(out, piece["text"]) for piece in pieces)


def _entries(out: TextIO, text: str) -> int:
    out.write(text)
    return text.count("\n  ")


def _sheet(out: TextIO, pieces: Iterator[dict[str, Any]], *, mark: bool) -> int:
    rows: list[list[str]] = []
    columns: list[str] = []
    for piece in pieces:
        columns = piece["columns"]
        rows += piece["rows"]
    rows.sort(key=lambda row: (row[NAME_COLUMN].casefold(), row[0]))
    return write_table(out, columns, rows, spreadsheet=mark)


# --- import --------------------------------------------------------------------------------------


def _read(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{file}: found more than {LARGEST >> 20} MiB: put it into the [directory] file instead")
    try:
        return text_of(content)
    except ValueError as error:
        hint = "" if file.suffix.lower() == ".json" else "; in a spreadsheet: save as CSV UTF-8"
        raise ValueError(f"{file}: {error}{hint}") from None


def _progress(sent: int, of: int) -> None:
    """Only on a terminal, and only for a file that takes a while: doord takes half a megabyte a second from a user."""
    if of > LONG and sys.stderr.isatty():
        sys.stderr.write(f"\rsent {sent * 100 // of} %" + ("\n" if sent == of else ""))
        sys.stderr.flush()


def _tell(plan: dict[str, Any]) -> None:
    for line in changes(plan):
        say(line)
    if plan["problems"]:
        sys.stderr.writelines(f"doorctl: {spelt(line)}\n" for line in (*problems(plan), "nothing was changed"))
    elif plan["changes"]:
        say(counted(plan))
    else:
        say("nothing would change")
