"""Which quarter-hours has no reading told yet, however long ago they were?

The ring of a row knows each quarter-hour of the last six days; what left it untold would later look
the same as what left it counted.  So where a finer meter skips some time, the gap is written down
in the annex, and a late interval that lies in a written gap is news for certain, also in a month
that is closed.  It stands apart from `scoring.slots`, which every account has, because few ever
have a gap; what a late interval of a closed month does is told in `scoring.closed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.annex import MAX_GAPS
from scoring.units import SECONDS_PER_HOUR, SLOT_SECONDS
from scoring.verdicts import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.annex import Annexes
    from scoring.book import Accounts
    from scoring.tariff import Tariffs
    from scoring.verdicts import Checked

    Ints = NDArray[np.int64]

TELL_WHEN = (Kind.INTERVAL, Kind.TRUE_UP, Kind.LATE_ENERGY, Kind.LATE_TRUE_UP)
"""What an interval can be: its quarter-hours are told from then on."""


def skipped(ledger: NDArray[Any], checked: Checked) -> tuple[Ints, Ints]:
    """First slot and end of what each reading (n,) leaves untold behind it; both 0 where nothing.

    To be asked before the readings are counted.  An interval that begins after the newest slot
    leaves a gap.  A register alone after more than an hour does, if the account's meter is known
    to tell more often: who is read once a day has no gaps, only a coarse meter.
    """
    readings, kind = checked.readings, checked.kind
    until = ledger["counted_until_slot"]
    begins = (readings.read_at - readings.interval_seconds) // SLOT_SECONDS
    after = (kind == Kind.INTERVAL.value) & (until > 0) & (begins > until)
    first, end = np.where(after, until, 0), np.where(after, begins, 0)
    last_at = ledger["register_read_at"]
    long = (kind == Kind.REGISTER.value) & (readings.read_at - last_at > SECONDS_PER_HOUR)
    rows = np.flatnonzero(long & (ledger["read_at"] == last_at))
    if len(rows):
        rows = rows[ledger["counted_slots"][rows].any(axis=1)]
        own = np.where(checked.with_interval, readings.interval_seconds, 0)[rows]
        first[rows] = -(-last_at[rows] // SLOT_SECONDS)
        end[rows] = (readings.read_at[rows] - own) // SLOT_SECONDS
    return first, end


def note(accounts: Accounts, checked: Checked, first: Ints, end: Ints, guessed_wh: Ints) -> None:
    """Write down what was `skipped`, and cut out of what is written what is told now.

    To be asked when the readings have been counted; `guessed_wh` (n,) is what was estimated of the
    open months before.  A register's gap that lies in one rate period of a month is exact and is
    none.
    """
    annexes = accounts.annexes
    if len(annexes) and annexes.rows["gap_until_slot"].any():
        readings = checked.readings
        told = np.flatnonzero(np.isin(checked.kind, TELL_WHEN))
        start = (readings.read_at - readings.interval_seconds) // SLOT_SECONDS
        for row in told[covers(annexes, start, start + 1, len(accounts))[told]].tolist():
            _cut(annexes.make(row)[0], int(start[row]), int(readings.read_at[row]) // SLOT_SECONDS)
    rows = np.flatnonzero(end > first)
    if len(rows):
        estimated = accounts.ledger["estimated_wh"][rows].sum(axis=(1, 2))
        is_gap = (checked.kind[rows] == Kind.INTERVAL.value) | (estimated > guessed_wh[rows])
        for row in rows[is_gap].tolist():
            _add(annexes.make(row)[0], int(first[row]), int(end[row]))


def covers(annexes: Annexes, first: Ints, end: Ints, count: int) -> NDArray[np.bool_]:
    """Whether the slots first <= slot < end (n,) of each of `count` accounts lie in one gap."""
    inside = np.zeros(count, np.bool_)
    if len(annexes):
        at, rows = annexes.position, annexes.rows
        begins = rows["gap_from_slot"] <= first[at][:, None]
        inside[at] = (begins & (rows["gap_until_slot"] >= end[at][:, None])).any(axis=1)
    return inside


def in_month(annexes: Annexes, tariffs: Tariffs, index: Ints, month: Ints) -> NDArray[np.bool_]:
    """Whether each annex (k,) has a gap in a billing month (k,) of its tariff `index` (k,)."""
    begins, ends = (tariffs.month_start(index, m)[:, None] for m in (month, month + 1))
    rows = annexes.rows
    touches = np.asarray(rows["gap_until_slot"].astype(np.int64) * SLOT_SECONDS > begins)
    touches &= rows["gap_from_slot"].astype(np.int64) * SLOT_SECONDS < ends
    return np.asarray((touches & (rows["gap_until_slot"] > 0)).any(axis=1))


def _add(annex: Any, first: int, end: int) -> None:
    """One more gap behind the others; what is beyond their number is the oldest's."""
    known = _listed(annex)
    if known and known[-1][1] == first:
        known[-1] = (known[-1][0], end)
    else:
        known.append((first, end))
    _write(annex, known)


def _cut(annex: Any, first: int, end: int) -> None:
    """Told: what is left of the gap around it are two."""
    left = []
    for start, stop in _listed(annex):
        parts = ((start, min(stop, first)), (max(start, end), stop))
        left += [(a, b) for a, b in parts if a < b]
    _write(annex, left)


def _listed(annex: Any) -> list[tuple[int, int]]:
    pairs = zip(annex["gap_from_slot"].tolist(), annex["gap_until_slot"].tolist(), strict=True)
    return [(first, end) for first, end in pairs if end]


def _write(annex: Any, known: list[tuple[int, int]]) -> None:
    known = known[-MAX_GAPS:]
    for name, place in (("gap_from_slot", 0), ("gap_until_slot", 1)):
        annex[name] = 0
        annex[name][: len(known)] = [one[place] for one in known]
