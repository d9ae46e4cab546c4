"""`[home_assistant]`, a table of its own: few controllers have one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge.settings.tables import Table, Topic


class HomeAssistantTable(Table):
    """`[home_assistant]`: announce the doors to Home Assistant, at the broker of `[mqtt]`."""

    prefix: Topic = Field(default="homeassistant", description="an MQTT topic without wildcards")
    unlock: Literal["pulse", "hold"] = "pulse"
    lockdown: bool = Field(default=False, description="true or false")
    acknowledge: bool = Field(default=True, description="true or false")
    last_access: bool = Field(default=True, description="true or false")
    enabled: bool = Field(default=True, description="true or false")
