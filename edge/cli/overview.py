"""The help of `doorctl` alone: its commands in groups, with examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "looking": ("status", "watch", "events", "export", "alerts", "acknowledge", "camera"),
    "doors": ("unlock", "lock", "hold-unlocked", "lock-down", "cancel-lock-down", "block", "unblock"),
    "people": ("people", "card", "visitor", "access", "who", "cards", "groups", "schedules"),
    "finding out what is wrong": ("diagnose", "test", "check", "log", "sync"),
    "setting up": ("reload", "web", "integration", "sign", "sim"),
}
ALSO: Final = {"lockdown": "lock-down", "cancel-lockdown": "cancel-lock-down"}
"""Another name for a command -> its own."""
MORE: Final = "more"
"""The group of a command that has none yet."""
EXAMPLES: Final = (
    ("unlock front --for 30s", "unlock it for 30 seconds"),
    ("events --door front --since today", "what happened there today"),
    ("people add 'Ada Lovelace' --card 12:3456", "add somebody with a card"),
    ("diagnose", "find what is wrong"),
)


def overview(helps: Mapping[str, str]) -> str:
    """All commands (name to help) by group, then examples; what `--help` shows below the options."""
    grouped = {name for names in GROUPS.values() for name in names}
    groups = {**GROUPS, MORE: tuple(name for name in helps if name not in grouped)}
    lines = []
    for title, names in groups.items():
        if shown := [name for name in names if name in helps]:
            lines += [f"{title}:", *(f"    {name:<17} {helps[name]}" for name in shown), ""]
    width = max(len(line) for line, _ in EXAMPLES)
    lines += ["examples:", *(f"    doorctl {line:<{width}}  {text}" for line, text in EXAMPLES), ""]
    return "\n".join([*lines, "doorctl COMMAND --help tells what a command takes."])
