"""The page about events has every type there is, and its example is what the wire carries."""

from __future__ import annotations

import json
import re

from edge.model.catalogue import CATALOGUE
from edge.model.cloudevents import Identity, cloudevent
from edge.model.messages import ClockQuality, Event, Record, Subject
from tests.support.events_page import COMMAND, PAGE, written


def test_the_table_of_events_is_written_from_the_catalogue() -> None:
    page = PAGE.read_text()
    assert page == written(page), f"docs/events.md is behind edge/model/catalogue.py: renew it with {COMMAND}"
    assert all(f"| `{name}` |" in page for name in CATALOGUE)


def test_the_example_is_a_record_as_it_is_sent() -> None:
    [text] = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    example = json.loads(text)
    data = example["data"]
    event = Event(
        example["type"],
        data["uptime_ns"],
        Subject(**data["object"]),
        correlation=data["correlation"],
        door="front",
        details=data["details"],
    )
    moment_us = 1_795_384_623_120_456
    record = Record(
        42, event, data["boot"], 0, data["prev"], data["hash"], moment_us, moment_us + 546, ClockQuality.SYNCED
    )
    epoch = example["stream"].partition("/")[2]
    assert cloudevent(record, Identity("hq", "hq-lobby", epoch), replayed=False) == example


def test_every_field_is_explained() -> None:
    page = PAGE.read_text()
    [text] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    example = json.loads(text)
    well_known = {"specversion", "datacontenttype", "data"}
    for name in [*(example.keys() - well_known), *(f"data.{name}" for name in example["data"])]:
        assert re.search(rf"^\|[^|]*`{re.escape(name)}`", page, re.MULTILINE), name
