"""What happens in `make demo`, what became of it, and what to try next.

One rule: everything goes through the control socket, as a technician's words would.
"""

from __future__ import annotations

import contextlib
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from edge.cli.pages import ascending
from edge.cli.text import say
from edge.client.connection import Client, RequestRefused
from edge.client.sources import DaemonSource
from edge.model.event_types import LOCK_FORCED_OPEN, LOCK_OPENED

if TYPE_CHECKING:
    from pathlib import Path

ACKNOWLEDGED_WITHIN_S: Final = 60.0
SCRIPT: Final[tuple[tuple[str, tuple[tuple[str, ...] | float, ...]], ...]] = (
    (
        "Ada comes in with her card, and shows a visitor out",
        (
            *(("sim", "front", "card", "0:1001"), 0.5, ("sim", "front", "open"), 1.5, ("sim", "front", "close"), 1.0),
            *(("sim", "front", "rex"), 0.5, ("sim", "front", "open"), 1.5, ("sim", "front", "close")),
        ),
    ),
    (
        "a stranger's card, one that was lost, and one of a member who is disabled",
        (
            *(("sim", "back", "card", "12:7777"), 0.5),
            *(("sim", "back", "card", "0:1004"), 0.5),
            *(("sim", "back", "card", "0:1003"), 0.5),
        ),
    ),
    (
        "the server room wants card and PIN: a wrong one, then the right one",
        (
            *(("sim", "server-room", "card", "0:1001 pin 1111"), 2.5),  # sooner it counts as held to the reader still
            *(("sim", "server-room", "card", "0:1001 pin 2580"), 1.0),
            *(("sim", "server-room", "open"), 1.5, ("sim", "server-room", "close")),
        ),
    ),
    (
        "an operator lets somebody in at the back",
        (("unlock", "back"), 1.0, ("sim", "back", "open"), 2.0, ("sim", "back", "close")),
    ),
    ("the server room is levered open", (("sim", "server-room", "open"), 2.5, ("sim", "server-room", "close"))),
    (
        "somebody is let into the server room and props it open",
        (("unlock", "server-room"), 0.5, ("sim", "server-room", "open"), 6.0, ("sim", "server-room", "close")),
    ),
    ("the garage is unlocked, and nobody comes", (("unlock", "garage"), 4.5)),
    ("a cable is cut, and mended", (("sim", "garage", "cut"), 1.5, ("sim", "garage", "mend"), 0.5)),
    (
        "lockdown: everybody is refused, exits work",
        (
            ("lock_down", "front"),
            0.5,
            ("unlock", "front"),
            0.5,
            ("sim", "front", "rex"),
            1.0,
            ("cancel_lockdown", "front"),
        ),
    ),
)
"""What happens: a title, then actions and pauses in seconds."""


def act(control: Path) -> None:
    """Play the script once. Raises Unreachable."""
    for title, actions in SCRIPT:
        say(f"--- {title}")
        for action in actions:
            if isinstance(action, float):
                time.sleep(action)
                continue
            with Client(control) as client, contextlib.suppress(RequestRefused):
                if action[0] == "sim":
                    client.ask("sim", door=action[1], action=action[2], argument=" ".join(action[3:]) or None)
                else:
                    client.ask("command", command=action[0], door=action[1])
        time.sleep(1.0)


def summary(control: Path) -> list[str]:
    """What has happened so far, by the records. Raises Unreachable."""
    status = _settled(control)
    with closing(DaemonSource(Client(control))) as pages:
        records = list(ascending(pages, {}))
    types = [record["type"] for record in records]
    opened, forced = types.count(LOCK_OPENED), types.count(LOCK_FORCED_OPEN)
    refused = sum(not record["data"]["success"] for record in records)
    alarms = sum(record["data"]["severity"] == "alarm" for record in records)
    stored, upstream = status["log"]["committed"], status["upstream"]
    where = "no broker was there" if upstream is None else f"{upstream['cursor']} acknowledged by the broker"
    return [
        f"passages {opened - forced}, refusals {refused}, alarms {alarms}",
        f"records  {stored} stored, {where}; see doorctl log verify",
    ]


def _settled(control: Path) -> Any:  # noqa: ANN401 -- JSON
    """The status once everything is stored and acknowledged, or after a while."""
    end_s = time.monotonic() + ACKNOWLEDGED_WITHIN_S
    with Client(control) as client:
        while True:
            status = client.ask("status")
            waits = status["log"]["waiting"] or (status["upstream"] and status["upstream"]["backlog"])
            if not waits or time.monotonic() > end_s:
                return status
            time.sleep(0.05)


def to_try(control: Path, broker: int | None) -> list[str]:
    """Three things, as they are typed into another terminal; `broker` is its process."""
    lines = [
        "Try in another terminal, in this folder:",
        f"  export DOORWARD_SOCKET={control} PATH=$PWD/.venv/bin:$PATH",
        "1. break in, and ask what is wrong:",
        "  doorctl sim back open",
        "  doorctl diagnose",
        "2. let nobody in, and see Ada refused:",
        "  doorctl lock-down --all --yes",
        "  doorctl sim front card 0:1001",
        "  doorctl cards",
    ]
    if broker is None:
        return [*lines, "3. prove that nobody changed the history:", "  doorctl log verify"]
    return [
        *lines,
        "3. stop the broker, let Ada try the garage, and see that nothing is lost:",
        f"  kill -STOP {broker}",
        "  doorctl sim garage card 0:1001",
        "  doorctl sync",
        f"  kill -CONT {broker}",
        "  doorctl sync",
    ]
