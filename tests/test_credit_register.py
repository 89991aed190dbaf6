"""Contract, file and statements: which of them speaks in P5 and B1, and is the other named?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from scoring.calendar import EPOCH_DAY
from scoring.contracts import CapacityChange, Change, Contract, Deposit, Guarantor, Transformer
from scoring.credit_register import standing
from scoring.customer_file import Block, CustomerFile, Fact
from scoring.customer_history import Entered
from scoring.units import NANOS_PER_UNIT as YUAN
from streams.wire_customers import encode_fact
from tests.works import WORKS, Sent, days_of, desk, facts_record, grades

TODAY = date(2026, 6, 1)

CONTRACT = Contract(
    WORKS, "GD-7", "鲁纺棉业", date(2026, 1, 5), date(2026, 2, 1), date(2027, 1, 31),
    guarantors=(Guarantor("担保公司", 500_000 * YUAN, date(2026, 2, 1), date(2026, 8, 31)),),
    deposits=(
        Deposit("D-1", 200_000 * YUAN, date(2026, 2, 1)),
        Deposit("D-2", 50_000 * YUAN, date(2026, 2, 1), date(2026, 4, 10)),
    ),
    transformers=(
        Transformer("T-1", 10_000, (CapacityChange(Change.INSTALLED, TODAY, 630_000, "so-1"),)),
    ),
)  # fmt: skip

FILE = CustomerFile(
    WORKS, 2026 * 12 + 3, 1,
    (
        Fact(Block.OWNERS, "legal_representative", "王建国", date(2026, 4, 2), "li"),
        Fact(Block.OWNERS, "hobby", "象棋", date(2026, 4, 2), "li"),
        Fact(Block.OPERATIONS, "site_visit", "车间已看", date(2026, 4, 20), "li"),
        Fact(Block.CONTRACT, "contract", "GD-7", date(2026, 4, 2), "li"),
        Fact(Block.SUPPLY, "sector", "C17", date(2026, 5, 1), "stream"),
    ),
)  # fmt: skip


def stated(on: date | None, value: int | None, **others):
    told = {} if on is None else {"security_cents": Entered(value, on.toordinal() - EPOCH_DAY)}
    return told | others


# the local day, what was stated (day, cents) and the security in cents, None: the stated one holds;
# then what the first and the last note say
SECURITY = [
    (date(2026, 1, 31), None, {}, ""),  # the contract has not begun: nobody says anything
    (date(2026, 2, 1), None, 75_000_000, "750000.00 since 2026-02-01, guaranteed by 担保公司"),
    (date(2026, 4, 9), None, 75_000_000, "750000.00 since 2026-02-01"),
    (date(2026, 4, 10), None, 70_000_000, "700000.00 since 2026-04-10"),  # D-2 went back
    (date(2026, 8, 31), None, 70_000_000, "700000.00 since 2026-04-10"),
    (date(2026, 9, 1), None, 20_000_000, "200000.00 since 2026-09-01"),  # nobody guarantees
    (date(2027, 1, 31), None, 20_000_000, "200000.00 since 2026-09-01"),
    (date(2027, 2, 1), None, 0, "ended on 2027-01-31 and secures nothing"),
    (TODAY, (date(2026, 4, 9), 90_000_000), 70_000_000, "90"),
    (TODAY, (date(2026, 4, 10), 90_000_000), 70_000_000, "not newer and does not count"),
    (TODAY, (date(2026, 4, 11), 90_000_000), {}, "since 2026-04-10"),
    (TODAY, (date(2026, 4, 11), None), 70_000_000, "700000.00"),  # taken back
]


@pytest.mark.parametrize(("today", "other", "expected", "said"), SECURITY)
def test_security_is_the_contracts_unless_a_later_statement_says_otherwise(
    today, other, expected, said
):
    entered = {} if other is None else stated(*other)
    found = standing((CONTRACT,), None, entered, today)
    assert found.facts == ({} if expected == {} else {"security_cents": expected})
    notes = found.notes.get("P5", ())
    assert said in (notes[-1].english if notes else "")
    assert all(note.chinese for note in notes)
    if other is not None and other[1] is not None:  # both are named, the one that holds first
        assert len(notes) == 2
        assert ("900000.00; it is newer and holds" in notes[0].english) == (expected == {})


def test_the_renewed_contract_speaks():
    deposit = (Deposit("D-3", 300_000 * YUAN, date(2026, 5, 1)),)
    renewed = replace(
        CONTRACT, contract_id="GD-8", valid_from=date(2026, 5, 1), deposits=deposit, guarantors=()
    )
    found = standing((renewed, CONTRACT), None, stated(date(2026, 4, 30), 1), TODAY)
    assert found.facts == {"security_cents": 30_000_000}
    assert "GD-8" in found.notes["P5"][0].english


def pair(on: date, filled: int, required: int, **others):
    day = on.toordinal() - EPOCH_DAY
    return {
        "file_sections_filled": Entered(filled, day),
        "file_sections_required": Entered(required, day),
    } | others


# what the file lacks and the contract has (guarantees, deposits, transformers) counts as filled
COMPLETE = [
    ((), {}, (4, 28), "4 of 28 facts, the newest of 2026-04-20"),
    ((CONTRACT,), {}, (7, 28), "7 of 28"),
    ((CONTRACT,), pair(date(2026, 4, 19), 8, 8), (7, 28), "8 of 8; it is not newer"),
    ((CONTRACT,), pair(date(2026, 4, 20), 8, 8), (7, 28), "8 of 8; it is not newer"),
    ((CONTRACT,), pair(date(2026, 4, 21), 8, 8), None, "7 of 28"),  # newer than any entry
]


@pytest.mark.parametrize(("contracts", "entered", "expected", "said"), COMPLETE)
def test_completeness_is_the_files_unless_a_later_statement_says_otherwise(
    contracts, entered, expected, said
):
    found = standing(contracts, FILE, entered, TODAY)
    names = ("file_sections_filled", "file_sections_required")
    told = tuple(found.facts.get(name) for name in names)
    assert told == ((None, None) if expected is None else expected)
    assert any(said in note.english for note in found.notes["B1"])


def test_the_later_visit_is_the_last():
    visit = date(2026, 4, 20).toordinal() - EPOCH_DAY
    for other, expected in ((visit - 1, visit), (visit + 1, None)):
        entered = {"visited_day": Entered(other, 0)}
        assert standing((), FILE, entered, TODAY).facts.get("visited_day") == expected


def put(fact):
    found = encode_fact(fact)
    return Sent(found.topic, found.key, found.value)


def item(told, code):
    return next(each for each in told["items"] if each["item"] == code)


def test_a_grade_rests_on_contract_and_file_and_says_so():
    """A deposit against the exposure of 30 days (600,000): from 2 points for the balance to 10."""
    one = desk()
    (before,) = grades(one.take(days_of(date(2026, 4, 1), 61, available=1_000)))
    assert (item(before, "P5")["points"], item(before, "P5")["notes"]) == (2, [])
    assert item(before, "B1")["points"] is None

    (told,) = grades(one.take([put(CONTRACT), put(FILE)]))
    security, complete = item(told, "P5"), item(told, "B1")
    assert (security["points"], security["facts"]["security_cents"]) == (10, 70_001_000)
    assert "GD-7" in security["notes"][0]["text"]
    assert "合同GD-7" in security["notes"][0]["chinese"]
    assert (complete["points"], complete["facts"]["file_sections_filled"]) == (3, 7)
    assert complete["facts"]["days_since_visit"] == 41

    newer = facts_record({"securityCents": 30_000_000}, "2026-05-20T08:00:00Z")
    (told,) = grades(one.take([newer]))
    assert item(told, "P5")["facts"]["security_cents"] == 30_001_000
    assert [note["text"].split()[0] for note in item(told, "P5")["notes"]] == ["stated", "contract"]

    gone = Sent(put(CONTRACT).topic, put(CONTRACT).key, None)
    (told,) = grades(one.take([gone, replace(gone, topic=put(FILE).topic, key=put(FILE).key)]))
    assert item(told, "P5")["notes"] == item(told, "B1")["notes"] == []


def test_a_guarantee_ends_by_the_calendar_alone():
    one = desk()
    one.load_register([put(CONTRACT)])
    days = days_of(date(2026, 8, 1), 31, available=0)
    (told,) = grades(one.take(days))
    assert item(told, "P5")["facts"]["security_cents"] == 70_000_000
    (told,) = grades(one.take(days_of(date(2026, 9, 1), 1, available=0)))
    assert item(told, "P5")["facts"]["security_cents"] == 20_000_000


def test_a_start_anew_reads_the_register_first_and_grades_alike():
    days = days_of(date(2026, 4, 1), 61)
    first, second = desk(), desk()
    first.take(days)
    (told,) = grades(first.take([put(CONTRACT), put(FILE)]))
    second.load(first.rows.values())
    second.load_register([put(CONTRACT), put(FILE), replace(put(CONTRACT), value=b"{")])
    assert grades(second.take([])) == [told]
    assert second.take([]) == []
    assert second.passed_over == 1


def test_whose_papers_are_no_large_customers_is_not_kept():
    one = desk()
    assert one.take([put(CONTRACT), put(FILE)]) == []
    assert not one.rows
    assert grades(one.take(days_of(date(2026, 6, 1), 1)))
