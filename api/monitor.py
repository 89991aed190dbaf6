"""How much do accounts and groups use and cost by day, ten days, week and month?

The workers tell every finished day of every account on `daily-usage`; here the days of the last ten
weeks lie in columns, by account and by group as the account stood in it that day.  It stands apart
from the view, which knows only the present; what is owed and paid in advance now comes from there.
Nothing here knows Kafka (`tail`) or HTTP (`app`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scoring.situation import PAYMENT_MODES
from scoring.spans import Days, Span, same_before, so_far
from streams import wire
from streams.wire import decimal_text, nanos_from_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from api.view import View
    from streams.wire import Record

log = logging.getLogger(__name__)

DAYS_KEPT = 70
"""Days behind the newest that can be asked for: a month and the whole month before it, and a week
for days that are told late.  An account costs 12 bytes for each."""

BLOCK_ROWS = 32_768
"""Accounts in one block of days: memory grows by 28 MB at a time, and nothing is ever copied."""

LARGE = 2**32 - 1
"""In the place of a day's energy: it does not fit in 32 bits (4 GWh) and stands apart."""

GROUPS = ("industry", "voltage_level", "collector", "area", "payment_mode")
NAMES = {"industry": "industry", "voltage-level": "voltage_level", "collector": "collector",
         "area": "area", "payment-mode": "payment_mode"}  # fmt: skip
"""How each grouping is asked for, and its name in a finished day."""

WH, NANOS = 0, 1


class Group(NamedTuple):
    """Accounts of one code, whose money is of one currency: sums of several would mean nothing."""

    by: str
    code: str
    currency: str | None


@dataclass(slots=True)
class Ring:
    """Energy and charge of the last DAYS_KEPT days: one row for each thing watched.

    A day's place is its ordinal modulo DAYS_KEPT.
    """

    sums: NDArray[np.int64] = field(default_factory=lambda: np.zeros((16, DAYS_KEPT, 2), np.int64))

    def make_room(self, count: int) -> None:
        """For so many rows."""
        if count > len(self.sums):
            more = np.zeros((count * 2, DAYS_KEPT, 2), np.int64)
            more[: len(self.sums)] = self.sums
            self.sums = more


class AccountDays:
    """Energy and charge of the last DAYS_KEPT days of each account, in blocks of accounts.

    Energy is kept in 32 bits and one more than it is, so that 0 says that the day was not told.
    """

    def __init__(self) -> None:
        self._wh: list[NDArray[np.uint32]] = []
        self._nanos: list[NDArray[np.int64]] = []
        self._large: dict[tuple[int, int], int] = {}

    def make_room(self, count: int) -> None:
        """For so many accounts."""
        while len(self._wh) * BLOCK_ROWS < count:
            self._wh.append(np.zeros((BLOCK_ROWS, DAYS_KEPT), np.uint32))
            self._nanos.append(np.zeros((BLOCK_ROWS, DAYS_KEPT), np.int64))

    def is_told(self, row: int, place: int) -> bool:
        """Whether this account's day is known."""
        block, row = divmod(row, BLOCK_ROWS)
        return bool(self._wh[block][row, place])

    def put(self, row: int, place: int, wh: int, nanos: int) -> None:
        """Keep an account's day."""
        if wh + 1 >= LARGE:
            self._large[row, place] = wh
        block, inside = divmod(row, BLOCK_ROWS)
        self._wh[block][inside, place] = min(wh + 1, LARGE)
        self._nanos[block][inside, place] = nanos

    def forget(self, place: int) -> None:
        """Nothing is known of this day any more."""
        for wh, nanos in zip(self._wh, self._nanos, strict=True):
            wh[:, place] = nanos[:, place] = 0
        for key in [key for key in self._large if key[1] == place]:
            del self._large[key]

    def sums(self, row: int, places: list[int]) -> tuple[int, int]:
        """Energy and charge of these days of an account."""
        block, inside = divmod(row, BLOCK_ROWS)
        kept, wh = self._wh[block][inside], 0
        for place in places:
            one = int(kept[place])
            wh += self._large[row, place] if one == LARGE else max(0, one - 1)
        return wh, int(self._nanos[block][inside, places].sum())


class Monitor:
    """The finished days of all accounts, as far as they have been read.

    `newest` is the newest local date of which anything is known, 0 none; `is_complete` once all
    there was at first has been read.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self.newest = 0
        self.is_complete = False
        self.unreadable = 0
        self.too_old = 0
        self._accounts, self._groups = AccountDays(), Ring()
        self._row_of: dict[str, int] = {}
        self._group_of: dict[Group, int] = {}

    # --- taking up records ------------------------------------------------------------------------

    def take(self, records: Sequence[Record]) -> None:
        """Finished days, in any order; one that was told before changes nothing."""
        for record in records:
            try:
                self._take(wire.decode_day(record.value or b""))
            except (wire.EffectUnreadable, ValueError, ArithmeticError) as error:
                self.unreadable += 1
                log.warning("daily-usage: offset %d is passed over: %s", record.offset, error)

    def _take(self, told: wire.DayTold) -> None:
        day = date.fromisoformat(told.local_date).toordinal()
        charge = nanos_from_text(told.charge)
        if day > self.newest:
            self._turn_to(day)
        elif day <= self.newest - DAYS_KEPT:
            self.too_old += 1
            return
        row = self._row_of.setdefault(told.account_id, len(self._row_of))
        self._accounts.make_room(len(self._row_of))
        place = day % DAYS_KEPT
        if self._accounts.is_told(row, place):
            return
        self._accounts.put(row, place, told.used_wh, charge)
        currency = self._currency(told.evidence.tariff_id)
        for by in GROUPS:
            group = Group(by, getattr(told, by), currency)
            number = self._group_of.setdefault(group, len(self._group_of))
            self._groups.make_room(len(self._group_of))
            self._groups.sums[number, place] += told.used_wh, charge

    def _turn_to(self, day: int) -> None:
        """Forget what falls out behind the newest day."""
        first = max(self.newest + 1, day - DAYS_KEPT + 1)
        for fallen in {each % DAYS_KEPT for each in range(first, day + 1)}:
            self._accounts.forget(fallen)
            self._groups.sums[:, fallen] = 0
        self.newest = day

    def _currency(self, tariff_id: str) -> str | None:
        (index,) = self._view.tariffs.index_of(np.array([tariff_id.encode()]))
        return None if index < 0 else self._view.tariffs.currency(int(index))

    # --- answers ----------------------------------------------------------------------------------

    def by_group(self, by: str, span: Span, day: date) -> list[dict[str, Any]]:
        """Every group of a grouping: its span so far, as many days before, and its money now."""
        now = _money_now(self._view, NAMES[by])
        known = dict(self._group_of)  # a copy: records come while this thread answers
        groups = {group: number for group, number in known.items() if group.by == NAMES[by]}
        for code, currency in now:
            groups.setdefault(Group(NAMES[by], code, currency), -1)
        return [
            {"group": group.code, "currency": group.currency}
            | self._compared(self._groups, number, span, day)
            | now.get((group.code, group.currency), Money()).shown()
            for group, number in sorted(
                groups.items(), key=lambda item: (item[0].code, item[0].currency or "")
            )
        ]

    def of_account(self, account_id: str, span: Span, day: date) -> dict[str, Any] | None:
        """One account's span so far and as many days before; None if no day of it was told."""
        number = self._row_of.get(account_id)
        return None if number is None else self._compared(self._accounts, number, span, day)

    def days_of(self, account_id: str, count: int) -> list[tuple[int, int, int]]:
        """Its newest told days, oldest first: ordinal, Wh and charge in nanos."""
        number = self._row_of.get(account_id)
        if number is None:
            return []
        days = range(max(1, self.newest - min(count, DAYS_KEPT) + 1), self.newest + 1)
        told = [day for day in days if self._accounts.is_told(number, day % DAYS_KEPT)]
        return [(day, *self._accounts.sums(number, [day % DAYS_KEPT])) for day in told]

    def _compared(
        self, of: Ring | AccountDays, number: int, span: Span, day: date
    ) -> dict[str, Any]:
        now, before = so_far(span, day), same_before(span, day)
        wh, nanos = self._sum(of, number, now)
        wh_before, nanos_before = self._sum(of, number, before)
        return {
            "from": date.fromordinal(now.first).isoformat(),
            "to": date.fromordinal(now.last).isoformat(),
            "usedWh": wh,
            "charge": decimal_text(nanos),
            "before": {
                "from": date.fromordinal(before.first).isoformat(),
                "to": date.fromordinal(before.last).isoformat(),
                "usedWh": wh_before,
                "charge": decimal_text(nanos_before),
            },
        }

    def _sum(self, of: Ring | AccountDays, number: int, days: Days) -> tuple[int, int]:
        if number < 0:
            return 0, 0
        oldest = self.newest - DAYS_KEPT + 1
        kept = range(max(days.first, oldest), min(days.last, self.newest) + 1)
        places = [each % DAYS_KEPT for each in kept]
        if isinstance(of, AccountDays):
            return of.sums(number, places)
        both = of.sums[number, places].sum(axis=0)
        return int(both[WH]), int(both[NANOS])

    def reaches(self, span: Span, day: date) -> bool:
        """Whether an answer as of this day rests on days that are kept, and on none to come."""
        oldest = self.newest - DAYS_KEPT
        return same_before(span, day).first > oldest and day.toordinal() <= self.newest


@dataclass(slots=True)
class Money:
    """What the accounts of a group owe and have paid in advance now."""

    accounts: int = 0
    owed: int = 0
    open_bills: int = 0
    covered: int = 0

    def shown(self) -> dict[str, Any]:
        """As it is answered; the advance share is that of the bills not closed yet."""
        share = round(self.covered / self.open_bills, 4) if self.open_bills > 0 else None
        return {
            "accounts": self.accounts,
            "arrears": decimal_text(self.owed),
            "openBills": decimal_text(self.open_bills),
            "paidInAdvance": decimal_text(self.covered),
            "advanceShare": share,
        }


def _money_now(view: View, column: str) -> dict[tuple[str, str | None], Money]:
    """The money of every group, from the newest rows; exact sums."""
    count = min(len(view.book.ledger), len(view.look))  # records come meanwhile
    ledger, look = view.book.ledger[:count], view.look[:count]
    codes, code_of = np.unique(ledger[column], return_inverse=True)
    tariff = view.book.tariff_index[:count]
    currencies = [place.currency for place in view.places]
    open_bills = look["bill_nanos"] + look["previous_bill_nanos"]
    covered = np.minimum(np.maximum(ledger["ledger_nanos"], 0), np.maximum(open_bills, 0))
    owed = np.maximum(-ledger["ledger_nanos"], 0)
    found: dict[tuple[str, str | None], Money] = {}
    for place, currency in enumerate(currencies):
        index = place if place < len(currencies) - 1 else -1
        mine = np.flatnonzero(tariff == index)
        if not len(mine):
            continue
        group, size = code_of[mine], len(codes)
        sums = []
        for values in (np.ones(len(mine), np.int64), owed[mine], open_bills[mine], covered[mine]):
            sums.append(np.zeros(size, np.int64))
            np.add.at(sums[-1], group, values)
        for number in np.unique(group).tolist():
            money = found.setdefault((_text(column, codes[number]), currency), Money())
            money.accounts += int(sums[0][number])
            money.owed += int(sums[1][number])
            money.open_bills += int(sums[2][number])
            money.covered += int(sums[3][number])
    return found


def _text(column: str, code: Any) -> str:
    """A group's code as it is written."""
    return PAYMENT_MODES[int(code)].value if column == "payment_mode" else bytes(code).decode()
