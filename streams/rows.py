"""How is an account's row made durable, and read back by the hundred thousand?

A row goes to its compacted topic packed (`streams.layouts`) behind a short head, then its annex if
it has one, then the effects it caused: what was remembered can then always be told (ARCHITECTURE,
"D4 changed").  Rows are read back in columns, because a million of them must be back in seconds.
What may be written when is told in `streams.partition`, whose row is the rightful one in
`streams.rightful`; what a row's columns mean in `scoring.book`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scoring.annex import ANNEX_VERSION, Annexes
from scoring.book import LEARNED_VERSION, LEDGER_VERSION
from scoring.events import Source
from streams.layouts import Layout, lengths_of
from streams.versions import ANNEX_LAYOUTS, LEARNED_LAYOUTS, LEDGER_LAYOUTS
from streams.wire_base import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streams.wire_base import Record

MAGIC = b"KW"
FORMAT = 1

LEDGER_KIND = 1
LEARNED_KIND = 2
CLAIM_KIND = 3
LOOK_KIND = 4
INTERLOCK_KIND = 5

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

CUT_SHORT = "cut short, or has columns that its version does not know"

CLAIM_KEY = b"\0claim"
"""Key of a partition's claims; no account id holds a NUL."""

LOOK_KEY = b"\0look"

INTERLOCK_KEY = b"\0interlock"


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
    those rows that carry any; `claims` the (offset, epoch written in it) of claim records;
    `interlocks` the (epoch, state) of interlocks; `removed` the ids of tombstones; `unreadable` the
    (offset, why) of records that are no row of any version known here.
    """

    account_ids: list[str]
    rows: NDArray[Any]
    annexes: Annexes
    epoch: NDArray[np.int64]
    log_offset: NDArray[np.int64]
    effects: dict[int, list[KeptEffect]]
    claims: list[tuple[int, int]]
    interlocks: list[tuple[int, bytes]]
    removed: list[str]
    unreadable: list[tuple[int, str]]


def encode_ledger_rows(
    ledger: NDArray[Any],
    epoch: int,
    effects: Mapping[int, Sequence[KeptEffect]] | None = None,
    annexes: Annexes | None = None,
) -> list[bytes]:
    """The record values of ledger rows (n,); `effects` and `annexes` by position in `ledger`."""
    heads = _heads(len(ledger), LEDGER_KIND, LEDGER_VERSION, epoch)
    for position, kept in (effects or {}).items():
        assert len(kept) <= MAX_EFFECTS_PER_ROW, "one change of one row said too much"
        heads["effects"][position] = len(kept)
    if annexes:
        heads["annex_version"][annexes.position] = ANNEX_VERSION
    values = LEDGER_LAYOUTS[LEDGER_VERSION].pack(heads, ledger)
    if annexes:
        packed = ANNEX_LAYOUTS[ANNEX_VERSION].pack_bare(annexes.rows)
        for position, annex in zip(annexes.position.tolist(), packed, strict=True):
            values[position] += annex
    for position, kept in (effects or {}).items():
        values[position] += b"".join(map(_effect_bytes, kept))
    return values


def encode_learned_rows(learned: NDArray[Any], epoch: int) -> list[bytes]:
    """The record values of learned rows (n,)."""
    heads = _heads(len(learned), LEARNED_KIND, LEARNED_VERSION, epoch)
    return LEARNED_LAYOUTS[LEARNED_VERSION].pack(heads, learned)


def encode_look() -> bytes:
    """The value of a look: it says nothing, only where it comes to stand (`streams.partition`)."""
    return np.array((MAGIC, FORMAT, LOOK_KIND, 0, 0, 0, -1), HEAD).tobytes()


def encode_interlock(state: bytes, epoch: int) -> bytes:
    """The value of a partition's interlock: its state behind a head."""
    return np.array((MAGIC, FORMAT, INTERLOCK_KIND, 1, 0, 0, epoch), HEAD).tobytes() + state


def encode_claim(epoch: int) -> bytes:
    """The value of a claim; `epoch` is the claimant's last known epoch, -1 if none."""
    return np.array((MAGIC, FORMAT, CLAIM_KIND, 0, 0, 0, epoch), HEAD).tobytes()


def _heads(count: int, kind: int, version: int, epoch: int) -> NDArray[Any]:
    head = np.zeros(count, HEAD)
    head["magic"], head["format"], head["kind"] = MAGIC, FORMAT, kind
    head["row_version"], head["epoch"] = version, epoch
    return head


def _effect_bytes(kept: KeptEffect) -> bytes:
    effect = kept.effect
    topic, key = effect.topic.encode(), effect.key or b""
    sizes = (int(kept.source), len(topic), len(key), len(effect.value), kept.offset)
    return EFFECT_HEAD.pack(*sizes) + topic + key + effect.value


def decode_ledger_rows(records: Sequence[Record]) -> DecodedRows:
    """Ledger rows of one partition's changelog, at least 300,000 a second; never raises."""
    return _decode(records, LEDGER_KIND, LEDGER_LAYOUTS)


def decode_learned_rows(records: Sequence[Record]) -> DecodedRows:
    """Learned rows of one partition's changelog; never raises."""
    return _decode(records, LEARNED_KIND, LEARNED_LAYOUTS)


def _decode(
    records: Sequence[Record],
    kind: int,
    layouts: Mapping[int, Layout],
) -> DecodedRows:
    removed: list[str] = []
    unreadable: list[tuple[int, str]] = []
    found = _with_head(records, removed, unreadable)
    values = [record.value or b"" for record in found]
    heads = np.frombuffer(b"".join(map(itemgetter(slice(HEAD.itemsize)), values)), HEAD)
    is_ours = (heads["magic"] == MAGIC) & (heads["format"] == FORMAT)
    is_claim = is_ours & (heads["kind"] == CLAIM_KIND)
    is_look = is_ours & (heads["kind"] == LOOK_KIND)
    is_interlock = is_ours & (heads["kind"] == INTERLOCK_KIND)
    is_row = is_ours & (heads["kind"] == kind)
    claims = [
        (found[position].offset, int(heads["epoch"][position]))
        for position in np.flatnonzero(is_claim).tolist()
    ]
    unreadable.extend(
        (found[position].offset, "not a row of this topic")
        for position in np.flatnonzero(~is_row & ~is_claim & ~is_look & ~is_interlock).tolist()
    )
    parts: list[_Part] = []
    for version in np.unique(heads["row_version"][is_row]).tolist():
        here = np.flatnonzero(is_row & (heads["row_version"] == version))
        if version in layouts:
            parts.append(_part(found, heads, here, layouts[version], unreadable))
        else:
            why = f"row version {version}; this program knows {sorted(layouts)}"
            unreadable.extend((found[position].offset, why) for position in here.tolist())
    whole = _in_order(parts, layouts[max(layouts)])
    kept = found
    if len(whole.position) < len(found):
        kept = [found[each] for each in whole.position.tolist()]
    return DecodedRows(
        account_ids=_account_ids([record.key or b"" for record in kept]),
        rows=whole.rows,
        annexes=whole.annexes,
        epoch=heads["epoch"][whole.position].astype(np.int64),
        log_offset=np.array([record.offset for record in kept], np.int64),
        effects=whole.effects,
        claims=claims,
        interlocks=[
            (int(heads["epoch"][place]), (found[place].value or b"")[HEAD.itemsize :])
            for place in np.flatnonzero(is_interlock).tolist()
        ],
        removed=removed,
        unreadable=unreadable,
    )


def _with_head(
    records: Sequence[Record], removed: list[str], unreadable: list[tuple[int, str]]
) -> list[Record]:
    """The records that can hold a row: with an id as key, and longer than a head."""
    values = [record.value for record in records]
    is_plain = all(record.key for record in records) and all(values)
    if is_plain and min(map(len, values), default=0) >= HEAD.itemsize:  # type: ignore[arg-type]
        return list(records)  # as nearly always
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


class _Part(NamedTuple):
    """The readable rows of one version: which of the found records they are, what is behind them.

    `annexes` and `effects` by place among the rows.
    """

    position: NDArray[np.int64]
    rows: NDArray[Any]
    annexes: Annexes
    effects: dict[int, list[KeptEffect]]


def _part(
    found: list[Record],
    heads: NDArray[Any],
    here: NDArray[np.int64],
    layout: Layout,
    unreadable: list[tuple[int, str]],
) -> _Part:
    """The rows of the records at `here` (n,), all of one version."""
    values = [found[position].value or b"" for position in here.tolist()]
    why: dict[int, str] = {}
    end = layout.lengths(values, HEAD.itemsize)
    why.update(dict.fromkeys(np.flatnonzero(end < 0).tolist(), f"row is {CUT_SHORT}"))
    row_end = end.copy()
    annexes = _annexes(values, end, heads["annex_version"][here], why)
    effects: dict[int, list[KeptEffect]] = {}
    for place in np.flatnonzero(heads["effects"][here]).tolist():
        count = int(heads["effects"][here[place]])
        try:
            if place not in why:
                effects[place] = _effects_of(values[place], int(end[place]), count)
        except (ValueError, UnicodeDecodeError) as error:
            why[place] = f"effects: {error}"
    packed = values
    if why or (lengths_of(values) != row_end).any():
        packed = [
            value[:last]
            for place, (value, last) in enumerate(zip(values, row_end.tolist(), strict=True))
            if place not in why
        ]
    rows = layout.upgrade(layout.unpack(packed, HEAD.itemsize))
    if not why:
        return _Part(here, rows, annexes, effects)
    unreadable.extend((found[here[place]].offset, text) for place, text in why.items())
    good = np.array([place for place in range(len(here)) if place not in why], np.int64)
    effects = {new: effects[old] for new, old in enumerate(good.tolist()) if old in effects}
    return _Part(here[good], rows, annexes.take(good, len(here)), effects)


def _annexes(
    values: list[bytes], end: NDArray[np.int64], versions: NDArray[Any], why: dict[int, str]
) -> Annexes:
    """The annexes behind those rows (n,) that have one; moves `end` on behind them.

    A row whose annex cannot be read is none, half an account is no account: `why` says so.
    """
    found = Annexes.none()
    for version in np.unique(versions[versions > 0]).tolist():
        places = np.flatnonzero((versions == version) & (end > 0))
        layout = ANNEX_LAYOUTS.get(version)
        if layout is None:
            text = f"annex version {version}; this program knows {sorted(ANNEX_LAYOUTS)}"
            why.update(dict.fromkeys(places.tolist(), text))
            continue
        behind = [values[place][end[place] :] for place in places.tolist()]
        lengths = layout.lengths(behind, 0)
        why.update(dict.fromkeys(places[lengths < 0].tolist(), f"annex is {CUT_SHORT}"))
        packed = [
            tail[:length]
            for tail, length in zip(behind, lengths.tolist(), strict=True)
            if length >= 0
        ]
        end[places] += np.maximum(lengths, 0)
        found = found.joined(
            Annexes(places[lengths >= 0], layout.upgrade(layout.unpack(packed, 0)))
        )
    return found


def _in_order(parts: list[_Part], newest: Layout) -> _Part:
    """All versions' rows together again in the order of the log."""
    if len(parts) == 1:
        return parts[0]
    position = np.concatenate([np.empty(0, np.int64), *(part.position for part in parts)])
    rows = np.concatenate([newest.empty[:0], *(part.rows for part in parts)])
    place = np.empty(len(position), np.int64)  # of each row, once they are in order
    order = np.argsort(position, kind="stable")
    place[order] = np.arange(len(position))
    annexes, first = Annexes.none(), 0
    effects: dict[int, list[KeptEffect]] = {}
    for part in parts:
        moved = place[first : first + len(part.rows)]
        annexes = annexes.joined(Annexes(moved[part.annexes.position], part.annexes.rows))
        effects |= {int(moved[each]): kept for each, kept in part.effects.items()}
        first += len(part.rows)
    return _Part(position[order], rows[order], annexes, effects)


def _account_ids(keys: list[bytes]) -> list[str]:
    try:
        return list(map(bytes.decode, keys))
    except UnicodeDecodeError:
        return [key.decode(errors="replace") for key in keys]


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
