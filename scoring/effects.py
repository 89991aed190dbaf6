"""What does Kilowatch tell the world?

One frozen type per thing said, each with an id made from its cause (DESIGN D5), so that saying it
twice is harmless.  Which topic and which JSON they become is told in `streams`; why they are said
is told in `scoring.decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scoring.events import Source


class Tier(IntEnum):
    """How near the end of the money is: 0 far, 3 nearest."""

    NORMAL = 0
    LOW = 1
    LOWER = 2
    LOWEST = 3


class Stage(IntEnum):
    """Where an account stands on the road to a trip and back (DESIGN 6).

    A stage is what Kilowatch has asked for and seen proven; the switch's own position is kept
    apart in `switch` (commanded is not actual, domain.md 8.3).
    """

    NORMAL = 0
    NOTICE_SENT = 1
    NOTICED = 2
    TRIP_COMMANDED = 3
    TRIPPED = 4
    RESTORE_COMMANDED = 5


class Hold(IntFlag):
    """Why an exhausted account is left connected, as bits of `holds`; doubt never cuts (D6)."""

    PROTECTED = 1 << 0
    CRITICAL_CUSTOMER = 1 << 1
    LIFE_SUPPORT = 1 << 2
    DISPUTE = 1 << 3
    HELD_BY_OPERATOR = 1 << 4
    OUTSIDE_WINDOW = 1 << 5
    CALENDAR_UNREADABLE = 1 << 6
    READING_STALE = 1 << 7
    READING_ESTIMATED = 1 << 8
    PAYMENTS_NOT_CAUGHT_UP = 1 << 9
    PAYMENTS_FEED_SILENT = 1 << 10
    NOTICE_NOT_DELIVERED = 1 << 11
    NOTICE_TOO_RECENT = 1 << 12
    SWITCH_UNKNOWN = 1 << 13
    TARIFF_UNKNOWN = 1 << 14
    QUARANTINED = 1 << 15
    NOT_PREPAID = 1 << 16
    APPROVAL_MISSING = 1 << 17
    TRIES_USED_UP = 1 << 18
    NOTICE_OVERDUE = 1 << 19
    BALANCE_UNSETTLED = 1 << 22
    EMERGENCY_CREDIT = 1 << 23
    NO_SAFE_RECONNECTION = 1 << 24
    NOT_OVERDUE = 1 << 25
    INTERLOCK_FROZEN = 1 << 26
    INTERLOCK_LIMIT = 1 << 27
    INTERLOCK_SILENT = 1 << 28
    WEATHER_MORATORIUM = 1 << 29
    WEATHER_UNKNOWN = 1 << 30


NO_HOLD = Hold(0)


class DecisionKind(StrEnum):
    """What a Decision says: mostly why something was *not* done."""

    HELD = "held"
    QUARANTINED = "quarantined"
    HOLD_ENDED = "hold-ended"
    NOTICE_WITHDRAWN = "notice-withdrawn"
    FIELD_ORDER = "field-order"
    FIELD_ORDER_WITHDRAWN = "field-order-withdrawn"
    CONNECTED_BY_OTHERS = "connected-by-others"
    APPROVAL_NOT_NEEDED = "approval-not-needed"
    PAYMENT_KEPT = "payment-kept"
    DESIGNATION_UNMET = "designation-unmet"
    TRIP_PROVEN = "trip-proven"
    RESTORE_PROVEN = "restore-proven"
    LOAD_AFTER_TRIP = "load-after-trip"
    BILL_ADJUSTED = "bill-adjusted"


class WorkItemKind(IntEnum):
    """What a named person is asked to do; the number is its bit in `open_items`."""

    COLLECT = 0
    """Call on a customer whose money runs out or whose bills are overdue (催费)."""
    DELIVER_NOTICE = 1
    """Bring a notice whose delivery nobody has proven."""
    TRIP_BY_CREW = 2
    """Three trip commands without proof: go and look."""
    RESTORE_BY_CREW = 3
    """Restore commands without proof: somebody may be in the dark."""
    LOOK_AT_SWITCH = 4
    """Meter and switch contradict each other."""


class PlanNoticeKind(StrEnum):
    """What a customer on a settlement plan is told."""

    INSTALMENT_DUE = "instalment-due"
    INSTALMENT_MISSED = "instalment-missed"
    FORECAST_OUTRUNS_PLAN = "forecast-outruns-plan"


class Reason(StrEnum):
    """Why an input was refused: the name an operator sees, bounded for metrics labels."""

    NOT_JSON = "not_json"
    BROKEN_CHECKSUM = "broken_checksum"
    WRONG_SHAPE = "wrong_shape"
    UNKNOWN_VERSION = "unknown_version"
    KEY_MISMATCH = "key_mismatch"
    TOO_LARGE = "too_large"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_METER = "unknown_meter"
    UNKNOWN_TARIFF = "unknown_tariff"
    WRONG_PARTITION = "wrong_partition"
    READ_IN_FUTURE = "read_in_future"
    READ_TOO_OLD = "read_too_old"
    MONTH_CLOSED = "month_closed"
    PRICE_MISSING = "price_missing"
    QUALITY_SUSPECT = "quality_suspect"
    REGISTER_WENT_BACK = "register_went_back"
    REGISTER_CONFLICT = "register_conflict"
    RATE_REGISTERS_DISAGREE = "rate_registers_disagree"
    ENERGY_IMPOSSIBLE = "energy_impossible"
    INTERVAL_MISALIGNED = "interval_misaligned"
    INTERVAL_OVERLAPS = "interval_overlaps"
    INTERVALS_ABOVE_REGISTER = "intervals_above_register"
    SETTINGS_OUT_OF_ORDER = "settings_out_of_order"
    TARIFF_SHEET_INVALID = "tariff_sheet_invalid"
    ACCOUNT_QUARANTINED = "account_quarantined"
    LIMIT_REACHED = "limit_reached"
    PAID_IN_FUTURE = "paid_in_future"
    PAYMENT_TOO_OLD = "payment_too_old"
    UNKNOWN_PAYMENT = "unknown_payment"


@dataclass(frozen=True, slots=True)
class Cause:
    """The input record an effect came from: the evidence anyone can look up."""

    source: Source
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """The figures a decision stood on, as of the newest accepted reading."""

    read_at: int
    ledger_nanos: int
    bill_nanos: int
    available_nanos: int
    tariff_id: str
    settings_version: int
    runway_hours_p10: float | None
    runway_hours_p50: float | None
    estimated_wh: int
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """What every effect carries. `effect_id` is `account:kind:episode[:n]`, never random."""

    effect_id: str
    account_id: str
    decided_at: int
    cause: Cause
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class LowBalanceWarning(Effect):
    """The money will not last: `tier` 1 to 3; tier 0 says the account has recovered.

    `runs_out_at` is when the money is probably used up, `no_trip_before` the first instant after
    it at which the calendar and the procedure allow a trip, `pay_by` when money must have come so
    that it is surely seen before; NO_TIME where nobody can say.  `text_en` and `text_zh` are what
    the customer reads.
    """

    tier: Tier
    previous_tier: Tier
    runs_out_at: int = 0
    no_trip_before_at: int = 0
    pay_by_at: int = 0
    text_en: str = ""
    text_zh: str = ""


@dataclass(frozen=True, slots=True)
class DisconnectionNotice(Effect):
    """The money is gone: supply stops no earlier than `not_before` unless paid.

    `step` is which notice of its procedure this is: a letter of dunning announces nothing yet.
    """

    amount_due_nanos: int
    not_before: int
    procedure: str = "prepaid_trip"
    step: str = "disconnection_notice"
    text_en: str = ""
    text_zh: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """A step that has reached the customer: which, by what, and when the proof was in hand."""

    step: str
    effect_id: str
    proven_at: int


@dataclass(frozen=True, slots=True)
class TripCommand(Effect):
    """Disconnect the supply (CIM 3.31.0.23), not after `expires_at`.

    It names the procedure it rests on with the proof of each of its steps, the notice that came
    last and when its delivery was proven, and who approved it.
    """

    control_code: str
    expires_at: int
    attempt: int
    notice_id: str
    notice_delivered_at: int
    procedure: str = "prepaid_trip"
    proofs: tuple[Proof, ...] = ()
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoreCommand(Effect):
    """Give the supply back; `cancels` names the trip that must no longer be carried out."""

    control_code: str
    expires_at: int
    attempt: int
    cancels: str
    reason: str


@dataclass(frozen=True, slots=True)
class StatusRead(Effect):
    """Say where the switch stands: `about_id` expired and nobody knows what became of it."""

    about_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class WorkItem(Effect):
    """A named person is asked to do something (`WorkItemKind`), or no longer needs to.

    `status` is "open" or "withdrawn"; `collector` the staff number it goes to, "" the duty desk.
    `about_id` names what it is about: a notice, a command, a warning.
    """

    kind: str
    status: str
    collector: str
    about_id: str
    text_en: str
    text_zh: str


@dataclass(frozen=True, slots=True)
class Decision(Effect):
    """What was decided and why, also when it was to do nothing (held, withdrawn)."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class PlanNotice(Effect):
    """An instalment falls due unpaid, was missed, or the month outruns the plan (`kind`)."""

    kind: str
    instalment: int
    due_date: str | None
    planned_nanos: int
    paid_nanos: int
    used_nanos: int
    forecast_month_nanos: int
    shortfall_nanos: int
    exposure_nanos: int


@dataclass(frozen=True, slots=True)
class LargeDay:
    """What is told of a large customer besides its day: its month so far, its terms, its arrears.

    Energy of the billing month of that day, `month_reactive_varh` None where no meter tells it;
    `arrears_months` are months of this year whose bill is past due, `carried_over_nanos` is owed
    from earlier years, `instalments` how many a month the settlement plan has.
    """

    month_wh: int
    month_reactive_varh: int | None
    max_demand_w: int
    contract_w: int
    capacity_va: int
    suspended_va: int
    overdue_nanos: int
    carried_over_nanos: int
    arrears_months: int
    instalments: int


@dataclass(frozen=True, slots=True)
class DailyUsage(Effect):
    """One closed local day of one account, for the monitor of days, ten days, weeks and months.

    `charge_nanos` is what the bills have grown by since the day told before; over all days they add
    up to the bills exactly.  `owed_nanos` is what the account is in arrears with; the groups are
    those it stands in now.  `large` is told of large customers alone.
    """

    local_date: str
    used_wh: int
    estimated_wh: int
    charge_nanos: int = 0
    owed_nanos: int = 0
    payment_mode: str = ""
    industry: str = ""
    voltage_level: str = ""
    collector: str = ""
    area: str = ""
    large: LargeDay | None = None


@dataclass(frozen=True, slots=True)
class AccountForecast(Effect):
    """The live outlook, written at day close and when the tier changes."""

    forecast_today_wh: int
    forecast_today_nanos: int
    forecast_month_nanos: int
    runway_hours_p90: float | None
    tier: Tier


@dataclass(frozen=True, slots=True)
class RefusedReading:
    """A reading of the batch that was not counted: its position, and why by name.

    `item` is its place in the record's list, -1 if the record is no list: an account may stand
    several times in one list.  `month` is the billing month (as in LEDGER) of what came too late
    for it, 0 where that is not the reason.
    """

    source_offset: int
    account_row: int
    reason: Reason
    item: int = -1
    month: int = 0
