"""Accounts at every stage of the supply road, for the tables of the decision tests.

Money is in whole units, it is noon in Shanghai on Wednesday 1 July 2026, and nothing holds a trip.
"""

from zoneinfo import ZoneInfo

from scoring.effects import (
    Cause,
    Decision,
    DisconnectionNotice,
    Hold,
    LowBalanceWarning,
    RestoreCommand,
    Stage,
    StatusRead,
    Tier,
    TripCommand,
    WorkItem,
)
from scoring.events import CustomerClass, Feed, Protection, Source, Switch
from scoring.procedures import CommandState, Procedure
from scoring.rules import SupplyRules, WorkingCalendar
from scoring.situation import Situation
from scoring.units import NANOS_PER_UNIT, instant
from scoring.weather import AreaWeather, Spell, WeatherKind

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = instant("2026-07-01T12:00:00+08:00")
MINUTE, HOUR, DAY = 60, 3_600, 86_400
UNIT = NANOS_PER_UNIT
RULES = SupplyRules(WorkingCalendar.weekends_only())
CAUSE = Cause(Source.READINGS, 0, 7)


def sky(age=0, *spells, kind="cold"):
    """A watched area: the age of what is known, and spells as hours from noon until noon."""
    found = (
        Spell(WeatherKind(kind), round(NOON + a * HOUR), round(NOON + b * HOUR)) for a, b in spells
    )
    return {"weather": AreaWeather(True, NOON - age, tuple(found))}


def replace(here, **change):
    """The same account with something else about it."""
    return here._replace(**change)


AT_REST = Situation(
    account_id="home-1",
    now=NOON,
    cause=CAUSE,
    feed=Feed(heartbeat_at=NOON - MINUTE, caught_up=True),
    rules=RULES,
    zone=SHANGHAI,
    tariff_id="cn-sd-residential",
    warning_amount_nanos=50 * UNIT,
    reconnect_min_nanos=10 * UNIT,
    read_at=NOON - 10 * MINUTE,
    used_wh=100_000,
    day_wh=4_000,
    ledger_nanos=500 * UNIT,
    bill_nanos=100 * UNIT,
    available_nanos=400 * UNIT,
    runway_hours_p10=800.0,
    runway_hours_p50=None,
    switch=Switch.CONNECTED,
)
"""A prepaid home with plenty of money: nothing follows from it."""

EXHAUSTED = replace(
    AT_REST,
    available_nanos=-1,
    runway_hours_p10=0.0,
    runway_hours_p50=0.0,
    tier=Tier.LOWEST,
    episode=1,
    warning_number=3,
)
NOTICE_SENT = replace(
    EXHAUSTED,
    stage=Stage.NOTICE_SENT,
    stage_since=NOON - HOUR,
    trip_episode=2,
    procedure=Procedure.PREPAID_TRIP,
    command=CommandState.ASKED,
    holds=Hold.NOTICE_NOT_DELIVERED,
)
NOTICED = replace(
    EXHAUSTED,
    stage=Stage.NOTICED,
    stage_since=NOON - HOUR,
    procedure=Procedure.PREPAID_TRIP,
    trip_episode=2,
    notice_delivered_at=NOON - HOUR,
    command=CommandState.ASKED,
)
COMMANDED = replace(
    NOTICED,
    stage=Stage.TRIP_COMMANDED,
    stage_since=NOON - 20 * MINUTE,
    attempt=1,
    command=CommandState.SENT,
    command_expires_at=NOON + 10 * MINUTE,
    switch=Switch.UNKNOWN,
)
EXPIRED = replace(COMMANDED, stage_since=NOON - 30 * MINUTE, command_expires_at=NOON)
TRIPPED = replace(
    COMMANDED,
    stage=Stage.TRIPPED,
    stage_since=NOON - 5 * MINUTE,
    command=CommandState.EXECUTED,
    proof_from=NOON - 5 * MINUTE,
    opened_at=NOON - 5 * MINUTE,
    command_expires_at=0,
    switch=Switch.DISCONNECTED,
)
RESTORING = replace(
    TRIPPED,
    stage=Stage.RESTORE_COMMANDED,
    stage_since=NOON - 10 * MINUTE,
    restore_attempt=1,
    command=CommandState.SENT,
    proof_from=NOON - 10 * MINUTE,
    opened_at=NOON - 15 * MINUTE,
    command_expires_at=NOON + 10 * MINUTE,
    available_nanos=100 * UNIT,
)
BACK = replace(
    RESTORING,
    stage=Stage.NORMAL,
    stage_since=NOON - HOUR,
    command=CommandState.EXECUTED,
    switch=Switch.CONNECTED,
    proof_from=NOON - HOUR,
    opened_at=NOON - 2 * HOUR,
    command_expires_at=0,
)
FULL = {"available_nanos": 100 * UNIT}
SHIELD = {"protections": Protection.LIFE_SUPPORT}
BOTH = {"approvers": ("li", "wang"), "approved_at": (NOON - HOUR, NOON - HOUR)}
LARGE = {"customer_class": CustomerClass.LARGE} | BOTH


def told(verdict):
    """The verdict in words: kinds of effects in order, without the warnings and who calls."""
    return " ".join(filter(None, map(_name, verdict.effects)))


def _name(effect):
    match effect:
        case DisconnectionNotice():
            return "notice"
        case TripCommand():
            return f"trip {effect.attempt}"
        case RestoreCommand():
            return f"restore {effect.attempt}"
        case Decision():
            return effect.kind
        case StatusRead():
            return "status-read"
        case WorkItem(kind="collect"):
            return ""  # goes with a warning
        case WorkItem():
            return effect.kind if effect.status == "open" else f"no-{effect.kind}"
        case LowBalanceWarning():
            return ""
    raise AssertionError(effect)


def only(verdict, kind):
    (effect,) = [effect for effect in verdict.effects if isinstance(effect, kind)]
    return effect
