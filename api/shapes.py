"""What do the answers look like, for those who read the OpenAPI document?

These models describe and test the answers; the bytes themselves are built in `answer`, because
validating each would cost more than making it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

TierName = Literal["normal", "low", "lower", "lowest"]
StageName = Literal[
    "normal", "notice_sent", "noticed", "trip_commanded", "tripped", "restore_commanded"
]
SwitchName = Literal["unknown", "connected", "disconnected", "ready_for_reconnection"]

EXAMPLE: dict[str, Any] = {
    "accountId": "home-0001",
    "asOf": "2026-07-14T18:15:00+08:00",
    "receivedAt": "2026-07-14T18:15:21+08:00",
    "tariffId": "cn-sd-residential",
    "currency": "CNY",
    "zone": "Asia/Shanghai",
    "balance": "31.4182706",
    "available": "31.4182706",
    "creditLimit": "0.00",
    "billSoFar": "68.5817294",
    "previousMonthBill": "0.00",
    "forecastBillToday": "5.20",
    "forecastBillMonth": "157.93",
    "forecastTodayWh": 9512,
    "estimatedWh": 0,
    "runwayHours": {"p10": 118.4, "p50": 143.75, "p90": 171.02},
    "runwayEndsAt": {
        "p10": "2026-07-19T16:39:00+08:00",
        "p50": "2026-07-20T18:00:00+08:00",
        "p90": "2026-07-21T21:16:12+08:00",
    },
    "noTripBefore": "2026-07-21T09:00:00+08:00",
    "payBy": "2026-07-21T08:00:00+08:00",
    "tier": "low",
    "stage": "normal",
    "stageSince": None,
    "switch": "connected",
    "reasons": [],
    "nextStep": {
        "step": "low-balance-warning",
        "at": "2026-07-17T18:00:00+08:00",
        "text": "if use goes on as forecast",
    },
    "arrears": None,
    "plan": None,
    "settingsVersion": 1,
    "source": {"partition": 3, "offsets": {"meter-readings": 181220, "account-settings": 12}},
}


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class QuantileHours(_Model):
    """Hours, null beyond the 35 days looked ahead; p10 is the pessimistic one."""

    p10: float | None
    p50: float | None
    p90: float | None


class QuantileTimes(_Model):
    """Instants, null beyond the 35 days looked ahead."""

    p10: str | None
    p50: str | None
    p90: str | None


class Why(_Model):
    """A reason why the supply is left on."""

    name: str
    text: str


class NextStepShown(_Model):
    """What happens next if nothing else does; `at` null: not by time alone."""

    step: str
    at: str | None
    text: str


class SourceShown(_Model):
    """The newest input records in the answer: evidence anyone can look up."""

    partition: int
    offsets: dict[str, int]


class ArrearsShown(_Model):
    """What is owed, by when it was to be paid and by days since, as of the newest reading.

    `current` is to be paid in the running month or later (本月欠费), `earlierMonths` was in this
    year (本年往月欠费), `carriedOver` in an earlier one (陈欠电费).
    """

    owed: str
    current: str
    earlier_months: str
    carried_over: str
    late_charge: str = Field(description="posted and not paid (电费违约金)")
    costs: str = Field(description="of collection")
    overdue_days: dict[str, str] = Field(description="principal by days since the last day to pay")


class InstalmentShown(_Model):
    """All that is to be paid of the month by a day."""

    due_date: str
    planned: str


class PlanShown(_Model):
    """Where an account stands with its settlement plan this month."""

    instalments: list[InstalmentShown]
    planned: str = Field(description="to be paid by now")
    paid: str = Field(description="for this month")
    used: str = Field(description="exact; the month's bill so far")
    forecast_month: str
    shortfall: str = Field(description="to be paid by now and not paid")
    exposure: str = Field(description="owed with what has been used, less deposit and guarantee")


class AccountAnswer(_Model):
    """The live balance forecast of one account, as of its newest counted reading."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    account_id: str
    as_of: str | None = Field(description="newest counted reading")
    received_at: str | None
    tariff_id: str | None
    currency: str | None
    zone: str | None
    balance: str = Field(description="exact; ledger less the bills not closed yet")
    available: str = Field(description="exact; balance and agreed credit")
    credit_limit: str
    bill_so_far: str = Field(description="exact; of the current billing month")
    previous_month_bill: str = Field(description="exact; while late data may still change it")
    forecast_bill_today: str | None
    forecast_bill_month: str | None
    forecast_today_wh: int | None
    estimated_wh: int = Field(description="energy whose rate period or day is estimated")
    runway_hours: QuantileHours
    runway_ends_at: QuantileTimes
    no_trip_before: str | None = Field(
        description="when a trip may come at the earliest, if the money lasts as most likely; "
        "null once one has been commanded"
    )
    pay_by: str | None = Field(description="so that it is surely seen before")
    tier: TierName
    stage: StageName
    stage_since: str | None
    switch: SwitchName
    reasons: list[Why]
    next_step: NextStepShown
    arrears: ArrearsShown | None = Field(description="null where nothing is owed")
    plan: PlanShown | None = Field(description="null without a settlement plan")
    settings_version: int
    source: SourceShown


class AccountLine(_Model):
    """One account of a list."""

    account_id: str
    as_of: str | None
    balance: str
    available: str
    currency: str | None
    runway_hours_p50: float | None
    tier: TierName
    stage: StageName
    switch: SwitchName


class AccountList(_Model):
    """A page; `next` is the path of the following one, null on the last."""

    as_of: str | None = Field(description="newest counted reading of all accounts, in UTC")
    accounts: list[AccountLine]
    next: str | None


class SpanBefore(_Model):
    """As many days of the span before."""

    from_: str = Field(alias="from")
    to: str
    used_wh: int
    charge: str


class _SpanShown(_Model):
    from_: str = Field(alias="from")
    to: str
    used_wh: int
    charge: str = Field(description="exact; what the bills grew by on these days")
    before: SpanBefore


class AccountSpan(_SpanShown):
    """One account's days of a span so far."""

    account_id: str
    span: str
    date: str


class GroupSpan(_SpanShown):
    """One group's days of a span so far, and its money now."""

    group: str = Field(description='its code; "" for accounts in none')
    currency: str | None
    accounts: int
    arrears: str = Field(description="owed by its accounts")
    open_bills: str = Field(description="charged and not closed yet")
    paid_in_advance: str = Field(description="of the open bills, what is paid already")
    advance_share: float | None = Field(description="paidInAdvance of openBills (预收占比)")


class GroupSpans(_Model):
    """All groups of a kind."""

    by: str
    span: str
    date: str
    groups: list[GroupSpan]


ACTION_EXAMPLE: dict[str, Any] = {
    "actionId": "5d41402abc4b2a76b9719d91",
    "accountId": "home-0001",
    "action": "hold-supply",
    "person": "li.lei",
    "reason": "newborn at home",
    "actedAt": "2026-07-14T18:15:00+08:00",
    "state": "taken-up",
    "source": {"partition": 3, "offset": 12},
}


class WrittenAt(_Model):
    """Where the action's record stands on `operator-actions`."""

    partition: int
    offset: int


class ActionShown(_Model):
    """Something a person has done about an account."""

    model_config = ConfigDict(json_schema_extra={"example": ACTION_EXAMPLE})

    action_id: str
    account_id: str
    action: str
    person: str = Field(description="whoever proved to ask, as their key or token names them")
    reason: str
    acted_at: str | None
    state: Literal["written", "taken-up"] = Field(
        description="`written` is durable; `taken-up` has reached the account's figures"
    )
    source: WrittenAt


class ActionList(_Model):
    """The newest first."""

    as_of: str | None
    actions: list[ActionShown]


class ProblemShown(_Model):
    """RFC 9457; `detail` says what to do."""

    type: str
    title: str
    status: int
    detail: str


class ToldAt(_Model):
    """Where a record stands in its topic."""

    partition: int
    offset: int


class SaidOnce(_Model):
    """One thing that was said about an account."""

    kind: str = Field(description="its topic")
    effect_id: str
    source: ToldAt
    body: dict[str, Any] = Field(description="the record as it was told, with its evidence")


class AccountHistory(_Model):
    """What was said about an account, newest first."""

    account_id: str
    as_of: str | None = Field(description="its newest counted reading; null if not live any more")
    history: list[SaidOnce]
    next: str | None = Field(description="path of the next, older page")
