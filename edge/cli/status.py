"""`doorctl status` and `doorctl sync`: the whole controller, and its connection to the broker."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from edge.cli.tables import hanging, say_fitting, table_rows
from edge.cli.terminal import columns
from edge.cli.text import ago, local, say, say_json, size, span
from edge.client.conditions import conditions, since, words
from edge.client.connection import Client
from edge.client.zones import zone_name, zone_of
from edge.model.printable import spelt

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import tzinfo

    from edge.cli.terminal import Kind
    from edge.model.published.doors import DoorJson
    from edge.model.published.status import ConfigurationJson, DirectoryJson, LogJson, StatusJson, UpstreamJson


LABEL: Final = 10
"""Where the text of a part of the controller begins."""
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
        for line, kind in lines(facts, columns()):
            say(line, kind)
    return 0 if well(facts) else 1


def well(facts: StatusJson) -> bool:
    """Whether nothing is wrong."""
    doors = facts["doors"].values()
    upstream = facts["upstream"]
    return (
        bool(doors)
        and all(driver["state"] == "online" for driver in facts["drivers"].values())
        and not any(map(conditions, doors))
        and taken(upstream)
        and facts["log"]["writer"] == "ok"
        and not facts["log"]["dropped"]
        and not facts["directory"]["error"]
        and not facts.get("configuration", {}).get("refused")
    )


def lines(facts: StatusJson, width: int | None = None) -> Iterator[tuple[str, Kind]]:
    """The status as text, each line with its kind; with a width as wide as that."""
    who, now = facts["controller"], datetime.fromisoformat(facts["clock"]["time"])
    zone = zone_of(facts)
    doors = facts["doors"]
    yield f"{who['name']} ({who['site']}/{who['id']}), doord {facts['version']}, up {span(facts['uptime_s'])}", ""
    yield "", ""
    if doors:
        heads = ("DOOR", "NAME", "MODE", "CONTACT", "LOCK", "NOTE", "SINCE")
        rows = [
            (key, one["name"], one["mode"], one["contact"], one["lock"], door_note(one, zone), ago(since(one), now))
            for key, one in doors.items()
        ]
        yield from _table(rows, heads, map(kind, doors.values()), width)
    else:
        yield NO_DOOR, "warning"
    yield "", ""
    drivers = facts["drivers"].items()
    lines_of = [(name, driver["kind"], driver["state"], driver["reason"] or "") for name, driver in drivers]
    kinds: list[Kind] = ["" if driver["state"] == "online" else "alarm" for _, driver in drivers]
    yield from _table(lines_of, ("DRIVER", "KIND", "STATE", "REASON"), kinds, width)
    yield "", ""
    for text, of_it in _parts(facts, zone, now):
        yield from ((line, of_it) for line in ([text] if width is None else hanging(spelt(text), LABEL, width)))


def _table(
    rows: Iterable[Sequence[object]], heads: Sequence[str], kinds: Iterable[Kind], width: int | None
) -> Iterator[tuple[str, Kind]]:
    head, *parts = table_rows(rows, heads, width)
    yield from ((line, "") for line in head)
    for row, of_it in zip(parts, kinds, strict=True):
        yield from ((line, of_it) for line in row)


def _parts(facts: StatusJson, zone: tzinfo, now: datetime) -> Iterator[tuple[str, Kind]]:
    """A line for each part of the controller."""
    clock, config, log = facts["clock"], facts.get("configuration", {}), facts["log"]
    upstream, directory = facts["upstream"], facts["directory"]
    yield f"upstream  {upstream_line(upstream)}", "" if taken(upstream) else "warning"
    yield f"log       {log_line(log)}", "" if log["writer"] == "ok" and not log["dropped"] else "alarm"
    yield f"people    {people_line(directory)}", "warning" if directory["error"] else ""
    yield f"clock     {clock['quality']}, {local(clock['time'], zone)} {zone_name(zone, now)}", ""
    yield from ((line, "alarm") for line in config_lines(config))


def taken(upstream: UpstreamJson | None) -> bool:
    """Whether records are taken upstream, or soon may be; also where there is none."""
    return upstream is None or upstream["state"] in {"online", "connecting"}


def kind(door: DoorJson) -> Kind:
    """How bad the worst is that is wrong with a door. A lockdown is no fault, and nothing to overlook."""
    if listed := conditions(door):
        return "alarm" if listed[0]["severity"] == "alarm" else "warning"
    return "warning" if door["mode"] == "locked_down" else ""


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


def door_note(door: DoorJson, zone: tzinfo) -> str:
    """What is wrong or unusual about a door, the worst first."""
    notes = [wrong(door)] if conditions(door) else []
    notes += [f"held until {local(door['held_until'], zone)}"] if door.get("held_until") else []
    notes += ["locks when closed"] if door.get("locks_when_closed") else []
    notes += [f"waits for {door['waits_for']}"] if door.get("waits_for") else []
    notes += [f"locks in {door['unlocked_for_s']:.0f} s"] if door["unlocked_for_s"] is not None else []
    return ", ".join(notes)


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
        zone = zone_of(facts)
        named = zone_name(zone, datetime.fromisoformat(upstream["since"]))
        for name, value in (
            ("state", f"{upstream['state']} since {local(upstream['since'], zone)} {named}"),
            ("broker", upstream["url"]),
            ("stream", facts["stream"]),
            ("cursor", f"{upstream['cursor']} of {facts['log']['committed']} acknowledged by the {upstream['ack']}"),
            ("backlog", upstream["backlog"]),
            ("window", f"{upstream['in_flight']} of {upstream['window']} under way"),
            ("reconnects", upstream["reconnects"]),
            ("last error", upstream["last_error"] or "none"),
        ):
            say_fitting(f"{name:<11} {value}", 12)
    return 0 if upstream is None or upstream["state"] == "online" else 1
