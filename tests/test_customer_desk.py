"""From a published grade to terms the stream obeys: who is asked, which letters and work follow?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from api.customer_desk import CustomerDesk
from api.register import TOPICS
from scoring import policy
from scoring.collection import Task
from scoring.contracts import CapacityChange, Change, Contract, Transformer
from scoring.customer_file import Block, CustomerFile, Fact
from scoring.effects import DisconnectionNotice, WorkItem
from scoring.events import NoticeDelivered, PaymentMode
from scoring.letters import Letter, Method
from scoring.policy import Status
from scoring.policy_terms import MustPrepay
from scoring.units import NANOS_PER_UNIT as UNIT
from streams import topics
from streams.wire import Refusal, decode_event, encode_effect, encode_event
from streams.wire_customers import decode_fact, encode_fact
from tests.both_desks import CAUSE, EVIDENCE, SHANGHAI, Both, at
from tests.works import (
    CENT,
    GOOD_FACTS,
    PARTITIONS,
    PLAIN,
    WORKS,
    Sent,
    days_of,
    facts_record,
    record,
)

FIRST = date(2025, 1, 1)
CONTRACT = Contract(
    WORKS, "GD-7", "鲁纺棉业", date(2020, 1, 5), date(2020, 2, 1), date(2030, 1, 31),
    has_prepayment_clause=True, has_plan_clause=True,
    transformers=(
        Transformer(
            "T-1", 10_000, (CapacityChange(Change.INSTALLED, date(2020, 2, 1), 1_250_000, "so-1"),)
        ),
    ),
)  # fmt: skip


LATE = replace(PLAIN, overdue_nanos=5_000_000 * CENT, arrears_months=3, instalments=3)


def fallen(fonts="") -> Both:
    """A customer on a plan who paid well to April and not since; the grade published is C."""
    both = Both(fonts)
    both.put(CONTRACT)
    both.hear(facts_record(GOOD_FACTS))
    good = replace(PLAIN, instalments=3)
    for first in range(0, 120, 30):
        both.hear(*days_of(FIRST + timedelta(first), 30, large=good, mode="plan"))
    approve(both, 1)
    for first in range(120, 190, 10):
        both.hear(*days_of(FIRST + timedelta(first), 10, large=LATE, mode="plan"))
    return both


def approve(both, version):
    one = both.desk.register.policy(f"{WORKS}@{version}")
    today = datetime.fromtimestamp(one.proposed_at, SHANGHAI).date() + timedelta(days=60)
    done = policy.approve(one, "wang", "agreed with the customer", one.proposed_at, today, today)
    return both.put(replace(done, effective_on=today - timedelta(days=60)))


def test_a_published_grade_proposes_and_nothing_holds_until_a_person_decides():
    both = fallen()
    first, fall = both.policies
    assert (first.facts.grade, first.terms.payment_mode) == ("AAA", PaymentMode.PLAN)
    assert (fall.facts.grade, fall.facts.stars) == ("C", 0)
    assert fall.terms.payment_mode is PaymentMode.PREPAID
    assert fall.terms.settlement_days < first.terms.settlement_days
    assert (fall.status, fall.obeyed_at) == (Status.PROPOSED, 0)
    asked = both.desk.register.open_work(WORKS)
    assert [(one.task, one.about_id, one.collector) for one in asked] == [
        (Task.DECIDE_POLICY, fall.policy_id, "col-1")
    ]
    told = [each for each in both.said if each.topic == topics.ACCOUNT_SETTINGS]
    assert len(told) == 1, "only the first, which wang approved"


def test_what_a_person_approves_is_given_to_the_stream_once():
    both = fallen()
    (terms, marked, closed) = approve(both, 2)
    assert terms.topic == topics.ACCOUNT_SETTINGS, "terms first, then the mark that they went"
    heard = decode_event(record(terms), PARTITIONS)
    assert not isinstance(heard, Refusal)
    assert heard.policy == policy.obeyed(both.policies[1])
    assert json.loads(marked.value)["fact"]["obeyedAt"]
    assert json.loads(closed.value)["fact"]["closedBy"] == "wang"
    before = both.policies
    both.hear(*days_of(FIRST + timedelta(190), 1, large=LATE, mode="prepaid"))
    assert both.policies == before, "the same grade asks nobody again"


def test_terms_say_nothing_of_protections():
    both = fallen()
    terms, *_ = approve(both, 2)
    assert set(json.loads(terms.value)) <= {
        "version", "accountId", "policyVersion", "paymentMode", "warningAmount", "warningDays",
        "plan",
    }  # fmt: skip


def test_what_was_rejected_is_not_proposed_again_until_the_grade_moves():
    both = fallen()
    both.put(policy.reject(both.policies[1], "wang", "guarantee came in", 1))
    both.hear(*days_of(FIRST + timedelta(190), 30, large=LATE, mode="plan"))
    assert len(both.policies) == 2
    for first in range(220, 400, 30):
        both.hear(*days_of(FIRST + timedelta(first), 30, mode="plan"))
    assert [one.facts.grade for one in both.policies[2:]], "the grade has risen: asked again"


def test_a_rejected_proposal_asks_nobody_any_more():
    both = fallen()
    both.put(policy.reject(both.policies[1], "wang", "guarantee came in", 1))
    assert both.desk.register.open_work(WORKS) == []
    closed = [one for one in both.desk.register.work() if one.about_id == f"{WORKS}@2"]
    assert [one.outcome for one in closed] == [f"{WORKS}@2 rejected: guarantee came in"]


def test_a_newer_proposal_overtakes_the_one_that_waits():
    """One question is open at a time, and yesterday's terms cannot be agreed today."""
    both = fallen()
    stale = both.policies[1]
    for first in range(190, 480, 30):
        both.hear(*days_of(FIRST + timedelta(first), 30, mode="plan"))
    newest = both.policies[-1]
    assert newest.version > stale.version
    assert both.desk.register.waiting() == [newest]
    asked = both.desk.register.open_work(WORKS)
    assert [one.about_id for one in asked] == [newest.policy_id]
    done = {one.about_id: one.outcome for one in both.desk.register.work() if not one.is_open}
    assert done[stale.policy_id].startswith("overtaken by")
    today = date(2026, 6, 1)
    with pytest.raises(policy.PolicyRefused, match=f"overtaken by {newest.policy_id}"):
        policy.approve(stale, "wang", "agreed", 1, today, today, both.policies)


def test_a_persons_adjustment_leaves_the_rules_own_terms_to_choose():
    both = fallen()
    drawn = both.policies[1]
    own = policy.adjust(
        drawn, policy.Adjustment(settlement_days=5), "li", "seasonal work", 1, both.policies
    )
    both.put(own)
    assert both.desk.register.waiting_of(WORKS) == [drawn, own]
    approve(both, own.version)
    assert both.desk.register.waiting_of(WORKS) == []


def test_who_starts_anew_settles_what_a_crash_left_open():
    """Terms and mark were written, the closing of the work was not."""
    both = fallen()
    *first, closed = approve(both, 2)
    assert closed.topic == topics.COLLECTION_WORK
    again = Both()
    kept = [each for each in both.said if each is not closed]
    again.hear(*(record(each) for each in kept if each.topic in TOPICS))
    (work,) = (each for each in again.said if each.topic == topics.COLLECTION_WORK)
    assert json.loads(work.value)["fact"]["closedBy"] == "wang"
    assert not [each for each in again.said if each.topic == topics.ACCOUNT_SETTINGS]
    assert first


def test_of_two_decisions_the_first_stands_and_is_written_again():
    both = fallen()
    waiting = both.policies[1]
    both.put(policy.reject(waiting, "zhao", "guarantee came in", waiting.proposed_at))
    (again, *_) = approve_late(both, waiting)
    assert both.policies[1].status is Status.REJECTED
    assert decode_fact(Sent(again.topic, again.key, again.value)) == both.policies[1]


def approve_late(both, one):
    today = date(2025, 7, 10)
    return both.put(policy.approve(one, "wang", "agreed", one.proposed_at, today, today))


DUTIES = [
    ({"isLeased": True}, MustPrepay.LEASED),
    ({"theftDay": "2025-03-01"}, MustPrepay.THEFT),
    ({"connectedDay": "2024-12-20"}, MustPrepay.NEW_CONNECTION),
]


@pytest.mark.parametrize(("stated", "duty"), DUTIES, ids=[duty.value for _, duty in DUTIES])
def test_what_the_score_knows_binds_whatever_the_grade(stated, duty):
    both = Both()
    both.put(CONTRACT)
    both.hear(facts_record(GOOD_FACTS | stated))
    for first in range(0, 90, 30):
        both.hear(*days_of(FIRST + timedelta(first), 30, mode="plan"))
    newest = both.policies[-1]
    assert duty in [reason for reason, _ in newest.facts.must_prepay]
    assert newest.terms.payment_mode is PaymentMode.PREPAID


def test_an_expanded_connection_binds():
    both = Both()
    both.put(CONTRACT)
    both.hear(facts_record(GOOD_FACTS))
    for first in range(0, 90, 30):
        both.hear(*days_of(FIRST + timedelta(first), 30, mode="plan"))
    assert both.policies[-1].terms.payment_mode is PaymentMode.PLAN
    more = replace(PLAIN, capacity_va=2_000_000)
    both.hear(*days_of(FIRST + timedelta(90), 2, large=more, mode="plan"))
    assert MustPrepay.EXPANDED_CONNECTION in dict(both.policies[-1].facts.must_prepay)


@pytest.mark.parametrize("word", ["transient", "temporary", "malicious"])
def test_what_a_person_entered_binds_at_once(word):
    both = Both()
    both.put(CONTRACT)
    both.hear(facts_record(GOOD_FACTS))
    both.hear(*days_of(FIRST, 60, mode="plan"))
    fact = Fact(Block.CONTRACT, "must_prepay", word, date(2025, 2, 1), "li")
    both.put(CustomerFile(WORKS, 2025 * 12 + 1, 1, (fact,)))
    assert [reason for reason, _ in both.policies[-1].facts.must_prepay] == [MustPrepay(word)]
    assert both.policies[-1].terms.payment_mode is PaymentMode.PREPAID


def notice(effect_id=f"{WORKS}:notice:1", when=date(2025, 7, 10)):
    said = at(when)
    return encode_effect(
        DisconnectionNotice(
            effect_id, WORKS, said, CAUSE, EVIDENCE, 1_200 * UNIT, said + 86_400, "prepaid_trip",
            "disconnection_notice",
        )
    )  # fmt: skip


def test_a_notice_becomes_a_letter_and_the_gateways_receipt_its_proof():
    both = fallen()
    both.hear(record(notice()))
    (served,) = both.desk.register.letters(WORKS)
    assert (served.letter, served.rests_on) == (Letter.PREPAID_DISCONNECTION, f"{WORKS}:notice:1")
    assert served.number.startswith("FT-"), "no letter of the law of arrears"
    assert (served.amount_nanos, served.by_date) == (1_200 * UNIT, date(2025, 7, 11))
    assert served.proof is None
    arrived = at(date(2025, 7, 10), 11)
    receipt = record(encode_event(NoticeDelivered(WORKS, 0, 0, served.notice_id, arrived)))
    both.hear(receipt)
    (proven,) = both.desk.register.letters(WORKS)
    assert proven.proof is not None
    assert (proven.proof.method, proven.proof.delivered_at) == (Method.TEXT_MESSAGE, arrived)
    assert proven.proof.reference.startswith("delivery-receipts:")
    assert both.hear(record(notice()), receipt) == [], "told again, nothing follows"


def test_a_customer_without_papers_gets_no_letter():
    both = Both()
    both.hear(record(notice()))
    assert both.desk.register.letters(WORKS) == ()


def test_work_of_the_stream_goes_to_a_collector_and_is_closed_when_withdrawn():
    both = Both()

    def item(status, number):
        return record(
            encode_effect(
                WorkItem(
                    f"{WORKS}:work-collect:{number}", WORKS, at(FIRST) + number, CAUSE, EVIDENCE,
                    "collect", status, "c-017", f"{WORKS}:warning:1", "Call on them.", "催费。",
                )
            )
        )  # fmt: skip

    both.hear(item("open", 1))
    (one,) = both.desk.register.work()
    assert (one.task, one.collector, one.text_zh) == (Task.COLLECT, "c-017", "催费。")
    assert one.due_at == at(FIRST) + 1 + 86_400
    assert both.hear(item("open", 1)) == []
    both.hear(item("withdrawn", 2))
    (done,) = both.desk.register.work()
    assert (done.is_open, done.closed_by, done.outcome) == (False, "stream", "no longer needed")
    assert both.hear(item("open", 1), item("withdrawn", 2)) == []


def test_a_contract_that_ends_and_a_file_of_last_month_are_seen_to_each_day():
    both = Both()
    both.put(replace(CONTRACT, valid_to=FIRST + timedelta(days=31)))
    fact = Fact(Block.OPERATIONS, "orders", "full until March", FIRST, "li")
    both.put(CustomerFile(WORKS, 2024 * 12 + 11, 1, (fact,)))
    both.hear(*days_of(FIRST, 1))
    (one,) = [each for each in both.desk.register.work() if each.task is Task.RENEW_CONTRACT]
    assert one.about_id == "GD-7 contract 2025-02-01"
    file = both.desk.register.file(WORKS)
    assert file is not None
    assert (file.month, file.block(Block.OPERATIONS)["orders"]) == (2025 * 12, fact)
    assert file.block(Block.SUPPLY)["payment_mode"].source == "stream"


def test_who_starts_anew_finds_everything_done():
    both = fallen()
    approve(both, 2)
    both.hear(record(notice()))
    again = CustomerDesk(PARTITIONS, SHANGHAI, is_simulated=True, fonts="")
    said = [Sent(each.topic, each.key, each.value) for each in both.said]
    written = [each for each in said if each.topic != topics.ACCOUNT_SETTINGS]
    contract = encode_fact(CONTRACT)
    again.take([Sent(contract.topic, contract.key, contract.value)], 0, is_caught_up=False)
    again.take(written, 0, is_caught_up=False)
    days = days_of(FIRST, 120, mode="plan") + days_of(
        FIRST + timedelta(120), 70, large=LATE, mode="plan"
    )
    graded = both.credit.take(days[-1:])
    grades = [record(each) for each in graded if each.topic == topics.CREDIT_GRADES]
    follows = again.take([*days, *grades, record(notice())], 0, is_caught_up=True)
    assert {each.topic for each in follows} <= {topics.APPRAISALS}
    assert again.register.policies(WORKS) == both.policies


def test_what_is_of_no_customer_bears_simulated_time_and_not_the_walls():
    """An appraisal stamped by the wall would make every answer of a simulated run as of today."""
    both = CustomerDesk(PARTITIONS, SHANGHAI, is_simulated=True, fonts="")
    wall = at(date(2031, 1, 1))
    both.take([], wall, is_caught_up=True)
    assert both.stamp_of("2025-01@li") == wall * 1000, "nothing was heard yet"
    said = both.take(days_of(FIRST, 31), wall, is_caught_up=True)
    newest = int(datetime(2025, 1, 31, 16, tzinfo=UTC).timestamp()) * 1000
    assert {both.stamp_of((each.key or b"").decode()) for each in said} == {newest}
    assert topics.APPRAISALS in {each.topic for each in said}
