"""`doorctl alerts`, `acknowledge` and `integration`: open alerts, and the receivers of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.cli.text import local, say, say_json, table
from edge.client.connection import Client

if TYPE_CHECKING:
    import argparse

TEST_WITHIN_S: Final = 90.0
"""doord waits 70 s for the answers of all ways."""
OUTCOMES: Final = {True: "taken", False: "FAILED", None: "-"}


def alerts(arguments: argparse.Namespace) -> int:
    """The open alerts. 1 when there are any."""
    with Client(arguments.socket) as client:
        answer = client.ask("alerts")
    if arguments.json:
        say_json(answer)
    else:
        rows = [
            (local(alert["raised"]), alert["alert"], alert["door"] or "-", str(alert["count"]), alert["message"])
            for alert in answer["open"]
        ]
        for line in table(rows, ("RAISED", "ALERT", "DOOR", "TIMES", "WHAT")) if rows else ["no alert is open"]:
            say(line)
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
        for line in table(rows, ("WAY", "TEST", "ANSWER")):
            say(line)
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
        for line in table(rows, header) if rows else ["there is no integration"]:
            say(line)
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
