"""`doorctl alerts`, `acknowledge` and `integration`: open alerts, and the receivers of records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from edge.cli.tables import say_table
from edge.cli.text import local, say, say_json
from edge.client.connection import Client
from edge.client.zones import zone_name, zone_of

if TYPE_CHECKING:
    import argparse

    from edge.cli.terminal import Kind

TEST_WITHIN_S: Final = 90.0
"""doord waits 70 s for the answers of all ways."""
OUTCOMES: Final = {True: "taken", False: "FAILED", None: "-"}


def alerts(arguments: argparse.Namespace) -> int:
    """The open alerts. 1 when there are any."""
    with Client(arguments.socket) as client:
        answer = client.ask("alerts")
        zone = None if arguments.json or not answer["open"] else zone_of(client.ask("status"))
    if arguments.json:
        say_json(answer)
    else:
        if zone is None:
            say("no alert is open")
        else:
            rows = [
                (local(one["raised"], zone), one["alert"], one["door"] or "-", str(one["count"]), one["message"])
                for one in answer["open"]
            ]
            named = zone_name(zone, datetime.now(UTC))
            say_table(rows, (f"RAISED ({named})", "ALERT", "DOOR", "TIMES", "WHAT"), ["alarm"] * len(rows))
        for channel, error in answer["last_errors"].items():
            say(f"{channel}: {answer['waiting'].get(channel, 0)} messages wait: {error}")
    return 1 if answer["open"] else 0


def test(arguments: argparse.Namespace) -> int:
    """Send a test by every way of a policy. 1 when one of them did not take it."""
    with Client(arguments.socket, within_s=TEST_WITHIN_S) as client:
        answer = client.ask("test_alert", policy=arguments.policy, siren=arguments.siren)
    if arguments.json:
        say_json(answer)
    else:
        rows = [(one["way"], OUTCOMES[one["taken"]], one["answer"] or "-") for one in answer["answers"]]
        kinds: list[Kind] = ["alarm" if one["taken"] is False else "" for one in answer["answers"]]
        say_table(rows, ("WAY", "TEST", "ANSWER"), kinds)
    return 1 if any(one["taken"] is False for one in answer["answers"]) else 0


def acknowledge(arguments: argparse.Namespace) -> int:
    """Acknowledge an alert: somebody deals with it."""
    with Client(arguments.socket) as client:
        acknowledged = client.ask("acknowledge", alert=arguments.alert)
    if arguments.json:
        say_json(acknowledged)
    else:
        say(f"{acknowledged['alert']} is acknowledged")
    return 0


def integrations(arguments: argparse.Namespace) -> int:
    """The integrations, which get the records. 1 when one of them is disabled."""
    with Client(arguments.socket) as client:
        integrations = client.ask("integrations")
    if arguments.json:
        say_json(integrations)
    else:
        rows = [
            (name, facts["kind"], facts["state"], str(facts["backlog"]), facts["last_error"] or "-")
            for name, facts in integrations.items()
        ]
        header = ("INTEGRATION", "KIND", "STATE", "BACKLOG", "LAST ERROR")
        if rows:
            say_table(rows, header)
        else:
            say("there is no integration")
    return 1 if any(facts["state"] == "disabled" for facts in integrations.values()) else 0


def enable(arguments: argparse.Namespace) -> int:
    """Enable a disabled integration again."""
    with Client(arguments.socket) as client:
        client.ask("enable_integration", integration=arguments.integration)
    if arguments.json:
        say_json({})
    else:
        say(f"{arguments.integration} is enabled")
    return 0
