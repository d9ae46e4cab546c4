"""What the production code uses of this machine, exchanged for the simulated one while a life runs."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import sqlite3
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import edge.daemon.broker
import edge.daemon.daemon
import edge.log.buffer
import edge.log.check
import edge.log.log
import edge.log.writer
import edge.system.background
import edge.upstream.mqtt.link
from tests.simulation import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.broker import Broker
    from tests.simulation.disk import Disk


class NoSocket:
    """In place of the control socket: requests are asked of the service itself."""

    def __init__(self, *_: Any) -> None: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


THREADS = SimpleNamespace(Thread=machine.Thread, Event=machine.Event)


@contextlib.contextmanager
def simulated(disk: Disk, broker: Broker, chance: random.Random) -> Iterator[None]:
    """Threads, files and chance are simulated inside."""
    jitter = random.Random(chance.random())
    exchanged: list[tuple[Any, str, Any]] = [
        (edge.log.log, "threading", THREADS),
        (edge.log.writer, "threading", THREADS),
        (edge.log.check, "threading", SimpleNamespace(Thread=machine.Thread, get_native_id=lambda: 0)),
        (edge.log.buffer, "SimpleQueue", machine.SimpleQueue),
        (edge.system.background, "threading", THREADS),
        (edge.daemon.daemon, "ControlServer", NoSocket),
        (edge.daemon.broker, "random", SimpleNamespace(Random=lambda: jitter)),
        (edge.upstream.mqtt.link, "MqttLink", broker.link),
        (secrets, "token_hex", lambda count=32: chance.randbytes(count).hex()),
        (secrets, "token_bytes", lambda count=32: chance.randbytes(count)),
        (sqlite3, "connect", disk.connect),
        (os, "open", disk.open),
        (os, "fsync", disk.fsync),
        (os, "replace", disk.replace),
        (os, "rename", disk.rename),
        (os, "statvfs", disk.statvfs),
        (os, "setpriority", lambda *_: None),
    ]
    with contextlib.ExitStack() as stack:
        for owner, name, new in exchanged:
            stack.enter_context(patch.object(owner, name, new))
        yield
