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
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scoring.account_ids import IdColumn
from scoring.annex import ANNEX_VERSION, Annexes
from scoring.book import LEARNED_VERSION, LEDGER_VERSION
from scoring.events import Source
from scoring.ids import bytes_at
from streams.blocks import Block
from streams.versions import ANNEX_LAYOUTS, LEARNED_LAYOUTS, LEDGER_LAYOUTS
from streams.wire_base import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streams.layouts import Layout
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

    ids: IdColumn
    rows: NDArray[Any]
    annexes: Annexes
    epoch: NDArray[np.int64]
    log_offset: NDArray[np.int64]
    effects: dict[int, list[KeptEffect]]
    claims: list[tuple[int, int]]
    interlocks: list[tuple[int, bytes]]
    removed: list[str]
    unreadable: list[tuple[int, str]]

    @property
    def account_ids(self) -> list[str]:
        """The accounts' ids as text."""
        return self.ids.texts()


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
    return _decode(Block.of(records), LEDGER_KIND, LEDGER_LAYOUTS)


def decode_learned_rows(records: Sequence[Record]) -> DecodedRows:
    """Learned rows of one partition's changelog; never raises."""
    return _decode(Block.of(records), LEARNED_KIND, LEARNED_LAYOUTS)


def _decode(block: Block, kind: int, layouts: Mapping[int, Layout]) -> DecodedRows:
    removed: list[str] = []
    unreadable: list[tuple[int, str]] = []
    found = _with_head(block, removed, unreadable)
    heads = bytes_at(found.data, found.value_at, HEAD.itemsize).view(HEAD).reshape(-1)
    is_ours = (heads["magic"] == MAGIC) & (heads["format"] == FORMAT)
    is_claim = is_ours & (heads["kind"] == CLAIM_KIND)
    is_look = is_ours & (heads["kind"] == LOOK_KIND)
    is_interlock = is_ours & (heads["kind"] == INTERLOCK_KIND)
    is_row = is_ours & (heads["kind"] == kind)
    unreadable.extend(
        (offset, "not a row of this topic")
        for offset in found.offset[~is_row & ~is_claim & ~is_look & ~is_interlock].tolist()
    )
    parts: list[_Part] = []
    for version in np.unique(heads["row_version"][is_row]).tolist():
        here = np.flatnonzero(is_row & (heads["row_version"] == version))
        if version in layouts:
            parts.append(_part(found, heads, here, layouts[version], unreadable))
        else:
            why = f"row version {version}; this program knows {sorted(layouts)}"
            unreadable.extend((offset, why) for offset in found.offset[here].tolist())
    whole = _in_order(parts, layouts[max(layouts)])
    kept = found.take(whole.position)
    return DecodedRows(
        ids=IdColumn(kept.data, kept.key_at, kept.key_bytes),
        rows=whole.rows,
        annexes=whole.annexes,
        epoch=heads["epoch"][whole.position].astype(np.int64),
        log_offset=kept.offset,
        effects=whole.effects,
        claims=list(
            zip(found.offset[is_claim].tolist(), heads["epoch"][is_claim].tolist(), strict=True)
        ),
        interlocks=[
            (int(heads["epoch"][place]), (found.value(place) or b"")[HEAD.itemsize :])
            for place in np.flatnonzero(is_interlock).tolist()
        ],
        removed=removed,
        unreadable=unreadable,
    )


def _with_head(block: Block, removed: list[str], unreadable: list[tuple[int, str]]) -> Block:
    """The records that can hold a row: with an id as key, and longer than a head."""
    has_key, size = block.key_bytes > 0, block.value_bytes
    is_found = has_key & (size >= HEAD.itemsize)
    if is_found.all():  # as nearly always
        return block
    for place in np.flatnonzero(~is_found).tolist():
        offset, key = int(block.offset[place]), block.key(place)
        if not key:
            unreadable.append((offset, "no account id as key"))
        elif size[place] <= 0:
            removed.append(key.decode(errors="replace"))
        else:
            unreadable.append((offset, f"{size[place]} bytes are no row"))
    return block.take(is_found)


class _Part(NamedTuple):
    """The readable rows of one version: which of the found records they are, what is behind them.

    `annexes` and `effects` by place among the rows.
    """

    position: NDArray[np.int64]
    rows: NDArray[Any]
    annexes: Annexes
    effects: dict[int, list[KeptEffect]]


def _part(
    found: Block,
    heads: NDArray[Any],
    here: NDArray[np.int64],
    layout: Layout,
    unreadable: list[tuple[int, str]],
) -> _Part:
    """The rows of the records at `here` (n,), all of one version."""
    at = found.value_at[here] + HEAD.itemsize
    until = found.value_at[here] + found.value_bytes[here]
    why: dict[int, str] = {}
    row_end = layout.ends(found.data, at, until)
    why.update(dict.fromkeys(np.flatnonzero(row_end < 0).tolist(), f"row is {CUT_SHORT}"))
    end = row_end.copy()
    annexes = _annexes(found.data, end, until, heads["annex_version"][here], why)
    effects: dict[int, list[KeptEffect]] = {}
    for place in np.flatnonzero(heads["effects"][here]).tolist():
        count = int(heads["effects"][here[place]])
        try:
            if place not in why:
                effects[place] = _effects_of(found.data[end[place] : until[place]], count)
        except (ValueError, UnicodeDecodeError) as error:
            why[place] = f"effects: {error}"
    if not why:
        rows = layout.upgrade(layout.unpack(found.data, at, row_end))
        return _Part(here, rows, annexes, effects)
    unreadable.extend((int(found.offset[here[place]]), text) for place, text in why.items())
    good = np.array([place for place in range(len(here)) if place not in why], np.int64)
    rows = layout.upgrade(layout.unpack(found.data, at[good], row_end[good]))
    effects = {new: effects[old] for new, old in enumerate(good.tolist()) if old in effects}
    return _Part(here[good], rows, annexes.take(good, len(here)), effects)


def _annexes(
    data: bytes,
    end: NDArray[np.int64],
    until: NDArray[np.int64],
    versions: NDArray[Any],
    why: dict[int, str],
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
        at, behind = end[places], layout.ends(data, end[places], until[places])
        is_whole = behind >= 0
        why.update(dict.fromkeys(places[~is_whole].tolist(), f"annex is {CUT_SHORT}"))
        end[places[is_whole]] = behind[is_whole]
        rows = layout.upgrade(layout.unpack(data, at[is_whole], behind[is_whole]))
        found = found.joined(Annexes(places[is_whole], rows))
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


def _effects_of(behind: bytes, count: int) -> list[KeptEffect]:
    """The effects behind a row and its annex; ValueError when the bytes end too soon."""
    kept, first = [], 0
    for _ in range(count):
        start = first + EFFECT_HEAD.size
        if start > len(behind):
            raise ValueError("the record ends before an effect")
        source, *sizes, offset = EFFECT_HEAD.unpack_from(behind, first)
        first, cuts = start + sum(sizes), [*accumulate(sizes, initial=start)]
        if first > len(behind):
            raise ValueError("the record ends inside an effect")
        topic, key, body = (behind[cuts[each] : cuts[each + 1]] for each in range(3))
        effect = Encoded(topic.decode(), key or None, body)
        kept.append(KeptEffect(effect, Source(source), offset))
    return kept
