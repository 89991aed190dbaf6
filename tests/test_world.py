"""The simulated utility: the same seed is the same world, and its records are what we say."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from simulator.faults import NO_FAULTS, FaultRates
from simulator.meters import MODULUS_WH, Meter, Schedule
from simulator.sheets import Sheets, shipped_sheets
from simulator.world import Plan, World
from streams import topics, wire

DAY, HOUR = 86_400, 3_600
SMALL = Plan(seed=11, accounts=25, partitions=3, grid_seconds=HOUR, beat_seconds=HOUR)


def lived(plan: Plan, days: float = 3.0, step: int = 2 * HOUR) -> tuple[World, list]:
    world = World(plan)
    records = world.opening()
    while world.now < plan.starts_at + days * DAY:
        records += world.step(world.now + step)
    return world, records


def readings_of(records: list) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for record in records:
        if record.topic == topics.READINGS:
            body = json.loads(record.value)
            for one in body if isinstance(body, list) else [body]:
                found[one["accountId"]].append(one)
    return found


def test_the_same_seed_is_the_same_world_to_the_byte():
    assert lived(SMALL)[1] == lived(SMALL)[1]
    assert lived(SMALL)[1] != lived(replace(SMALL, seed=12))[1]


def test_how_time_is_cut_into_steps_does_not_change_energy():
    plan = replace(SMALL, faults=NO_FAULTS, bulk_share=0.0, held_share=0.0)
    by_two = readings_of(lived(plan, step=2 * HOUR)[1])
    by_six = readings_of(lived(plan, step=6 * HOUR)[1])
    assert by_two == by_six


def test_records_come_in_order_of_time_and_stand_in_their_accounts_partition():
    world, records = lived(SMALL)
    for earlier, later in pairwise(records):
        assert earlier.at <= later.at
    for record in records:
        if record.key is not None and record.topic != topics.TARIFFS:
            assert record.partition == topics.partition_of(record.key.encode(), 3)
    assert {account.partition for account in world.accounts} == {0, 1, 2}


def test_faults_change_no_load_and_no_customer():
    calm = lived(replace(SMALL, faults=NO_FAULTS))[0]
    wild = lived(replace(SMALL, faults=FaultRates().times(20)))[0]
    assert (calm.grid.total_mwh == wild.grid.total_mwh).all()
    assert [a.customer for a in calm.accounts] == [a.customer for a in wild.accounts]


@pytest.mark.parametrize("kind", ["settings", "payments", "ticks", "readings"])
def test_every_record_is_readable_by_the_wire(kind: str):
    _, records = lived(replace(SMALL, faults=NO_FAULTS))
    topic = {
        "settings": topics.ACCOUNT_SETTINGS, "payments": topics.PAYMENTS, "ticks": topics.TICKS,
        "readings": topics.READINGS,
    }[kind]  # fmt: skip
    chosen = [record for record in records if record.topic == topic]
    assert chosen
    for offset, record in enumerate(chosen):
        kept = Kept(record, offset)
        if kind == "readings":
            refusals = wire.decode_readings([kept], book_of(record), 3).refusals
            assert not refusals
        else:
            assert not isinstance(wire.decode_event(kept, 3), wire.Refusal)


def test_a_register_ends_where_the_energy_it_told_has_gone():
    plan = replace(SMALL, faults=NO_FAULTS, exchange_share=0.0)
    world, records = lived(plan, days=4)
    told = readings_of(records)
    checked = 0
    for account in world.accounts:
        meter, mine = account.meter, told[account.customer.account_id]
        if meter.schedule.interval_seconds == HOUR and not meter.schedule.register_seconds:
            energy = sum(one["intervalWh"] for one in mine)
            assert energy == int(world.grid.total_mwh[account.number]) // 1000
            checked += 1
        elif meter.schedule.register_seconds == HOUR:
            last = mine[-1]["registerWh"]
            assert last == meter.register_wh(int(world.grid.total_mwh[account.number]))
            checked += 1
    assert checked > 5


def test_a_meter_rolls_over_and_shows_steps_of_ten_watt_hours():
    meter = Meter("m", Schedule(HOUR, 0), 20, MODULUS_WH, ZoneInfo("UTC"), -19_999_999_000_000)
    assert meter.register_wh(0) == 999_999_950
    assert meter.register_wh(199_000) == 999_999_950  # 199 Wh primary are not yet a step of 200
    assert meter.register_wh(999_000) == 999_999_990
    assert meter.register_wh(1_000_000) == 0


def test_per_rate_registers_grow_as_much_as_the_total():
    plan = replace(SMALL, faults=NO_FAULTS, accounts=60)
    _, records = lived(plan, days=5)
    checked = 0
    for mine in readings_of(records).values():
        if "rateRegistersWh" in mine[0] and len(mine) > 2:
            total = mine[-1]["registerWh"] - mine[0]["registerWh"]
            first, last = mine[0]["rateRegistersWh"], mine[-1]["rateRegistersWh"]
            rates = sum(b - a for a, b in zip(first, last, strict=True))
            assert abs(total % MODULUS_WH - rates) <= 10 * len(first)
            checked += 1
    assert checked > 3


def test_a_trip_takes_the_load_away_and_a_restore_gives_it_back():
    plan = replace(SMALL, faults=NO_FAULTS)
    world, _ = lived(plan, days=1)
    account = world.accounts[0]
    command = {
        "effectId": f"{account.customer.account_id}:trip:1:1",
        "accountId": account.customer.account_id,
        "expiresAt": "2026-12-31T00:00:00Z",
        "controlCode": "3.31.0.23",
    }
    world.field.rates = replace(world.field.rates, fails_once=0.0, needs_crew=0.0)
    world.observe(topics.TRIP_COMMANDS, json.dumps(command).encode())
    world.step(world.now + 2 * HOUR)
    dark = int(world.grid.total_mwh[0])
    world.step(world.now + 2 * HOUR)
    assert int(world.grid.total_mwh[0]) == dark
    restore = command | {
        "effectId": f"{account.customer.account_id}:restore:1:1",
        "cancels": command["effectId"],
        "controlCode": "3.31.0.18",
    }
    world.observe(topics.RESTORE_COMMANDS, json.dumps(restore).encode())
    world.step(world.now + 4 * HOUR)
    assert int(world.grid.total_mwh[0]) > dark


def test_everybody_pays_in_the_end_when_the_lights_go_out():
    plan = replace(SMALL, faults=NO_FAULTS)
    world, _ = lived(plan, days=0.5)
    for account in world.accounts:
        name = account.customer.account_id
        trip = {"effectId": f"{name}:trip:1:1", "accountId": name,
                "expiresAt": "2026-12-31T00:00:00Z"}  # fmt: skip
        world.observe(topics.TRIP_COMMANDS, json.dumps(trip).encode())
    paid = {r.key for r in world.step(world.now + 6 * DAY) if r.topic == topics.PAYMENTS and r.key}
    tripped = {e.account_id for e in world.field.executions if e.is_trip}
    assert len(tripped) > 20
    assert tripped <= paid


@pytest.mark.parametrize(
    ("tariff", "local", "period"),
    [
        ("cn-sd-residential-tou", "2026-07-01T07:59", "valley"),
        ("cn-sd-residential-tou", "2026-07-01T08:00", "peak"),
        ("cn-sd-residential-tou", "2026-07-01T22:00", "valley"),
        ("cn-sd-residential-tou", "2026-01-15T21:00", "heating-valley"),
        ("cn-sd-ic-1kv", "2026-01-15T12:00", "deep-valley"),
        ("cn-sd-ic-1kv", "2026-07-15T18:00", "critical-peak"),
    ],
)
def test_a_sheet_tells_its_rate_period(tariff: str, local: str, period: str):
    from datetime import datetime

    sheet = Sheets(shipped_sheets()).versions(tariff)[-1]
    at = int(datetime.fromisoformat(local).replace(tzinfo=sheet.zone).timestamp())
    names = [one["name"] for one in sheet.plain["ratePeriods"]]
    assert names[sheet.rate_period(at)] == period


class Kept:
    """A record as a client hands it over."""

    def __init__(self, record, offset: int) -> None:
        self.topic, self.partition, self.offset = record.topic, record.partition, offset
        self.key = None if record.key is None else record.key.encode()
        self.value, self.timestamp = record.value, record.at * 1000


def book_of(record):
    from scoring.book import Book

    book = Book()
    body = json.loads(record.value)
    for one in body if isinstance(body, list) else [body]:
        book.add(one["accountId"])
    return book


def test_where_collectors_are_named_accounts_stand_in_groups_of_the_monitor():
    """A demo whose monitor by industry is one nameless group would show nobody anything."""
    told = [
        json.loads(record.value)["groups"]
        for record in World(replace(SMALL, accounts=120, collectors=6)).opening()
        if record.topic == topics.ACCOUNT_SETTINGS
    ]
    assert len({one["industry"] for one in told}) > 4
    assert {one["voltageLevel"] for one in told} == {"220V", "380V", "10kV"}
    bare = World(SMALL).opening()
    kept = [json.loads(r.value)["groups"] for r in bare if r.topic == topics.ACCOUNT_SETTINGS]
    assert {text for one in kept for text in one.values()} == {""}
