"""The arguments of `doorctl alerts`, `acknowledge`, `integration` and `camera`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.parsing import subparser, verbs_of, whole_number

if TYPE_CHECKING:
    import argparse


def _verbs(
    made: argparse.ArgumentParser, common: argparse.ArgumentParser, module: str, **rows: tuple[str, str]
) -> dict[str, argparse.ArgumentParser]:
    """Verbs that are functions of a module: verb=(function, help); their parsers by verb."""
    verbs = verbs_of(made)
    added = {verb: subparser(verbs, verb, text, common) for verb, (_, text) in rows.items()}
    for verb, parser_ in added.items():
        parser_.set_defaults(run=f"{module}:{rows[verb][0]}")
    return added


def integration(made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """The verbs of `doorctl integration`."""
    added = _verbs(
        made,
        common,
        "alerts",
        list=("integrations", "list each with its state, its backlog and its last error"),
        enable=("enable", "enable one that was disabled after errors; it goes on where it stopped"),
    )
    added["enable"].add_argument("integration", metavar="ID", help="its id in the directory")


def camera(made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """The verbs of `doorctl camera`."""
    added = _verbs(
        made,
        common,
        "cameras",
        list=("cameras", "list each with its doors, how many pictures it gave, and its last error"),
        **{"try": ("attempt", "ask a camera for a picture now; it is not kept")},
        save=("save", "write the pictures of a record to a folder"),
    )
    added["try"].add_argument("camera", metavar="ID", help="its id in the configuration")
    added["save"].add_argument("sequence", type=whole_number, metavar="SEQUENCE", help="the record's number")
    added["save"].add_argument("folder", type=Path, nargs="?", default=Path(), metavar="FOLDER", help="(this folder)")


def alerts(made: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """The verbs of `doorctl alerts`."""
    added = _verbs(
        made,
        common,
        "alerts",
        list=("alerts", "list the open alerts, and messages that cannot be sent"),
        test=("test", "send one test by every way of a policy, and show what each answered"),
    )
    added["test"].add_argument("policy", metavar="POLICY", help="its id in the configuration, [alert.ID]")
    added["test"].add_argument("--siren", action="store_true", help="let its siren sound, too, for up to 5 s")


def acknowledge(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    """The argument of `doorctl acknowledge`."""
    made.add_argument("alert", metavar="ALERT", help="its id, as doorctl alerts shows it")
