"""What happens when scoring an account fails in a way nobody foresaw?

One account must not stop a million: it is left as it was before, marked quarantined, left
connected, and a person is called by a decision record (DESIGN D7).  Which account it was is found
by halving the batch.  Broken beliefs that the core notices by itself it quarantines itself
(`scoring.scoring`); if many accounts fail at once the program is at fault, not the accounts, and
the failure goes on up and ends the process.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from scoring import scoring
from scoring.effects import Cause, Decision, DecisionKind, Evidence, Hold, Reason, RefusedReading
from scoring.events import Source
from scoring.refusals import refused_reading
from scoring.shares import Scored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from scoring.book import Book
    from scoring.events import AccountEvent, Readings
    from scoring.shares import Share, World

log = logging.getLogger(__name__)

MAX_ACCOUNTS_AT_ONCE = 8
"""More accounts failing in one batch are no accident of data: then the process stops instead of
quarantining a city."""


def score_readings(parts: Sequence[tuple[Share, Readings]]) -> None:
    """`scoring.score_together`, with accounts that make it fail taken out and quarantined.

    Raises the failure itself when more than `MAX_ACCOUNTS_AT_ONCE` accounts of a part have one.
    """
    before = [_Before(share.book, readings) for share, readings in parts]
    try:
        scoring.score_together(parts)
    except Exception:
        log.exception("scoring readings of %d partitions failed; one after the other", len(parts))
        stand_again = [each.is_back() for each in before]
        if not all(stand_again):
            raise
    else:
        return
    for share, readings in parts:
        share.scored = Scored()
        _score_readings_of_one(share, readings)


class _Before:
    """The accounts of a part as they stood before it was scored.

    One reading per account is scored at once or not at all; only where an account has several can a
    failure leave some of them counted, and only then are whole rows kept.
    """

    def __init__(self, book: Book, readings: Readings) -> None:
        self._book = book
        self._rows = _rows_once(readings.account_row, len(book))
        self._counted = self._offsets()
        several = len(self._rows) < len(readings)
        self._accounts = book.take(self._rows) if several else None

    def _offsets(self) -> NDArray[np.int64]:
        offsets: NDArray[np.int64] = self._book.ledger["source_offset"][self._rows, Source.READINGS]
        return offsets

    def is_back(self) -> bool:
        """Let them stand so again; False when the failure fell into the writing of rows."""
        if self._accounts is not None:
            self._book.put(self._rows, self._accounts)
        return np.array_equal(self._counted, self._offsets())


def _score_readings_of_one(share: Share, readings: Readings) -> None:
    book, world = share.book, share.world
    before = _Before(book, readings)
    try:
        scoring.score_together([(share, readings)])
    except Exception:
        log.exception("scoring partition %d failed; looking for the account", world.partition)
        if not before.is_back():
            raise
    else:
        return
    failing = _failing(
        book,
        lambda rows: scoring.score_readings(book, _of(readings, rows, inside=True), world),
        _rows_once(readings.account_row, len(book)),
    )
    share.scored = scored = Scored()
    scoring.score_together([(share, _of(readings, failing, inside=False))])
    for row in failing.tolist():
        alone = readings.take(readings.account_row == row)
        scored.refusals += [
            refused_reading(alone, position, Reason.ACCOUNT_QUARANTINED)
            for position in range(len(alone))
        ]
        cause = Cause(Source.READINGS, world.partition, int(alone.source_offset[-1]))
        _quarantine(book, row, cause, int(alone.received_at[-1]), scored)


def score_events(parts: Sequence[tuple[Share, Sequence[AccountEvent]]]) -> None:
    """`scoring.score_events_together`, with accounts that make it fail quarantined.

    Raises the failure itself when more than `MAX_ACCOUNTS_AT_ONCE` events of a part have one.
    """
    before = []
    for share, events in parts:
        rows = np.unique(share.book.add_all([event.account_id for event in events]))
        before.append((share.book, rows, share.book.take(rows)))
    try:
        scoring.score_events_together(parts)
    except Exception:
        log.exception("scoring events of %d partitions failed; taking them one by one", len(parts))
        for book, rows, accounts in before:
            book.put(rows, accounts)
    else:
        return
    for share, events in parts:
        share.scored = Scored()
        for event in events:
            _score_one(share.book, event, share.world, share.scored)


def score_tick(
    book: Book, due: NDArray[np.int64], at: int, source_offset: int, world: World
) -> Scored:
    """`scoring.score_tick` for rows that are due, with accounts that make it fail quarantined.

    One that fails although it is quarantined already is left out: a person knows of it.  Raises
    the failure itself when more than `MAX_ACCOUNTS_AT_ONCE` accounts have one for the first time.
    """
    try:
        return scoring.score_tick(book, due, at, source_offset, world)
    except Exception:
        log.exception("a tick failed on %d accounts; looking for the one that does it", len(due))

    def ask(rows: NDArray[np.int64]) -> object:
        return scoring.score_tick(book, rows, at, source_offset, world)

    is_known = book.ledger["quarantined"][due] != 0
    failing = _failing(book, ask, due[~is_known])
    known = _failing(book, ask, due[is_known], most=len(due))
    due = np.setdiff1d(due, np.r_[failing, known], assume_unique=True)
    scored = scoring.score_tick(book, due, at, source_offset, world)
    for row in failing.tolist():
        _quarantine(book, row, Cause(Source.TICKS, world.partition, source_offset), at, scored)
    return scored


def _score_one(book: Book, event: AccountEvent, world: World, scored: Scored) -> None:
    row = book.add(event.account_id)
    before = book.take(np.array([row]))
    try:
        scored.add(scoring.score_events(book, [event], world))
    except Exception:
        log.exception("scoring one %s failed; its account is quarantined", type(event).__name__)
        book.put(np.array([row]), before)
        if scored.quarantined == MAX_ACCOUNTS_AT_ONCE:
            raise
        source = scoring.SOURCE_OF[type(event)]
        scored.refusals.append(RefusedReading(event.source_offset, row, Reason.ACCOUNT_QUARANTINED))
        cause = Cause(source, world.partition, event.source_offset)
        _quarantine(book, row, cause, event.received_at, scored)


def _failing(
    book: Book,
    score: Callable[[NDArray[np.int64]], object],
    rows: NDArray[np.int64],
    most: int = MAX_ACCOUNTS_AT_ONCE,
) -> NDArray[np.int64]:
    """Those of `rows` (sorted) on which `score` fails, found by halving; changes nothing.

    Raises the failure when there are more than `most` of them.
    """
    found: list[int] = []
    suspects = [rows] if len(rows) else []
    while suspects:
        some = suspects.pop()
        before = book.take(some)
        try:
            score(some)
        except Exception:
            if len(some) > 1:
                suspects += np.array_split(some, 2)
            elif len(found) == most:
                raise
            else:
                found.append(int(some[0]))
        finally:
            book.put(some, before)
    return np.array(found, np.int64)


def _rows_once(rows: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Each of these rows once, sorted; four times faster than numpy's unique."""
    is_there = np.zeros(size, np.bool_)
    is_there[rows] = True
    return np.flatnonzero(is_there)


def _of(readings: Readings, rows: NDArray[np.int64], *, inside: bool) -> Readings:
    return readings.take(np.isin(readings.account_row, rows, invert=not inside))


def _quarantine(book: Book, row: int, cause: Cause, now: int, scored: Scored) -> None:
    """Mark the account, count its record as seen, and call a person."""
    ledger = book.ledger
    ledger["quarantined"][row] = 1
    ledger["source_offset"][row, cause.source] = cause.offset
    account_id = book.account_ids[row]
    evidence = Evidence(
        read_at=int(ledger["read_at"][row]),
        ledger_nanos=int(ledger["ledger_nanos"][row]),
        bill_nanos=0,
        available_nanos=0,
        tariff_id=bytes(ledger["tariff_id"][row]).decode(errors="replace"),
        settings_version=int(ledger["settings_version"][row]),
        runway_hours_p10=None,
        runway_hours_p50=None,
        estimated_wh=int(ledger["estimated_wh"][row].sum()),
        holds=(str(Hold.QUARANTINED.name).lower(),),
    )
    scored.rows.add(row)
    scored.quarantined += 1
    scored.effects.append(
        (
            row,
            Decision(
                f"{account_id}:quarantined:{int(cause.source)}-{cause.offset}",
                account_id,
                now,
                cause,
                evidence,
                DecisionKind.QUARANTINED,
                "scoring failed on this account; its state before is kept; see the runbook",
            ),
        )
    )
