"""`doorctl unlock`, `lock`, `lock-down` ...: asks for confirmation on a terminal, then prints the outcome."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from edge.cli.asking import sure
from edge.cli.meant import ask_of_door
from edge.cli.text import say, say_json
from edge.client.connection import Client
from edge.client.times import parse_coming
from edge.client.zones import zone_of

if TYPE_CHECKING:
    import argparse

DAY_S: Final = 86_400
NOT_STORED: Final = "not_stored"
"""It was done but could not be stored: a restart would forget it."""
DONE: Final = {
    "unlock": "unlocked",
    "lock": "locked",
    "hold_unlocked": "held unlocked",
    "lock_down": "locked down",
    "cancel_lockdown": "lockdown cancelled",
    "block": "blocked",
    "unblock": "no longer blocked",
}


def command(arguments: argparse.Namespace) -> int:
    """Send a command to doors. 1 when one of them refused, or when it was done but could not be stored."""
    if bool(arguments.door) == getattr(arguments, "all", False):
        raise ValueError("name one door, or use --all")
    body: dict[str, Any] = {"command": arguments.op}
    body |= {"all": True} if getattr(arguments, "all", False) else {"door": arguments.door}
    if getattr(arguments, "for_s", None) is not None:
        body["for_s"] = _allowed(arguments.op, arguments.for_s)
    if getattr(arguments, "until", None) is not None:
        with Client(arguments.socket) as client:
            now = datetime.now(zone_of(client.ask("status")))
        body["until"] = parse_coming(arguments.until, now).isoformat(timespec="seconds")
    if not arguments.yes and not _sure(arguments):
        return 1
    with Client(arguments.socket) as client:
        outcomes = ask_of_door(client, "command", body)["outcomes"]
    if arguments.json:
        say_json(outcomes)
    else:
        for door, outcome in outcomes.items():
            text = DONE[arguments.op] + _how_long(body) if outcome["done"] else outcome["message"]
            say(f"{door}: {text}" + (f"; {outcome['message']}" if outcome["code"] == NOT_STORED else ""))
    return 0 if all(outcome["done"] and outcome["code"] != NOT_STORED for outcome in outcomes.values()) else 1


def _allowed(op: str, for_s: float) -> float:
    """Raises ValueError in the words of the command line, where doord would speak of the field of a request."""
    from edge.model.policy import HOLD_S, UNLOCK_S  # noqa: PLC0415 -- most commands name no time

    low, high = UNLOCK_S if op == "unlock" else HOLD_S
    if not low <= for_s <= high:
        longest = f"{high / DAY_S:g} d" if high > DAY_S else f"{high / 60:g} min"
        raise ValueError(f"--for: expected {low:g} s to {longest}, found {for_s:g} s")
    return for_s


def _how_long(body: dict[str, Any]) -> str:
    if body["command"] != "hold_unlocked":
        return ""
    if "until" in body:
        return f" until {body['until']}"
    return f" for {body['for_s']:g} s" if "for_s" in body else " until further notice"


def _sure(arguments: argparse.Namespace) -> bool:
    """Ask for confirmation on a terminal. Raises ValueError without one."""
    where = "all doors" if getattr(arguments, "all", False) else arguments.door
    return sure(f"{arguments.op.replace('_', ' ')} {where}")


def simulate(arguments: argparse.Namespace) -> int:
    """Move simulated hardware."""
    with Client(arguments.socket) as client:
        argument = " ".join(arguments.argument) or None
        ask_of_door(client, "sim", {"door": arguments.door, "action": arguments.action, "argument": argument})
    if arguments.json:
        say_json({})
    return 0
