"""`[report.NAME]` of the configuration: event reports that are written every day, week or month.

One rule: as in edge/settings/tables.py, a key has a `description` of what is expected, which error messages use.
"""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field, field_validator

from edge.model.catalogue import CATALOGUE
from edge.model.problems import meant, shown
from edge.settings.tables import FilePath, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_REPORTS: Final = 64
MOST_OF_A_LIST: Final = 256
LONGEST_TEXT: Final = 200
FILTERS: Final = ("door", "type", "class", "user", "group", "outcome", "code", "text")
"""The keys that select records, named as at the control socket (`edge.reports.searches.Filters`)."""
_CLOCK: Final = 'a time of day like "06:00"'


def _time(value: object) -> time:
    if isinstance(value, str) and len(value) == len("06:00") and value[2] == ":" and value.isascii():
        hour, minute = value[:2], value[3:]
        if hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60:  # noqa: PLR2004 -- a clock's face
            return time(int(hour), int(minute))
    raise ValueError(f"found {shown(value)}, expected {_CLOCK}")


def _list(what: str) -> Any:  # noqa: ANN401 -- as pydantic's Field has it
    return Field((), max_length=MOST_OF_A_LIST, strict=False, description=f"a list of up to {MOST_OF_A_LIST} {what}")


Clock: TypeAlias = Annotated[time, BeforeValidator(_time)]


class ReportTable(Table):
    """`[report.NAME]`: when, where, and which records."""

    every: Literal["day", "week", "month"] = Field(description='"day", "week" or "month"')
    at: Clock = Field(default=time(6), description=_CLOCK)
    folder: FilePath = Field(default=Path("/var/lib/doorward/reports"), description="the path of a folder")
    format: Literal["csv", "spreadsheet", "jsonl"] = Field(default="csv", description='"csv", "spreadsheet" or "jsonl"')
    keep: int = Field(default=30, ge=1, le=10_000, description="1 to 10000 files")
    door: tuple[str, ...] = _list("doors")
    type: tuple[str, ...] = _list("event types")
    event_class: Literal["access", "audit"] | None = Field(
        default=None, alias="class", description='"access" or "audit"'
    )
    user: tuple[str, ...] = _list("ids, names or e-mail addresses")
    group: tuple[str, ...] = _list("ids or names of groups")
    outcome: Literal["granted", "refused"] | None = Field(default=None, description='"granted" or "refused"')
    code: tuple[str, ...] = _list("codes")
    text: str = Field(default="", max_length=LONGEST_TEXT, description=f"up to {LONGEST_TEXT} characters")

    @field_validator("type")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if one not in CATALOGUE:
                raise ValueError(f"found {shown(one)}, {meant(one, CATALOGUE)}")
        return value

    @property
    def suffix(self) -> str:
        """What the names of its files end in."""
        return "jsonl" if self.format == "jsonl" else "csv"

    def filters(self) -> Mapping[str, Any]:
        """The chosen filters, named as at the control socket."""
        chosen = self.model_dump(by_alias=True, exclude_defaults=True, include={*FILTERS, "event_class"})
        return {key: list(value) if isinstance(value, tuple) else value for key, value in chosen.items()}
