"""Home Assistant itself, where there is one: started with a configuration of its own, asked through a socket.

It wants a newer Python than ours, so it is no dependency: `make hass` makes one, or $HASS names the `hass` of another.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support import hass_make

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WITHIN_S = 120.0
WHY_NOT = "there is no Home Assistant: `make hass` makes one, or name a `hass` in $HASS"

# An integration that tells the states of entities and calls actions: one JSON object a line, both ways.
PROBE = """
import asyncio, json
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.helpers import device_registry, entity_registry

async def async_setup(hass, config):
    async def serve(reader, writer):
        async for line in reader:
            ask = json.loads(line)
            if "call" in ask:
                domain, action, target = ask["call"]
                try:
                    await hass.services.async_call(domain, action, target, blocking=True)
                    answer = None
                except Exception as error:
                    answer = type(error).__name__
            elif "devices" in ask:
                known = device_registry.async_get(hass).devices
                answer = {
                    one.name: known[one.via_device_id].name if one.via_device_id else None
                    for one in known.values()
                    if any(domain == "mqtt" for domain, _ in one.identifiers)
                }
            else:
                ours = entity_registry.async_get(hass).entities
                answer = {
                    one.entity_id: [one.state, json.loads(json.dumps(dict(one.attributes), default=str))]
                    for one in hass.states.async_all()
                    if one.entity_id in ours and ours[one.entity_id].platform == "mqtt"
                }
            writer.write(json.dumps(answer).encode() + b"\\n")
            await writer.drain()

    async def begin(_event):
        await asyncio.start_unix_server(serve, hass.config.path("probe.sock"))

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STARTED, begin)
    return True
"""
CONFIGURATION = """
homeassistant:
  name: Test
  time_zone: UTC
http:
  server_host: 127.0.0.1
  server_port: {port}
logger:
  default: warning
probe:
"""


def command() -> Sequence[str]:
    """How to start it, without its arguments; empty where there is none."""
    if named := os.environ.get("HASS"):
        return [named]
    start = Path(__file__).with_name("hass_start.py")
    return [str(hass_make.TARGET / "bin" / "python"), str(start)] if hass_make.READY.exists() else []


class Hass:
    """Knows one broker by MQTT, discovers what is there."""

    def __init__(self, program: Sequence[str], folder: Path, broker: int, port: int) -> None:
        self._program, self._folder = program, folder
        self.log = folder / "hass.log"
        probe, storage = folder / "custom_components" / "probe", folder / ".storage"
        probe.mkdir(parents=True)
        storage.mkdir()
        (probe / "__init__.py").write_text(PROBE)
        manifest = {"domain": "probe", "name": "Probe", "version": "1.0.0", "dependencies": ["mqtt"]}
        more: dict[str, Any] = {"documentation": "", "codeowners": [], "requirements": []}
        (probe / "manifest.json").write_text(json.dumps(manifest | more))
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=port))
        entries = {
            "version": 1,
            "minor_version": 4,
            "key": "core.config_entries",
            "data": {"entries": [_entry(broker)]},
        }
        (storage / "core.config_entries").write_text(json.dumps(entries))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as out:
            self._process = subprocess.Popen([*self._program, "-c", str(self._folder)], stdout=out, stderr=out)
        self.wait((self._folder / "probe.sock").exists, "Home Assistant")
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(WITHIN_S)

    def ask(self, **what: Any) -> Any:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(WITHIN_S)
            probe.connect(str(self._folder / "probe.sock"))
            probe.sendall(json.dumps(what).encode() + b"\n")
            with probe.makefile("rb") as answers:
                return json.loads(answers.readline())

    def call(self, action: str, entity: str) -> str | None:
        """What an action raised, if anything."""
        domain = entity.partition(".")[0]
        return self.ask(call=[domain, action, {"entity_id": entity}])

    def states(self) -> dict[str, str]:
        return {entity: state for entity, (state, _) in self.ask().items()}

    def wait_for(self, entity: str, state: str | None) -> None:
        """Until it says so; None until it is gone."""
        self.wait(lambda: self.states().get(entity) == state, f"{entity} {state}")

    def wait(self, true: Callable[[], Any], what: str) -> None:
        end_s = time.monotonic() + WITHIN_S
        while not true():
            assert time.monotonic() < end_s, f"{what} did not come: {self.log.read_text()[-2000:]}"
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            time.sleep(0.1)


def _entry(broker: int) -> dict[str, Any]:
    """What a person enters in the dialogue of the MQTT integration, as it is kept."""
    past = "2025-01-01T00:00:00+00:00"
    data = {"broker": "127.0.0.1", "port": broker, "protocol": "5", "discovery": True}
    flags = {"pref_disable_new_entities": False, "pref_disable_polling": False, "disabled_by": None}
    kept = {"created_at": past, "modified_at": past, "version": 1, "minor_version": 2, "options": {}, "subentries": []}
    names = {"domain": "mqtt", "entry_id": "01JTESTTESTTESTTESTTESTTES", "title": "mqtt", "unique_id": None}
    return {"data": data, "discovery_keys": {}, "source": "user", **flags, **kept, **names}
