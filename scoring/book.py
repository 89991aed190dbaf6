"""Where is what we know of each account kept?

One Book per partition: account id -> row number, and two arrays of rows with different lives
(DESIGN D9): *ledger* rows must survive anything, *learned* rows may be lost and learned again.
What only some accounts need has a row of its own beside the ledger's (`scoring.annex`).
Columns are read by name; the layout is row by row, because a reading touches most columns of one
account (ARCHITECTURE, "Rows, not columns, in memory").  The bytes of a row are what `streams` makes
durable; the rules that change a row live in usage, balance, forecast and decide.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.account_ids import AccountIds
from scoring.annex import TARIFF_ID_BYTES, Annexes, AnnexStore, beside
from scoring.events import MAX_RATE_PERIODS, Source
from scoring.pools import Pools
from scoring.procedures import USUAL_MODE_ARMED
from scoring.room import Growing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scoring.account_ids import IdColumn

LEDGER_VERSION = 3
LEARNED_VERSION = 5

MAX_ACCOUNT_ID_CHARACTERS = 64
PAYMENTS_REMEMBERED = 4
"""Payment ids kept in every row to know a repeat; who pays more often keeps the others in an annex
(`scoring.postings`)."""

GROUP_BYTES = {"industry": 5, "voltage_level": 5, "collector": 8, "area": 12}
"""The groups by which accounts are watched, and the bytes of a group's code in a row: GB/T 4754
class, nominal voltage ("220kV"), staff number, area code."""

FEEDER_BYTES = 12
"""Of the code of the feeder (line or transformer) that supplies an account."""

COUNTED_SLOT_WORDS = 9
COUNTED_SLOTS = COUNTED_SLOT_WORDS * 64
"""Quarter-hours back from the newest one in which a late interval is still counted: 576 slots are
six days, one more than the five after which a day is final (domain.md 6)."""

LEDGER = np.dtype(
    [
        # terms (the newest account-settings)
        ("credit_limit_nanos", "i8"),
        ("warning_amount_nanos", "i8"),
        ("reconnect_min_nanos", "i8"),
        ("max_power_w", "i8"),
        ("register_modulus_wh", "i8"),
        ("meter_hash", "u8"),
        ("customer_hash", "u8"),  # who uses the energy; 0 never stated
        ("tariff_id", f"S{TARIFF_ID_BYTES}"),
        # ledger
        ("ledger_nanos", "i8"),  # postings: opening + payments - closed bills - charges
        ("charged_nanos", "i8"),  # of the open months' bills: what has been told as days' charges
        ("chain_hash", "u8", (4,)),  # SHA-256 of the newest link of its decisions; 0 none yet
        ("payment_hashes", "u8", (PAYMENTS_REMEMBERED,)),
        # usage; the last index of the pairs: 0 the current billing month, 1 the one before
        ("read_at", "i8"),  # newest fact about energy: the as-of time
        ("received_at", "i8"),
        ("register_read_at", "i8"),
        ("register_wh", "i8"),  # as last read, meter units; -1 none yet
        ("rate_register_wh", "i8", (MAX_RATE_PERIODS,)),  # as last read; -1 none yet
        ("since_rate_wh", "i8", (MAX_RATE_PERIODS,)),  # counted since the last per-rate reading
        ("interval_since_register_wh", "i8"),  # interval energy counted after register_read_at
        ("unproven_wh", "i8"),  # counted on the head end's estimates since the last actual register
        ("used_wh", "i8", (2, MAX_RATE_PERIODS)),
        ("estimated_wh", "i8", (2, MAX_RATE_PERIODS)),  # part of used_wh whose period is a guess
        ("year_used_before_wh", "i8"),  # calendar year's usage before the oldest open month
        ("counted_slots", "u8", (COUNTED_SLOT_WORDS,)),  # ring of bits, slot number % COUNTED_SLOTS
        ("counted_until_slot", "i8"),  # first slot after the ring's newest
        ("day_wh", "i8"),  # usage of the local day `day` so far
        ("day_estimated_wh", "i8"),
        # decision
        ("stage_since", "i8"),
        ("notice_delivered_at", "i8"),
        ("command_expires_at", "i8"),
        ("trip_sent_at", "i8"),  # newest trip command, whatever became of it; 0 none yet
        ("approved_until", "i8"),
        ("warn_at", "i8"),  # when a higher tier is reached by time alone; 0 never
        ("step_at", "i8"),  # before it no step of a procedure is due by time alone; 0 never
        ("source_offset", "i8", (len(Source),)),  # newest record of each topic in this row, else -1
        ("month", "i4"),  # current billing month, year * 12 + month - 1; 0 none yet
        ("day", "i4"),  # local date of day_wh as proleptic ordinal; 0 none yet
        ("warned_day", "i4"),  # local date of the newest warning, ordinal; 0 none
        ("settings_version", "u4"),  # 0: no settings yet
        ("multiplier", "u4"),
        ("episode", "u4"),  # number of the current or last low-balance episode
        ("trip_episode", "u4"),  # number of the current or last trip episode
        ("holds", "u4"),  # Hold bits last told
        ("restore_attempt", "u4"),  # restores sent in this trip episode; `attempt` counts trips
        ("decision_number", "u4"),  # Decisions told about this account so far
        ("chain_number", "u4"),  # links in the chain of its decisions so far
        ("warning_hours", "u2", (3,)),  # tier 1, 2, 3
        ("payment_days", "u2", (PAYMENTS_REMEMBERED,)),  # of each hash: days since 2000-01-01 UTC
        ("payments_forgotten_day", "u2"),  # newest day of a payment whose id is not kept any more
        ("hour_load", "u2", (24,)),  # load of each local hour in 1/65535 of max_power_w
        ("customer_class", "u1"),  # index in CustomerClass
        ("payment_mode", "u1"),  # index in PaymentMode
        ("protections", "u1"),  # Protection bits
        ("direct_close_agreed", "u1"),
        ("previous_month_open", "u1"),  # index 1 of used_wh still counts in the balance
        ("tier", "u1"),
        ("stage", "u1"),
        ("switch", "u1"),
        ("newest_quality", "u1"),  # Quality of the newest counted reading
        ("attempt", "u1"),
        ("command", "u1"),  # CommandState of the newest command
        ("procedure", "u1"),  # Procedure of the current or last trip episode
        ("control_mode", "u1"),  # DLMS class 70: what the switch can do
        ("warned_today", "u1"),  # warnings sent on warned_day
        ("warning_number", "u2"),  # warnings sent in this episode
        *((name, f"S{size}") for name, size in GROUP_BYTES.items()),
        ("feeder", f"S{FEEDER_BYTES}"),  # line that supplies it, "" unknown
        ("ledger_changed", "u1"),  # a payment or correction came since the last warning
        ("quarantined", "u1"),
    ],
    align=True,
)

LEARNED = np.dtype(
    [
        ("source_offset", "i8"),  # readings offset at which this row was learned
        ("odd_days", "u8"),  # bit h: day last_day + 1 + h is not of the kind its weekday says
        ("last_day", "i4"),  # newest local day seen closed, proleptic ordinal; 0 none
        ("days", "u4"),  # whole days learned
        # experts: what they know, and how wrong they were
        ("history_wh", "f4", (28,)),  # days up to last_day, oldest first; missing ones bridged
        ("level_wh", "f4", (4,)),  # of a day; while days is 0, the first part of a day
        ("weekday_share", "f4", (7,)),  # usage of each weekday over the level; Monday first, mean 1
        ("holiday_share", "f4"),  # usage of a holiday over that of its weekday
        ("regressed_wh", "f4", (2,)),  # of the day after last_day: by the group, by an own model
        ("typical_error_wh", "f4"),  # mean day-ahead error
        ("loss", "f4", (10,)),  # of each expert, discounted, in typical errors
        # how far the forecast was off; what it says stands further down
        ("told_wh", "f4", (11,)),  # sums of 1, 3 and 7 days told on the newest 1, 3 and 7 days
        ("told_reach", "f2", (2, 11)),  # P10 and P90 told of them, over the sum, less 1
        ("sum_error_wh", "f4", (3,)),  # mean error of sums of 1, 3 and 7 days
        ("error_quantile", "i2", (2, 3)),  # P10 and P90 of it, see intervals
        ("reach", "f4", (2,)),  # P10 and P90 of tomorrow's error over its median
        ("counted_wh", "f4", (MAX_RATE_PERIODS,)),  # of the open months when the newest day closed
        ("drift_mean", "f4"),  # days' distance from the slow level since a change
        ("drift_up", "f4"),  # how far above it they have run, in typical errors
        ("drift_down", "f4"),
        ("split_share", "u2", (3, MAX_RATE_PERIODS)),  # of a workday, rest day, holiday, see splits
        ("degree_answer", "f2", (2, 2)),  # to heating and cooling degrees: how much, and how unsure
        ("customer", "u4"),  # whose usage this is: the lower half of `customer_hash`; 0 not stated
        ("known_days", "u4"),  # bits of the days of the history, newest first: 1 measured
        ("ahead_steps", "u2", (35,)),  # medians of the days after last_day, see days_ahead
        ("drift_days", "u2"),  # since the newest change of level, at most 65,535
        ("kind_days", "u1", (8,)),  # days met of each weekday and of holidays, at most 255
        ("reach_shape", "u1", (2,)),  # how reach grows with the days summed, see intervals
        ("sums_told", "u1", (3,)),  # sums of 1, 3 and 7 days compared, at most 255
        ("split", "u1"),  # 0 split by rate period not known, 1 alike on all days, 2 by kind of day
        ("ahead_step", "i1"),  # of ahead_steps: 2 to this power, Wh
        ("spare", "u1", (5,)),  # so that none of a row's bytes is accidental
    ],
    align=True,
)


def empty_ledger(count: int) -> NDArray[Any]:
    """Rows of accounts about which nothing is known yet."""
    rows = np.zeros(count, LEDGER)
    rows["register_wh"] = rows["rate_register_wh"] = rows["source_offset"] = -1
    rows["multiplier"] = 1
    rows["control_mode"] = USUAL_MODE_ARMED
    return rows


def words_of(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """Rows (n,) seen as plain 64-bit words: numpy copies those six times faster than records."""
    return rows.view(np.uint64).reshape(len(rows), rows.dtype.itemsize // 8)


def copied(rows: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
    """Copies of the rows at `index`, places or truths."""
    found: NDArray[Any] = words_of(rows)[index].view(rows.dtype).reshape(-1)
    return found


def put_back(rows: NDArray[Any], index: NDArray[Any], block: NDArray[Any]) -> None:
    """Write changed copies back; each row at most once in `index`."""
    words_of(rows)[index] = words_of(block)


def side_by_side(blocks: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Rows of several blocks one behind the other."""
    words = np.concatenate([words_of(block) for block in blocks])
    rows: NDArray[Any] = words.view(blocks[0].dtype).reshape(-1)
    return rows


@dataclass(slots=True)
class Accounts:
    """Copies of some accounts' rows, side by side, to be changed together; length n each.

    `tariff_index` is the tariff's number in the `Tariffs` of this process, -1 unknown: never
    durable, looked up from `ledger["tariff_id"]` again in every process.  `annexes` are those of
    the accounts that have one, most often none.
    """

    ledger: NDArray[Any]
    learned: NDArray[Any]
    tariff_index: NDArray[np.int64]
    annexes: Annexes = field(default_factory=Annexes.none)

    def __len__(self) -> int:
        return len(self.ledger)

    @classmethod
    def beside(cls, some: Sequence[Accounts]) -> Accounts:
        """Several blocks one behind the other; the block itself if it is one."""
        if len(some) == 1:
            return some[0]
        return cls(
            side_by_side([each.ledger for each in some]),
            side_by_side([each.learned for each in some]),
            np.concatenate([each.tariff_index for each in some]),
            beside([each.annexes for each in some], list(map(len, some))),
        )

    def between(self, here: slice) -> Accounts:
        """A view of a run of accounts: what is changed in it is changed here, annexes not made."""
        if here.stop - here.start == len(self):
            return self
        return Accounts(
            self.ledger[here],
            self.learned[here],
            self.tariff_index[here],
            self.annexes.between(here),
        )

    def take(self, index: NDArray[Any]) -> Accounts:
        """Copies of these accounts."""
        annexes = self.annexes.take(index, len(self)) if len(self.annexes) else Annexes.none()
        return Accounts(
            copied(self.ledger, index),
            copied(self.learned, index),
            self.tariff_index[index],
            annexes,
        )

    def one(self, position: int) -> Accounts:
        """A view of the one account at this position: what is changed in it is changed here.

        Only an annex that it had not before must be kept by `keep_annex`.
        """
        here = slice(position, position + 1)
        annex = self.annexes.row(position) if len(self.annexes) else None
        annexes = Annexes.none() if annex is None else Annexes(np.zeros(1, np.int64), annex)
        return Accounts(self.ledger[here], self.learned[here], self.tariff_index[here], annexes)

    def keep_annex(self, position: int, one: Accounts) -> None:
        """Take up the annex that the `one` account at this position has been given."""
        if len(one.annexes):
            self.annexes.make(position)[:] = one.annexes.rows


class Book:
    """All accounts of one partition, and beside them what was learned of all together (`pools`).

    >>> book = Book()
    >>> book.add("home-1"), book.add("home-2"), book.add("home-1")
    (0, 1, 0)
    >>> book.rows_of(["home-2", "nobody"])
    array([ 1, -1])
    """

    FIRST_CAPACITY = 1024

    def __init__(self) -> None:
        self.account_ids = AccountIds()
        self.pools = Pools()
        self._ledger = Growing(np.zeros(self.FIRST_CAPACITY, LEDGER))
        self._learned = Growing(np.zeros(self.FIRST_CAPACITY, LEARNED))
        self._tariff_index = Growing(np.zeros(self.FIRST_CAPACITY, np.int64))
        self._annexes = AnnexStore(self.FIRST_CAPACITY)

    def __len__(self) -> int:
        return len(self.account_ids)

    @property
    def ledger(self) -> NDArray[Any]:
        """A live view of all ledger rows."""
        return self._ledger.items[: len(self)]

    @property
    def learned(self) -> NDArray[Any]:
        """A live view of all learned rows."""
        return self._learned.items[: len(self)]

    @property
    def tariff_index(self) -> NDArray[np.int64]:
        """A live view of every row's tariff number."""
        return self._tariff_index.items[: len(self)]

    def row(self, account_id: str) -> int | None:
        """The account's row, None if it is not in this partition's book."""
        return self.account_ids.row(account_id)

    def rows_of(self, account_ids: Sequence[str]) -> NDArray[np.int64]:
        """The rows of these accounts, -1 where unknown."""
        return self.account_ids.rows_of(account_ids)

    def add(self, account_id: str) -> int:
        """The account's row, made empty if it is new."""
        row = self.row(account_id)
        return int(self.add_all([account_id])[0]) if row is None else row

    def add_all(self, account_ids: Sequence[str]) -> NDArray[np.int64]:
        """The accounts' rows (n,), made empty where they are new."""
        first = len(self)
        rows = self.account_ids.add_all(account_ids)
        if len(self) > first:
            self._make_room(first, len(self))
        return rows

    def rows_of_column(self, ids: IdColumn) -> NDArray[np.int64]:
        """The rows of these accounts, -1 where unknown."""
        return self.account_ids.rows_of_column(ids)

    def add_column(self, ids: IdColumn) -> NDArray[np.int64]:
        """The accounts' rows (n,), made empty where they are new."""
        first = len(self)
        rows = self.account_ids.add_column(ids)
        if len(self) > first:
            self._make_room(first, len(self))
        return rows

    def annex(self, row: int) -> NDArray[Any] | None:
        """A copy (1,) of the annex of the account in this row, None if it has none."""
        return self._annexes.one(row)

    def with_annex(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """The rows (k,) that have an annex, and copies of those."""
        rows = self._annexes.owners()
        return rows, self._annexes.take(rows).rows

    def take(self, rows: NDArray[np.int64]) -> Accounts:
        """Copies of these rows, to change and `put` back."""
        return Accounts(
            copied(self._ledger.items, rows),
            copied(self._learned.items, rows),
            self._tariff_index.items[rows],
            self._annexes.take(rows),
        )

    def take_ledger(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any], Annexes]:
        """Copies of the ledger rows and annexes of these rows."""
        return copied(self._ledger.items, rows), self._annexes.take(rows)

    def put(
        self,
        rows: NDArray[np.int64],
        accounts: Accounts,
        learned: NDArray[np.bool_] | None = None,
    ) -> None:
        """Remember changed rows; each row at most once in `rows`.

        `learned` (n,) tells whose learned row changed, None that any may have: a learned row is
        long, and changes once a day.
        """
        put_back(self._ledger.items, rows, accounts.ledger)
        if learned is None:
            put_back(self._learned.items, rows, accounts.learned)
        elif learned.any():
            put_back(self._learned.items, rows[learned], copied(accounts.learned, learned))
        self._tariff_index.items[rows] = accounts.tariff_index
        self._annexes.put(rows, accounts.annexes)

    def adopt(
        self,
        rows: NDArray[np.int64],
        ledger: NDArray[Any],
        place: NDArray[np.int64],
        annexes: Annexes,
    ) -> None:
        """Let these rows be what a log has at these places, annexes too; each row at most once."""
        words_of(self._ledger.items)[rows] = words_of(ledger)[place]
        self._annexes.put(rows, annexes.take(place, len(ledger)))

    def _make_room(self, first: int, end: int) -> None:
        """Empty rows from `first` to before `end`."""
        for rows in (self._ledger, self._learned, self._tariff_index):
            rows.reserve(first, end)
        self._annexes.grow(len(self._ledger.items))
        words_of(self._ledger.items)[first:end] = words_of(empty_ledger(1))
        self._tariff_index.items[first:end] = -1
