"""What does a record of the log state, or why is it no fact?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple


class LogRecord(NamedTuple):
    """One record as it lies in the log; `at` is its timestamp in seconds."""

    topic: str
    partition: int
    offset: int
    at: int
    key: str | None
    value: bytes | None


class Refused(Exception):  # noqa: N818 - a named refusal, no program error
    """This is no fact: why, by the name an operator would see."""


class Refusal(NamedTuple):
    """A refused input: where, and why. `item` is -1 for a whole record."""

    topic: str
    partition: int
    offset: int
    item: int
    reason: str


READING_FIELDS = {
    "version", "accountId", "meterId", "readAt", "registerWh", "rateRegistersWh",
    "intervalSeconds", "intervalWh", "quality",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One reading that could be read; whether it counts is `oracle_usage`'s to say."""

    account_id: str
    meter_id: str
    read_at: int
    received_at: int
    register_wh: int | None
    rate_registers_wh: tuple[int, ...] | None
    interval_seconds: int
    interval_wh: int
    quality: str
    place: tuple[int, int, int]  # partition, offset, item


def seconds_of(text: Any) -> int:
    """Seconds since 1970 of an ISO instant with an offset."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return int(moment.timestamp())


def is_count(value: Any) -> bool:
    """A whole number from zero."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def read_reading(body: Any, record: LogRecord, item: int) -> Reading:
    """One reading from its JSON; Refused with the reason's name."""
    if not isinstance(body, dict):
        raise Refused("wrong_shape")
    if body.get("version") != 1:
        raise Refused("unknown_version" if is_count(body.get("version")) else "wrong_shape")
    has_register, has_interval = "registerWh" in body, "intervalSeconds" in body
    numbers = [body[n] for n in ("registerWh", "intervalSeconds", "intervalWh") if n in body]
    numbers += body.get("rateRegistersWh", [])
    names_are_texts = all(isinstance(body.get(n), str) for n in ("accountId", "meterId", "readAt"))
    if (
        set(body) - READING_FIELDS
        or not names_are_texts
        or not all(is_count(number) for number in numbers)
        or not (has_register or has_interval)
        or has_interval != ("intervalWh" in body)
    ):
        raise Refused("wrong_shape")
    if item < 0 and record.key != body["accountId"]:
        raise Refused("key_mismatch")
    try:
        read_at = seconds_of(body["readAt"])
    except ValueError as error:
        raise Refused("wrong_shape") from error
    rates = body.get("rateRegistersWh")
    return Reading(
        body["accountId"], body["meterId"], read_at, record.at, body.get("registerWh"),
        tuple(rates) if rates is not None else None, body.get("intervalSeconds", 0),
        body.get("intervalWh", 0), body.get("quality", "0.0"),
        (record.partition, record.offset, item),
    )  # fmt: skip
