"""An account that needs more than a row gets an annex; nobody else notices; none is mixed up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.annex import ANNEX_VERSION, Annexes, empty_annexes
from scoring.book import Book
from streams import rightful
from streams import rows as state
from streams.versions import ANNEX_OF_VERSION_3, annex_rows_of_version_3
from tests.test_rows import EFFECTS, records_of, some_rows


def some_annexes(*positions: int) -> Annexes:
    annexes = Annexes.none()
    annexes.ensure(np.array(positions, np.int64))
    annexes.rows["costs_nanos"] = [100 + position for position in positions]
    return annexes


def costs(book: Book) -> dict[str, int]:
    """What each account that has an annex owes in costs."""
    annexes = book.take(np.arange(len(book))).annexes
    ids = [book.account_ids[position] for position in annexes.position]
    return dict(zip(ids, annexes.rows["costs_nanos"].tolist(), strict=True))


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(1, 99)), max_size=8),
        max_size=8,
    )
)
def test_what_is_put_is_what_is_taken_whoever_had_an_annex_before(batches):
    book, known = Book(), {}
    for number in range(10):
        book.add(f"home-{number}")
    for batch in batches:
        wanted = dict(batch)
        rows = np.array(list(wanted), np.int64)
        part = book.take(rows)
        part.annexes = Annexes.none()
        for position, (row, cost) in enumerate(wanted.items()):
            known.pop(f"home-{row}", None)
            if cost is not None:
                part.annexes.make(position)["costs_nanos"] = cost
                known[f"home-{row}"] = cost
        book.put(rows, part)
    assert costs(book) == known


@given(st.sets(st.integers(0, 9)), st.permutations(range(10)), st.integers(0, 10))
def test_a_part_of_a_block_keeps_each_account_s_own_annex(having, order, count):
    annexes = some_annexes(*sorted(having))
    chosen = np.array(order[:count], np.int64)
    part = annexes.take(chosen, 10)
    for position, row in enumerate(chosen.tolist()):
        mine = part.row(position)
        assert (mine is None) == (row not in having)
        assert mine is None or mine["costs_nanos"][0] == 100 + row


def test_a_book_that_grows_keeps_its_annexes():
    book = Book()
    for number in range(3000):
        row = np.array([book.add(f"home-{number}")])
        if number % 3 == 0:
            part = book.take(row)
            part.annexes.make(0)["costs_nanos"] = number + 1
            book.put(row, part)
    assert costs(book) == {f"home-{n}": n + 1 for n in range(0, 3000, 3)}


def test_rows_with_and_without_an_annex_come_back_with_the_effects_behind_them():
    rows, annexes = some_rows(3), some_annexes(1, 2)
    values = state.encode_ledger_rows(rows, 7, {0: EFFECTS, 2: EFFECTS}, annexes)
    decoded = state.decode_ledger_rows(records_of(values))
    assert decoded.unreadable == []
    assert decoded.rows.tobytes() == rows.tobytes()
    assert decoded.annexes.position.tolist() == [1, 2]
    assert decoded.annexes.rows.tobytes() == annexes.rows.tobytes()
    assert decoded.effects == {0: EFFECTS, 2: EFFECTS}


def test_a_row_without_an_annex_costs_not_a_byte_more():
    (with_annex,) = state.encode_ledger_rows(some_rows(1), 7, {}, some_annexes(0))
    (value,) = state.encode_ledger_rows(some_rows(1), 7, {}, Annexes.none())
    assert value == state.encode_ledger_rows(some_rows(1), 7)[0]
    assert len(value) < len(with_annex)


@pytest.mark.parametrize("cut", [1, 16])
def test_half_an_annex_is_no_account_and_is_named(cut):
    values = state.encode_ledger_rows(some_rows(2), 7, {}, some_annexes(0, 1))
    decoded = state.decode_ledger_rows(records_of([values[0][:-cut], values[1]]))
    assert decoded.account_ids == ["home-1"]
    assert decoded.annexes.position.tolist() == [0]
    assert decoded.annexes.rows["costs_nanos"].tolist() == [101]
    ((offset, why),) = decoded.unreadable
    assert (offset, why) == (0, f"annex is {state.CUT_SHORT}")


def test_an_annex_of_a_later_version_is_named_and_passed_over():
    (value,) = state.encode_ledger_rows(some_rows(1), 7, {}, some_annexes(0))
    newer = bytearray(value)
    newer[5] = ANNEX_VERSION + 1
    decoded = state.decode_ledger_rows(records_of([bytes(newer)]))
    assert decoded.account_ids == []
    assert f"annex version {ANNEX_VERSION + 1}" in decoded.unreadable[0][1]


def test_an_annex_of_version_3_believes_no_register_that_stood_still():
    """Nobody noted when its switch opened: of a command given at noon, only load from noon on."""
    old = np.zeros(1, ANNEX_OF_VERSION_3)
    old["proof_from"], old["load_from"] = 43_200, 39_600
    fresh = annex_rows_of_version_3(old)
    told = {name: fresh[name].tolist() for name in ("opened_at", "still_from", "load_from")}
    assert told == {"opened_at": [43_200], "still_from": [0], "load_from": [39_600]}


RIGHTFUL = [
    # why, rows in log order as (epoch, readings offset, costs or none), what is right
    ("it gets an annex", [(0, 1, None), (0, 2, 5)], {"home-1": 5}),
    ("the newest annex of one writer", [(0, 1, 4), (0, 2, 5)], {"home-1": 5}),
    ("a late writer's annex is none", [(0, 1, None), (5, 2, None), (0, 9, 7)], {}),
    ("a late writer lacks the annex", [(0, 1, 4), (5, 2, 4), (0, 9, None)], {"home-1": 4}),
    ("the successor takes it back", [(0, 9, 4), (5, 2, None)], {}),
]


@pytest.mark.parametrize(
    ("chunks", "right"), [r[1:] for r in RIGHTFUL], ids=[r[0] for r in RIGHTFUL]
)
def test_the_rightful_row_brings_its_annex(chunks, right):
    values = []
    for epoch, offset, cost in chunks:
        annexes = Annexes.none()
        if cost is not None:
            annexes.make(0)["costs_nanos"] = cost
        values += state.encode_ledger_rows(some_rows(1, offset), epoch, {}, annexes)
    records = records_of(values, 0, ["home-1"] * len(chunks))
    together, one_by_one = Book(), Book()
    taken = rightful.Taken(one_by_one)
    decoded = state.decode_ledger_rows(records)
    rightful.adopt_ledger_rows(together, rightful.Taken(together), decoded)
    for record in records:
        rightful.adopt_ledger_rows(one_by_one, taken, state.decode_ledger_rows([record]))
    assert costs(together) == costs(one_by_one) == right


def test_a_fresh_annex_says_nothing():
    assert not empty_annexes(2).tobytes().strip(b"\0")
