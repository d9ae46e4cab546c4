"""Draws the transition table of `edge.doors.modes` as Mermaid in docs/rules.md: python -m tests.support.diagram"""

from __future__ import annotations

from collections import defaultdict

from edge.doors.modes import TRANSITIONS, Mode, NewMode, RefusedByMode
from tests.support.marked import DOCS, replaced

PAGE = DOCS / "rules.md"
COMMAND = "python -m tests.support.diagram"


def mermaid() -> str:
    arrows: dict[tuple[Mode, Mode], list[str]] = defaultdict(list)
    refused: dict[Mode, list[str]] = defaultdict(list)
    for (mode, trigger), verdict in TRANSITIONS.items():
        if isinstance(verdict, NewMode) and verdict.mode is not mode:
            arrows[mode, verdict.mode].append(trigger.value)
        elif isinstance(verdict, RefusedByMode):
            refused[mode].append(trigger.value)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> locked"]
    lines += [f"    {a.value} --> {b.value}: {', '.join(names)}" for (a, b), names in arrows.items()]
    lines += [f"    note right of {mode.value}: refuses {', '.join(names)}" for mode, names in refused.items()]
    return "\n".join([*lines, "```", ""])


def drawn(page: str) -> str:
    return replaced(page, "edge/doors/modes.py", COMMAND, mermaid())


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
