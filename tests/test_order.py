"""Which records of one partition's topics are entered together, and when is a trip thinkable?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.events import Source
from streams.log import Fetched, PlainRecord
from streams.order import (
    LEAVE_ON,
    MAX_OVERTAKING_MS,
    MAX_WEIGHT_PER_PART,
    WEIGHT,
    Desk,
    parts,
)


def _record(source: Source, offset: int, at: int) -> PlainRecord:
    return PlainRecord(source.name, 0, offset, at * 1000, b"home-1", b"{}")


def _desk(unread: Source | None) -> Desk:
    """All topics are read to their end, except that one record of `unread` lies in the log."""
    ends = dict.fromkeys(Source, 0) | {Source.SWITCH_REPORTS: 1}
    desk = Desk()
    report = _record(Source.SWITCH_REPORTS, 0, 100)
    highwater = ends if unread is None else ends | {unread: ends[unread] + 1}
    desk.newest_ms = dict.fromkeys(Source, 200_000)  # all have shown later records before
    desk.put(Fetched({Source.SWITCH_REPORTS: [report]}, highwater, ends))
    return desk


@pytest.mark.parametrize("unread", [*LEAVE_ON, Source.TICKS])
def test_nothing_counts_as_caught_up_while_a_reason_to_leave_the_power_on_is_unread(
    unread: Source,
) -> None:
    """A hold, a payment, terms or a later hour that lie in the log must not meet a trip (2007)."""
    assert [part.payments_caught_up for part in parts(_desk(unread))] == [False]


def test_with_all_read_the_feed_counts_as_caught_up() -> None:
    assert [part.payments_caught_up for part in parts(_desk(None))] == [True]


def test_of_more_payments_than_one_part_holds_the_feed_is_caught_up_by_the_last() -> None:
    """The payment of somebody about to be tripped may be the last of thousands at hand."""
    count = MAX_WEIGHT_PER_PART // WEIGHT[Source.PAYMENTS] + 1
    paid = [_record(Source.PAYMENTS, offset, 100) for offset in range(count)]
    ends = dict.fromkeys(Source, 0) | {Source.PAYMENTS: count}
    desk = Desk()
    desk.put(Fetched({Source.PAYMENTS: paid}, ends, ends))
    found = [(len(p.fetched.records[Source.PAYMENTS]), p.payments_caught_up) for p in parts(desk)]
    assert found == [(count - 1, False), (1, True)]


def test_an_open_transaction_holds_nothing_back_but_trips() -> None:
    """A payment that is not committed yet is not said yet; its producer may be dead."""
    desk = Desk()
    reading = _record(Source.READINGS, 0, 100)
    position = dict.fromkeys(Source, 0) | {Source.READINGS: 1}
    highwater = position | {Source.PAYMENTS: 2}
    fetched = Fetched({Source.READINGS: [reading]}, highwater, position, readable=dict(position))
    desk.put(fetched)
    assert [(list(p.fetched.records), p.payments_caught_up) for p in parts(desk)] == [
        ([Source.READINGS], False)
    ]
    desk.put(Fetched({}, highwater, position | {Source.PAYMENTS: 2}, readable=highwater))
    desk.put(Fetched({Source.READINGS: [_record(Source.READINGS, 1, 101)]}))
    assert [part.payments_caught_up for part in parts(desk)] == [True]


def test_people_are_heard_before_the_field() -> None:
    """A hold and a report of one fetch: the hold is entered first, whatever their offsets."""
    desk = _desk(None)
    hold = _record(Source.OPERATOR_ACTIONS, 0, 100)
    ends = desk.highwater | {Source.OPERATOR_ACTIONS: 1}
    desk.put(Fetched({Source.OPERATOR_ACTIONS: [hold]}, ends, ends))
    [part] = parts(desk)
    assert list(part.fetched.records) == [Source.OPERATOR_ACTIONS, Source.SWITCH_REPORTS]


READ_UP_TO = 10_000
"""The stamp, in seconds, of the newest reading fetched, behind which a backlog lies unread."""
GRACE = MAX_OVERTAKING_MS // 1000


@pytest.mark.parametrize(
    ("paid_at", "terms_at", "unread", "entered"),
    [
        (READ_UP_TO + 1, None, Source.READINGS, True),
        (READ_UP_TO + GRACE, None, Source.READINGS, True),
        (READ_UP_TO + GRACE + 1, None, Source.READINGS, False),  # a year that is made up for
        (READ_UP_TO + 2, READ_UP_TO + 1, Source.READINGS, False),  # its account's terms, perhaps
        (READ_UP_TO + 1, READ_UP_TO + 1, Source.READINGS, False),
        (READ_UP_TO + 1, READ_UP_TO + 2, Source.READINGS, True),
        (READ_UP_TO + 1, None, Source.SETTINGS, False),
        (READ_UP_TO, None, Source.SETTINGS, False),
        (READ_UP_TO - 1, None, Source.SETTINGS, True),
    ],
)
def test_who_has_paid_waits_behind_no_backlog_of_readings(
    paid_at: int, terms_at: int | None, unread: Source, *, entered: bool
) -> None:
    desk, at_hand = Desk(), {Source.PAYMENTS: [_record(Source.PAYMENTS, 0, paid_at)]}
    if terms_at is not None:
        at_hand[Source.SETTINGS] = [_record(Source.SETTINGS, 0, terms_at)]
    position = dict.fromkeys(Source, 0) | dict.fromkeys(at_hand, 1)
    desk.newest_ms = dict.fromkeys(Source, READ_UP_TO * 1000)
    desk.put(Fetched(at_hand, position | {unread: position[unread] + 100_000}, position))
    found = [source for part in parts(desk) for source in part.fetched.records]
    assert (Source.PAYMENTS in found) is entered
    assert (Source.PAYMENTS in desk.held) is not entered


@given(
    stamps=st.dictionaries(
        st.sampled_from([Source.SETTINGS, Source.PAYMENTS, Source.READINGS, Source.TICKS]),
        st.lists(st.integers(0, 50), min_size=1, max_size=8),
        min_size=1,
    ),
    size=st.integers(1, 3),
)
def test_every_record_comes_through_whatever_its_stamp(
    stamps: dict[Source, list[int]], size: int
) -> None:
    """Topics whose records wait are not fetched on; that must never bring all to a standstill."""
    desk, entered, position = Desk(), dict.fromkeys(stamps, 0), dict.fromkeys(Source, 0)
    highwater = dict.fromkeys(Source, 0) | {source: len(some) for source, some in stamps.items()}
    for _fetch in range(sum(highwater.values()) + 1):
        fetched = Fetched({}, highwater=highwater, position=position)
        for source in stamps.keys() - desk.held.keys():
            first, end = position[source], min(position[source] + size, highwater[source])
            if first < end:
                fetched.records[source] = [
                    _record(source, offset, stamps[source][offset]) for offset in range(first, end)
                ]
            position[source] = end
        desk.put(fetched)
        for part in parts(desk):
            for source, records in part.fetched.records.items():
                assert records[0].offset == entered[source]
                entered[source] += len(records)
    assert entered == {source: len(some) for source, some in stamps.items()}
