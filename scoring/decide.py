"""What is said, asked and commanded about an account's supply, and why?

The road of DESIGN 6 for prepaid accounts, one situation at a time so that policy reads like policy:
give notice, trip only when no guard holds, restore whenever in doubt.  It stands apart from the
screen that picks the situations (`scoring.screen`), the reasons to leave a supply on
(`scoring.guards`), the limits (`scoring.rules`) and the warnings (`scoring.warning`).  It changes
nothing itself: a `Verdict` says what to tell the world and which ledger columns to write.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from scoring.effects import (
    NO_HOLD,
    DecisionKind,
    DisconnectionNotice,
    Hold,
    RestoreCommand,
    Stage,
    TripCommand,
)
from scoring.events import Protection, Switch
from scoring.guards import foremost, notice_holds, trip_holds, why_unfounded
from scoring.rules import ARM_FOR_CLOSURE_CODE, DIRECT_CLOSE_CODE, TRIP_CODE, next_window
from scoring.screen import due, needs_judgement, note_deadlines
from scoring.situation import NOTHING, Situation, Verdict, decision, hold_names
from scoring.told import on_event
from scoring.units import NO_TIME
from scoring.warning import warning

__all__ = [
    "SET_BY_OPERATOR",
    "Verdict",
    "date_text",
    "due",
    "judge",
    "needs_judgement",
    "note_deadlines",
    "on_event",
]

SET_BY_OPERATOR = int(Protection.HELD_BY_OPERATOR)
"""The bits of `protections` that settings never change: only a person sets or clears them."""


def judge(here: Situation) -> Verdict:
    """Everything that follows from this situation now; empty if nothing does.

    Judging again what it has already answered says nothing more.
    """
    if not here.is_judged:
        return NOTHING
    return SUPPLY_ROAD[here.stage](here) + warning(here)


def date_text(day: int) -> str:
    """A proleptic day number as an ISO date.

    >>> date_text(739798)
    '2026-07-01'
    """
    return date.fromordinal(day).isoformat()


# --- one function per stage: what may follow from it -------------------------------------------


def _from_normal(here: Situation) -> Verdict:
    """Exhausted: give notice, or say why not.  Plan-settled accounts have no trip road."""
    if not here.is_exhausted or not here.is_prepaid:
        return _tell_holds(here, NO_HOLD)
    holds = notice_holds(here)
    return _tell_holds(here, holds) if holds else _send_notice(here)


def _from_notice(here: Situation) -> Verdict:
    """Noticed, delivered or not yet: withdraw if unfounded, trip if nothing holds it."""
    why = why_unfounded(here)
    return _withdraw_notice(here, why) if why else _trip_unless_held(here)


def _from_trip_commanded(here: Situation) -> Verdict:
    """Commanded, outcome not proven: cancel if unfounded; try again only after it has expired.

    A failure that is reported does not shorten the wait: what failed may still be carried out
    until it expires, and one command at a time is alive per switch.
    """
    why = why_unfounded(here)
    if why:
        return _restore(here, why)
    return NOTHING if here.now < here.command_expires_at else _trip_unless_held(here)


def _from_tripped(here: Situation) -> Verdict:
    """Without supply: restore as soon as that is not founded any more."""
    why = why_unfounded(here, here.reconnect_min_nanos)
    return _restore(here, why) if why else NOTHING


def _from_restore_commanded(here: Situation) -> Verdict:
    """Restore is pursued until it is proven, whatever the balance does meanwhile."""
    if here.now < here.command_expires_at:
        return NOTHING
    return _restore(here, "the supply is not proven to be back")


SUPPLY_ROAD = {
    Stage.NORMAL: _from_normal,
    Stage.NOTICE_SENT: _from_notice,
    Stage.NOTICED: _from_notice,
    Stage.TRIP_COMMANDED: _from_trip_commanded,
    Stage.TRIPPED: _from_tripped,
    Stage.RESTORE_COMMANDED: _from_restore_commanded,
}


# --- one function per deed -----------------------------------------------------------------------


def _send_notice(here: Situation) -> Verdict:
    """Open a trip episode: everything an older one left behind is wiped."""
    changes: dict[str, Any] = {
        "stage": Stage.NOTICE_SENT,
        "stage_since": here.now,
        "trip_episode": here.trip_episode + 1,
        "attempt": 0,
        "restore_attempt": 0,
        "notice_delivered_at": NO_TIME,
        "approved_until": NO_TIME,
        "command_expires_at": NO_TIME,
        "holds": NO_HOLD,
    }
    then = here.after(changes)
    holds = trip_holds(then)
    lead_ends_at = here.now + here.rules.notice_lead_seconds
    not_before = next_window(here.rules, here.zone, lead_ends_at)
    notice = DisconnectionNotice(
        then.notice_id,
        here.account_id,
        here.now,
        here.cause,
        here.evidence(holds),
        -here.available_nanos,
        lead_ends_at if not_before is None else not_before,
    )
    # the notice's own evidence has told these holds
    return Verdict((notice,), changes | {"holds": foremost(holds)})


def _withdraw_notice(here: Situation, why: str) -> Verdict:
    still_exhausted = here.is_exhausted and here.is_prepaid
    holds = notice_holds(here) if still_exhausted else NO_HOLD
    told = decision(here, DecisionKind.NOTICE_WITHDRAWN, f"{here.notice_id}: {why}", holds)
    changes = {
        "stage": Stage.NORMAL,
        "stage_since": here.now,
        "notice_delivered_at": NO_TIME,
        "approved_until": NO_TIME,
        "holds": foremost(holds),
    }
    return told + Verdict(changes=changes)


def _trip_unless_held(here: Situation) -> Verdict:
    """All guards, at every send and every retry (domain.md 2.3)."""
    holds = trip_holds(here)
    return _tell_holds(here, holds) if holds else _trip(here)


def _trip(here: Situation) -> Verdict:
    attempt = here.attempt + 1
    expires_at = here.now + here.rules.command_validity_seconds
    changes: dict[str, Any] = {
        "stage": Stage.TRIP_COMMANDED,
        "stage_since": here.now,
        "attempt": attempt,
        "command_expires_at": expires_at,
        # commanded is not actual (domain.md 8.3): until a report comes nobody knows
        "switch": Switch.UNKNOWN,
        "holds": NO_HOLD,
    }
    trip = TripCommand(
        here.after(changes).trip_id,
        here.account_id,
        here.now,
        here.cause,
        here.evidence(),
        TRIP_CODE,
        expires_at,
        attempt,
        here.notice_id,
        here.notice_delivered_at,
    )
    return Verdict((trip,), changes)


def _restore(here: Situation, why: str) -> Verdict:
    """No guard, no throttle; a crew that was asked to trip is called back."""
    attempt = here.restore_attempt + 1
    expires_at = here.now + here.rules.restore_repeat_seconds
    changes: dict[str, Any] = {
        "stage": Stage.RESTORE_COMMANDED,
        "stage_since": here.now,
        "restore_attempt": attempt,
        "command_expires_at": expires_at,
        "notice_delivered_at": NO_TIME,
        "approved_until": NO_TIME,
        "holds": NO_HOLD,
    }
    restore = RestoreCommand(
        here.after(changes).restore_id,
        here.account_id,
        here.now,
        here.cause,
        here.evidence(),
        DIRECT_CLOSE_CODE if here.direct_close_agreed else ARM_FOR_CLOSURE_CODE,
        expires_at,
        attempt,
        here.trip_id if here.attempt else "",
        why,
    )
    verdict = Verdict((restore,), changes)
    if here.holds & Hold.TRIES_USED_UP:
        detail = f"{here.trip_id}: {why}"
        return verdict + decision(here, DecisionKind.FIELD_ORDER_WITHDRAWN, detail)
    return verdict


def _tell_holds(here: Situation, holds: Hold) -> Verdict:
    """Say once per change why the next step is not taken."""
    news = foremost(holds)
    if news == here.holds:
        return NOTHING
    if not news:
        kind, detail = DecisionKind.HOLD_ENDED, "no trip is called for any more"
    elif news & ~here.holds & Hold.TRIES_USED_UP:
        kind = DecisionKind.FIELD_ORDER
        detail = f"{here.attempt} trip commands without proof: a crew must look"
    else:
        kind, detail = DecisionKind.HELD, ", ".join(hold_names(news))
    return decision(here, kind, detail, holds) + Verdict(changes={"holds": news})
