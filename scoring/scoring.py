"""What follows from a batch of readings, an event or the passing of time?

This is the one road through the core, in the order of the five words: usage, bill, balance, runway,
decision.  It stands apart so that the rules in the files it calls stay free of order and of each
other.  It does not decode, remember or publish: it changes the Book in memory and says what
changed (`Scored`); making that durable is `streams.partition`'s work.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scoring import balance, decide, dynamic, forecast, gaps, large, metered, parts, postings, usage
from scoring import closed as closed_bills
from scoring.book import Accounts
from scoring.effects import DecisionKind, Reason, Stage
from scoring.event_turn import SOURCE_OF, score_event_turn
from scoring.events import Readings, Source
from scoring.plans import ON_PLAN, tell_plans
from scoring.refusals import refuse, tell_outcomes
from scoring.shares import Scored, Share, Shares, World
from scoring.situation import decision
from scoring.slots import starts_run
from scoring.turn import Turn, broken_beliefs
from scoring.units import money_text
from scoring.validation import Outcome, check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from scoring.book import Book
    from scoring.days import DaysClosed
    from scoring.events import AccountEvent
    from scoring.tariff import Tariffs
    from scoring.validation import Checked

__all__ = [
    "SOURCE_OF",
    "Scored",
    "Share",
    "World",
    "due_at_tick",
    "find_tariffs",
    "score_events",
    "score_events_together",
    "score_readings",
    "score_tick",
    "score_together",
]


def score_readings(book: Book, readings: Readings, world: World) -> Scored:
    """Count a batch of readings; `readings.account_row` must name rows of `book`.

    Readings at or below the row's source offset are already counted and change nothing.  Several
    readings of one account are taken in turn, so that how a stream is cut into batches never
    changes a result.
    """
    share = Share(book, world)
    score_together([(share, readings)])
    return share.scored


def score_together(parts: Sequence[tuple[Share, Readings]]) -> None:
    """The readings of several partitions as one block; what follows is in their shares.

    As `score_readings` of each part alone, whose accounts know nothing of each other.
    """
    turns = []
    for share, readings in parts:
        fresh = _not_yet_counted(share, readings)
        turns.append([fresh.take(turn) for turn in _turns(fresh.account_row)])
    shares = [share for share, _ in parts]
    for number in range(max(map(len, turns), default=0)):
        here = [which for which, mine in enumerate(turns) if number < len(mine)]
        some = [turns[which][number] for which in here]
        of = np.repeat(here, list(map(len, some)))
        _score_turn(Readings.beside(some), Shares(of, shares))


def _not_yet_counted(share: Share, readings: Readings) -> Readings:
    """Those that are news to their accounts; those of a quarantined account are refused."""
    book, rows = share.book, readings.account_row
    fresh = readings.source_offset > book.ledger["source_offset"][rows, Source.READINGS]
    share.scored.count("already_counted", int(len(rows) - fresh.sum()))
    shut = fresh & (book.ledger["quarantined"][rows] != 0)
    if shut.any():
        refuse(Shares.whole(len(rows), share), readings, shut, Reason.ACCOUNT_QUARANTINED)
        fresh &= ~shut
    return readings if fresh.all() else readings.take(fresh)


def score_events(book: Book, events: Sequence[AccountEvent], world: World) -> Scored:
    """What settings changes, payments, reports, actions or receipts do; all of one source.

    In source order; an event at or below the row's source offset changes nothing.  An account
    that is not in the book yet gets a row, so that money that comes before the terms is never
    lost; only settings make it more than that.
    """
    share = Share(book, world)
    score_events_together([(share, events)])
    return share.scored


def score_events_together(parts: Sequence[tuple[Share, Sequence[AccountEvent]]]) -> None:
    """The events of several partitions as one block; what follows is in their shares."""
    turns = []
    for share, events in parts:
        rows = share.book.add_all([event.account_id for event in events])
        turns.append([(places.tolist(), rows[places]) for places in _turns(rows)])
    shares = [share for share, _ in parts]
    for number in range(max(map(len, turns), default=0)):
        here = [which for which, mine in enumerate(turns) if number < len(mine)]
        some = [parts[which][1][place] for which in here for place in turns[which][number][0]]
        rows = np.concatenate([turns[which][number][1] for which in here])
        of = np.repeat(here, [len(turns[which][number][0]) for which in here])
        score_event_turn(some, rows, Shares(of, shares))


def due_at_tick(book: Book, at: int, source_offset: int, world: World) -> NDArray[np.int64]:
    """The rows (k,) that a tick at `at` may say something to.

    A tick that comes again after a crash says nothing to rows that have answered a later one.
    """
    book.pools.learn_at(at)
    unseen = book.ledger["source_offset"][:, Source.TICKS] < source_offset
    due = decide.due(book.ledger, at, world.rules)
    if world.weather.words or (world.interlock is not None and world.interlock.is_frozen):
        # trips still alive may have to be called back: no event of theirs tells them
        is_alive = book.ledger["command_expires_at"] > at
        due |= (book.ledger["stage"] == Stage.TRIP_COMMANDED) & is_alive
    rows, _days = _turned(book, at, world)
    due[rows] = True
    return np.flatnonzero(due & unseen)


def _turned(book: Book, at: int, world: World) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows (k,) of plan-settled accounts for which a local day begins at `at`, and the days."""
    rows, annexes = book.with_annex()
    ledger = book.ledger[rows]
    asked = (ledger["payment_mode"] == ON_PLAN) & (ledger["quarantined"] == 0)
    asked &= ledger["settings_version"] > 0
    rows, annexes = rows[asked], annexes[asked]
    days = world.tariffs.day_of(book.tariff_index[rows], np.full(len(rows), at))
    begins = annexes["turned_day"] < days
    return rows[begins], days[begins]


def score_tick(
    book: Book, rows: NDArray[np.int64], at: int, source_offset: int, world: World
) -> Scored:
    """What the passing of time alone brings: deadlines reached, windows opened, notices aged.

    `rows` (k,) are those that are due (`due_at_tick`), or some of them.
    """
    scored = Scored()
    if not len(rows):
        return scored
    offsets, now = np.full(len(rows), source_offset), np.full(len(rows), at)
    accounts, (turned, days) = book.take(rows), _turned(book, at, world)
    mine = np.isin(turned, rows)
    positions, days = np.searchsorted(rows, turned[mine]), days[mine]
    postings.turn_days(accounts, positions, days, world.late_charges)
    scored.rows.update(turned[mine].tolist())
    shares = Shares.whole(len(rows), Share(book, world, scored))
    turn = Turn(accounts, rows, Source.TICKS, offsets, now, shares)
    tell_plans(turn, positions, days)
    turn.decide(np.ones(len(rows), np.bool_))
    changed = np.array([row in scored.rows for row in rows.tolist()])
    turn.accounts.ledger["source_offset"][changed, Source.TICKS] = source_offset
    book.put(rows[changed], turn.accounts.take(changed))
    return scored


def find_tariffs(book: Book, tariffs: Tariffs) -> None:
    """Look up every row's tariff number again, after a load or a new tariff sheet."""
    book.tariff_index[:] = tariffs.index_of(book.ledger["tariff_id"])


NOBODY = np.zeros(0, np.int64)


def _turns(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Positions of the first record of each account, then of the second, and so on."""
    if not len(rows):
        return
    order = np.argsort(rows, kind="stable")
    in_order = rows[order]
    first = starts_run(in_order)
    if first.all():
        yield np.arange(len(rows))
        return
    start = np.flatnonzero(first)
    turn = np.arange(len(rows)) - np.repeat(start, np.diff(np.r_[start, len(rows)]))
    by_turn = order[np.argsort(turn, kind="stable")]
    yield from np.split(by_turn, np.cumsum(np.bincount(turn))[:-1])


def _score_turn(readings: Readings, shares: Shares) -> None:
    """Enter at most one reading of each account, in columns."""
    tariffs = shares.world.tariffs
    accounts = Accounts.beside(
        [share.book.take(readings.account_row[here]) for share, here in shares.parts()]
    )
    index = parts.tariff_of_energy(accounts, readings, tariffs)
    checked = check(accounts.ledger, readings, tariffs, index, accounts.annexes)
    accepted = checked.outcome == Outcome.ACCEPTED.value
    if not accepted.all():
        tell_outcomes(shares, readings, checked, tariffs, index)
        accounts, checked = accounts.take(accepted), checked.take(accepted)
        shares = shares.take(accepted)
    accounts, checked, shares = _in_their_months(accounts, checked, shares)
    readings, ledger = checked.readings, accounts.ledger
    shares.count("accepted")
    if not len(readings):
        return
    has_annexes = len(accounts.annexes) > 0
    power_w = large.mean_power_w(ledger, checked) if has_annexes else NOBODY
    if has_annexes:
        metered.note_load(accounts, checked)
    first, end = gaps.skipped(ledger, checked)
    guessed_wh = ledger["estimated_wh"].sum(axis=(1, 2)) if (end > first).any() else NOBODY
    days = usage.count(ledger, checked, tariffs, accounts.tariff_index, accounts.annexes)
    gaps.note(accounts, checked, first, end, guessed_wh)
    adjusted: list[closed_bills.Adjusted] = []
    if has_annexes:
        large.count(accounts, readings, power_w, tariffs)
        adjusted = _adjust_closed(accounts, checked, shares.world)
    newest = readings.read_at >= ledger["read_at"]
    ledger["newest_quality"] = np.where(newest, readings.quality, ledger["newest_quality"])
    ledger["received_at"] = readings.received_at
    ledger["source_offset"][:, Source.READINGS] = readings.source_offset
    rows, offsets = readings.account_row, readings.source_offset
    is_learned = _learn(accounts, rows, days, shares)
    accounts.learned["source_offset"][is_learned] = offsets[is_learned]
    turn = Turn(accounts, rows, Source.READINGS, offsets, readings.received_at, shares)
    broken = broken_beliefs(accounts)
    for one in adjusted:
        if not broken[one.position]:
            _tell_adjusted(turn, one)
    turn.tell_days(days, broken)
    if len(accounts.annexes):
        tell_plans(turn, np.flatnonzero(~broken))
    is_learned &= ~broken
    turn.decide(turn.screen() & ~broken, is_learned)
    turn.put(broken, is_learned)


def _learn(
    accounts: Accounts, rows: NDArray[np.int64], days: DaysClosed, shares: Shares
) -> NDArray[np.bool_]:
    """Let the accounts learn from their closed days, each share with its own pools; who has."""
    learned = np.zeros(len(rows), np.bool_)
    if not len(days):
        return learned
    kinds, degree_days = shares.world.day_kinds, shares.world.weather.degree_days
    for share, here in shares.parts():
        mine = (days.position >= here.start) & (days.position < here.stop)
        if mine.any():
            some, first = days.chosen(mine), here.start
            some = replace(some, position=some.position - first)
            knowledge = forecast.Knowledge(kinds, share.book.pools, rows[here], degree_days)
            learned[first + forecast.learn(accounts.between(here), some, knowledge)] = True
    return learned


def _in_their_months(
    accounts: Accounts, checked: Checked, shares: Shares
) -> tuple[Accounts, Checked, Shares]:
    """Close the months before the accepted readings'; those that have a tariff and a price.

    A price of the market that nobody has published yet is waited for.
    """
    closed, read_at, world = balance.BillsClosed(), checked.readings.read_at, shares.world
    tariffs = world.tariffs
    ready = balance.close_months(
        accounts.ledger, tariffs, accounts.tariff_index, read_at, closed, accounts.annexes
    )
    if closed.entries:
        postings.post_bills(accounts, closed, read_at, tariffs, world.late_charges)
    if not ready.all():
        refuse(shares, checked.readings, ~ready, Reason.UNKNOWN_TARIFF)
        accounts, checked, shares = accounts.take(ready), checked.take(ready), shares.take(ready)
    if not tariffs.any_dynamic:
        return accounts, checked, shares
    found = dynamic.cost(accounts.ledger, checked, tariffs, accounts.tariff_index)
    if found is None or not found.missing.any():
        return accounts, checked, shares
    known = np.ones(len(accounts), np.bool_)
    known[found.row[found.missing]] = False
    refuse(shares, checked.readings, ~known, Reason.PRICE_MISSING)
    return accounts.take(known), checked.take(known), shares.take(known)


def _adjust_closed(
    accounts: Accounts, checked: Checked, world: World
) -> list[closed_bills.Adjusted]:
    """Bills of closed months that these readings have changed, and the postings for them."""
    adjusted = closed_bills.enter_late(accounts, checked, world.tariffs)
    adjusted += closed_bills.correct(accounts, checked, world.tariffs)
    for one in adjusted:
        at = int(checked.readings.received_at[one.position])
        postings.post_adjustment(
            accounts, one.position, one.nanos, one.month, at, world.tariffs, world.late_charges
        )
    return adjusted


def _tell_adjusted(turn: Turn, one: closed_bills.Adjusted) -> None:
    """A closed bill was wrong: the posting, with its month and reason."""
    month = f"{one.month // 12:04d}-{one.month % 12 + 1:02d}"
    favour = "in the customer's favour" if one.nanos >= 0 else "more to pay"
    detail = f"bill of {month}: {one.why}, {money_text(abs(one.nanos))} {favour}"
    told = decision(turn.here(one.position), DecisionKind.BILL_ADJUSTED, detail)
    turn.take(one.position, told)
