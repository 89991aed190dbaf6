"""How are files, policies, contracts, letters and work of customers written on their topics?

One record per fact of `scoring`, whole each time and keyed by its own id, so that a compacted topic
is the register.  Field names are camelCase, money (`..._nanos`) decimal text, instants (`..._at`)
ISO 8601, days ISO dates.  Reading is strict: an unknown field is a misspelt one, and whatever bytes
come, the answer is a fact or a named refusal.  What the facts mean is told in the files of
`scoring` that hold them.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

import scoring.benchmark
import scoring.collection
import scoring.contracts
import scoring.customer_file
import scoring.events
import scoring.kpis
import scoring.letters
import scoring.policy
import scoring.policy_terms
from scoring.benchmark import Appraised
from scoring.collection import Work
from scoring.contracts import Contract
from scoring.customer_file import CustomerFile
from scoring.effects import Reason
from scoring.letters import Served
from scoring.policy import Policy
from scoring.units import NO_TIME, NotExact, instant_text, nanos
from streams import topics
from streams.wire_base import (
    NOT_READABLE,
    VERSION,
    Encoded,
    Record,
    Refusal,
    Refused,
    check_size,
    decimal_text,
    refusal_of,
    refuse_unreadable,
    to_json,
)

Fact = CustomerFile | Policy | Contract | Served | Work | Appraised

TYPE_OF_TOPIC: dict[str, type[Any]] = {
    topics.CUSTOMER_FILES: CustomerFile,
    topics.CUSTOMER_POLICIES: Policy,
    topics.CUSTOMER_CONTRACTS: Contract,
    topics.CUSTOMER_LETTERS: Served,
    topics.COLLECTION_WORK: Work,
    topics.APPRAISALS: Appraised,
}
TOPIC_OF_TYPE = {kind: topic for topic, kind in TYPE_OF_TOPIC.items()}

F = TypeVar("F")


def key_of(fact: Fact) -> str:
    """The key under which a fact is kept."""
    match fact:
        case CustomerFile():
            return fact.file_id
        case Policy():
            return fact.policy_id
        case Contract():
            return f"{fact.account_id}@{fact.contract_id}"
        case Served():
            return fact.letter_id
        case Work():
            return fact.work_id
        case Appraised():
            return fact.appraisal_id


def encode_fact(fact: Fact) -> Encoded:
    """The record that states a fact."""
    value = to_json({"version": VERSION, "fact": _plain(fact)})
    return Encoded(TOPIC_OF_TYPE[type(fact)], key_of(fact).encode(), value)


def decode_fact(record: Record) -> Fact | Refusal:
    """The fact in a record of these topics, or why it is refused."""
    try:
        return _decode(record)
    except Refused as refused:
        return refusal_of(record, refused.reason, refused.detail)


def plain_fact(fact: Any) -> dict[str, Any]:
    """A fact as its record tells it, for whoever answers with it."""
    body: dict[str, Any] = _plain(fact)
    return body


def fact_from(kind: type[F], body: dict[str, Any]) -> F:
    """A fact from a plain body as written, e.g. of a file.  Raises ValueError naming the field."""
    try:
        fact: F = _typed(kind, body, kind.__name__)
    except Refused as refused:
        raise ValueError(refused.detail) from refused
    return fact


_decoder = msgspec.json.Decoder(dict[str, Any])


def _decode(record: Record) -> Fact:
    value = check_size(record)
    try:
        body = _decoder.decode(value)
    except NOT_READABLE as error:
        raise refuse_unreadable(error, value) from error
    if body.get("version") != VERSION:
        raise Refused(Reason.UNKNOWN_VERSION, f"version is not {VERSION}")
    if set(body) != {"version", "fact"}:
        raise Refused(Reason.WRONG_SHAPE, "has other fields than version and fact")
    fact: Fact = _typed(TYPE_OF_TOPIC[record.topic], body["fact"], "fact")
    if record.key != key_of(fact).encode():
        raise Refused(Reason.KEY_MISMATCH, f"key {record.key!r} is not {key_of(fact)}")
    return fact


# --- writing -------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {
            _written(each.name): _plain_field(each.name, getattr(value, each.name))
            for each in fields(value)
        }
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def _plain_field(name: str, value: Any) -> Any:
    if name.endswith("_nanos"):
        return decimal_text(value)
    if name.endswith("_at"):
        return None if value == NO_TIME else instant_text(value)
    return _plain(value)


@lru_cache(maxsize=512)
def _written(name: str) -> str:
    """A field's name on the wire.

    >>> _written("mean_day_nanos"), _written("drafted_at")
    ('meanDay', 'draftedAt')
    """
    first, *rest = name.removesuffix("_nanos").split("_")
    return first + "".join(map(str.capitalize, rest))


# --- reading -------------------------------------------------------------------------------------

_NAMES = {
    name: value
    for module in (
        scoring.benchmark, scoring.collection, scoring.contracts, scoring.customer_file,
        scoring.events, scoring.kpis, scoring.letters, scoring.policy, scoring.policy_terms,
    )
    for name, value in vars(module).items()
} | {"date": date}  # fmt: skip
"""What the annotations of the facts may name: some are known there to the type checker alone."""


_hints_of: dict[type[Any], dict[str, Any]] = {}


def _hints(kind: type[Any]) -> dict[str, Any]:
    if kind not in _hints_of:
        _hints_of[kind] = get_type_hints(kind, _NAMES)
    return _hints_of[kind]


def _typed(kind: type[Any], body: Any, where: str) -> Any:
    if not isinstance(body, dict):
        raise Refused(Reason.WRONG_SHAPE, f"{where} is no object")
    known = {_written(each.name): each for each in fields(kind)}
    unknown = sorted(map(str, set(body) - set(known)))
    if unknown:
        raise Refused(Reason.WRONG_SHAPE, f"{where}: unknown field {unknown[0]}")
    found: dict[str, Any] = {}
    for written, each in known.items():
        if written in body:
            hint = _hints(kind)[each.name]
            found[each.name] = _typed_field(each.name, hint, body[written], f"{where}.{written}")
        elif each.default is MISSING:
            raise Refused(Reason.WRONG_SHAPE, f"{where}: {written} is missing")
    try:
        return kind(**found)
    except ValueError as error:  # the fact contradicts itself and says how
        raise Refused(Reason.WRONG_SHAPE, f"{where}: {error}") from error


def _typed_field(name: str, hint: Any, value: Any, where: str) -> Any:
    try:
        if name.endswith("_nanos") and isinstance(value, str):
            return nanos(value)
        if name.endswith("_at") and (value is None or isinstance(value, str)):
            return NO_TIME if value is None else _instant(value)
        return _typed_value(hint, value, where)
    except NotExact as error:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, f"{where}: {error}") from error
    except NOT_READABLE as error:
        raise Refused(Reason.WRONG_SHAPE, f"{where}: {error}") from error


def _typed_value(hint: Any, value: Any, where: str) -> Any:
    options = [each for each in get_args(hint) if each is not NoneType]
    if isinstance(hint, UnionType) and len(options) == 1:
        return None if value is None else _typed_value(options[0], value, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return _typed(hint, value, where)
    if get_origin(hint) is tuple and options and is_dataclass(options[0]):
        if not isinstance(value, list):
            raise Refused(Reason.WRONG_SHAPE, f"{where} is no list")
        if Ellipsis not in options and len(value) != len(options):
            raise Refused(Reason.WRONG_SHAPE, f"{where} has not {len(options)} items")
        return tuple(
            _typed_value(options[0], each, f"{where}[{number}]")
            for number, each in enumerate(value)
        )
    return msgspec.convert(value, hint)


def _instant(text: str) -> int:
    at = msgspec.convert(text, datetime)
    if at.tzinfo is None:
        raise msgspec.ValidationError("an instant names its offset from UTC")
    return int(at.astimezone(UTC).timestamp() // 1)
