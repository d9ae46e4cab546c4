"""Everybody by name, page by page: sorted once for each version of the directory.

One rule: what takes longer than a door may wait is done in slices; 100,000 people are sorted in thousands of them.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.people.finding import Somebody, everybody, folded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

    from edge.directory.directory import Directory

SLICE: Final = 1_000
"""People between two yields: less than a millisecond on a PC."""
SEARCHED: Final = 250
"""People who are searched between two yields, which takes longer."""
FEW: Final = 500
"""So many people who are others than before are put in place one by one."""
LONGEST_CURSOR: Final = 600
_END: Final = "\n"
"""Between a folded name and an id: sorts before all that may stand in a name, and stands in none."""
_NO_MEMBER: Final = "/"
"""After the id of a user who is no member; in no id."""


class RollPage(NamedTuple):
    """Some people in the order of their names. `next` is where the next page begins; None at the end."""

    people: list[Somebody]
    total: int
    """People whom the search fits, on all pages."""
    next: str | None


class _Ordered(NamedTuple):
    """Everybody of one directory. Never changed: several who ask at once may look at it, slice by slice."""

    of: int
    """The number of the directory."""
    order: list[str]
    """Strings, which the garbage collector does not look through: a folded name, an end, an id."""
    known: dict[str, str]
    """Id -> its string in the order."""


class Roll:
    """The order of everybody in one directory, kept for the next one."""

    def __init__(self) -> None:
        """Nobody."""
        self._last = _Ordered(-1, [], {})

    def page(  # noqa: PLR0913 -- what may be asked, by name
        self,
        directory: Directory,
        made: int,
        *,
        text: str = "",
        holders: Collection[str] = (),
        fits: Callable[[Somebody], bool] | None = None,
        after: str = "",
        limit: int = 100,
    ) -> Generator[None, None, RollPage]:
        """One page, in slices.

        `made` is another number for another directory. `text`: its words occur in the name, the e-mail address or the
        id; members of `holders` fit too. `fits` is a condition beside. `after` is the `next` of the page before.
        """
        order, words = (yield from self.order(directory, made)), [*dict.fromkeys(folded(text).split())]
        if words or fits is not None:
            order = yield from _found(directory, order, words, holders, fits)
        start = bisect_right(order, after) if after else 0
        taken = order[start : start + limit]
        following = taken[-1] if start + limit < len(order) else None
        return RollPage([somebody_at(directory, one) for one in taken], len(order), following)

    def order(self, directory: Directory, made: int) -> Generator[None, None, list[str]]:
        """Everybody, in slices: strings in the order of names, which `somebody_at` reads."""
        last = self._last
        if last.of != made:
            self._last = last = yield from _renewed(last, directory, made)
        return last.order


def _renewed(last: _Ordered, directory: Directory, made: int) -> Generator[None, None, _Ordered]:
    """Put in order who is another than before; what is there already is not sorted again."""
    old, known, new = last.known, dict[str, str](), list[str]()
    for one in everybody(directory):
        if one is None:
            yield
            continue
        own = one.id if one.member is not None else one.id + _NO_MEMBER
        place, before = f"{folded(one.user.name)}{_END}{own}", old.get(own)
        if place != before:
            new.append(place)
        known[own] = place if place != before else before  # the same string: there may be 100,000
    gone = []
    for number, (own, place) in enumerate(old.items()):
        if known.get(own) != place:
            gone.append(place)
        if number % SLICE == 0:
            yield
    if len(new) + len(gone) <= FEW:
        order = _changed(last.order, gone, new)
    else:
        order = yield from _sorted([*known.values()])
    return _Ordered(made, order, known)


def _changed(order: list[str], gone: list[str], new: list[str]) -> list[str]:
    order = order.copy()
    for place in gone:
        del order[bisect_left(order, place)]
    for place in new:
        insort(order, place)
    return order


def _sorted(places: list[str]) -> Generator[None, None, list[str]]:
    """In slices: sorted all at once, 100,000 would hold the loop up for a tenth of a second."""
    runs = []
    for start in range(0, len(places), SLICE):
        runs.append(sorted(places[start : start + SLICE]))
        yield
    order: list[str] = []
    for number, place in enumerate(heapq.merge(*runs)):
        order.append(place)
        if number % SLICE == 0:
            yield
    return order


def _found(
    directory: Directory,
    order: list[str],
    words: list[str],
    holders: Collection[str],
    fits: Callable[[Somebody], bool] | None,
) -> Generator[None, None, list[str]]:
    found = []
    for number, place in enumerate(order):
        if number % SEARCHED == 0:
            yield
        missing = [word for word in words if word not in place]
        if not missing and fits is None:
            found.append(place)
            continue
        one = somebody_at(directory, place)
        mail = (one.user.email or "").casefold()
        if (all(word in mail for word in missing) or one.id in holders) and (fits is None or fits(one)):
            found.append(place)
    return found


def somebody_at(directory: Directory, place: str) -> Somebody:
    """The one who stands there in the order."""
    own = place.rpartition(_END)[2]
    if own.endswith(_NO_MEMBER):
        user = directory.users[own.removesuffix(_NO_MEMBER)]
        return Somebody(user.id, user, None)
    member = directory.members[own]
    return Somebody(own, directory.user_of(member), member)
