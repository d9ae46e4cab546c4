"""The figures, commands, keys and links of docs/mqtt.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.commands import allowance, intake, parsing, refusals
from edge.commands.shape import Body
from edge.model.messages import CommandName
from edge.upstream import messages, outbox, records, sync
from edge.upstream.mqtt import client

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "mqtt.md").read_text()


def test_every_command_and_every_key_is_explained() -> None:
    [chapter] = re.findall(r"^## Commands\n(.*?)(?=^#+ )", PAGE, re.DOTALL | re.MULTILINE)
    explained = {
        name for cell in re.findall(r"^\|([^|]*)\|", chapter, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    keys = {field.rstrip("_") for field in Body.model_fields}
    assert {*CommandName, *parsing.NO_DOOR} | keys <= explained


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (records.NOBODY_S, "one try is\nmade every {:.0f} s"),
        (records.STALL_S, "nothing is acknowledged for {:.0f} s is given up"),
        (records.STALL_S, "If none comes for {:.0f} s"),
        (records.LONGEST_STALL_S, "up to {:.0f} s"),
        (sync.RETRY_S[1], "of up to {:.0f} s when it keeps failing"),
        (records.GIVE_WAY_S * 1_000, "stands still for up to {:.0f} ms"),
        (records.IN_VAIN_S * 1_000, "goes on for {:.0f} ms"),
        (records.MAX_REPLAYS, "at most {} ranges wait"),
        (messages.MAX_TOPIC_BYTES, "longer than {:,} bytes"),
        (outbox.AHEAD, "at most {} records ahead"),
        (parsing.MAX_COMMAND_BYTES, "over {:,} bytes"),
        (parsing.MAX_ID, "1 to {} of"),
        (parsing.FUTURE_US // 1_000_000, "more than {} s ahead"),
        (client.MAX_PACKET_BYTES // 1024, "Over {} KiB"),
        (refusals.RECORDS_AT_ONCE, "after {} at once, one a minute"),
        (refusals.ANSWERS_AT_ONCE, "after {} at once, 10 a second"),
        (intake.MAX_AT_ONCE, "{} commands are under way"),
        (allowance.CHANGES_EACH, "once for each {} changes"),
    ],
)
def test_the_figures_are_those_of_the_code(figure: float, said: str) -> None:
    assert said.format(figure) in PAGE


def test_how_many_commands_is_that_of_the_code() -> None:
    figures = r"\| (\d+) \| (\d+) \|$"
    rows = re.findall(rf"^\| `(\w+)`.* {figures}|^\| (each other) .* {figures}", PAGE, re.MULTILINE)
    said = {row[0] or row[3]: (int(row[1] or row[4]), int(row[2] or row[5])) for row in rows}
    other = said.pop("each other")
    assert dict.fromkeys(map(str, CommandName), other) | said == dict(allowance.ALLOWANCES)


def test_the_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE):
        assert target.startswith("https://") or (ROOT / "docs" / target).exists(), target
    titles = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    headings = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
