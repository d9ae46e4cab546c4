"""The PINs of a directory: those that came in clear are hashed, those that work alone get an index.

One rule: a PIN that works without a card is found with one hash for each recipe, so there are few
recipes: clear PINs of that kind share a salt. All others have a salt of their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edge.directory.pins import SALT_BYTES, HashParameters, PinHash, hashed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping

    from edge.directory.directory import Member
    from edge.model.problems import ProblemReport

MOST_CLEAR: Final = 1000
"""PINs in clear that one document may bring; each takes a hash. Beyond it, bring `pin_hash`."""
MOST_RECIPES: Final = 4
"""Each takes a hash for each PIN that is typed without a card."""


class Pins:
    """Works on `members` in place, which nobody else has yet."""

    def __init__(self, report: ProblemReport, members: dict[str, Member], where: Mapping[str, str]) -> None:
        """`where` tells where in the document each member is."""
        self._report, self._members, self._where = report, members, where
        self.alone: dict[HashParameters, MutableMapping[bytes, str]] = {}

    def hashing(
        self, clear: dict[str, str], shared: HashParameters | None, salt: Callable[[int], bytes]
    ) -> Iterator[None]:
        """Hash the clear PINs (member -> PIN), which are forgotten one by one. `shared` is in use for PINs alone."""
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
        """Enter these into the index of the PINs that work alone."""
        for member in members:
            if member.pin_alone and member.pin is not None:
                where = self._where[f"members.{member.id}"]
                if self.alone.setdefault(member.pin.recipe, {}).setdefault(member.pin.digest, member.id) != member.id:
                    self._report.add(where, "found a PIN that cannot be told from another member's, expected another")
            yield
        if len(self.alone) > MOST_RECIPES:
            message = f"found PINs for use alone with {len(self.alone)} salts, expected at most {MOST_RECIPES}"
            self._report.add("members", f"{message}: bring them all in clear once, they will share one")
