"""How is an account's row made durable, and read back by the hundred thousand?

A row goes to its compacted topic as its own bytes behind a short head, then its annex if it has
one, then the effects it caused: what was remembered can then always be told (ARCHITECTURE, "D4
changed").  Rows are read
back in columns, because a million of them must be back in seconds.
What may be written when is told in `partition`; what a row's columns mean in `scoring.book`; which
of several rows of an account holds in `rightful`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.annex import ANNEX_VERSION, Annexes
from scoring.book import LEARNED, LEARNED_VERSION, LEDGER, LEDGER_VERSION, empty_ledger
from scoring.events import Source
from streams.layouts import ANNEX_LAYOUTS, LEARNED_LAYOUTS, LEDGER_LAYOUTS
from streams.wire_base import Encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

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
        ("row_version", "u1"),  # LEDGER_VERSION or LEARNED_VERSION of the writer
        ("annex_version", "u1"),  # ANNEX_VERSION of the annex behind the row; 0: none there
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

    `annexes` are those of the rows that have one; `effects` holds, by position, the effects inside
    those rows that carry any; `claims` the
    (offset, epoch written in it) of claim records; `removed` the ids of tombstones; `unreadable`
    the (offset, why) of records that are no row of any version known here.
    """

    account_ids: list[str]
    rows: NDArray[Any]
    annexes: Annexes
    epoch: NDArray[np.int64]
    log_offset: NDArray[np.int64]
    effects: dict[int, list[KeptEffect]]
    claims: list[tuple[int, int]]
    removed: list[str]
    unreadable: list[tuple[int, str]]


def encode_ledger_rows(
    ledger: NDArray[Any],
    epoch: int,
    effects: Mapping[int, Sequence[KeptEffect]] | None = None,
    annexes: Annexes | None = None,
) -> list[bytes]:
    """The record values of ledger rows (n,); `effects` and `annexes` by position in `ledger`."""
    annexes = annexes or Annexes.none()
    values = _encode(ledger, LEDGER, LEDGER_KIND, LEDGER_VERSION, epoch, effects or {}, annexes)
    for position, annex in zip(annexes.position.tolist(), annexes.rows, strict=True):
        values[position] += annex.tobytes()
    for position, kept in (effects or {}).items():
        values[position] += b"".join(map(_effect_bytes, kept))
    return values


def encode_learned_rows(learned: NDArray[Any], epoch: int) -> list[bytes]:
    """The record values of learned rows (n,)."""
    none = Annexes.none()
    return _encode(learned, LEARNED, LEARNED_KIND, LEARNED_VERSION, epoch, {}, none)


def encode_claim(epoch: int) -> bytes:
    """The value of a claim; `epoch` is the claimant's last known epoch, -1 if none."""
    return np.array((MAGIC, FORMAT, CLAIM_KIND, 0, 0, 0, epoch), HEAD).tobytes()


def _encode(
    rows: NDArray[Any],
    layout: np.dtype[Any],
    kind: int,
    version: int,
    epoch: int,
    effects: Mapping[int, Sequence[KeptEffect]],
    annexes: Annexes,
) -> list[bytes]:
    head = np.zeros(len(rows), HEAD)
    head["magic"], head["format"], head["kind"] = MAGIC, FORMAT, kind
    head["row_version"], head["epoch"] = version, epoch
    head["annex_version"][annexes.position] = ANNEX_VERSION
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
    heads = heads[position]
    whole = np.ones(len(kept), np.bool_)
    end = _row_ends(heads)
    annexes = _annexes_of(kept, heads, end, whole, unreadable)
    effects: dict[int, list[KeptEffect]] = {}
    for each in np.flatnonzero((heads["effects"] > 0) & whole).tolist():
        count, first = int(heads["effects"][each]), int(end[each])
        try:
            effects[each] = _effects_of(kept[each].value or b"", first, count)
        except (ValueError, UnicodeDecodeError) as error:
            unreadable.append((kept[each].offset, f"effects: {error}"))
            whole[each] = False
    decoded = DecodedRows(
        [_account_id(record.key) for record in kept],
        rows,
        annexes,
        heads["epoch"].astype(np.int64),
        np.array([record.offset for record in kept], np.int64),
        effects,
        claims,
        removed,
        unreadable,
    )
    return decoded if whole.all() else _without(decoded, whole)


def _row_ends(heads: NDArray[Any]) -> NDArray[np.int64]:
    """Where each ledger row ends in its record and its annex, or its effects, begin; (n,)."""
    end = np.full(len(heads), HEAD.itemsize, np.int64)
    for version, (layout, _) in LEDGER_LAYOUTS.items():
        end[heads["row_version"] == version] += layout.itemsize
    return end


def _annexes_of(
    kept: list[Record],
    heads: NDArray[Any],
    end: NDArray[np.int64],
    whole: NDArray[np.bool_],
    unreadable: list[tuple[int, str]],
) -> Annexes:
    """The annexes of those rows (n,) that have one; moves `end` on behind them.

    A row whose annex cannot be read is not `whole`: half an account is none.
    """
    position = np.flatnonzero(heads["annex_version"])
    if not len(position):
        return Annexes.none()
    annexes = Annexes.none()
    annexes.ensure(position)
    for place, each in enumerate(position.tolist()):
        version, first = int(heads["annex_version"][each]), int(end[each])
        if version not in ANNEX_LAYOUTS:
            why = f"annex version {version}; this program knows {sorted(ANNEX_LAYOUTS)}"
            unreadable.append((kept[each].offset, why))
            whole[each] = False
            continue
        layout, upgrade = ANNEX_LAYOUTS[version]
        annex = (kept[each].value or b"")[first : first + layout.itemsize]
        if len(annex) < layout.itemsize:
            why = f"annex is shorter than {layout.itemsize} bytes"
            unreadable.append((kept[each].offset, why))
            whole[each] = False
            continue
        end[each] += layout.itemsize
        annexes.rows[place] = upgrade(np.frombuffer(annex, layout))[0]
    return annexes


def _account_id(key: bytes | None) -> str:
    return (key or b"").decode(errors="replace")


def _without(decoded: DecodedRows, readable: NDArray[np.bool_]) -> DecodedRows:
    new_position = np.cumsum(readable) - 1
    return DecodedRows(
        [each for each, good in zip(decoded.account_ids, readable, strict=True) if good],
        decoded.rows[readable],
        decoded.annexes.take(readable, len(decoded.rows)),
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
