"""A cable between pseudo terminals that can be slow, noisy or cut: one end for the panel, one for each reader."""

from __future__ import annotations

import heapq
import itertools
import os
import random
import select
import threading
import time
import tty
from typing import Self

PORTION = 4096


class Cable:
    """What the panel says reaches every reader, what a reader says the panel alone: a cable of four wires.

    libosdp's device stumbles over other readers' answers, which a cable of two wires lets it hear;
    `osdp_line` shows that cable with readers of our own.
    """

    def __init__(
        self, readers: int = 1, *, baud: int | None = None, whole: bool = False, delay_s: float = 0.0, seed: int = 1
    ) -> None:
        """With `baud`, bytes arrive one by one, each in its time; or all of a frame when its last one would."""
        self.noise = 0.0
        """The chance of each byte to have one bit flipped."""
        self.cut = False
        self.damage: set[str] = set()
        """`command` or `reply`: the next one has a bit flipped in its middle."""
        self.passed: list[tuple[str, bytes]] = []
        """What was put in, by direction, before any damage."""
        self._baud, self._whole, self._delay_s = baud, whole, delay_s
        self._dice = random.Random(seed)
        pairs = [os.openpty() for _ in range(readers + 1)]
        self._masters = [master for master, _ in pairs]
        self._slaves = [slave for _, slave in pairs]
        for master, slave in pairs:
            tty.setraw(slave)
            os.set_blocking(master, False)
        names = [os.ttyname(slave) for slave in self._slaves]
        self.panel, self.readers = names[0], names[1:]
        self._wake, self._waker = os.pipe()
        self._heap: list[tuple[float, int, int, bytes]] = []
        self._order = itertools.count()
        self._free_s = [0.0] * (readers + 1)
        self._ended = False
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        os.write(self._waker, b".")
        self._thread.join()
        for fd in (*self._masters, *self._slaves, self._wake, self._waker):
            os.close(fd)

    def _carry(self) -> None:
        while not self._ended:
            pause_s = max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None
            for fd in select.select([*self._masters, self._wake], [], [], pause_s)[0]:
                if fd != self._wake:
                    self._take(self._masters.index(fd))
            while self._heap and self._heap[0][0] <= time.monotonic():
                _, _, target, data = heapq.heappop(self._heap)
                os.write(self._masters[target], data)

    def _take(self, source: int) -> None:
        data = os.read(self._masters[source], PORTION)
        kind = "reply" if source else "command"
        self.passed.append((kind, data))
        if self.cut:
            return
        if kind in self.damage:
            self.damage.discard(kind)
            middle = len(data) // 2
            data = data[:middle] + bytes((data[middle] ^ 0x10,)) + data[middle + 1 :]
        if self.noise:
            data = bytes(b ^ 1 << self._dice.randrange(8) if self._dice.random() < self.noise else b for b in data)
        now_s = time.monotonic() + self._delay_s
        for target in range(len(self._masters)):
            if target == source or (source and target):
                continue
            if self._baud is None:
                self._push(now_s, target, data)
            else:
                begin_s = max(now_s, self._free_s[target])
                self._free_s[target] = begin_s + len(data) * 10 / self._baud
                if self._whole:
                    self._push(self._free_s[target], target, data)
                    continue
                for at in range(len(data)):
                    self._push(begin_s + (at + 1) * 10 / self._baud, target, data[at : at + 1])

    def _push(self, when_s: float, target: int, data: bytes) -> None:
        heapq.heappush(self._heap, (when_s, next(self._order), target, data))
