"""The records of a door as passages: who, what came of it, and a tag.

One rule: pure functions; whatever a colour says, a word says too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.model.event_types import (
    LOCK_ACCESS_NOT_TAKEN,
    LOCK_CLOSED,
    LOCK_FORCED_OPEN,
    LOCK_HELD_OPEN,
    LOCK_LOCKED,
    LOCK_OPENED,
    LOCK_UNLOCK,
    READER_ACCESS,
)
from edge.model.printable import masked as visible
from edge.web.people_words import REFUSED, day

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from edge.web.words import Words

STEPS: Final = {
    LOCK_FORCED_OPEN: "forced open",
    LOCK_HELD_OPEN: "held open",
    LOCK_OPENED: "opened",
    LOCK_CLOSED: "closed",
    LOCK_ACCESS_NOT_TAKEN: "not opened",
}
SILENT: Final = frozenset({LOCK_LOCKED, LOCK_UNLOCK, READER_ACCESS})
"""Types that say nothing beside the person and the tag."""
TONES: Final = {"alarm": "alarm", REFUSED: "warning"}


def passages(records: Iterable[Mapping[str, Any]], most: int) -> list[list[Mapping[str, Any]]]:
    """The newest passages first, each with its records in order; a record without a correlation stands alone.

    `records`: the newest first.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        found.setdefault(record["data"]["correlation"] or record["sequence"], []).append(record)
    return [list(reversed(one)) for one in found.values()][:most]


def passage_row(passage: Sequence[Mapping[str, Any]], say: Words, now: datetime) -> dict[str, Any]:
    """One passage on one line."""
    first = passage[0]
    data = [one["data"] for one in passage]
    actor = next((one["actor"] for one in data if one["actor"]), None)
    tag, at = _tag(passage, actor), say.local(first["time"])
    refusal = next((one for one in data if not one["success"]), None)
    code = f": {refusal['code'].replace('_', ' ')}" if refusal and refusal["code"] else ""
    steps = [*([f"{tag}{code}"] if tag == REFUSED else []), *filter(None, map(_step, passage))]
    return {
        "sequence": int(first["sequence"]),
        "time": f"{at:%H:%M:%S}" if at.date() == now.date() else day(at, now),
        "iso": first["time"],
        "who": visible(actor["name"] or actor["id"]) if actor else "",
        "text": visible(", ".join(steps)),
        "tag": tag,
        "tone": TONES.get(tag, "calm"),
    }


def _tag(passage: Sequence[Mapping[str, Any]], actor: Mapping[str, Any] | None) -> str:
    if any(one["data"]["severity"] == "alarm" for one in passage):
        return "alarm"
    if not all(one["data"]["success"] for one in passage):
        return REFUSED
    types = {one["type"] for one in passage}
    if LOCK_ACCESS_NOT_TAKEN in types:
        return "not taken"
    if LOCK_UNLOCK not in types:
        return ""
    return "exit" if actor and actor["kind"] == "rex" else "granted"


def _step(record: Mapping[str, Any]) -> str:
    if record["type"] in SILENT:
        return ""
    data = record["data"]
    text, open_s = STEPS.get(record["type"], data["message"]), data["details"].get("open_s")
    return f"{text} after {open_s:.0f} s" if record["type"] == LOCK_CLOSED and open_s is not None else str(text)
