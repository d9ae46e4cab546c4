"""The configuration of a plan's controller."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

from edge.config.reading import load
from tests.simulation.plan import DOORS
from tests.support.house import write_config

if TYPE_CHECKING:
    from pathlib import Path

    from edge.settings.controller import Settings
    from tests.simulation.plan import Plan


def settings_of(plan: Plan, folder: Path) -> Settings:
    """The settings, with their paths on the disk below the folder."""
    return _settings(json.dumps(plan.settings), folder)


@functools.cache
def _settings(text: str, folder: Path) -> Settings:
    chosen = json.loads(text)
    policy = {name: chosen[name] for name in ("relock", "unlock_s")}
    if chosen["interlock"]:
        policy["interlock"] = "lobby"
    file = write_config(folder, doors=DOORS, **policy)
    text = file.read_text().replace('kind = "simulated"', f'kind = "simulated"\nbounce_ms = {chosen["bounce_ms"]}')
    contact = f'contact = {{ driver = "bench", debounce_ms = {chosen["debounce_ms"]} }}'
    text = text.replace('contact = { driver = "bench" }', contact)
    text = text.replace('"log.db"', f'"{folder}/0/log.db"').replace('"doord.sock"', f'"{folder}/doord.sock"')
    text += f'\n[mqtt]\nurl = "mqtt://broker"\nack = "{chosen["ack"]}"\nwindow = {chosen["window"]}\n'
    file.write_text(text)
    return load(file)
