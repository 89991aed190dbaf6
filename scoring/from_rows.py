"""How do an account's row and its outlook become the plain values of a Situation?

In one place, because it is the only one that knows both how columns are laid out and what the
rules call them (`scoring.situation`); it is asked for every account that is judged, so it makes
nothing twice.  It decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scoring.book import LEDGER
from scoring.effects import NO_HOLD, Evidence, Hold, Stage, Tier
from scoring.events import Quality, Switch
from scoring.outlook import OUTLOOK
from scoring.procedures import CommandState, Procedure
from scoring.situation import (
    CUSTOMER_CLASSES,
    PAYMENT_MODES,
    Situation,
    World,
    finite_hours,
    shown_hours,
    zone_named,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scoring.book import Accounts
    from scoring.effects import Cause

TIERS, STAGES, SWITCHES, QUALITIES = tuple(Tier), tuple(Stage), tuple(Switch), tuple(Quality)
PROCEDURES, COMMANDS = tuple(Procedure), tuple(CommandState)
NEVER_DUE = 2**31 - 1

AS_THEY_ARE = (
    *("settings_version", "protections", "warning_amount_nanos", "reconnect_min_nanos"),
    *("read_at", "day_wh", "ledger_nanos", "episode", "warning_number", "stage_since"),
    *("trip_episode", "attempt", "restore_attempt", "notice_delivered_at", "approved_until"),
    *("command_expires_at", "decision_number", "control_mode", "step_at", "max_power_w"),
    *("warned_day", "warned_today", "trip_sent_at"),
)
"""Ledger columns that a Situation keeps unchanged."""

TRANSLATED = (
    *("tariff_id", "customer_class", "payment_mode", "direct_close_agreed", "warning_hours"),
    *("newest_quality", "used_wh", "tier", "ledger_changed", "stage", "switch", "holds"),
    *("quarantined", "procedure", "command", "collector", "area", "feeder"),
)
"""Ledger columns that become names, truths or sums."""

LOOKED_AT = OUTLOOK.names or ()
SEEN = LEDGER[[*AS_THEY_ARE, *TRANSLATED]]
"""The part of a ledger row a Situation is made from, seen in place: the rest is never touched."""


def situation(
    accounts: Accounts,
    look: NDArray[Any],
    position: int,
    account_id: str,
    now: int,
    cause: Cause,
    world: World,
) -> Situation:
    """The situation of the account at `position` of the block, with its OUTLOOK row in `look`."""
    row: Any = accounts.ledger[position : position + 1].view(SEEN).item()
    plain = dict(zip(AS_THEY_ARE, row, strict=False))  # the translated follow
    (
        tariff_id, customer_class, payment_mode, direct_close_agreed, warning_hours,
        newest_quality, used_wh, tier, ledger_changed, stage, switch, holds, quarantined,
        procedure, command, collector, area, feeder,
    ) = row[len(AS_THEY_ARE) :]  # fmt: skip
    tier_1, tier_2, tier_3 = warning_hours.tolist()
    seen = dict(zip(LOOKED_AT, look[position].item(), strict=True))
    index = int(accounts.tariff_index[position])
    return Situation(
        account_id=account_id,
        now=now,
        cause=cause,
        feed=world.feed,
        rules=world.rules,
        zone=zone_named(world.tariffs.zone_name(index)) if index >= 0 else None,
        tariff_id=tariff_id.decode(),
        customer_class=CUSTOMER_CLASSES[customer_class],
        payment_mode=PAYMENT_MODES[payment_mode],
        direct_close_agreed=direct_close_agreed != 0,
        warning_hours=(tier_1, tier_2, tier_3),
        newest_quality=QUALITIES[newest_quality],
        used_wh=sum(map(sum, used_wh.tolist())),
        estimated_wh=seen["estimated_wh"],
        is_tariff_known=seen["version"] >= 0,
        bill_nanos=seen["bill_nanos"] + seen["previous_bill_nanos"],
        available_nanos=seen["available_nanos"],
        forecast_today_wh=round(seen["forecast_today_wh"]),
        forecast_today_nanos=seen["forecast_today_nanos"],
        forecast_month_nanos=seen["forecast_month_nanos"],
        runway_hours_p10=finite_hours(seen["runway_hours_p10"]),
        runway_hours_p50=finite_hours(seen["runway_hours_p50"]),
        runway_hours_p90=finite_hours(seen["runway_hours_p90"]),
        tier=TIERS[tier],
        ledger_changed=ledger_changed != 0,
        stage=STAGES[stage],
        switch=SWITCHES[switch],
        holds=Hold(holds),
        is_quarantined=quarantined != 0,
        interlock=NO_HOLD if world.interlock is None else world.interlock.hold(feeder, now),
        procedure=PROCEDURES[procedure],
        command=COMMANDS[command],
        collector=collector.decode(),
        area=(where := area.decode()),
        weather=world.weather.of(where, world.rules.moratoria_areas),
        **plain,
        **_of_annex(accounts, position),
    )


IN_ANNEX = (
    *("step", "notices", "proof_from", "unsettled_until", "emergency_credit_nanos"),
    *("load_wh", "load_from", "load_until", "still_from", "opened_at", "not_before_at"),
    *("warning_proven", "open_items"),
)
"""Annex columns that a Situation keeps unchanged."""


def _of_annex(accounts: Accounts, position: int) -> dict[str, Any]:
    """What only some accounts have; the names are those of a Situation."""
    annex = accounts.annexes.row(position) if len(accounts.annexes) else None
    if annex is None:
        return {}
    known: dict[str, Any] = {name: int(annex[name][0]) for name in IN_ANNEX}
    left, due = annex["debt_nanos"][0], annex["debt_due_day"][0]
    known["oldest_due_day"] = int(due[left > 0].min(initial=NEVER_DUE)) % NEVER_DUE
    known["owed_nanos"] = int(left.sum())
    known["proven_at"] = tuple(annex["proven_at"][0].tolist())
    known["step_notice"] = tuple(annex["step_notice"][0].tolist())
    known["approved_at"] = tuple(annex["approved_at"][0].tolist())
    known["approvers"] = tuple(name.decode(errors="ignore") for name in annex["approvers"][0])
    return known


def evidence_of(
    accounts: Accounts, look: NDArray[Any], positions: NDArray[np.int64]
) -> list[Evidence]:
    """The evidence of each account at `positions` (n,), as its Situation would give it.

    In columns, because every account closes a day each day and most need no judging.
    """
    rows, seen = accounts.ledger, look[positions]
    return [
        Evidence(read_at, ledger_nanos, bill_nanos, available_nanos, tariff_id.decode(), version,
                 shown_hours(finite_hours(p10)), shown_hours(finite_hours(p50)), estimated_wh, ())
        for read_at, ledger_nanos, bill_nanos, available_nanos, tariff_id, version, p10, p50,
        estimated_wh in zip(
            rows["read_at"][positions].tolist(),
            rows["ledger_nanos"][positions].tolist(),
            (seen["bill_nanos"] + seen["previous_bill_nanos"]).tolist(),
            seen["available_nanos"].tolist(),
            rows["tariff_id"][positions].tolist(),
            rows["settings_version"][positions].tolist(),
            seen["runway_hours_p10"].tolist(),
            seen["runway_hours_p50"].tolist(),
            seen["estimated_wh"].tolist(),
            strict=True,
        )
    ]  # fmt: skip
