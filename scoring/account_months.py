"""What did each account cost, pay and suffer in a month, by what the stream has told?

Days, payments, dunnings, trips and restores, taken up as they come, become one `kpis.AccountMonth`
for each account of a collector: the appraisal (月考核) rests on the same records as the bills.
Each thing is kept under its own instant and reckoned when it is asked for, so that what is told
twice counts once, and whoever starts anew and reads one topic before another finds the same.
Days are proleptic numbers of local time, money nanos.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from scoring.kpis import AccountMonth
from scoring.policy_terms import size_of
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MONTHS_KEPT = 2
"""The month that runs, and the one before, whose last payments still come in."""

EVENT_MONTHS = MONTHS_KEPT + 1
"""Payments and commands are kept a month longer: a trip is judged by what was paid since, if it was
undone in its own month or the next."""

UNFINISHED_MONTHS = EVENT_MONTHS + 1
"""Of an account whose days are not told, or not yet: payments come before the day they belong to is
finished."""

TRIP, PAYMENT, RESTORE, BACK = range(4)
"""What happens to a supply, in the order in which things of one second are taken."""


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
    """The finished days of a month; `opening` None where no earlier day is known."""

    opening: int | None
    first_day: int
    first_balance: int
    used_wh: int = 0
    billed: int = 0
    closing: int = 0
    last_owed: int | None = None


@dataclass(slots=True)
class _Supply:
    """What the commands of an account come to, by local day; restores with their seconds."""

    trips: list[int] = field(default_factory=list)
    wrongful: list[int] = field(default_factory=list)
    restored: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Account:
    collector: str = ""
    sector: str = ""
    is_prepaid: bool = False
    newest_day: int = 0
    balance: int = 0
    owed: int = 0
    months: dict[int, _Month] = field(default_factory=dict)
    payments: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """By id: nanos, instant, local day."""
    dunned: dict[int, int] = field(default_factory=dict)
    """By month: its first dunning."""
    commands: dict[tuple[int, int], int] = field(default_factory=dict)
    """By instant and TRIP, RESTORE or BACK: the local day."""
    newest_month: int = 0
    """Of anything told."""

    @property
    def forgotten_to(self) -> int:
        """The last month of which no event is kept, by what is told alone and not by its order."""
        told = self.newest_month - UNFINISHED_MONTHS
        return max(told, month_of(self.newest_day) - EVENT_MONTHS) if self.newest_day else told


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
            opening = one.balance if one.newest_day else None
            month = _Month(opening, told.day, told.balance_nanos + told.charge_nanos)
            one.months = {
                earlier: kept
                for earlier, kept in one.months.items()
                if earlier > number - MONTHS_KEPT
            } | {number: month}
        month.used_wh += told.used_wh
        month.billed += told.charge_nanos
        month.closing = told.balance_nanos
        for earlier, kept in one.months.items():
            if earlier < number and told.owed_nanos > 0:
                kept.last_owed = told.day
        before = one.forgotten_to
        one.newest_day, one.balance, one.owed = told.day, told.balance_nanos, told.owed_nanos
        one.newest_month = max(one.newest_month, number)
        if one.forgotten_to > before:
            _forget(one)
        one.collector, one.sector = told.collector, told.sector
        one.is_prepaid = told.is_prepaid

    def take_payment(
        self, account_id: str, payment_id: str, amount_nanos: int, at: int, day: int
    ) -> None:
        """Money came; 0 takes back what this id was said to bring."""
        one = self._account(account_id, day)
        if one is None:
            return
        if payment_id not in one.payments:
            one.payments[payment_id] = amount_nanos, at, day
        elif not amount_nanos:
            one.payments[payment_id] = (0, *one.payments[payment_id][1:])

    def take_dunning(self, account_id: str, at: int, day: int) -> None:
        """The customer was warned, given notice, or called on: the month's first counts."""
        one, number = self._account(account_id, day), month_of(day)
        if one is not None:
            one.dunned[number] = min(at, one.dunned.get(number, at))

    def take_trip(self, account_id: str, at: int, day: int) -> None:
        """A trip was carried out."""
        self._take_command(account_id, at, day, TRIP)

    def take_restore(self, account_id: str, at: int, day: int) -> None:
        """Supply was ordered back.  Without a payment since the trip, the trip was wrongful."""
        self._take_command(account_id, at, day, RESTORE)

    def take_back(self, account_id: str, at: int, day: int) -> None:
        """Supply is reported back."""
        self._take_command(account_id, at, day, BACK)

    def _take_command(self, account_id: str, at: int, day: int, kind: int) -> None:
        one = self._account(account_id, day)
        if one is not None:
            one.commands[at, kind] = day

    def months(self) -> list[int]:
        """The months of which a day is known, oldest first."""
        return sorted({number for one in self._of.values() for number in one.months})[-MONTHS_KEPT:]

    def of(self, number: int, grades: Mapping[str, str]) -> list[AccountMonth]:
        """All accounts of a month (year x 12 + month - 1), by the grades that hold."""
        return [
            _told(account_id, one, number, grades.get(account_id, ""))
            for account_id, one in sorted(self._of.items())
            if number in one.months
        ]

    def _account(self, account_id: str, day: int) -> _Account | None:
        """An account to which something happened on a day; None if that is too long ago."""
        one, number = self._of.setdefault(account_id, _Account()), month_of(day)
        before = one.forgotten_to
        one.newest_month = max(one.newest_month, number)
        if one.forgotten_to > before:
            _forget(one)
        return one if number > one.forgotten_to else None


def month_of(day: int) -> int:
    """The billing month of a local day.

    >>> month_of(date(2026, 7, 6).toordinal()) == 2026 * 12 + 6
    True
    """
    when = date.fromordinal(day)
    return when.year * 12 + when.month - 1


def _forget(one: _Account) -> None:
    last = one.forgotten_to
    one.payments = {name: kept for name, kept in one.payments.items() if month_of(kept[2]) > last}
    one.commands = {key: day for key, day in one.commands.items() if month_of(day) > last}
    one.dunned = {number: at for number, at in one.dunned.items() if number > last}


def _supply(one: _Account) -> _Supply:
    """Trips, wrongful trips and restores by the days on which they came about."""
    events = [(at, kind, day) for (at, kind), day in one.commands.items()]
    if not events:
        return _Supply()
    events += [(at, PAYMENT, day) for amount, at, day in one.payments.values() if amount > 0]
    found, has_paid, tripped_on, asked_back_at = _Supply(), False, 0, 0
    for at, kind, day in sorted(events):
        if kind == TRIP:
            found.trips.append(day)
            tripped_on, has_paid, asked_back_at = day, False, 0
        elif kind == PAYMENT:
            has_paid = True
        elif kind == RESTORE and tripped_on and not asked_back_at:
            asked_back_at = at
            if not has_paid and month_of(day) <= month_of(tripped_on) + 1:
                found.wrongful.append(day)
        elif kind == BACK and asked_back_at:
            found.restored.append((day, at - asked_back_at))
            tripped_on = asked_back_at = 0
    return found


def _told(account_id: str, one: _Account, number: int, grade: str) -> AccountMonth:
    """Money pays what is oldest; what was paid before counts first."""
    month, supply = one.months[number], _supply(one)
    paid = sum(amount for amount, _, day in one.payments.values() if month_of(day) == number)
    after = sum(amount for amount, _, day in one.payments.values() if month_of(day) > number)
    opening = _opening(one, month, number)
    old = max(0, -opening)
    old_received = min(old, max(0, paid))
    carried_in = max(0, opening)
    advance = min(month.billed, carried_in + max(0, paid - old_received))
    later = max(0, after - (old - old_received))
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
        dunning_hours=_dunning_hours(one, number),
        is_prepaid=one.is_prepaid,
        carried_over_nanos=max(0, month.closing) if one.is_prepaid else 0,
        trips=_of_month(supply.trips, number),
        wrongful_trips=_of_month(supply.wrongful, number),
        restore_seconds=tuple(took for day, took in supply.restored if month_of(day) == number),
    )


def _opening(one: _Account, month: _Month, number: int) -> int:
    """The balance with which a month began; of an account's first, before its first day."""
    if month.opening is not None:
        return month.opening
    return month.first_balance - sum(
        amount
        for amount, _, day in one.payments.values()
        if month_of(day) == number and day <= month.first_day
    )


def _dunning_hours(one: _Account, number: int) -> float | None:
    """From a month's first dunning to the first payment that followed it."""
    if number not in one.dunned:
        return None
    dunned_at = one.dunned[number]
    followed = [at for amount, at, _ in one.payments.values() if amount > 0 and at >= dunned_at]
    return (min(followed) - dunned_at) / SECONDS_PER_HOUR if followed else None


def _of_month(days: Iterable[int], number: int) -> int:
    return sum(month_of(day) == number for day in days)


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
