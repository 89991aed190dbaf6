"""Does the fleet interlock hold and freeze trips, and only trips, exactly at its limits?"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.book import empty_ledger
from scoring.effects import NO_HOLD, Hold, Stage
from scoring.events import Feed, Quality, Switch, SwitchReported
from scoring.interlock import (
    NO_FREEZE,
    Census,
    Freeze,
    Interlock,
    InterlockRules,
    InterlockState,
    abnormal,
    census_of,
    counted_of,
)
from scoring.units import NO_TIME, SECONDS_PER_DAY, instant
from streams.board import MOST_WORD_AGE_SECONDS, Board
from streams.log import PlainRecord
from streams.topics import INTERLOCK, OPERATOR_ACTIONS
from streams.wire_interlock import (
    InterlockAction,
    decode_state,
    decode_word,
    encode_interlock_action,
    encode_state,
    encode_word,
)
from tests.office import DAY, HOUR, MONDAY, Office

if TYPE_CHECKING:
    import numpy as np

NOW = instant("2026-07-06T10:00:00+08:00")
MINUTE = 60
RULES = InterlockRules()
FRESH = Feed(NOW, caught_up=True)

ABNORMAL = [
    # what, accounts, out of money, estimated, tripped in the hour, heartbeat age, causes
    ("an ordinary day", 1_000, 50, 20, 1, 60, NO_FREEZE),
    ("trips at the limit", 10_000, 0, 0, 20, 60, NO_FREEZE),
    ("one trip more", 10_000, 0, 0, 21, 60, Freeze.TRIP_RATE),
    ("a small book: 19 of 30", 30, 19, 19, 19, 60, NO_FREEZE),
    ("a small book: 20 of 30", 30, 20, 0, 0, 60, Freeze.MASS_NEGATIVE),
    ("a fifth estimated", 1_000, 0, 200, 0, 60, NO_FREEZE),
    ("more than a fifth", 1_000, 0, 201, 0, 60, Freeze.ESTIMATED_READINGS),
    ("a tenth out of money", 1_000, 100, 0, 0, 60, NO_FREEZE),
    ("more than a tenth", 1_000, 101, 0, 0, 60, Freeze.MASS_NEGATIVE),
    ("payments an hour behind", 1_000, 0, 0, 0, 3_600, NO_FREEZE),
    ("a second more", 1_000, 0, 0, 0, 3_601, Freeze.PAYMENTS_LAG),
    ("two at once", 1_000, 101, 201, 0, 60, Freeze.MASS_NEGATIVE | Freeze.ESTIMATED_READINGS),
]


@pytest.mark.parametrize("case", ABNORMAL, ids=[case[0] for case in ABNORMAL])
def test_what_is_abnormal(case):
    _what, accounts, out_of_money, estimated, tripped, age, causes = case
    census = Census(accounts, out_of_money, estimated, tripped)
    assert abnormal(census, Feed(NOW - age, caught_up=True), RULES, NOW) == causes


def test_a_feed_that_nobody_has_read_yet_freezes_nothing():
    census = Census(1_000, 0, 0, 0)
    assert abnormal(census, Feed(NO_TIME, caught_up=True), RULES, NOW) == NO_FREEZE
    assert abnormal(census, Feed(NOW - 9_999, caught_up=False), RULES, NOW) == NO_FREEZE


def rows(count: int, **columns: object) -> np.ndarray:
    ledger = empty_ledger(count)
    ledger["settings_version"], ledger["read_at"] = 1, NOW
    for name, values in columns.items():
        ledger[name] = values
    return ledger


def ready(partitions: int = 1, partition: int = 0, rules: InterlockRules = RULES) -> Interlock:
    """An interlock that has looked at a quiet book, under a policy of old."""
    interlock = Interlock(partition, partitions, rules)
    interlock.state = InterlockState(policy=7, policy_since=NOW - SECONDS_PER_DAY)
    interlock.look(rows(10), FRESH, 7, NOW - 120, 1)
    return interlock


def test_before_the_first_look_nobody_is_tripped():
    assert Interlock(0, 1, RULES).hold(b"", NOW) == Hold.INTERLOCK_SILENT
    assert ready().hold(b"", NOW) == NO_HOLD


def test_a_feeder_trips_three_homes_a_minute_and_no_fourth():
    interlock = ready()
    for _ in range(3):
        assert interlock.hold(b"F-12", NOW) == NO_HOLD
        interlock.sent(b"F-12", NOW)
    assert interlock.hold(b"F-12", NOW) == Hold.INTERLOCK_LIMIT
    assert interlock.hold(b"F-12", NOW + 59) == Hold.INTERLOCK_LIMIT
    assert interlock.hold(b"F-13", NOW) == NO_HOLD
    assert interlock.hold(b"F-12", NOW + 60) == NO_HOLD


def test_the_fleet_trips_sixty_a_minute_and_no_more():
    interlock = ready()
    for number in range(60):
        assert interlock.hold(b"", NOW) == NO_HOLD, number
        interlock.sent(b"", NOW)
    assert interlock.hold(b"", NOW) == Hold.INTERLOCK_LIMIT
    assert interlock.hold(b"", NOW + MINUTE) == NO_HOLD


@given(st.integers(1, 12), st.integers(0, 40), st.integers(0, 5), st.integers(0, 10_000))
def test_all_partitions_together_never_pass_a_limit(partitions, fleet, feeder, minute):
    rules = replace(RULES, fleet_trips_per_minute=fleet, feeder_trips_per_minute=feeder)
    at = NOW + minute * MINUTE
    total, on_feeder = 0, 0
    for number in range(partitions):
        interlock = ready(partitions, number, rules)
        while not interlock.hold(b"F-1", at):
            interlock.sent(b"F-1", at)
            total, on_feeder = total + 1, on_feeder + 1
        while not interlock.hold(b"", at):
            interlock.sent(b"", at)
            total += 1
    assert total == fleet
    assert on_feeder <= feeder


def test_every_partition_gets_its_minutes_of_every_feeder():
    interlocks = [ready(8, number) for number in range(8)]
    for feeder, interlock in product((b"F-1", b"F-2"), interlocks):
        turns = sum(not interlock.hold(feeder, NOW + minute * MINUTE) for minute in range(480))
        assert 30 <= turns <= 95, "about one minute in eight"


def test_a_new_policy_trips_few_in_its_first_day():
    rules = replace(RULES, trips_per_policy_change=5)
    interlock = ready(rules=rules)
    interlock.look(rows(10), FRESH, 8, NOW, 2)
    for _ in range(5):
        assert interlock.hold(b"", NOW) == NO_HOLD
        interlock.sent(b"", NOW)
    assert interlock.hold(b"", NOW + HOUR) == Hold.INTERLOCK_LIMIT
    assert interlock.hold(b"", NOW + SECONDS_PER_DAY - 1) == Hold.INTERLOCK_LIMIT
    assert interlock.hold(b"", NOW + SECONDS_PER_DAY) == NO_HOLD


def test_what_was_sent_is_counted_from_the_rows():
    """By when they were commanded: a report or a restore since then makes no trip unsent."""
    stages = [Stage.NOTICED, Stage.TRIP_COMMANDED, Stage.TRIP_COMMANDED, Stage.TRIPPED,
              Stage.RESTORE_COMMANDED, Stage.TRIPPED]  # fmt: skip
    sent_at = [NO_TIME, NOW, NOW - 61, NOW + 1, NOW, NOW + 90]
    ledger = rows(6, stage=stages, stage_since=NOW + 300, trip_sent_at=sent_at)
    ledger["feeder"] = [b"A", b"A", b"A", b"B", b"A", b"A"]
    counted, now = counted_of(ledger, NOW + 30, NOW - 10), NOW // MINUTE
    assert counted.in_minute == {now: 3, now + 1: 1}, "rows may be ahead of a tick that is replayed"
    assert counted.by_feeder == {(now, b"A"): 2, (now, b"B"): 1, (now + 1, b"A"): 1}
    assert counted.since_policy == 4


def test_a_freeze_that_an_old_tick_finds_begins_after_the_trips_that_were_sent():
    interlock, stages = ready(), [Stage.NOTICED] * 20 + [Stage.NORMAL] * 80
    interlock.look(rows(100, stage=stages, trip_sent_at=NOW + 60), FRESH, 7, NOW, 2)
    assert (interlock.state.why, interlock.state.frozen_at) == (Freeze.MASS_NEGATIVE, NOW + 60)


def test_a_partition_that_comes_back_trips_nobody_before_it_has_looked_again():
    """Its former owner counted in another time: the owner between has tripped since."""
    interlock = ready(rules=replace(RULES, feeder_trips_per_minute=1))
    interlock.taken_up()
    assert interlock.hold(b"F-12", NOW) == Hold.INTERLOCK_SILENT
    interlock.look(rows(1, trip_sent_at=NOW, feeder=b"F-12"), FRESH, 7, NOW, 2)
    assert interlock.hold(b"F-12", NOW + 17) == Hold.INTERLOCK_LIMIT
    clerk = Office(1, interlock=RULES).clerks[0]
    assert clerk.interlock is not None
    clerk.interlock = ready()
    clerk.claimed(5)
    assert clerk.interlock.hold(b"", NOW) == Hold.INTERLOCK_SILENT


def test_the_census_counts_what_its_names_say():
    ledger = rows(6, stage=[Stage.NORMAL, Stage.NORMAL, Stage.NOTICED, Stage.TRIPPED,
                            Stage.TRIP_COMMANDED, Stage.RESTORE_COMMANDED])  # fmt: skip
    ledger["trip_sent_at"] = [NO_TIME, NO_TIME, NO_TIME, NOW - 3_600, NOW - 3_599, NOW]
    ledger["holds"][1] = int(Hold.LIFE_SUPPORT)
    ledger["newest_quality"][0] = int(Quality.ESTIMATED)
    ledger["settings_version"][5] = 0
    assert census_of(ledger, NOW) == Census(5, 4, 1, 1)


def frozen() -> Interlock:
    interlock = ready()
    interlock.look(rows(100, newest_quality=int(Quality.ESTIMATED)), FRESH, 7, NOW, 2)
    assert interlock.state.why == Freeze.ESTIMATED_READINGS
    assert interlock.hold(b"", NOW) == Hold.INTERLOCK_FROZEN
    return interlock


RELEASES = [
    # why, releases as (person, minutes later), is it still frozen
    ("nobody", [], True),
    ("one person", [("ann", 1)], True),
    ("one person twice", [("ann", 1), ("ann", 2)], True),
    ("two people", [("ann", 1), ("bob", 2)], False),
    ("two people at the end of the hour", [("ann", 1), ("bob", 61)], False),
    ("the second too late", [("ann", 1), ("bob", 62)], True),
    ("one person, and nobody", [("ann", 1), (" ", 2), ("", 3), ("\u200b", 4)], True),
    ("nobody, then one person", [("\u3000", 1), ("ann", 2)], True),
    ("nobody between two people", [("ann", 1), (" ", 2), ("bob", 3)], False),
    ("one person with a zero-width blank", [("ann", 1), ("an\u200bn", 2)], True),
    ("too late, then a third person", [("ann", 1), ("bob", 62), ("eve", 63)], False),
]


@pytest.mark.parametrize("case", RELEASES, ids=[case[0] for case in RELEASES])
def test_two_different_people_release(case):
    _why, releases, is_frozen = case
    interlock = frozen()
    for place, (person, minutes) in enumerate(releases):
        interlock.release(person, NOW + minutes * MINUTE, 10 + place)
    assert interlock.state.is_frozen is is_frozen


def test_a_repeated_release_is_no_second_one():
    interlock = frozen()
    interlock.release("ann", NOW, 10)
    interlock.release("bob", NOW, 10)
    assert interlock.state.is_frozen


def test_a_released_cause_does_not_freeze_again_that_day_but_another_does():
    interlock = frozen()
    for place, person in enumerate(("ann", "bob")):
        interlock.release(person, NOW, 10 + place)
    estimated = rows(100, newest_quality=int(Quality.ESTIMATED))
    interlock.look(estimated, FRESH, 7, NOW + HOUR, 3)
    assert not interlock.state.is_frozen
    interlock.look(estimated, Feed(NOW - HOUR, caught_up=True), 7, NOW + HOUR, 4)
    assert interlock.state.why == Freeze.PAYMENTS_LAG
    interlock.look(estimated, FRESH, 7, NOW + SECONDS_PER_DAY, 5)
    assert interlock.state.why == Freeze.PAYMENTS_LAG | Freeze.ESTIMATED_READINGS


def test_a_new_cause_voids_the_first_release():
    interlock = frozen()
    interlock.release("ann", NOW, 10)
    estimated = rows(100, newest_quality=int(Quality.ESTIMATED))
    interlock.look(estimated, Feed(NOW - 2 * HOUR, caught_up=True), 7, NOW, 3)
    interlock.release("bob", NOW, 11)
    assert interlock.state.is_frozen


def test_one_person_freezes_and_two_release():
    interlock = ready()
    interlock.freeze(NOW, 10)
    assert (interlock.state.why, interlock.state.frozen_at) == (Freeze.BY_A_PERSON, NOW)
    assert interlock.hold(b"", NOW) == Hold.INTERLOCK_FROZEN
    interlock.release("ann", NOW, 11)
    interlock.release("ann", NOW, 12)
    assert interlock.state.is_frozen
    interlock.release("bob", NOW, 13)
    assert interlock.hold(b"", NOW) == NO_HOLD
    interlock.freeze(NOW, 10)
    assert not interlock.state.is_frozen, "a repeated record is no second freeze"
    interlock.freeze(NOW + HOUR, 14)
    assert interlock.state.is_frozen, "a person may freeze again at once"


def test_a_persons_freeze_voids_the_first_release():
    interlock = frozen()
    interlock.release("ann", NOW, 10)
    interlock.freeze(NOW + 1, 11)
    assert interlock.state.why == Freeze.ESTIMATED_READINGS | Freeze.BY_A_PERSON
    assert interlock.state.frozen_at == NOW
    interlock.release("bob", NOW + 2, 12)
    assert interlock.state.is_frozen


def test_a_persons_freeze_holds_a_trip_that_was_due():
    office = Office(1, interlock=RULES)
    office.open("home-1", direct_close_agreed=True)
    office.pay("home-1", "10")
    office.live("home-1", 2, watts=2_000)
    at = MONDAY + 2 * DAY + 9 * HOUR
    office.read("home-1", (at, 57 * 2_000))
    office.beat(at + 60)
    office.tick(at + 120)
    office.receive("home-1", at + 180)
    freeze = encode_interlock_action(InterlockAction.FREEZE, "ann", "heat wave", at, "f-1")
    office.enter(OPERATOR_ACTIONS, 0, (None, freeze, at + 240))
    for hour in (1, 2):
        office.read("home-1", (at + hour * HOUR, (57 + hour) * 2_000))
        office.beat(at + hour * HOUR + 60)
        office.tick(at + hour * HOUR + 120)
    assert not office.told["trip-commands"]
    assert office.told["decisions"][-1]["evidence"]["holds"] == ["interlock_frozen"]
    word = office.words()[-1]
    assert (word.why, word.action_offset) == (["by_a_person"], 0)


def test_a_freeze_calls_back_what_is_on_its_way_and_nothing_that_was_carried_out():
    office = Office(1, interlock=RULES)
    at = MONDAY + 2 * DAY + 9 * HOUR
    for home in ("home-1", "home-2"):
        office.open(home, direct_close_agreed=True)
        office.pay(home, "10")
        office.live(home, 2, watts=2_000)
        office.read(home, (at, 57 * 2_000))
    office.beat(at + 60)
    office.tick(at + 120)
    for home in ("home-1", "home-2"):
        office.receive(home, at + 180)
        office.read(home, (at + HOUR, 58 * 2_000))
    office.beat(at + HOUR + 60)
    office.tick(at + HOUR + 120)
    trips = [each["effectId"] for each in office.told["trip-commands"]]
    assert [each.split(":")[0] for each in trips] == ["home-1", "home-2"]
    then = at + HOUR + 150
    done = SwitchReported("home-2", 0, then, trips[1], Switch.DISCONNECTED, True, then)
    office.event(done, then)
    freeze = encode_interlock_action(InterlockAction.FREEZE, "ann", "wrong sheet", at, "f-1")
    office.enter(OPERATOR_ACTIONS, 0, (None, freeze, at + HOUR + 180))
    office.tick(at + HOUR + 240)
    assert [each["cancels"] for each in office.told["restore-commands"]] == trips[:1]


def test_state_and_word_are_read_as_written():
    interlock = frozen()
    interlock.release("ann", NOW, 10)
    assert decode_state(encode_state(interlock.state)) == interlock.state
    assert decode_state(b"?") is None
    word = decode_word(encode_word(interlock, NOW).value)
    assert word is not None
    assert (word.why, word.first_release_by) == (["estimated_readings"], "ann")
    assert decode_word(b"?") is None


def said(interlock: Interlock) -> PlainRecord:
    word = encode_word(interlock, NOW)
    return PlainRecord(INTERLOCK, 0, 0, 0, word.key, word.value)


def test_all_hold_while_one_is_frozen_or_silent():
    at = [0.0]
    board = Board(2, clock=lambda: at[0])
    board.take([said(ready(2, 0)), said(ready(2, 1))])
    assert board.hold() == Hold.INTERLOCK_SILENT, "words of before the start prove no life"
    board.is_live = True
    board.take([said(ready(2, 0))])
    assert board.hold() == Hold.INTERLOCK_SILENT
    board.take([said(ready(2, 1))])
    assert board.hold() == NO_HOLD
    at[0] = MOST_WORD_AGE_SECONDS
    assert board.hold() == NO_HOLD
    at[0] += 1
    assert board.hold() == Hold.INTERLOCK_SILENT
    board.take([said(frozen()), said(ready(2, 1))])
    assert board.hold() == Hold.INTERLOCK_FROZEN


def test_on_the_road_a_frozen_interlock_holds_trips_and_lets_restores_through():
    office = Office(1, interlock=replace(RULES, least_accounts=1, most_trips_per_hour_ppm=0))
    for home in ("home-1", "home-2"):
        office.open(home, direct_close_agreed=True)
        office.pay(home, "10")
    for home in ("home-1", "home-2"):
        office.live(home, 2, watts=2_000)

    def hour(number: int, home: str) -> None:
        at = MONDAY + 2 * DAY + number * HOUR
        office.read(home, (at, (48 + number) * 2_000))
        office.beat(at + 60)
        office.tick(at + 120)

    hour(9, "home-1")
    assert not office.told["trip-commands"]
    assert office.words()[-1].why == ["mass_negative"]
    office.receive("home-1", MONDAY + 2 * DAY + 9 * HOUR + 180)
    hour(10, "home-1")
    assert not office.told["trip-commands"]
    assert office.told["decisions"][-1]["evidence"]["holds"] == ["interlock_frozen"]
    for person in ("ann", "bob"):
        at = MONDAY + 2 * DAY + 10 * HOUR + 300
        release = encode_interlock_action(InterlockAction.RELEASE, person, "checked", at)
        office.enter(OPERATOR_ACTIONS, 0, (None, release, at))
    office.tick(MONDAY + 2 * DAY + 10 * HOUR + 400)
    assert [each["accountId"] for each in office.told["trip-commands"]] == ["home-1"]
    hour(11, "home-2")
    assert office.words()[-1].why == ["trip_rate"]
    office.pay("home-1", "100", MONDAY + 2 * DAY + 11 * HOUR + 300)
    assert [each["accountId"] for each in office.told["restore-commands"]] == ["home-1"]
