"""What is the true balance of every account, and what was wrongly done or left undone?

A second, slow and independent answer: it takes the records of the input topics as they lie in the
log, and works out each account from its first day with plain Python integers, `datetime` and
`zoneinfo`.  It shares no line with `scoring/`; only the rules of the trade, as domain.md and the
issue state them, are the same.  What a record states is read in `oracle_facts`, what it makes of
energy is told in `oracle_usage`; the judgments about warnings, trips and restores are in
`oracle_judge`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.sheets import Sheet, Sheets
from tests.oracle_debts import LedgerBook
from tests.oracle_facts import LogRecord, Refusal, Refused, read_reading, seconds_of
from tests.oracle_usage import UsageOracle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NANOS = 10**9
MICROS = 10**6
MAX_FUTURE_SECONDS = 300
BILL_DUE_DAY = 20


# --- money ------------------------------------------------------------------------------------


def rounded(amount_nanos: int, quantum_nanos: int) -> int:
    """Half away from zero to the quantum.

    >>> rounded(125, 10), rounded(-125, 10), rounded(124, 10), rounded(7, 1)
    (130, -130, 120, 7)
    """
    size = (abs(amount_nanos) * 2 + quantum_nanos) // (2 * quantum_nanos) * quantum_nanos
    return size if amount_nanos >= 0 else -size


def small(amount: str, units: int) -> int:
    """A written decimal in whole small units; it must fit."""
    scaled = Decimal(amount) * units
    assert scaled == int(scaled), amount
    return int(scaled)


def bill_nanos(sheet: Sheet, used_wh: dict[int, int], days: int, before_wh: int) -> int:
    """What a month's usage by rate period costs; `before_wh` is the year's usage before it.

    domain.md 3.3 C6: a year's first 2,400 kWh are used up, 260 more cross the edge at 2,520.

    >>> from simulator.sheets import read_sheet
    >>> sheet = read_sheet({"tariffId": "r", "currency": "CNY", "zone": "Asia/Shanghai",
    ...   "validFrom": "2026-01-01", "ratePeriods": [{"name": "flat", "pricePerKwh": "0.5469"}],
    ...   "tiers": {"reset": "year", "steps": [{"uptoKwh": "2520", "addPerKwh": "0"},
    ...   {"uptoKwh": None, "addPerKwh": "0.05"}]}})
    >>> bill_nanos(sheet, {0: 260_000}, 30, 2_400_000) / NANOS
    149.194
    """
    plain = sheet.plain
    quantum = max(1, small(plain.get("rounding", "0"), NANOS))
    total = rounded(days * small(plain.get("standingPerDay", "0"), NANOS), quantum)
    for period, price in enumerate(sheet.prices):
        total += rounded(used_wh.get(period, 0) * small(str(price), MICROS), quantum)
    tiers = plain.get("tiers")
    if tiers:
        start = before_wh if tiers["reset"] == "year" else 0
        end, lower = start + sum(used_wh.values()), 0
        for step in tiers["steps"]:
            upper = end if step["uptoKwh"] is None else small(step["uptoKwh"], 1000)
            inside = max(0, min(end, upper) - max(start, lower))
            total += rounded(inside * small(step.get("addPerKwh", "0"), MICROS), quantum)
            lower = max(lower, upper)
    return total


# --- accounts ---------------------------------------------------------------------------------


@dataclass
class Account:
    """All facts of one account, in the order in which they were stamped."""

    account_id: str
    settings: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    payments: list[tuple[int, int]] = field(default_factory=list)  # postings but bills: at, nanos
    payment_ids: set[str] = field(default_factory=set)
    in_flight: dict[str, int] = field(default_factory=dict)  # id -> nanos
    book: LedgerBook = field(default_factory=LedgerBook)
    receipts: dict[str, int] = field(default_factory=dict)  # notice id -> first stamped at
    actions: list[tuple[int, str, str]] = field(default_factory=list)  # at, what, who
    oldest_due: list[tuple[int, date | None]] = field(default_factory=list)  # at, oldest unpaid
    usage: UsageOracle | None = None
    partition: int = -1
    now: int = 0  # when the record at hand was stamped
    accepted: list[Accepted] = field(default_factory=list)

    def terms(self, at: int) -> dict[str, Any] | None:
        """The settings in force at an instant."""
        known = [body for stamped, body in self.settings if stamped <= at]
        return max(known, key=lambda body: int(body["settingsVersion"]), default=None)

    def moves(self, until: int) -> list[int]:
        """When somebody else was named as customer than the last who was."""
        found, last = [], ""
        for stamped, body in self.settings:
            now = body.get("customerId", "") or last
            if last not in ("", now) and stamped <= until:
                found.append(stamped)
            last = now
        return found

    def note_oldest_due(self, at: int) -> None:
        """From this posting on, the last day to pay the oldest unpaid claim; None without one."""
        due = min((line.due for line in self.book.lines if line.left > 0), default=None)
        self.oldest_due.append((at, due))

    def paid_nanos(self, at: int | None = None) -> int:
        """Money received up to an instant, repeats counted once, less costs and late charges."""
        return sum(n for stamped, n in self.payments if at is None or stamped <= at)

    def local_date(self, at: int) -> date:
        """The customer's date; that of UTC while no terms are known."""
        zone = UTC if self.usage is None else self.usage.zone
        return datetime.fromtimestamp(at, UTC).astimezone(zone).date()


class Accepted(NamedTuple):
    """A reading that counted: the as-of time it led to, and where it lies."""

    read_at: int
    received_at: int
    place: tuple[int, int, int]


class Oracle:
    """Everything that follows from the records of the input topics."""

    def __init__(self, records: Iterable[LogRecord]) -> None:
        every = list(records)
        self.sheets = Sheets(
            [_without_version(r.value) for r in every if r.topic == "tariffs" and r.value]
        )
        self.accounts: dict[str, Account] = {}
        self.refusals: set[Refusal] = set()
        self.outcomes: dict[str, int] = defaultdict(int)
        for record in _in_order(every):
            self._take(record)

    def _take(self, record: LogRecord) -> None:
        if record.topic == "meter-readings":
            self._take_readings(record)
            return
        if record.topic == "ticks":
            self._days_turn(record)
            return
        take = _TAKE.get(record.topic)
        if take is None or record.key is None or record.value is None:
            return
        self._account(record.key).partition = record.partition
        take(self, record, json.loads(record.value))

    def _account(self, account_id: str) -> Account:
        return self.accounts.setdefault(account_id, Account(account_id))

    def _take_settings(self, record: LogRecord, body: dict[str, Any]) -> None:
        account = self._account(body["accountId"])
        account.settings.append((record.at, body))
        account.book.who = body["customerClass"]
        account.book.on_plan = body["paymentMode"] == "plan"
        if account.usage is None:
            account.usage = UsageOracle(self.sheets, body)
            account.usage.on_closed = partial(self._bills_closed, account)
            account.usage.on_corrected = partial(self._bill_corrected, account)
        else:
            account.usage.change_settings(body)
            self.counted(account, record.at, "0.0")

    def _take_payment(self, record: LogRecord, body: dict[str, Any]) -> None:
        account, name = self._account(body["accountId"]), body["paymentId"]
        kind = body.get("kind", "payment")
        if kind in ("settled", "failed"):
            amount = account.in_flight.pop(name, 0)
            if kind == "failed":
                account.payment_ids.add(name)
                if amount:
                    self._post(account, record, body, -amount)
        elif name not in account.payment_ids:
            account.payment_ids.add(name)
            amount = small(body["amount"], NANOS)
            if kind == "in-flight":
                account.in_flight[name] = amount
            self._post(account, record, body, -amount if kind == "collection-costs" else amount)

    def _post(self, account: Account, record: LogRecord, body: dict[str, Any], nanos: int) -> None:
        """Into the ledger book; what lateness cost is a posting of its own."""
        book, kind = account.book, body.get("kind", "payment")
        today, charges = account.local_date(seconds_of(body["paidAt"])), account.book.charges
        pays = body.get("pays", "")
        if kind == "collection-costs":
            book.cost(-nanos, today)
        elif kind in ("adjustment", "opening-balance"):
            due = date.fromisoformat(body["dueOn"]) if "dueOn" in body else None
            book.correct(nanos, today, pays, due)
        else:
            book.receive(nanos, today, pays)
        account.payments.append((record.at, nanos - (book.charges - charges)))
        account.note_oldest_due(record.at)

    def _bills_closed(self, account: Account, months: list[int], at: int) -> None:
        """Their bills become debts, where the balance does not cover them."""
        book, usage = account.book, account.usage
        assert usage is not None
        charges, bills = book.charges, []
        for month in months:
            nanos = month_bill_nanos(self.sheets, usage, month)
            year, month_of_year = divmod(month + 1, 12)
            due = date(year, month_of_year + 1, BILL_DUE_DAY)
            if nanos:
                bills.append((f"{month // 12}-{month % 12 + 1:02d}", due, nanos))
        if bills:
            book.bills(bills, account.local_date(at))
            account.note_oldest_due(at)
        if book.charges != charges:
            account.payments.append((at, charges - book.charges))

    def _bill_corrected(self, account: Account, month: int) -> Callable[[], None]:
        """A closed bill is about to fall: what it falls by pays that month's debt first."""
        book, usage, at = account.book, account.usage, account.now
        assert usage is not None
        before = month_bill_nanos(self.sheets, usage, month)

        def corrected() -> None:
            charges = book.charges
            fallen = before - month_bill_nanos(self.sheets, usage, month)
            name = f"{month // 12}-{month % 12 + 1:02d}"
            if fallen:
                book.correct(fallen, account.local_date(at), name)
            if book.charges != charges:
                account.payments.append((at, charges - book.charges))

        return corrected

    def _days_turn(self, record: LogRecord) -> None:
        """Time has come to a partition: what days that have ended cost late payers is posted."""
        for account in self.accounts.values():
            book = account.book
            if account.partition != record.partition or not any(x.left for x in book.lines):
                continue
            yesterday = account.local_date(record.at) - timedelta(days=1)
            charges = book.charges
            if any(line.left and line.due < yesterday for line in book.lines):
                book.charge(yesterday)
            if book.charges != charges:
                account.payments.append((record.at, charges - book.charges))

    def _take_receipt(self, record: LogRecord, body: dict[str, Any]) -> None:
        self._account(body["accountId"]).receipts.setdefault(body["noticeId"], record.at)

    def _take_action(self, record: LogRecord, body: dict[str, Any]) -> None:
        self._account(body["accountId"]).actions.append(
            (record.at, body["action"], body["operator"])
        )

    def _take_readings(self, record: LogRecord) -> None:
        try:
            body = json.loads(record.value or b"")
        except (ValueError, RecursionError):
            self._refuse(record, -1, "not_json")
            return
        many = isinstance(body, list)
        for item, one in enumerate(body if many else [body]):
            self._take_reading(record, item if many else -1, one)

    def _take_reading(self, record: LogRecord, item: int, body: Any) -> None:
        try:
            reading = read_reading(body, record, item)
            account = self._known(reading.account_id)
            assert account.usage is not None
            account.now = record.at
            outcome = account.usage.take(reading)
            self.outcomes[outcome] += 1
            if outcome == "accepted":
                account.accepted.append(Accepted(account.usage.read_at, record.at, reading.place))
                self.counted(account, record.at, reading.quality)
        except Refused as refused:
            self._refuse(record, item, str(refused))

    def _known(self, account_id: str) -> Account:
        account = self.accounts.get(account_id)
        if account is None or account.usage is None:
            raise Refused("unknown_account")
        return account

    def counted(self, account: Account, received_at: int, quality: str) -> None:
        """Energy has just been counted; for those who watch (see `oracle_judge`)."""

    def _refuse(self, record: LogRecord, item: int, reason: str) -> None:
        self.outcomes["refused"] += 1
        self.refusals.add(Refusal(record.topic, record.partition, record.offset, item, reason))

    # --- answers --------------------------------------------------------------------------------

    def balance_nanos(self, account_id: str) -> int:
        """Payments less all bills since the first reading, to the last nano."""
        account = self.accounts[account_id]
        return account.paid_nanos() - self.billed_nanos(account)

    def closed_days(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Every finished local day by (account, date): energy, and what of it is a guess."""
        return {
            (account.account_id, day.isoformat()): figures
            for account in self.accounts.values()
            if account.usage is not None
            for day, figures in account.usage.days().items()
        }

    def billed_nanos(self, account: Account) -> int:
        """All bills of an account up to its newest accepted reading."""
        usage = account.usage
        if usage is None or usage.first_month is None:
            return 0
        return billed_nanos(self.sheets, usage)


def billed_nanos(sheets: Sheets, usage: UsageOracle) -> int:
    """The bills of all months from the first to that of the newest reading, that one so far."""
    assert usage.first_month is not None
    last = datetime.fromtimestamp(usage.read_at - 1, UTC).astimezone(usage.zone)
    newest = last.year * 12 + last.month - 1
    return sum(
        month_bill_nanos(sheets, usage, month, last.day if month == newest else None)
        for month in range(usage.first_month, newest + 1)
    )


def month_bill_nanos(
    sheets: Sheets, usage: UsageOracle, month: int, days: int | None = None
) -> int:
    """One month's bill, of its first `days` or of all."""
    assert usage.first_month is not None
    year, month_of_year = divmod(month, 12)
    first = datetime(year, month_of_year + 1, 1, 12, tzinfo=usage.zone)
    sheet = sheets.at(usage.tariff_id, int(first.timestamp()))
    following = datetime(year + (month_of_year == 11), (month_of_year + 1) % 12 + 1, 1)  # noqa: DTZ001
    whole = (following - first.replace(tzinfo=None, hour=0)).days
    before = range(max(usage.first_month, year * 12), month)
    year_wh = sum(sum(usage.used_wh(earlier).values()) for earlier in before)
    return bill_nanos(sheet, usage.used_wh(month), whole if days is None else days, year_wh)


def _without_version(value: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(value)
    body.pop("version", None)
    return body


_RANK = {"tariffs": 0, "account-settings": 1, "payments": 2}


def _in_order(records: list[LogRecord]) -> list[LogRecord]:
    """Time order between topics, offset order within one: a partition's log is never reordered."""
    newest: dict[tuple[str, int], int] = {}
    keyed = []
    for record in sorted(records, key=lambda r: (r.topic, r.partition, r.offset)):
        lane = (record.topic, record.partition)
        newest[lane] = max(newest.get(lane, 0), record.at)
        keyed.append(((newest[lane], _RANK.get(record.topic, 9)), record))
    keyed.sort(key=lambda pair: pair[0])  # stable: offsets stay in order
    return [record for _, record in keyed]


_TAKE: dict[str, Any] = {
    "account-settings": Oracle._take_settings,
    "payments": Oracle._take_payment,
    "delivery-receipts": Oracle._take_receipt,
    "operator-actions": Oracle._take_action,
}
