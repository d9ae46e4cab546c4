"""Which unknown cards are kept, so that they can be given to somebody later. Pure values.

One rule: however many cards a reader is shown, it pushes out no card of another reader before its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from edge.directory.cards import keys_of
from edge.model.messages import NS_PER_S, CardRead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST: Final = 1_000
MOST_AT_READER: Final = 250
MOST_NEW_AN_HOUR: Final = 100
"""Of one reader. So many are an alarm as well (`edge.access.guesses.MOST_CARDS`)."""
HOUR_NS: Final = 3600 * NS_PER_S
DAY_US: Final = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class SeenCard:
    """A card that a reader saw since the start, unknown or not."""

    at_ns: int
    place: str
    card: CardRead
    code: str | None
    """Why it was refused; None: it was granted, or its PIN has to follow."""
    member: str | None


@dataclass(frozen=True, slots=True)
class KeptCard:
    """An unknown card that was refused."""

    id: str
    """What its records call it, in `details.seen`. It says nothing of the number."""
    point: str
    bits: int
    data: bytes = field(repr=False)
    at_us: int
    """When it was shown last, to a day; 0: the clock was not set."""

    @property
    def read(self) -> CardRead:
        """As its reader sent it."""
        return CardRead(self.point, self.bits, self.data, 0)


class Keeping:
    """The cards that are kept, and which of them have changed since they were stored."""

    def __init__(self) -> None:
        """None is kept."""
        self.cards: dict[str, KeptCard] = {}
        """By id, the one that was shown longest ago first."""
        self.changed: set[str] = set()
        """Ids of cards to be stored, or removed where they are in `cards` no more."""
        self._ids: dict[bytes, str] = {}
        self._new: dict[str, tuple[int, int]] = {}
        """Reader -> the beginning of an hour, and how many new cards were kept in it."""

    def load(self, stored: Iterable[KeptCard]) -> None:
        """Take up what was stored, before what was kept since."""
        since, self.cards, self._ids = self.cards, {}, {}
        for card in [*sorted(stored, key=lambda one: one.at_us), *since.values()]:
            self._put(card)
        self._bound()

    def keep(self, read: CardRead, at_us: int, now_ns: int, make_id: Callable[[], str]) -> str | None:
        """Keep this card; returns its id. None: it is no card, or its reader was shown too many new ones.

        `at_us`: the time of day, 0 where it is not known. `now_ns`: the boot clock.
        """
        keys = keys_of(read)
        if not keys:
            return None
        known = self.cards.get(self._ids.get(keys[0], ""))
        if known is not None:
            if at_us - known.at_us >= DAY_US:
                self._put(replace(known, at_us=at_us))
                self.changed.add(known.id)
            return known.id
        from_ns, count = self._new.get(read.point, (now_ns, 0))
        if now_ns - from_ns >= HOUR_NS:
            from_ns, count = now_ns, 0
        if count >= MOST_NEW_AN_HOUR:
            return None
        self._new[read.point] = (from_ns, count + 1)
        card = KeptCard(make_id(), read.point, read.bits, read.data[: (read.bits + 7) // 8], at_us)
        self._put(card)
        self.changed.add(card.id)
        self._bound()
        return card.id

    def remove(self, card: KeptCard) -> None:
        """Keep this card no more."""
        if self.cards.pop(card.id, None) is not None:
            self._ids = {key: own for key, own in self._ids.items() if own != card.id}
            self.changed.add(card.id)

    def expire(self, now_us: int, days: int) -> None:
        """Remove cards that were shown last more than `days` ago; those of unknown time count from `now_us`."""
        for card in [*self.cards.values()]:
            if not days or (card.at_us and now_us - card.at_us > days * DAY_US):
                self.remove(card)
            elif not card.at_us:
                self.cards[card.id] = replace(card, at_us=now_us)
                self.changed.add(card.id)

    def _put(self, card: KeptCard) -> None:
        self.cards.pop(card.id, None)
        self.cards[card.id] = card
        self._ids[keys_of(card.read)[0]] = card.id

    def _bound(self) -> None:
        counts = Counter(card.point for card in self.cards.values())
        while counts and (len(self.cards) > MOST or max(counts.values()) > MOST_AT_READER):
            point = max(counts, key=counts.__getitem__)
            self.remove(next(card for card in self.cards.values() if card.point == point))
            counts[point] -= 1
