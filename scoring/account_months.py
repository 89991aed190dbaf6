"""What did each account cost, pay and suffer in a month, by what the stream has told?

Days, payments, dunnings, trips and restores, taken up as they come, become one `kpis.AccountMonth`
for each account of a collector: the appraisal (月考核) rests on the same records as the bills.
What is told twice counts once.  Days are proleptic numbers of local time, money nanos.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from scoring.kpis import AccountMonth
from scoring.policy_terms import size_of
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

MONTHS_KEPT = 2
"""The month that runs, and the one before, whose last payments still come in."""


@dataclass(frozen=True, slots=True)
class Day:
    """One finished local day; `balance_nanos` at its end, below zero where money is missing."""

    day: int
    used_wh: int
    charge_nanos: int
    balance_nanos: int
    owed_nanos: int
    collector: str
    sector: str
    is_prepaid: bool


@dataclass(slots=True)
class _Month:
    used_wh: int = 0
    billed: int = 0
    opening: int | None = None
    closing: int = 0
    paid: int = 0
    paid_after: int = 0
    last_owed: int | None = None
    trips: int = 0
    wrongful: int = 0
    dunned_at: int = 0
    dunning_seconds: int | None = None
    restores: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Account:
    collector: str = ""
    sector: str = ""
    is_prepaid: bool = False
    newest_day: int = 0
    balance: int = 0
    owed: int = 0
    months: dict[int, _Month] = field(default_factory=dict)
    amounts: dict[str, tuple[int, int]] = field(default_factory=dict)
    tripped_at: int = 0
    paid_since_trip: bool = False
    asked_back_at: int = 0


class AccountMonths:
    """Every account of a collector, in the newest months."""

    def __init__(self) -> None:
        self._of: dict[str, _Account] = {}

    def take_day(self, account_id: str, told: Day) -> None:
        """A finished day; passed over if told before, or without a collector."""
        if not told.collector:
            return
        one = self._of.setdefault(account_id, _Account())
        if told.day <= one.newest_day:
            return
        number = month_of(told.day)
        month = one.months.get(number)
        if month is None:
            month = one.months[number] = _Month()
            _forget(one, number)
        if month.opening is None:
            began_before = one.newest_day and month_of(one.newest_day) < number
            month.opening = (
                one.balance if began_before else told.balance_nanos + told.charge_nanos - month.paid
            )
        month.used_wh += told.used_wh
        month.billed += told.charge_nanos
        month.closing = told.balance_nanos
        for earlier, kept in one.months.items():
            if earlier < number and told.owed_nanos > 0:
                kept.last_owed = told.day
        one.newest_day, one.balance, one.owed = told.day, told.balance_nanos, told.owed_nanos
        one.collector, one.sector = told.collector, told.sector
        one.is_prepaid = told.is_prepaid

    def take_payment(
        self, account_id: str, payment_id: str, amount_nanos: int, at: int, day: int
    ) -> None:
        """Money came; 0 takes back what this id was said to bring."""
        one = self._of.setdefault(account_id, _Account())
        if payment_id in one.amounts:
            known, known_day = one.amounts[payment_id]
            if amount_nanos or not known:
                return
            one.amounts[payment_id] = (0, known_day)
            amount_nanos, day = -known, known_day
        else:
            one.amounts[payment_id] = (amount_nanos, day)
        number = month_of(day)
        month = one.months.get(number)
        if month is None:
            month = one.months[number] = _Month()
            _forget(one, number)
        month.paid += amount_nanos
        for earlier, kept in one.months.items():
            if earlier < number:
                kept.paid_after += amount_nanos
            if amount_nanos > 0 and kept.dunned_at and kept.dunning_seconds is None:
                kept.dunning_seconds = max(0, at - kept.dunned_at)
        one.paid_since_trip |= amount_nanos > 0

    def take_dunning(self, account_id: str, at: int, day: int) -> None:
        """The customer was warned, given notice, or called on: the month's first counts."""
        month = self._month(account_id, day)
        if month is not None and not month.dunned_at:
            month.dunned_at = at

    def take_trip(self, account_id: str, at: int, day: int) -> None:
        """A trip was carried out."""
        month = self._month(account_id, day)
        if month is not None and self._of[account_id].tripped_at < at:
            one = self._of[account_id]
            month.trips += 1
            one.tripped_at, one.paid_since_trip, one.asked_back_at = at, False, 0

    def take_restore(self, account_id: str, at: int, day: int) -> None:
        """Supply was ordered back.  Without a payment since the trip, the trip was wrongful."""
        month = self._month(account_id, day)
        one = self._of.get(account_id)
        if month is None or one is None or one.asked_back_at or at < one.tripped_at:
            return
        if one.tripped_at:
            one.asked_back_at = at
            month.wrongful += not one.paid_since_trip

    def take_back(self, account_id: str, at: int, day: int) -> None:
        """Supply is reported back."""
        month = self._month(account_id, day)
        one = self._of.get(account_id)
        if month is not None and one is not None and 0 < one.asked_back_at <= at:
            month.restores.append(at - one.asked_back_at)
            one.asked_back_at = one.tripped_at = 0

    def months(self) -> list[int]:
        """The months of which a day is known, oldest first."""
        return sorted({
            number for one in self._of.values() for number, month in one.months.items()
            if month.opening is not None
        })[-MONTHS_KEPT:]  # fmt: skip

    def of(self, number: int, grades: Mapping[str, str]) -> list[AccountMonth]:
        """All accounts of a month (year x 12 + month - 1), by the grades that hold."""
        return [
            _told(account_id, one, one.months[number], number, grades.get(account_id, ""))
            for account_id, one in self._of.items()
            if number in one.months and one.months[number].opening is not None
        ]

    def _month(self, account_id: str, day: int) -> _Month | None:
        one = self._of.get(account_id)
        return None if one is None else one.months.get(month_of(day))


def month_of(day: int) -> int:
    """The billing month of a local day.

    >>> month_of(date(2026, 7, 6).toordinal()) == 2026 * 12 + 6
    True
    """
    when = date.fromordinal(day)
    return when.year * 12 + when.month - 1


def _forget(one: _Account, number: int) -> None:
    for old in [each for each in one.months if each <= number - MONTHS_KEPT]:
        del one.months[old]
    one.amounts = {
        name: kept for name, kept in one.amounts.items() if month_of(kept[1]) > number - MONTHS_KEPT
    }


def _told(account_id: str, one: _Account, month: _Month, number: int, grade: str) -> AccountMonth:
    """Money pays what is oldest; what was paid before counts first."""
    opening = month.opening or 0
    old = max(0, -opening)
    old_received = min(old, max(0, month.paid))
    carried_in = max(0, opening)
    advance = min(month.billed, carried_in + max(0, month.paid - old_received))
    later = max(0, month.paid_after - (old - old_received))
    closed = month_of(one.newest_day) > number
    return AccountMonth(
        account_id,
        one.collector,
        grade,
        one.sector,
        size_of(month.used_wh).value,
        billed_nanos=month.billed,
        received_nanos=min(month.billed, advance + later),
        advance_nanos=advance,
        old_arrears_nanos=old,
        old_received_nanos=old_received,
        days_past_due=_days_past_due(one, month, number) if closed else None,
        dunning_hours=None
        if month.dunning_seconds is None
        else month.dunning_seconds / SECONDS_PER_HOUR,
        is_prepaid=one.is_prepaid,
        carried_over_nanos=max(0, month.closing) if one.is_prepaid else 0,
        trips=month.trips,
        wrongful_trips=month.wrongful,
        restore_seconds=tuple(month.restores),
    )


def _days_past_due(one: _Account, month: _Month, number: int) -> int | None:
    """Days after the month on which arrears stood; None while they stand."""
    if one.owed > 0:
        return None
    ended = date((number + 1) // 12, (number + 1) % 12 + 1, 1).toordinal() - 1
    return 0 if month.last_owed is None else month.last_owed - ended


def local_day(at: int, offset_seconds: int) -> int:
    """The local day of an instant, by the zone's offset then.

    >>> local_day(0, 8 * 3600) == date(1970, 1, 1).toordinal()
    True
    """
    return (at + offset_seconds) // SECONDS_PER_DAY + date(1970, 1, 1).toordinal()
