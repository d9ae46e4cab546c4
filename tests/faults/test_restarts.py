"""The lives of one controller: whatever is cut, replayed, damaged or put back, every record has one id upstream.

The broker is virtual, and so is time. The card is virtual too, or real files below a folder.
`python -m tests.faults.test_restarts 1000 [--real FOLDER]` runs as many restarts in both kinds of acknowledgement; the
suite runs fewer.
"""

# ruff: noqa: T201 -- also a script: it prints

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import tempfile
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from edge.model.ports import Incoming
from edge.upstream.messages import SINK, UpstreamOptions
from edge.upstream.sync import Upstream
from tests.support import virtual
from tests.support.card_file import CardFile
from tests.support.consumer import Consumer
from tests.support.journal import FORCED, OPENED, FakeJournal
from tests.support.upstream import TOPIC, Desk, FakeLink, Net, Sent

if TYPE_CHECKING:
    from edge.model.messages import Record
    from tests.support.virtual import VirtualLoop

RESTARTS: Final = 25
"""In each life of the suite."""
ACKS: Final = ("broker", "application")
START: Final = "controller.start"
NOBODY, FULL = 0x10, 0x97


class Card(FakeJournal):
    """A log whose cursors reach the medium late, and of which images can be taken and put back."""

    def __init__(self, loop: VirtualLoop, chance: random.Random) -> None:
        super().__init__(loop.now_ns)
        self.stored: dict[str, int] = {}
        self.left: dict[str, int] = {}
        """What a power cut leaves of them."""
        self.streams = 1
        self.chance = chance

    @property
    def journal(self) -> Card:
        return self

    async def every(self) -> list[Record]:
        return [*self.records.values()]

    def flush(self) -> None:
        self.stored = dict(self.cursors)

    def image(self) -> dict[str, Any]:
        parts = ("stream", "records", "committed", "stored", "kept")
        return {name: copy(getattr(self, name)) for name in parts}

    def put_back(self, image: dict[str, Any]) -> None:
        for name, part in image.items():
            setattr(self, name, copy(part))

    def lose_power(self) -> None:
        """Of each cursor, the medium has what it had or what it has now."""
        for sink, sequence in self.cursors.items():
            self.stored[sink] = self.chance.randint(min(self.stored.get(sink, 0), sequence), sequence)
        self.left = dict(self.stored)

    async def power_off(self) -> None:
        self.stored = self.left

    def begin(self, number: int) -> None:
        """A new run: only what is on the medium counts."""
        self.cursors, self.life, self._listeners = dict(self.stored), f"{number}:", []
        self.write([START], tell=False)

    def damage(self) -> None:
        self.streams += 1
        self.stream, self.records, self.committed = f"{self.controller}/epoch-{self.streams}", {}, 0
        self.cursors, self.stored = {}, {}

    async def new_epoch(self, reason: str, after: int | None = None) -> None:
        await super().new_epoch(reason, after)
        self.cursors = {
            sink: min(one, self.committed if after is None else after) for sink, one in self.cursors.items()
        }
        self.stored = dict(self.cursors)


class World:
    """One controller, its broker, and who listens."""

    def __init__(self, loop: VirtualLoop, seed: int, *, by_application: bool, folder: Path | None = None) -> None:
        """With a `folder` the card is real files below it."""
        self.chance, self.by_application = random.Random(seed), by_application
        self.card: Any = Card(loop, self.chance) if folder is None else CardFile(loop, folder, self.chance)
        self.consumer, self.net = Consumer(), Net()
        self.net.kept, self.net.code = None, self.answer
        self.upstream: Upstream | None = None
        self.images: list[Any] = []

    def answer(self, sent: Sent) -> int | None:
        roll = 1.0 if self.consumer.calm else self.chance.random()
        if sent.name == "stream":
            self.net.kept = json.dumps(sent.content).encode()
            self.consumer.begins |= sent.content["begins"]
        if sent.name != "events":
            return 0
        if roll < 0.03:
            return self.chance.choice([NOBODY, FULL, None])
        if self.by_application and roll < 0.08:
            return 0  # the broker took it and died before the application had it
        self.consumer.store(sent.content)
        if self.by_application and (self.consumer.calm or roll < 0.9):
            asyncio.get_running_loop().call_soon(self.acknowledge)
        return 0

    def acknowledge(self) -> None:
        for stream, (_, through) in self.consumer.rows.items():
            body = json.dumps({"stream": stream, "sequence": through}).encode()
            if self.upstream is not None and through:
                self.upstream.incoming(Incoming(f"{TOPIC}/ack", body, retained=False))

    def start(self, number: int) -> None:
        self.card.begin(number)
        desk = Desk(self.card)
        self.upstream = Upstream(
            UpstreamOptions("mqtt://broker", TOPIC, self.by_application, self.chance.choice([1, 20, 100])),
            self.card.journal,
            tuple(desk.states),
            lambda upstream: FakeLink(self.net, upstream),
            self.chance,
            **desk.given(),
        )
        self.upstream.start()

    async def live(self) -> None:
        """Some time of one run: doors move, links go, replays are asked for."""
        chance, card = self.chance, self.card
        for _ in range(chance.randrange(1, 6)):
            card.write(chance.choices([OPENED, FORCED], [9, 1], k=chance.choice([0, 1, 5, 40, 600])))
            await asyncio.sleep(chance.choice([0.0, 0.001, 0.5, 3.0, 40.0]))
            if chance.random() < 0.2 and self.net.links:
                self.net.link.cut()
            if chance.random() < 0.2 and card.committed and self.upstream is not None:
                first = chance.randint(1, card.committed)
                self.upstream.replay(first, chance.randint(first, card.committed))
            if chance.random() < 0.1:
                card.flush()

    async def cut_power(self) -> None:
        assert self.upstream is not None
        if self.net.links:
            self.net.link.alive = False
        self.card.lose_power()
        await self.upstream.close(0.0)
        await self.card.power_off()

    def between(self) -> None:
        """What happens to a card while the power is off."""
        roll = self.chance.random()
        if roll < 0.1 and self.images:
            self.card.put_back(self.chance.choice(self.images))
        elif roll < 0.15:
            self.card.damage()
            self.images.clear()
        elif roll < 0.5:
            self.images.append(self.card.image())

    async def settle(self) -> None:
        """In the end everybody is well."""
        self.consumer.calm = True
        for _ in range(400):
            await asyncio.sleep(10)
            self.acknowledge()
            if self.card.cursor(SINK) == self.card.committed:
                break
        assert self.card.cursor(SINK) == self.card.committed, self.upstream and self.upstream.facts()
        for record in await self.card.every():
            assert len(self.consumer.ids[record.hash]) == 1, (
                record.sequence,
                record.hash,
                self.consumer.ids[record.hash],
            )
        for digest, ids in self.consumer.ids.items():
            assert len(ids) == 1, f"{digest} has {ids}"


def lives(seed: int, restarts: int, *, by_application: bool, folder: Path | None = None) -> int:
    """Live through so many restarts; returns how many records came. With a `folder` on real files below it."""

    async def main(loop: VirtualLoop) -> int:
        world = World(loop, seed, by_application=by_application, folder=folder)
        for number in range(restarts):
            world.start(number)
            await world.live()
            await world.cut_power()
            world.between()
        world.start(restarts)
        await world.settle()
        await world.cut_power()
        return len(world.consumer.hashes)

    return virtual.run(main)


@pytest.mark.parametrize("by_application", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_every_record_has_one_id_upstream_whatever_happens_to_the_card(seed: int, by_application: bool) -> None:
    assert lives(seed, RESTARTS, by_application=by_application) > RESTARTS


@pytest.mark.parametrize("by_application", [False, True])
def test_every_record_has_one_id_upstream_whatever_happens_to_a_real_file(tmp_path: Path, by_application: bool) -> None:
    assert lives(5, RESTARTS, by_application=by_application, folder=tmp_path) > RESTARTS


def main() -> None:
    """Run so many restarts in each kind of acknowledgement, and say what came of them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("restarts", nargs="?", type=int, default=1_000)
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="the card is real files below it")
    parser.add_argument("--ack", choices=ACKS, action="append", help="only this kind of acknowledgement")
    asked = parser.parse_args()
    logging.disable()
    for ack in asked.ack or ACKS:
        records = 0
        for seed in range(-(-asked.restarts // RESTARTS)):
            with tempfile.TemporaryDirectory(dir=asked.real) as folder:
                real = None if asked.real is None else Path(folder)
                records += lives(seed, RESTARTS, by_application=ack == "application", folder=real)
        print(f'ack = "{ack}": {asked.restarts} restarts, {records} records, each under one id', flush=True)


if __name__ == "__main__":
    main()
