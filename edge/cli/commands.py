"""The command line of `doorctl`: every command, its function and its arguments.

One rule: only the parser of the wanted command is made. Each one takes time that somebody waits for.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from edge import __version__
from edge.cli import search_arguments, sign_arguments, telling_arguments
from edge.cli.overview import ALSO, overview
from edge.cli.parsing import (
    CommandParser,
    Help,
    Overview,
    common_options,
    length_of_time,
    subparser,
    verb_first,
    verbs_of,
    whole_number,
)
from edge.model.page_roles import PageRole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONFIG: Final = "/etc/doorward/doorward.toml"


def parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser for these words: with their command only, or with all commands if they have none."""
    text = "Shows, commands and checks the doors of one Doorward controller."
    top: argparse.ArgumentParser = CommandParser(
        prog="doorctl",
        usage="doorctl [-h] [--json] [--socket PATH] [--version] COMMAND ...",
        description=text,
        epilog=overview({name: one.help for name, one in COMMANDS.items()}),
        allow_abbrev=False,
        formatter_class=Overview,
    )
    common_options(top, json=False, socket=None)
    common = argparse.ArgumentParser(add_help=False, formatter_class=Help)
    common_options(common, json=argparse.SUPPRESS, socket=argparse.SUPPRESS)  # given before the command or after it
    top.add_argument("--version", action="version", version=f"doorctl {__version__}")
    commands = top.add_subparsers(prog="doorctl", metavar="COMMAND", help=argparse.SUPPRESS, required=True)
    meant, _ = _command(argv)
    for name in [meant] if meant in COMMANDS else COMMANDS:
        wanted = COMMANDS[name]
        made = subparser(commands, name, wanted.help, common)
        made.set_defaults(run=wanted.run)
        if wanted.fill is not None:
            wanted.fill(made, common)
    return top


def completed(argv: Sequence[str]) -> Sequence[str]:
    """The words, with a command's own name for another one, and with its verb right behind it, also if it is implied.

    So options may stand before a verb and after it.
    """
    name, after = _command(argv)
    if not name:
        return argv
    before = argv[: len(argv) - len(after) - 1]
    name = ALSO.get(name, name)
    known = COMMANDS.get(name)
    if known is not None and known.verbs:
        after = verb_first(after, known.verbs)
        if known.implied and not {*after[:1]} & {*known.verbs} and not {"-h", "--help"} & {*after}:
            after = [known.implied, *after]
    return [*before, name, *after]


def _command(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The first word that is neither an option nor the value of one, empty if there is none; and what is after it."""
    words = iter(argv)
    for word in words:
        if word == "--socket":
            next(words, None)
        elif not word.startswith("-"):
            return word, [*words]
    return "", []


def _door(op: str, made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    made.set_defaults(op=op)
    everywhere = op in {"lock_down", "cancel_lockdown"}
    made.add_argument("door", metavar="DOOR", nargs="?" if everywhere else None)
    if everywhere:
        made.add_argument("--all", action="store_true", help="every door of this controller")
    if op == "unlock":
        made.add_argument(
            "--for", dest="for_s", type=length_of_time, metavar="TIME", help="how long: seconds, or 90s, 5m"
        )
    if op == "hold_unlocked":
        how_long = made.add_mutually_exclusive_group()
        text = "how long: 30m, 8h, 2d; without it until further notice"
        how_long.add_argument("--for", dest="for_s", type=length_of_time, metavar="TIME", help=text)
        how_long.add_argument("--until", metavar="TIME", help="until when: 20:00, 2026-11-22T20:00, or with a zone")
    made.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _who(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    made.add_argument("card", metavar="CARD", help="its id, NUMBER, FACILITY:NUMBER, or what is printed on it")


def _diagnose(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    made.add_argument("--config", type=Path, help=f"the configuration file ({CONFIG})")
    made.add_argument("--log", type=Path, help="use only this copy of a log")


def _test(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    made.add_argument("door")
    made.add_argument("--config", type=Path, help=f"the configuration file, for a stopped daemon ({CONFIG})")
    made.add_argument(
        "--wait", type=length_of_time, default=30.0, metavar="TIME", help="how long each step waits (30s)"
    )
    made.add_argument("--yes", action="store_true", help="release the lock without asking")


def _log(made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    verbs = verbs_of(made)
    text = "check the hash chain, and name the first broken record"
    verify = subparser(verbs, "verify", text, common)
    text = "after the log was put back from a backup or an image: go on as another stream"
    restored = subparser(verbs, "restored", text, common)
    for made_verb, name in ((verify, "verify"), (restored, "restored")):
        made_verb.set_defaults(verb=name)
        made_verb.add_argument(
            "file", type=Path, nargs="?", metavar="FILE", help="a log file (the log of the running daemon)"
        )


def _web(made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    verbs = verbs_of(made)
    for name, text in (
        ("add", "add an account, or give it a new password and role; asks for the password"),
        ("remove", "remove an account, and sign its user out"),
        ("list", "list every account with its role"),
    ):
        verb = subparser(verbs, name, text, common)
        verb.set_defaults(verb=name)
        verb.add_argument("--config", type=Path, default=Path(CONFIG), help=f"the configuration file ({CONFIG})")
        if name != "list":
            verb.add_argument("name", metavar="NAME")
        if name == "add":
            roles = [role.value for role in PageRole]
            verb.add_argument("--role", choices=roles, default="viewer", help="viewer if left out")


def _sync(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--replay", type=whole_number, metavar="FROM", help="send records again, from this sequence number on"
    )


def _check(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    made.add_argument("file", type=Path, metavar="FILE")
    text = "the user who must be able to read it and the files that it names (doorward, for the service's own)"
    made.add_argument("--user", metavar="NAME", help=text)


def _desk(of: str, made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    from edge.cli.desk import arguments  # noqa: PLC0415 -- as for sim

    verbs = verbs_of(made)
    getattr(arguments, of)(lambda name, text: subparser(verbs, name, text, common))


def _lent(of: str, made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    from edge.cli.desk import arguments  # noqa: PLC0415 -- as for sim

    getattr(arguments, of)(made)


def _visitor(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    from edge.cli.desk import arguments  # noqa: PLC0415 -- as for sim

    arguments.visitor(made)


def _sim(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    from edge.model.roles import SIM_ACTIONS  # noqa: PLC0415 -- the other commands need not wait for it

    made.add_argument("door", metavar="DOOR")
    made.add_argument("action", choices=SIM_ACTIONS)
    made.add_argument("argument", nargs="*", help="card N, card N pin P, pin P, rex on, tamper off ...")


def _cards(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    made.add_argument("--forget", action="store_true", help="forget the numbers of unknown cards from before the start")


class _Command(NamedTuple):
    run: str
    """Module and function of `edge.cli`."""
    help: str
    fill: Callable[[argparse.ArgumentParser, argparse.ArgumentParser], None] | None = None
    """Adds its arguments to the first parser. The second has the arguments of all commands, for verbs."""
    verbs: tuple[str, ...] = ()
    """The verbs of a command that has some."""
    implied: str = ""
    """The verb that is meant by the command without one."""


COMMANDS: Final = {
    "status": _Command("status:status", "show doors, drivers, upstream, log and clock"),
    "watch": _Command("watch:watch", "show the same live, with the last events"),
    "events": _Command("history:events", "show the history: 90 days, at most 10,000 records", search_arguments.events),
    "export": _Command("export:export", "write the history to a file, as CSV or JSON Lines", search_arguments.export),
    "unlock": _Command("doors:command", "unlock a door for its unlock time", partial(_door, "unlock")),
    "lock": _Command("doors:command", "lock a door; ends hold-unlocked", partial(_door, "lock")),
    "hold-unlocked": _Command(
        "doors:command", "unlock for a time, or until further notice", partial(_door, "hold_unlocked")
    ),
    "lock-down": _Command("doors:command", "lock at once, and refuse all but exits", partial(_door, "lock_down")),
    "cancel-lock-down": _Command("doors:command", "end a lockdown", partial(_door, "cancel_lockdown")),
    "block": _Command("doors:command", "refuse cards and PINs, not operators", partial(_door, "block")),
    "unblock": _Command("doors:command", "end a block", partial(_door, "unblock")),
    "cards": _Command("people:cards", "list the last cards that readers saw, for enrolling", _cards),
    "who": _Command("people:who", "show who holds a card, and which doors it opens", _who),
    "people": _Command(
        "desk.people:listed",
        "list, add, change and remove people",
        partial(_desk, "people"),
        ("list", "add", "show", "change", "off", "on", "remove", "card", "export", "import"),
        implied="list",
    ),
    "card": _Command(
        "desk.cards:mark",
        "say that a card is lost or found; take one back",
        partial(_desk, "card"),
        ("lost", "found", "take"),
    ),
    "access": _Command(
        "desk.access:access", "list who may pass, or explain whether somebody may", partial(_lent, "access")
    ),
    "groups": _Command("desk.access:groups", "list the groups"),
    "schedules": _Command("desk.access:schedules", "list the schedules, or show one", partial(_lent, "schedules")),
    "visitor": _Command("desk.visitors:enter", "let a visitor in at some doors until the evening", _visitor),
    "diagnose": _Command("diagnose:run", "find what is wrong, its causes, and what to try first", _diagnose),
    "test": _Command("wiring.check:test", "check the wiring of one door, step by step", _test),
    "log": _Command("files:log", "check the log file, or say that it was restored", _log, ("verify", "restored")),
    "sync": _Command("status:sync", "show what the broker has; send records again", _sync),
    "check": _Command("files:check", "check a configuration file", _check),
    "reload": _Command("people:reload", "read the configuration and the directory again"),
    "web": _Command("web:accounts", "manage the accounts of the local page", _web, ("add", "remove", "list")),
    "sign": _Command("sign:sign", "sign a command for a controller; make keys", sign_arguments.sign),
    "alerts": _Command(
        "alerts:alerts",
        "list the open alerts, or test a policy",
        telling_arguments.alerts,
        ("list", "test"),
        implied="list",
    ),
    "acknowledge": _Command(
        "alerts:acknowledge", "silence an alert, because somebody deals with it", telling_arguments.acknowledge
    ),
    "integration": _Command(
        "alerts:integrations",
        "list and enable integrations, which get the records",
        telling_arguments.integration,
        ("list", "enable"),
    ),
    "camera": _Command(
        "cameras:cameras",
        "list and try cameras, and save their pictures",
        telling_arguments.camera,
        ("list", "try", "save"),
    ),
    "sim": _Command("doors:simulate", "move the simulated hardware of a running daemon", _sim),
}
