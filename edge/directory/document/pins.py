"""The PINs of a directory: PINs in clear are hashed, PINs that work without a card get an index.

One rule: to find a PIN that works without a card takes one hash for each set of hash parameters, so there are few
sets: PINs of that kind that come in clear share a salt. All other PINs have a salt of their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from edge.directory.pins import SALT_BYTES, HashParameters, PinHash, hashed
from edge.model.problems import dotted, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping

    from edge.directory.directory import Member
    from edge.model.problems import ProblemReport

MOST_CLEAR: Final = 1000
"""PINs in clear that one document may bring; each takes a hash. Beyond it, bring `pin_hash`."""
MOST_RECIPES: Final = 4
"""Sets of hash parameters: each takes a hash for each PIN that is typed without a card."""
KEPT: Final = "kept"
"""As `pin` of a member: the PIN stays as it is. Nobody can read it, so it cannot be sent again."""


def with_kept_pin(
    report: ProblemReport, where: str, entry: Mapping[str, Any], members: Mapping[str, Member]
) -> Mapping[str, Any]:
    """The entry of a member as it came, but for a PIN that is kept: it has the hash instead."""
    if entry.get("pin") != KEPT or "pin_hash" in entry:
        return entry
    member = members.get(str(entry.get("id")))
    rest = {key: value for key, value in entry.items() if key != "pin"}
    if member is None or member.pin is None:
        report.add(dotted(where, "pin"), f"found {shown(KEPT)}, but there is no PIN of this member to be kept")
        return rest
    return rest | {"pin_hash": member.pin.text}


class Pins:
    """Changes `members` in place, before anything else uses them."""

    def __init__(self, report: ProblemReport, members: dict[str, Member], where: Mapping[str, str]) -> None:
        """`where` tells where in the document each member is."""
        self._report, self._members, self._where = report, members, where
        self.alone: dict[HashParameters, MutableMapping[bytes, str]] = {}

    def hashing(
        self, clear: dict[str, str], shared: HashParameters | None, salt: Callable[[int], bytes]
    ) -> Iterator[None]:
        """Hash the clear PINs (member -> PIN) and remove each. `shared` is in use for PINs without a card."""
        if len(clear) > MOST_CLEAR:
            self._report.add(
                "members", f"found {len(clear)} PINs in clear, expected at most {MOST_CLEAR}: use pin_hash"
            )
            clear.clear()
        shared = shared or HashParameters(salt(SALT_BYTES))
        while clear:
            member_id, pin = clear.popitem()
            member = self._members[member_id]
            own = PinHash(shared, shared.digest(pin)) if member.pin_alone else hashed(pin, salt(SALT_BYTES))
            self._members[member_id] = replace(member, pin=own)
            yield

    def indexing(self, members: Iterable[Member]) -> Iterator[None]:
        """Enter the PINs of these members that work without a card into their index."""
        for member in members:
            if member.pin_alone and member.pin is not None:
                where = self._where[f"members.{member.id}"]
                if self.alone.setdefault(member.pin.recipe, {}).setdefault(member.pin.digest, member.id) != member.id:
                    self._report.add(where, "found the PIN of another member, expected a different one")
            yield
        if len(self.alone) > MOST_RECIPES:
            message = f"found PINs without a card with {len(self.alone)} salts, expected at most {MOST_RECIPES}"
            self._report.add("members", f"{message}: send all of them in clear once, then they share one salt")
