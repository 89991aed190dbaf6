"""Of what is an account short, since when, and what does a payment pay first?

Where a ledger is below zero, its debts say which claims make up the lack: bills, each with its last
day to pay, costs of collection, late charges.  They always add up to exactly what the ledger lacks;
an account that lacks nothing has none, and its payments are simply its balance.  This file keeps
the claims; what a posting does to the ledger itself is told in `scoring.postings`, what lateness
costs in `scoring.late_charge`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.annex import MAX_DEBTS
from scoring.calendar import EPOCH_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.events import CustomerClass
    from scoring.late_charge import LateChargeRules

COLUMNS = (
    *("debt_nanos", "debt_paid_nanos", "debt_accrued_nanos", "debt_charged_nanos"),
    *("debt_month", "debt_due_day", "debt_until_day"),
)


class Pays(IntEnum):
    """What a customer says a payment is for; any other number is a billing month."""

    ANYTHING = 0
    COSTS = -1
    LATE_CHARGE = -2


@dataclass(slots=True)
class Debt:
    """One claim: `nanos` left of it and `paid_nanos` of it paid.

    `month` is its billing month (0: no bill), `due_day` the last local day to pay, `until_day` the
    last one whose late charge is in `accrued_nanos`, of which `charged_nanos` have been posted.
    """

    nanos: int
    paid_nanos: int
    accrued_nanos: int
    charged_nanos: int
    month: int
    due_day: int
    until_day: int


@dataclass(slots=True)
class Debts:
    """All claims on one account, the one due first in front."""

    principal: list[Debt] = field(default_factory=list)
    late_charge_nanos: int = 0
    costs_nanos: int = 0

    @classmethod
    def of(cls, annex: NDArray[Any]) -> Debts:
        """The claims in an annex (1,)."""
        count = int(np.count_nonzero(annex["debt_due_day"][0]))
        columns = [annex[name][0, :count].tolist() for name in COLUMNS]
        principal = [Debt(*figures) for figures in zip(*columns, strict=True)]
        late_charge, costs = int(annex["late_charge_nanos"][0]), int(annex["costs_nanos"][0])
        return cls(principal, late_charge, costs)

    def write(self, annex: NDArray[Any]) -> None:
        """Into an annex (1,)."""
        for name, attribute in zip(COLUMNS, Debt.__slots__, strict=True):
            figures = [getattr(debt, attribute) for debt in self.principal]
            annex[name][0] = figures + [0] * (MAX_DEBTS - len(figures))
        annex["late_charge_nanos"][0] = self.late_charge_nanos
        annex["costs_nanos"][0] = self.costs_nanos

    @property
    def owed_nanos(self) -> int:
        """All that is owed."""
        left = sum(debt.nanos for debt in self.principal)
        return left + self.late_charge_nanos + self.costs_nanos

    def charge(
        self, day: int, who: CustomerClass, rules: LateChargeRules, *, paid: bool = False
    ) -> int:
        """Claim the late charge up to and with this local day; how much more that is, in nanos.

        Money of an earlier day than the one charged to (`paid`) ends lateness on its own day: what
        days since have cost is taken back, so below zero, and is charged again on what stays owed.
        """
        more = 0
        for debt in self.principal:
            since = max(debt.until_day, debt.due_day)
            if paid and day < since:
                first = max(day, debt.due_day)
                back = rules.accrued_nanos(debt.nanos, debt.due_day, first, since, who)
                debt.accrued_nanos = max(0, debt.accrued_nanos - back)
            else:
                debt.accrued_nanos += rules.accrued_nanos(
                    debt.nanos, debt.due_day, debt.until_day, day, who
                )
            if debt.nanos:  # if a payment is taken back, its days since are charged after all
                debt.until_day = max(day, debt.due_day) if paid else max(debt.until_day, day)
            news = rules.to_post_nanos(debt.accrued_nanos) - debt.charged_nanos
            debt.charged_nanos += news
            more += news
        # what was paid already of a charge that is taken back is money again
        self.late_charge_nanos = max(0, self.late_charge_nanos + more)
        return more

    def owe(self, nanos: int, month: int, due_day: int) -> None:
        """A further claim; beyond MAX_DEBTS it is added to the newest one (its day to pay too)."""
        same = next((d for d in self.principal if (d.month, d.due_day) == (month, due_day)), None)
        if same is not None:
            same.nanos += nanos
            return
        if len(self.principal) == MAX_DEBTS:
            self._forget_one_paid()
        if len(self.principal) == MAX_DEBTS:
            self.principal[-1].nanos += nanos
            return
        self.principal.append(Debt(nanos, 0, 0, 0, month, due_day, due_day))
        self.principal.sort(key=lambda debt: (debt.due_day, debt.month))

    def _forget_one_paid(self) -> None:
        """Make room: the oldest debt that is wholly paid needs not be known any longer."""
        for place, debt in enumerate(self.principal):
            if not debt.nanos:
                del self.principal[place]
                return

    def pay(self, nanos: int, pays: int = Pays.ANYTHING) -> int:
        """Let money pay claims; what is left of it, in nanos.

        What the customer names comes first, then costs, late charge, and of the principal what was
        due first (domain.md 2.4, Civil Code art. 560 and 561).  `pays` is a `Pays` or a month.

        Named can be what is owed.  A month without a bill is no debt yet, and money is not kept for
        it while others fall due: a creditor need not take early performance to its harm (art. 530),
        and here it would cost the customer the late charge and, after thirty days, the supply.
        """
        if pays == Pays.LATE_CHARGE:
            nanos = self._pay_late_charge(nanos)
        for debt in self.principal:
            if pays > 0 and debt.month == pays:
                nanos = _pay(debt, nanos)
        nanos = self._pay_costs(nanos)
        nanos = self._pay_late_charge(nanos)
        for debt in self.principal:
            nanos = _pay(debt, nanos)
        return nanos

    def knows(self, pays: int) -> bool:
        """Whether what a payment names is a claim, of any amount: not a month without a bill."""
        return pays <= 0 or any(debt.month == pays for debt in self.principal)

    def _pay_costs(self, nanos: int) -> int:
        part = min(nanos, self.costs_nanos)
        self.costs_nanos -= part
        return nanos - part

    def _pay_late_charge(self, nanos: int) -> int:
        part = min(nanos, self.late_charge_nanos)
        self.late_charge_nanos -= part
        return nanos - part

    def give_back(self, nanos: int, day: int, due_day: int) -> None:
        """A payment was taken back: its debts are owed again, that due last first.

        They were never lawfully paid, so the late charge of a debt that had been paid wholly goes
        on from the day it was paid; of one paid in part, only what was left had gone on meanwhile.
        What no remembered debt explains is a new one, to be paid by `due_day`.
        """
        for debt in reversed(self.principal):
            part = min(nanos, debt.paid_nanos)
            debt.nanos += part
            debt.paid_nanos -= part
            nanos -= part
        if nanos:
            self.owe(nanos, 0, max(day, due_day))


def owed_nanos(annex: NDArray[Any]) -> NDArray[np.int64]:
    """All that each of these accounts (n,) owes."""
    left = annex["debt_nanos"].sum(axis=1) + annex["late_charge_nanos"] + annex["costs_nanos"]
    return np.asarray(left)


ARREARS = np.dtype(
    [
        ("current_nanos", "i8"),  # to be paid in the running month or later (本月欠费)
        ("earlier_months_nanos", "i8"),  # in an earlier month of this year (本年往月欠费)
        ("carried_over_nanos", "i8"),  # in an earlier year (陈欠电费)
        ("late_charge_nanos", "i8"),  # 电费违约金
        ("costs_nanos", "i8"),
        ("overdue_nanos", "i8", (4,)),  # principal, by days since the last day to pay
    ]
)
"""What is owed, once by when it was to be paid (domain.md 2.4, K35) and once by days."""

OVERDUE_DAYS = ((1, 30), (31, 60), (61, 90), (91, 2**31))
"""The columns of `overdue_nanos`; after 30 the law lets supply be stopped (domain.md 2.1)."""


def arrears(annex: NDArray[Any], day: NDArray[np.int64]) -> NDArray[Any]:
    """What each of these accounts (n,) owes by age, as of their local days (ordinals); ARREARS."""
    left, due = annex["debt_nanos"], annex["debt_due_day"]
    dates = np.asarray(day, np.int64) - EPOCH_DAY
    first = (dates.astype("M8[D]").astype("M8[M]").astype("M8[D]")).astype(np.int64) + EPOCH_DAY
    new_year = (dates.astype("M8[D]").astype("M8[Y]").astype("M8[D]")).astype(np.int64) + EPOCH_DAY
    aged = np.zeros(len(annex), ARREARS)
    is_carried, is_earlier = due < new_year[:, None], due < first[:, None]
    aged["current_nanos"] = np.where(is_earlier, 0, left).sum(axis=1)
    aged["earlier_months_nanos"] = np.where(is_earlier & ~is_carried, left, 0).sum(axis=1)
    aged["carried_over_nanos"] = np.where(is_carried, left, 0).sum(axis=1)
    aged["late_charge_nanos"] = annex["late_charge_nanos"]
    aged["costs_nanos"] = annex["costs_nanos"]
    late = np.asarray(day)[:, None] - due
    for place, (least, most) in enumerate(OVERDUE_DAYS):
        aged["overdue_nanos"][:, place] = np.where((late >= least) & (late <= most), left, 0).sum(1)
    return aged


def _pay(debt: Debt, nanos: int) -> int:
    part = min(nanos, debt.nanos)
    debt.nanos -= part
    debt.paid_nanos += part
    return nanos - part
