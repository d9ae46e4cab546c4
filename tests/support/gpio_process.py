"""A driver on a GPIO chip in a process of its own, for tests that kill, stop and starve it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from tests.support.gpio import PATIENCE_S, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gpio import Chip, ShimChip


class DriverProcess:
    """A driver in a process of its own (tests/support/gpio_child.py) on a chip."""

    def __init__(
        self,
        chip: Chip,
        points: dict[str, dict[str, object]],
        device: int | str | None = None,
        kind: str = "gpio",
        devices: Path | None = None,
        **settings: object,
    ) -> None:
        settings["chip"] = chip.number if device is None else device
        found = None if devices is None else str(devices)
        spec = {"kind": kind, "settings": settings, "points": points, "devices": found}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.gpio_child", json.dumps(spec)],
            cwd=SOURCE.parents[2],
            env=chip.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.seen: list[dict[str, Any]] = []
        """Everything it has said so far, in order."""
        self._line = b""

    def order(self, **order: object) -> None:
        """Have it do something; see gpio_child."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """Read on until it says this."""
        while True:
            said = self._next(f"{kind} {fields}")
            if said["kind"] == kind and fields.items() <= said.items():
                return said

    def started(self) -> None:
        """Wait until it has reported every initial level."""
        self.until("opened")
        self.order(describe=True)
        self.until("facts")

    @contextmanager
    def frozen(self, chip: ShimChip) -> Iterator[None]:
        """Nothing runs in it meanwhile, and it does not keep the chip's lock."""
        while True:
            self.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
            if chip.idle():
                break
            self.process.send_signal(signal.SIGCONT)
        yield
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def _next(self, wanted: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        while b"\n" not in self._line:
            ready, _, _ = select.select([pipe], [], [], PATIENCE_S)
            data = os.read(pipe, 65536) if ready else b""
            assert data, f"waited for {wanted}; so far: {self.seen}"
            self._line += data
        line, _, self._line = self._line.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        self.seen.append(said)
        return said
