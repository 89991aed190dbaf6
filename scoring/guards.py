"""Why must this account's supply be left on, or given back?

Every reason not to send a notice or a trip command has a name (`Hold`) and one line here, because
doubt never cuts the power (DESIGN D6) and an operator must be able to read why nothing happens.
All guards run again at every send (domain.md 2.3).  What is sent when no guard holds is told in
`scoring.decide`.
"""

from __future__ import annotations

from scoring.effects import NO_HOLD, Hold, Stage
from scoring.events import CustomerClass, Quality, Switch
from scoring.procedures import CLOSES_AT_ONCE, NEVER_DISCONNECTS, NoticeStep, Procedure
from scoring.rules import weather_hold, window_hold
from scoring.situation import Situation, hold_names
from scoring.units import NO_TIME, money_text

PROTECTING = (
    Hold.PROTECTED
    | Hold.CRITICAL_CUSTOMER
    | Hold.LIFE_SUPPORT
    | Hold.DISPUTE
    | Hold.HELD_BY_OPERATOR
)
"""Holds that are the account's `protections`, bit by bit the same numbers as `Protection`."""

BY_TERMS = (
    PROTECTING
    | Hold.QUARANTINED
    | Hold.NOT_PREPAID
    | Hold.TARIFF_UNKNOWN
    | Hold.NO_SAFE_RECONNECTION
)
"""No step towards a trip may be taken at all, however long one waits."""

BY_NOTICE = Hold.NOTICE_NOT_DELIVERED | Hold.NOTICE_OVERDUE
BY_SWITCH = Hold.SWITCH_UNKNOWN | Hold.TRIES_USED_UP
BY_APPROVAL = Hold.APPROVAL_MISSING
PRECEDENCE = (BY_TERMS, BY_NOTICE, BY_SWITCH, BY_APPROVAL)
"""Groups of holds that end only by an event, foremost first; what is left passes with time."""

BY_FEED = Hold.PAYMENTS_NOT_CAUGHT_UP | Hold.PAYMENTS_FEED_SILENT
PASSING = BY_FEED | Hold.BALANCE_UNSETTLED
"""What holds a first notice back and passes without an event of the account."""

MILLION = 1_000_000


def foremost(holds: Hold) -> Hold:
    """The holds that matter first: while a lasting one stands, passing ones are not news.

    A protected account is told once, not at every opening of the window.

    >>> foremost(Hold.LIFE_SUPPORT | Hold.OUTSIDE_WINDOW).name
    'LIFE_SUPPORT'
    >>> foremost(Hold.READING_STALE | Hold.OUTSIDE_WINDOW).name
    'OUTSIDE_WINDOW|READING_STALE'
    """
    for group in PRECEDENCE:
        if holds & group:
            return holds & group
    return holds


def procedure_called_for(here: Situation) -> Procedure:
    """By which right this account's supply may be stopped; never by both (domain.md 2.1)."""
    if here.is_prepaid:
        return Procedure.PREPAID_TRIP if here.is_exhausted else Procedure.NONE
    is_long_overdue = here.overdue_days > here.rules.dunning_overdue_days
    return Procedure.ARREARS_STOP if is_long_overdue else Procedure.NONE


def notice_holds(here: Situation) -> Hold:
    """Why no disconnection notice may be sent: it must announce what can lawfully follow."""
    return _by_terms(here) | _by_feed(here) | _by_settling(here)


def next_notice_holds(here: Situation) -> Hold:
    """Why the procedure's next notice may not be sent: the wait, and all that holds any notice.

    The last one says "in half an hour", so all that would then hold the trip holds it too.
    """
    following = here.steps[here.step + 1]
    holds = notice_holds(here) | _by_notice(here) | _by_overdue(here, following)
    if here.step + 2 < len(here.steps):
        return holds
    then = here.now + following.wait_seconds
    holds |= _by_promise(here, then)
    window = window_hold(here.rules, here.zone, then)
    window |= weather_hold(here.rules, here.zone, then, here.weather, here.now)
    return holds | window | _by_reading(here) | _by_switch(here) | _by_approval(here)


def renewal_holds(here: Situation, place: int) -> Hold:
    """Why the step at this place may not be taken again: all that held it the first time."""
    if place == 0:
        return notice_holds(here)
    before = here._replace(step=place - 1, notice_delivered_at=here.proven_at[place - 1])
    return next_notice_holds(before)


def trip_holds(here: Situation) -> Hold:
    """Why no trip command may be sent now: the guards of domain.md 2.3 and 6, all of them."""
    return (
        notice_holds(here)
        | window_hold(here.rules, here.zone, here.now)
        | weather_hold(here.rules, here.zone, here.now, here.weather)
        | _by_reading(here)
        | _by_emergency_credit(here)
        | _by_overdue(here, here.line)
        | _by_notice(here)
        | _by_promise(here, here.now)
        | _by_switch(here)
        | _by_approval(here)
        | here.interlock
    )


def _by_terms(here: Situation) -> Hold:
    holds = Hold(here.protections) & PROTECTING
    if here.is_quarantined:
        holds |= Hold.QUARANTINED
    if here.is_prepaid is (here.procedure is Procedure.ARREARS_STOP):
        holds |= Hold.NOT_PREPAID
    if not here.is_tariff_known:
        holds |= Hold.TARIFF_UNKNOWN
    return holds | _by_control_mode(here)


def _by_control_mode(here: Situation) -> Hold:
    """Nobody is disconnected whose switch could not be closed again as agreed (domain.md 4.2)."""
    closes_unasked = here.control_mode in CLOSES_AT_ONCE and not here.direct_close_agreed
    if here.control_mode in NEVER_DISCONNECTS or closes_unasked:
        return Hold.NO_SAFE_RECONNECTION
    return NO_HOLD


def _by_settling(here: Situation) -> Hold:
    """After a change of mode, meter or tariff the opening balance may still be on its way."""
    return Hold.BALANCE_UNSETTLED if here.now < here.unsettled_until else NO_HOLD


def _by_emergency_credit(here: Situation) -> Hold:
    """What is lent for emergencies must be used up too, before a prepaid supply is stopped."""
    is_left = here.available_nanos + here.emergency_credit_nanos >= 0
    lent = here.is_prepaid and here.emergency_credit_nanos > 0
    return Hold.EMERGENCY_CREDIT if lent and is_left else NO_HOLD


def _by_overdue(here: Situation, line: NoticeStep) -> Hold:
    """The law counts days (domain.md 2.1): a bill must be overdue for more than these."""
    if here.procedure is not Procedure.ARREARS_STOP:
        return NO_HOLD
    holds = NO_HOLD if here.overdue_days > line.overdue_days else Hold.NOT_OVERDUE
    return holds if here.zone is not None else holds | Hold.CALENDAR_UNREADABLE


def _by_feed(here: Situation) -> Hold:
    """Money may be on its way: a payment not yet read must not meet a trip (domain.md 8.1)."""
    holds = NO_HOLD
    if not here.feed.caught_up:
        holds |= Hold.PAYMENTS_NOT_CAUGHT_UP
    if here.now - here.feed.heartbeat_at > here.rules.max_heartbeat_age_seconds:
        holds |= Hold.PAYMENTS_FEED_SILENT
    return holds


def _by_reading(here: Situation) -> Hold:
    """The energy must be known, fresh and measured (domain.md 6, "never trip: data too old")."""
    rules, holds = here.rules, NO_HOLD
    is_large = here.customer_class is CustomerClass.LARGE
    limit = rules.max_reading_age_large_seconds if is_large else rules.max_reading_age_seconds
    if here.now - here.read_at > limit:
        holds |= Hold.READING_STALE
    too_much = here.estimated_wh * MILLION > rules.max_estimated_ppm * here.used_wh
    if too_much or here.newest_quality is not Quality.VALID:
        holds |= Hold.READING_ESTIMATED
    return holds


def _by_notice(here: Situation) -> Hold:
    """No step is skipped: the notice must be proven delivered, and long enough ago."""
    if here.stage is Stage.NOTICE_SENT:
        waited = here.now - here.stage_since
        is_overdue = waited >= here.rules.notice_overdue_seconds
        # once told, it stays: a record with an older clock must not take it back
        told = here.holds & Hold.NOTICE_OVERDUE
        return Hold.NOTICE_NOT_DELIVERED | (Hold.NOTICE_OVERDUE if is_overdue else told)
    if here.notice_delivered_at == NO_TIME or _skips_a_step(here):
        return Hold.NOTICE_NOT_DELIVERED
    if aged_step(here) is not None:
        return Hold.NOTICE_OVERDUE
    age = here.now - here.notice_delivered_at
    return Hold.NOTICE_TOO_RECENT if age < here.line.wait_seconds else NO_HOLD


def aged_step(here: Situation) -> int | None:
    """The first step whose proof counts no more: the road goes on from there.  None: all count."""
    for place, (line, proven_at) in enumerate(zip(here.steps, here.step_proofs, strict=False)):
        if proven_at != NO_TIME and here.now - proven_at > line.valid_seconds:
            return place
    return None


def _by_promise(here: Situation, at: int) -> Hold:
    """A notice has named an hour before which nothing is stopped; no later change moves it up."""
    return Hold.NOTICE_TOO_RECENT if at < here.not_before_at else NO_HOLD


def _skips_a_step(here: Situation) -> bool:
    """Whether the proof of an earlier step is missing, or came too near to the one after it."""
    proofs = here.step_proofs
    return any(
        earlier == NO_TIME or later - earlier < line.wait_seconds
        for line, earlier, later in zip(here.steps, proofs, proofs[1:], strict=False)
    )


def _by_switch(here: Situation) -> Hold:
    """Only a switch known to be closed is tripped.

    A switch that others opened must not get a trip, because our later restore would close it on
    whoever opened it.  A switch that never reported counts as closed while the meter shows load
    today.  After an attempt of ours without a proven outcome it may be open or closed; tripping it
    again is harmless either way, up to the limit of tries (domain.md 5: the ack may be lost).
    """
    holds = NO_HOLD
    if here.attempt >= here.rules.max_trip_attempts:
        holds |= Hold.TRIES_USED_UP
    shows_load = here.day_wh > 0
    is_ours = here.stage is Stage.TRIP_COMMANDED
    may_be_closed = here.switch is Switch.CONNECTED or (
        here.switch is Switch.UNKNOWN and (shows_load or is_ours)
    )
    return holds if may_be_closed else holds | Hold.SWITCH_UNKNOWN


def _by_approval(here: Situation) -> Hold:
    """As many different people as the customer's class wants have approved (domain.md 6, K26)."""
    enough = len(here.approved_by) >= here.approvers_needed
    return NO_HOLD if enough else Hold.APPROVAL_MISSING


def why_unfounded(here: Situation, least_nanos: int = 0) -> str:
    """Why the account must not be, or stay, without supply; empty if it may.

    Any of this withdraws a notice, cancels a trip that may still be carried out, and gives a
    tripped account its supply back once `least_nanos` is available (domain.md 2.3: reconnect needs
    available >= `reconnect_min`).  While the tariff is unknown the bill is too, so only new money
    counts, not the balance that looks better without a bill.
    """
    if here.is_quarantined:
        return "quarantined: the figures are not to be trusted"
    if here.is_prepaid is (here.procedure is Procedure.ARREARS_STOP):
        return f"the account is {here.payment_mode.value} now"
    protecting = Hold(here.protections) & PROTECTING
    if protecting:
        return "protected: " + ", ".join(hold_names(protecting))
    if here.procedure is Procedure.ARREARS_STOP:
        is_due = here.overdue_days > here.line.overdue_days
        return "" if is_due else f"no bill is more than {here.line.overdue_days} days overdue"
    if here.available_nanos >= max(0, least_nanos) and (
        here.is_tariff_known or here.ledger_changed
    ):
        return f"{money_text(here.available_nanos)} is available"
    return ""


def why_notice_is_void(here: Situation) -> str:
    """Why a notice by contract announces nothing any more, though the money is used up; "" if not.

    Its meter, tariff or terms are others now, or it is too old: whatever follows is announced anew.
    The law's notices are about bills of the past; they are given again step by step when they age.
    """
    if here.procedure is not Procedure.PREPAID_TRIP:
        return ""
    if _by_settling(here):
        return "the balance rests on other terms now"
    days = here.rules.notice_valid_days
    is_proven = here.stage is Stage.NOTICED
    is_old = is_proven and here.now - here.notice_delivered_at > here.line.valid_seconds
    return f"it was delivered more than {days} days ago" if is_old else ""


def why_trip_is_void(here: Situation) -> str:
    """Why a trip that was rightly commanded must not be carried out after all; "" if it may.

    What the account's terms say now would have held it: it is still alive for half an hour, or may
    have been carried out unheard of, so it is taken back (DESIGN D6).  While it is alive a freeze
    of the fleet, or a moratorium stated since, calls it back too.
    """
    holds = _by_settling(here) | _by_emergency_credit(here) | _by_control_mode(here)
    if here.now < here.command_expires_at:
        rules = here.rules
        holds |= here.interlock & Hold.INTERLOCK_FROZEN
        until = here.weather.forbids(
            here.now, here.command_expires_at, here.zone, rules.heat_aftermath_days
        )
        holds |= NO_HOLD if until is None else Hold.WEATHER_MORATORIUM
    return "called back: " + ", ".join(hold_names(holds)) if holds else ""
