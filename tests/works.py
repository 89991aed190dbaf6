"""A large works: what do the worker and the office write of it, and who hears them?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from scoring.effects import Cause, DailyUsage, Evidence, LargeDay
from scoring.events import Source
from streams import topics
from streams.credit_desk import CreditDesk, CreditTerms
from streams.topics import partition_of
from streams.wire import encode_effect
from streams.wire_credit import encode_customer_facts

WORKS = "works-001"
PARTITIONS = 4
CENT = 10_000_000


@dataclass
class Sent:
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_780_000_000_000


def record(encoded):
    return Sent(encoded.topic, encoded.key, encoded.value, partition_of(encoded.key, PARTITIONS))


def unix(day: date) -> int:
    return (day - date(1970, 1, 1)).days


PLAIN = LargeDay(10**9, 300_000_000, 800_000, 800_000, 1_000_000, 0, 0, 0, 0, 0)


def finished(day: date, used=30_000_000, charge=2_000_000, available=40_000_000, large=PLAIN,
             account=WORKS, mode="prepaid"):  # fmt: skip
    """A day as the worker tells it; money in cents."""
    at = int(datetime(day.year, day.month, day.day, 16, tzinfo=UTC).timestamp())
    evidence = Evidence(at, 0, 0, available * CENT, "t", 1, None, None, 0)
    return encode_effect(
        DailyUsage(
            f"{account}:day:{day}", account, at, Cause(Source.READINGS, 0, 1), evidence,
            day.isoformat(), used, 0, charge * CENT, 0, mode, "C31", "10kV", "col-1", "north",
            large=large,
        )
    )  # fmt: skip


def days_of(first: date, count: int, **told):
    return [record(finished(first + timedelta(each), **told)) for each in range(count)]


def facts_record(facts, at="2026-01-01T00:00:00Z", source="office", account=WORKS):
    return record(encode_customer_facts(account, source, at, facts))


def desk(terms=CreditTerms()):  # noqa: B008 - frozen
    return CreditDesk(PARTITIONS, terms)


def grades(said):
    return [json.loads(each.value) for each in said if each.topic == topics.CREDIT_GRADES]


GOOD_FACTS = {
    "fileSectionsFilled": 8, "fileSectionsRequired": 8, "visitedDay": "2026-05-01",
    "ownershipChanges": 0, "isLeased": False, "outlook": "growing", "keyList": "city",
    "demandResponse": "complied", "leaving": "not", "bankRating": "aaa", "returnedDebits": 0,
    "taxArrears": False, "netProfitCents": 20, "revenueCents": 100, "liabilitiesCents": 20,
    "assetsCents": 100, "capitalCents": 10**14, "securityCents": 10**9,
}  # fmt: skip
