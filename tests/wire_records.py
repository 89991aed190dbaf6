"""Records as a head-end or an office writes them, for the tests of the wire format."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from scoring.book import Book
from streams import topics
from streams.log import PlainRecord
from streams.topics import partition_of

PARTITIONS = 4
STAMPED_AT = 1_782_864_000  # 2026-07-01T00:00:00Z


def account_in(partition: int, number: int = 0) -> str:
    """The number-th account id that murmur2 puts into a partition."""
    ids = (f"home-{each:04d}" for each in range(10_000))
    return [one for one in ids if partition_of(one.encode(), PARTITIONS) == partition][number]


HOME = account_in(0)
OTHER = account_in(0, 1)
ELSEWHERE = account_in(1)


def book_with(*account_ids: str) -> Book:
    book = Book()
    for account_id in account_ids:
        book.add(account_id)
    return book


def record_of(
    value: bytes | dict[str, Any] | list[Any] | None,
    key: str | None = HOME,
    topic: str = topics.READINGS,
    offset: int = 7,
) -> PlainRecord:
    if isinstance(value, dict | list):
        value = json.dumps(value).encode()
    raw = None if key is None else key.encode()
    return PlainRecord(topic, 0, offset, STAMPED_AT * 1000 + 999, raw, value)


def reading(**changes: Any) -> dict[str, Any]:
    body = {
        "version": 1,
        "accountId": HOME,
        "meterId": f"m-{HOME}",
        "readAt": "2026-07-01T00:15:00+08:00",
        "registerWh": 12_345_670,
    } | changes
    return {name: value for name, value in body.items() if value is not ...}


PLAIN_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
"""Any small JSON value."""
