"""Which records of one partition's topics are entered together, and when is a trip thinkable?"""

from __future__ import annotations

import pytest

from scoring.events import Source
from streams.log import Fetched
from streams.order import LEAVE_ON, Desk, parts
from tests.office import Record


def _record(source: Source, offset: int, at: int) -> Record:
    return Record(source.name, 0, offset, at * 1000, b"home-1", b"{}")


def _desk(unread: Source | None) -> Desk:
    """All topics are read to their end, except that one record of `unread` lies in the log."""
    ends = dict.fromkeys(Source, 0) | {Source.SWITCH_REPORTS: 1}
    desk = Desk()
    report = _record(Source.SWITCH_REPORTS, 0, 100)
    highwater = ends if unread is None else ends | {unread: ends[unread] + 1}
    desk.newest_ms = dict.fromkeys(Source, 200_000)  # all have shown later records before
    desk.put(Fetched({Source.SWITCH_REPORTS: [report]}, highwater, ends))
    return desk


@pytest.mark.parametrize("unread", LEAVE_ON)
def test_nothing_counts_as_caught_up_while_a_reason_to_leave_the_power_on_is_unread(
    unread: Source,
) -> None:
    """A hold, a payment or a protection that lies in the log must not meet a trip (seed 2007)."""
    assert [part.payments_caught_up for part in parts(_desk(unread))] == [False]


def test_with_all_read_the_feed_counts_as_caught_up() -> None:
    assert [part.payments_caught_up for part in parts(_desk(None))] == [True]


def test_people_are_heard_before_the_field() -> None:
    """A hold and a report of one fetch: the hold is entered first, whatever their offsets."""
    desk = _desk(None)
    hold = _record(Source.OPERATOR_ACTIONS, 0, 100)
    ends = desk.highwater | {Source.OPERATOR_ACTIONS: 1}
    desk.put(Fetched({Source.OPERATOR_ACTIONS: [hold]}, ends, ends))
    [part] = parts(desk)
    assert list(part.fetched.records) == [Source.OPERATOR_ACTIONS, Source.SWITCH_REPORTS]
