"""A light for each part of the controller: boards, readers, batteries, clock, log, upstream.

One rule: pure functions; every light has a word, and what nobody reports has no light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge.model.printable import masked as visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge.diagnosis.facts import DaemonFacts, MachineFacts

GOOD, WARNING, ALARM, OFF = "good", "warning", "alarm", "off"
CLOCKS: Final = {
    "synced": (GOOD, "Set", "by the network"),
    "rtc": (GOOD, "Set", "by the clock with the battery; the network has not confirmed it"),
    "unsynced": (WARNING, "Not set", "no network time, and no clock with a battery that agrees"),
}
LOW_NOW, LOW_ONCE = 0x1, 0x10000
"""Bits of the firmware's get_throttled: the voltage is too low, or was since the start."""


class Light(NamedTuple):
    """One line of the list."""

    name: str
    tone: str
    """`good`, `warning`, `alarm`, `off`."""
    word: str
    detail: str


def lights(status: Mapping[str, Any], daemon: DaemonFacts, machine: MachineFacts | None) -> list[Light]:
    """Every light, part by part; within a part in the order of the configuration."""
    made = [*_boards(daemon), *_readers(status, daemon), *_power(daemon, machine), _clock(daemon), _log(daemon)]
    made.append(_upstream(daemon))
    return [Light(visible(one.name), one.tone, visible(one.word), visible(one.detail)) for one in made]


def _boards(daemon: DaemonFacts) -> Iterator[Light]:
    for one in daemon.drivers:
        works = one.state == "online"
        tone, word = (GOOD, "Works") if works else (ALARM, one.state.replace("_", " ").capitalize())
        yield Light(f"Board {one.name}", tone, word, one.kind if works else f"{one.kind}: {one.reason or 'no reason'}")


def _readers(status: Mapping[str, Any], daemon: DaemonFacts) -> Iterator[Light]:
    """Readers of doors go by their board; those on an OSDP line answer for themselves."""
    boards = {one.name: one for one in daemon.drivers}
    for door in status["doors"].values():
        board = boards.get(door["points"].get("reader", ""))
        if board is not None and board.kind != "osdp":
            works = board.state == "online"
            yield Light(
                f"Reader of {door['name']}",
                GOOD if works else ALARM,
                "Works" if works else "Lost",
                f"on {board.name}; whether it answers, this wiring does not tell" if works else f"{board.name} is lost",
            )
    for device in daemon.devices:
        works = device.state == "online"
        tone, word = (GOOD, "Works") if works else (ALARM, device.state.capitalize())
        if works and device.secure not in {None, "own key"}:
            tone, word = WARNING, "Not secure"
        yield Light(f"Reader {device.address} on {device.driver}", tone, word, device.reason or "")


def _power(daemon: DaemonFacts, machine: MachineFacts | None) -> Iterator[Light]:
    bits = None if machine is None else machine.throttled
    if bits is not None:
        low = (ALARM, "Low", "the voltage is too low now") if bits & LOW_NOW else None
        once = (WARNING, "Was low", "the voltage was too low since the start") if bits & LOW_ONCE else None
        yield Light("Power of the controller", *(low or once or (GOOD, "Good", "")))
    for device in daemon.devices:
        if device.power_failure:
            yield Light(f"Battery of {device.address} on {device.driver}", ALARM, "Power fails", "by its own report")


def _clock(daemon: DaemonFacts) -> Light:
    return Light("Clock", *CLOCKS.get(daemon.clock, (WARNING, daemon.clock, "")))


def _log(daemon: DaemonFacts) -> Light:
    log = daemon.log
    works = log.writer == "ok"
    return Light(
        "Log",
        GOOD if works else ALARM,
        "Writes" if works else "Does not write",
        "" if works else log.error or log.writer,
    )


def _upstream(daemon: DaemonFacts) -> Light:
    upstream = daemon.upstream
    if upstream is None:
        return Light("Upstream", OFF, "None", "the log is the only record")
    works = upstream.state == "online"
    word = upstream.state.replace("_", " ").capitalize()
    return Light(
        "Upstream", GOOD if works else WARNING, word, upstream.url if works else upstream.last_error or upstream.url
    )
