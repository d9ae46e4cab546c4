"""Writes the manual pages: doorctl(1) and doord(8) from their parsers, doorward.toml(5) from docs/configuration.md.

`python manual.py DOCS TARGET`: TARGET/man1/doorctl.1 and its neighbours. Their text is that of --help and of the pages.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge import __version__
from edge.cli.commands import COMMANDS, parser
from edge.cli.overview import EXAMPLES, GROUPS
from edge.daemon.doord import arguments_parser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
STYLED: Final = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
CELLS: Final = re.compile(r"(?<!\\)\|")
ENVIRONMENT: Final = (
    ("DOORWARD_SOCKET", "the socket of doord, as --socket"),
    ("NO_COLOR", "no colour, whatever its value"),
    ("TERM", "no colour with dumb"),
)
SIGNALS: Final = (
    ("SIGHUP", "read the configuration and the directory again"),
    ("SIGTERM, SIGINT", "stop: every lock goes to rest, and the log is written to its end"),
)
USUAL: Final = {"DOOR": "a door's id or name", "FILE": "a file"}
DAEMON_CODES: Final = (
    ("0", "after a stop"),
    ("1", "it cannot run, or the last events could not be written"),
    ("78", "the configuration is wrong, and none that was in force before is kept: systemd does not start it again"),
)


def plain(text: str) -> str:
    """Text as roff takes it."""
    return text.replace("\\", "\\e").replace("-", "\\-")


def line(text: str) -> str:
    """A line of text that is no request."""
    return f"\\&{text}" if text.startswith((".", "'")) else text


def inline(text: str) -> str:
    """A paragraph of Markdown: links lose their targets, code and emphasis are bold."""
    text, out, at = LINK.sub(r"\1", text.replace("\\|", "|")), "", 0
    for found in STYLED.finditer(text):
        out += plain(text[at : found.start()]) + f"\\fB{plain(found[1] or found[2])}\\fR"
        at = found.end()
    return line(out + plain(text[at:]))


def bold(text: str) -> str:
    """Text in bold."""
    return f"\\fB{plain(text)}\\fR"


def head(name: str, section: int, what: str) -> list[str]:
    """How a page begins."""
    return [f'.TH {name.upper()} {section} "" "Doorward {__version__}"', ".SH NAME", f"{plain(name)} \\- {plain(what)}"]


def entries(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Terms with what they mean."""
    for term, text in rows:
        yield from (".TP", line(bold(term)), line(plain(text)))


def options(made: argparse.ArgumentParser, known: frozenset[str] = frozenset()) -> Iterator[str]:
    """The options and arguments of a command, without those that are known."""
    for action in made._actions:
        if isinstance(action, argparse._SubParsersAction) or {*action.option_strings} & known:
            continue
        term = ", ".join(action.option_strings) + (f" {value(action)}" if action.nargs != 0 else "")
        about = (action.help or "").replace("%%", "%")
        named = f"one of {', '.join(map(str, action.choices))}" if action.choices else ""
        yield from (
            ".TP",
            line(bold(term.strip())),
            line(plain("; ".join(filter(None, (about, named))) or USUAL.get(value(action), "-"))),
        )


def value(action: argparse.Action) -> str:
    """What stands for the value of an argument."""
    return str(action.metavar or action.dest.upper())


def usage(made: argparse.ArgumentParser) -> str:
    """A command in short: its arguments, not its options."""
    names = [value(action) for action in made._actions if not action.option_strings]
    marks = [action.nargs for action in made._actions if not action.option_strings]
    shown = [f"[{name}]" if mark in {"?", "*"} else name for name, mark in zip(names, marks, strict=True)]
    return " ".join([made.prog, *shown, "[OPTION]..."])


def command(name: str) -> Iterator[str]:
    """A command, and below it what it takes; each verb of it likewise."""
    top = parser([name])
    common = frozenset(option for action in top._actions for option in action.option_strings)
    [made] = [action.choices[name] for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    verbs = [action for action in made._actions if isinstance(action, argparse._SubParsersAction)]
    yield from (".TP", line(bold(usage(made))), line(plain(f"{COMMANDS[name].help}.")))
    yield from inside(options(made, common))
    for verb, sub in verbs[0].choices.items() if verbs else ():
        text = {one.dest: one.help or "" for one in verbs[0]._choices_actions}[verb]
        yield from (".TP", line(bold(usage(sub))), line(plain(f"{text}.")), *inside(options(sub, common)))


def inside(lines: Iterable[str]) -> list[str]:
    """Lines below a term."""
    shown = [*lines]
    return [".RS", *shown, ".RE"] if shown else []


def doorctl(page: str) -> Iterator[str]:
    """The page of doorctl."""
    top = parser()
    yield from head("doorctl", 1, "shows, commands and checks the doors of one Doorward controller")
    yield from (".SH SYNOPSIS", f"{bold('doorctl')} [\\-\\-json] [\\-\\-socket PATH] COMMAND ...", ".SH DESCRIPTION")
    about = " ".join(page.partition("\n\n")[2].partition("\n\n")[0].split())
    yield inline(about.partition(" Every output")[0])
    yield from (".SH OPTIONS", *options(top), ".SH COMMANDS")
    for title, names in GROUPS.items():
        yield f".SS {plain(title.capitalize())}"
        for name in names:
            yield from command(name)
    codes = page.partition("| exit code | |")[2].partition("\n\n")[0]
    yield from (".SH EXIT STATUS", *table(codes.strip().splitlines()[1:], []))
    yield from (".SH ENVIRONMENT", *entries(ENVIRONMENT), ".SH EXAMPLES")
    yield from entries((f"doorctl {typed}", text) for typed, text in EXAMPLES)
    yield from (".SH SEE ALSO", f"{bold('doord')}(8), {bold('doorward.toml')}(5)")


def doord() -> Iterator[str]:
    """The page of doord."""
    yield from head("doord", 8, "guards the doors of one Doorward controller")
    yield from (".SH SYNOPSIS", f"{bold('doord')} [OPTION]...", ".SH DESCRIPTION")
    yield plain("Reads door contacts, exit buttons and card readers, drives lock relays, and records what happens.")
    yield plain("systemd runs it as doord.service.")
    yield from (".SH OPTIONS", *options(arguments_parser()), ".SH SIGNALS", *entries(SIGNALS))
    yield from (".SH EXIT STATUS", *entries(DAEMON_CODES), ".SH SEE ALSO")
    yield f"{bold('doorctl')}(1), {bold('doorward.toml')}(5)"


def settings(page: str) -> Iterator[str]:
    """The page of the configuration."""
    yield from head("doorward.toml", 5, "configuration of doord")
    yield ".SH DESCRIPTION"
    yield from converted(page.partition("\n")[2])
    yield from (".SH SEE ALSO", f"{bold('doord')}(8), {bold('doorctl')}(1)")


def converted(page: str) -> Iterator[str]:
    """Markdown as roff: headings, paragraphs, lists, tables and code."""
    for block in re.split(r"\n{2,}(?![^`]*\n```\n)", re.sub(r"<!--.*?-->\n?", "", page.strip(), flags=re.DOTALL)):
        lines = block.splitlines()
        if lines[0].startswith("```"):
            yield from (".PP", ".EX", *(line(plain(one)) for one in lines if not one.startswith("```")), ".EE")
        elif lines[0].startswith("#"):
            title = lines[0].lstrip("#").strip()
            yield f'.{"SH" if lines[0].startswith("## ") else "SS"} "{plain(title.replace("`", "")).upper()}"'
            if lines[1:]:
                yield from converted("\n".join(lines[1:]))
        elif lines[0].startswith("|"):
            yield from table(lines[2:], cells(lines[0]))
        elif lines[0].startswith("- "):
            for item in re.split(r"\n- ", block.removeprefix("- ")):
                yield from (".IP \\(bu 2", inline(" ".join(item.split())))
        else:
            yield from (".PP", inline(" ".join(block.split())))


def cells(row: str) -> list[str]:
    """The cells of a row of a table."""
    return [cell.strip() for cell in CELLS.split(row.strip().strip("|"))]


def table(rows: Iterable[str], heads: list[str]) -> Iterator[str]:
    """Each row as a term, its first cell, and what is told of it."""
    for row in rows:
        term, *rest = cells(row)
        told = rest[:1] + [f"{name}: {cell}" for name, cell in zip(heads[2:], rest[1:], strict=False)]
        yield from (".TP", line(bold(term.replace("`", ""))), inline("; ".join(filter(None, told)) or "-"))


def tidy(lines: Iterable[str]) -> Iterator[str]:
    """Without a paragraph that begins where a section does."""
    before = ""
    for one in lines:
        if one != ".PP" or not before.startswith((".SH", ".SS")):
            yield one
        before = one


def write(docs: Path, target: Path) -> None:
    """Write all pages."""
    for name, lines in (
        ("man1/doorctl.1", doorctl((docs / "doorctl.md").read_text(encoding="utf-8"))),
        ("man8/doord.8", doord()),
        ("man5/doorward.toml.5", settings((docs / "configuration.md").read_text(encoding="utf-8"))),
    ):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("\n".join(tidy(lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
