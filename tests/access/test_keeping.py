"""Which unknown cards are kept: bounded for each reader, each once, and as stored again after a restart."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from edge.access.enrolment import store
from edge.access.enrolment.keeping import (
    DAY_US,
    HOUR_NS,
    MOST,
    MOST_AT_READER,
    MOST_NEW_AN_HOUR,
    Keeping,
    KeptCard,
)
from edge.model.messages import CardRead

if TYPE_CHECKING:
    from pathlib import Path

WALL_US = 1_795_431_600_000_000
IDS = count()


def read(number: int, point: str = "front.reader") -> CardRead:
    return CardRead(point, 32, number.to_bytes(4), 0)


def keep(keeping: Keeping, number: int, *, hour: int = 0, day: int = 0, point: str = "front.reader") -> str | None:
    return keeping.keep(read(number, point), WALL_US + day * DAY_US, hour * HOUR_NS, lambda: f"id{next(IDS)}")


def test_a_card_is_kept_once_and_written_once_a_day() -> None:
    keeping = Keeping()
    own = keep(keeping, 1)
    assert own is not None
    assert keeping.cards[own].read.data == read(1).data
    assert keeping.changed == {own}
    keeping.changed = set()
    assert keep(keeping, 1, hour=5) == own
    assert not keeping.changed
    assert keep(keeping, 1, hour=24, day=1) == own
    assert keeping.changed == {own}
    assert keeping.keep(CardRead("front.reader", 0, b"", 0), 1, 1, lambda: "x") is None
    assert "x" not in keeping.cards


def test_a_flood_at_one_reader_pushes_out_no_card_of_another() -> None:
    keeping = Keeping()
    quiet = keep(keeping, 10**6, point="back.reader")
    kept = [keep(keeping, number, hour=number // 150) for number in range(3000)]
    assert kept.count(None) == 3000 - 20 * MOST_NEW_AN_HOUR
    assert quiet in keeping.cards
    assert len(keeping.cards) == MOST_AT_READER + 1
    assert [own for own in kept if own][-MOST_AT_READER:] == [own for own in keeping.cards if own != quiet]


def test_old_ones_expire_and_those_of_an_unset_clock_count_from_when_it_is_set() -> None:
    keeping = Keeping()
    old, new = keep(keeping, 1), keep(keeping, 2, day=30)
    unset = keeping.keep(read(3), 0, 0, lambda: "unset")
    keeping.expire(WALL_US + 91 * DAY_US, 90)
    assert [*keeping.cards] == [new, unset]
    assert keeping.cards["unset"].at_us == WALL_US + 91 * DAY_US
    assert {old, unset} <= keeping.changed


steps = st.lists(
    st.tuples(
        st.sampled_from(["keep", "keep", "keep", "remove", "expire", "restart"]),
        st.integers(0, 400),
        st.sampled_from([f"{door}.reader" for door in "abcdef"]),
        st.integers(1, 90),
    ),
    max_size=60,
)


@given(steps)
def test_the_file_has_after_each_write_what_is_kept(acts: list[tuple[str, int, str, int]]) -> None:
    keeping, stored = Keeping(), dict[str, KeptCard]()
    for hour, (act, number, point, many) in enumerate(acts):
        if act == "keep":
            for one in range(many):
                own = keep(keeping, number + one, hour=hour, day=hour, point=point)
                assert own is not None
                assert keeping.cards[own].read.data == read(number + one).data
        elif act == "remove" and keeping.cards:
            gone = [*keeping.cards.values()][number % len(keeping.cards)]
            keeping.remove(gone)
            assert gone.id not in keeping.cards
        elif act == "expire":
            keeping.expire(WALL_US + hour * DAY_US, many)
        elif act == "restart":
            keeping = Keeping()
            keeping.load(stored.values())
        stored |= {own: keeping.cards[own] for own in keeping.changed if own in keeping.cards}
        stored = {own: card for own, card in stored.items() if own not in keeping.changed or own in keeping.cards}
        keeping.changed = set()
        assert stored == keeping.cards
        counts = Counter(card.point for card in stored.values())
        assert len(stored) <= MOST
        assert not counts or max(counts.values()) <= MOST_AT_READER
        assert len({card.data for card in stored.values()}) == len(stored), "a card is kept once"


def test_the_file_is_for_its_owner_only_and_a_damaged_one_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "unknown-cards.db"
    assert store.load(path, 0) == ([], None)
    cards = [KeptCard(f"id{number}", "front.reader", 26, bytes([number, 2, 3, 4]), number) for number in range(5)]
    store.save(path, {card.id: card for card in cards})
    assert path.stat().st_mode & 0o777 == 0o600
    store.save(path, {"id1": None, "id9": None})
    assert store.load(path, 0) == ([cards[0], *cards[2:]], None)
    assert b"\x01\x02\x03\x04" not in path.read_bytes(), "a number that is removed is gone from the disk"
    path.write_bytes(b"no database at all" * 500)
    stored, moved = store.load(path, 0)
    assert not stored
    assert moved is not None
    assert moved.exists()
    assert not path.exists()


def test_a_write_that_was_cut_off_costs_nothing_that_was_stored(tmp_path: Path) -> None:
    path, cut = tmp_path / "unknown-cards.db", tmp_path / "cut.db"
    card = KeptCard("id", "front.reader", 26, b"1234", 5)
    store.save(path, {card.id: card})
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size=1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM seen")
        db.executemany("INSERT INTO seen VALUES (?, 'p', 26, zeroblob(900), 1)", ((str(n),) for n in range(500)))
        shutil.copy(path, cut)
        shutil.copy(f"{path}-journal", f"{cut}-journal")
        db.execute("ROLLBACK")
    assert store.load(cut, 0) == ([card], None)
