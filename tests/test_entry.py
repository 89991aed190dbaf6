"""Which entries may go down the road as one, and what they say then."""

from __future__ import annotations

import pytest

from streams.entry import Entry, as_one, go_together
from streams.topics import REFUSALS

A, B = b"home-1", b"home-2"


@pytest.mark.parametrize(
    ("waiting", "together"),
    [
        # keys of each entry's rows, and which of them carry something yet to be told
        ([([A], []), ([B], []), ([A, B], [])], 3),
        ([([A], [A]), ([B], []), ([B], [])], 3),
        ([([A], [A])], 1),
        ([([A], []), ([A], [A])], 2),
        ([([A], [A]), ([A], [])], 1),
        ([([A], []), ([B], [B]), ([A], []), ([A, B], []), ([A], [])], 3),
        ([([A], [A]), ([B], [B]), ([B], [B])], 2),
    ],
)
def test_no_row_comes_after_one_of_its_account_that_carries_something_untold(
    waiting: list[tuple[list[bytes], list[bytes]]], together: int
) -> None:
    entries = [
        Entry(rows=[(key, b"row") for key in keys], carriers=frozenset(carriers))
        for keys, carriers in waiting
    ]
    assert go_together(entries) == entries[:together]


def test_a_refusal_is_told_before_any_further_row() -> None:
    """No row carries it: its reading changed none, and one of a later event would hide it."""
    plain, refusing = Entry(rows=[(A, b"row")]), Entry(told={REFUSALS: [(A, b"refused")]})
    assert go_together([plain, refusing, plain]) == [plain, refusing]
    assert go_together([refusing, Entry(), refusing]) == [refusing, Entry(), refusing]


def test_entries_that_go_together_say_everything_in_their_order() -> None:
    first = Entry([(A, b"1")], frozenset(), [(A, b"learned")], {"warnings": [(A, b"w1")]})
    second = Entry([(B, b"2")], frozenset(), [], {"warnings": [(B, b"w2")], "trips": [(B, b"t")]})
    one = as_one([first, second])
    assert one.rows == [(A, b"1"), (B, b"2")]
    assert one.learned == [(A, b"learned")]
    assert one.told == {"warnings": [(A, b"w1"), (B, b"w2")], "trips": [(B, b"t")]}
    assert first.told == {"warnings": [(A, b"w1")]}
