"""Rows come back from their bytes as they were, whoever wrote them and whatever lies between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.annex import ANNEX, ANNEX_VERSION, Annexes
from scoring.book import LEARNED, LEARNED_VERSION, LEDGER, LEDGER_VERSION, Book, empty_ledger
from scoring.events import Source
from streams import rows as state
from streams.rightful import Taken, adopt_learned_rows, adopt_ledger_rows
from streams.rows import KeptEffect
from streams.wire import Encoded

SHIPPED = Path(__file__).parent / "fixtures" / "rows.json"
"""One row of every version ever shipped, with some of the figures in it.  Add, never change."""


class Record(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    topic: str = "ledger-rows"
    partition: int = 0
    timestamp: int = 0


def some_rows(count: int, offset: int = 5) -> np.ndarray:
    rows = empty_ledger(count)
    rows["ledger_nanos"] = np.arange(count) * 10**9
    rows["tariff_id"] = b"cn-sd-residential"
    rows["used_wh"][:, 0, :2] = 7
    rows["source_offset"][:, Source.READINGS] = offset
    return rows


def records_of(values: list[bytes], first: int = 0, keys: list[str] | None = None) -> list[Record]:
    keys = keys or [f"home-{number}" for number in range(len(values))]
    return [
        Record(first + place, key.encode(), value)
        for place, (key, value) in enumerate(zip(keys, values, strict=True))
    ]


EFFECTS = [
    KeptEffect(Encoded("trip-commands", b"home-1", b'{"a":1}'), Source.READINGS, 9),
    KeptEffect(Encoded("decisions", None, b""), Source.TICKS, 2**40),
]


def test_rows_and_the_effects_inside_them_come_back():
    rows = some_rows(3)
    values = state.encode_ledger_rows(rows, 77, {1: EFFECTS})
    decoded = state.decode_ledger_rows(records_of(values, first=100))
    assert decoded.account_ids == ["home-0", "home-1", "home-2"]
    assert decoded.rows.tobytes() == rows.tobytes()
    assert decoded.epoch.tolist() == [77] * 3
    assert decoded.log_offset.tolist() == [100, 101, 102]
    assert decoded.effects == {1: EFFECTS}
    assert decoded.unreadable == []


def test_learned_rows_come_back():
    rows = np.zeros(2, LEARNED)
    rows["source_offset"] = [3, 4]
    decoded = state.decode_learned_rows(records_of(state.encode_learned_rows(rows, 1)))
    assert decoded.rows.tobytes() == rows.tobytes()


def test_claims_and_tombstones_are_told_apart_from_rows():
    (value,) = state.encode_ledger_rows(some_rows(1), 0)
    records = [
        Record(0, state.CLAIM_KEY, state.encode_claim(-1)),
        Record(1, b"home-1", value),
        Record(2, b"home-2", None),
        Record(3, state.CLAIM_KEY, state.encode_claim(0)),
        Record(4, state.LOOK_KEY, state.encode_look()),
    ]
    decoded = state.decode_ledger_rows(records)
    assert decoded.claims == [(0, -1), (3, 0)]
    assert decoded.removed == ["home-2"]
    assert decoded.unreadable == []
    assert decoded.account_ids == ["home-1"]


def test_what_is_no_row_is_named_and_passed_over():
    (good,) = state.encode_ledger_rows(some_rows(1), 0, {0: EFFECTS})
    (learned,) = state.encode_learned_rows(np.zeros(1, LEARNED), 0)
    newer = bytearray(good)
    newer[4:6] = (LEDGER_VERSION + 1).to_bytes(2, "little")
    values = [good, b"KW", b"?" * 900, learned, bytes(newer), good[:-1], good[:90], good]
    decoded = state.decode_ledger_rows(records_of(values))
    assert decoded.log_offset.tolist() == [0, 7]
    assert sorted(decoded.effects) == [0, 1]
    why = dict(decoded.unreadable)
    assert sorted(why) == [1, 2, 3, 4, 5, 6]
    assert f"row version {LEDGER_VERSION + 1}" in why[4]
    assert state.decode_ledger_rows([Record(5, None, good)]).unreadable == [
        (5, "no account id as key")
    ]


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=5),
            st.binary(max_size=40)
            | st.binary(max_size=900).map(lambda tail: b"KW\x01\x01\x01\x00\x02\x00" + tail)
            | st.binary(max_size=60).map(
                lambda tail: state.encode_ledger_rows(some_rows(1), 0, {0: EFFECTS})[0][:100] + tail
            ),
        ),
        max_size=4,
    )
)
def test_any_bytes_are_rows_or_are_named_and_never_raise(pairs):
    records = [Record(place, key, value) for place, (key, value) in enumerate(pairs)]
    for decode in (state.decode_ledger_rows, state.decode_learned_rows):
        decoded = decode(records)
        found = len(decoded.rows) + len(decoded.removed) + len(decoded.unreadable)
        assert found + len(decoded.claims) == len(records)


def adopted(*chunks: tuple[str, int, int, int]) -> Book:
    """A book after rows (account, epoch, readings offset, money) in log order."""
    book = Book()
    taken = Taken(book)
    for place, (account_id, epoch, offset, money) in enumerate(chunks):
        rows = some_rows(1, offset)
        rows["ledger_nanos"] = money
        values = state.encode_ledger_rows(rows, epoch)
        decoded = state.decode_ledger_rows(records_of(values, place, [account_id]))
        adopt_ledger_rows(book, taken, decoded)
    return book


RIGHTFUL = [
    # why, rows in log order as (epoch, readings offset, money), the money that is right
    ("the newest of one writer", [(0, 1, 10), (0, 2, 20)], 20),
    ("written again, as far", [(0, 2, 10), (0, 2, 20)], 20),
    ("a late writer behind its successor", [(0, 1, 10), (5, 2, 20), (0, 1, 99)], 20),
    ("a late writer ahead of its successor", [(0, 1, 10), (5, 2, 20), (0, 9, 99)], 20),
    ("the successor repeats what was not committed", [(0, 9, 10), (5, 2, 20)], 20),
]


@pytest.mark.parametrize(
    ("chunks", "money"), [r[1:] for r in RIGHTFUL], ids=[r[0] for r in RIGHTFUL]
)
def test_the_rightful_row_wins(chunks, money):
    book = adopted(*(("home-1", *chunk) for chunk in chunks))
    assert book.ledger["ledger_nanos"].tolist() == [money]
    together = Book()
    rows = np.concatenate([some_rows(1, offset) for _, offset, _ in chunks])
    rows["ledger_nanos"] = [money for _, _, money in chunks]
    values = [state.encode_ledger_rows(rows[at : at + 1], c[0])[0] for at, c in enumerate(chunks)]
    decoded = state.decode_ledger_rows(records_of(values, 0, ["home-1"] * len(chunks)))
    adopt_ledger_rows(together, Taken(together), decoded)
    assert together.ledger["ledger_nanos"].tolist() == [money], "in one chunk as well"


def test_learned_rows_are_taken_up_if_they_learned_more():
    book = adopted(("home-1", 0, 1, 10))
    for offset, days, kept in ((5, 3, 3), (4, 9, 3), (5, 4, 4)):
        rows = np.zeros(2, LEARNED)
        rows["source_offset"], rows["days"] = offset, days
        values = state.encode_learned_rows(rows, 0)
        decoded = state.decode_learned_rows(records_of(values, 0, ["home-1", "nobody"]))
        adopt_learned_rows(book, decoded)
        assert book.learned["days"].tolist() == [kept]
    assert len(book) == 1, "nobody is not an account"


def test_every_version_ever_shipped_still_loads():
    shipped = json.loads(SHIPPED.read_text())
    assert max(each["row_version"] for each in shipped["ledger"]) == LEDGER_VERSION
    assert max(each["row_version"] for each in shipped["learned"]) == LEARNED_VERSION
    assert max(each["row_version"] for each in shipped["annex"]) == ANNEX_VERSION
    for kind, decode in (
        ("ledger", state.decode_ledger_rows),
        ("learned", state.decode_learned_rows),
        ("annex", state.decode_ledger_rows),
    ):
        for each in shipped[kind]:
            decoded = decode([Record(0, b"home-1", bytes.fromhex(each["value"]))])
            assert decoded.unreadable == []
            rows = decoded.annexes.rows if kind == "annex" else decoded.rows
            for column, figure in each["figures"].items():
                assert rows[column][0].tolist() == figure, (kind, column)


def test_a_changed_layout_is_a_new_version():
    """Change a dtype, and rows written before it read as nonsense: raise its version instead."""
    shipped = json.loads(SHIPPED.read_text())
    for kind, layout, version in (
        ("ledger", LEDGER, LEDGER_VERSION),
        ("learned", LEARNED, LEARNED_VERSION),
        ("annex", ANNEX, ANNEX_VERSION),
    ):
        (newest,) = [each for each in shipped[kind] if each["row_version"] == version]
        assert newest["layout"] == layout_of(layout), f"raise {kind.upper()}_VERSION (scoring.book)"


def layout_of(layout: np.dtype) -> list[str]:
    """Each column's name, type and place."""
    assert layout.fields is not None
    return [f"{name} {kind.str}{kind.shape or ''} @{at}" if not kind.subdtype
            else f"{name} {kind.subdtype[0].str}{kind.shape} @{at}"
            for name, (kind, at, *_) in layout.fields.items()]  # fmt: skip


def shipped_now() -> dict[str, list[dict[str, object]]]:
    """What to add to the fixture when a version is raised."""
    ledger, learned = some_rows(1), np.zeros(1, LEARNED)
    ledger["ledger_nanos"], learned["source_offset"], learned["days"] = -123_456_789, 17, 30
    ledger["collector"], ledger["payment_days"] = b"c-017", 9_000
    annexes = Annexes.none()
    annexes.make(0)["costs_nanos"] = 7
    described = {}
    for kind, row, values, version in (
        ("ledger", ledger, state.encode_ledger_rows(ledger, 3, {0: EFFECTS}), LEDGER_VERSION),
        ("learned", learned, state.encode_learned_rows(learned, 3), LEARNED_VERSION),
        ("annex", annexes.rows, state.encode_ledger_rows(ledger, 3, {}, annexes), ANNEX_VERSION),
    ):
        names = {"ledger": ["ledger_nanos", "used_wh", "source_offset", "payment_days"],
                 "learned": ["source_offset", "days"], "annex": ["costs_nanos"]}[kind]  # fmt: skip
        described[kind] = [
            {
                "row_version": version,
                "layout": layout_of(row.dtype),
                "figures": {name: row[name][0].tolist() for name in names},
                "value": values[0].hex(),
            }
        ]
    return described


if __name__ == "__main__":  # python -m tests.test_rows: print the newest version's fixture
    print(json.dumps(shipped_now(), indent=1))
