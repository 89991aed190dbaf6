"""Did more supplies go off at one time than the fleet's limits allow, or any while frozen?

Judged from what was said and from nothing the interlock counts: trip commands by the minute of
their decision and by the feeder their account's newest terms name, and the words of each partition.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tests.oracle_facts import LogRecord, seconds_of

if TYPE_CHECKING:
    from scoring.interlock import InterlockRules

MINUTE = 60


def over_limits(
    inputs: list[LogRecord], outputs: list[LogRecord], rules: InterlockRules
) -> dict[str, list[str]]:
    """Minutes with too many trips, and trips while their partition was frozen."""
    feeder_of: dict[str, str] = {}
    for record in inputs:
        if record.topic == "account-settings" and record.value and record.key:
            feeder_of[record.key] = json.loads(record.value).get("feeder", "")
    trips = {}
    for record in outputs:
        if record.topic == "trip-commands" and record.value:
            body = json.loads(record.value)
            trips[body["effectId"]] = (
                seconds_of(body["decidedAt"]),
                feeder_of.get(body["accountId"], ""),
                record.partition,
            )
    fleet, feeders = Counter[int](), Counter[tuple[str, int]]()
    for at, feeder, _partition in trips.values():
        fleet[at // MINUTE] += 1
        feeders[feeder, at // MINUTE] += bool(feeder)
    wrong = [
        f"{count} trips in the minute of {minute * MINUTE}"
        for minute, count in fleet.items()
        if count > rules.fleet_trips_per_minute
    ]
    wrong += [
        f"{count} trips on {feeder} in the minute of {minute * MINUTE}"
        for (feeder, minute), count in feeders.items()
        if count > rules.feeder_trips_per_minute
    ]
    frozen = _frozen(outputs)
    return {
        "overLimit": wrong,
        "trippedWhileFrozen": [
            f"{trip_id} at {at}, frozen from {first} to {last}"
            for trip_id, (at, _feeder, partition) in trips.items()
            for first, last in frozen[partition]
            if first < at < last  # within one second either may have come first
        ],
    }


def _frozen(outputs: list[LogRecord]) -> dict[int, list[tuple[int, int]]]:
    """Of each partition: from when to when it certainly was frozen."""
    spans: dict[int, dict[int, int]] = defaultdict(dict)
    for record in outputs:
        if record.topic == "interlock" and record.value:
            word = json.loads(record.value)
            if word["why"]:
                spans[word["partition"]][seconds_of(word["frozenAt"])] = seconds_of(word["at"])
    return defaultdict(list, {number: list(some.items()) for number, some in spans.items()})
