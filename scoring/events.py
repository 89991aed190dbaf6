"""What can happen to an account?

Every input topic has one event type here; `Readings` is a whole batch in columns because readings
are the hot path, the rest are scalar.  Parsing bytes into these is `streams.wire`'s work, and what
an event does to an account is told in `scoring.scoring`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_RATE_PERIODS = 6
"""Rate periods of one billing month that are counted apart: critical peak, peak, flat, valley,
deep valley (domain.md 7) and one spare.  More would widen every account's row."""


class Source(IntEnum):
    """The input topics that shape a row; the number is the column of `source_offset`."""

    READINGS = 0
    SETTINGS = 1
    PAYMENTS = 2
    SWITCH_REPORTS = 3
    OPERATOR_ACTIONS = 4
    DELIVERY_RECEIPTS = 5
    TICKS = 6


class Quality(IntEnum):
    """How far a reading can be trusted (CIM ReadingQuality, domain.md 4.1)."""

    VALID = 0
    ESTIMATED = 1
    SUSPECT = 2


class Switch(IntEnum):
    """The actual position of the supply switch (DLMS class 70 control_state), as last reported."""

    UNKNOWN = 0
    CONNECTED = 1
    DISCONNECTED = 2
    READY_FOR_RECONNECTION = 3


class PaymentMode(StrEnum):
    """How the account pays; only prepaid accounts can meet a prepaid trip."""

    PREPAID = "prepaid"
    PLAN = "plan"


class PaymentKind(StrEnum):
    """What a record of `payments` says; all but the landings carry an amount and an id of its own.

    A negative payment is a reversal.  One on its way counts for the customer until it fails.
    Corrections and opening balances are in the customer's favour if positive.
    """

    PAYMENT = "payment"
    IN_FLIGHT = "in-flight"
    SETTLED = "settled"
    FAILED = "failed"
    ADJUSTMENT = "adjustment"
    OPENING_BALANCE = "opening-balance"
    COLLECTION_COSTS = "collection-costs"


class PlanMode(StrEnum):
    """How an instalment is reckoned: by shares of an estimate, or by what has been read."""

    ESTIMATE = "estimate"
    READING = "reading"


class CustomerClass(StrEnum):
    """Who the customer is, as far as rules differ (domain.md 6)."""

    RESIDENT = "resident"
    BUSINESS = "business"
    LARGE = "large"


class Protection(IntEnum):
    """Reasons why an account is never tripped, as bits of `protections`."""

    PROTECTED = 1
    CRITICAL_CUSTOMER = 2
    LIFE_SUPPORT = 4
    DISPUTE = 8
    HELD_BY_OPERATOR = 16


class Action(StrEnum):
    """What an operator can do about an account's supply.

    A dispute and a rejected trip leave the supply on like a hold, and end like one, by a release;
    they differ in what the record says.  A note changes nothing.
    """

    HOLD_SUPPLY = "hold-supply"
    RELEASE_SUPPLY = "release-supply"
    APPROVE_TRIP = "approve-trip"
    RELEASE_QUARANTINE = "release-quarantine"
    REJECT_TRIP = "reject-trip"
    DISPUTE = "dispute"
    NOTE = "note"


ABSENT_DEMAND = {"reactive_register_varh": -1, "max_demand_w": 0}
"""What stands for a register that only large customers' meters tell, where one is absent."""


@dataclass(frozen=True, slots=True)
class Readings:
    """A batch of readings in columns, all of one partition, in source order. Length n each.

    `register_wh` is the cumulative total register in meter units of 1 Wh before the multiplier, -1
    where absent; `rate_register_wh` (n, MAX_RATE_PERIODS) likewise per rate period;
    `interval_seconds` is 0 where absent, else `interval_wh` was used in the `interval_seconds`
    that end at `read_at` (after the multiplier: interval energy is already primary).  `item` is the
    place in the record's list, -1 where the record is one reading.  What only
    large customers' meters tell is None where none of the batch does: the reactive register (varh,
    -1 absent) and the maximum demand register (W, 0 absent), both before the multiplier.
    """

    account_row: NDArray[np.int64]
    source_offset: NDArray[np.int64]
    item: NDArray[np.int64]
    read_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    meter_hash: NDArray[np.uint64]
    register_wh: NDArray[np.int64]
    rate_register_wh: NDArray[np.int64]
    interval_seconds: NDArray[np.int64]
    interval_wh: NDArray[np.int64]
    quality: NDArray[np.uint8]
    reactive_register_varh: NDArray[np.int64] | None = None
    max_demand_w: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.account_row)

    @classmethod
    def beside(cls, some: Sequence[Self]) -> Self:
        """Several batches one behind the other; the batch itself if it is one."""
        if len(some) == 1:
            return some[0]
        columns: dict[str, Any] = {}
        for name in (f.name for f in fields(cls)):
            told = [getattr(each, name) for each in some]
            if name in ABSENT_DEMAND and any(part is not None for part in told):
                told = [
                    np.full(len(each), ABSENT_DEMAND[name]) if part is None else part
                    for each, part in zip(some, told, strict=True)
                ]
            columns[name] = None if told[0] is None else np.concatenate(told)
        return cls(**columns)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Self:
        """The readings at these positions."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: c[index] for n, c in columns.items() if c is not None})


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """The meter of a usage point from `installed_at` on.

    An exchange is settings with another `meter_id`: the old meter's last register value, if read,
    closes its energy, and `start_register_wh` opens the new one's.
    """

    meter_id: str
    installed_at: int
    multiplier: int = 1
    register_modulus_wh: int = 1_000_000_000
    start_register_wh: int | None = None
    previous_final_register_wh: int | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups in which an account's usage and money are watched; "" where it is in none."""

    industry: str = ""
    voltage_level: str = ""
    collector: str = ""
    area: str = ""


NO_GROUPS = Groups()


@dataclass(frozen=True, slots=True)
class BasicTerms:
    """What a customer is billed on besides energy; all 0 and "" for homes.

    Connected and suspended capacity in VA, contract demand in W (0 none: the maximum counts),
    `basis` "capacity" or "demand" as chosen ("" the sheet's first choice), and an agreed price
    adjustment in micros per kWh.
    """

    capacity_va: int = 0
    suspended_va: int = 0
    contract_w: int = 0
    basis: str = ""
    price_adjustment_micros: int = 0

    @property
    def any(self) -> bool:
        """Is anything agreed at all?"""
        return self != NO_BASIC_TERMS


NO_BASIC_TERMS = BasicTerms()


@dataclass(frozen=True, slots=True)
class Plan:
    """A settlement plan: dates and cumulative shares of the month, in hundredths of a per cent.

    Day 31 is the month's end.  The defaults are those of domain.md 2.5; `month_nanos` is the
    month's bill as agreed, 0 where the forecast is to stand for it; `from_day` the first local day
    it holds (an ordinal, 0 at once): until then the plan agreed before goes on.
    """

    mode: PlanMode = PlanMode.ESTIMATE
    instalments: tuple[tuple[int, int], ...] = ((10, 3_000), (20, 6_000), (31, 10_000))
    grace_days: int = 3
    month_nanos: int = 0
    deposit_nanos: int = 0
    guarantee_nanos: int = 0
    from_day: int = 0


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """The terms of one account, whole each time (the newest replaces all)."""

    version: int
    customer_class: CustomerClass
    payment_mode: PaymentMode
    tariff_id: str
    max_power_w: int
    meter: MeterSettings
    credit_limit_nanos: int = 0
    warning_amount_nanos: int = 0
    warning_days: tuple[float, float, float] = (7.0, 3.0, 1.0)
    reconnect_min_nanos: int = 0
    protections: tuple[Protection, ...] = ()
    direct_close_agreed: bool = False
    groups: Groups = NO_GROUPS
    basic: BasicTerms = NO_BASIC_TERMS
    plan: Plan | None = None
    control_mode: int | None = None
    """DLMS class 70 control mode of the switch, 0 to 6 (domain.md 4.2); None as is usual: 4 where
    direct closing is agreed, 3 where it is not."""
    emergency_credit_nanos: int = 0
    """Lent beyond all other credit before a supply is stopped; warnings do not count on it."""
    feeder: str = ""
    """Line or transformer that supplies the account; "" unknown."""
    customer_id: str = ""
    """Who uses the energy (CIM Customer.mRID); "" not stated. Another one is a change of tenant."""


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """What the stream obeys of a customer's policy (`scoring.policy`), whole each time.

    From the first policy on these terms are the policy's, and settings no longer change them.
    """

    version: int
    payment_mode: PaymentMode
    warning_amount_nanos: int
    warning_days: tuple[float, float, float]
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What every scalar event carries: whose, from where, and when the broker stamped it."""

    account_id: str
    source_offset: int
    received_at: int


@dataclass(frozen=True, slots=True)
class SettingsChanged(Event):
    """The customer information system states an account's terms."""

    settings: AccountSettings


@dataclass(frozen=True, slots=True)
class PolicyChanged(Event):
    """A customer's approved policy comes into force."""

    policy: PolicyTerms


@dataclass(frozen=True, slots=True)
class PaymentReceived(Event):
    """Money for the account, or a posting that is no bill (see `PaymentKind`).

    `pays` says what the customer pays with it: a `debts.Pays`, or a billing month; of a correction
    it is the month corrected.  `due_day` is the last day to pay a claim it makes (0: by the rules).
    """

    payment_id: str
    amount_nanos: int
    paid_at: int
    kind: PaymentKind = PaymentKind.PAYMENT
    pays: int = 0
    due_day: int = 0


@dataclass(frozen=True, slots=True)
class SwitchReported(Event):
    """The field says what became of a command, or where the switch stands.

    `acknowledges`: the command has been taken and not carried out yet; the rest says nothing new.
    `load_side_volts` is what the meter measures behind the switch, None where it cannot.
    """

    command_id: str
    switch: Switch
    succeeded: bool
    reported_at: int
    acknowledges: bool = False
    load_side_volts: int | None = None


@dataclass(frozen=True, slots=True)
class OperatorActed(Event):
    """A named person held, released or approved something, with a reason.

    `action_id` is what the person was given to follow it by; "" where it came another way.
    """

    action: Action
    operator: str
    reason: str
    acted_at: int
    action_id: str = ""


@dataclass(frozen=True, slots=True)
class NoticeDelivered(Event):
    """Proof that a notice or a warning (`notice_id`) reached the customer."""

    notice_id: str
    delivered_at: int


@dataclass(frozen=True, slots=True)
class Feed:
    """What a partition knows of its payments feed, for the watermark guard.

    `heartbeat_at` is the newest instant up to which the payments system says it has sent all;
    `caught_up` is true when this worker has read payments to their high watermark.
    """

    heartbeat_at: int
    caught_up: bool


AccountEvent = (
    SettingsChanged
    | PolicyChanged
    | PaymentReceived
    | SwitchReported
    | OperatorActed
    | NoticeDelivered
)
