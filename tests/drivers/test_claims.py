"""What cannot be claimed is a fault of its point, and is tried again."""

from __future__ import annotations

import errno

import pytest

from drivers.claims import AGAIN_NS, Claims


class Lines:
    """Points that are taken by somebody, on a clock."""

    def __init__(self, *taken: str) -> None:
        self.taken = dict.fromkeys(taken, errno.EBUSY)
        self.tried: list[str] = []
        self.now_ns = 0
        self.claims = Claims(self.claim, lambda: self.now_ns)

    def claim(self, point: str) -> None:
        self.tried.append(point)
        if point in self.taken:
            raise OSError(self.taken[point], f"{point} is taken")


def test_each_is_claimed_in_its_order_whatever_becomes_of_the_others() -> None:
    lines = Lines("a", "c")
    lines.claims.every("abcd")
    assert lines.tried == [*"abcd"]
    assert [(set(lost.points), lost.reason) for lost in lines.claims.lost()] == [
        ({"a"}, "a is taken"),
        ({"c"}, "c is taken"),
    ]


def test_when_none_can_be_had_the_first_says_why() -> None:
    with pytest.raises(OSError, match="a is taken"):
        Lines("a", "b").claims.every("ab")
    Lines().claims.every("")


def test_what_is_missing_is_tried_again_in_time() -> None:
    lines = Lines("a", "b")
    lines.claims.every("abc")
    del lines.taken["a"]
    lines.now_ns = AGAIN_NS - 1
    assert [*lines.claims.again()] == []
    lines.now_ns = AGAIN_NS
    assert [*lines.claims.again()] == ["a"]
    assert lines.claims.missing == {"b": "b is taken"}
    assert [*lines.claims.again()] == []


def test_a_device_that_has_gone_is_not_a_fault_of_a_point() -> None:
    lines = Lines("a")
    lines.claims.every("ab")
    lines.taken["a"] = errno.ENODEV
    lines.now_ns = AGAIN_NS
    with pytest.raises(OSError, match="a is taken"):
        [*lines.claims.again()]
