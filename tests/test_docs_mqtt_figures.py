"""The figures, commands, keys and links of docs/mqtt.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge import command_desk, command_refusals, mqtt_client, orders, outbox, sync, sync_messages, sync_records
from edge.messages import CommandName
from edge.order_shape import Body

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "mqtt.md").read_text()


def test_every_command_and_every_key_is_explained() -> None:
    [chapter] = re.findall(r"^## Commands\n(.*?)(?=^#+ )", PAGE, re.DOTALL | re.MULTILINE)
    explained = {
        name for cell in re.findall(r"^\|([^|]*)\|", chapter, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    keys = {field.rstrip("_") for field in Body.model_fields}
    assert {*CommandName, *orders.NO_DOOR} | keys <= explained


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (sync_records.NOBODY_S, "one try is\nmade every {:.0f} s"),
        (sync_records.STALL_S, "nothing is acknowledged for {:.0f} s is given up"),
        (sync_records.STALL_S, "If none comes for {:.0f} s"),
        (sync_records.LONGEST_STALL_S, "up to {:.0f} s"),
        (sync.RETRY_S[1], "of up to {:.0f} s when it keeps failing"),
        (sync_records.GIVE_WAY_S * 1_000, "stands still for up to {:.0f} ms"),
        (sync_records.IN_VAIN_S * 1_000, "goes on for {:.0f} ms"),
        (sync_records.MAX_REPLAYS, "at most {} ranges wait"),
        (sync_messages.MAX_TOPIC_BYTES, "longer than {:,} bytes"),
        (outbox.AHEAD, "at most {} records ahead"),
        (orders.MAX_COMMAND_BYTES, "over {:,} bytes"),
        (orders.MAX_ID, "1 to {} of"),
        (orders.FUTURE_US // 1_000_000, "more than {} s ahead"),
        (mqtt_client.MAX_PACKET_BYTES // 1024, "Over {} KiB"),
        (command_refusals.RECORDS_AT_ONCE, "after {} at once, one a minute"),
        (command_refusals.ANSWERS_AT_ONCE, "after {} at once, 10 a second"),
        (command_desk.MAX_AT_ONCE, "{} commands are under way"),
    ],
)
def test_the_figures_are_those_of_the_code(figure: float, said: str) -> None:
    assert said.format(figure) in PAGE


def test_the_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE):
        assert target.startswith("https://") or (ROOT / "docs" / target).exists(), target
    titles = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    headings = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
