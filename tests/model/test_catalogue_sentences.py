"""A record's sentence says what happened, what was refused, and what went wrong, each as such."""

from __future__ import annotations

import pytest

from edge.model.catalogue import message
from edge.model.messages import SYSTEM, Actor, Event, Subject

DOOR = Subject("lock", "front", "Front door")
HERE = Subject("controller", "hq", "HQ")
ANN = Actor("operator", "ann", "Ann")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Event("lock.unlock", 1, DOOR, ANN), "Front door unlocked by Ann"),
        (
            Event("lock.unlock", 1, DOOR, ANN, success=False, code="locked_down"),
            "Refused: Front door unlocked by Ann (locked_down)",
        ),
        (
            Event("controller.storage", 1, HERE, SYSTEM, success=False, code="disk_full"),
            "Storage of HQ needs attention: disk_full",
        ),
        (
            Event("controller.fault", 1, HERE, SYSTEM, success=False, code="x", details={"reason": "KeyError()"}),
            "Fault at HQ: KeyError()",
        ),
        (Event("controller.fault", 1, HERE, SYSTEM, details={"reason": "cut"}), "Fault at HQ: cut"),
        (Event("controller.gap", 1, HERE, SYSTEM, details={"from": 1}), "Records of HQ are missing"),
        (
            Event("event_export.finished", 1, HERE, ANN, success=False, code="disk_full"),
            "Event export failed: disk_full",
        ),
        (Event("event_export.finished", 1, HERE, ANN), "Event export finished"),
    ],
)
def test_the_sentence(event: Event, said: str) -> None:
    assert message(event) == said
