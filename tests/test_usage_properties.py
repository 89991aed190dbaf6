"""What holds for usage whatever the readings: nothing is lost, nothing is counted twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring import slots
from scoring.book import COUNTED_SLOTS
from tests.metered import Read, Street, Terms, clock

QUARTER, DAY = 900, 86_400
START = clock("2026-06-29 21:00")
TARIFFS = st.sampled_from(["two-rate", "one-rate", "three-rate"])
GAPS = st.sampled_from([QUARTER] * 8 + [300, 450, 3_600, 5 * 3_600, DAY, 3 * DAY, 35 * DAY])
ENERGIES = st.integers(0, 75)  # Wh in the shortest gap stay plausible


@st.composite
def register_series(draw: st.DrawFn, most: int = 30) -> list[Read]:
    """Rising registers of one account, the first at START."""
    gaps = draw(st.lists(st.tuples(GAPS, ENERGIES), max_size=most))
    times = accumulate((gap for gap, _ in gaps), initial=START)
    registers = accumulate((energy for _, energy in gaps), initial=500)
    return [Read(at, register) for at, register in zip(times, registers, strict=True)]


@st.composite
def quarter_hours(draw: st.DrawFn) -> list[Read]:
    """Intervals of a quarter-hour each within five days over a month's end, none twice."""
    numbers = draw(st.lists(st.integers(0, 5 * 96 - 1), unique=True, min_size=1, max_size=60))
    return [Read(START + QUARTER * (1 + n), None, QUARTER, 10 + n % 50) for n in numbers]


def fed(tariff: str, reads: list[Read]) -> Street:
    """One account after these readings."""
    street = Street([Terms(tariff)])
    for read in reads:
        street.read([read])
    return street


def total_wh(street: Street, account: int = 0) -> int:
    return sum(street.used_by_month_and_period(account).values())


def assert_sound(street: Street) -> None:
    """Estimates are a part of the usage, and the days add up to it."""
    ledger = street.ledger
    assert (ledger["estimated_wh"] >= 0).all()
    assert (ledger["estimated_wh"] <= ledger["used_wh"]).all()
    assert (ledger["day_estimated_wh"] <= ledger["day_wh"]).all()
    for account, days in enumerate(street.days):
        closed = sum(used for used, _ in days.values())
        assert closed + int(ledger["day_wh"][account]) == total_wh(street, account)
        assert all(0 <= estimated <= used for used, estimated in days.values())


@given(TARIFFS, register_series())
def test_usage_is_the_difference_of_the_registers(tariff, reads):
    street = fed(tariff, reads)
    assert total_wh(street) == reads[-1].register_wh - reads[0].register_wh
    assert_sound(street)


@given(TARIFFS, register_series(), st.data())
def test_repeated_and_late_registers_change_nothing(tariff, reads, data):
    disturbed: list[Read] = []
    for number, read in enumerate(reads):
        disturbed.append(read)
        disturbed += data.draw(st.lists(st.sampled_from(reads[: number + 1]), max_size=3))
    quiet, noisy = fed(tariff, reads), fed(tariff, disturbed)
    assert np.array_equal(quiet.ledger, noisy.ledger)
    assert quiet.days == noisy.days


@given(TARIFFS, register_series(), st.data())
def test_registers_that_are_lost_on_the_way_do_not_change_the_total(tariff, reads, data):
    kept = [read for read in reads[1:-1] if data.draw(st.booleans())]
    street = fed(tariff, [reads[0], *kept, reads[-1]])
    assert total_wh(street) == reads[-1].register_wh - reads[0].register_wh


@given(TARIFFS, quarter_hours(), st.data())
def test_intervals_in_any_order_give_the_same_usage(tariff, reads, data):
    first = Read(START, None, QUARTER, 1)
    in_order = sorted(reads, key=lambda read: read.read_at)
    shuffled = data.draw(st.permutations(reads))
    straight, mixed = fed(tariff, [first, *in_order]), fed(tariff, [first, *shuffled])
    assert straight.used_by_month_and_period(0) == mixed.used_by_month_and_period(0)
    assert np.array_equal(straight.ledger["counted_slots"], mixed.ledger["counted_slots"])
    assert total_wh(straight) == 1 + sum(read.interval_wh for read in reads)
    assert straight.estimated_by_month_and_period(0) == {}
    assert_sound(mixed)


@given(TARIFFS, quarter_hours(), st.data())
def test_late_intervals_in_any_order_true_up_a_gap_to_the_same_end(tariff, reads, data):
    energy = sum(read.interval_wh for read in reads) + data.draw(st.integers(0, 500))
    gap = [Read(START, 0), Read(START + 5 * DAY, energy)]
    street, other = (
        fed(tariff, [*gap, *reads]),
        fed(tariff, [*gap, *data.draw(st.permutations(reads))]),
    )
    assert street.used_by_month_and_period(0) == other.used_by_month_and_period(0)
    assert np.array_equal(street.ledger["estimated_wh"], other.ledger["estimated_wh"])
    assert total_wh(street) == energy
    assert_sound(street)


@given(st.lists(st.tuples(TARIFFS, register_series(12)), min_size=1, max_size=4), st.data())
def test_how_readings_are_cut_into_batches_changes_nothing(accounts, data):
    terms = [Terms(tariff) for tariff, _ in accounts]
    queues = [
        [replace(read, account=number) for read in reads]
        for number, (_, reads) in enumerate(accounts)
    ]
    alone, together = Street(terms), Street(terms)
    for queue in queues:
        for read in queue:
            alone.read([read])
    while any(queues):
        ready = [number for number, queue in enumerate(queues) if queue]
        chosen = data.draw(st.lists(st.sampled_from(ready), unique=True, min_size=1))
        together.read([queues[number].pop(0) for number in chosen])
    assert np.array_equal(alone.ledger, together.ledger)
    assert alone.days == together.days


@given(TARIFFS, register_series(10), quarter_hours())
def test_registers_and_intervals_together_never_count_twice(tariff, registers, intervals):
    reads = sorted([*registers, *intervals], key=lambda read: read.read_at)
    street = Street([Terms(tariff)])
    for read in reads:
        street.read([read])
        row = street.ledger[0]
        if row["register_wh"] >= 0:
            counted = int(row["register_wh"]) - 500 + int(row["interval_since_register_wh"])
            before = sum(i.interval_wh for i in intervals if i.read_at <= START)
            assert total_wh(street) == counted + before
    assert_sound(street)


# --- slots ------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 700), st.booleans()), max_size=12))
def test_the_ring_remembers_the_newest_slots_like_a_set(moves):
    row = Street([Terms()]).ledger
    known: set[int] = set()
    until = 0
    for first, length, only_advance in moves:
        end = first + length
        bounds = np.array([first]), np.array([end])
        if only_advance:
            slots.advance(row, bounds[1])
        else:
            slots.mark(row, *bounds)
            known |= set(range(first, end))
        until = max(until, end)
        known = {slot for slot in known if slot >= until - COUNTED_SLOTS}
    ask = np.arange(0, 2_800)
    ring, ends = row["counted_slots"], row["counted_until_slot"]
    told = slots.is_counted(ring, ends, np.zeros(len(ask), np.int64), ask)
    assert set(ask[told].tolist()) == known
    for first, end in ((0, 2_800), (until - 50, until), (until - 577, until - 575)):
        counted = slots.counted_among(
            ring, ends, np.array([max(first, 0)]), np.array([max(end, 0)])
        )
        assert counted[0] == len({s for s in known if first <= s < end})


@given(
    st.lists(st.tuples(st.integers(0, 2**59), st.integers(1, 40 * DAY)), min_size=1, max_size=4),
    st.lists(st.integers(0, 65_535), min_size=24, max_size=24),
)
def test_shares_are_the_whole_numbers_anyone_would_work_out(pieces, load_of_hour):
    energy = np.array([wh for wh, _ in pieces])
    end = np.array([seconds for _, seconds in pieces])
    spread = slots.expand(np.zeros(len(pieces), np.int64), end)
    load = np.array(load_of_hour)[spread.slot // 4 % 24]
    parts = slots.share_out(energy, spread, load)
    for piece, (wh, _) in enumerate(pieces):
        mine = spread.piece == piece
        seconds = spread.seconds[mine].tolist()
        weights = [s * w for s, w in zip(seconds, load[mine].tolist(), strict=True)]
        upto = list(accumulate(weights if any(weights) else seconds))
        shares = [wh * u // upto[-1] for u in upto]
        assert parts[mine].tolist() == np.diff([0, *shares]).tolist()
        assert sum(parts[mine].tolist()) == wh
