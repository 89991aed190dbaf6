"""What does a payment, a reversal, a correction or a closed bill do to a ledger?

Every posting that is not a bill comes with an id and counts once.  It changes the ledger by its
amount, and where the ledger is or falls below zero, the account's debts with it, so that they
always add up to the lack.  This file is the only one that does so; what is paid first is told in
`scoring.debts`, how a bill comes to be closed in `scoring.balance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.debts import Debts
from scoring.effects import Reason
from scoring.events import CustomerClass, PaymentKind, PaymentMode, PaymentReceived
from scoring.units import MAX_NANOS, SECONDS_PER_DAY, money_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.balance import BillsClosed
    from scoring.book import Accounts
    from scoring.late_charge import LateChargeRules
    from scoring.tariff import Tariffs

REMEMBERED_DAYS = 35
"""Days for which a payment's id is kept, as long as there is room for it: payment systems repeat
within minutes, a bank's file within days, a month's reconciliation within a month (proposal).
Past that, and past the room for ids, a repeat is known by its day: see `_is_forgotten`."""

MAX_FUTURE_DAYS = 1
"""How far ahead of its record a payment may be dated, for clocks and zones."""

EPOCH_DAY = 10_957
"""2000-01-01 in days since 1970: the first day of `payment_days`."""

UNIX_ORDINAL = 719_163
CLASSES, MODES = tuple(CustomerClass), tuple(PaymentMode)


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a payment record: refused by name, or taken; `is_repeat`: it was before.

    `unmet_nanos` have paid other claims than the month the customer named, which has no bill.
    """

    refused: Reason | None = None
    is_repeat: bool = False
    unmet_nanos: int = 0


def payment_hash(payment_id: str) -> int:
    """The 64 bits by which a payment is known again; never 0, which stands for none."""
    return int.from_bytes(blake2b(payment_id.encode(), digest_size=8).digest(), "big") or 1


def post_payment(
    one: Accounts, paid: PaymentReceived, tariffs: Tariffs, rules: LateChargeRules
) -> Posted:
    """Enter a payment record in the books of its `one` account; a repeat changes nothing.

    Refused, and nothing changed: an amount the ledger cannot hold, a day to come, an id so old that
    nobody can say whether it was counted, one payment on its way too many, and the landing of a
    payment that is not on its way.
    """
    number, day = payment_hash(paid.payment_id), paid.paid_at // SECONDS_PER_DAY
    if day > paid.received_at // SECONDS_PER_DAY + MAX_FUTURE_DAYS:
        return Posted(Reason.PAID_IN_FUTURE)
    if paid.kind in (PaymentKind.SETTLED, PaymentKind.FAILED):
        return _land(one, paid, number, tariffs, rules)
    if _is_known(one, number):
        return Posted(is_repeat=True)
    if _is_forgotten(one, day):
        return Posted(Reason.PAYMENT_TOO_OLD)
    amount = paid.amount_nanos
    if paid.kind is PaymentKind.COLLECTION_COSTS:
        amount = -amount
    if abs(int(one.ledger["ledger_nanos"][0]) + amount) > MAX_NANOS:
        return Posted(Reason.AMOUNT_OUT_OF_RANGE)
    if paid.kind is PaymentKind.IN_FLIGHT and not _take_off(one, number, amount):
        return Posted(Reason.LIMIT_REACHED)
    _remember(one, number, day, paid.received_at // SECONDS_PER_DAY)
    return Posted(unmet_nanos=_post(one, amount, paid, tariffs, rules))


def unmet_text(paid: PaymentReceived, unmet_nanos: int) -> str:
    """What is told of a payment whose month has no bill.

    >>> paid = PaymentReceived("a", 0, 0, "p-1", 60 * 10**9, 0, pays=2026 * 12 + 6)
    >>> unmet_text(paid, 40 * 10**9)
    'payment p-1 of 60.00 names 2026-07, of which no bill is owed: 40.00 pay what was due first'
    """
    month = f"{paid.pays // 12:04d}-{paid.pays % 12 + 1:02d}"
    return (
        f"{paid.kind.value} {paid.payment_id} of {money_text(paid.amount_nanos)} names {month}, "
        f"of which no bill is owed: {money_text(unmet_nanos)} pay what was due first"
    )


# --- payments on their way -----------------------------------------------------------------------


def _take_off(one: Accounts, number: int, amount: int) -> bool:
    """Note a payment that counts until it fails; False if too many are on their way."""
    annex = one.annexes.make(0)
    free = np.flatnonzero(annex["in_flight_hashes"][0] == 0)
    if not len(free):
        return False
    annex["in_flight_hashes"][0, free[0]], annex["in_flight_nanos"][0, free[0]] = number, amount
    return True


def _land(
    one: Accounts, paid: PaymentReceived, number: int, tariffs: Tariffs, rules: LateChargeRules
) -> Posted:
    """A payment on its way has arrived, or failed: what it counted for is then taken back.

    A failure that comes before its payment makes the payment, when it comes, a repeat.
    """
    annex = one.annexes.row(0)
    place = _in_flight(annex, number)
    if annex is None or place is None:
        if _is_known(one, number):
            return Posted(is_repeat=True)  # it has landed before
        if paid.kind is PaymentKind.SETTLED:
            return Posted(Reason.UNKNOWN_PAYMENT)
        day = paid.received_at // SECONDS_PER_DAY
        _remember(one, number, paid.paid_at // SECONDS_PER_DAY, day)
        return Posted()
    amount = int(annex["in_flight_nanos"][0, place])
    if paid.kind is PaymentKind.FAILED:
        if abs(int(one.ledger["ledger_nanos"][0]) - amount) > MAX_NANOS:
            return Posted(Reason.AMOUNT_OUT_OF_RANGE)
        _post(one, -amount, paid, tariffs, rules)
    annex["in_flight_hashes"][0, place] = annex["in_flight_nanos"][0, place] = 0
    return Posted()


def _in_flight(annex: NDArray[Any] | None, number: int) -> int | None:
    """Where in the annex the payment of this hash is on its way."""
    if annex is None:
        return None
    found = np.flatnonzero(annex["in_flight_hashes"][0] == np.uint64(number))
    return int(found[0]) if len(found) else None


# --- the ledger and its debts --------------------------------------------------------------------


def _post(
    one: Accounts, amount: int, paid: PaymentReceived, tariffs: Tariffs, rules: LateChargeRules
) -> int:
    """Change the ledger by an amount, and the debts by as much of it as they explain.

    Says how much has paid other claims because the month that was named has no bill.
    """
    ledger = one.ledger
    ledger["ledger_changed"] = 1
    if not _lacks(one) and int(ledger["ledger_nanos"][0]) + amount >= 0:
        ledger["ledger_nanos"] += amount
        return 0
    day = _local_day(one, paid.paid_at, tariffs)
    annex = one.annexes.make(0)
    debts = Debts.of(annex)
    _charge(one, debts, day, rules, paid=amount > 0)
    ledger["ledger_nanos"] += amount
    short = max(0, -int(ledger["ledger_nanos"][0])) - debts.owed_nanos
    unmet = 0
    if short <= 0:
        if amount > 0 and not debts.knows(paid.pays):
            unmet = min(-short, debts.owed_nanos)
        debts.pay(-short, paid.pays)
    elif paid.kind is PaymentKind.COLLECTION_COSTS:
        debts.costs_nanos += short
    elif paid.kind in (PaymentKind.ADJUSTMENT, PaymentKind.OPENING_BALANCE):
        debts.owe(short, max(0, paid.pays), paid.due_day or day + rules.days_to_pay)
    else:
        debts.give_back(short, day, day + rules.days_to_pay)
    debts.write(annex)
    return unmet


def post_bills(
    accounts: Accounts,
    closed: BillsClosed,
    at: NDArray[np.int64],
    tariffs: Tariffs,
    rules: LateChargeRules,
) -> None:
    """Make debts of the bills that have just been posted to these ledgers, at the instants `at`.

    The ledgers have been changed already (`balance.close_months`); what was paid in advance has
    paid the oldest of them.
    """
    by_position: dict[int, list[tuple[int, int]]] = {}
    for position, month, nanos in closed.entries:
        by_position.setdefault(position, []).append((month, nanos))
    for position, bills in by_position.items():
        one = accounts.one(position)
        if not _lacks(one):
            continue
        annex = one.annexes.make(0)
        debts = Debts.of(annex)
        _charge(one, debts, _local_day(one, int(at[position]), tariffs), rules)
        short = max(0, -int(one.ledger["ledger_nanos"][0])) - debts.owed_nanos
        if short < 0:
            debts.pay(-short)  # at negative prices a bill is a credit
        for month, nanos in reversed(bills):
            part = min(short, max(0, nanos))
            if part > 0:
                debts.owe(part, month, rules.due_day_of_bill(month))
                short -= part
        debts.write(annex)
        accounts.keep_annex(position, one)


def post_adjustment(
    accounts: Accounts,
    position: int,
    nanos: int,
    month: int,
    at: int,
    tariffs: Tariffs,
    rules: LateChargeRules,
) -> None:
    """Post what a closed month's bill has fallen by, in favour of the customer if positive.

    It pays that month's bill first, as a correction from outside that names it would.
    """
    one = accounts.one(position)
    posting = PaymentReceived("", 0, at, "", nanos, at, PaymentKind.ADJUSTMENT, month)
    _post(one, nanos, posting, tariffs, rules)
    accounts.keep_annex(position, one)


def _lacks(one: Accounts) -> bool:
    """Whether the ledger is below zero, something was owed, or paid debts are still known."""
    if int(one.ledger["ledger_nanos"][0]) < 0:
        return True
    annex = one.annexes.row(0)
    if annex is None:
        return False
    columns = ("late_charge_nanos", "costs_nanos")
    return bool(annex["debt_due_day"][0, 0] or any(annex[name][0] for name in columns))


def turn_days(
    accounts: Accounts,
    positions: NDArray[np.int64],
    days: NDArray[np.int64],
    rules: LateChargeRules,
) -> None:
    """Post the late charge of the days that have ended, where local days (k,) have just begun."""
    for position, day in zip(positions.tolist(), days.tolist(), strict=True):
        annex = accounts.annexes.make(position)
        annex["turned_day"] = day
        debts = Debts.of(annex)
        if any(debt.nanos and debt.due_day < day - 1 for debt in debts.principal):
            _charge(accounts.one(position), debts, day - 1, rules)
            debts.write(annex)


def _charge(
    one: Accounts, debts: Debts, day: int, rules: LateChargeRules, *, paid: bool = False
) -> None:
    """Post the late charge up to a day, before money moves or when a day has ended."""
    mode = MODES[int(one.ledger["payment_mode"][0])]
    if debts.principal and mode in rules.modes:
        who = CLASSES[int(one.ledger["customer_class"][0])]
        one.ledger["ledger_nanos"] -= debts.charge(day, who, rules, paid=paid)


def _local_day(one: Accounts, at: int, tariffs: Tariffs) -> int:
    """The local date as an ordinal; the date in UTC while the account's tariff is unknown."""
    index = one.tariff_index[:1]
    if index[0] < 0:
        return at // SECONDS_PER_DAY + UNIX_ORDINAL
    return int(tariffs.day_of(index, np.array([at]))[0])


# --- which payments are known --------------------------------------------------------------------


def _is_known(one: Accounts, number: int) -> bool:
    """Whether a payment of this hash has been counted."""
    annex = one.annexes.row(0)
    wanted = np.uint64(number)
    return bool(
        (one.ledger["payment_hashes"][0] == wanted).any()
        or (annex is not None and (annex["payment_hashes"][0] == wanted).any())
    )


def _is_forgotten(one: Accounts, day: int) -> bool:
    """Whether a payment of this day may have been counted and its id not been kept.

    Ids are given up oldest day first, and the newest day given up is remembered.  A repeat carries
    the day of its original, so an unknown id of a later day is new for certain; one of that day or
    before might be either, and is refused rather than counted twice.
    """
    return day - EPOCH_DAY <= int(one.ledger["payments_forgotten_day"][0])


def _remember(one: Accounts, number: int, day: int, today: int) -> None:
    """Keep a payment's id: in the row, in the place of one that is old, or else in the annex."""
    ledger = one.ledger
    hashes, days = ledger["payment_hashes"][0], ledger["payment_days"][0]
    place = _place(hashes, days, today)
    if place is None:
        annex, in_row = one.annexes.make(0), (hashes, days)
        hashes, days = annex["payment_hashes"][0], annex["payment_days"][0]
        place = _place(hashes, days, today)
        if place is None:
            if in_row[1].min() <= days.min():
                hashes, days = in_row
            place = int(np.argmin(days))
    if hashes[place]:
        newest = max(int(ledger["payments_forgotten_day"][0]), int(days[place]))
        ledger["payments_forgotten_day"] = newest
    hashes[place], days[place] = number, max(0, day - EPOCH_DAY)


def _place(hashes: NDArray[Any], days: NDArray[Any], today: int) -> int | None:
    """A free place, or that of the oldest id if it is older than REMEMBERED_DAYS."""
    free = np.flatnonzero(hashes == 0)
    if len(free):
        return int(free[0])
    oldest = int(np.argmin(days))
    return oldest if int(days[oldest]) + EPOCH_DAY < today - REMEMBERED_DAYS else None
