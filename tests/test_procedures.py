"""How does a supply come to be stopped by law, and is what happened proven? One line per rule.

The arrears stop step by step, both sides of every edge, and the life of a command from asked to
proven.  The prepaid road stands in tests/test_decide.py.
"""

import pytest

from scoring.decide import judge, on_event
from scoring.effects import (
    DisconnectionNotice,
    Hold,
    RestoreCommand,
    Stage,
    Tier,
    TripCommand,
)
from scoring.events import (
    CustomerClass,
    NoticeDelivered,
    PaymentMode,
    Protection,
    Switch,
    SwitchReported,
)
from scoring.guards import trip_holds
from scoring.procedures import CommandState, Procedure
from scoring.units import instant
from tests.situations import (
    AT_REST,
    BACK,
    COMMANDED,
    DAY,
    FULL,
    HOUR,
    MINUTE,
    NOON,
    RESTORING,
    TRIPPED,
    UNIT,
    only,
    replace,
    sky,
    told,
)

TODAY = 739_798
"""1 July 2026."""
LIFE = {"protections": Protection.LIFE_SUPPORT}
ONE = {"approvers": ("li", ""), "approved_at": (NOON - HOUR, 0)}
TWO = {"approvers": ("li", "wang"), "approved_at": (NOON - HOUR, NOON - HOUR)}


def overdue(days):
    return {"oldest_due_day": TODAY - days}


OWING = replace(
    AT_REST,
    payment_mode=PaymentMode.PLAN,
    ledger_nanos=-300 * UNIT,
    available_nanos=-300 * UNIT,
    owed_nanos=300 * UNIT,
    customer_class=CustomerClass.BUSINESS,
    tier=Tier.LOWEST,
    episode=1,
    warning_number=1,
    **overdue(31),
)
DUNNED = replace(
    OWING,
    procedure=Procedure.ARREARS_STOP,
    command=CommandState.ASKED,
    trip_episode=2,
    step=0,
    notices=1,
    step_notice=(1, 0, 0),
    stage=Stage.NOTICE_SENT,
    stage_since=NOON - HOUR,
    holds=Hold.NOTICE_NOT_DELIVERED,
)
DUNNING_PROVEN = replace(
    DUNNED,
    stage=Stage.NOTICED,
    notice_delivered_at=NOON - HOUR,
    proven_at=(NOON - HOUR, 0, 0),
    holds=Hold(0),
)
WRITTEN = replace(
    DUNNED, step=1, notices=2, step_notice=(1, 2, 0), proven_at=(NOON - 9 * DAY, 0, 0)
)
WRITTEN_PROVEN = replace(
    WRITTEN,
    stage=Stage.NOTICED,
    notice_delivered_at=NOON - 3 * DAY,
    proven_at=(NOON - 9 * DAY, NOON - 3 * DAY, 0),
    holds=Hold(0),
    **ONE,
)
SECOND = replace(
    WRITTEN_PROVEN,
    stage=Stage.NOTICE_SENT,
    step=2,
    notices=3,
    step_notice=(1, 2, 3),
    notice_delivered_at=0,
    stage_since=NOON - HOUR,
    holds=Hold.NOTICE_NOT_DELIVERED,
)
LAST_PROVEN = replace(
    SECOND,
    stage=Stage.NOTICED,
    notice_delivered_at=NOON - 30 * MINUTE,
    proven_at=(NOON - 9 * DAY, NOON - 4 * DAY, NOON - 30 * MINUTE),
    holds=Hold(0),
)
STOP_FAILED = replace(
    LAST_PROVEN,
    stage=Stage.TRIP_COMMANDED,
    stage_since=NOON - 5 * HOUR,
    trip_sent_at=NOON - 5 * HOUR,
    attempt=1,
    command=CommandState.FAILED,
    command_expires_at=NOON - 4 * HOUR,
    notice_delivered_at=NOON - 6 * HOUR,
)
HOME = {"customer_class": CustomerClass.RESIDENT}
WORKS = {"customer_class": CustomerClass.LARGE}
SEVEN = {"notice_delivered_at": NOON - 7 * DAY, "proven_at": (NOON - 9 * DAY, NOON - 7 * DAY, 0)}
HALF_PAST_THREE = instant("2026-07-01T15:30:00+08:00")


def at(now, **change):
    """The same at another hour of the day: feed, reading and approval keep step."""
    feed = AT_REST.feed
    return {
        "now": now,
        "feed": type(feed)(now - MINUTE, caught_up=True),
        "read_at": now - 10 * MINUTE,
    } | change


ARREARS = [
    # from, change, said, stage after, why
    (OWING, overdue(10), "", "NORMAL", "ten days late: nothing yet"),
    (OWING, overdue(11), "notice", "NOTICE_SENT", "more than ten: dunning"),
    (OWING, {"oldest_due_day": 0}, "", "NORMAL", "nothing is overdue"),
    (OWING, {"payment_mode": PaymentMode.PREPAID}, "notice", "NOTICE_SENT",
     "prepaid and exhausted: its own procedure, whatever is overdue"),
    (OWING, {"payment_mode": PaymentMode.PREPAID, "available_nanos": 0}, "", "NORMAL",
     "prepaid with money left is never stopped for arrears"),
    (OWING, LIFE, "held", "NORMAL", "who cannot be stopped is not dunned by this road"),
    (OWING, {"unsettled_until": NOON + 1}, "held", "NORMAL", "new tariff: the bill may be mended"),
    (DUNNED, {}, "", "NOTICE_SENT", "no proof, no step"),
    (DUNNED, overdue(10), "notice-withdrawn", "NORMAL", "the oldest bill was paid"),
    (DUNNING_PROVEN, overdue(30), "held", "NOTICED", "thirty days: not more than thirty"),
    (DUNNING_PROVEN, overdue(31), "notice", "NOTICE_SENT", "written notice"),
    (DUNNING_PROVEN, LIFE, "notice-withdrawn", "NORMAL", "became protected"),
    (WRITTEN, {}, "", "NOTICE_SENT", "no proof, no step"),
    (WRITTEN, {"stage_since": NOON - DAY}, "held deliver-notice", "NOTICE_SENT",
     "a day without proof: a person must bring it"),
    (WRITTEN_PROVEN, {}, "notice", "NOTICE_SENT", "three days, a business: second notice"),
    (WRITTEN_PROVEN, {"notice_delivered_at": NOON - 3 * DAY + 1}, "held", "NOTICED",
     "a second less than three days"),
    (WRITTEN_PROVEN, HOME, "held", "NOTICED", "a home has seven days"),
    (WRITTEN_PROVEN, HOME | SEVEN, "notice", "NOTICE_SENT", "seven days"),
    (WRITTEN_PROVEN, HOME | SEVEN | {"notice_delivered_at": NOON - 7 * DAY + 1}, "held", "NOTICED",
     "a second less"),
    (WRITTEN_PROVEN, {"notice_delivered_at": NOON - 31 * DAY}, "notice", "NOTICE_SENT",
     "a month ago: given again"),
    (WRITTEN_PROVEN, {"approvers": ("", "")}, "held", "NOTICED", "nobody approved"),
    (WRITTEN_PROVEN, WORKS, "held", "NOTICED", "works want two people"),
    (WRITTEN_PROVEN, WORKS | TWO, "notice", "NOTICE_SENT", "two people"),
    (WRITTEN_PROVEN, at(HALF_PAST_THREE - 30 * MINUTE), "notice", "NOTICE_SENT",
     "the stop half an hour later still fits into the window"),
    (WRITTEN_PROVEN, at(HALF_PAST_THREE - 30 * MINUTE + 1), "held", "NOTICED",
     "it would not: nobody is told of a stop that cannot come"),
    (WRITTEN_PROVEN, sky(0, (1, 5)), "held", "NOTICED",
     "frost is announced for the last second of the stop's life"),
    (WRITTEN_PROVEN, sky(0, (1 + 1 / HOUR, 5)), "notice", "NOTICE_SENT", "for the second after it"),
    (WRITTEN_PROVEN, sky(3 * HOUR), "notice", "NOTICE_SENT", "the feed looked three hours ago"),
    (WRITTEN_PROVEN, sky(3 * HOUR + 1), "held", "NOTICED", "a second more: nobody knows"),
    (WRITTEN_PROVEN, overdue(10), "notice-withdrawn", "NORMAL", "the oldest bills were paid"),
    (WRITTEN_PROVEN, overdue(30), "notice-withdrawn notice", "NOTICE_SENT",
     "what is left is not old enough: from the beginning, by dunning"),
    (SECOND, {}, "", "NOTICE_SENT", "no proof, no step"),
    (LAST_PROVEN, {}, "trip 1", "TRIP_COMMANDED", "half an hour after the second notice"),
    (LAST_PROVEN, {"notice_delivered_at": NOON - 30 * MINUTE + 1}, "held", "NOTICED",
     "a second less"),
    (LAST_PROVEN, {"notice_delivered_at": NOON - 4 * HOUR}, "trip 1", "TRIP_COMMANDED",
     "four hours ago"),
    (LAST_PROVEN, {"notice_delivered_at": NOON - 4 * HOUR - 1}, "notice", "NOTICE_SENT",
     "longer ago: half an hour before means half an hour before"),
    (LAST_PROVEN, {"proven_at": (NOON - 99 * DAY, NOON - 30 * DAY, 0)}, "trip 1",
     "TRIP_COMMANDED", "the written notice is a month old"),
    (LAST_PROVEN, {"proven_at": (NOON - 99 * DAY, NOON - 30 * DAY - 1, 0)}, "notice", "NOTICE_SENT",
     "older: from the written notice on again, however new the second is"),
    (LAST_PROVEN, at(NOON + 8 * HOUR, notice_delivered_at=NOON), "held", "NOTICED",
     "the second notice has aged, but at eight in the evening no stop can follow"),
    (LAST_PROVEN, {"notice_delivered_at": NOON - 5 * HOUR, "approvers": ("", "")}, "held",
     "NOTICED", "nor before somebody has approved"),
    (LAST_PROVEN, {"not_before_at": NOON + 1}, "held", "NOTICED", "a later hour was named"),
    (WRITTEN_PROVEN, {"not_before_at": NOON + 30 * MINUTE}, "notice", "NOTICE_SENT",
     "half an hour before the hour that was named"),
    (WRITTEN_PROVEN, {"not_before_at": NOON + 30 * MINUTE + 1}, "held", "NOTICED", "sooner"),
    (STOP_FAILED, {}, "notice", "NOTICE_SENT",
     "the stop failed and its notice has aged: given again"),
    (STOP_FAILED, {"switch": Switch.UNKNOWN}, "held", "TRIP_COMMANDED",
     "it may be off by our stop, and must be given back: nothing is begun anew, nobody sent"),
    (LAST_PROVEN, {"proven_at": (0, NOON - 4 * DAY, 0)}, "held", "NOTICED", "dunning not proven"),
    (LAST_PROVEN, {"proven_at": (NOON - 9 * DAY, 0, 0)}, "held", "NOTICED", "no written notice"),
    (LAST_PROVEN, {"proven_at": (NOON - 9 * DAY, NOON - 2 * DAY, 0)}, "held", "NOTICED",
     "second notice too soon after the written one"),
    (LAST_PROVEN, overdue(0), "notice-withdrawn", "NORMAL", "paid in the last half hour"),
    (LAST_PROVEN, {"payment_mode": PaymentMode.PREPAID}, "notice-withdrawn notice", "NOTICE_SENT",
     "prepaid now: the other procedure begins at its beginning"),
    (LAST_PROVEN, LIFE, "notice-withdrawn", "NORMAL", "became protected"),
    (LAST_PROVEN, {"approved_at": (NOON - DAY, 0)}, "held", "NOTICED", "the approval has expired"),
    (LAST_PROVEN, {"emergency_credit_nanos": 999 * UNIT}, "trip 1", "TRIP_COMMANDED",
     "emergency credit is lent to prepaid accounts"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "change", "said", "stage", "why"), ARREARS)
def test_an_arrears_stop_takes_every_step(start, change, said, stage, why):
    here = replace(start, **change)
    verdict = judge(here)
    then = here.after(verdict.changes)
    assert (told(verdict), then.stage.name) == (said, stage), why
    assert not judge(then), "judging again says nothing more"


def test_the_law_s_road_from_dunning_to_the_trip():
    here, seen = replace(OWING, **HOME | TWO), []
    for days in (0, 0, 7, 7):
        here = replace(here, **at(NOON + days * DAY), **overdue(31))
        here = replace(here, approvers=("li", "wang"), approved_at=(here.now, here.now))
        verdict = judge(here)
        here = here.after(verdict.changes)
        for notice in verdict.effects:
            if not isinstance(notice, DisconnectionNotice):
                continue
            seen.append(f"{notice.step} {notice.effect_id}")
            proof = NoticeDelivered("home-1", 1, here.now, notice.effect_id, here.now)
            here = here.after(on_event(here, proof).changes)
    here = replace(here, **at(here.now + 30 * MINUTE))
    trip = only(judge(here), TripCommand)
    assert seen == [
        "dunning home-1:dunning:1:1",
        "written_notice home-1:written-notice:1:2",
        "second_notice home-1:second-notice:1:3",
    ]
    assert [(each.step, each.effect_id) for each in trip.proofs] == [
        ("dunning", "home-1:dunning:1:1"),
        ("written_notice", "home-1:written-notice:1:2"),
        ("second_notice", "home-1:second-notice:1:3"),
    ]
    assert (trip.procedure, trip.approvers) == ("arrears_stop", ("li", "wang"))


def test_a_notice_says_what_is_owed_and_from_when_in_two_languages():
    notice = only(judge(DUNNING_PROVEN), DisconnectionNotice)
    assert notice.amount_due_nanos == 300 * UNIT
    assert notice.not_before == instant("2026-07-06T09:00:00+08:00"), "three days, a weekend"
    assert "300.00 is overdue by 31 days" in notice.text_en
    assert "not before Mon 2026-07-06 09:00" in notice.text_en
    assert "停电通知书" in notice.text_zh
    assert "周一 2026-07-06 09:00" in notice.text_zh


def test_a_receipt_for_another_notice_says_nothing():
    for foreign in ("home-1:dunning:2:1", "home-1:written-notice:2:1", "home-1:written-notice:1:2"):
        assert not on_event(WRITTEN, NoticeDelivered("home-1", 1, NOON, foreign, NOON))


def test_paid_after_a_stop_by_law_the_supply_comes_back():
    off = replace(TRIPPED, procedure=Procedure.ARREARS_STOP, payment_mode=PaymentMode.PLAN, step=2,
                  available_nanos=-9 * UNIT)  # fmt: skip
    assert told(judge(replace(off, **overdue(31)))) == ""
    assert told(judge(replace(off, **overdue(30)))) == "restore 1", "what is left is not so old"
    assert told(judge(replace(off, oldest_due_day=0))) == "restore 1"


# --- the life of a command ------------------------------------------------------------------------


def report(command_id, switch, *, succeeded=True, acknowledges=False):
    return SwitchReported("home-1", 1, NOON, command_id, switch, succeeded, NOON, acknowledges)


ON, OFF, LOST = Switch.CONNECTED, Switch.DISCONNECTED, Switch.UNKNOWN
TRIP, RESTORE = "home-1:trip:2:1", "home-1:restore:2:1"
TAKEN = {"acknowledges": True}
ASKED = replace(COMMANDED, command=CommandState.UNKNOWN, command_expires_at=NOON + 5 * MINUTE)

LIFE_CYCLE = [
    # from, report, state of the command after, said, why
    (COMMANDED, report(TRIP, LOST, **TAKEN), "ACKNOWLEDGED", "", "taken, not carried out yet"),
    (COMMANDED, report("home-1:trip:1:1", LOST, **TAKEN), "SENT", "", "of an older command"),
    (replace(COMMANDED, command=CommandState.ACKNOWLEDGED), report(TRIP, OFF), "EXECUTED", "",
     "and carried out"),
    (TRIPPED, report(TRIP, LOST, **TAKEN), "EXECUTED", "", "an echo takes nothing back"),
    (COMMANDED, report(TRIP, OFF), "EXECUTED", "", "carried out: proven only by the meter"),
    (COMMANDED, report(TRIP, ON, succeeded=False), "FAILED", "", "it failed; the wait goes on"),
    (ASKED, report("", ON), "SENT", "trip 2", "the switch answers: closed; the next try"),
    (replace(ASKED, now=NOON - 5 * MINUTE), report("", ON), "SENT", "trip 2",
     "received in the second of the question: it may be its answer"),
    (replace(ASKED, now=NOON - 5 * MINUTE - 1), report(TRIP, ON, succeeded=False), "FAILED", "",
     "received before the question, entered after it: no answer, the wait goes on"),
    (ASKED, report("", OFF), "EXECUTED", "", "the switch answers: open"),
    (ASKED, report("", LOST), "UNKNOWN", "", "it does not know: wait"),
    (RESTORING, report(RESTORE, LOST, **TAKEN), "ACKNOWLEDGED", "", "taken"),
    (RESTORING, report(RESTORE, ON), "EXECUTED", "", "closed"),
    (RESTORING, report(RESTORE, Switch.READY_FOR_RECONNECTION), "EXECUTED", "", "armed"),
    (RESTORING, report(TRIP, OFF), "SENT", "restore 2", "the cancelled trip came through: again"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "event", "state", "said", "why"), LIFE_CYCLE)
def test_the_life_of_a_command(start, event, state, said, why):
    first = on_event(start, event)
    then = start.after(first.changes)
    second = judge(then)
    assert told(first + second) == said, why
    assert then.after(second.changes).command.name == state, why


@pytest.mark.parametrize(
    ("start", "events", "since", "why"),
    [
        (TRIPPED, (), NOON, "the first restore"),
        (RESTORING, (), NOON - 10 * MINUTE, "its repeat: the customer has waited since the first"),
        (RESTORING, (report(TRIP, OFF),), NOON - 10 * MINUTE, "the cancelled trip came through"),
        (BACK, (report(TRIP, OFF),), NOON, "closed for an hour, open again: waits from now on"),
        (BACK, (report(RESTORE, OFF),), NOON, "its restore has failed after all"),
    ],
)
def test_how_long_somebody_waits_in_the_dark_is_counted_from_the_first_command(
    start, events, since, why
):
    here = replace(start, **FULL, command_expires_at=NOON)
    for event in events:
        here = here.after(on_event(here, event).changes)
    verdict = judge(here)
    then = here.after(verdict.changes)
    assert only(verdict, RestoreCommand), why
    assert (then.stage, then.stage_since) == (Stage.RESTORE_COMMANDED, since), why


def test_a_guard_of_one_procedure_is_not_the_other_s():
    assert trip_holds(LAST_PROVEN) == Hold(0)
    assert trip_holds(replace(LAST_PROVEN, payment_mode=PaymentMode.PREPAID)) & Hold.NOT_PREPAID
    assert trip_holds(replace(LAST_PROVEN, **overdue(30))) == Hold.NOT_OVERDUE
