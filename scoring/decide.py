"""What is said, asked and commanded about an account's supply, and why?

The road of DESIGN 6, one situation at a time so that policy reads like policy: take the next step
of the procedure, trip only when no guard holds, restore whenever in doubt.  It stands apart from
the screen that picks the situations (`scoring.screen`), the tables of steps
(`scoring.procedures`), the reasons to leave a supply on (`scoring.guards`), the limits
(`scoring.rules`), what each deed says and writes (`scoring.deeds`), the proof by metering
(`scoring.metered`) and the warnings (`scoring.warning`).  It changes nothing itself: a `Verdict`
says what to tell the world and which columns to write.
"""

from __future__ import annotations

from datetime import date

from scoring.deeds import (
    ask_status,
    restore,
    send_notice,
    tell_holds,
    trip,
    withdraw_items,
    withdraw_notice,
)
from scoring.effects import NO_HOLD, Hold, Stage, Tier, WorkItemKind
from scoring.events import Protection, Switch
from scoring.guards import (
    aged_step,
    next_notice_holds,
    notice_holds,
    procedure_called_for,
    renewal_holds,
    trip_holds,
    why_notice_is_void,
    why_trip_is_void,
    why_unfounded,
)
from scoring.metered import back_in_use, proof_by_metering
from scoring.procedures import CommandState, Procedure
from scoring.screen import due, needs_judgement, note_deadlines, note_steps
from scoring.situation import NOTHING, Situation, Verdict
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
    "note_steps",
    "on_event",
    "on_new_customer",
]

SET_BY_OPERATOR = int(Protection.HELD_BY_OPERATOR)
"""The bits of `protections` that settings never change: only a person sets or clears them."""


def judge(here: Situation) -> Verdict:
    """Everything that follows from this situation now; empty if nothing does.

    Judging again what it has already answered says nothing more.
    """
    if not here.is_judged:
        return NOTHING
    road = SUPPLY_ROAD[here.stage](here)
    return road + warning(here.after(road.changes) if road.changes else here)


def on_new_customer(here: Situation) -> Verdict:
    """Somebody else uses the energy from now on: what was said to the former one ends with it.

    No notice, step or approval of the former's stands against the new one, nobody sits in the dark
    for what somebody else owed, and whoever needs a warning hears one of his own.  Ask `judge`
    again with this applied; `scoring.terms.unsettle` sees to it that nothing begins at once.
    """
    why = "somebody else uses the energy now"
    ended = NOTHING
    if here.stage in (Stage.NOTICE_SENT, Stage.NOTICED):
        ended = withdraw_notice(here, why)
    elif here.stage in (Stage.TRIP_COMMANDED, Stage.TRIPPED):
        ended = restore(here, why)
    then = here.after(ended.changes)
    ended += withdraw_items(then, here.warning_id, (WorkItemKind.COLLECT,))
    return ended + Verdict(changes={"tier": Tier.NORMAL, "warned_today": 0, "warned_day": 0})


def date_text(day: int) -> str:
    """A proleptic day number as an ISO date.

    >>> date_text(739798)
    '2026-07-01'
    """
    return date.fromordinal(day).isoformat()


# --- one function per stage: what may follow from it -------------------------------------------


def _from_normal(here: Situation) -> Verdict:
    """A restore may still have to be proven; then, whether a procedure begins."""
    proven = proof_by_metering(here)
    return proven + _begin(here.after(proven.changes) if proven else here)


def _begin(here: Situation) -> Verdict:
    """Exhausted, or overdue for long: the procedure begins, unless something holds its notice."""
    procedure = procedure_called_for(here)
    if procedure is Procedure.NONE:
        return tell_holds(here, NO_HOLD)
    begun = here._replace(procedure=procedure, step=0)
    holds = notice_holds(begun)
    if here.command is CommandState.EXECUTED and here.proof_from != NO_TIME:
        holds |= Hold.SWITCH_UNKNOWN  # the last restore is not proven: they may sit in the dark
    return tell_holds(here, holds) if holds else send_notice(begun, 0)


def _from_notice_sent(here: Situation) -> Verdict:
    """Sent, not proven to have arrived: withdraw if unfounded, else wait, and say why."""
    why = why_unfounded(here) or why_notice_is_void(here)
    return _withdraw(here, why) if why else tell_holds(here, trip_holds(here))


def _from_noticed(here: Situation) -> Verdict:
    """A step is proven: withdraw, repeat it if it has aged, take the next, or trip."""
    why = why_unfounded(here) or why_notice_is_void(here)
    if why:
        return _withdraw(here, why)
    aged = aged_step(here)
    if aged is not None:
        return _renew(here, aged)
    if here.is_last_step:
        return _trip_unless_held(here)
    holds = next_notice_holds(here)
    return tell_holds(here, holds) if holds else send_notice(here, here.step + 1)


def _renew(here: Situation, place: int) -> Verdict:
    """Take a step again whose proof has aged, and all after it."""
    holds = renewal_holds(here, place)
    return tell_holds(here, holds) if holds else send_notice(here, place)


def _withdraw(here: Situation, why: str) -> Verdict:
    """The procedure ends; what is called for all the same begins at its beginning."""
    ended = withdraw_notice(here, why)
    return ended + _begin(here.after(ended.changes))


def _from_trip_commanded(here: Situation) -> Verdict:
    """Commanded, outcome not proven: cancel if unfounded; try again only after it has expired.

    A failure that is reported does not shorten the wait: what failed may still be carried out
    until it expires, and one command at a time is alive per switch.  What expired without a word
    is unknown: the switch is asked where it stands before anything else is sent.
    """
    why = why_unfounded(here) or why_trip_is_void(here)
    if why:
        return restore(here, why)
    if here.now < here.command_expires_at:
        return NOTHING
    is_unheard_of = here.command in (CommandState.SENT, CommandState.ACKNOWLEDGED)
    if is_unheard_of and here.switch is Switch.UNKNOWN:
        return ask_status(here)
    aged = aged_step(here)
    if aged is not None and here.switch is Switch.CONNECTED:  # else it may be off by our trip
        return _renew(here, aged)
    return _trip_unless_held(here)


def _from_tripped(here: Situation) -> Verdict:
    """Without supply: restore as soon as that is not founded any more."""
    why = why_unfounded(here, here.reconnect_min_nanos)
    return restore(here, why) if why else proof_by_metering(here)


def _from_restore_commanded(here: Situation) -> Verdict:
    """Restore is pursued until it is proven, whatever the balance does meanwhile."""
    proven = back_in_use(here)
    if proven:
        return proven + _begin(here.after(proven.changes))
    if here.now < here.command_expires_at:
        return NOTHING
    return restore(here, "the supply is not proven to be back")


SUPPLY_ROAD = {
    Stage.NORMAL: _from_normal,
    Stage.NOTICE_SENT: _from_notice_sent,
    Stage.NOTICED: _from_noticed,
    Stage.TRIP_COMMANDED: _from_trip_commanded,
    Stage.TRIPPED: _from_tripped,
    Stage.RESTORE_COMMANDED: _from_restore_commanded,
}


def _trip_unless_held(here: Situation) -> Verdict:
    """All guards, at every send and every retry (domain.md 2.3)."""
    holds = trip_holds(here)
    return tell_holds(here, holds) if holds else trip(here)
