"""The API's view holds what the workers made durable, whatever the order in which it comes."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.ranking import AfterUnreadable, page
from api.tail import Tail
from api.view import View
from scoring.balance import balance
from scoring.ids import text_hash
from streams.settings import Settings
from tests.office import DAY, HOUR, MONDAY, Office


def street(homes: int = 4) -> Office:
    """Homes with more money from one to the next; the first has none."""
    office = Office()
    for number in range(homes):
        account_id = f"home-{number}"
        office.open(account_id)
        office.pay(account_id, f"{number * 40}")
        office.live(account_id, days=3)
    return office


STREET = street()


def test_the_view_holds_the_workers_rows_and_their_outlook():
    view = STREET.feed(View())
    assert sorted(view.book.account_ids) == ["home-0", "home-1", "home-2", "home-3"]
    for clerk in STREET.clerks:
        said = balance(clerk.book.ledger, clerk.terms.tariffs, clerk.book.tariff_index)
        for row, account_id in enumerate(clerk.book.account_ids):
            mine = view.book.row(account_id)
            assert view.book.ledger[mine] == clerk.book.ledger[row]
            assert view.book.learned[mine] == clerk.book.learned[row]
            assert view.look["balance_nanos"][mine] == said.balance_nanos[row]
            assert view.partition[mine] == clerk.partition
            assert view.id_hash[mine] == text_hash(account_id)
            assert view.runway_hours[mine] == view.look["runway_hours_p50"][mine]
            assert view.balance_nanos[mine] == said.balance_nanos[row]
            assert view.tier[mine] == clerk.book.ledger["tier"][row]


def test_what_is_read_live_gives_the_same_view_as_what_is_loaded():
    loaded, live = STREET.feed(View()), View()
    live.take_tariffs(STREET.tariff_records)
    assert list(live.looks()) == []
    for partition, records in STREET.records("ledger-rows"):
        for record in records:
            live.take_ledger_rows(partition, [record])
    for partition, records in STREET.records("learned-rows"):
        live.take_learned_rows(partition, records)
    assert list(live.ids_in_order) == list(loaded.ids_in_order) == sorted(live.book.account_ids)
    for account_id in loaded.ids_in_order:
        one, other = loaded.book.row(account_id), live.book.row(account_id)
        assert loaded.look[one] == live.look[other]


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_chunks_of_any_size_give_the_same_view(random):
    whole, cut = STREET.feed(View()), View()
    cut.take_tariffs(STREET.tariff_records)
    for partition, records in STREET.records("ledger-rows"):
        at = 0
        while at < len(records):
            many = random.randint(1, 60)
            cut.take_ledger_rows(partition, records[at : at + many])
            at += many
    assert list(cut.book.account_ids) == list(whole.book.account_ids)
    assert cut.book.ledger.tobytes() == whole.book.ledger.tobytes()


def test_bytes_that_are_no_row_are_counted_and_passed_over():
    view = STREET.feed(View())
    before = view.book.ledger.tobytes()
    garbage = [STREET.kept["ledger-rows", 0][0]._replace(key=b"home-9", value=b"\x00" * 9)]
    view.take_ledger_rows(0, garbage)
    view.take_learned_rows(0, garbage)
    view.take_tariffs([garbage[0]._replace(key=b"\xff", value=b"{")])
    assert view.unreadable == 2
    assert view.book.ledger.tobytes() == before


def test_a_new_tariff_sheet_changes_every_outlook_once_looked_at():
    view = STREET.feed(View())
    before = view.look["bill_nanos"].copy()
    assert (before > 0).all()
    gone = [record._replace(value=None) for record in STREET.tariff_records]
    assert view.take_tariffs(gone)
    for _done in view.looks():
        pass
    assert (view.look["version"] == -1).all()
    assert view.take_tariffs(STREET.tariff_records)
    for _done in view.looks():
        pass
    assert (view.look["bill_nanos"] == before).all()
    assert not view.take_tariffs(STREET.tariff_records), "the same again changes nothing"


# --- ranking -------------------------------------------------------------------------------------


def many(count: int, seed: int) -> View:
    """A view with figures drawn by hand: ranking looks at columns and asks nobody."""
    view = View()
    random = np.random.default_rng(seed)
    for number in range(count):
        view.book.add(f"home-{number:03d}")
    view._welcome(0)
    for _done in view.looks():
        pass
    view.runway_hours[:] = random.choice([0, 0, 1.5, 7.25, 30.1, np.inf], count)
    view.balance_nanos[:] = random.integers(-3, 3, count) * 10**9
    view.tier[:] = random.integers(0, 4, count)
    return view


@settings(max_examples=40)
@given(
    seed=st.integers(0, 99),
    count=st.integers(0, 40),
    limit=st.integers(1, 12),
    sort=st.sampled_from(["runway", "balance", "id"]),
    tier=st.none() | st.integers(0, 3),
)
def test_pages_name_every_account_once_and_in_order(seed, count, limit, sort, tier):
    view, found, after = many(count, seed), [], None
    chosen = None if tier is None else view.tier == tier
    while True:
        one = page(view, sort, chosen, limit, after)
        found += one.rows
        after = one.after
        assert len(one.rows) <= limit
        if after is None:
            break
    wanted = {row for row in range(count) if tier is None or view.tier[row] == tier}
    assert len(found) == len(set(found))
    assert set(found) == wanted
    ids = [view.book.account_ids[row] for row in found]
    ranks = {
        "runway": view.runway_hours[found].tolist(),
        "balance": view.balance_nanos[found].tolist(),
        "id": ids,
    }[sort]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("after", ["", "x", "1.5", "1.5~", "~1", "nan~1", "1~zz", "9" * 99 + "~1"])
def test_an_after_of_somewhere_else_is_named(after):
    with pytest.raises(AfterUnreadable):
        page(many(3, 0), "runway", None, 2, after)


# --- from a broker -------------------------------------------------------------------------------


@pytest.mark.broker
def test_the_tail_reads_a_broker_to_its_end_and_then_goes_on(bootstrap):
    office = street(2)
    settings_ = Settings(bootstrap=bootstrap, partitions=office.partitions, timestamps="producer")
    view = asyncio.run(_tailed(office, settings_))
    assert list(view.ids_in_order) == ["home-0", "home-1", "late"]


async def _tailed(office: Office, settings_: Settings) -> View:
    from aiokafka import AIOKafkaProducer

    from streams.topics import LEARNED_ROWS, LEDGER_ROWS, MORATORIA, TARIFFS, ensure_topics
    from tests.test_topics import delete

    names = [TARIFFS, MORATORIA, LEDGER_ROWS, LEARNED_ROWS]
    await ensure_topics(settings_, names)
    producer = AIOKafkaProducer(bootstrap_servers=settings_.bootstrap)
    await producer.start()

    async def write(records):
        for each in records:
            await producer.send_and_wait(each.topic, each.value, each.key, each.partition)

    await write(office.tariff_records)
    for topic in (LEDGER_ROWS, LEARNED_ROWS):
        for _partition, records in office.records(topic):
            await write(records)
    view = View()
    tail = Tail(view, settings_)
    reading = asyncio.create_task(tail.run())
    try:
        async with asyncio.timeout(30):
            while not tail.is_ready:
                assert not reading.done(), reading.result()
                await asyncio.sleep(0.01)
            assert list(view.ids_in_order) == ["home-0", "home-1"]
            assert tail.behind == 0
            already = sum(len(records) for _, records in office.records(LEDGER_ROWS))
            office.open("late", MONDAY + 3 * DAY)
            office.read("late", (MONDAY + 3 * DAY + HOUR, 400))
            now = [r for _, records in office.records(LEDGER_ROWS) for r in records]
            fresh = [record for record in now if record.key == b"late"]
            assert len(fresh) + already == len(now)
            await write(fresh)
            while len(view) < 3 or view.book.ledger["register_wh"][view.book.row("late")] != 400:
                await asyncio.sleep(0.01)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await producer.stop()
        await delete(settings_.bootstrap, names)
    return view
