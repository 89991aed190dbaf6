"""What is said and commanded about a supply: one line per rule, with its why.

The tables are written for people of the trade; a line that is wrong is corrected here first.
"""

import pytest

from scoring.decide import judge
from scoring.effects import (
    Decision,
    DisconnectionNotice,
    Hold,
    RestoreCommand,
    TripCommand,
    WorkItemKind,
)
from scoring.events import (
    Feed,
    PaymentMode,
    Protection,
    Quality,
    Switch,
)
from scoring.guards import trip_holds
from scoring.procedures import CommandState
from scoring.rules import SupplyRules
from scoring.units import instant
from tests.situations import (
    AT_REST,
    CAUSE,
    COMMANDED,
    DAY,
    EXHAUSTED,
    EXPIRED,
    FULL,
    HOUR,
    LARGE,
    MINUTE,
    NOON,
    NOTICE_SENT,
    NOTICED,
    RESTORING,
    SHIELD,
    TRIPPED,
    UNIT,
    only,
    replace,
    sky,
    told,
)

GUARDS = [
    # change to an account that may be tripped now, expected hold, why
    ({}, "", "all is well: it may be tripped"),
    ({"protections": Protection.PROTECTED}, "protected", "保电"),
    ({"protections": Protection.CRITICAL_CUSTOMER}, "critical_customer", "important user"),
    ({"protections": Protection.LIFE_SUPPORT}, "life_support", "a life depends on it"),
    ({"protections": Protection.DISPUTE}, "dispute", "the bill is contested"),
    ({"protections": Protection.HELD_BY_OPERATOR}, "held_by_operator", "a person said no"),
    ({"payment_mode": PaymentMode.PLAN}, "not_prepaid", "the arrears procedure is another one"),
    ({"is_quarantined": True}, "quarantined", "figures in doubt"),
    ({"is_tariff_known": False}, "tariff_unknown", "nobody knows what is owed"),
    (
        {"now": NOON - 3 * HOUR, "notice_delivered_at": NOON - 4 * HOUR},
        "",
        "09:00, the office opens",
    ),
    (
        {"now": NOON - 3 * HOUR - 1, "notice_delivered_at": NOON - 4 * HOUR},
        "outside_window",
        "before 09:00",
    ),
    ({"zone": None}, "calendar_unreadable", "whose noon is it?"),
    ({"rules": SupplyRules()}, "calendar_unreadable", "nobody said what is a holiday"),
    ({"read_at": NOON - 26 * HOUR}, "", "26 hours old: a daily reading, a little late"),
    ({"read_at": NOON - 26 * HOUR - 1}, "reading_stale", "older than 26 hours"),
    (LARGE | {"read_at": NOON - 2 * HOUR}, "", "large: two hours old"),
    (LARGE | {"read_at": NOON - 2 * HOUR - 1}, "reading_stale", "large: older than two hours"),
    ({"estimated_wh": 2_000}, "", "2 % of 100 kWh are estimated"),
    ({"estimated_wh": 2_001}, "reading_estimated", "more than 2 %"),
    ({"newest_quality": Quality.ESTIMATED}, "reading_estimated", "the newest reading is a guess"),
    ({"feed": Feed(NOON, caught_up=False)}, "payments_not_caught_up", "payments wait unread"),
    ({"feed": Feed(NOON - 900, caught_up=True)}, "", "heartbeat 15 minutes old"),
    ({"feed": Feed(NOON - 901, caught_up=True)}, "payments_feed_silent", "no heartbeat"),
    ({"notice_delivered_at": NOON - 1800}, "", "delivery proven 30 minutes ago"),
    ({"notice_delivered_at": NOON - 1799}, "notice_too_recent", "a second less"),
    ({"notice_delivered_at": 0}, "notice_not_delivered", "no proof in hand"),
    ({"switch": Switch.UNKNOWN}, "", "never reported, but energy flowed today"),
    ({"switch": Switch.UNKNOWN, "day_wh": 0}, "switch_unknown", "neither report nor load today"),
    ({"switch": Switch.DISCONNECTED}, "switch_unknown", "opened by others: not ours to touch"),
    ({"switch": Switch.READY_FOR_RECONNECTION}, "switch_unknown", "armed by others"),
    (LARGE, "", "large and approved"),
    (LARGE | {"approved_at": (NOON - DAY + 1, NOON - 1)}, "", "the older of two, a second left"),
    (LARGE | {"approved_at": (NOON - DAY, NOON - 1)}, "approval_missing", "one has expired"),
    (LARGE | {"approved_at": (NOON, NOON - 1)}, "", "approved this very second"),
    (
        LARGE | {"approved_at": (NOON + 1, NOON - 1)},
        "approval_missing",
        "given after what is judged again now: its time was not approved",
    ),
    (LARGE | {"approvers": ("li", "li")}, "approval_missing", "one person is not two"),
    (LARGE | {"approvers": ("li", "")}, "approval_missing", "one of two"),
    (LARGE | {"approvers": ("", "")}, "approval_missing", "nobody approved"),
    ({"control_mode": 0}, "no_safe_reconnection", "a switch that is never opened"),
    ({"control_mode": 1}, "", "armed from afar, closed by hand"),
    ({"control_mode": 2}, "no_safe_reconnection", "it would close by itself, and nobody agreed"),
    ({"control_mode": 2, "direct_close_agreed": True}, "", "agreed"),
    ({"control_mode": 3, "direct_close_agreed": True}, "", "it can only be armed: safe"),
    ({"control_mode": 4}, "no_safe_reconnection", "as 2"),
    ({"control_mode": 5}, "", "armed; may also close by itself, locally"),
    ({"control_mode": 6}, "", "as 5"),
    ({"unsettled_until": NOON}, "", "five days after a new meter, tariff or mode"),
    ({"unsettled_until": NOON + 1}, "balance_unsettled", "a second before"),
    ({"emergency_credit_nanos": 1, "available_nanos": -1}, "emergency_credit", "all is used up"),
    ({"emergency_credit_nanos": 1, "available_nanos": -2}, "", "and more"),
    (sky(3 * HOUR), "", "an area whose weather was stated three hours ago"),
    (sky(3 * HOUR + 1), "weather_unknown", "longer ago: the feed may have said stop"),
    (sky(-300), "", "a word of five minutes later: topics are read side by side"),
    (sky(-301), "weather_unknown", "a word of later hours says nothing of this one"),
    (sky(NOON), "weather_unknown", "an area that must be stated and never was"),
    (sky(0, (-1, 0)), "", "the cold is over at noon"),
    (sky(0, (-1, 1 / 3600)), "weather_moratorium", "a second later"),
    (sky(0, (0.5 + 1 / 3600, 9)), "", "it comes when the command has just expired"),
    (sky(0, (0.5, 9)), "weather_moratorium", "it comes as the command expires"),
    (sky(0, (-90, -60), kind="heat"), "", "a heat warning ended on Monday at midnight"),
    (
        sky(0, (-90, -60 + 1 / 3600), kind="heat"),
        "weather_moratorium",
        "a second into the day before yesterday: two whole days more",
    ),
    (sky(0, (-72, -36), kind="cold"), "", "after cold no day more"),
    (LARGE | {"approvers": ("li", "Li ")}, "approval_missing", "typed otherwise, the same person"),
    ({"notice_delivered_at": NOON - 30 * DAY}, "", "a notice thirty days old still counts"),
    ({"attempt": 2}, "", "the third attempt"),
    ({"attempt": 3}, "tries_used_up", "three attempts are enough"),
]


@pytest.mark.parametrize(("change", "hold", "why"), GUARDS)
def test_a_trip_is_sent_only_if_no_guard_holds(change, hold, why):
    here = replace(NOTICED, **change)
    names = "|".join(one.name.lower() for one in trip_holds(here))
    assert names == hold, why
    trips = [e for e in judge(here).effects if isinstance(e, TripCommand)]
    assert bool(trips) == (hold == ""), why


def test_several_holds_are_all_in_the_evidence():
    here = replace(NOTICED, read_at=NOON - 27 * HOUR, feed=Feed(0, caught_up=False))
    decision = only(judge(here), Decision)
    assert decision.kind == "held"
    assert decision.evidence.holds == (
        "reading_stale", "payments_not_caught_up", "payments_feed_silent"
    )  # fmt: skip


UNHEARD = replace(EXPIRED, command=CommandState.UNKNOWN, command_expires_at=NOON)
"""Expired, its switch asked, and no answer came in ten minutes."""
FAILED = replace(EXPIRED, command=CommandState.FAILED)
EMPTY_SWITCH = {"switch": Switch.UNKNOWN, "day_wh": 0}
USED_UP = {"attempt": 3}

ROAD = [
    # from, change, said, stage after, why
    (AT_REST, {"available_nanos": 0}, "", "NORMAL", "zero is not below zero"),
    (EXHAUSTED, {}, "notice", "NOTICE_SENT", "below zero: notice first, never a trip"),
    (EXHAUSTED, SHIELD, "held", "NORMAL", "who cannot be tripped gets no notice"),
    (EXHAUSTED, SHIELD | {"holds": Hold.LIFE_SUPPORT}, "", "NORMAL", "told once"),
    (EXHAUSTED, {"feed": Feed(NOON, caught_up=False)}, "held", "NORMAL", "money may be on its way"),
    (EXHAUSTED, {"read_at": NOON - 30 * HOUR}, "notice", "NOTICE_SENT", "a notice may go any time"),
    (EXHAUSTED, {"holds": Hold.LIFE_SUPPORT}, "notice", "NOTICE_SENT", "protection has ended"),
    (AT_REST, {"holds": Hold.LIFE_SUPPORT}, "hold-ended", "NORMAL", "paid while held"),
    (NOTICE_SENT, {}, "", "NOTICE_SENT", "no proof of delivery, no step"),
    (NOTICE_SENT, {"stage_since": NOON - DAY + 1}, "", "NOTICE_SENT", "not yet a day"),
    (NOTICE_SENT, {"stage_since": NOON - DAY}, "held deliver-notice", "NOTICE_SENT",
     "a person must deliver it"),
    (NOTICE_SENT, {"holds": Hold.NOTICE_NOT_DELIVERED | Hold.NOTICE_OVERDUE}, "", "NOTICE_SENT",
     "once told it stays, even if a record with an older clock comes"),
    (NOTICE_SENT, FULL, "notice-withdrawn", "NORMAL", "paid"),
    (NOTICE_SENT, {"available_nanos": 0}, "notice-withdrawn", "NORMAL", "corrected to zero"),
    (NOTICE_SENT, SHIELD, "notice-withdrawn", "NORMAL", "became protected"),
    (NOTICED, {}, "trip 1", "TRIP_COMMANDED", "delivered an hour ago, nothing holds"),
    (NOTICED, FULL, "notice-withdrawn", "NORMAL", "paid in time"),
    (NOTICED, {"not_before_at": NOON}, "trip 1", "TRIP_COMMANDED", "the hour that was named"),
    (NOTICED, {"not_before_at": NOON + 1}, "held", "NOTICED",
     "the notice named a later hour, and a moratorium's end does not move it up"),
    (NOTICED, {"available_nanos": 0}, "notice-withdrawn", "NORMAL", "corrected to zero"),
    (NOTICED, SHIELD, "notice-withdrawn", "NORMAL", "became protected"),
    (NOTICED, {"is_quarantined": True}, "notice-withdrawn", "NORMAL", "figures in doubt"),
    (NOTICED, {"payment_mode": PaymentMode.PLAN}, "notice-withdrawn", "NORMAL", "other procedure"),
    (NOTICED, {"read_at": NOON - 27 * HOUR}, "held", "NOTICED", "the road goes on when data comes"),
    (NOTICED, {"notice_delivered_at": NOON - 30 * DAY - 1}, "notice-withdrawn notice",
     "NOTICE_SENT", "held for over a month: what was announced then is announced anew"),
    (NOTICED, {"unsettled_until": NOON + 1}, "notice-withdrawn", "NORMAL",
     "a new meter or tariff: the old notice's amount means nothing any more"),
    (NOTICE_SENT, {"unsettled_until": NOON + 1}, "notice-withdrawn", "NORMAL", "nor unproven"),
    (NOTICED, {"emergency_credit_nanos": UNIT}, "held", "NOTICED",
     "emergency credit was agreed since: the notice stands, the trip waits until it is used up"),
    (COMMANDED, {}, "", "TRIP_COMMANDED", "one command at a time is alive"),
    (COMMANDED, {"switch": Switch.CONNECTED}, "", "TRIP_COMMANDED", "failed, but still alive"),
    (EXPIRED, {}, "status-read", "TRIP_COMMANDED", "expired without a word: ask, assume nothing"),
    (replace(EXPIRED, command=CommandState.ACKNOWLEDGED), {}, "status-read", "TRIP_COMMANDED",
     "taken, and then silence: nobody knows either"),
    (UNHEARD, {"command_expires_at": NOON + 1}, "", "TRIP_COMMANDED", "it may still answer"),
    (UNHEARD, {}, "trip 2", "TRIP_COMMANDED", "no answer: open or closed, a trip does no more"),
    (UNHEARD, FULL, "restore 1", "RESTORE_COMMANDED", "unknown, so it may be open: paid, restore"),
    (FAILED, {}, "trip 2", "TRIP_COMMANDED", "it said that it failed: try again"),
    (UNHEARD, {"attempt": 2}, "trip 3", "TRIP_COMMANDED", "the last attempt"),
    (UNHEARD, EMPTY_SWITCH, "trip 2", "TRIP_COMMANDED", "open or closed: harmless either way"),
    (EXPIRED, {"switch": Switch.DISCONNECTED}, "held", "TRIP_COMMANDED", "open already, unproven"),
    (UNHEARD, {"read_at": NOON - 27 * HOUR}, "held", "TRIP_COMMANDED", "guards run at every try"),
    (UNHEARD, USED_UP, "field-order trip-by-crew", "TRIP_COMMANDED", "a crew must look"),
    (UNHEARD, USED_UP | {"holds": Hold.TRIES_USED_UP}, "", "TRIP_COMMANDED", "told once"),
    (COMMANDED, FULL, "restore 1", "RESTORE_COMMANDED", "paid: it may still be carried out"),
    (COMMANDED, {"available_nanos": 0}, "restore 1", "RESTORE_COMMANDED", "the trip is unfounded"),
    (COMMANDED, {"available_nanos": -1}, "", "TRIP_COMMANDED", "paid too little"),
    (COMMANDED, SHIELD, "restore 1", "RESTORE_COMMANDED", "became protected"),
    (COMMANDED, {"is_quarantined": True}, "restore 1", "RESTORE_COMMANDED", "figures in doubt"),
    (COMMANDED, {"payment_mode": PaymentMode.PLAN}, "restore 1", "RESTORE_COMMANDED", "no prepaid"),
    (COMMANDED, {"emergency_credit_nanos": 1}, "restore 1", "RESTORE_COMMANDED",
     "emergency credit was agreed while the command is alive: taken back"),
    (COMMANDED, {"emergency_credit_nanos": 1, "available_nanos": -2}, "", "TRIP_COMMANDED",
     "agreed, and used up already"),
    (COMMANDED, {"unsettled_until": NOON + 1}, "restore 1", "RESTORE_COMMANDED",
     "the meter was exchanged, or the tariff, while the command is alive: taken back"),
    (UNHEARD, {"unsettled_until": NOON + 1}, "restore 1", "RESTORE_COMMANDED",
     "expired unheard of: it may be open, on figures that do not count any more"),
    (COMMANDED, {"control_mode": 4}, "restore 1", "RESTORE_COMMANDED",
     "a switch that could not be closed again as agreed is not to be opened"),
    (COMMANDED, sky(0, (0, 9)), "restore 1", "RESTORE_COMMANDED",
     "a moratorium stated after the trip was sent: what is on its way is called back"),
    (COMMANDED, sky(0, (1 / 6 + 1 / 3600, 9)), "", "TRIP_COMMANDED",
     "it begins a second after the command has expired"),
    (COMMANDED, sky(4 * HOUR), "", "TRIP_COMMANDED", "the feed's silence calls nothing back"),
    (COMMANDED, {"interlock": Hold.INTERLOCK_FROZEN}, "restore 1", "RESTORE_COMMANDED",
     "trips are frozen: what is on its way is called back"),
    (COMMANDED, {"interlock": Hold.INTERLOCK_SILENT}, "", "TRIP_COMMANDED",
     "a partition's silence calls nothing back"),
    (UNHEARD, {"interlock": Hold.INTERLOCK_FROZEN}, "held", "TRIP_COMMANDED",
     "expired: it cannot be carried out any more, and no other is sent"),
    (TRIPPED, {"interlock": Hold.INTERLOCK_FROZEN}, "", "TRIPPED",
     "reported carried out before: rightly off until paid"),
    (COMMANDED, FULL | {"is_tariff_known": False}, "", "TRIP_COMMANDED",
     "without a bill any balance looks good"),
    (COMMANDED, FULL | {"is_tariff_known": False, "ledger_changed": True}, "restore 1",
     "RESTORE_COMMANDED", "but new money counts"),
    (EXPIRED, USED_UP | FULL | {"holds": Hold.TRIES_USED_UP}, "restore 1 field-order-withdrawn",
     "RESTORE_COMMANDED", "the crew is called back"),
    (EXPIRED, USED_UP | FULL | {"open_items": 1 << WorkItemKind.TRIP_BY_CREW},
     "restore 1 no-trip-by-crew", "RESTORE_COMMANDED", "and its work item is withdrawn"),
    (RESTORING, {"command_expires_at": NOON, "restore_attempt": 2}, "restore 3",
     "RESTORE_COMMANDED", "the third"),
    (RESTORING, {"command_expires_at": NOON, "restore_attempt": 3}, "restore 4 restore-by-crew",
     "RESTORE_COMMANDED", "three without proof: a crew too, and the commands go on"),
    (RESTORING, {"command_expires_at": NOON, "restore_attempt": 4,
                 "open_items": 1 << WorkItemKind.RESTORE_BY_CREW}, "restore 5",
     "RESTORE_COMMANDED", "the crew is asked once"),
    (TRIPPED, {}, "", "TRIPPED", "still not paid"),
    (TRIPPED, {"available_nanos": 0}, "", "TRIPPED", "below the agreed minimum of 10"),
    (TRIPPED, {"available_nanos": 10 * UNIT - 1}, "", "TRIPPED", "a nano below the minimum"),
    (TRIPPED, {"available_nanos": 10 * UNIT}, "restore 1", "RESTORE_COMMANDED", "the minimum"),
    (TRIPPED, {"available_nanos": -1, "reconnect_min_nanos": -5}, "", "TRIPPED",
     "never below zero, whatever the minimum says"),
    (TRIPPED, SHIELD, "restore 1", "RESTORE_COMMANDED", "became protected"),
    (TRIPPED, {"protections": Protection.HELD_BY_OPERATOR}, "restore 1", "RESTORE_COMMANDED",
     "a person holds the supply on"),
    (TRIPPED, {"payment_mode": PaymentMode.PLAN}, "restore 1", "RESTORE_COMMANDED", "no prepaid"),
    (TRIPPED, {"is_quarantined": True}, "restore 1", "RESTORE_COMMANDED", "figures in doubt"),
    (TRIPPED, FULL | {"feed": Feed(0, caught_up=False), "zone": None, "read_at": 1}, "restore 1",
     "RESTORE_COMMANDED", "no guard ever holds a restore"),
    (RESTORING, {}, "", "RESTORE_COMMANDED", "on its way"),
    (RESTORING, {"available_nanos": -1}, "", "RESTORE_COMMANDED", "a restore is never taken back"),
    (RESTORING, {"command_expires_at": NOON + 1}, "", "RESTORE_COMMANDED", "not yet 20 minutes"),
    (RESTORING, {"command_expires_at": NOON}, "restore 2", "RESTORE_COMMANDED", "until proven"),
    (RESTORING, {"command_expires_at": NOON, "available_nanos": -1}, "restore 2",
     "RESTORE_COMMANDED", "what was promised is carried through"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "change", "said", "stage", "why"), ROAD)
def test_the_road_to_a_trip_and_back(start, change, said, stage, why):
    here = replace(start, **change)
    verdict = judge(here)
    then = here.after(verdict.changes)
    assert (told(verdict), then.stage.name) == (said, stage), why
    assert not judge(then), "judging again says nothing more"


def test_a_notice_names_the_amount_the_earliest_moment_and_what_still_holds():
    friday = replace(
        EXHAUSTED,
        now=instant("2026-07-03T10:00:00+08:00"),
        feed=Feed(instant("2026-07-03T09:59:00+08:00"), caught_up=True),
        available_nanos=-7 * UNIT,
        trip_episode=4,
    )
    notice = only(judge(friday), DisconnectionNotice)
    assert notice.effect_id == "home-1:notice:5"
    assert notice.amount_due_nanos == 7 * UNIT
    assert notice.not_before == instant("2026-07-06T09:00:00+08:00")
    assert "notice_not_delivered" in notice.evidence.holds


def test_without_a_calendar_a_notice_promises_only_the_lead_time():
    notice = only(judge(replace(EXHAUSTED, zone=None)), DisconnectionNotice)
    assert notice.not_before == NOON + 30 * MINUTE


def test_a_notice_opens_an_episode_in_which_nothing_of_an_older_one_counts():
    left_behind = {"attempt": 3, "restore_attempt": 4, "notice_delivered_at": NOON - DAY}
    here = replace(EXHAUSTED, approved_until=NOON + HOUR, command_expires_at=NOON, **left_behind)
    then = here.after(judge(here).changes)
    assert (then.attempt, then.restore_attempt, then.trip_episode) == (0, 0, 1)
    assert (then.notice_delivered_at, then.approved_until, then.command_expires_at) == (0, 0, 0)


def test_commanded_is_not_actual():
    assert NOTICED.switch is Switch.CONNECTED
    assert NOTICED.after(judge(NOTICED).changes).switch is Switch.UNKNOWN


def test_a_trip_names_its_notice_its_proof_and_its_end():
    trip = only(judge(NOTICED), TripCommand)
    assert trip.effect_id == "home-1:trip:2:1"
    assert (trip.control_code, trip.expires_at) == ("3.31.0.23", NOON + 30 * MINUTE)
    assert (trip.notice_id, trip.notice_delivered_at) == ("home-1:notice:2", NOON - HOUR)
    assert trip.cause == CAUSE
    assert trip.evidence.available_nanos == -1


@pytest.mark.parametrize(
    ("agreed", "mode", "code"),
    [
        (False, 3, "3.31.0.5"),
        (True, 4, "3.31.0.18"),
        (True, 2, "3.31.0.18"),
        (True, 1, "3.31.0.5"),  # it can do no more than be armed
        (False, 4, "3.31.0.5"),  # set to close by itself, but nobody agreed
        (True, 6, "3.31.0.5"),
    ],
)
def test_a_restore_arms_the_switch_unless_direct_closing_is_agreed_and_possible(agreed, mode, code):
    here = replace(TRIPPED, direct_close_agreed=agreed, control_mode=mode, attempt=2, **FULL)
    restore = only(judge(here), RestoreCommand)
    assert (restore.effect_id, restore.control_code) == ("home-1:restore:2:1", code)
    assert restore.cancels == "home-1:trip:2:2"
    assert restore.expires_at == NOON + 20 * MINUTE


def test_passing_holds_are_not_news_while_a_lasting_one_stands():
    protected = replace(EXHAUSTED, **SHIELD)
    then = protected.after(judge(protected).changes)
    assert not judge(replace(then, feed=Feed(0, caught_up=False)))
    waiting = replace(NOTICE_SENT, now=NOON + 9 * HOUR)
    assert not judge(waiting), "the window closed, but the notice is not even delivered"


def test_decisions_are_numbered_through():
    here = replace(NOTICED, read_at=NOON - 27 * HOUR, decision_number=8)
    verdict = judge(here)
    assert only(verdict, Decision).effect_id == "home-1:held:9"
    then = replace(here.after(verdict.changes), **FULL)
    assert only(judge(then), Decision).effect_id == "home-1:notice-withdrawn:10"
