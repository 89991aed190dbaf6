"""What happens next to an account, and when, if nobody does anything?

One line per stage, for whoever asks the API; it foretells what the workers will do by the same
rules (`scoring.rules`) and decides nothing.  It never names a day for a cut that is too early.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from scoring.effects import Stage
from scoring.events import PaymentMode
from scoring.procedures import Step
from scoring.units import NO_TIME, SECONDS_PER_HOUR, money_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from api.answer import Looked, Shown
    from scoring.weather import AreaWeather
    from scoring.windows import TripWindows

PREPAID = tuple(PaymentMode).index(PaymentMode.PREPAID)
BY_LAW = "the money is used up; on a plan the supply is stopped only by law, for overdue bills"


class NextStep(NamedTuple):
    """What happens next to the account if nothing else does, and when (None: not by time)."""

    step: str
    at: int | None
    text: str


def next_step(
    shown: Shown,
    look: Looked,
    zone: tzinfo | None,
    windows: TripWindows,
    weather: AreaWeather,
    step: Step,
) -> NextStep:
    """What happens next if nothing else does: no payment, no report, no word of an operator.

    `step` is the notice given last.
    """
    if shown.quarantined:
        return NextStep("release-quarantine", None, "a person must look at this account's figures")
    if not shown.settings_version:
        return NextStep("account-settings", None, "the account's terms have not been stated yet")
    if zone is None:  # it is the tariff's
        return NextStep("tariff", None, f"there is no sheet of {shown.tariff!r}")
    if shown.read_at == NO_TIME:
        return NextStep("first-reading", None, "no reading has been counted yet")
    if look.version < 0:
        return NextStep("tariff", None, f"no sheet of {shown.tariff!r} is in force")
    on_the_road = _ROAD.get(shown.stage)
    if on_the_road is not None:
        return on_the_road(shown, zone, windows, weather, step)
    return _before_the_road(shown, look)


def _before_the_road(shown: Shown, look: Looked) -> NextStep:
    if look.available_nanos < 0:
        if shown.payment_mode != PREPAID:
            return NextStep("payment", None, BY_LAW)
        words = "held, see reasons" if shown.holds else "due at once"
        return NextStep(
            "disconnection-notice", None, f"the money is used up; the notice is {words}"
        )
    if shown.warn_at != NO_TIME:
        return NextStep("low-balance-warning", shown.warn_at, "if use goes on as forecast")
    if math.isfinite(look.runway_hours_p50) and shown.payment_mode == PREPAID:
        at = shown.read_at + round(look.runway_hours_p50 * SECONDS_PER_HOUR)
        return NextStep("disconnection-notice", at, "when the money is used up, most likely")
    return NextStep("none", None, "the money lasts beyond the 35 days looked ahead")


def _notice_sent(_shown: Shown, *_terms: object) -> NextStep:
    return NextStep("notice-delivery", None, "the notice's delivery must be proven first")


def _noticed(
    shown: Shown, zone: tzinfo, windows: TripWindows, weather: AreaWeather, step: Step
) -> NextStep:
    rules = windows.rules
    if step is Step.DUNNING:
        days = rules.arrears_overdue_days
        return NextStep("written-notice", None, f"once a bill is over {days} days overdue")
    if step is Step.WRITTEN_NOTICE:
        return NextStep("second-notice", shown.step_at, "no earlier, half an hour before a trip")
    is_second = step is Step.SECOND_NOTICE
    lead = rules.second_notice_lead_seconds if is_second else rules.notice_lead_seconds
    at = windows.next(zone, shown.notice_delivered_at + lead, weather)
    if at is None:
        return NextStep("trip-command", None, "not before somebody states the days off")
    return NextStep("trip-command", at, "no earlier, and only if no reason holds it back")


def _trip_commanded(shown: Shown, *_terms: object) -> NextStep:
    return NextStep("trip-report", shown.command_expires_at, "the field reports, or it expires")


def _tripped(shown: Shown, *_terms: object) -> NextStep:
    least = money_text(shown.reconnect_min_nanos)
    return NextStep("restore-command", None, f"as soon as {least} is available again")


def _restore_commanded(shown: Shown, *_terms: object) -> NextStep:
    return NextStep("restore-report", shown.command_expires_at, "the field reports, or it repeats")


_ROAD: dict[int, Callable[[Shown, tzinfo, TripWindows, AreaWeather, Step], NextStep]] = {
    int(Stage.NOTICE_SENT): _notice_sent,
    int(Stage.NOTICED): _noticed,
    int(Stage.TRIP_COMMANDED): _trip_commanded,
    int(Stage.TRIPPED): _tripped,
    int(Stage.RESTORE_COMMANDED): _restore_commanded,
}
