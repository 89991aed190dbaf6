"""On what did a decision stand, so that a person can follow it years later?

`Evidence` names the figures every effect carries; `Grounds` are all inputs of one judgement: the
reading, the tariff's version, how far each input topic had been read, the forecast, what is owed
and since when, every guard with its answer, each notice and its receipt, who approved.  They are
taken at the moment of judging and kept in the chain of the account's decisions (`streams.chain`).
Nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from scoring.deeds import proofs_of
from scoring.effects import Hold, Proof, Stage
from scoring.events import Source
from scoring.guards import trip_holds
from scoring.situation import hold_names
from scoring.units import NO_TIME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.situation import Situation
    from scoring.tariff import Tariffs

ON_THE_ROAD = (Stage.NOTICE_SENT, Stage.NOTICED, Stage.TRIP_COMMANDED)
"""Where the proofs of steps are those of the procedure that goes on."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """The inputs of one judgement; money in nanos, energy in Wh, instants in UTC seconds.

    `offsets` says how far each input topic had shaped the account (-1: never); `guards_hit` are the
    reasons that hold a trip back at this moment, `guards_missed` those that were asked and do not.
    `oldest_due` is the last day to pay the oldest unpaid bill, `proofs` are the steps of the
    procedure that are proven so far.
    """

    received_at: int
    register_wh: int
    newest_quality: str
    used_wh: int
    day_wh: int
    tariff_valid_from: str | None
    credit_limit_nanos: int
    forecast_today_wh: int
    forecast_today_nanos: int
    forecast_month_nanos: int
    runway_hours_p90: float | None
    offsets: tuple[int, ...]
    heartbeat_at: int
    payments_caught_up: bool
    weather_as_of: int
    stage: str
    switch: str
    attempt: int
    guards_hit: tuple[str, ...]
    guards_missed: tuple[str, ...]
    procedure: str
    owed_nanos: int
    oldest_due: str | None
    overdue_days: int
    notice_id: str | None
    notice_delivered_at: int
    proofs: tuple[Proof, ...]
    warning_id: str | None
    warning_proven_at: int
    approved_until: int
    approvers: tuple[str, ...] = ()


def grounds(here: Situation, row: NDArray[Any], version: int, tariffs: Tariffs) -> Grounds:
    """The inputs of a judgement of `here`, with its ledger row (1,) as it was judged.

    `version` is the number of the tariff version in force, -1 unknown.
    """
    hit = trip_holds(here)
    missed = ~hit & ~Hold(0)
    has_notice, oldest = here.trip_episode > 0, here.oldest_due_day
    proofs = tuple(each for each in proofs_of(here) if each.proven_at != NO_TIME)
    return Grounds(
        received_at=int(row["received_at"][0]),
        register_wh=int(row["register_wh"][0]),
        newest_quality=here.newest_quality.name.lower(),
        used_wh=here.used_wh,
        day_wh=here.day_wh,
        tariff_valid_from=tariffs.sheets[version].valid_from.isoformat() if version >= 0 else None,
        credit_limit_nanos=int(row["credit_limit_nanos"][0]),
        forecast_today_wh=here.forecast_today_wh,
        forecast_today_nanos=here.forecast_today_nanos,
        forecast_month_nanos=here.forecast_month_nanos,
        runway_hours_p90=None if here.runway_hours_p90 is None else round(here.runway_hours_p90, 2),
        offsets=tuple(row["source_offset"][0, : len(Source)].tolist()),
        heartbeat_at=here.feed.heartbeat_at,
        payments_caught_up=here.feed.caught_up,
        weather_as_of=here.weather.as_of,
        stage=here.stage.name.lower(),
        switch=here.switch.name.lower(),
        attempt=here.attempt,
        guards_hit=hold_names(hit),
        guards_missed=hold_names(missed),
        procedure=here.procedure.name.lower(),
        owed_nanos=here.owed_nanos,
        oldest_due=date.fromordinal(oldest).isoformat() if oldest else None,
        overdue_days=here.overdue_days,
        notice_id=here.notice_id if has_notice else None,
        notice_delivered_at=here.notice_delivered_at if has_notice else NO_TIME,
        proofs=proofs if here.stage in ON_THE_ROAD else (),
        warning_id=here.warning_id if here.episode else None,
        warning_proven_at=here.warning_proven,
        approved_until=here.approved_until,
        approvers=here.approved_by,
    )
