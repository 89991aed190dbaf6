"""An array that grows keeps what it holds, and moves under nobody's eyes."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.room import GROWTH, OWN_PAGES_FROM_BYTES, Growing

MANY = OWN_PAGES_FROM_BYTES // 8


def test_what_is_held_stays_however_often_it_grows() -> None:
    some, used = Growing(np.zeros(4, np.int64)), 0
    for wanted in (3, 5, MANY // 2, MANY, 3 * MANY, 3 * MANY + 1, 20 * MANY):
        some.reserve(used, wanted)
        assert len(some.items) >= wanted
        assert not some.items[used:].any()
        some.items[used:wanted] = np.arange(used, wanted) + 1
        used = wanted
    assert (some.items[:used] == np.arange(used) + 1).all()
    held = some.items
    some.reserve(used, used)
    assert some.items is held, "what has the room is left alone"


@pytest.mark.parametrize("is_seen", [False, True])
def test_a_view_goes_on_to_show_what_it_showed(is_seen: bool) -> None:
    some = Growing(np.zeros(0, np.int64))
    some.reserve(0, MANY)
    some.items[:MANY] = 7
    pages, view = some._pages, some.items[:3] if is_seen else None
    some.reserve(MANY, MANY * GROWTH + 1)
    assert (some._pages is pages) is not is_seen, "copied if it is seen, else moved"
    assert (some.items[:MANY] == 7).all()
    some.items[:3] = 8
    if view is not None:
        assert view.tolist() == [7, 7, 7]
