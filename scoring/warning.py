"""When is a customer warned that the money will not last, and when is the warning taken back?

Warning is policy of its own, apart from the road to a trip (`scoring.decide`): it holds for every
account, prepaid or plan-settled, and nothing is ever cut by it.  The same comparison in columns, to
find the rows worth asking about, stands in `scoring.screen`; a property test holds them together.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scoring.deeds import ask, withdraw_items
from scoring.effects import LowBalanceWarning, Tier, WorkItemKind
from scoring.messages import warning_texts
from scoring.policy_terms import CALLERS_OF_SIZE, Caller, size_of
from scoring.rules import SURE_MARGIN_HOURS, WHOLE_FIFTHS, earliest_trip
from scoring.situation import NOTHING, Verdict
from scoring.units import NO_TIME, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from scoring.situation import Situation


def tier_reached(here: Situation, dead_band_divisor: int | None = None) -> Tier:
    """How near the end of the money is, 0 to 3.

    Tiers 1 and 2 ask whether the money lasts their days *probably* (P50): an alarm that is wrong
    half the time at its edge is what people still believe, and a miss is mended by the next tier.
    Tier 3 asks whether it lasts *surely* (P10, and SURE_MARGIN_HOURS more): after it comes the
    notice, so a miss has no mender and an hour too early costs little.  Falling below
    `warning_amount` is tier 1 at least, because the contract names it (domain.md 6, "LV resident
    warning 50 yuan").

    Time counts from now, not from the reading: a silent meter's money runs down too.  With a
    `dead_band_divisor` every threshold is that fraction wider.
    """
    amount = here.warning_amount_nanos
    if dead_band_divisor:
        amount += amount // dead_band_divisor
    fifth, rules = amount // WHOLE_FIFTHS, here.rules
    if here.available_nanos < fifth * rules.lowest_amount_fifths or _ends_within(
        here, here.runway_hours_p10, sure_hours(here), dead_band_divisor
    ):
        return Tier.LOWEST
    if here.available_nanos < fifth * rules.lower_amount_fifths or _ends_within(
        here, here.runway_hours_p50, here.warning_hours[1], dead_band_divisor
    ):
        return Tier.LOWER
    if here.available_nanos < amount or _ends_within(
        here, here.runway_hours_p50, here.warning_hours[0], dead_band_divisor
    ):
        return Tier.LOW
    return Tier.NORMAL


def sure_hours(here: Situation) -> int:
    """P10 of the runway at which tier 3 is told, so that its hours are left in 99 cases of 100."""
    return here.warning_hours[2] + SURE_MARGIN_HOURS


def _ends_within(
    here: Situation, runway_hours: float | None, hours: int, dead_band_divisor: int | None
) -> bool:
    if runway_hours is None:
        return False
    limit_seconds = hours * SECONDS_PER_HOUR
    if dead_band_divisor:
        limit_seconds += limit_seconds // dead_band_divisor
    return here.read_at + runway_hours * SECONDS_PER_HOUR - here.now <= limit_seconds


def warning(here: Situation) -> Verdict:
    """The warning this situation calls for: up at once, also over several tiers, down reluctantly.

    A tier is left only after money or a correction came, and only past the dead band (domain.md
    2.3, hysteresis); tier 0 tells the customer that all is well again.
    """
    if here.is_quarantined or not here.is_tariff_known:
        return NOTHING  # figures nobody believes are not told to customers
    tier = tier_reached(here)
    if tier <= here.tier:
        if not here.ledger_changed:
            return NOTHING
        tier = max(tier, tier_reached(here, here.rules.dead_band_divisor))
        if tier >= here.tier:
            return NOTHING
    today = datetime.fromtimestamp(here.now, here.zone or UTC).date().toordinal()
    told_today = here.warned_today if here.warned_day == today else 0
    begins = here.tier is Tier.NORMAL
    is_spared = begins or tier in (Tier.LOWEST, Tier.NORMAL)
    if told_today >= here.rules.max_warnings_a_day and not is_spared:
        return NOTHING  # tomorrow, if it still holds
    episode = here.episode + begins
    number = 1 if begins else here.warning_number + 1
    ahead = what_lies_ahead(here)
    english, chinese = warning_texts(here, tier, *ahead)
    warning = LowBalanceWarning(
        f"{here.account_id}:warning:{episode}:{number}",
        here.account_id,
        here.now,
        here.cause,
        here.evidence(),
        tier,
        here.tier,
        *ahead,
        english,
        chinese,
    )
    changes = {
        "tier": tier,
        "episode": episode,
        "warning_number": number,
        "ledger_changed": False,
        "warn_at": _next_warning_at(here, tier),
        "warned_day": today,
        "warned_today": min(told_today + 1, MOST_COUNTED),
    }
    if here.warning_proven != NO_TIME:  # it was the one before that arrived
        changes["warning_proven"] = NO_TIME
    told = Verdict((warning,), changes)
    return told + _call(here.after(told.changes), tier, rises=tier > here.tier)


MOST_COUNTED = 255
DAYS_OF_A_MONTH = 30


def _call(here: Situation, tier: Tier, *, rises: bool) -> Verdict:
    """Who must call on the customer now, by size: large ones at the first warning (seed B).

    In a month's first days little has been used yet, so today's forecast counts too.  When all is
    well again nobody needs to call.
    """
    if tier is Tier.NORMAL:
        return withdraw_items(here, here.warning_id, (WorkItemKind.COLLECT,))
    month_wh = max(here.used_wh, here.forecast_today_wh * DAYS_OF_A_MONTH)
    caller = CALLERS_OF_SIZE[size_of(month_wh)][tier - 1]
    if not rises or caller is Caller.MESSAGE:
        return NOTHING
    return ask(here, WorkItemKind.COLLECT, here.warning_id, caller.value)


def what_lies_ahead(here: Situation) -> tuple[int, int, int]:
    """When the money probably ends, before when no trip can come, and by when to pay for certain.

    NO_TIME where nobody can say; the calendar of trips is that of prepaid accounts alone.
    """
    if here.runway_hours_p50 is None:
        return NO_TIME, NO_TIME, NO_TIME
    runs_out_at = here.read_at + round(here.runway_hours_p50 * SECONDS_PER_HOUR)
    if not here.is_prepaid:
        return runs_out_at, NO_TIME, NO_TIME
    found = earliest_trip(here.rules, here.zone, here.now, runs_out_at, here.weather)
    if found is None:
        return runs_out_at, NO_TIME, NO_TIME
    return runs_out_at, found, max(here.now, found - here.rules.payment_lead_seconds)


def _next_warning_at(here: Situation, tier: Tier) -> int:
    """When time alone will reach a tier above `tier`, NO_TIME if never (column `warn_at`)."""
    reached_at = [
        here.read_at + runway_hours * SECONDS_PER_HOUR - hours * SECONDS_PER_HOUR
        for above, runway_hours, hours in (
            (Tier.LOW, here.runway_hours_p50, here.warning_hours[0]),
            (Tier.LOWER, here.runway_hours_p50, here.warning_hours[1]),
            (Tier.LOWEST, here.runway_hours_p10, sure_hours(here)),
        )
        if tier < above and runway_hours is not None
    ]
    return max(1, math.ceil(min(reached_at))) if reached_at else NO_TIME
