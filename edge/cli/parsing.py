"""How the command line is made: its help, its verbs, and values that several commands take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.cli.terminal import columns_of
from edge.client.sockets import OWN, SYSTEM
from edge.client.times import duration_s
from edge.model.alike import did_you_mean
from edge.model.printable import spelt

if TYPE_CHECKING:
    from collections.abc import Sequence

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 -- it has no public name

FEW: Final = 8
"""Choices that are all named to whoever typed another one."""
HIGHEST: Final = 2**31
"""The largest number that a command accepts; no log has so many records."""


def whole_number(text: str) -> int:
    """A number on the command line, from 1 to `HIGHEST`."""
    if not text.isdecimal() or len(text) > len(str(HIGHEST)) or not 0 < int(text) <= HIGHEST:
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected a whole number from 1 to {HIGHEST}")
    return int(text)


def length_of_time(text: str) -> float:
    """A length of time on the command line, in seconds: `7.5`, `90s`, `5m`, `8h`."""
    try:
        return duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class Help(argparse.HelpFormatter):
    """As wide as the terminal."""

    def __init__(self, prog: str) -> None:
        """`prog` is what stands before the arguments."""
        super().__init__(prog, width=columns_of(1) - 2)


class Overview(Help, argparse.RawDescriptionHelpFormatter):
    """Leaves the lines of the overview as they are."""


class CommandParser(argparse.ArgumentParser):
    """Proposes what a mistyped command, verb, option or choice may have been meant to be."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 -- as argparse has it
        """In place of argparse's own, which names what it does not know, and nothing else."""
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            meant = parser_of(self, args or ())
            option, what = unknown[0].partition("=")[0], "option" if unknown[0].startswith("-") else "argument"
            hint = did_you_mean(option, options_of(meant)) if what == "option" else ""
            hint = hint or f": {meant.prog} --help lists what it takes"
            meant.exit(2, f"{meant.prog}: {spelt(f'there is no {what} {option!r}{hint}')}\n")
        return arguments

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """In place of argparse's own, which lists everything."""
        choices = [str(one) for one in action.choices or ()]
        if action.choices is None or value in action.choices:
            return
        kind = str(action.metavar).lower() if action.dest == argparse.SUPPRESS else None
        where = self.prog if kind else f"{self.prog}: {'/'.join(action.option_strings) or action.dest}"
        hint = did_you_mean(str(value), choices)
        if not hint:
            hint = f": {self.prog} --help lists them" if len(choices) > FEW else f"; expected {', '.join(choices)}"
        said = f"there is no {kind or 'choice'} {value!r}{hint}"
        self.exit(2, f"{where}: {spelt(said)}\n")


def parser_of(top: argparse.ArgumentParser, words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command, or of its verb, that these words begin with."""
    for word in words:
        for action in top._actions:  # noqa: SLF001 -- it has no public name
            if isinstance(action, argparse._SubParsersAction) and word in action.choices:  # noqa: SLF001 -- as above
                top = action.choices[word]
    return top


def options_of(made: argparse.ArgumentParser) -> list[str]:
    """Its options as they are typed."""
    return [*made._option_string_actions]  # noqa: SLF001 -- it has no public name


def verb_first(after: Sequence[str], verbs: Sequence[str]) -> list[str]:
    """What stands after a command, with its verb first if only options stand before it."""
    option = ""
    for number, word in enumerate(after):
        if word in verbs and option != "--socket":  # its value
            return [word, *after[:number], *after[number + 1 :]]
        if not word.startswith("-") and not option:
            break
        option = word if word.startswith("-") else ""
    return [*after]


def subparser(among: Commands, name: str, text: str, common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser of a command or a verb, with what `common` takes."""
    return among.add_parser(
        name, help=text, description=text, parents=[common], allow_abbrev=False, formatter_class=Help
    )


def verbs_of(made: argparse.ArgumentParser) -> Commands:
    """The verbs of a command, to be added."""
    return made.add_subparsers(title="verbs", metavar="VERB", required=True)


def common_options(made: argparse.ArgumentParser, **default: Any) -> None:  # noqa: ANN401 -- as argparse takes them
    """What every command takes."""
    made.add_argument(
        "--json", action="store_true", default=default["json"], help="print stable JSON (events: one document a line)"
    )
    text = f"the daemon's socket (DOORWARD_SOCKET, {SYSTEM}, {OWN})"
    made.add_argument("--socket", type=Path, default=default["socket"], metavar="PATH", help=text)
