"""The searches that may be made from outside, checked: those of the control socket and of reports.

One rule: a search that was checked here is safe to run; `edge.reports.search_words` says what it means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.reports.search_words import query_of

if TYPE_CHECKING:
    from edge.directory.directory import Directory
    from edge.log.reading.filters import Query

MAX_PAGE: Final = 500
LONGEST_TEXT: Final = 200
Value = Annotated[str, Field(max_length=1_000)]
"""An id, a name or an e-mail address. Because of the bound pydantic also refuses lone surrogates."""


class Filters(BaseModel):
    """Which records: each filter that is given must match; of a list one value is enough."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    door: list[Value] = Field([], max_length=1024)
    type: list[Value] = Field([], max_length=256)
    event_class: Literal["access", "audit"] | None = Field(None, alias="class")
    user: list[Value] = Field([], max_length=256)
    """An actor's id, name or e-mail."""
    group: list[Value] = Field([], max_length=256)
    """A group's id or name: records of its present members, and of everybody who was granted access by it."""
    outcome: Literal["granted", "refused"] | None = None
    code: list[Value] = Field([], max_length=256)
    text: str = Field("", max_length=LONGEST_TEXT)
    correlation: str = Field("", max_length=LONGEST_TEXT)
    """Shared by the events of one passage."""
    since_us: int | None = Field(None, ge=-(2**62), le=2**62)
    until_us: int | None = Field(None, ge=-(2**62), le=2**62)

    def query(self, directory: Directory | None) -> Query:
        """The query of the log. UnknownGroupError for an unknown group, and for any group without a directory."""
        return query_of(self.model_dump(by_alias=True), directory)


class PageRequest(Filters):
    """The body of the control socket's `events`: one page of a search."""

    after: int | None = Field(None, ge=0, le=2**62)
    before: int | None = Field(None, ge=0, le=2**62)
    limit: int = Field(MAX_PAGE, ge=1, le=MAX_PAGE)
    newest: bool = False
    skip: int = Field(0, ge=0, le=2**31)
    """So many matching records are passed over first; `skipped` in the answer says how many really were."""
