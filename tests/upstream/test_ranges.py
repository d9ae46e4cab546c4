"""Ranges of numbers: nothing that was added is lost, whatever was added, and they stay few."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.upstream.ranges import Ranges

added = st.lists(st.tuples(st.integers(1, 200), st.integers(0, 20)))


@given(added, st.integers(1, 8))
def test_what_was_added_comes_out_in_order_and_once(ranges: list[tuple[int, int]], most: int) -> None:
    kept, wanted = Ranges(most), set[int]()
    for first, more in ranges:
        kept.add(first, first + more)
        wanted |= set(range(first, first + more + 1))
    assert bool(kept) == bool(wanted)
    found, count = [], 0
    while kept:
        lowest = kept.first
        first, last = kept.take()
        assert first == lowest
        found += range(first, last + 1)
        count += 1
    assert count <= most
    assert found == sorted(set(found))
    assert wanted <= set(found)
    if most == 8 and len(ranges) <= most:
        assert set(found) == wanted
