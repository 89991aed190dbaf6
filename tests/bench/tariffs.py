"""Does a hundred tariffs side by side cost more a reading than one?

In one process and without a broker: the clerk of one partition enters the same readings for
accounts of one tariff, of the samples it was made from (tiers, times of use and standing charges
cost what they cost), and of a hundred, with prices, tiers and calendars of their own.  All take
turns, so that a noisy machine is noisy for all; the best round of each counts.
"""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from typing import Any

from scoring.events import Source
from scoring.sheet import TariffSheet, sheet_from_dict
from scoring.tariff import Tariffs
from streams.clerk import Clerk, Terms
from streams.log import Fetched, PlainRecord
from streams.rows import decode_ledger_rows, encode_ledger_rows
from streams.topics import LEARNED_ROWS, LEDGER_ROWS
from tests.bench import load
from tests.office import RULES, SHEETS

KINDS, MANY = len(SHEETS), 100
BATCH = 8_192


def sheets(count: int) -> list[TariffSheet]:
    """So many tariffs, each a little different from the sample it was made of."""
    samples = [sheet_from_dict(SHEETS[i % len(SHEETS)]) for i in range(count)]
    zone, currency = samples[0].zone, samples[0].currency
    return [
        replace(
            sheet,
            tariff_id=f"bench-{i}",
            zone=zone,
            currency=currency,
            price_picos_per_kwh=tuple(p + i * 10**6 for p in sheet.price_picos_per_kwh),
        )
        for i, sheet in enumerate(samples)
    ]


def partition(tariffs: int, names: list[str]) -> Clerk:
    """A clerk whose accounts have these tariffs in turn."""
    known = sheets(tariffs)
    clerk = Clerk(0, Terms(Tariffs(known), RULES, 1))
    clerk.claim()
    clerk.claimed(0)
    opening = load.Opening(
        load.STARTS_AT, load.STARTS_AT, by_phase=True, lived_days=load.LIVED_DAYS
    )
    for topic, lines in opening.rows(names):
        records = [
            PlainRecord(topic, 0, i, 0, line.key, line.value) for i, line in enumerate(lines)
        ]
        if topic == LEARNED_ROWS:
            clerk.recall_learned(records)
            continue
        assert topic == LEDGER_ROWS
        rows = decode_ledger_rows(records).rows
        rows["tariff_id"] = [f"bench-{i % tariffs}" for i in range(len(rows))]
        values = encode_ledger_rows(rows, -1)
        clerk.recall_rows(
            [r._replace(value=value) for r, value in zip(records, values, strict=True)]
        )
    clerk.recalled({})
    return clerk


def measure(accounts: int, rounds: int) -> dict[str, Any]:
    """Microseconds a reading with one and with many tariffs, and how they compare."""
    names = [load.account_id(number) for number in range(accounts)]
    clerks = {count: partition(count, names) for count in (1, KINDS, MANY)}
    taken: dict[int, list[float]] = {count: [] for count in clerks}
    offset = 0
    for number in range(1, rounds + 1):
        lines = list(load.readings(names, [number]))
        for first in range(0, accounts, BATCH):
            some = [
                PlainRecord("meter-readings", 0, offset + i, line.at * 1000, line.key, line.value)
                for i, line in enumerate(lines[first : first + BATCH])
            ]
            offset += len(some)
            for count, clerk in clerks.items():
                gc.collect()
                began = time.process_time()
                entry = clerk.enter(
                    Fetched(records={Source.READINGS: some}), payments_caught_up=True
                )
                assert entry.tally.outcomes["accepted"] == len(some)
                taken[count].append((time.process_time() - began) / len(some) * 1e6)
    best = {count: min(times[len(times) // rounds :]) for count, times in taken.items()}
    return {
        "tariffs": MANY,
        "microseconds_with_one": round(best[1], 2),
        "microseconds_with_each_kind": round(best[KINDS], 2),
        "microseconds_with_many": round(best[MANY], 2),
        "many/one": round(best[MANY] / best[1], 2),
        "many/each_kind": round(best[MANY] / best[KINDS], 2),
    }
