"""What reports, actions and receipts make of an account: one line per rule, with its why."""

import dataclasses

import pytest

from scoring.decide import judge, on_event
from scoring.effects import Hold
from scoring.events import (
    Action,
    CustomerClass,
    Feed,
    NoticeDelivered,
    OperatorActed,
    Protection,
    Switch,
    SwitchReported,
)
from scoring.procedures import CommandState
from tests.situations import (
    AT_REST,
    COMMANDED,
    DAY,
    EXHAUSTED,
    EXPIRED,
    FULL,
    HOUR,
    LARGE,
    NOON,
    NOTICE_SENT,
    NOTICED,
    RESTORING,
    TRIPPED,
    replace,
    told,
)


def report(command_id, switch, minutes_ago=0, *, succeeded=True):
    return SwitchReported("home-1", 1, NOON, command_id, switch, succeeded, NOON - minutes_ago * 60)


ON, OFF, ARMED, LOST = (
    Switch.CONNECTED,
    Switch.DISCONNECTED,
    Switch.READY_FOR_RECONNECTION,
    Switch.UNKNOWN,
)
BACK_NORMAL = replace(AT_REST, trip_episode=2, attempt=1, restore_attempt=1, stage_since=NOON - 600)
IN_USE = replace(
    BACK_NORMAL,
    load_wh=2_000,
    load_from=NOON - 4 * HOUR,
    load_until=NOON - HOUR,
    still_from=NOON - 4 * HOUR,
)
TRIP, OLD_TRIP = "home-1:trip:2:1", "home-1:trip:1:1"
RESTORE = "home-1:restore:2:1"

REPORTS = [
    # from, report, said, stage after, switch after, why
    (COMMANDED, report(TRIP, OFF), "", "TRIPPED", OFF, "tripped is only what was reported so"),
    (COMMANDED, report("", OFF), "", "TRIPPED", OFF, "a new status report proves it too"),
    (COMMANDED, report("", OFF, 21), "", "TRIP_COMMANDED", LOST, "a status from before the trip"),
    (COMMANDED, report(OLD_TRIP, OFF), "", "TRIP_COMMANDED", LOST, "an echo of an older trip"),
    (COMMANDED, report(TRIP, ON, succeeded=False), "", "TRIP_COMMANDED", ON, "failed: wait"),
    (COMMANDED, report(TRIP, OFF, succeeded=False), "", "TRIP_COMMANDED", OFF, "not proven ours"),
    (EXPIRED, report(TRIP, OFF), "", "TRIPPED", OFF, "a late report still proves it"),
    (replace(COMMANDED, attempt=2), report(TRIP, OFF), "", "TRIPPED", OFF, "the first, late"),
    (TRIPPED, report(TRIP, OFF), "", "TRIPPED", OFF, "a repeated report"),
    (TRIPPED, report("", ON), "connected-by-others", "TRIPPED", ON, "a person must look"),
    (TRIPPED, report("", ON, 6), "", "TRIPPED", OFF, "a status from before it was tripped"),
    (replace(TRIPPED, switch=ON), report("", ON), "", "TRIPPED", ON, "told once"),
    (RESTORING, report(RESTORE, ON), "", "NORMAL", ON, "proven: the road is closed"),
    (RESTORING, report("", ON), "", "NORMAL", ON, "a new status report proves it too"),
    (RESTORING, report(RESTORE, ON, 11), "", "NORMAL", ON, "proven, though the field's clock lags"),
    (RESTORING, report(TRIP, ON, 11, succeeded=False), "", "RESTORE_COMMANDED", OFF,
     "that the trip had failed once proves nothing of the restore"),
    (RESTORING, report("", ON, 11), "", "RESTORE_COMMANDED", OFF, "a status from before"),
    (RESTORING, report("home-1:restore:1:1", ON, 11), "", "RESTORE_COMMANDED", OFF, "an old echo"),
    (RESTORING, report(RESTORE, ARMED), "", "RESTORE_COMMANDED", ARMED, "awaits a hand"),
    (RESTORING, report(RESTORE, OFF, succeeded=False), "", "RESTORE_COMMANDED", OFF,
     "failed: the repeat is on the clock, no storm of commands"),
    (RESTORING, report(TRIP, OFF), "restore 2", "RESTORE_COMMANDED", OFF,
     "the cancelled trip was carried out: again, at once"),
    (RESTORING, report(OLD_TRIP, OFF, 99), "restore 2", "RESTORE_COMMANDED", OFF,
     "even if it may be an echo: nobody stays in the dark"),
    (BACK_NORMAL, report(TRIP, OFF), "restore 2", "RESTORE_COMMANDED", OFF,
     "a cancelled trip carried out much later"),
    (replace(BACK_NORMAL, available_nanos=-1), report(TRIP, OFF), "restore 2",
     "RESTORE_COMMANDED", OFF, "not founded on today's notice: on again first"),
    (NOTICED, report(OLD_TRIP, OFF), "restore 1", "RESTORE_COMMANDED", OFF, "of an older episode"),
    (BACK_NORMAL, report("", OFF), "", "NORMAL", OFF, "opened by others: not ours to close"),
    (RESTORING, report("", ON, -5), "", "NORMAL", ON, "the field's clock is a little ahead"),
    (RESTORING, report("", ON, -6), "", "RESTORE_COMMANDED", OFF,
     "far ahead: it may be of before the trip"),
    (RESTORING, report(RESTORE, ON, -600), "", "NORMAL", ON, "an answer, whatever its clock"),
    (BACK_NORMAL, report("", OFF, 11), "", "NORMAL", ON, "older than the proof of closing"),
    (IN_USE, report(TRIP, OFF, 300), "restore 2", "RESTORE_COMMANDED", OFF,
     "told again five hours later; the meter has shown load since, but a restore does no harm"),
    (replace(IN_USE, switch=OFF), report(TRIP, OFF, 300), "", "NORMAL", OFF,
     "an echo, and an electrician has opened it since: our restore would close it on him"),
    (replace(IN_USE, switch=OFF, load_wh=0), report(TRIP, OFF, 300), "restore 2",
     "RESTORE_COMMANDED", OFF, "no load since: it may be ours"),
    (replace(IN_USE, switch=OFF, still_from=NOON - 5 * HOUR), report(TRIP, OFF, 300), "restore 2",
     "RESTORE_COMMANDED", OFF, "a register still since the report's hour: its load may be older"),
    (replace(IN_USE, switch=OFF), report(TRIP, OFF, 120), "restore 2", "RESTORE_COMMANDED", OFF,
     "the load was before what is told"),
    (BACK_NORMAL, report(RESTORE, OFF, succeeded=False), "restore 2", "RESTORE_COMMANDED", OFF,
     "the restore failed after all"),
    (BACK_NORMAL, report(RESTORE, OFF, 11, succeeded=False), "", "NORMAL", ON, "an old echo"),
    (BACK_NORMAL, report("", LOST), "", "NORMAL", LOST, "the field does not know"),
    (AT_REST, report("", ON, 99), "", "NORMAL", ON, "the first status of a new meter"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "event", "said", "stage", "switch", "why"), REPORTS)
def test_switch_reports(start, event, said, stage, switch, why):
    first = on_event(start, event)
    second = judge(start.after(first.changes))
    then = start.after(first.changes).after(second.changes)
    assert told(first + second) == said, why
    assert (then.stage.name, then.switch) == (stage, switch), why


def test_an_armed_switch_is_reminded_daily_not_every_twenty_minutes():
    then = RESTORING.after(on_event(RESTORING, report(RESTORE, ARMED)).changes)
    assert then.command_expires_at == NOON + DAY
    assert told(judge(replace(then, now=NOON + DAY))) == "restore 2"


def act(action):
    return OperatorActed("home-1", 1, NOON, action, "li", "because", NOON)


ACTIONS = [
    (TRIPPED, Action.HOLD_SUPPLY, "restore 1", "RESTORE_COMMANDED", "held means held on"),
    (NOTICED, Action.HOLD_SUPPLY, "notice-withdrawn", "NORMAL", "no trip while a person holds"),
    (EXHAUSTED, Action.HOLD_SUPPLY, "held", "NORMAL", "no notice either"),
    (NOTICED, Action.REJECT_TRIP, "notice-withdrawn", "NORMAL", "no is no until released"),
    (TRIPPED, Action.DISPUTE, "restore 1", "RESTORE_COMMANDED", "no dispute in the dark"),
    (NOTICED, Action.NOTE, "trip 1", "TRIP_COMMANDED", "a note changes nothing"),
    (replace(EXHAUSTED, protections=Protection.HELD_BY_OPERATOR), Action.RELEASE_SUPPLY, "notice",
     "NOTICE_SENT", "released: the road begins at its beginning"),
    (replace(EXHAUSTED, protections=Protection.HELD_BY_OPERATOR | Protection.DISPUTE),
     Action.RELEASE_SUPPLY, "held", "NORMAL", "the dispute still stands"),
    (replace(EXHAUSTED, is_quarantined=True, holds=Hold.QUARANTINED), Action.RELEASE_QUARANTINE,
     "notice", "NOTICE_SENT", "the figures are trusted again"),
    (replace(NOTICED, **LARGE | {"approvers": ("wang", "")}), Action.APPROVE_TRIP, "trip 1",
     "TRIP_COMMANDED", "the second person approved, and nothing else holds"),
    (replace(NOTICED, **LARGE | {"approvers": ("li", "")}), Action.APPROVE_TRIP, "held",
     "NOTICED", "the same person twice"),
    (replace(NOTICED, **LARGE | {"approvers": ("LI ", "")}), Action.APPROVE_TRIP, "held",
     "NOTICED", "the same person, typed otherwise"),
    (replace(NOTICED, **LARGE | {"approvers": ("\uff4c\uff49", "")}), Action.APPROVE_TRIP, "held",
     "NOTICED", "and typed in wide letters"),
    (replace(NOTICED, **LARGE | {"approvers": ("", "")}), Action.APPROVE_TRIP, "held",
     "NOTICED", "one of two"),
    (replace(NOTICE_SENT, **LARGE | {"approvers": ("wang", "")}), Action.APPROVE_TRIP, "",
     "NOTICE_SENT", "approved, but the notice is not delivered"),
    (AT_REST, Action.APPROVE_TRIP, "approval-not-needed", "NORMAL",
     "an approval is not kept for later"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "action", "said", "stage", "why"), ACTIONS)
def test_operator_actions(start, action, said, stage, why):
    first = on_event(start, act(action))
    second = judge(start.after(first.changes))
    assert told(first + second) == said, why
    assert start.after(first.changes).after(second.changes).stage.name == stage, why


def approval(person, said_at=NOON):
    return OperatorActed("home-1", 1, said_at, Action.APPROVE_TRIP, person, "because", said_at)


WIDE = "ＺＨＡＮＧ．ＷＥＩ＠ＳＤ．ＣＮ"  # noqa: RUF001 - as a Chinese keyboard types it
PEOPLE = [
    # first, second, how many people, why
    ("li", "wang", 2, "two people"),
    ("li", "  LI ", 1, "case and blanks"),
    ("zhang.wei@sd.cn", WIDE, 1, "wide letters are three bytes each, more than the row has room"),
    ("wangfang" + 30 * " ", "wangfang", 1, "blanks behind, as many as fill the row"),
    (30 * " " + "wangfang", "wangfang", 1, "and in front"),
    ("li\u200b", "li", 1, "a zero-width blank"),
    ("l\u2060i", "li\ufeff", 1, "a word joiner and a byte order mark"),
    ("li\0", "li", 1, "a control"),
    ("王芳\ufe00", "王芳", 1, "a variation selector: another picture of the same letter"),
    ("王芳", "王方", 2, "two people in Chinese"),
    ("li", "", 1, "no name is nobody"),
    ("li", " \u3000", 1, "blanks are nobody"),
    ("\u200b\u3164", "li", 1, "what nobody sees is nobody"),
    (40 * "a" + ".li", 40 * "a" + ".wang", 1, "the same as far as the row has room: then wait"),
]


@pytest.mark.parametrize(("first", "second", "people", "why"), PEOPLE, ids=[p[3] for p in PEOPLE])
def test_one_person_is_one_approver_however_typed(first, second, people, why):
    here = replace(NOTICED, **LARGE | {"approvers": ("", ""), "approved_until": 0})
    for person in (first, second):
        here = here.after(on_event(here, approval(person)).changes)
    assert len(here.approved_by) == people, why
    assert told(judge(here)) == ("trip 1" if people == 2 else "held"), why


WAYS = [
    # approvals as (who, said hours ago), said, who holds, why
    ([("li", 0), ("wang", 23)], "trip 1", ("li", "wang"), "under way for most of a day"),
    ([("li", 0), ("wang", 24)], "approval-not-needed held", ("li",), "its day is over on arrival"),
    ([("li", 0), ("wang", 120)], "approval-not-needed held", ("li",), "said five days ago"),
    ([("li", 0), ("wang", -48)], "trip 1", ("wang", "li"), "a clock ahead counts as now"),
    ([("li", 0), ("li", 23)], "held", ("li",), "an older word of the same person takes nothing"),
    ([("li", 23), ("li", 0)], "held", ("li",), "said again, it lasts from then"),
]


@pytest.mark.parametrize(("given", "said", "who", "why"), WAYS, ids=[w[3] for w in WAYS])
def test_an_approval_counts_from_when_it_was_said(given, said, who, why):
    here = replace(NOTICED, **LARGE | {"approvers": ("", ""), "approved_until": 0})
    for person, hours in given:
        heard = on_event(here, approval(person, NOON - hours * HOUR))
        here = here.after(heard.changes)
    assert told(heard + judge(here)) == said, why
    assert here.approved_by == who, why
    oldest = max(0, *(hours for person, hours in given if hours < 24 and person in who))
    if len(who) == 2:
        assert here.approved_until == NOON - oldest * HOUR + DAY, why
    else:
        assert here.approved_at[0] == NOON, why


def test_an_approval_lasts_a_day_and_dies_with_its_episode():
    here = replace(NOTICE_SENT, customer_class=CustomerClass.LARGE)
    one = here.after(on_event(here, act(Action.APPROVE_TRIP)).changes)
    assert (one.approved_by, one.approved_until) == (("li",), 0)
    later = replace(one, now=NOON + HOUR)
    second = approval("wang", NOON + HOUR)
    both = later.after(on_event(later, second).changes)
    assert both.approved_by == ("wang", "li")
    assert both.approved_until == NOON + DAY
    assert both.command is CommandState.APPROVED
    assert replace(both, now=NOON + DAY).approved_by == ("wang",)
    paid = replace(both, **FULL)
    then = paid.after(judge(paid).changes)
    assert (then.approved_until, then.approved_by) == (0, ())


RECEIPTS = [
    (NOTICE_SENT, "home-1:notice:2", "NOTICED", "proof for this episode's notice"),
    (NOTICE_SENT, "home-1:notice:1", "NOTICE_SENT", "proof for an older notice says nothing"),
    (NOTICED, "home-1:notice:2", "NOTICED", "a repeated proof does not start the lead anew"),
    (AT_REST, "home-1:notice:0", "NORMAL", "no notice was sent"),
]


@pytest.mark.parametrize(("start", "notice_id", "stage", "why"), RECEIPTS)
def test_delivery_receipts(start, notice_id, stage, why):
    verdict = on_event(start, NoticeDelivered("home-1", 1, NOON, notice_id, NOON - 9 * HOUR))
    then = start.after(verdict.changes)
    assert then.stage.name == stage, why
    if start is NOTICE_SENT and stage == "NOTICED":
        assert then.notice_delivered_at == NOON, "the lead counts from when the proof is in hand"
        assert told(judge(then)) == "held", "not before thirty minutes have passed"
        half_an_hour_on = replace(then, now=NOON + 1800, feed=Feed(NOON + 1700, caught_up=True))
        assert told(judge(half_an_hour_on)) == "trip 1"
    if start is NOTICED:
        assert not verdict


def measured(command_id, switch, volts, minutes_ago=0):
    said = report(command_id, switch, minutes_ago)
    return dataclasses.replace(said, load_side_volts=volts)


ARMED_NOW = replace(
    RESTORING, command=CommandState.EXECUTED, switch=ARMED, command_expires_at=NOON + 9 * HOUR
)


@pytest.mark.parametrize(
    ("start", "event", "due_at", "why"),
    [
        (RESTORING, report(RESTORE, ARMED), NOON + 24 * HOUR, "a day for the customer's hand"),
        (
            ARMED_NOW,
            report(RESTORE, ARMED),
            NOON + 9 * HOUR,
            "told again: no new day",
        ),
        (ARMED_NOW, report("", OFF), NOON, "armed no more: at once"),
        (
            RESTORING,
            report("", OFF),
            NOON + 10 * 60,
            "not yet carried out: its repeat is on the clock",
        ),
    ],
)
def test_when_a_restore_is_repeated(start, event, due_at, why):
    assert start.after(on_event(start, event).changes).command_expires_at == due_at, why


CALLED_BACK = replace(BACK_NORMAL, command=CommandState.EXECUTED, switch=ON)


@pytest.mark.parametrize(
    ("trip_sent_at", "said", "why"),
    [
        (NOON - 1_800, "look-at-switch", "in its last second our trip may have been carried out"),
        (NOON - 1_801, "", "it has expired: others have opened the switch"),
    ],
)
def test_an_open_switch_while_a_called_back_trip_lives_is_a_persons_work(trip_sent_at, said, why):
    here = replace(CALLED_BACK, trip_sent_at=trip_sent_at)
    verdict = on_event(here, report("", OFF))
    assert (told(verdict), here.after(verdict.changes).switch) == (said, OFF), why


PROVEN, EXECUTED, CREW = CommandState.PROVEN, CommandState.EXECUTED, CommandState.FIELD_ORDER
DARK = replace(TRIPPED, command=EXECUTED, proof_from=NOON - 300)
RETURNED = replace(BACK_NORMAL, command=EXECUTED, switch=ON, proof_from=NOON - 60)
VOLTAGES = [
    # from, report, said, command after, why
    (RESTORING, measured(RESTORE, ON, 230), "restore-proven", PROVEN, "closed, and voltage behind"),
    (RESTORING, measured(RESTORE, ON, 50), "restore-proven", PROVEN, "what harms is on"),
    (RESTORING, measured(RESTORE, ON, 49), "", EXECUTED, "closed, they say; nothing behind it"),
    (RESTORING, report(RESTORE, ON), "", EXECUTED, "a meter that cannot tell: load must show it"),
    (RETURNED, measured("", OFF, 230), "", EXECUTED, "open, they say: measured elsewhere"),
    (replace(RETURNED, opened_at=NOON + 1), measured("", ON, 230), "", EXECUTED,
     "its trip was called back and may still be carried out"),
    (RETURNED, measured("", ON, 230), "restore-proven", PROVEN, "closed for a while, and voltage"),
    (RESTORING, measured("", ON, 230, 11), "", CommandState.SENT, "measured before the restore"),
    (RESTORING, measured(RESTORE, ARMED, 230), "", EXECUTED, "armed: a hand is awaited"),
    (COMMANDED, measured(TRIP, OFF, 0), "", EXECUTED, "a dead sensor proves no trip"),
    (COMMANDED, measured(TRIP, OFF, 230), "load-after-trip look-at-switch", CREW,
     "open, they say, with voltage behind it: a person must look"),
    (DARK, measured("", OFF, 230), "load-after-trip look-at-switch", CREW, "later too"),
    (DARK, measured("", OFF, 49), "", EXECUTED, "induced, and harmless"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "event", "said", "command", "why"), VOLTAGES)
def test_voltage_behind_the_switch(start, event, said, command, why):
    verdict = on_event(start, event)
    assert (told(verdict), start.after(verdict.changes).command) == (said, command), why
