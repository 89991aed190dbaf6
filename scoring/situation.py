"""What does one account look like to the person, or the rule, that must decide about it?

A `Situation` is one row of columns turned into plain values with names, so that policy can be read
and tested without numpy; it is made only for the few accounts the screen picks (DESIGN D8).  It
also says which evidence an effect carries and what an answer, a `Verdict`, is made of.  It decides
nothing: `scoring.guards`, `scoring.warning` and `scoring.decide` do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scoring.annex import MAX_APPROVERS, MAX_STEPS
from scoring.effects import (
    NO_HOLD,
    Cause,
    Decision,
    DecisionKind,
    Effect,
    Evidence,
    Hold,
    Stage,
    Tier,
)
from scoring.events import CustomerClass, Feed, PaymentMode, Quality, Switch
from scoring.ids import person_key
from scoring.procedures import (
    USUAL_MODE_ARMED,
    CommandState,
    NoticeStep,
    Procedure,
    approvers_needed,
    steps_of,
)
from scoring.units import NO_TIME
from scoring.weather import NOT_WATCHED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from scoring.interlock import Interlock
    from scoring.rules import SupplyRules
    from scoring.tariff import Tariffs
    from scoring.weather import AreaWeather, Weather

CUSTOMER_CLASSES = tuple(CustomerClass)
PAYMENT_MODES = tuple(PaymentMode)
PREPAID = PAYMENT_MODES.index(PaymentMode.PREPAID)


class World(Protocol):
    """What holds for a whole partition: tariffs, payments feed, rules, interlock, weather."""

    @property
    def tariffs(self) -> Tariffs: ...  # noqa: D102 - named by its type
    @property
    def feed(self) -> Feed: ...  # noqa: D102
    @property
    def rules(self) -> SupplyRules: ...  # noqa: D102
    @property
    def interlock(self) -> Interlock | None: ...  # noqa: D102
    @property
    def weather(self) -> Weather: ...  # noqa: D102


class Situation(NamedTuple):
    """One account at one instant, as of its newest accepted reading.

    A named tuple because a frozen dataclass of fifty fields takes ten times as long to make.

    `now` is the `received_at` of the record that caused this look; money in nanos, energy in Wh,
    instants in UTC seconds.  Columns of the ledger row keep their names.
    """

    # whose, when, why and in which world
    account_id: str
    now: int
    cause: Cause
    feed: Feed
    rules: SupplyRules
    zone: tzinfo | None
    # terms
    settings_version: int = 1
    tariff_id: str = ""
    customer_class: CustomerClass = CustomerClass.RESIDENT
    payment_mode: PaymentMode = PaymentMode.PREPAID
    protections: int = 0
    direct_close_agreed: bool = False
    warning_amount_nanos: int = 0
    warning_hours: tuple[int, int, int] = (168, 72, 24)
    reconnect_min_nanos: int = 0
    max_power_w: int = 12_000
    # energy
    read_at: int = NO_TIME
    newest_quality: Quality = Quality.VALID
    used_wh: int = 0
    estimated_wh: int = 0
    day_wh: int = 0
    # money and what lies ahead (OUTLOOK)
    is_tariff_known: bool = True
    ledger_nanos: int = 0
    bill_nanos: int = 0
    available_nanos: int = 0
    forecast_today_wh: int = 0
    forecast_today_nanos: int = 0
    forecast_month_nanos: int = 0
    runway_hours_p10: float | None = None
    runway_hours_p50: float | None = None
    runway_hours_p90: float | None = None
    # where it stands
    tier: Tier = Tier.NORMAL
    episode: int = 0
    warning_number: int = 0
    ledger_changed: bool = False
    stage: Stage = Stage.NORMAL
    stage_since: int = NO_TIME
    switch: Switch = Switch.UNKNOWN
    trip_episode: int = 0
    attempt: int = 0
    restore_attempt: int = 0
    notice_delivered_at: int = NO_TIME
    approved_until: int = NO_TIME
    command_expires_at: int = NO_TIME
    trip_sent_at: int = NO_TIME
    holds: Hold = NO_HOLD
    decision_number: int = 0
    is_quarantined: bool = False
    interlock: Hold = NO_HOLD
    procedure: Procedure = Procedure.NONE
    command: CommandState = CommandState.NONE
    control_mode: int = USUAL_MODE_ARMED
    step_at: int = NO_TIME
    warned_day: int = 0
    warned_today: int = 0
    collector: str = ""
    area: str = ""
    weather: AreaWeather = NOT_WATCHED
    # of the annex, for those who have one
    step: int = 0
    notices: int = 0
    step_notice: tuple[int, ...] = (0,) * MAX_STEPS
    proven_at: tuple[int, ...] = (NO_TIME,) * MAX_STEPS
    approved_at: tuple[int, ...] = (NO_TIME,) * MAX_APPROVERS
    approvers: tuple[str, ...] = ("",) * MAX_APPROVERS
    proof_from: int = NO_TIME
    unsettled_until: int = NO_TIME
    emergency_credit_nanos: int = 0
    load_wh: int = 0
    load_from: int = NO_TIME
    load_until: int = NO_TIME
    still_from: int = NO_TIME
    opened_at: int = NO_TIME
    not_before_at: int = NO_TIME
    warning_proven: int = NO_TIME
    open_items: int = 0
    oldest_due_day: int = 0
    owed_nanos: int = 0

    @property
    def is_judged(self) -> bool:
        """Whether anything can be decided: terms and a first reading are known."""
        return self.settings_version > 0 and self.read_at != NO_TIME

    @property
    def is_prepaid(self) -> bool:
        """Whether the prepaid trip procedure applies at all."""
        return self.payment_mode is PaymentMode.PREPAID

    @property
    def trip_ends_at(self) -> int:
        """Until when the newest trip may be carried out."""
        return self.trip_sent_at + self.rules.command_validity_seconds

    @property
    def step_proofs(self) -> tuple[int, ...]:
        """When the proof of each step taken so far was in hand; the last is the newest notice's."""
        return (*self.proven_at[: self.step], self.notice_delivered_at)

    @property
    def is_exhausted(self) -> bool:
        """Whether the money and the agreed credit are used up: domain.md 6, "available < 0"."""
        return self.available_nanos < 0

    @property
    def steps(self) -> tuple[NoticeStep, ...]:
        """What must reach the customer before a trip, by the procedure of this episode."""
        return steps_of(self.procedure, self.customer_class, self.rules)

    @property
    def line(self) -> NoticeStep:
        """The step taken last."""
        return self.steps[min(self.step, len(self.steps) - 1)]

    @property
    def is_last_step(self) -> bool:
        """Whether a trip comes after this step."""
        return self.step >= len(self.steps) - 1

    @property
    def overdue_days(self) -> int:
        """Whole local days since the last day to pay the oldest unpaid bill; 0 none is overdue."""
        if not self.oldest_due_day:
            return 0
        today = datetime.fromtimestamp(self.now, self.zone or UTC).date().toordinal()
        return max(0, today - self.oldest_due_day)

    @property
    def approved_by(self) -> tuple[str, ...]:
        """The different people whose approval holds at this time.

        A tick that is judged again after a crash may meet an approval that was given after it.
        """
        life = self.rules.approval_valid_seconds
        holding = (
            name
            for name, at in zip(self.approvers, self.approved_at, strict=True)
            if person_key(name) and at != NO_TIME and at <= self.now < at + life
        )
        return tuple({person_key(name): name for name in holding}.values())

    @property
    def approvers_needed(self) -> int:
        """How many different people must approve."""
        return approvers_needed(self.procedure, self.customer_class, self.rules)

    @property
    def notice_id(self) -> str:
        """The newest notice of this trip episode."""
        return self.notice_of(min(self.step, len(self.steps) - 1))

    def notice_of(self, step: int) -> str:
        """The notice by which this step was taken: a contract has one, the law's are numbered."""
        if self.procedure is not Procedure.ARREARS_STOP:
            return f"{self.account_id}:notice:{self.trip_episode}"
        name = self.steps[step].step.name.lower().replace("_", "-")
        return f"{self.account_id}:{name}:{self.trip_episode}:{self.step_notice[step]}"

    @property
    def warning_id(self) -> str:
        """The newest warning."""
        return f"{self.account_id}:warning:{self.episode}:{self.warning_number}"

    @property
    def trip_id(self) -> str:
        """The newest trip command of this trip episode."""
        return f"{self.account_id}:trip:{self.trip_episode}:{self.attempt}"

    @property
    def restore_id(self) -> str:
        """The newest restore command of this trip episode."""
        return f"{self.account_id}:restore:{self.trip_episode}:{self.restore_attempt}"

    def evidence(self, holds: Hold = NO_HOLD) -> Evidence:
        """The figures an effect stands on, with the reasons that hold a trip back."""
        return Evidence(
            read_at=self.read_at,
            ledger_nanos=self.ledger_nanos,
            bill_nanos=self.bill_nanos,
            available_nanos=self.available_nanos,
            tariff_id=self.tariff_id,
            settings_version=self.settings_version,
            runway_hours_p10=shown_hours(self.runway_hours_p10),
            runway_hours_p50=shown_hours(self.runway_hours_p50),
            estimated_wh=self.estimated_wh,
            holds=hold_names(holds),
        )

    def after(self, changes: Mapping[str, Any]) -> Situation:
        """The situation with these ledger columns changed (those a Situation keeps by name)."""
        known: dict[str, Any] = {}
        for column, value in changes.items():
            if column == "warn_at":
                continue  # a deadline for the screen; no rule reads it
            name = "is_quarantined" if column == "quarantined" else column
            known[name] = TYPE_OF.get(name, int)(value)
        return self._replace(**known)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a situation: effects to publish and ledger columns to write."""

    effects: tuple[Effect, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.effects or self.changes)

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(self.effects + other.effects, {**self.changes, **other.changes})


NOTHING = Verdict()


TYPE_OF: dict[str, Any] = {
    "tier": Tier,
    "stage": Stage,
    "switch": Switch,
    "holds": Hold,
    "ledger_changed": bool,
    "is_quarantined": bool,
    "procedure": Procedure,
    "command": CommandState,
    "proven_at": tuple,
    "approved_at": tuple,
    "approvers": tuple,
    "step_notice": tuple,
}
"""Columns that are more than a number; the others of a Situation are plain ints."""


def decision(here: Situation, kind: DecisionKind, detail: str, holds: Hold = NO_HOLD) -> Verdict:
    """A Decision; they are numbered through per account, so that no two share an id."""
    number = here.decision_number + 1
    told = Decision(
        f"{here.account_id}:{kind}:{number}",
        here.account_id,
        here.now,
        here.cause,
        here.evidence(holds),
        kind,
        detail,
    )
    return Verdict((told,), {"decision_number": number})


def hold_names(holds: Hold) -> tuple[str, ...]:
    """The reasons in words, in the order of their numbers.

    >>> hold_names(Hold.OUTSIDE_WINDOW | Hold.LIFE_SUPPORT)
    ('life_support', 'outside_window')
    """
    return tuple((hold.name or "").lower() for hold in holds)


@lru_cache(maxsize=256)
def zone_named(name: str) -> tzinfo | None:
    """The time zone of this IANA name, None if nobody knows it.

    >>> zone_named("Asia/Shanghai"), zone_named("Middle/Earth")
    (zoneinfo.ZoneInfo(key='Asia/Shanghai'), None)
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None  # a calendar nobody can read: guards turn it into a named hold


def finite_hours(hours: float) -> float | None:
    """Hours if they are a number of hours; None beyond the horizon or unknown."""
    return hours if math.isfinite(hours) else None


def shown_hours(hours: float | None) -> float | None:
    """Hours to a hundredth: more would be noise of a forecast."""
    return None if hours is None else round(hours, 2)
