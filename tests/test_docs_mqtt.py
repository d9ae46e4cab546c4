"""docs/mqtt.md: every code of a refusal is there, and its examples are commands and answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

from edge.commands.parsing import Context, Order, parse_command, reply
from edge.commands.shape import Signer
from edge.commands.tokens import Keyring, PublicKey
from edge.model.messages import ClockQuality
from tests.support.signatures import Pair
from tests.support.states_page import COMMAND as RENEW
from tests.support.states_page import DOCUMENTS, written

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "mqtt.md").read_text()
COMMAND, ANSWER, RECORD, CLAIMS = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))


def test_every_code_of_a_refusal_is_explained_and_no_other() -> None:
    source = "".join(path.read_text() for path in sorted((ROOT / "edge" / "commands").glob("*.py")))
    codes = set(re.findall(r'(?:RefusedError|Refusal)\(\s*"(\w+)"', source))
    codes |= set(re.findall(r'_refusal\(order, "(\w+)"', source)) | set(re.findall(r'if unknown else "(\w+)"', source))
    codes |= set(re.findall(r' reply\(.*code="(\w+)"', source)) | set(re.findall(r'"(\w+)" if unknown', source))
    edits = (ROOT / "edge" / "access" / "edits.py").read_text()
    codes |= set(re.findall(r'EditAnswer\("(\w+)"', edits))
    alerts = (ROOT / "edge" / "alerts" / "runner.py").read_text()
    codes |= set(re.findall(r'RequestError\("(\w+)"', alerts))
    explained = PAGE.partition("| code | why |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", explained, re.MULTILINE)) == codes, (
        "docs/mqtt.md: a row for each code of a refusal"
    )


def test_the_tables_of_states_are_written_from_the_code() -> None:
    for page, sources in DOCUMENTS.items():
        assert written(page) == page.read_text(), f"{page} is behind {', '.join(sources)}: renew it with {RENEW}"


def test_the_example_is_a_command_and_its_answer_an_answer() -> None:
    here = Context("hq-lobby", ["front"], 1_795_384_623_000_000, ClockQuality.SYNCED)
    order = parse_command(json.dumps(COMMAND).encode(), here, retained=False)
    assert isinstance(order, Order)
    assert json.loads(reply(order.id, order.name, ANSWER["outcomes"])) == ANSWER


def test_the_entry_and_the_claims_are_commands_too() -> None:
    at_us, synced = 1_795_384_623_000_000, ClockQuality.SYNCED
    entered = parse_command(json.dumps(RECORD).encode(), Context("hq-lobby", [], at_us, synced), retained=False)
    assert isinstance(entered, Order)
    assert entered.entry is not None
    pair = Pair()
    ring = Keyring([PublicKey(pair.public, Signer("up", "t"))])
    signed = parse_command(
        pair.token(CLAIMS), Context("hq-lobby", ["front"], at_us, synced, True, ring), retained=False
    )
    assert isinstance(signed, Order)
