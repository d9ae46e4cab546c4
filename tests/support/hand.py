"""Somebody who holds a card to a reader that waits for one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edge.client.connection import Client
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


class Hand(threading.Thread):
    """Somebody who holds a card to the front door's reader, once its light says that it listens."""

    def __init__(self, socket: Path, card: str) -> None:
        super().__init__()
        self._socket, self._card = socket, card

    def _listens(self) -> bool:
        with Client(self._socket) as client:
            lights = client.ask("status")["drivers"]["bench"]["facts"]["lights"]
        return bool(lights.get("front.reader") == "listening")

    def run(self) -> None:
        until(self._listens, "a reader that listens")
        with Client(self._socket) as client:
            client.ask("sim", door="front", action="card", argument=self._card)
