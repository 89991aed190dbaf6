"""The ladder: no step is skipped, each waits for its proof, its days and its people."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import letters
from scoring.events import CustomerClass
from scoring.letters import (
    BY_CONTRACT,
    LADDER,
    NOTICE_DAYS,
    Case,
    Decided,
    Held,
    Letter,
    LetterRefused,
    Method,
    Proof,
)
from scoring.units import NANOS_PER_UNIT as UNIT
from scoring.units import instant

DAY = 86_400
DUE = date(2026, 3, 1)
RUNG = {rung.letter: rung for rung in (*LADDER, BY_CONTRACT)}


def case(days=100, **change):
    """A customer who has owed for so many days; it is noon in Shanghai."""
    today = DUE + timedelta(days=days - 1)
    return Case(
        account_id="mill-1", customer_class=CustomerClass.LARGE,
        now=instant(f"{today}T12:00:00+08:00"), today=today, owed_nanos=10_000 * UNIT,
        overdue_since=DUE, has_guarantor=True, **change,
    )  # fmt: skip


def served(letter, days, *, proven=True, since=DUE):
    """A letter of that day, and its registered mail of the same day."""
    then = case(days)
    one = letters.Served(
        "mill-1",
        letter,
        f"{letter}-{days}",
        then.now,
        UNIT,
        then.today,
        "",
        "",
        ("li",),
        None,
        since,
    )
    proof = Proof(Method.REGISTERED_MAIL, "XA123456789CN", "", "", then.now, "li")
    return letters.prove(one, proof) if proven else one


# step | day overdue | letters proven before (kind and day) | what holds it
STEPS = """
low-balance    0    -                                               not-prepaid
dunning        1    -                                               -
dunning        2    dunning:1                                       already-served
disconnection  29   dunning:1                                       not-long-enough-overdue
disconnection  30   -                                               milder-step-not-proven
disconnection  30   dunning:24                                      too-soon-after-milder-step
disconnection  30   dunning:23                                      -
second-notice  32   dunning:1 disconnection:30                      too-soon-after-milder-step
second-notice  33   dunning:1 disconnection:30                      -
lawyer         59   dunning:1 disconnection:30                      not-long-enough-overdue
lawyer         60   dunning:1                                       milder-step-not-proven
lawyer         60   dunning:1 disconnection:30                      -
guarantor      30   dunning:1                                       -
credit-bureau  90   dunning:1 disconnection:30                      milder-step-not-proven
credit-bureau  90   dunning:1 disconnection:30 lawyer:76            too-soon-after-milder-step
credit-bureau  90   dunning:1 disconnection:30 lawyer:75            -
"""


@pytest.mark.parametrize("line", STEPS.strip().splitlines())
def test_each_step_waits_for_its_day_and_its_proof(line):
    step, day, *middle, held = line.split()
    before = tuple(
        served(Letter(kind), int(on)) for kind, on in (m.split(":") for m in middle if m != "-")
    )
    found = letters.holds(case(int(day), served=before), RUNG[Letter(step)])
    assert " ".join(found) == ("" if held == "-" else held)


def test_a_letter_without_proof_is_no_step():
    before = (served(Letter.DUNNING, 1, proven=False),)
    assert letters.holds(case(40, served=before), RUNG[Letter.DISCONNECTION]) == (
        Held.MILDER_STEP_NOT_PROVEN,
    )


def test_letters_of_a_debt_that_was_paid_do_not_count():
    older = (served(Letter.DUNNING, 1, since=date(2025, 1, 1)),)
    assert letters.holds(case(40, served=older), RUNG[Letter.DISCONNECTION]) == (
        Held.MILDER_STEP_NOT_PROVEN,
    )


# who | notice days
@pytest.mark.parametrize(("who", "days"), [("resident", 7), ("business", 3), ("large", 3)])
def test_a_disconnection_notice_gives_the_days_of_the_law_after_the_post(who, days):
    here = replace(case(40), customer_class=CustomerClass(who))
    named = letters.by_date(here, Letter.DISCONNECTION)
    assert (named - here.today).days == letters.POST_DAYS + days
    assert NOTICE_DAYS[CustomerClass(who)] == days


@pytest.mark.parametrize("flag", ["is_disputed", "is_protected"])
def test_nobody_in_dispute_or_protected_gets_a_disconnection_notice(flag):
    ready = case(40, served=(served(Letter.DUNNING, 1),))
    assert letters.holds(ready, RUNG[Letter.DISCONNECTION]) == ()
    assert letters.holds(replace(ready, **{flag: True}), RUNG[Letter.DISCONNECTION])
    decided = Decided(Letter.DISCONNECTION, "mill-1:notice:1", UNIT, date(2026, 4, 1))
    on_paper = replace(ready, decided=(decided,), **{flag: True})
    assert letters.holds(on_paper, RUNG[Letter.DISCONNECTION])


@pytest.mark.parametrize("rung", LADDER, ids=lambda rung: rung.letter)
def test_whoever_owes_nothing_gets_no_letter_of_arrears(rung):
    paid = replace(case(200), owed_nanos=0, overdue_since=None)
    assert letters.holds(paid, rung)


@pytest.mark.parametrize(
    ("letter", "people"),
    [("disconnection", 1), ("lawyer", 1), ("guarantor", 1), ("credit-bureau", 2)],
)
def test_harsh_steps_are_taken_by_people(letter, people):
    before = (
        served(Letter.DUNNING, 1), served(Letter.DISCONNECTION, 30), served(Letter.LAWYER, 60),
    )  # fmt: skip
    before = tuple(one for one in before if one.letter != letter)
    here = case(90, served=before)
    for names in ((), ("li", " li ")) if people == 2 else ((), (" ",)):
        with pytest.raises(LetterRefused, match=f"wants {people}"):
            letters.serve(here, RUNG[Letter(letter)], names)
    done = letters.serve(here, RUNG[Letter(letter)], ("li", "wang"))
    assert done.decided_by == ("li", "wang")


def test_what_the_stream_decided_goes_on_paper_with_its_amount_day_and_id():
    decided = Decided(Letter.DISCONNECTION, "mill-1:notice:3", 7 * UNIT, date(2026, 3, 20))
    here = case(10, decided=(decided,), is_prepaid=True)
    one = letters.serve(here, RUNG[Letter.DISCONNECTION], ())
    assert (one.amount_nanos, one.by_date, one.notice_id) == (
        7 * UNIT, date(2026, 3, 20), "mill-1:notice:3")  # fmt: skip
    again = replace(here, served=(one,))
    assert letters.holds(again, RUNG[Letter.DISCONNECTION]) == (Held.ALREADY_SERVED,)


def test_a_number_is_made_from_its_cause():
    here = case(30, served=(served(Letter.DUNNING, 1),))
    one = letters.serve(here, RUNG[Letter.DISCONNECTION], ("li",))
    assert one.number == "TD-20260330-mill-1-1"
    assert letters.serve(here, RUNG[Letter.DISCONNECTION], ("li",)) == one


PROOFS = {
    "mail without a number": {"method": Method.REGISTERED_MAIL},
    "text without a receipt": {"method": Method.TEXT_MESSAGE},
    "by hand without signature or photo": {"method": Method.BY_HAND},
    "a photo that is no hash": {"method": Method.BY_HAND, "photo_sha256": "photo.jpg"},
    "before it was written": {"reference": "XA1", "delivered_at": 1},
    "by nobody": {"reference": "XA1", "recorded_by": ""},
}


@pytest.mark.parametrize("wrong", PROOFS.values(), ids=PROOFS.keys())
def test_a_proof_that_would_not_stand_is_refused(wrong):
    one = served(Letter.DUNNING, 1, proven=False)
    sound = Proof(Method.REGISTERED_MAIL, "", "", "", one.drafted_at, "li")
    with pytest.raises(LetterRefused):
        letters.prove(one, replace(sound, **wrong))


def test_a_photo_proves_a_posted_letter_once():
    one = served(Letter.DUNNING, 1, proven=False)
    proof = Proof(Method.BY_HAND, "", "", "ab" * 32, one.drafted_at, "li")
    proven = letters.prove(one, proof)
    assert proven.proof == proof
    with pytest.raises(LetterRefused, match="was proven by li"):
        letters.prove(proven, proof)


def test_a_prepaid_notice_is_the_streams_alone_and_no_step_of_the_law_of_arrears():
    """Two procedures: by contract, or 30 days after the due date (domain.md 2.1)."""
    here = case(60, served=(served(Letter.DUNNING, 1),))
    assert letters.holds(here, BY_CONTRACT) == (Held.ONLY_THE_STREAM_DECIDES,)
    decided = Decided(Letter.PREPAID_DISCONNECTION, "mill-1:notice:3", 7 * UNIT, date(2026, 3, 20))
    one = letters.serve(replace(here, decided=(decided,)), BY_CONTRACT, ())
    assert (one.rests_on, one.by_date) == ("mill-1:notice:3", date(2026, 3, 20))
    arrived = served(Letter.PREPAID_DISCONNECTION, 30)
    after = case(60, served=(served(Letter.DUNNING, 1), arrived))
    assert Held.MILDER_STEP_NOT_PROVEN in letters.holds(after, RUNG[Letter.LAWYER])


def test_the_ladder_reads_no_grade():
    assert not {"grade", "stars", "score", "risk"} & {field.name for field in fields(Case)}


@given(
    days=st.integers(0, 200),
    steps=st.lists(st.tuples(st.sampled_from(Letter), st.integers(0, 200), st.booleans())),
)
def test_no_harsher_step_without_proof_of_every_milder_one(days, steps):
    before = tuple(served(letter, on, proven=proven) for letter, on, proven in steps if on <= days)
    here = case(days, served=before)
    for rung, held in letters.open_steps(here):
        if held or rung.letter is Letter.LOW_BALANCE:
            continue
        assert here.days_overdue >= rung.days_overdue
        for milder in rung.after:
            proofs = [one for one in before if one.letter is milder and one.proof]
            assert proofs, f"{rung.letter} before {milder} is proven"
            newest = max(one.proof.delivered_at for one in proofs)
            assert here.now - newest >= rung.days_after * DAY
