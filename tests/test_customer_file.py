"""Files, contracts, transformers and work: what is known, what ends, who does what by when."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from scoring import collection, customer_file
from scoring.collection import DEADLINE_HOURS, Task, WorkRefused
from scoring.contracts import (
    CapacityChange,
    Change,
    Contract,
    ContractInvalid,
    Deposit,
    Guarantor,
    Transformer,
    expiries,
    to_warn_of,
)
from scoring.customer_file import Block, CustomerFile, Fact, FileRefused
from scoring.units import NANOS_PER_UNIT as UNIT

JULY = 2026 * 12 + 6
TODAY = date(2026, 7, 6)
HOUR, DAY = 3_600, 86_400


def fact(block, name, text, on=TODAY, source="li"):
    return Fact(block, name, text, on, source)


MILL = customer_file.entered(
    CustomerFile("mill-1", JULY, 0),
    [
        fact(Block.OWNERS, "legal_representative", "王建国"),
        fact(Block.EQUIPMENT, "main_equipment", "环锭纺纱机 24 台", date(2024, 5, 1)),
        fact(Block.SUPPLY, "mean_month_usage", "910 MWh", source="stream"),
        fact(Block.SUPPLY, "sector", "1751"),
        fact(Block.PAYMENT_HISTORY, "arrears", "0.00", source="stream"),
    ],
)


def test_a_file_has_seven_blocks():
    assert len(Block) == 7
    assert set(customer_file.FIELDS) == set(Block)


def test_a_file_tells_what_is_missing_and_what_is_old():
    assert MILL.filled() == (5, 28)
    assert (Block.OWNERS, "shareholders") in MILL.missing()
    assert [each.name for each in MILL.stale(TODAY)] == ["main_equipment"]


def test_rolling_over_keeps_what_was_entered_and_renews_what_is_streamed():
    august = customer_file.rolled_over(
        MILL, JULY + 1, {(Block.SUPPLY, "mean_month_usage"): "880 MWh"}, TODAY + timedelta(days=30)
    )
    assert (august.month, august.version) == (JULY + 1, 1)
    assert august.file_id == "mill-1@2026-08.1"
    assert august.block(Block.SUPPLY)["mean_month_usage"].text == "880 MWh"
    assert august.block(Block.SUPPLY)["sector"].text == "1751", "entered by a person"
    assert august.block(Block.OWNERS) == MILL.block(Block.OWNERS)
    assert "arrears" not in august.block(Block.PAYMENT_HISTORY), "July's are not August's"
    with pytest.raises(FileRefused, match="later month"):
        customer_file.rolled_over(august, JULY, {}, TODAY)


@pytest.mark.parametrize(
    "wrong",
    [
        fact(Block.OWNERS, "capital", " "),
        fact(Block.OWNERS, "capital", "5", source=""),
        fact(Block.OWNERS, "capital", "5" * 501),
        fact(Block.OWNERS, "legal_representative", "older", TODAY - timedelta(days=1)),
    ],
)
def test_facts_that_are_refused(wrong):
    with pytest.raises(FileRefused):
        customer_file.entered(MILL, [wrong])


# --- contracts and the register of special transformers ------------------------------------------


def change(kind, on, kva):
    return CapacityChange(kind, date.fromisoformat(on), kva * 1000, f"so-{on}")


TRANSFORMER = Transformer(
    "T-1",
    10_000,
    (
        change(Change.INSTALLED, "2020-03-01", 800),
        change(Change.INCREASED, "2023-06-15", 1250),
        change(Change.SUSPENDED, "2025-01-10", 0),
        change(Change.RESUMED, "2025-04-01", 1250),
        change(Change.DECREASED, "2026-02-01", 1000),
    ),
)

# local day | kVA in use
CAPACITY = """
2020-02-29 0
2020-03-01 800
2023-06-14 800
2023-06-15 1250
2025-01-10 0
2025-03-31 0
2025-04-01 1250
2026-02-01 1000
"""


@pytest.mark.parametrize("line", CAPACITY.strip().splitlines())
def test_a_transformers_capacity_by_day(line):
    day, kva = line.split()
    assert TRANSFORMER.capacity_on(date.fromisoformat(day)) == int(kva) * 1000


CONTRACT = Contract(
    "mill-1", "GD-2020-7", "鲁纺棉业有限公司", date(2020, 2, 20), date(2020, 3, 1),
    date(2026, 9, 30), True, True,
    (Guarantor("文登担保公司", 500_000 * UNIT, date(2025, 1, 1), date(2026, 7, 20)),),
    (
        Deposit("D-1", 200_000 * UNIT, date(2020, 3, 1)),
        Deposit("D-2", 90_000 * UNIT, date(2020, 3, 1), date(2026, 7, 6)),
    ),
    (TRANSFORMER, Transformer("T-2", 35_000, (change(Change.INSTALLED, "2024-01-01", 2000),))),
)  # fmt: skip


def test_security_counts_what_is_held_and_in_force_that_day():
    assert CONTRACT.security_on(date(2026, 7, 5)) == 790_000 * UNIT
    assert CONTRACT.security_on(date(2026, 7, 6)) == 700_000 * UNIT, "a deposit went back"
    assert CONTRACT.security_on(date(2026, 7, 21)) == 200_000 * UNIT, "the guarantee has ended"


def test_the_register_of_special_transformers():
    assert CONTRACT.capacity_on(TODAY) == 3_000_000
    assert CONTRACT.voltage_v == 35_000
    assert TRANSFORMER.is_special
    assert not replace(TRANSFORMER, voltage_v=400).is_special


def test_what_expires_is_told_in_time():
    told = expiries([CONTRACT], TODAY)
    assert [(each.what, each.days_left) for each in told] == [
        ("guarantee of 文登担保公司", 14), ("contract", 86)]  # fmt: skip
    days = [
        left
        for left in range(-3, 100)
        for each in expiries([CONTRACT], date(2026, 9, 30) - timedelta(days=left))
        if each.what == "contract" and to_warn_of(each)
    ]
    assert days == [-1, 7, 30, 90]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: replace(CONTRACT, valid_to=date(2020, 2, 1)),
        lambda: replace(CONTRACT, deposits=(Deposit("D", 0, TODAY),)),
        lambda: replace(CONTRACT, guarantors=(Guarantor("x", 5, TODAY, date(2020, 1, 1)),)),
        lambda: Transformer("T", 10_000, ()),
        lambda: Transformer("T", 10_000, (change(Change.INCREASED, "2020-01-01", 5),)),
        lambda: Transformer("T", 10_000, (*TRANSFORMER.changes[:2], TRANSFORMER.changes[0])),
        lambda: replace(
            TRANSFORMER, changes=(TRANSFORMER.changes[0], change(Change.CLOSED, "2021-01-01", 5))
        ),
    ],
)
def test_contracts_that_contradict_themselves_are_refused(wrong):
    with pytest.raises(ContractInvalid):
        wrong()


# --- work ----------------------------------------------------------------------------------------


def test_work_has_a_name_a_deadline_and_one_end():
    one = collection.ask("home-1", Task.COLLECT, "home-1:warning:2", "c-017", 0)
    assert (one.collector, one.due_at) == ("c-017", DEADLINE_HOURS[Task.COLLECT] * HOUR)
    assert collection.ask("home-1", Task.COLLECT, "x", "", 0).collector == collection.NOBODY
    done = collection.close(one, "c-017", "promised for Friday", 5 * HOUR)
    assert not done.is_open
    for person, outcome, at, item in (
        ("", "x", 9, one), ("li", " ", 9, one), ("li", "again", 9, done), ("li", "x", -1, one),
    ):  # fmt: skip
        with pytest.raises(WorkRefused):
            collection.close(item, person, outcome, at)


def test_the_daily_review():
    def item(number, opened, closed=0, who="li"):
        one = collection.ask("home-1", Task.COLLECT, f"w:{number}", who, opened)
        return collection.close(one, who, "paid", closed) if closed else one

    day = [
        item(1, 0, 2 * DAY + HOUR),  # late, closed today
        item(2, 1 * DAY + 9 * HOUR, 2 * DAY + 2 * HOUR),  # in time, closed today
        item(3, 0),  # overdue since a day
        item(4, 1 * DAY + 12 * HOUR),  # due today, not done
        item(5, 2 * DAY + 20 * HOUR),  # opened today
        item(6, 0, 5 * HOUR),  # done long ago
        item(7, 3 * DAY),  # tomorrow's
        item(8, 2 * DAY + HOUR, who="wang"),
    ]
    li, wang = collection.review(day, 2 * DAY, 3 * DAY)
    assert (li.collector, li.opened, li.due, li.closed_in_time, li.closed_late) == (
        "li", 1, 2, 1, 1)  # fmt: skip
    assert (li.open_now, li.overdue, li.oldest_overdue_at) == (3, 2, DAY)
    assert (wang.open_now, wang.overdue) == (1, 0)
