"""Turns the address of a page into a search in the words of the control socket.

One rule: pure functions; a field that is not understood becomes a message in the form, never a wider search.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from edge.client.times import parse_time, to_us
from edge.model.catalogue import CATALOGUE, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

PERIODS: Final = {
    "today": "Today",
    "1h": "Last hour",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "all": "Everything",
}
DEFAULT: Final = "90d"
CHOICES: Final = {"class": ("access", "audit"), "outcome": ("granted", "refused")}
VIEWS: Final = {"passages": "Passages", "records": "Every record"}
SHOWS: Final[dict[str, dict[str, Any]]] = {
    "alarms": {"type": [row.type for row in CATALOGUE.values() if row.severity is Severity.ALARM]},
    "refused": {"outcome": "refused"},
    "changes": {"class": "audit"},
}
"""What a chip shows, in the words of the control socket."""
CHIPS: Final = (
    ("show", "alarms", "Alarms"),
    ("show", "refused", "Refused"),
    ("show", "changes", "Changes"),
    ("period", "today", "Today"),
    ("period", "7d", "7 days"),
)
"""Field, value, name: links that set a field, or take it away again."""
LISTS: Final = ("door", "type", "user", "group", "code")
KEYS: Final = (*LISTS, *CHOICES, "view", "show", "text", "period", "since", "until")
PLACES: Final = ("before", "after")
"""Fields for a position in the results; not part of the search."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search."""

    given: Mapping[str, tuple[str, ...]]
    """Field -> values, from the address."""
    asked: dict[str, Any] = field(default_factory=dict)
    """The filters in the words of the control socket."""
    problem: str = ""
    """Why the search is not possible; empty: it is."""

    @property
    def query(self) -> str:
        """The query string for the address of another page of this search."""
        return _address(self.given)

    def changed(self, key: str, value: str | None) -> str:
        """The query string with another value of a field, which has no other then; None: without the field."""
        given = {name: values for name, values in self.given.items() if name != key}
        return _address(given if value is None else {**given, key: (value,)})

    def without(self, key: str, value: str) -> str:
        """The query string without one value of a field."""
        left = {name: tuple(one for one in every if (name, one) != (key, value)) for name, every in self.given.items()}
        return _address(left)

    @property
    def view(self) -> str:
        """One of VIEWS."""
        return self.one("view", "passages")

    @property
    def passages(self) -> bool:
        """Whether it shows a row for each passage, and not for each record."""
        return self.view == "passages"

    @property
    def chips(self) -> list[dict[str, Any]]:
        """Every chip with its address, and whether it is on."""
        return [
            {"name": name, "on": (on := self.one(key) == value), "query": self.changed(key, None if on else value)}
            for key, value, name in CHIPS
        ]

    def one(self, key: str, default: str = "") -> str:
        """The first value of a field."""
        return self.given.get(key, (default,))[0]

    @property
    def narrow(self) -> bool:
        """Whether there are filters that no chip shows."""
        return "since" in self.given or "until" in self.given


def search(fields: Sequence[tuple[str, str]], now: datetime) -> Search:
    """Read the fields of an address; the zone of `now` applies to its times."""
    lists: dict[str, list[str]] = {}
    for key, value in fields:
        if key not in PLACES and value.strip():
            lists.setdefault(key, []).append(value.strip())
    given = {key: tuple(dict.fromkeys(values)) for key, values in lists.items()}
    known = {key: values for key, values in given.items() if key in KEYS}
    try:
        return Search(known, _asked(given, now))
    except ValueError as error:
        return Search(known, problem=f"{str(error)[0].upper()}{str(error)[1:]}.")


def _asked(given: Mapping[str, tuple[str, ...]], now: datetime) -> dict[str, Any]:
    for key, values in given.items():
        if key not in KEYS:
            raise ValueError(f"there is no field {key!r}, expected some of {', '.join(KEYS)}")
        if key not in LISTS and len(values) > 1:
            raise ValueError(f"{key} is given twice, as {values[0]!r} and as {values[1]!r}")
    asked: dict[str, Any] = {key: list(given[key]) for key in LISTS if key in given}
    for name in given.get("type", ()):
        if name not in CATALOGUE:
            raise ValueError(f"{name!r} is no event type")
    for key, choices in CHOICES.items():
        if key in given:
            asked[key] = _one_of(key, given[key][0], choices)
    _one_of("view", given.get("view", ("passages",))[0], VIEWS)
    if "text" in given:
        asked["text"] = given["text"][0]
    return asked | _chosen(given, asked) | _times(given, now)


def _chosen(given: Mapping[str, tuple[str, ...]], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What `show` asks for."""
    if "show" not in given:
        return {}
    shows = SHOWS[_one_of("show", given["show"][0], SHOWS)]
    if both := shows.keys() & asked.keys():
        raise ValueError(f"show and {both.pop()} cannot be given both")
    return shows


def _times(given: Mapping[str, tuple[str, ...]], now: datetime) -> dict[str, int]:
    asked = {}
    period = _one_of("period", given.get("period", (DEFAULT,))[0], PERIODS)
    if "since" in given:
        asked["since_us"] = to_us(parse_time(given["since"][0], now))
    elif period == "today":
        asked["since_us"] = to_us(now.replace(hour=0, minute=0, second=0, microsecond=0))
    elif period != "all":
        asked["since_us"] = to_us(parse_time(period, now))
    if "until" in given:
        asked["until_us"] = to_us(parse_time(given["until"][0], now))
    return asked


def _address(given: Mapping[str, Iterable[str]]) -> str:
    return urlencode([(key, value) for key, values in given.items() for value in values])


def _one_of(key: str, value: str, choices: Collection[str]) -> str:
    if value not in choices:
        raise ValueError(f"{value!r} is no {key}, expected one of {', '.join(choices)}")
    return value


def types() -> dict[str, list[str]]:
    """The event types in groups by their first word, for a list to choose from."""
    groups: dict[str, list[str]] = {}
    for name in CATALOGUE:
        groups.setdefault(name.partition(".")[0], []).append(name)
    return groups
