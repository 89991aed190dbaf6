"""How is an account's row made durable, and read back by the hundred thousand?

A row goes to its compacted topic as its own bytes behind a short head, and the effects it caused go
with it: what was remembered can then always be told (ARCHITECTURE, "D4 changed").  Rows are read
back in columns, because a million of them must be back in seconds.
What may be written when is told in `partition`; what a row's columns mean in `scoring.book`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.book import LEARNED, LEARNED_VERSION, LEDGER, LEDGER_VERSION, empty_ledger
from scoring.events import Source
from streams.wire_base import Encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from scoring.book import Book
    from streams.wire_base import Record

MAGIC = b"KW"
FORMAT = 1

LEDGER_KIND = 1
LEARNED_KIND = 2
CLAIM_KIND = 3

HEAD = np.dtype(
    [
        ("magic", "S2"),
        ("format", "u1"),
        ("kind", "u1"),
        ("row_version", "<u2"),  # LEDGER_VERSION or LEARNED_VERSION of the writer
        ("effects", "<u2"),  # how many follow the row
        ("epoch", "<i8"),  # offset of the writer's claim in its partition's ledger-rows, else -1
    ]
)
"""16 bytes before each row; all numbers little-endian, as are the rows' own."""

EFFECT_HEAD = Struct("<BBHIq")
"""Before each effect: source, bytes of topic, of key and of value, offset of the cause."""

MAX_EFFECTS_PER_ROW = 2**16 - 1

CLAIM_KEY = b"\0claim"
"""Key of a partition's claims; no account id holds a NUL."""


@dataclass(frozen=True, slots=True)
class KeptEffect:
    """An encoded effect inside a row, and the input record that caused it."""

    effect: Encoded
    source: Source
    offset: int


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """Rows read back, length n, in the order of the log.

    `effects` holds, by position, the effects inside those rows that carry any; `claims` the
    (offset, epoch written in it) of claim records; `removed` the ids of tombstones; `unreadable`
    the (offset, why) of records that are no row of any version known here.
    """

    account_ids: list[str]
    rows: NDArray[Any]
    epoch: NDArray[np.int64]
    log_offset: NDArray[np.int64]
    effects: dict[int, list[KeptEffect]]
    claims: list[tuple[int, int]]
    removed: list[str]
    unreadable: list[tuple[int, str]]


def ledger_rows_of_version_1(rows: NDArray[Any]) -> NDArray[Any]:
    """Version 1 is today's."""
    return rows


LEDGER_LAYOUTS: dict[int, tuple[np.dtype[Any], Callable[[NDArray[Any]], NDArray[Any]]]] = {
    1: (LEDGER, ledger_rows_of_version_1),
}
"""Every version ever shipped: its layout, and how its rows become today's (see `carry_over`)."""

LEARNED_LAYOUTS: dict[int, tuple[np.dtype[Any], Callable[[NDArray[Any]], NDArray[Any]]]] = {
    1: (LEARNED, lambda rows: rows),
}

assert LEDGER_VERSION in LEDGER_LAYOUTS
assert LEARNED_VERSION in LEARNED_LAYOUTS


def carry_over(old: NDArray[Any], fresh: NDArray[Any]) -> NDArray[Any]:
    """`fresh` rows with every column that `old` rows also have: the usual start of a migration."""
    assert old.dtype.names is not None
    assert fresh.dtype.names is not None
    for name in fresh.dtype.names:
        if name in old.dtype.names:
            fresh[name] = old[name]
    return fresh


def encode_ledger_rows(
    ledger: NDArray[Any], epoch: int, effects: Mapping[int, Sequence[KeptEffect]] | None = None
) -> list[bytes]:
    """The record values of ledger rows (n,); `effects` by position in `ledger`."""
    values = _encode(ledger, LEDGER, LEDGER_KIND, LEDGER_VERSION, epoch, effects or {})
    for position, kept in (effects or {}).items():
        values[position] += b"".join(map(_effect_bytes, kept))
    return values


def encode_learned_rows(learned: NDArray[Any], epoch: int) -> list[bytes]:
    """The record values of learned rows (n,)."""
    return _encode(learned, LEARNED, LEARNED_KIND, LEARNED_VERSION, epoch, {})


def encode_claim(epoch: int) -> bytes:
    """The value of a claim; `epoch` is the claimant's last known epoch, -1 if none."""
    return np.array((MAGIC, FORMAT, CLAIM_KIND, 0, 0, epoch), HEAD).tobytes()


def _encode(
    rows: NDArray[Any],
    layout: np.dtype[Any],
    kind: int,
    version: int,
    epoch: int,
    effects: Mapping[int, Sequence[KeptEffect]],
) -> list[bytes]:
    head = np.zeros(len(rows), HEAD)
    head["magic"], head["format"], head["kind"] = MAGIC, FORMAT, kind
    head["row_version"], head["epoch"] = version, epoch
    for position, kept in effects.items():
        assert len(kept) <= MAX_EFFECTS_PER_ROW, "one change of one row said too much"
        head["effects"][position] = len(kept)
    size = HEAD.itemsize + layout.itemsize
    whole = np.empty((len(rows), size), np.uint8)
    whole[:, : HEAD.itemsize] = head.view(np.uint8).reshape(len(rows), -1)
    plain = np.ascontiguousarray(rows).view(np.uint8)
    whole[:, HEAD.itemsize :] = plain.reshape(len(rows), layout.itemsize)
    block = whole.tobytes()
    return [block[first : first + size] for first in range(0, len(block), size)]


def _effect_bytes(kept: KeptEffect) -> bytes:
    effect = kept.effect
    topic, key = effect.topic.encode(), effect.key or b""
    sizes = (int(kept.source), len(topic), len(key), len(effect.value), kept.offset)
    return EFFECT_HEAD.pack(*sizes) + topic + key + effect.value


def decode_ledger_rows(records: Sequence[Record]) -> DecodedRows:
    """Ledger rows of one partition's changelog, at least 300,000 a second; never raises."""
    return _decode(records, LEDGER_KIND, LEDGER_LAYOUTS, empty_ledger(0))


def decode_learned_rows(records: Sequence[Record]) -> DecodedRows:
    """Learned rows of one partition's changelog; never raises."""
    return _decode(records, LEARNED_KIND, LEARNED_LAYOUTS, np.zeros(0, LEARNED))


def _decode(
    records: Sequence[Record],
    kind: int,
    layouts: Mapping[int, tuple[np.dtype[Any], Callable[[NDArray[Any]], NDArray[Any]]]],
    none: NDArray[Any],
) -> DecodedRows:
    removed: list[str] = []
    unreadable: list[tuple[int, str]] = []
    found = _with_head(records, removed, unreadable)
    heads = np.frombuffer(
        b"".join([record.value[: HEAD.itemsize] for record in found]),  # type: ignore[index]
        HEAD,
    )
    is_ours = (heads["magic"] == MAGIC) & (heads["format"] == FORMAT)
    is_claim = is_ours & (heads["kind"] == CLAIM_KIND)
    is_row = is_ours & (heads["kind"] == kind)
    claims = [
        (found[position].offset, int(heads["epoch"][position]))
        for position in np.flatnonzero(is_claim).tolist()
    ]
    unreadable.extend(
        (found[position].offset, "not a row of this topic")
        for position in np.flatnonzero(~is_row & ~is_claim).tolist()
    )
    parts: list[tuple[NDArray[np.int64], NDArray[Any]]] = []
    for version in np.unique(heads["row_version"][is_row]).tolist():
        here = np.flatnonzero(is_row & (heads["row_version"] == version))
        if version not in layouts:
            why = f"row version {version}; this program knows {sorted(layouts)}"
            unreadable.extend((found[position].offset, why) for position in here.tolist())
            continue
        layout, upgrade = layouts[version]
        here, rows = _rows_of(found, here, layout, unreadable)
        parts.append((here, upgrade(rows)))
    return _gather(found, heads, parts, none, claims, removed, unreadable)


def _with_head(
    records: Sequence[Record], removed: list[str], unreadable: list[tuple[int, str]]
) -> list[Record]:
    """The records that can hold a row: with an id as key, and longer than a head."""
    found = []
    for record in records:
        key, value = record.key, record.value
        if key is None or not key:
            unreadable.append((record.offset, "no account id as key"))
        elif not value:
            removed.append(key.decode(errors="replace"))
        elif len(value) < HEAD.itemsize:
            unreadable.append((record.offset, f"{len(value)} bytes are no row"))
        else:
            found.append(record)
    return found


def _rows_of(
    found: list[Record],
    here: NDArray[np.int64],
    layout: np.dtype[Any],
    unreadable: list[tuple[int, str]],
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The rows of records of one version, and which of `here` were long enough."""
    first, end = HEAD.itemsize, HEAD.itemsize + layout.itemsize
    values = [found[position].value[first:end] for position in here.tolist()]
    if not all(len(value) == layout.itemsize for value in values):
        whole = np.array([len(value) == layout.itemsize for value in values])
        why = f"row is shorter than {layout.itemsize} bytes"
        unreadable.extend((found[position].offset, why) for position in here[~whole].tolist())
        values = [value for value in values if len(value) == layout.itemsize]
        here = here[whole]
    return here, np.frombuffer(b"".join(values), layout)


def _gather(
    found: list[Record],
    heads: NDArray[Any],
    parts: list[tuple[NDArray[np.int64], NDArray[Any]]],
    none: NDArray[Any],
    claims: list[tuple[int, int]],
    removed: list[str],
    unreadable: list[tuple[int, str]],
) -> DecodedRows:
    """All versions' rows together again, in the order of the log."""
    position = np.concatenate([here for here, _rows in parts] or [np.empty(0, np.int64)])
    rows = parts[0][1] if len(parts) == 1 else np.concatenate([none, *(rows for _, rows in parts)])
    if len(parts) > 1:
        order = np.argsort(position, kind="stable")
        position, rows = position[order], rows[order]
    kept = [found[each] for each in position.tolist()]
    effects: dict[int, list[KeptEffect]] = {}
    readable = np.ones(len(kept), np.bool_)
    account_ids = [_account_id(record.key) for record in kept]
    for each in np.flatnonzero(heads["effects"][position]).tolist():
        first = (
            HEAD.itemsize + LEDGER_LAYOUTS[int(heads["row_version"][position[each]])][0].itemsize
        )
        count = int(heads["effects"][position[each]])
        try:
            effects[each] = _effects_of(kept[each].value or b"", first, count)
        except (ValueError, UnicodeDecodeError) as error:
            unreadable.append((kept[each].offset, f"effects: {error}"))
            readable[each] = False
    log_offset = np.array([record.offset for record in kept], np.int64)
    epoch = heads["epoch"][position].astype(np.int64)
    decoded = DecodedRows(
        account_ids, rows, epoch, log_offset, effects, claims, removed, unreadable
    )
    return decoded if readable.all() else _without(decoded, readable)


def _account_id(key: bytes | None) -> str:
    return (key or b"").decode(errors="replace")


def _without(decoded: DecodedRows, readable: NDArray[np.bool_]) -> DecodedRows:
    new_position = np.cumsum(readable) - 1
    return DecodedRows(
        [each for each, good in zip(decoded.account_ids, readable, strict=True) if good],
        decoded.rows[readable],
        decoded.epoch[readable],
        decoded.log_offset[readable],
        {int(new_position[old]): kept for old, kept in decoded.effects.items()},
        decoded.claims,
        decoded.removed,
        decoded.unreadable,
    )


def _effects_of(value: bytes, first: int, count: int) -> list[KeptEffect]:
    """The effects behind a row; ValueError when the bytes end too soon."""
    kept = []
    for _ in range(count):
        start = first + EFFECT_HEAD.size
        if start > len(value):
            raise ValueError("the record ends before an effect")
        source, *sizes, offset = EFFECT_HEAD.unpack_from(value, first)
        first, cuts = start + sum(sizes), [*accumulate(sizes, initial=start)]
        if first > len(value):
            raise ValueError("the record ends inside an effect")
        topic, key, body = (value[cuts[each] : cuts[each + 1]] for each in range(3))
        effect = Encoded(topic.decode(), key or None, body)
        kept.append(KeptEffect(effect, Source(source), offset))
    return kept


def progress(ledger: NDArray[Any]) -> NDArray[np.int64]:
    """How far each row (n,) has come: the sum of its source offsets, which only ever grows."""
    return np.asarray(ledger["source_offset"].sum(axis=1))


@dataclass(slots=True)
class Taken:
    """Under which claim each row of a book was written: what `adopt_ledger_rows` remembers."""

    epoch: NDArray[np.int64]

    @classmethod
    def nothing(cls) -> Taken:
        """Of an empty book."""
        return cls(np.empty(0, np.int64))

    def grow(self, count: int) -> None:
        """Make room for the rows of a book of this size."""
        if count > len(self.epoch):
            more = np.full(count + count // 4, NO_CLAIM, np.int64)
            more[: len(self.epoch)] = self.epoch
            self.epoch = more


NO_CLAIM = -2
"""Below the epoch of every row ever written."""


def adopt_ledger_rows(book: Book, taken: Taken, decoded: DecodedRows) -> NDArray[np.int64]:
    """Take up the rightful rows; the book's rows that were changed, each once.

    Rightful is the row of the latest claim, among these the one that has come furthest, among these
    the last in the log.  So a worker that had already lost its partition changes nothing that its
    successor has written (platform.md 1.3 L10).
    """
    if not len(decoded.rows):
        return np.empty(0, np.int64)
    rows = np.array([book.add(account_id) for account_id in decoded.account_ids], np.int64)
    taken.grow(len(book))
    far = progress(decoded.rows)
    best = _last_of_each(rows, decoded.epoch, far)
    epoch, ours = decoded.epoch[best], taken.epoch[rows[best]]
    is_further = far[best] >= progress(book.ledger[rows[best]])
    best = best[(epoch > ours) | ((epoch == ours) & is_further)]
    rows = rows[best]
    _words(book.ledger)[rows] = _words(decoded.rows)[best]
    taken.epoch[rows] = decoded.epoch[best]
    return np.asarray(rows)


def adopt_learned_rows(book: Book, decoded: DecodedRows) -> NDArray[np.int64]:
    """Take up learned rows of accounts the book knows, if they learned at least as much.

    The book's rows that were changed, each once.
    """
    if not len(decoded.rows):
        return np.empty(0, np.int64)
    rows = book.rows_of(decoded.account_ids)
    known = np.flatnonzero(rows >= 0)
    rows, learned = rows[known], decoded.rows[known]
    best = _last_of_each(rows, learned["source_offset"])
    rows, learned = rows[best], learned[best]
    new = learned["source_offset"] >= book.learned["source_offset"][rows]
    rows = rows[new]
    _words(book.learned)[rows] = _words(learned)[new]
    return np.asarray(rows)


def _words(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """Rows as plain 64-bit words, which numpy copies faster than records."""
    return rows.view(np.uint64).reshape(len(rows), -1)


def _last_of_each(rows: NDArray[np.int64], *rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row once: the position of the highest rank, the last one where several are equal."""
    order = np.lexsort((*reversed(rank), rows))  # stable: log order is kept among equals
    last = np.r_[rows[order][1:] != rows[order][:-1], True]
    return np.asarray(order[last])
