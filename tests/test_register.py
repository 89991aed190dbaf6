"""Facts of customers survive the wire to the letter, and the newest of each key holds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.register import NotKnown, Register
from scoring import collection, letters, policy
from scoring.collection import Task
from scoring.letters import Letter
from scoring.policy_terms import Choice
from streams.log import PlainRecord
from streams.wire_base import Refusal
from streams.wire_customers import decode_fact, encode_fact, fact_from
from tests.test_customer_file import CONTRACT
from tests.test_customer_file import MILL as FILE
from tests.test_letters import served
from tests.test_policy import FACTS, MILL, NOON, TODAY, agreed, proposed


def row(fact, **change):
    one = encode_fact(fact)
    return PlainRecord(one.topic, 0, 0, NOON * 1000, one.key, one.value)._replace(**change)


WORK = collection.ask("mill-1", Task.COLLECT, "mill-1:warning:2", "c-017", NOON)
EVERY = [
    FILE,
    proposed(),
    agreed(replace(MILL, choice=Choice.PLAN_BY_READING)),
    CONTRACT,
    served(Letter.DUNNING, 3),
    served(Letter.LAWYER, 60, proven=False),
    WORK,
    collection.close(WORK, "c-017", "已付清", NOON + 60),
]


@pytest.mark.parametrize("fact", EVERY, ids=lambda fact: type(fact).__name__)
def test_a_fact_written_is_the_fact_read(fact):
    assert decode_fact(row(fact)) == fact


@given(FACTS)
def test_any_proposal_survives_the_wire(facts):
    one = policy.propose(facts, [], NOON, TODAY)
    assert decode_fact(row(one)) == one


def test_the_wire_speaks_of_money_and_instants_in_words_of_the_wire():
    body = json.loads(encode_fact(agreed()).value)["fact"]
    assert body["facts"]["meanDay"] == "20000.00"
    assert body["proposedAt"] == "2026-07-06T04:00:00Z"
    assert body["obeyedAt"] is None
    assert body["terms"]["plan"]["instalments"][0] == [10, 3000]


def broken(change):
    body = json.loads(encode_fact(CONTRACT).value)
    change(body)
    return row(CONTRACT, value=json.dumps(body).encode())


WRONG = {
    "not json": row(CONTRACT, value=b"\xff"),
    "another version": broken(lambda b: b.update(version=2)),
    "a misspelt field": broken(lambda b: b["fact"].update(signdOn="2026-01-01")),
    "a missing field": broken(lambda b: b["fact"].pop("customerName")),
    "a wrong date": broken(lambda b: b["fact"].update(validTo="soon")),
    "an end before the beginning": broken(lambda b: b["fact"].update(validTo="2001-01-01")),
    "a half nano": broken(lambda b: b["fact"]["deposits"][0].update(amount="0.0000000005")),
    "no list": broken(lambda b: b["fact"].update(deposits={})),
    "another's key": row(CONTRACT, key=b"mill-2@GD-2020-7"),
    "no fact": row(CONTRACT, value=b'{"version":1,"fact":[]}'),
}


@pytest.mark.parametrize("record", WRONG.values(), ids=WRONG.keys())
def test_a_record_that_makes_no_sense_is_refused_and_passed_over(record):
    assert isinstance(decode_fact(record), Refusal)
    register = Register()
    register.take([record, row(FILE)])
    assert register.unreadable == 1
    assert register.file("mill-1") == FILE


@given(st.binary(max_size=200))
def test_no_bytes_break_the_register(value):
    register = Register()
    register.take([row(FILE, value=value)])
    assert register.unreadable == 1


def test_the_newest_of_each_key_holds():
    register = Register()
    one = proposed()
    register.take([row(one)])
    assert register.waiting() == [one]
    approved = policy.approve(one, "wang", "agreed", NOON, TODAY, TODAY)
    register.take([row(approved)])
    assert register.waiting() == []
    assert register.holding("mill-1", TODAY) == approved
    assert register.to_obey(TODAY) == [approved]
    assert register.to_obey(date(2026, 7, 5)) == [], "not before its day"
    register.put(replace(approved, obeyed_at=NOON))
    assert register.to_obey(TODAY) == []


def test_a_tombstone_takes_a_fact_back():
    register = Register()
    register.take([row(CONTRACT), row(FILE)])
    assert register.contract("mill-1", TODAY) == CONTRACT
    register.take([row(CONTRACT, value=None)])
    assert register.contract("mill-1", TODAY) is None
    assert register.accounts() == ["mill-1"]


def test_what_is_not_known_is_named():
    for ask in (Register().policy, Register().letter):
        with pytest.raises(NotKnown, match="mill-9@1"):
            ask("mill-9@1")


def test_facts_may_be_written_by_hand():
    body = {"accountId": "shop-1", "contractId": "c", "customerName": "小店",
            "signedOn": "2026-01-01", "validFrom": "2026-01-01", "validTo": "2027-01-01",
            "deposits": [{"depositId": "d", "amount": "500", "receivedOn": "2026-01-01"}],
            }  # fmt: skip
    found = fact_from(type(CONTRACT), body)
    assert found.security_on(TODAY) == 500 * 10**9
    with pytest.raises(ValueError, match="unknown field validFro"):
        fact_from(type(CONTRACT), body | {"validFro": "x"})


def test_letters_come_in_the_order_they_were_drafted():
    register = Register()
    later, earlier = served(Letter.LAWYER, 60), served(Letter.DUNNING, 3)
    register.put(later)
    register.put(earlier)
    assert register.letters("mill-1") == (earlier, later)
    assert register.letter(later.letter_id) == later
    assert letters.Served is type(later)
