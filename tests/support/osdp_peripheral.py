"""libosdp's peripheral device in a process of its own: python -m tests.support.osdp_peripheral PORT ADDRESS [...]

It reads orders from standard input, a line of JSON each, and prints what it was told, likewise. It is a
peer that we did not write; its import package is called `osdp` as ours is inside of `drivers`.
"""

# ruff: noqa: T201, PLC0415 -- a program: it prints, and only the process that serves needs libosdp
from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PORTION = 4096
REFRESH_S = 0.001
IDLE_S = 0.0025
"""A pause that ends a portion: libosdp's device stumbles over a header that comes byte by byte."""


def wire(port: str, baud: int) -> Any:
    """A serial port as libosdp wants it."""
    import serial
    from osdp import Channel

    class Wire(Channel):  # type: ignore[misc]  # libosdp has no types
        def __init__(self) -> None:
            super().__init__()
            self.port = serial.Serial(port, baud, timeout=0, write_timeout=1)
            self.waiting = b""
            self.last_s = 0.0

        def read(self, max_bytes: int) -> bytes:
            data = self.port.read(PORTION)
            if data:
                self.waiting += data
                self.last_s = time.monotonic()
            if time.monotonic() - self.last_s < IDLE_S:
                return b""
            given, self.waiting = self.waiting[:max_bytes], self.waiting[max_bytes:]
            return given

        def write(self, buf: bytes) -> int:
            return int(self.port.write(buf) or 0)

        def flush(self) -> None:
            self.port.reset_input_buffer()

    return Wire()


def serve(options: Any) -> None:
    from osdp import Capability, LibFlag, LogLevel, PDCapabilities, PDInfo, PeripheralDevice

    def told(command: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        plain = {key: value.hex() if isinstance(value, bytes) else value for key, value in command.items()}
        print(json.dumps({"told": plain}), flush=True)
        return 0, command

    flags = [LibFlag.EnforceSecure] * options.enforce + [LibFlag.InstallMode] * options.install
    able = [
        (Capability.CommunicationSecurity, 1, 1),
        (Capability.OutputControl, 4, 2),
        (Capability.LEDControl, 1, 1),
        (Capability.AudibleControl, 1, 1),
        (Capability.CardDataFormat, 1, 1),
        (Capability.ContactStatusMonitoring, 1, 2),
    ]
    key = bytes.fromhex(options.key) if options.key else None
    info = PDInfo(options.address, wire(options.port, options.baud), scbk=key, flags=flags)
    device = PeripheralDevice(info, PDCapabilities(able), log_level=LogLevel.Emergency, command_handler=told)
    print(json.dumps({"ready": True}), flush=True)
    waiting = b""
    while True:
        device.ctx.refresh()
        if not select.select([0], [], [], REFRESH_S)[0]:
            continue
        data = os.read(0, 65536)
        if not data:
            return
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            device.ctx.submit_event({k: bytes.fromhex(v) if k in {"data", "report"} else v for k, v in event.items()})


class Peripheral:
    """The process, seen from the test."""

    def __init__(
        self, port: str, address: int, *, baud: int = 115200, key: bytes | None = None, flags: str = ""
    ) -> None:
        command = [sys.executable, "-m", "tests.support.osdp_peripheral", port, str(address), "--baud", str(baud)]
        command += ["--key", key.hex()] if key else []
        command += [f"--{flag}" for flag in flags.split()]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.told: list[dict[str, Any]] = []
        assert json.loads(self.process.stdout.readline()) == {"ready": True}
        os.set_blocking(self.process.stdout.fileno(), False)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def _say(self, event: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(event) + "\n")
        self.process.stdin.flush()

    def card(self, number: int) -> None:
        """Show a card of 26 bits."""
        data = (number << 6).to_bytes(4, "big").hex()
        self._say({"event": 1, "reader_no": 0, "direction": 0, "format": 1, "length": 26, "data": data})

    def press(self, keys: str) -> None:
        self._say({"event": 2, "reader_no": 0, "data": keys.encode().hex()})

    def inputs(self, *levels: int) -> None:
        """Report what the inputs show. (Asked for it, libosdp's Python device cannot answer.)"""
        self._say({"event": 4, "type": 0, "report": bytes(levels).hex()})

    def commands(self, kind: int | None = None) -> list[dict[str, Any]]:
        """What it was told so far."""
        assert self.process.stdout is not None
        with contextlib.suppress(BlockingIOError):
            self._rest += os.read(self.process.stdout.fileno(), 1 << 20)
        *lines, self._rest = self._rest.split(b"\n")
        self.told += [json.loads(line)["told"] for line in lines if line]
        return [told for told in self.told if kind is None or told["command"] == kind]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("address", type=int)
    parser.add_argument("--baud", type=int, default=115200)
    parser.add_argument("--key")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--enforce", action="store_true")
    serve(parser.parse_args())


if __name__ == "__main__":
    main()
