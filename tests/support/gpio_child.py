"""Runs one driver on a GPIO chip as its own process, under the shim or on a kernel chip, for tests.

One rule: it reports each signal as one JSON line, and does what the lines on its input say:
{"apply": {point: bool}}, {"fail": point or null} (raise when that point reports),
{"reopen": true}, {"describe": true}, {"level": point}, {"answer": {point: granted}}, {"close": true}.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivers import gpio_chip

if TYPE_CHECKING:
    from edge.model.messages import Signal


def say(kind: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"kind": kind, **fields}) + "\n")
    sys.stdout.flush()


class Child:
    def __init__(self, spec: dict[str, Any]) -> None:
        if spec["devices"]:  # a folder that a glob sees; the shim answers for paths in it as well
            gpio_chip.DEVICES = Path(spec["devices"])  # type: ignore[misc]
        kind: Any = import_module(f"drivers.{spec['kind']}.points")
        driver: Any = import_module(f"drivers.{spec['kind']}.driver")
        settings = kind.Settings(**spec["settings"])
        points = {name: kind.POINTS[name.split(".")[1]](**table) for name, table in spec["points"].items()}
        self.driver = driver.create(spec["kind"], settings, points, lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        self.fails: str | None = None
        self.running: asyncio.Task[None] | None = None

    def emit(self, signal: Signal) -> None:
        fields = asdict(signal)
        if "points" in fields:
            fields["points"] = sorted(fields["points"])
        if "data" in fields:
            fields["data"] = fields["data"].hex()
        say(type(signal).__name__, **fields, seen_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        if self.fails is not None and getattr(signal, "point", None) == self.fails:
            raise RuntimeError("the receiver is broken")

    async def run(self) -> None:
        try:
            await self.driver.run(self.emit)
        except OSError as error:
            say("failed", errno=error.errno, text=str(error))

    def open(self) -> None:
        try:
            self.driver.open()
        except OSError as error:
            say("refused", errno=error.errno, text=str(error), facts=dict(self.driver.describe()))
            return
        say("opened")
        self.running = asyncio.ensure_future(self.run())

    def do(self, order: dict[str, Any]) -> None:
        for name, argument in order.items():
            getattr(self, f"do_{name}")(argument)

    def do_apply(self, outputs: dict[str, bool]) -> None:
        try:
            self.driver.apply(outputs)
        except OSError as error:
            say("not_applied", errno=error.errno, text=str(error))

    def do_fail(self, point: str | None) -> None:
        self.fails = point

    def do_reopen(self, _: object) -> None:
        self.open()

    def do_describe(self, _: object) -> None:
        say("facts", facts=dict(self.driver.describe()))

    def do_level(self, point: str) -> None:
        say("level", asserted=self.driver.level(point))

    def do_answer(self, answers: dict[str, bool]) -> None:
        for point, granted in answers.items():
            self.driver.answer(point, granted=granted)

    async def close(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
        self.driver.close()
        self.driver.close()
        say("closed")


async def main() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: say("reported", text=str(context["message"])))
    child = Child(json.loads(sys.argv[1]))
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    child.open()
    while line := await reader.readline():
        order = json.loads(line)
        if order.pop("close", False):
            await child.close()
            break
        child.do(order)


if __name__ == "__main__":
    asyncio.run(main())
