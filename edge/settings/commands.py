"""The section `[commands]` of the configuration file, checked at the border.

One rule: without a key, every command that the broker lets through is obeyed; with a key, only signed commands are.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from pydantic import Field, field_validator

from edge.model.messages import CommandWord
from edge.model.problems import alternatives, meant, shown
from edge.settings.tables import FilePath, Table

COMMANDS: Final[tuple[str, ...]] = get_args(CommandWord)


class CommandsTable(Table):
    """`[commands]`: whose signature a command needs."""

    keys: tuple[FilePath, ...] = Field(default=(), strict=False, max_length=16, description="a list of up to 16 files")
    key: dict[str, Any] | None = Field(default=None, description="tables called [commands.key.NAME]")


class CommandKeyTable(Table):
    """`[commands.key.NAME]`: a key for some commands or some doors only."""

    file: FilePath = Field(description="the path of a file")
    commands: tuple[str, ...] | None = Field(
        default=None, strict=False, min_length=1, description=f"a list of {alternatives(COMMANDS)}"
    )
    doors: tuple[str, ...] | None = Field(
        default=None, strict=False, min_length=1, description="a list of the ids of doors"
    )

    @field_validator("commands")
    @classmethod
    def _known_commands(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for one in value or ():
            if one not in COMMANDS:
                raise ValueError(f"found {shown(one)}, {meant(one, COMMANDS)}")
        return value
