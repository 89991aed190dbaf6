"""The ids of a book: found again whatever they are, each in the row it was given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.account_ids import FIRST_SLOTS, NOBODY, AccountIds, IdColumn
from scoring.ids import text_hash, text_hashes

ONE_HASH = ("8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ")
"""Two texts of one FNV-1a hash; found by others, by search."""

AN_ID = st.one_of(
    st.sampled_from(["a", "b", "aa", "账户-7", "home-0000007", *ONE_HASH]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64),
)


def column(ids: list[str]) -> IdColumn:
    keys = [each.encode() for each in ids]
    lengths = np.array([len(key) for key in keys], np.int64)
    return IdColumn(b"?" + b"".join(keys), np.cumsum(lengths) - lengths + 1, lengths)


@given(st.lists(st.lists(AN_ID, max_size=12), max_size=6), st.lists(AN_ID, max_size=12))
def test_ids_are_found_as_in_a_dictionary(batches: list[list[str]], asked: list[str]) -> None:
    ids, rows = AccountIds(), dict[str, int]()
    for batch in batches:
        found = ids.add_all(batch)
        for each in batch:
            rows.setdefault(each, len(rows))
        assert found.tolist() == [rows[each] for each in batch]
    in_bytes = AccountIds()
    for batch in batches:
        assert in_bytes.rows_of_column(column(batch)).tolist() == in_bytes.rows_of(batch).tolist()
        found = in_bytes.add_column(column(batch))
        assert in_bytes.of(found) == batch
        assert in_bytes.rows_of(batch).tolist() == found.tolist()
    assert sorted(in_bytes) == sorted(rows), "each once"
    assert list(ids) == list(rows)
    assert len(ids) == len(rows)
    wanted = [*asked, *rows]
    assert ids.rows_of(wanted).tolist() == [rows.get(each, NOBODY) for each in wanted]
    assert [ids.row(each) for each in wanted] == [rows.get(each) for each in wanted]
    some = np.array(list(rows.values())[::-2], np.int64)
    assert ids.of(some) == list(rows)[::-2]
    assert ids.keys_of(some) == [each.encode() for each in list(rows)[::-2]]
    for length in {len(each) for each in wanted if each.isascii()}:
        alike = [each for each in wanted if each.isascii() and len(each) == length]
        points = np.frombuffer("".join(alike).encode(), np.uint8).reshape(len(alike), length)
        assert ids.rows_of_points(points).tolist() == [rows.get(each, NOBODY) for each in alike]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_one_text_has_the_hash_it_has_among_others(texts: list[str]) -> None:
    assert [text_hash(each) for each in texts] == text_hashes(texts).tolist()


def test_two_ids_of_one_hash_are_two_accounts() -> None:
    assert text_hash(ONE_HASH[0]) == text_hash(ONE_HASH[1])
    ids = AccountIds()
    assert ids.add_all(ONE_HASH[:1]).tolist() == [0]
    assert ids.row(ONE_HASH[1]) is None
    points = np.frombuffer("".join(ONE_HASH).encode(), np.uint8).reshape(2, -1)
    assert ids.rows_of_points(points).tolist() == [0, NOBODY]
    assert ids.add_all(ONE_HASH).tolist() == [0, 1]
    assert ids.rows_of_points(points).tolist() == [0, 1]
    at_once = AccountIds()
    assert at_once.add_column(column([*ONE_HASH, ONE_HASH[0]])).tolist() == [0, 1, 0]


def test_bytes_that_are_no_text_are_an_id_with_replacement_characters() -> None:
    some = IdColumn(b"home-\xff", np.array([0]), np.array([6]))
    ids = AccountIds()
    assert ids.add_column(some).tolist() == [0]
    assert list(ids) == some.texts() == ["home-\ufffd"]


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
def test_the_table_grows_with_the_accounts(at_once: int) -> None:
    names = [f"home-{number}" for number in range(4 * FIRST_SLOTS)]
    ids = AccountIds()
    for first in range(0, len(names), at_once):
        ids.add_all(names[first : first + at_once])
    assert ids.rows_of(names).tolist() == list(range(len(names)))
    assert ids.rows_of([f"home-{len(names)}", "home-"]).tolist() == [NOBODY, NOBODY]
