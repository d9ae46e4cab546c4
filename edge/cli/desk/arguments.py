"""What the commands of a desk take. Loaded for these commands only: the others need not wait for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.cli.parsing import whole_number

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Verb = Callable[[str, str], argparse.ArgumentParser]

WHO: Final = "an id, an e-mail address, a name or the beginning of one"
CARD: Final = "a card's number as printed, such as 12:3456"
PIN: Final = "ask for a PIN; without a terminal, make one and show it"


def people(verb: Verb) -> None:
    """`doorctl people`."""
    made = verb("list", "list and search people")
    made.set_defaults(run="desk.people:listed")
    made.add_argument("text", metavar="TEXT", nargs="*", help="words of a name, an e-mail address or an id; a card")
    made.add_argument("--limit", type=whole_number, default=100, metavar="N", help="show the first N (100)")
    for name, text in (
        ("show", "show a person: groups, cards, doors, last seen"),
        ("off", "refuse a person everywhere, until they are on again"),
        ("on", "end off"),
    ):
        made = verb(name, text)
        made.set_defaults(run=f"desk.people:{'show' if name == 'show' else 'act'}", action=name)
        made.add_argument("who", metavar="WHO", help=WHO)
    made = verb("remove", "remove a person and their cards; the history stays")
    made.set_defaults(run="desk.people:remove")
    made.add_argument("who", metavar="WHO", help=WHO)
    made.add_argument("--keep-cards", action="store_true", help="keep the cards, to give them to somebody else")
    made.add_argument("--yes", action="store_true", help="do not ask first")
    made = verb("add", "add a person")
    made.set_defaults(run="desk.people:act", action="add", who=None)
    made.add_argument("name", metavar="NAME", help="first and last name")
    _person(made)
    made = verb("change", "change a person: takes what add takes")
    made.set_defaults(run="desk.people:act", action="change")
    made.add_argument("who", metavar="WHO", help=WHO)
    made.add_argument("--name", metavar="NAME", help="another name")
    _person(made)
    made.add_argument(
        "--no-group", action="append", default=[], metavar="G", help="take out of a group, may be repeated"
    )
    made.add_argument("--no-pin", action="store_true", help="take the PIN away")
    made = verb("card", "give a person the next card that is held to a reader, or one by its number")
    made.set_defaults(run="desk.cards:give")
    made.add_argument("who", metavar="WHO", help=WHO)
    made.add_argument("--reader", metavar="DOOR", help="the door or elevator whose reader waits, for 60 s (any)")
    made.add_argument("--number", metavar="CARD", help=CARD)
    made.add_argument("--seen", metavar="EVENT", type=whole_number, help="the unknown card of this event")
    made.add_argument("--yes", action="store_true", help="do not ask first")
    made = verb("export", "write the people to a .csv file, or the whole directory to a .json file")
    made.set_defaults(run="desk.exchange:exported")
    made.add_argument("file", metavar="FILE", type=Path, help="a name that ends in .csv or .json")
    made.add_argument(
        "--spreadsheet", action="store_true", help="CSV with a byte order mark, for a spreadsheet's double click"
    )
    made = verb("import", "add and change people from a .csv file, or replace the directory by a .json file")
    made.set_defaults(run="desk.exchange:imported")
    made.add_argument("file", metavar="FILE", type=Path, help="a name that ends in .csv, .tsv, .txt or .json")
    made.add_argument("--yes", action="store_true", help="do not ask first")
    made.add_argument("--dry-run", action="store_true", help="only show what would change, and what is wrong")
    text = "card numbers of digits alone have the facility code before five digits of the number: 1203456 is 12:3456"
    made.add_argument("--combined", action="store_true", help=text)


def card(verb: Verb) -> None:
    """`doorctl card`."""
    for name, text in (
        ("lost", "refuse a card from now on"),
        ("found", "take a lost card again"),
        ("take", "take a card back: nobody has it then"),
    ):
        made = verb(name, text)
        made.set_defaults(run="desk.cards:mark", action=name)
        made.add_argument("card", metavar="CARD", nargs="?", help=CARD)
        made.add_argument("--of", metavar="WHO", help="the only card of a person instead of a number")


def visitor(made: argparse.ArgumentParser) -> None:
    """`doorctl visitor`."""
    made.add_argument("name", metavar="NAME", help="first and last name")
    text = "a door's id or name, may be repeated"
    made.add_argument("--door", action="append", required=True, metavar="DOOR", help=text)
    text = 'the moment when it is over: 16:30, "tomorrow 12:00", 2026-12-24T18:00 (today 18:00)'
    made.add_argument("--until", metavar="TIME", help=text)
    made.add_argument("--card", metavar="CARD", help=CARD)
    made.add_argument("--pin", action="store_true", help=PIN)


def _person(made: argparse.ArgumentParser) -> None:
    made.add_argument("--email", metavar="E", help='an e-mail address; "" for none')
    made.add_argument("--group", action="append", default=[], metavar="G", help="a group's id or name, may be repeated")
    made.add_argument("--card", metavar="CARD", help=CARD)
    made.add_argument("--pin", action="store_true", help=PIN)
    text = 'first moment: 08:00, "mon 08:00", 2026-12-24T08:00; "" for none'
    made.add_argument("--from", dest="valid_from", metavar="TIME", help=text)
    made.add_argument("--until", dest="valid_until", metavar="TIME", help="the moment when it is over, as --from")


def access(made: argparse.ArgumentParser) -> None:
    """`doorctl access`."""
    made.add_argument("what", metavar="WHAT", nargs="?", help="a door, an elevator, lift/floor, a group or a person")
    made.add_argument("door", metavar="DOOR", nargs="?", help="with a person: may they pass it, and why (not)")
    made.add_argument("--group", metavar="G", help="a group, where a door or a person is called so too")
    made.add_argument("--at", metavar="TIME", help='another time than now: 22:00, "sun 22:00", 2026-12-24T10:00')
    made.add_argument("--csv", action="store_true", help="print a list as CSV")


def schedules(made: argparse.ArgumentParser) -> None:
    """`doorctl schedules`."""
    made.add_argument("schedule", metavar="SCHEDULE", nargs="?", help="everything about this one: an id or a name")
