"""What is kept of the few accounts that need more than an ordinary row?

A home's ledger row holds what every account has.  Debts and their late charges, more payments in a
month than a home makes, a settlement plan: that is wanted by some, so it lies in a second row, the
annex, which an account gets when it first needs one and then keeps.  It stands apart from the
`Book` so that ordinary homes pay four bytes for it and nothing in time.  An annex is made durable
inside its account's ledger row (`streams.rows`); the rules that fill its columns live elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from scoring.events import MAX_RATE_PERIODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ANNEX_VERSION = 4

TARIFF_ID_BYTES = 24
"""The longest tariff id, in a row and in an annex."""

MAX_DEBTS = 12
"""Claims of an account kept apart: a year of monthly bills.  What is beyond is added to the newest
one (`scoring.debts`), so no money is lost, only the age of that part is told too young."""

PAYMENTS_MORE = 28
"""Payment ids remembered beside those in the row, for accounts that pay more than four times in
`postings.REMEMBERED_DAYS`: together a payment a day."""

MAX_IN_FLIGHT = 8
"""Payments on their way at one time; one more is refused by name until one of them has landed."""

MAX_EARLIER_PARTS = 6
"""Parts of the open months kept apart before the newest (`scoring.parts`); what one more would hold
is added to the newest kept."""

MAX_GAPS = 8
"""Stretches of time that no reading has told, kept until one does (`scoring.gaps`); of one more the
oldest is given up: what comes of it is refused by name."""

MAX_INSTALMENTS = 6
"""Dates of a settlement plan in a month: twice the three that are usual (domain.md 2.5)."""

MAX_STEPS = 3
"""Steps of a procedure that need a proof: an arrears stop has three (`scoring.procedures`)."""

MAX_APPROVERS = 2
APPROVER_BYTES = 32
"""Of a person's name as the operators' system writes it; two names that are alike so far count as
one person, so a long name can only hold a trip back."""

ANNEX = np.dtype(
    [
        # the road to a trip and back (scoring.decide)
        ("proven_at", "i8", (MAX_STEPS,)),  # when each step's proof was in hand; 0 not yet
        ("approved_at", "i8", (MAX_APPROVERS,)),  # 0 nobody yet
        ("approvers", f"S{APPROVER_BYTES}", (MAX_APPROVERS,)),
        ("proof_from", "i8"),  # load from here on tells of the newest command; 0 nothing
        ("unsettled_until", "i8"),  # after a change of mode, meter or tariff; 0 settled
        ("emergency_credit_nanos", "i8"),
        ("load_wh", "i8"),  # measured in the newest gap between two readings that is whole
        ("load_from", "i8"),
        ("load_until", "i8"),
        ("still_from", "i8"),  # the register has stood still from here to load_from; 0 not known
        ("opened_at", "i8"),  # from here on the switch surely stood open, until its restore
        ("not_before_at", "i8"),  # no trip before it, as notices of this episode have said; 0 none
        ("warning_proven", "i8"),  # when the newest warning's delivery was proven; 0 not
        # settlement plan (scoring.plans)
        ("plan_month_nanos", "i8"),  # the month's bill as agreed; 0 by forecast
        ("plan_security_nanos", "i8"),  # deposit and guarantee
        ("plan_read_nanos", "i8"),  # bill of the month at the first reading after plan_read_day
        ("next_plan_month_nanos", "i8"),  # the plan in force from next_plan_day on
        ("next_plan_security_nanos", "i8"),
        ("plan_read_day", "i4"),  # newest instalment day that has passed in plan_month; 0 none
        ("next_plan_day", "i4"),  # first local day of it, an ordinal; 0 no change is agreed
        ("turned_day", "i4"),  # newest local day to whose turn a tick has answered
        ("plan_month", "i4"),  # month of which plan_told and plan_read speak
        # payments (scoring.postings)
        ("payment_hashes", "u8", (PAYMENTS_MORE,)),
        ("in_flight_hashes", "u8", (MAX_IN_FLIGHT,)),  # 0 none
        ("in_flight_nanos", "i8", (MAX_IN_FLIGHT,)),  # counted in the ledger until they fail
        # debts, oldest first; what is left of them all is what the ledger lacks (scoring.debts)
        ("debt_nanos", "i8", (MAX_DEBTS,)),  # left of the principal
        ("debt_paid_nanos", "i8", (MAX_DEBTS,)),  # of this principal, to be owed again on reversal
        ("debt_accrued_nanos", "i8", (MAX_DEBTS,)),  # late charge so far, before rounding
        ("debt_charged_nanos", "i8", (MAX_DEBTS,)),  # late charge posted so far
        ("late_charge_nanos", "i8"),  # posted and not paid
        ("costs_nanos", "i8"),  # of collection, posted and not paid
        # what large customers are billed on (scoring.large); the last index as in used_wh, 2 the
        # closed month that is kept
        ("capacity_va", "i8"),
        ("suspended_va", "i8"),
        ("contract_w", "i8"),
        ("adjust_micros", "i8"),  # per kWh, on top of the sheet's price
        ("max_demand_w", "i8", (3,)),
        ("max_demand_at", "i8", (3,)),  # end of the quarter-hour
        ("reactive_varh", "i8", (3,)),
        ("reactive_register_varh", "i8"),  # as last read, meter units
        ("reactive_read_at", "i8"),  # 0 none yet
        # parts of the open months before the newest, oldest first (scoring.parts)
        ("earlier_until_at", "i8", (MAX_EARLIER_PARTS,)),  # end of its energy; 0 no such part
        ("earlier_used_wh", "i8", (MAX_EARLIER_PARTS, MAX_RATE_PERIODS)),
        ("earlier_capacity_va", "i8", (MAX_EARLIER_PARTS,)),
        ("earlier_suspended_va", "i8", (MAX_EARLIER_PARTS,)),
        ("earlier_contract_w", "i8", (MAX_EARLIER_PARTS,)),
        ("earlier_adjust_micros", "i8", (MAX_EARLIER_PARTS,)),
        ("earlier_max_demand_w", "i8", (MAX_EARLIER_PARTS,)),
        ("earlier_tariff_id", f"S{TARIFF_ID_BYTES}", (MAX_EARLIER_PARTS,)),
        ("earlier_month", "i4", (MAX_EARLIER_PARTS,)),  # billing month as in LEDGER; 0 none
        ("earlier_days", "i4", (MAX_EARLIER_PARTS,)),
        # energy at the prices of the market (scoring.dynamic); the last index as max_demand_w
        ("dynamic_nanos", "i8", (3,)),
        ("dynamic_rest", "i8", (3,)),  # millionths of a nano
        ("dynamic_guess_nanos", "i8", (3,)),  # of it: of energy whose price step is a guess
        ("earlier_dynamic_nanos", "i8", (MAX_EARLIER_PARTS,)),
        ("earlier_dynamic_rest", "i8", (MAX_EARLIER_PARTS,)),
        # the newest closed month, while what it was billed on is not proven (scoring.closed)
        ("closed_used_wh", "i8", (MAX_RATE_PERIODS,)),
        ("closed_estimated_wh", "i8", (MAX_RATE_PERIODS,)),
        ("closed_before_wh", "i8"),  # as year_used_before_wh
        ("closed_tariff_id", f"S{TARIFF_ID_BYTES}"),
        ("closed_month", "i4"),  # 0 none
        ("debt_month", "i4", (MAX_DEBTS,)),  # billing month as in LEDGER; 0 none
        ("debt_due_day", "i4", (MAX_DEBTS,)),  # last local day to pay in, ordinal; 0 no debt here
        ("debt_until_day", "i4", (MAX_DEBTS,)),  # last local day whose late charge is accrued
        ("policy_version", "u4"),  # of the customer policy in force (scoring.policy); 0 none
        ("plan_told", "u4"),  # bits of what has been told of plan_month
        ("open_items", "u4"),  # bits of WorkItemKind that a person is asked to do
        ("notices", "u4"),  # notices sent in this trip episode, all steps together
        ("step_notice", "u4", (MAX_STEPS,)),  # number of the notice by which each step was taken
        ("step", "u4"),  # number of the procedure's step last sent
        ("gap_from_slot", "i4", (MAX_GAPS,)),  # as counted_slots; oldest first
        ("gap_until_slot", "i4", (MAX_GAPS,)),  # 0 no such gap
        ("payment_days", "u2", (PAYMENTS_MORE,)),  # as in LEDGER
        ("plan_shares", "u2", (MAX_INSTALMENTS,)),  # cumulative, in hundredths of a per cent
        ("has_reactive", "u1", (3,)),
        ("basis", "u1"),  # index in large.BASES
        ("earlier_basis", "u1", (MAX_EARLIER_PARTS,)),
        ("next_plan_shares", "u2", (MAX_INSTALMENTS,)),
        ("next_plan_days", "u1", (MAX_INSTALMENTS,)),
        ("next_plan_mode", "u1"),
        ("next_plan_grace_days", "u1"),
        ("plan_days", "u1", (MAX_INSTALMENTS,)),  # of the month, 31 its end; 0 no further one
        ("plan_mode", "u1"),  # index in PlanMode
        ("plan_grace_days", "u1"),
        ("spare", "u1", (2,)),  # so that none of a row's bytes is accidental
    ],
    align=True,
)


def empty_annexes(count: int) -> NDArray[Any]:
    """Annexes of accounts of which nothing more than their row is known yet."""
    return np.zeros(count, ANNEX)


@dataclass(slots=True)
class Annexes:
    """The annexes of those accounts of a block that have one: rows of ANNEX (k,), and whose.

    `position` (k,) are places in the block, ascending, each once.  So in columns the block's
    account of `rows[j]` is `ledger[position[j]]`.
    """

    position: NDArray[np.int64]
    rows: NDArray[Any]

    def __len__(self) -> int:
        return len(self.position)

    @classmethod
    def none(cls) -> Self:
        """Nobody has one."""
        return cls(np.zeros(0, np.int64), empty_annexes(0))

    def joined(self, other: Annexes) -> Annexes:
        """These and the annexes of other accounts of the same block."""
        if not len(self.position):
            return other
        position = np.concatenate([self.position, other.position])
        order = np.argsort(position, kind="stable")
        return Annexes(position[order], np.concatenate([self.rows, other.rows])[order])

    def between(self, here: slice) -> Annexes:
        """A view of those of a run of the block's accounts."""
        if not len(self.position):
            return self
        start, end = np.searchsorted(self.position, (here.start, here.stop)).tolist()
        return Annexes(self.position[start:end] - here.start, self.rows[start:end])

    def take(self, index: NDArray[Any], size: int) -> Annexes:
        """Copies for the accounts at `index` (places or truths) of a block of `size` accounts."""
        if not len(self.position):
            return self
        place = np.full(size, -1, np.int64)
        place[self.position] = np.arange(len(self.position))
        chosen = place[index]
        position = np.flatnonzero(chosen >= 0)
        return Annexes(position, self.rows[chosen[position]])

    def ensure(self, position: NDArray[np.int64]) -> None:
        """Give an empty annex to each of these places (each once) that has none yet."""
        new = np.setdiff1d(position, self.position)
        if len(new):
            both = self.joined(Annexes(new, empty_annexes(len(new))))
            self.position, self.rows = both.position, both.rows

    def row(self, position: int) -> NDArray[Any] | None:
        """A view (1,) of the annex of the account at this place, None if it has none."""
        place = int(np.searchsorted(self.position, position))
        if place == len(self.position) or self.position[place] != position:
            return None
        return self.rows[place : place + 1]

    def make(self, position: int) -> NDArray[Any]:
        """A view (1,) of the annex of the account at this place, made empty if it had none."""
        self.ensure(np.array([position], np.int64))
        row = self.row(position)
        assert row is not None
        return row


def beside(some: Sequence[Annexes], sizes: Sequence[int]) -> Annexes:
    """The annexes of blocks of these sizes that are put one behind the other."""
    if not any(map(len, some)):
        return Annexes.none()
    starts = (sum(sizes[:number]) for number in range(len(sizes)))
    return Annexes(
        np.concatenate([each.position + start for each, start in zip(some, starts, strict=True)]),
        np.concatenate([each.rows for each in some]),
    )


class AnnexStore:
    """The annexes of a whole book, by its row numbers.

    >>> store = AnnexStore(4)
    >>> some = Annexes.none()
    >>> some.ensure(np.array([1]))
    >>> store.put(np.array([2, 3]), some)
    >>> store.take(np.array([3, 2, 0])).position, len(store)
    (array([0]), 1)
    """

    GROWTH = 1.25

    def __init__(self, capacity: int) -> None:
        self._of = np.full(capacity, -1, np.int32)
        self._rows = empty_annexes(0)
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._rows) - len(self._free)

    def grow(self, capacity: int) -> None:
        """Make room for a book of this many rows."""
        if capacity <= len(self._of):
            return
        more = np.full(capacity, -1, np.int32)
        more[: len(self._of)] = self._of
        self._of = more

    def owners(self) -> NDArray[np.int64]:
        """The book rows that have one, ascending."""
        return np.flatnonzero(self._of >= 0) if len(self) else np.zeros(0, np.int64)

    def take(self, rows: NDArray[np.int64]) -> Annexes:
        """Copies of the annexes of those of these book rows that have one."""
        if not len(self):
            return Annexes.none()
        number = self._of[rows]
        position = np.flatnonzero(number >= 0)
        return Annexes(position, self._rows[number[position]])

    def one(self, row: int) -> NDArray[Any] | None:
        """A copy (1,) of the annex of one book row, None if it has none: asked at every answer."""
        number = int(self._of[row])
        return None if number < 0 else self._rows[number : number + 1].copy()

    def put(self, rows: NDArray[np.int64], annexes: Annexes) -> None:
        """Let these book rows have exactly these annexes, and the others of them none."""
        if not len(annexes) and not len(self):
            return
        number = self._of[rows]
        gone = number >= 0
        gone[annexes.position] = False
        if gone.any():
            self._free += number[gone].tolist()
            self._of[rows[gone]] = -1
        mine = number[annexes.position]
        new = np.flatnonzero(mine < 0)
        if len(new):
            mine[new] = self._numbers(len(new))
            self._of[rows[annexes.position]] = mine
        self._rows[mine] = annexes.rows

    def _numbers(self, count: int) -> list[int]:
        """Numbers of annexes that nobody has."""
        if len(self._free) < count:
            size = len(self._rows)
            capacity = max(int(size * self.GROWTH) + 1, size + count)
            fresh = empty_annexes(capacity)
            fresh[:size] = self._rows
            self._rows = fresh
            self._free += range(capacity - 1, size - 1, -1)
        return [self._free.pop() for _ in range(count)]
