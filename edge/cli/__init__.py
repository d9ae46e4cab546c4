"""`doorctl`: what a technician asks of a door controller.

One rule: a command collects first and renders then, as text or as JSON. Exit codes: 0 well,
1 findings or refused, 2 could not tell.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge import __version__
from edge.cli.client import Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOCKET: Final = "/run/doorward/doord.sock"
CONFIG: Final = "/etc/doorward/doorward.toml"
WELL, FINDINGS, CANNOT_TELL = 0, 1, 2
INTERRUPTED: Final = 130
"""As shells have it: 128 and SIGINT."""
ACTIONS: Final = ("open", "close", "rex", "release", "card", "pin", "bounce", "cut", "mend", "tamper")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = parser().parse_args(argv)
    module, _, function = arguments.run.partition(":")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without umlauts gets their numbers, not a crash
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = int(getattr(importlib.import_module(f"edge.cli.{module}"), function)(arguments))
        sys.stdout.flush()
    except Unreachable as error:
        return _fail(error, CANNOT_TELL)
    except Refused as error:
        return _fail(error, FINDINGS)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WELL
    except (ValueError, OSError, sqlite3.Error) as error:
        return _fail(error, CANNOT_TELL)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _fail(error: Exception, code: int) -> int:
    from edge.cli.text import printable  # noqa: PLC0415 -- only when something went wrong

    sys.stderr.writelines(f"doorctl: {printable(line)}\n" for line in str(error).splitlines())
    return code


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    text = "Looks after the doors of one Doorward controller."
    top = argparse.ArgumentParser(prog="doorctl", description=text, allow_abbrev=False)
    _common(top, json=False, socket=Path(os.environ.get("DOORWARD_SOCKET") or SOCKET))
    common = argparse.ArgumentParser(add_help=False)
    _common(common, json=argparse.SUPPRESS, socket=argparse.SUPPRESS)  # said before the command or after it
    top.add_argument("--version", action="version", version=f"doorctl {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        made.set_defaults(run=run)
        return made

    add("status", "status:status", "doors, drivers, upstream, log, clock at a glance")
    add("watch", "watch:watch", "the same live, with the last events")
    _history(add("events", "history:events", "the history; by default the last 90 days, newest 10,000"), 10_000)
    commands.choices["events"].add_argument("--follow", action="store_true", help="go on with what comes")
    export = add("export", "export:export", "the event report as CSV or JSON Lines")
    export.add_argument("file", metavar="FILE", help="FILE.csv, FILE.jsonl, or - for CSV on standard output")
    _history(export, None)
    _doors(add)
    add("cards", "people:cards", "the last cards that readers saw, for enrolling")
    who = add("who", "people:who", "whose card it is, and where it opens")
    who.add_argument("card", metavar="CARD", help="an id, NUMBER, FACILITY:NUMBER or raw hexadecimal digits")
    diagnose = add("diagnose", "diagnose:run", "named findings: what is wrong, likely causes, first thing to try")
    diagnose.add_argument("--config", type=Path, help=f"configuration ({CONFIG})")
    diagnose.add_argument("--log", type=Path, help="look at this copied log only")
    test = add("test", "wiring:test", "guided wiring check of one door")
    test.add_argument("door")
    test.add_argument("--config", type=Path, help=f"configuration, for a stopped daemon ({CONFIG})")
    test.add_argument("--wait", type=float, default=30.0, metavar="S", help="how long each step waits (30)")
    test.add_argument("--yes", action="store_true", help="release the lock without asking")
    _log(add("log", "files:verify", "the log file"), common)
    sync = add("sync", "status:sync", "cursor, backlog, last error")
    sync.add_argument("--replay", type=_count, metavar="FROM", help="send records again, from this sequence on")
    add("check", "files:check", "validate a configuration").add_argument("file", type=Path, metavar="FILE")
    add("reload", "people:reload", "read the configuration and the directory again, as SIGHUP does")
    _web(add("web", "web:accounts", "who may sign in at the local page"), common)
    _sign(add("sign", "sign:sign", "sign a command for a controller that has the public key; make such keys"))
    add("alerts", "alerts:alerts", "the open alerts, and messages about them that do not leave")
    text = "somebody looks after this alert: it is silent and not escalated"
    add("acknowledge", "alerts:acknowledge", text).add_argument(
        "alert", metavar="ALERT", help="as doorctl alerts has it"
    )
    _integration(add("integration", "alerts:integrations", "to whom records are passed on"), common)
    _camera(add("camera", "cameras:cameras", "cameras and the pictures they gave"), common)
    sim = add("sim", "doors:simulate", "move the simulated hardware of a running daemon")
    sim.add_argument("door", metavar="DOOR")
    sim.add_argument("action", choices=ACTIONS)
    sim.add_argument("argument", nargs="*", help="card N, card N pin P, pin P, rex on, tamper off ...")
    return top


def _common(made: argparse.ArgumentParser, **default: Any) -> None:  # noqa: ANN401 -- whatever argparse takes
    made.add_argument(
        "--json", action="store_true", default=default["json"], help="one stable JSON document (events: one a line)"
    )
    text = f"the daemon's socket (DOORWARD_SOCKET, {SOCKET})"
    made.add_argument("--socket", type=Path, default=default["socket"], metavar="PATH", help=text)


def _history(made: argparse.ArgumentParser, limit: int | None) -> None:
    made.add_argument("--since", help="30m, 2h, 3d, yesterday, 2026-11-22 ... (90 days ago)")
    made.add_argument("--until", help="as --since")
    made.add_argument("--door", action="append", default=[], help="may be repeated")
    made.add_argument("--type", action="append", default=[], help="an event type, may be repeated")
    made.add_argument("--user", action="append", default=[], help="an actor's id, name or e-mail, may be repeated")
    made.add_argument("--group", action="append", default=[], help="a group's id or name, may be repeated")
    made.add_argument("--class", dest="event_class", choices=("access", "audit"))
    made.add_argument("--outcome", choices=("granted", "refused"), help="what was done, or what was refused")
    made.add_argument("--code", action="append", default=[], help="why it was refused, may be repeated")
    made.add_argument("--correlation", help="all events of one passage, whenever it was: the id that they share")
    made.add_argument("--text", help="occurs in a name, an e-mail address, the code, the type or the details")
    made.add_argument("--limit", type=_count, default=limit, metavar="N", help="the newest N")
    made.add_argument("--log", type=Path, metavar="FILE", help="read this log file instead of asking the daemon")


def _doors(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    for name, op, text in (
        ("unlock", "unlock", "release a lock for its time"),
        ("lock", "lock", "lock; ends a hold"),
        ("hold-unlocked", "hold_unlocked", "release until further notice"),
        ("lock-down", "lock_down", "lock at once and refuse everybody but exits"),
        ("cancel-lock-down", "cancel_lockdown", "end a lockdown"),
        ("block", "block", "refuse access, not operators"),
        ("unblock", "unblock", "end a block"),
    ):
        made = add(name, "doors:command", text)
        made.set_defaults(op=op)
        everywhere = name.endswith("lock-down")
        made.add_argument("door", metavar="DOOR", nargs="?" if everywhere else None)
        if everywhere:
            made.add_argument("--all", action="store_true", help="every door of this controller")
        if name == "unlock":
            made.add_argument("--for", dest="for_s", type=float, metavar="S", help="seconds")
        made.add_argument("--yes", action="store_true", help="do not ask first")


def _log(made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    verbs = made.add_subparsers(title="verbs", metavar="VERB", required=True)
    text = "walk the hash chain and name the first broken record"
    verify = verbs.add_parser("verify", help=text, description=text, parents=[common], allow_abbrev=False)
    verify.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a log file; else the running daemon's")


def _sign(made: argparse.ArgumentParser) -> None:
    made.add_argument("--new-key", type=Path, metavar="FILE", help="make a private key, and FILE.pub.pem beside it")
    made.add_argument("--key", type=Path, metavar="FILE", help="the private key to sign with")
    made.add_argument("--controller", metavar="ID", help="which controller the command is for")
    made.add_argument("name", metavar="COMMAND", nargs="?", help="unlock, lock ...; - reads a whole command from stdin")
    made.add_argument("--door", action="append", default=[], help="may be repeated")
    made.add_argument("--all", action="store_true", help="every door of the controller")
    made.add_argument("--for", dest="for_s", type=float, metavar="S", help="seconds, for unlock")
    made.add_argument("--valid-for", default="30s", metavar="TIME", help="how long it is good: 30s, 5m, 2h (30s)")
    made.add_argument("--actor", metavar="NAME", help="who asks (this account)")
    made.add_argument("--id", metavar="ID", help="the command's id (a new one)")


def _web(made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    verbs = made.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, text in (
        ("add", "an account, or a new password and role for it; asks for the password"),
        ("remove", "whoever is signed in with it is signed out"),
        ("list", "every account with its role"),
    ):
        verb = verbs.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        verb.set_defaults(verb=name)
        verb.add_argument("--config", type=Path, default=Path(CONFIG), help=f"configuration ({CONFIG})")
        if name != "list":
            verb.add_argument("name", metavar="NAME")
        if name == "add":
            verb.add_argument("--role", choices=("viewer", "operator"), default="viewer", help="viewer if left out")


def _integration(made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    verbs = made.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb, function, text in (
        ("list", "integrations", "each with its state, how much waits for it, and the last error"),
        ("enable", "enable", "take up one that was disabled due to errors, from where it stopped"),
    ):
        one = verbs.add_parser(verb, help=text, description=text, parents=[common], allow_abbrev=False)
        one.set_defaults(run=f"alerts:{function}")
        if verb == "enable":
            one.add_argument("integration", metavar="ID", help="its id in the directory")


def _camera(made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    verbs = made.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb, function, text in (
        ("list", "cameras", "each with its doors, how many pictures it gave, and the last error"),
        ("try", "attempt", "ask one for a picture now, which is not kept"),
        ("save", "save", "write the pictures of a record into a folder"),
    ):
        one = verbs.add_parser(verb, help=text, description=text, parents=[common], allow_abbrev=False)
        one.set_defaults(run=f"cameras:{function}")
        if verb == "try":
            one.add_argument("camera", metavar="ID", help="its id in the configuration")
        if verb == "save":
            one.add_argument("sequence", type=_count, metavar="SEQUENCE", help="the record's number")
            one.add_argument("folder", type=Path, nargs="?", default=Path(), metavar="FOLDER", help="here if left out")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of at least 1")
    return int(text)
