"""What is answered about one account?

Each answer is made from the account's columns in about twenty microseconds, because five thousand
are asked for in a second; so it is a flat function over plain numbers.  It stands apart from HTTP
so that a test can read an answer as a person would.  The figures are `scoring.outlook`'s, the
stages and holds what the workers have told; nothing is decided here.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from api.next_step import next_step
from api.words import HOLD_WORDS
from scoring.book import LEDGER
from scoring.debts import ARREARS, OVERDUE_DAYS, arrears, owed_nanos
from scoring.effects import Hold, Stage, Tier
from scoring.events import PaymentMode, Source, Switch
from scoring.outlook import OUTLOOK
from scoring.plans import standing
from scoring.procedures import Procedure, Step
from scoring.units import NO_TIME, SECONDS_PER_HOUR, SLOT_SECONDS, money_text
from streams.topics import TOPIC_OF_SOURCE
from streams.wire import decimal_text

if TYPE_CHECKING:
    from datetime import tzinfo

    from api.next_step import NextStep
    from api.view import Place, View
    from scoring.weather import AreaWeather
    from scoring.windows import TripWindows

TIER_NAMES = [tier.name.lower() for tier in Tier]
STAGE_NAMES = [stage.name.lower() for stage in Stage]
SWITCH_NAMES = [switch.name.lower() for switch in Switch]
SOURCE_TOPICS = [TOPIC_OF_SOURCE[source] for source in Source]
PREPAID = tuple(PaymentMode).index(PaymentMode.PREPAID)
BEFORE_PROOF = (int(Stage.NORMAL), int(Stage.NOTICE_SENT))
BY_LAW_STEPS = (Step.DUNNING, Step.WRITTEN_NOTICE, Step.SECOND_NOTICE)


class Shown(NamedTuple):
    """The ledger columns an answer needs, in their order there.

    Codes are filled up with zeros; `source_offset` is read by OFFSETS.
    """

    credit_limit_nanos: int
    reconnect_min_nanos: int
    tariff_id: bytes
    read_at: int
    received_at: int
    stage_since: int
    notice_delivered_at: int
    command_expires_at: int
    warn_at: int
    step_at: int
    source_offset: bytes
    settings_version: int
    holds: int
    payment_mode: int
    tier: int
    stage: int
    switch: int
    procedure: int
    area: bytes
    quarantined: int

    @property
    def tariff(self) -> str:
        """The tariff's id, "" if none has been stated."""
        return self.tariff_id.rstrip(b"\0").decode()

    @property
    def place(self) -> str:
        """The code of the area, "" of one nobody knows."""
        return self.area.rstrip(b"\0").decode()


NUMBERS = {"i8": "q", "i4": "i", "u4": "I", "u1": "B", "f4": "f"}
"""As numpy and as `struct` name them; all else is bytes."""


def _reader(layout: np.dtype[Any], names: tuple[str, ...]) -> Struct:
    """Reads these columns of a row's bytes: four times as fast as numpy makes a row's values."""
    assert layout.fields is not None
    parts, end = ["<"], 0
    for name in names:
        kind, offset = layout.fields[name][:2]
        assert offset >= end, f"{name} stands before another column that is read"
        size = kind.itemsize
        parts.append(f"{offset - end}x{NUMBERS.get(kind.str[1:], f'{size}s')}")
        end = offset + size
    reader = Struct(f"{''.join(parts)}{layout.itemsize - end}x")
    assert reader.size == layout.itemsize
    return reader


SHOWN = _reader(LEDGER, Shown._fields)
OFFSETS = Struct(f"<{len(Source)}q")


class Looked(NamedTuple):
    """One OUTLOOK row; the names are its own."""

    bill_nanos: int
    previous_bill_nanos: int
    balance_nanos: int
    available_nanos: int
    forecast_today_nanos: int
    forecast_month_nanos: int
    estimated_wh: int
    version: int
    forecast_today_wh: float
    runway_hours_p10: float
    runway_hours_p50: float
    runway_hours_p90: float


LOOKED = _reader(OUTLOOK, Looked._fields)


def answer(view: View, row: int, windows: TripWindows) -> bytes:
    """The whole answer about the account in `row`, as JSON.

    Bill, balance and credit are exact decimals; forecasts are rounded to cents, since they are no
    better.  Instants are in the account's own time zone.
    """
    shown, look, place = _about(view, row)
    zone = place.zone
    low, middle, high = look.runway_hours_p10, look.runway_hours_p50, look.runway_hours_p90
    weather = view.weather.of(shown.place, windows.rules.moratoria_areas)
    step = next_step(shown, look, zone, windows, weather, _step_taken(view, row, shown))
    is_known = look.version >= 0
    partition = view.partition.item(row)
    return msgspec.json.encode(
        {
            "accountId": view.book.account_ids[row],
            "asOf": time_in(shown.read_at, zone),
            "receivedAt": time_in(shown.received_at, zone),
            "tariffId": shown.tariff or None,
            "currency": place.currency,
            "zone": place.zone_name,
            "balance": decimal_text(look.balance_nanos),
            "available": decimal_text(look.available_nanos),
            "creditLimit": decimal_text(shown.credit_limit_nanos),
            "billSoFar": decimal_text(look.bill_nanos),
            "previousMonthBill": decimal_text(look.previous_bill_nanos),
            "forecastBillToday": money_text(look.forecast_today_nanos) if is_known else None,
            "forecastBillMonth": money_text(look.forecast_month_nanos) if is_known else None,
            "forecastTodayWh": round(look.forecast_today_wh) if is_known else None,
            "estimatedWh": look.estimated_wh,
            "runwayHours": {"p10": _hours(low), "p50": _hours(middle), "p90": _hours(high)},
            "runwayEndsAt": {
                "p10": _ends_at(shown.read_at, low, zone),
                "p50": _ends_at(shown.read_at, middle, zone),
                "p90": _ends_at(shown.read_at, high, zone),
            },
            **_no_trip_before(shown, look, place, windows, weather, step),
            "tier": TIER_NAMES[shown.tier],
            "stage": STAGE_NAMES[shown.stage],
            "stageSince": time_in(shown.stage_since, zone),
            "switch": SWITCH_NAMES[shown.switch],
            "reasons": reasons(shown.holds),
            "nextStep": {"step": step.step, "at": time_in(step.at, zone), "text": step.text},
            "arrears": _arrears(view, row, shown, zone),
            "plan": _plan(view, row, shown, look),
            "settingsVersion": shown.settings_version,
            "source": {
                "partition": partition,
                "offsets": {
                    topic: offset
                    for topic, offset in zip(
                        SOURCE_TOPICS, OFFSETS.unpack(shown.source_offset), strict=True
                    )
                    if offset >= 0
                },
            },
        }
    )


def _arrears(view: View, row: int, shown: Shown, zone: tzinfo | None) -> dict[str, Any] | None:
    """What is owed by age, as of the newest reading; None of an account that owes nothing."""
    annex = view.book.annex(row)
    if annex is None:
        return None
    as_of = datetime.fromtimestamp(shown.read_at, zone or UTC).date()
    aged = dict(
        zip(
            ARREARS.names or (),
            arrears(annex, np.array([as_of.toordinal()]))[0].item(),
            strict=True,
        )
    )
    if not owed_nanos(annex)[0]:
        return None
    days = [f"{least}-{most}" if most < 2**31 else f"{least}-" for least, most in OVERDUE_DAYS]
    overdue = map(decimal_text, aged["overdue_nanos"].tolist())
    return {
        "owed": decimal_text(owed_nanos(annex)[0]),
        "current": decimal_text(aged["current_nanos"]),
        "earlierMonths": decimal_text(aged["earlier_months_nanos"]),
        "carriedOver": decimal_text(aged["carried_over_nanos"]),
        "lateCharge": decimal_text(aged["late_charge_nanos"]),
        "costs": decimal_text(aged["costs_nanos"]),
        "overdueDays": dict(zip(days, overdue, strict=True)),
    }


def _plan(view: View, row: int, shown: Shown, look: Looked) -> dict[str, Any] | None:
    """Where the account stands with its settlement plan; None of one that has none."""
    annex = view.book.annex(row)
    if annex is None or not annex["plan_days"][0, 0] or shown.payment_mode == PREPAID:
        return None
    if look.version < 0 or shown.read_at == NO_TIME:
        return None
    ledger = view.book.ledger
    now = standing(
        annex,
        int(ledger["month"][row]),
        int(ledger["day"][row]),
        int(ledger["ledger_nanos"][row]),
        look.previous_bill_nanos,
        look.bill_nanos,
        look.forecast_month_nanos,
    )
    return {
        "instalments": [
            {
                "dueDate": date.fromordinal(each.due_day).isoformat(),
                "planned": money_text(each.planned_nanos),
            }
            for each in now.instalments
        ],
        "planned": money_text(now.planned_nanos),
        "paid": decimal_text(now.paid_nanos),
        "used": decimal_text(now.used_nanos),
        "forecastMonth": money_text(now.forecast_nanos),
        "shortfall": money_text(now.shortfall_nanos),
        "exposure": decimal_text(now.exposure_nanos),
    }


def _step_taken(view: View, row: int, shown: Shown) -> Step:
    """The notice given last; the law's are counted in the annex."""
    if shown.procedure != Procedure.ARREARS_STOP:
        return Step.DISCONNECTION_NOTICE
    annex = view.book.annex(row)
    return BY_LAW_STEPS[0 if annex is None else int(annex["step"][0])]


def _about(view: View, row: int) -> tuple[Shown, Looked, Place]:
    shown = Shown._make(SHOWN.unpack(view.book.ledger[row].tobytes()))
    look = Looked._make(LOOKED.unpack(view.look[row].tobytes()))
    return shown, look, view.places[view.book.tariff_index[row]]


def as_of(view: View, row: int) -> str | None:
    """The newest counted reading of an account, in its zone: what an answer about it rests on."""
    shown, _look, place = _about(view, row)
    return time_in(shown.read_at, place.zone)


def summary(view: View, row: int) -> dict[str, Any]:
    """One line of a list."""
    shown, look, place = _about(view, row)
    return {
        "accountId": view.book.account_ids[row],
        "asOf": time_in(shown.read_at, place.zone),
        "balance": decimal_text(look.balance_nanos),
        "available": decimal_text(look.available_nanos),
        "currency": place.currency,
        "runwayHoursP50": _hours(look.runway_hours_p50),
        "tier": TIER_NAMES[shown.tier],
        "stage": STAGE_NAMES[shown.stage],
        "switch": SWITCH_NAMES[shown.switch],
    }


def reasons(holds: int) -> list[dict[str, str]]:
    """Why the supply is left on, by name and in plain words."""
    if not holds:
        return []
    return [{"name": (hold.name or "").lower(), "text": HOLD_WORDS[hold]} for hold in Hold(holds)]


def _no_trip_before(
    shown: Shown,
    look: Looked,
    place: Place,
    windows: TripWindows,
    weather: AreaWeather,
    ahead: NextStep,
) -> dict[str, str | None]:
    """Before when no trip can come, by calendar, weather and procedure, and by when to pay.

    Before a notice is proven that rests on the forecast; none where a trip has been commanded.
    """
    at = None
    if shown.payment_mode == PREPAID and look.version >= 0:
        if ahead.step == "trip-command":
            at = ahead.at
        elif shown.stage in BEFORE_PROOF and math.isfinite(look.runway_hours_p50):
            runs_out_at = shown.read_at + round(look.runway_hours_p50 * SECONDS_PER_HOUR)
            at = windows.earliest_trip(place.zone, shown.received_at, runs_out_at, weather)
    if at is None:
        return {"noTripBefore": None, "payBy": None}
    pay_by = max(shown.received_at, at - windows.rules.payment_lead_seconds)
    return {"noTripBefore": time_in(at, place.zone), "payBy": time_in(pay_by, place.zone)}


def _hours(hours: float) -> float | None:
    """Hours to a hundredth, None beyond the horizon."""
    return round(hours, 2) if math.isfinite(hours) else None


def _ends_at(read_at: int, hours: float, zone: tzinfo | None) -> str | None:
    return time_in(read_at + int(hours * SECONDS_PER_HOUR), zone) if math.isfinite(hours) else None


def time_in(at: int | None, zone: tzinfo | None) -> str | None:
    """An instant in the account's zone (UTC if it has none), None for never."""
    if at is None or at == NO_TIME:
        return None
    slot, second = divmod(at, SLOT_SECONDS)
    hour_text, first_second, offset_text = _local_slot(slot, zone)
    return hour_text + IN_AN_HOUR[first_second + second] + offset_text


IN_AN_HOUR = [f"{second // 60:02d}:{second % 60:02d}" for second in range(SECONDS_PER_HOUR)]


@lru_cache(maxsize=65_536)
def _local_slot(slot: int, zone: tzinfo | None) -> tuple[str, int, str]:
    """A quarter of an hour in local time: "2026-07-26T18:", its first second there, "+08:00".

    Kept, because many accounts share few quarters and the library takes ten times as long.
    """
    local = datetime.fromtimestamp(slot * SLOT_SECONDS, zone or UTC)
    text = local.isoformat()
    return text[:14], local.minute * 60, text[19:]
