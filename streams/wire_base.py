"""How are money, instants, ids and refusals written in a Kafka record?

These are the words all records share, kept apart so that the files that tell one kind of record
each (`wire_readings`, `wire_events`, `wire_effects`) can be read alone; `wire` shows them together.
It knows no topic's shape.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Protocol, TypeVar

import msgspec

from scoring.effects import Reason
from scoring.units import NANOS_PER_UNIT, NO_TIME, NotExact, instant_text, nanos
from streams.topics import REFUSALS, partition_of

VERSION: Final = 1
"""The version every JSON record states; another one is refused by name, never guessed at."""

MAX_RECORD_BYTES = 1_048_576
"""Kafka's own default for one record batch: larger values reach us only by a changed broker."""

MAX_ORIGINAL_BYTES = 65_536
"""Bytes of a refused record that its refusal repeats: enough to see what it is, and a refusal
always fits into a record itself.  The whole original stands at the named offset."""

MAX_KEY_BYTES = 256
"""Of the original's key: four times the longest that means anything.  Each refused item of a list
repeats it, so a huge one would come out ten thousand times."""

MAX_DETAIL_CHARACTERS = 500

MAX_WH = 10**15
"""Largest energy or register on the wire: 1 PWh, more than a country uses in a month."""

EARLIEST_AT = 946_684_800
LATEST_AT = 4_102_444_800
"""Instants on the wire lie in 2000 to 2099; outside is a broken clock or a wrong unit."""

ID_FORM = r"^[^\s:\x00-\x1f\x7f]{1,64}$"
"""Account, meter, payment, command and notice ids: 1 to 64 visible characters without the colon,
which separates the parts of an effect id."""

Id = Annotated[str, msgspec.Meta(pattern=ID_FORM)]
Text = Annotated[str, msgspec.Meta(max_length=1_000)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Money = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,10}(\.[0-9]{1,9})?$")]
EffectId = Annotated[str, msgspec.Meta(max_length=200)]

BROKEN_BATCH = b"\0broken checksum: "
"""Begins what stands for a batch of records that is not as it was written (`streams.records`)."""

NOT_READABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""All that msgspec raises on any bytes whatever."""


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True, gc=False):
    """What every JSON record is: strict, because an unknown field is a misspelt one."""

    version: int


class Record(Protocol):
    """What is used of a Kafka client's record; aiokafka's and kafka-python's both fit."""

    @property
    def topic(self) -> str:
        """Where it was read."""

    @property
    def partition(self) -> int:
        """Of that topic."""

    @property
    def offset(self) -> int:
        """Position in its partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970 UTC, as stamped by the broker or the producer."""

    @property
    def key(self) -> bytes | None:
        """The account, or nothing."""

    @property
    def value(self) -> bytes | None:
        """What happened; None takes a key of a compacted topic back."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A record to be sent: logical topic, key and value."""

    topic: str
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """An input that was not taken: why by name, and where to find it.

    `item` is the position inside a list of readings, -1 if the record is no list or is refused as a
    whole; `original` the bytes as they came, of the record or of that item.
    """

    reason: Reason
    topic: str
    partition: int
    offset: int
    item: int
    detail: str
    key: bytes | None
    original: bytes | None
    received_at: int


class Refused(Exception):  # noqa: N818 - a named refusal, not a program error
    """Inside a decoder: this record is not taken. Never leaves this package."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def refusal_of(
    record: Record, reason: Reason, detail: str = "", item: int = -1, original: bytes | None = None
) -> Refusal:
    """The refusal of a record, or of one item of its list (then `original` is the item's bytes)."""
    return Refusal(
        reason,
        record.topic,
        record.partition,
        record.offset,
        item,
        detail[:MAX_DETAIL_CHARACTERS],
        record.key,
        record.value if item < 0 else original,
        received_at(record),
    )


def received_at(record: Record) -> int:
    """When the broker (or in a simulation the producer) stamped the record, in seconds."""
    return max(record.timestamp // 1000, NO_TIME)


def refusal_id(refusal: Refusal) -> str:
    """The id of a refusal, made from its cause: refusing twice is the same refusal."""
    place = f"{refusal.topic}:{refusal.partition}:{refusal.offset}"
    return place if refusal.item < 0 else f"{place}:{refusal.item}"


def encode_refusal(refusal: Refusal) -> Encoded:
    """A refusal as the record for the `refusals` topic, under the original's key."""
    original = refusal.original
    body = {
        "version": VERSION,
        "refusalId": refusal_id(refusal),
        "reason": refusal.reason.value,
        "detail": refusal.detail,
        "topic": refusal.topic,
        "partition": refusal.partition,
        "offset": refusal.offset,
        "item": None if refusal.item < 0 else refusal.item,
        "receivedAt": time_text(refusal.received_at),
        "originalBytes": None if original is None else len(original),
        "original": None
        if original is None
        else base64.b64encode(original[:MAX_ORIGINAL_BYTES]).decode(),
    }
    key = None if refusal.key is None else refusal.key[:MAX_KEY_BYTES]
    return Encoded(REFUSALS, key, msgspec.json.encode(body))


class RefusalBody(Body):
    """A record of `refusals`."""

    refusal_id: str
    reason: Reason
    detail: str
    topic: str
    partition: int
    offset: int
    item: int | None
    received_at: Instant | None
    original_bytes: int | None
    original: str | None


_refusal_decoder = msgspec.json.Decoder(RefusalBody)


def decode_refusal(value: bytes) -> RefusalBody:
    """A record of `refusals`, as tools and tests read it. Raises msgspec.MsgspecError."""
    return _refusal_decoder.decode(value)


def refuse_unreadable(error: Exception, value: bytes) -> Refused:
    """The named reason why msgspec did not take a value."""
    detail = f"{error}"[:MAX_DETAIL_CHARACTERS]
    if value.startswith(BROKEN_BATCH):
        lost = value.removeprefix(BROKEN_BATCH).decode(errors="replace")
        return Refused(Reason.BROKEN_CHECKSUM, lost[:MAX_DETAIL_CHARACTERS])
    if not isinstance(error, msgspec.ValidationError):
        return Refused(Reason.NOT_JSON, detail)
    version = stated_version(value)
    if version is not None and version != VERSION:
        return Refused(Reason.UNKNOWN_VERSION, f"version {version}; this program reads {VERSION}")
    if "`int` >=" in detail or "`int` <=" in detail or "out of range" in detail:
        return Refused(Reason.AMOUNT_OUT_OF_RANGE, detail)
    return Refused(Reason.WRONG_SHAPE, detail)


class _AnyVersion(msgspec.Struct):
    version: int


_version_decoder = msgspec.json.Decoder(_AnyVersion)


def stated_version(value: bytes) -> int | None:
    """The version a JSON object states, None where there is none to be found."""
    try:
        return _version_decoder.decode(value).version
    except NOT_READABLE:
        return None


def check_size(record: Record) -> bytes:
    """The record's value; Refused when there is none or it is too large."""
    value = record.value
    if value is None:
        raise Refused(Reason.WRONG_SHAPE, "no value; a tombstone means nothing on this topic")
    if len(value) > MAX_RECORD_BYTES:
        raise Refused(Reason.TOO_LARGE, f"{len(value)} bytes, limit {MAX_RECORD_BYTES}")
    return value


def check_key(record: Record, account_id: str, partitions: int) -> None:
    """Refused unless the record is keyed by its account and stands in that key's partition."""
    key = account_id.encode()
    if record.key != key:
        raise Refused(Reason.KEY_MISMATCH, f"key {record.key!r} is not the account {account_id}")
    wanted = partition_of(key, partitions)
    if wanted != record.partition:
        raise Refused(
            Reason.WRONG_PARTITION,
            f"in partition {record.partition}, murmur2 of the key says {wanted} of {partitions}; "
            "librdkafka producers need partitioner=murmur2_random",
        )


B = TypeVar("B", bound=Body)


def read(decoder: msgspec.json.Decoder[B], record: Record) -> B:
    """The record's body; Refused when it is not of the decoder's shape and our version."""
    value = check_size(record)
    try:
        body = decoder.decode(value)
    except NOT_READABLE as error:
        raise refuse_unreadable(error, value) from error
    if body.version != VERSION:
        raise Refused(Reason.UNKNOWN_VERSION, f"version {body.version}; expected {VERSION}")
    return body


def account_of(record: Record, account_id: str, partitions: int) -> tuple[str, int, int]:
    """The first three fields of every account's event; Refused if the key says otherwise."""
    check_key(record, account_id, partitions)
    return account_id, record.offset, received_at(record)


def seconds_of(at: datetime, name: str) -> int:
    """Whole seconds of an instant; Refused outside the years that make sense."""
    seconds = int(at.timestamp() // 1)
    if not EARLIEST_AT <= seconds < LATEST_AT:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, f"{name} {at.isoformat()} is not in 2000 to 2099")
    return seconds


def nanos_of(amount: str, name: str) -> int:
    """Money written as a decimal, in nanos; Refused beyond what an account can hold."""
    try:
        return nanos(amount)
    except NotExact as error:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, f"{name}: {error}") from error


def decimal_text(amount_nanos: int) -> str:
    """Money as an exact decimal with at least two places.

    >>> decimal_text(100_000_000_000), decimal_text(-5), decimal_text(1_234_567_800)
    ('100.00', '-0.000000005', '1.2345678')
    """
    sign, size = ("-" if amount_nanos < 0 else ""), abs(int(amount_nanos))
    whole, part = divmod(size, NANOS_PER_UNIT)
    cents, rest = divmod(part, NANOS_PER_UNIT // 100)
    if not rest:
        return f"{sign}{whole}.{cents:02d}"
    return f"{sign}{whole}.{f'{part:09d}'.rstrip('0')}"


def nanos_from_text(amount: str) -> int:
    """The inverse of `decimal_text`.

    >>> nanos_from_text("-0.000000005")
    -5
    """
    return int(Decimal(amount).scaleb(9))


def time_text(at: int) -> str | None:
    """An instant in UTC as ISO 8601; None for "never"."""
    return None if at == NO_TIME else instant_text(at)


def to_json(body: Any) -> bytes:
    """The record bytes of a body: UTF-8 JSON, fields in the order written."""
    return msgspec.json.encode(body)
