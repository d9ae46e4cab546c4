"""`doorctl status` and `doorctl sync`: the whole controller, and its connection to the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.cli.text import ago, local, say, say_json, size, span, table
from edge.client.conditions import conditions, words
from edge.client.connection import Client

if TYPE_CHECKING:
    import argparse

    from edge.model.published.doors import DoorJson
    from edge.model.published.status import ConfigurationJson, DirectoryJson, LogJson, StatusJson, UpstreamJson


NO_DOOR: Final = "no door is configured, so nothing is guarded: doorctl diagnose"
MANAGED: Final = {"file": ", managed by its file", "upstream": ", managed upstream"}
"""Where the directory is changed, if not here (`[directory] managed`)."""


def status(arguments: argparse.Namespace) -> int:
    """Doors, drivers, upstream, log, clock. 1 when something is wrong with any of them."""
    with Client(arguments.socket) as client:
        facts = client.ask("status")
    if arguments.json:
        say_json(facts)
    else:
        for line in lines(facts):
            say(line)
    return 0 if well(facts) else 1


def well(facts: StatusJson) -> bool:
    """Whether nothing is wrong."""
    doors = facts["doors"].values()
    upstream = facts["upstream"]
    return (
        bool(doors)
        and all(driver["state"] == "online" for driver in facts["drivers"].values())
        and not any(map(conditions, doors))
        and (upstream is None or upstream["state"] in {"online", "connecting"})
        and facts["log"]["writer"] == "ok"
        and not facts["log"]["dropped"]
        and not facts["directory"]["error"]
        and not facts.get("configuration", {}).get("refused")
    )


def lines(facts: StatusJson) -> list[str]:
    """The status as text."""
    who, clock = facts["controller"], facts["clock"]
    up = span(facts["uptime_s"])
    head = f"{who['name']} ({who['site']}/{who['id']}), doord {facts['version']}, up {up}"
    doors = [
        (key, door["mode"], door["contact"], door["lock"], door_note(door), ago(since(door)))
        for key, door in facts["doors"].items()
    ]
    drivers = [
        (name, driver["kind"], driver["state"], driver["reason"] or "") for name, driver in facts["drivers"].items()
    ]
    return [
        head,
        "",
        *(table(doors, ("DOOR", "MODE", "CONTACT", "LOCK", "NOTE", "SINCE")) if doors else [NO_DOOR]),
        "",
        *table(drivers, ("DRIVER", "KIND", "STATE", "REASON")),
        "",
        f"upstream  {upstream_line(facts['upstream'])}",
        f"log       {log_line(facts['log'])}",
        f"people    {people_line(facts['directory'])}",
        f"clock     {clock['quality']}, {local(clock['time'])}",
        *config_lines(facts.get("configuration", {})),
    ]


def config_lines(config: ConfigurationJson) -> list[str]:
    """Lines about a refused configuration file; none while the file is in force."""
    refused = config.get("refused")
    if not refused:
        return []
    more = len(refused) - 1 + config["more"]
    left_out = f", without {', '.join(config['left_out'])}" if config["left_out"] else ""
    return [
        f"config    NOT IN FORCE: doord uses the earlier one{left_out}; doorctl check {config['file']}",
        f"          {refused[0]}{f' (and {more} more)' if more else ''}",
    ]


def door_note(door: DoorJson) -> str:
    """What is wrong or unusual about a door, the worst first."""
    notes = [wrong(door)] if conditions(door) else []
    notes += [f"held until {local(door['held_until'])}"] if door.get("held_until") else []
    notes += ["locks when closed"] if door.get("locks_when_closed") else []
    notes += [f"waits for {door['waits_for']}"] if door.get("waits_for") else []
    notes += [f"locks in {door['unlocked_for_s']:.0f} s"] if door["unlocked_for_s"] is not None else []
    return ", ".join(notes)


def since(door: DoorJson) -> str:
    """When the worst thing that is wrong with a door began, else its mode."""
    return next((one["since"] for one in conditions(door)), door["since"]["mode"])


def wrong(door: DoorJson) -> str:
    """What is wrong with a door, alarms in capitals; empty when nothing is."""
    notes = []
    for condition in conditions(door):
        alarm = condition["severity"] == "alarm"
        notes.append(words({**condition, "message": condition["message"].upper()} if alarm else condition))
    return ", ".join(notes)


def upstream_line(upstream: UpstreamJson | None) -> str:
    """One line about the upstream."""
    if upstream is None:
        return "none configured: the log is the only record"
    text = f"{upstream['state']}, {upstream['url']}, {upstream['backlog']} waiting"
    return f"{text} ({upstream['last_error']})" if upstream["last_error"] else text


def people_line(directory: DirectoryJson) -> str:
    """One line about the directory."""
    text = f"directory version {directory['version']}, {directory['users']} users, {directory['cards']} cards"
    if not directory["version"]:
        text = "no directory: nobody is let in by card or PIN"
    text += MANAGED.get(directory.get("managed", "here"), "")
    if directory["state"] != "ready":
        text += f", {directory['state']}"
    return f"{text} ({directory['error']})" if directory["error"] else text


def log_line(log: LogJson) -> str:
    """One line about the log."""
    text = f"{log['writer']}, {log['committed']} records, {size(log['bytes'])}, {log['path']}"
    if log["dropped"]:
        text += f", {log['dropped']} DROPPED"
    return f"{text} ({log['error']})" if log["error"] else text


def sync(arguments: argparse.Namespace) -> int:
    """Cursor, backlog, last error; or send records again. 1 when the broker does not take records."""
    with Client(arguments.socket) as client:
        if arguments.replay is not None:
            span = client.ask("replay", **{"from": arguments.replay})
            if arguments.json:
                say_json(span)
            else:
                say(f"records {span['from']} to {span['to']} are sent again")
            return 0
        facts = client.ask("status")
    upstream = facts["upstream"]
    if arguments.json:
        say_json(upstream)
    elif upstream is None:
        say(upstream_line(upstream))
    else:
        for name, value in (
            ("state", f"{upstream['state']} since {local(upstream['since'])}"),
            ("broker", upstream["url"]),
            ("stream", facts["stream"]),
            ("cursor", f"{upstream['cursor']} of {facts['log']['committed']} acknowledged by the {upstream['ack']}"),
            ("backlog", upstream["backlog"]),
            ("window", f"{upstream['in_flight']} of {upstream['window']} under way"),
            ("reconnects", upstream["reconnects"]),
            ("last error", upstream["last_error"] or "none"),
        ):
            say(f"{name:<11} {value}")
    return 0 if upstream is None or upstream["state"] == "online" else 1
