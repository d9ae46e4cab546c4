"""What `doorctl sign` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.parsing import length_of_time

if TYPE_CHECKING:
    import argparse


def sign(made: argparse.ArgumentParser, _: argparse.ArgumentParser) -> None:
    """`doorctl sign`."""
    made.add_argument("--new-key", type=Path, metavar="FILE", help="make a key pair: FILE, and FILE.pub.pem")
    made.add_argument("--key", type=Path, metavar="FILE", help="the private key to sign with")
    made.add_argument("--controller", metavar="ID", help="the controller that the command is for")
    made.add_argument("name", metavar="COMMAND", nargs="?", help="unlock, lock ...; - reads a JSON object from stdin")
    made.add_argument("--door", action="append", default=[], help="a door's id, may be repeated")
    made.add_argument("--all", action="store_true", help="every door of the controller")
    text = "how long: 30s, 5m, 8h, for unlock and hold_unlocked"
    made.add_argument("--for", dest="for_s", type=length_of_time, metavar="TIME", help=text)
    made.add_argument("--valid-for", default="30s", metavar="TIME", help="how long it is valid: 30s, 5m, 2h (30s)")
    made.add_argument("--actor", metavar="NAME", help="who gives the command (this account)")
    made.add_argument("--id", metavar="ID", help="the command's id (a new one)")
