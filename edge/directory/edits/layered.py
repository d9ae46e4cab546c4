"""A large index of which little changes: the changes are a layer above the old entries, which are not copied.

One rule: an index that others read never changes. To copy 100,000 entries, or to free them, takes longer than a door
may wait.
"""

from __future__ import annotations

from collections.abc import Generator, ItemsView, Iterator, Mapping, MutableMapping, ValuesView
from typing import Any, Final, TypeVar, cast, overload

SMALL: Final = 2_000
"""An index of at most this many entries is copied: that takes some tenths of a millisecond."""
SHARE: Final = 8
"""When the upper layer has more than 1/`SHARE` of all entries, both layers are made one."""
SLICE: Final = 2_000
"""Entries between two yields."""
_GONE: Final = object()
_UNCHANGED: Final = object()
K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")


class Layered(Mapping[K, V]):
    """Reads like a dict: entries keep their order, new ones come last."""

    __slots__ = ("_below", "_changed", "_count")

    def __init__(self, below: Mapping[K, V], changed: dict[K, object], count: int) -> None:
        """`below` is never written to; `changed` has the entries that are different, new or gone."""
        self._below, self._changed, self._count = below, changed, count

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, /) -> V | D: ...
    def get(self, key: K, default: object = None, /) -> object:
        """As a dict does."""
        found = self._changed.get(key, _UNCHANGED)
        if found is _UNCHANGED:
            return self._below.get(key, cast("V", default))
        return default if found is _GONE else found

    def __getitem__(self, key: K) -> V:
        """As a dict does."""
        found = self.get(key, cast("V", _UNCHANGED))
        if found is _UNCHANGED:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        """As a dict does."""
        return self.get(cast("K", key), cast("V", _UNCHANGED)) is not _UNCHANGED

    def __len__(self) -> int:
        """As a dict does."""
        return self._count

    def __iter__(self) -> Iterator[K]:
        """As a dict does."""
        return (key for key, _ in self.pairs())

    def items(self) -> ItemsView[K, V]:
        """As a dict does."""
        return _Items(self)

    def values(self) -> ValuesView[V]:
        """As a dict does."""
        return _Values(self)

    def pairs(self) -> Iterator[tuple[K, V]]:
        """Entry by entry, without a lookup for each key."""
        changed, below = self._changed, self._below
        for key, value in below.items():
            if key not in changed:
                yield key, value
            elif (now := changed[key]) is not _GONE:
                yield key, cast("V", now)
        yield from ((key, cast("V", now)) for key, now in changed.items() if key not in below)

    def __repr__(self) -> str:
        """Short, because entries must not stand in a log."""
        return f"<{self._count} entries>"

    def working(self) -> Working[K, V] | None:
        """A copy to be changed; this one stays as it is. None when its upper layer is too large."""
        if len(self._changed) > max(SMALL, self._count // SHARE):
            return None
        return Working(self._below, self._changed.copy(), self._count)


class _Items(ItemsView[K, V]):
    """Iterates without a lookup for each key."""

    _mapping: Layered[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping.pairs()


class _Values(ValuesView[V]):
    """Iterates without a lookup for each key."""

    _mapping: Layered[Any, V]

    def __iter__(self) -> Iterator[V]:
        return (value for _, value in self._mapping.pairs())


class Working(Layered[K, V], MutableMapping[K, V]):
    """An index that is being changed by one owner; `frozen` ends that."""

    __slots__ = ()

    def __setitem__(self, key: K, value: V) -> None:
        """As a dict does."""
        self._count += key not in self
        self._changed[key] = value

    def __delitem__(self, key: K) -> None:
        """As a dict does."""
        if key not in self:
            raise KeyError(key)
        self._count -= 1
        if key in self._below:
            self._changed[key] = _GONE
        else:
            del self._changed[key]

    def frozen(self) -> Layered[K, V]:
        """The index as it is now. This object is not used any more."""
        return Layered(self._below, self._changed, self._count)


def working(index: Mapping[K, V]) -> Generator[None, None, MutableMapping[K, V]]:
    """Make a copy that can be changed, in slices of less than a millisecond on a PC; the generator's return value."""
    if isinstance(index, Layered):
        layer: Working[K, V] | None = index.working()
        if layer is not None:
            return layer
    elif len(index) > SMALL:
        return Working(index, {}, len(index))
    flat: dict[K, V] = {}
    for count, (key, value) in enumerate(index.items(), 1):
        flat[key] = value
        if count % SLICE == 0:
            yield
    return flat


def frozen(index: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The index after its changes, to be read by others."""
    return index.frozen() if isinstance(index, Working) else index
