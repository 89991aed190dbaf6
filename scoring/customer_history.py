"""Which facts of the credit score follow from what a large customer's stream has told?

A customer's days, months, capacity orders, missed instalments and entered facts, kept for as long
as the score looks back, and the columns of `credit_facts` they come to.  Each thing is kept under
its own date, so that what is told twice or out of order changes nothing.  Who its peers are is
told from outside, since no customer knows that alone.  Money is whole cents here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from statistics import median_low
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.calendar import EPOCH_DAY
from scoring.credit import months_since
from scoring.credit_facts import FACTS, no_facts
from scoring.power_factor import hundredths
from scoring.units import CENT_NANOS, SECONDS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from scoring.effects import LargeDay

YEAR_DAYS = 365
DAYS_KEPT = YEAR_DAYS + 90 + 5
"""A quarter against the same days a year before, and days that are told late."""

MONTHS_KEPT = 12
LEAST_DAYS = 30
"""Days told before a customer's ways of paying say anything."""

LEAST_PAIRED = 5
"""Of six: days that must be known of both spans before one is held against the other."""

LEAST_PEERS = 5
"""Customers of an industry and size before their median growth is one."""

POWER_FACTOR_STANDARD = 90
"""In hundredths, of high-voltage industry (domain.md 3.2), unless entered otherwise."""

OVERRUN_PERCENT = 105
"""Demand above this share of the contract is an overrun (domain.md 3.1, K40)."""

LONG_AGO = -(10**6)


@dataclass(slots=True)
class DayKept:
    """One local day: energy, charge, available balance at its end, what was past due."""

    used_wh: int
    charge_cents: int
    available_cents: int
    overdue_cents: int


@dataclass(slots=True)
class MonthKept:
    """One billing month: whether power factor or demand failed (None unmeasured), instalments."""

    has_failed: bool | None
    instalments: int


@dataclass(slots=True)
class CapacityOrder:
    """A change of capacity on a day: `kind` expanded, reduced or suspended, by so much."""

    day: int
    kind: str
    va: int


@dataclass(slots=True)
class Entered:
    """A fact that was entered or imported, as of a day; None takes it back."""

    value: int | None
    day: int


@dataclass(slots=True)
class CustomerHistory:
    """What is kept of one large customer; days are days since 1970 of its local time."""

    account_id: str
    industry: str = ""
    area: str = ""
    payment_mode: str = ""
    newest_day: int = LONG_AGO
    capacity_va: int = -1
    suspended_va: int = 0
    carried_over_cents: int = 0
    arrears_months: int = 0
    tripped_day: int = LONG_AGO
    days: dict[int, DayKept] = field(default_factory=dict)
    months: dict[int, MonthKept] = field(default_factory=dict)
    orders: list[CapacityOrder] = field(default_factory=list)
    missed_days: list[int] = field(default_factory=list)
    entered: dict[str, Entered] = field(default_factory=dict)

    def told(self, name: str, otherwise: int | None = None) -> int | None:
        """An entered fact, `otherwise` where there is none."""
        entered = self.entered.get(name)
        return otherwise if entered is None or entered.value is None else entered.value

    # --- what the stream tells --------------------------------------------------------------------

    def take_day(self, day: int, kept: DayKept, large: LargeDay) -> None:
        """A finished day; one told again replaces what was known of it."""
        if day <= self.newest_day - DAYS_KEPT:
            return
        self.days[day] = kept
        if day < self.newest_day:
            return
        standard = self.told("power_factor_standard", POWER_FACTOR_STANDARD) or 0
        when = date.fromordinal(day + EPOCH_DAY)
        month = when.year * 12 + when.month - 1
        self.months[month] = MonthKept(_has_failed(large, standard), large.instalments)
        self._take_capacity(day, large.capacity_va, large.suspended_va)
        self.carried_over_cents = large.carried_over_nanos // CENT_NANOS
        self.arrears_months = large.arrears_months
        self.newest_day = day
        self._forget(month)

    def take_trip(self, day: int) -> None:
        """A trip was carried out on this day."""
        self.tripped_day = max(self.tripped_day, day)

    def take_missed(self, day: int) -> None:
        """An instalment due on this day was missed."""
        if day not in self.missed_days:
            self.missed_days = sorted([*self.missed_days, day])

    def take_entered(self, name: str, value: int | None, day: int) -> None:
        """A fact as of a day; an older statement does not replace a newer one."""
        known = self.entered.get(name)
        if known is None or day >= known.day:
            self.entered[name] = Entered(value, day)

    def _take_capacity(self, day: int, capacity_va: int, suspended_va: int) -> None:
        if self.capacity_va > 0:
            more = capacity_va - self.capacity_va
            if more:
                kind = "expanded" if more > 0 else "reduced"
                self.orders.append(CapacityOrder(day, kind, abs(more)))
            if suspended_va > self.suspended_va:
                self.orders.append(CapacityOrder(day, "suspended", suspended_va))
        self.capacity_va, self.suspended_va = capacity_va, suspended_va

    def _forget(self, month: int) -> None:
        oldest = self.newest_day - DAYS_KEPT
        for day in [each for each in self.days if each <= oldest]:
            del self.days[day]
        for each in [each for each in self.months if each <= month - MONTHS_KEPT - 1]:
            del self.months[each]
        self.orders = [each for each in self.orders if each.day > oldest]
        self.missed_days = [each for each in self.missed_days if each > oldest]

    # --- what follows -----------------------------------------------------------------------------

    def is_late_between(self, first: int, end: int) -> bool:
        """Whether anything was past due on a day from `first` up to but not `end`."""
        owed = any(first <= day < end and kept.overdue_cents for day, kept in self.days.items())
        return owed or any(first <= day < end for day in self.missed_days)

    @property
    def billed_cents(self) -> int:
        """What the last year has cost."""
        return sum(kept.charge_cents for day, kept in self.days.items() if self._is_recent(day))

    def growth_ppm(self) -> int | None:
        """Growth of 90 days against the same days a year before, None where too few are known."""
        now, before = self._spans(90)
        return None if before <= 0 else (now - before) * 1_000_000 // before

    def _is_recent(self, day: int, span: int = YEAR_DAYS) -> bool:
        return self.newest_day - span < day <= self.newest_day

    def _spans(self, span: int) -> tuple[int, int]:
        """Energy of the last days and of the same days a year before, over days known of both.

        Without a year, of the 90 days before, both taken as if they had as many days; (0, 0) where
        too little is known.
        """
        recent = [day for day in self.days if self._is_recent(day, span)]
        paired = [day for day in recent if day - YEAR_DAYS in self.days]
        if 6 * len(paired) >= LEAST_PAIRED * span:
            now = sum(self.days[day].used_wh for day in paired)
            return now, sum(self.days[day - YEAR_DAYS].used_wh for day in paired)
        first = self.newest_day - span
        earlier = [day for day in self.days if first - 90 < day <= first]
        is_known = 6 * len(recent) >= LEAST_PAIRED * span and 6 * len(earlier) >= LEAST_PAIRED * 90
        if not is_known:
            return 0, 0
        now = sum(self.days[day].used_wh for day in recent)
        return now * len(earlier), sum(self.days[day].used_wh for day in earlier) * len(recent)

    def facts(
        self, today: int, peers: Peers, registered: Mapping[str, int] | None = None
    ) -> NDArray[Any]:
        """All that is known on a local day, (1,) of credit_facts.FACTS.

        `registered` facts hold in place of entered ones (`credit_register`).
        """
        one = no_facts(1)
        stated = {name: each.value for name, each in self.entered.items()} | dict(registered or {})
        for name, value in stated.items():
            if value is not None and name in (FACTS.names or ()):
                one[name] = value
        visited = stated.get("visited_day")
        if visited is not None:
            one["days_since_visit"] = max(today - visited, 0)
        self._put_usage(one, peers)
        self._put_capacity(one)
        self._put_money(one, peers, stated.get("security_cents") or 0)
        self._put_record(one, today)
        measured = [month.has_failed for month in self.months.values()]
        if any(each is not None for each in measured):
            one["months_failed"] = min(sum(each is True for each in measured), MONTHS_KEPT)
        return one

    def _put_usage(self, one: NDArray[Any], peers: Peers) -> None:
        now, before = self._spans(30)
        if before > 0:
            one["usage_recent_wh"], one["usage_before_wh"] = now, before
        now, before = self._spans(90)
        growth = peers.growth_ppm.get(peers.group_of(self))
        if before > 0 and growth is not None:
            one["usage_90d_wh"], one["usage_90d_before_wh"] = now, before
            one["peer_growth_ppm"] = growth

    def _put_capacity(self, one: NDArray[Any]) -> None:
        if self.capacity_va <= 0:
            return
        orders = [each for each in self.orders if self._is_recent(each.day)]
        for kind in ("expanded", "reduced"):
            one[f"capacity_{kind}"] = any(each.kind == kind for each in orders)
        suspended = [each.va for each in orders if each.kind == "suspended"]
        one["suspended_va"] = max([*suspended, self.suspended_va])
        one["capacity_va"] = self.capacity_va

    def _put_money(self, one: NDArray[Any], peers: Peers, secured_cents: int) -> None:
        if len(self.days) < LEAST_DAYS:
            return
        newest, billed = self.days[self.newest_day], self.billed_cents
        one["security_cents"] = secured_cents + max(newest.available_cents, 0)
        charges = self._charges_of_30()
        one["exposure_cents"] = max(charges.values())
        one["billed_cents"] = billed
        recent = sum(self._is_recent(day) for day in self.days)
        one["billed_months"] = max(1, min(recent * 12 // YEAR_DAYS, 12))
        one["billed_no_more"], one["billed_peers"] = peers.rank(self.area, billed)
        if self.payment_mode == "prepaid":
            covers = []
            for day, kept in self.days.items():
                charge = charges[day]
                if self._is_recent(day, 90) and charge > 0:
                    covers.append(kept.available_cents * 30 * SECONDS_PER_DAY // charge)
            if len(covers) >= LEAST_DAYS:
                one["cover_seconds"] = median_low(covers)

    def _charges_of_30(self) -> dict[int, int]:
        """What the thirty days up to each known day have cost."""
        first = min(self.days)
        charges = np.zeros(max(self.days) - first + 1, np.int64)
        for day, kept in self.days.items():
            charges[day - first] = kept.charge_cents
        so_far = np.concatenate([np.zeros(30, np.int64), np.cumsum(charges)])
        sums = (so_far[30:] - so_far[:-30]).tolist()
        return {day: sums[day - first] for day in self.days}

    def _put_record(self, one: NDArray[Any], today: int) -> None:
        """How dues were paid.

        A due past due for k days is k times in the daily sum of what is past due, so that sum over
        what fell due is the mean days past due, weighted by amount.  Days before a due date cannot
        be seen so; that all was paid early is known only where it is entered.
        """
        if self.tripped_day > LONG_AGO:
            one["tripped_day"] = self.tripped_day
        one["arrears_months"] = self.arrears_months
        kept = self.told("repayment_agreement_kept", 0)
        one["old_arrears_unagreed"] = self.carried_over_cents > 0 and not kept
        recent = {day: each for day, each in self.days.items() if self._is_recent(day)}
        if len(recent) < LEAST_DAYS:
            return
        newest = recent[self.newest_day]
        one["unpaid_at_period_end"] = newest.overdue_cents > 0
        one["dues_cents"] = self.billed_cents
        one["days_late_cents"] = sum(each.overdue_cents for each in recent.values())
        run = longest = 0
        for day in sorted(recent):
            run = run + 1 if recent[day].overdue_cents else 0
            longest = max(longest, run)
        early = self.told("latest_days")
        one["latest_days"] = early if early is not None and not longest else longest
        if longest == 0 and early is not None and early < 0:
            one["days_late_cents"] = early * self.billed_cents
        due = sum(month.instalments for month in self.months.values())
        missed = sum(self._is_recent(day) for day in self.missed_days)
        if due:
            one["instalments_due"], one["instalments_kept"] = due, max(due - missed, 0)
        bad = [day for day, each in self.days.items() if each.overdue_cents] + self.missed_days
        for name in ("theft_day", "misuse_day"):
            bad += [each] if (each := self.told(name)) is not None else []
        since = max(bad, default=min(self.days))
        one["clean_months"] = max(int(months_since(np.array([since]), today)[0]), 0)


def _has_failed(large: LargeDay, standard: int) -> bool | None:
    """Whether a month's power factor is below standard or its demand overran; None: unmeasured."""
    is_over = 0 < large.contract_w * OVERRUN_PERCENT < 100 * large.max_demand_w
    if large.month_reactive_varh is None:
        return True if is_over else None
    active, reactive = np.array([large.month_wh]), np.array([large.month_reactive_varh])
    return is_over or bool(hundredths(active, reactive)[0] < standard)


@dataclass(frozen=True, slots=True)
class Peers:
    """What customers are among the others: median growth by group, sorted bills by unit."""

    growth_ppm: dict[tuple[str, int], int]
    billed_cents: dict[str, list[int]]

    @staticmethod
    def group_of(history: CustomerHistory) -> tuple[str, int]:
        """Industry and size band: the power of ten of the year's bill."""
        return history.industry, len(str(max(history.billed_cents, 0)))

    def rank(self, area: str, billed: int) -> tuple[int, int]:
        """How many customers of the unit are billed no more, itself included, and how many are."""
        of_unit = self.billed_cents.get(area, [])
        no_more = int(np.searchsorted(of_unit, billed, side="right"))
        return (no_more, len(of_unit)) if no_more else (1, len(of_unit) + 1)


def peers_of(histories: Iterable[CustomerHistory]) -> Peers:
    """What these customers are among each other."""
    growth: dict[tuple[str, int], list[int]] = {}
    billed: dict[str, list[int]] = {}
    for each in histories:
        billed.setdefault(each.area, []).append(each.billed_cents)
        grown = each.growth_ppm()
        if grown is not None:
            growth.setdefault(Peers.group_of(each), []).append(grown)
    medians = {
        group: median_low(some) for group, some in growth.items() if len(some) >= LEAST_PEERS
    }
    return Peers(medians, {area: sorted(some) for area, some in billed.items()})
