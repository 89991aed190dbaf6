"""Why must this account's supply be left on, or given back?

Every reason not to send a notice or a trip command has a name (`Hold`) and one line here, because
doubt never cuts the power (DESIGN D6) and an operator must be able to read why nothing happens.
All guards run again at every send (domain.md 2.3).  What is sent when no guard holds is told in
`scoring.decide`.
"""

from __future__ import annotations

from scoring.effects import NO_HOLD, Hold, Stage
from scoring.events import CustomerClass, Quality, Switch
from scoring.rules import window_hold
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

BY_TERMS = PROTECTING | Hold.QUARANTINED | Hold.NOT_PREPAID | Hold.TARIFF_UNKNOWN
"""No step towards a trip may be taken at all, however long one waits."""

BY_NOTICE = Hold.NOTICE_NOT_DELIVERED | Hold.NOTICE_OVERDUE
BY_SWITCH = Hold.SWITCH_UNKNOWN | Hold.TRIES_USED_UP
BY_APPROVAL = Hold.APPROVAL_MISSING
PRECEDENCE = (BY_TERMS, BY_NOTICE, BY_SWITCH, BY_APPROVAL)
"""Groups of holds that end only by an event, foremost first; what is left passes with time."""

BY_FEED = Hold.PAYMENTS_NOT_CAUGHT_UP | Hold.PAYMENTS_FEED_SILENT

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


def notice_holds(here: Situation) -> Hold:
    """Why no disconnection notice may be sent: it must announce what can lawfully follow."""
    return _by_terms(here) | _by_feed(here)


def trip_holds(here: Situation) -> Hold:
    """Why no trip command may be sent now: the guards of domain.md 2.3 and 6, all of them."""
    return (
        _by_terms(here)
        | _by_feed(here)
        | window_hold(here.rules, here.zone, here.now)
        | _by_reading(here)
        | _by_notice(here)
        | _by_switch(here)
        | _by_approval(here)
        | here.interlock
    )


def _by_terms(here: Situation) -> Hold:
    holds = Hold(here.protections) & PROTECTING
    if here.is_quarantined:
        holds |= Hold.QUARANTINED
    if not here.is_prepaid:
        holds |= Hold.NOT_PREPAID
    if not here.is_tariff_known:
        holds |= Hold.TARIFF_UNKNOWN
    return holds


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
    if here.notice_delivered_at == NO_TIME:
        return Hold.NOTICE_NOT_DELIVERED
    if here.now - here.notice_delivered_at < here.rules.notice_lead_seconds:
        return Hold.NOTICE_TOO_RECENT
    return NO_HOLD


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
    """Large customers are tripped only after a person approved it (domain.md 6, K26)."""
    if here.customer_class is CustomerClass.LARGE and here.now >= here.approved_until:
        return Hold.APPROVAL_MISSING
    return NO_HOLD


def why_unfounded(here: Situation, least_nanos: int = 0) -> str:
    """Why the account must not be, or stay, without supply; empty if it may.

    Any of this withdraws a notice, cancels a trip that may still be carried out, and gives a
    tripped account its supply back once `least_nanos` is available (domain.md 2.3: reconnect needs
    available >= `reconnect_min`).  While the tariff is unknown the bill is too, so only new money
    counts, not the balance that looks better without a bill.
    """
    if here.is_quarantined:
        return "quarantined: the figures are not to be trusted"
    if not here.is_prepaid:
        return "the account is no longer prepaid"
    protecting = Hold(here.protections) & PROTECTING
    if protecting:
        return "protected: " + ", ".join(hold_names(protecting))
    if here.available_nanos >= max(0, least_nanos) and (
        here.is_tariff_known or here.ledger_changed
    ):
        return f"{money_text(here.available_nanos)} is available"
    return ""
