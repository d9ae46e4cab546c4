"""Anti-passback: a member who came in by a door must go out by its exit door before coming in again.

One rule: only a passage counts a member as inside or outside. A member without a known passage may pass. A restart
clears all of it, so that a power cut shuts nobody out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.directory.directory import Directory


@dataclass(frozen=True, slots=True)
class Passback:
    """Who is inside: entry door -> member -> since when. The directory limits how many."""

    inside: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


NOBODY: Final = Passback()


def violates(passback: Passback, directory: Directory, door: str, member: str, now_ns: int) -> bool:
    """Whether this member came in by this door and has not gone out since."""
    rule = directory.access(door).anti_passback
    since_ns = passback.inside.get(door, {}).get(member)
    if rule is None or since_ns is None:
        return False
    return rule.forget_after_s is None or now_ns < since_ns + round(rule.forget_after_s * NS_PER_S)


def passed(passback: Passback, directory: Directory, door: str, member: str, at_ns: int) -> Passback:
    """Note that a member went through a door: when it opens, or when access is granted at a door without a contact."""
    inside = {entry: dict(members) for entry, members in passback.inside.items()}
    for entry, members in inside.items():
        rule = directory.access(entry).anti_passback
        if rule is not None and rule.exit == door:
            members.pop(member, None)
    if directory.access(door).anti_passback is not None:
        inside.setdefault(door, {})[member] = at_ns
    return replace(passback, inside=inside)


def pruned(passback: Passback, directory: Directory) -> Passback:
    """Forget members and doors that a new directory no longer has."""
    return Passback(
        {
            door: {member: at_ns for member, at_ns in members.items() if member in directory.members}
            for door, members in passback.inside.items()
            if directory.access(door).anti_passback is not None
        }
    )
