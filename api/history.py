"""What has Kilowatch said about an account, and how is it kept exactly once?

Records of the effect topics come in batches; a batch and the offsets behind it go into the database
in one transaction, and what has the same effect id is the same thing, so neither a crash nor a
second telling writes anything twice.  Tables are in `history_tables`, the reading of Kafka in
`history_keeper`, the HTTP route in `past`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from sqlalchemy import delete, func, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from api.history_tables import AUDIT, DAYS, POSITIONS, TOLD, UNREADABLE
from streams.topics import ACCOUNT_FORECASTS, DAILY_USAGE, DECISIONS
from streams.wire import TOPIC_OF_EFFECT, nanos_from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Column, Connection, Engine, Table

    from streams.wire import Record

KINDS = tuple(topic for topic in TOPIC_OF_EFFECT.values() if topic != ACCOUNT_FORECASTS)
"""What is kept, by topic.  Forecasts are not: each replaces the one before."""

FORGET_ROWS = 10_000
"""Rows forgotten in one transaction: a fraction of a second, so that writing goes on."""

MAX_REASON_CHARACTERS = 500


class WrittenByAnother(RuntimeError):  # noqa: N818 - the operator reads it as a sentence
    """Somebody else has moved on in this database; two writers would both do all the work."""


class CursorUnreadable(ValueError):  # noqa: N818 - the caller reads it as a sentence
    """`after` was not written by this API."""


Money = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+\.[0-9]{2,9}$")]


class _Told(msgspec.Struct, rename="camel", gc=False):
    """What is looked for in any record; the rest stays in its text."""

    effect_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    account_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    decided_at: Annotated[datetime, msgspec.Meta(tz=True)]


class _DayTerms(msgspec.Struct, rename="camel", gc=False):
    bill: Money
    available: Money
    tariff_id: str


class _Day(_Told):
    """What is looked for in a closed day."""

    local_date: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
    used_wh: int
    estimated_wh: int
    charge: Money
    owed: Money
    evidence: _DayTerms


_told_decoder = msgspec.json.Decoder(_Told)
_day_decoder = msgspec.json.Decoder(_Day)


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of a batch: rows written by kind, the unreadable, and ids with a second body."""

    rows: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was said: `body` is the record's JSON to the letter."""

    kind: str
    effect_id: str
    decided_at: int
    partition: int
    offset: int
    body: str


def row_of(record: Record) -> dict[str, Any]:
    """The columns of a record.  Raises msgspec.MsgspecError or UnicodeError if it is not ours."""
    value = record.value or b""
    told = (_day_decoder if record.topic == DAILY_USAGE else _told_decoder).decode(value)
    row = {
        "effect_id": told.effect_id,
        "account_id": told.account_id,
        "kind": record.topic,
        "decided_at": int(told.decided_at.timestamp()),
        "topic_partition": record.partition,
        "topic_offset": record.offset,
        "body": value.decode(),
    }
    if isinstance(told, _Day):
        row |= {
            "local_date": told.local_date,
            "used_wh": told.used_wh,
            "estimated_wh": told.estimated_wh,
            "charge_nanos": nanos_from_text(told.charge),
            "owed_nanos": nanos_from_text(told.owed),
            "bill_nanos": nanos_from_text(told.evidence.bill),
            "available_nanos": nanos_from_text(told.evidence.available),
            "tariff_id": told.evidence.tariff_id,
        }
    return row


def insert_of(engine: Engine) -> Callable[[Table], Any]:
    """How this database inserts what it may have already."""
    return postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert


class History:
    """The history in one database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._insert = insert_of(engine)

    def positions(self) -> dict[tuple[str, int], int]:
        """Where to read on, by topic and partition; nothing was read of those not named."""
        with self.engine.connect() as connection:
            found = connection.execute(select(POSITIONS)).all()
        return {(each.topic, each.topic_partition): each.next_offset for each in found}

    def take(
        self, records: Sequence[Record], next_offsets: Mapping[tuple[str, int], tuple[int, int]]
    ) -> Kept:
        """Keep a batch and move on, both or neither.

        `next_offsets` says by topic and partition where this batch began to read and where to read
        on.  Raises WrittenByAnother if the database has another beginning.
        """
        told: dict[str, dict[str, Any]] = {}
        days: dict[str, dict[str, Any]] = {}
        strange, conflicts = [], []
        for record in records:
            try:
                row = row_of(record)
            except (msgspec.MsgspecError, UnicodeError) as error:
                strange.append(_unreadable(record, error))
                continue
            rows = days if record.topic == DAILY_USAGE else told
            if rows.setdefault(row["effect_id"], row)["body"] != row["body"]:
                conflicts.append(row["effect_id"])
        counted: Counter[str] = Counter()
        with self.engine.begin() as connection:
            self._move(connection, next_offsets)
            for table, rows in ((TOLD, told), (DAYS, days)):
                conflicts += self._write(connection, table, rows, counted)
            if strange:
                connection.execute(
                    self._insert(UNREADABLE).on_conflict_do_nothing(), strange
                )  # a record stands at one offset only
        return Kept(counted, len(strange), tuple(conflicts))

    def _move(
        self, connection: Connection, next_offsets: Mapping[tuple[str, int], tuple[int, int]]
    ) -> None:
        for (topic, partition), (began_at, next_offset) in next_offsets.items():
            here = (POSITIONS.c.topic == topic) & (POSITIONS.c.topic_partition == partition)
            moved = connection.execute(
                update(POSITIONS)
                .where(here & (POSITIONS.c.next_offset == began_at))
                .values(next_offset=next_offset)
            )
            if moved.rowcount:
                continue
            new = connection.execute(
                self._insert(POSITIONS).on_conflict_do_nothing().returning(POSITIONS.c.topic),
                [{"topic": topic, "topic_partition": partition, "next_offset": next_offset}],
            ).all()
            if not new:
                raise WrittenByAnother(
                    f"the history of {topic} partition {partition} is no longer at {began_at}: "
                    "another `kilowatch history` writes the same database; run one"
                )

    def _write(
        self,
        connection: Connection,
        table: Table,
        rows: Mapping[str, dict[str, Any]],
        counted: Counter[str],
    ) -> list[str]:
        """Write what is new; the ids of which the database has another body (the first stays)."""
        if not rows:
            return []
        wanted = self._insert(table).on_conflict_do_nothing().returning(table.c.effect_id)
        written = set(connection.execute(wanted, list(rows.values())).scalars())
        counted.update(rows[effect_id]["kind"] for effect_id in written)
        again = [effect_id for effect_id in rows if effect_id not in written]
        if not again:
            return []
        there = select(table.c.effect_id, table.c.body).where(table.c.effect_id.in_(again))
        found = connection.execute(there).all()
        return [each.effect_id for each in found if each.body != rows[each.effect_id]["body"]]

    def page(
        self, account_id: str, kind: str | None, limit: int, after: str | None
    ) -> tuple[list[Said], str | None]:
        """What was said about an account, newest first, and the `after` of the next page.

        `kind` is one of KINDS, None for all.  Raises CursorUnreadable.
        """
        if "\x00" in account_id:  # no account has such a name, and PostgreSQL takes no such text
            return [], None
        tables = [DAYS] if kind == DAILY_USAGE else [TOLD] if kind else [TOLD, DAYS]
        parts = [_of_account(each, account_id, kind, limit + 1, after) for each in tables]
        ordered = (parts[0].union_all(*parts[1:]) if parts[1:] else parts[0]).subquery()
        newest = ordered.select().order_by(ordered.c.decided_at.desc(), ordered.c.effect_id.desc())
        with self.engine.connect() as connection:
            found = connection.execute(newest.limit(limit + 1)).all()
        said = [
            Said(
                each.kind, each.effect_id, each.decided_at, each.topic_partition,
                each.topic_offset, each.body,
            )
            for each in found[:limit]
        ]  # fmt: skip
        last = said[-1] if len(found) > limit else None
        return said, None if last is None else f"{last.decided_at}~{last.effect_id}"

    def links(self, account_id: str, partition: int) -> tuple[list[bytes], int]:
        """The account's records of `decisions` in their order, and the offset up to which they are.

        The offset is asked first: what is kept meanwhile is read again from the topic.
        """
        end = self.positions().get((DECISIONS, partition), 0)
        kept = (
            select(TOLD.c.body)
            .where((TOLD.c.account_id == account_id) & (TOLD.c.kind == DECISIONS))
            .where((TOLD.c.topic_partition == partition) & (TOLD.c.topic_offset < end))
            .order_by(TOLD.c.topic_offset)
        )
        with self.engine.connect() as connection:
            return [body.encode() for body in connection.execute(kept).scalars()], end

    def forget(self, days: int, now: int) -> int:
        """Delete what was said or noted more than `days` days before `now`; how many rows.

        `now` is at most the newest instant in the history, so that a clock that runs ahead deletes
        nothing early.
        """
        forgotten = 0
        kept = (
            (TOLD.c.effect_id, TOLD.c.decided_at),
            (DAYS.c.effect_id, DAYS.c.decided_at),
            (AUDIT.c.event_id, AUDIT.c.noted_at),
        )
        for key, at in kept:
            while (some := self._forget_some(key, at, days, now)) > 0:
                forgotten += some
        return forgotten

    def _forget_some(self, key: Column[Any], at: Column[Any], days: int, now: int) -> int:
        with self.engine.begin() as connection:
            newest = connection.execute(select(func.max(at))).scalar()
            horizon = min(now, newest or 0) - days * 86_400
            old = select(key).where(at < horizon).limit(FORGET_ROWS)
            return connection.execute(delete(key.table).where(key.in_(old))).rowcount


def _of_account(
    table: Table, account_id: str, kind: str | None, limit: int, after: str | None
) -> Any:
    common = [table.c[column.name] for column in TOLD.columns]
    wanted: Any = select(*common).where(table.c.account_id == account_id)
    if kind is not None:
        wanted = wanted.where(table.c.kind == kind)
    if after is not None:
        decided_at, effect_id = read_after(after)
        place = tuple_(table.c.decided_at, table.c.effect_id)
        wanted = wanted.where(place < tuple_(literal(decided_at), literal(effect_id)))
    wanted = wanted.order_by(table.c.decided_at.desc(), table.c.effect_id.desc()).limit(limit)
    return wanted.subquery().select()  # ordered and limited before parts are united


def read_after(after: str) -> tuple[int, str]:
    """Instant and id behind which a page begins.  Raises CursorUnreadable."""
    seconds, tilde, effect_id = after.partition("~")
    is_instant = seconds.removeprefix("-").isascii() and seconds.removeprefix("-").isdigit()
    if not (tilde and is_instant and len(seconds) <= 12) or "\x00" in effect_id:
        raise CursorUnreadable(f"{after[:80]!r} is not an `after` of a history")
    return int(seconds), effect_id


def _unreadable(record: Record, error: Exception) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "topic_partition": record.partition,
        "topic_offset": record.offset,
        "reason": f"{error}"[:MAX_REASON_CHARACTERS],
        "original": record.value,
    }


def bodies(said: Iterable[Said]) -> list[dict[str, Any]]:
    """As the API writes them: the body stays as it was told."""
    return [
        {
            "kind": each.kind,
            "effectId": each.effect_id,
            "source": {"partition": each.partition, "offset": each.offset},
            "body": msgspec.Raw(each.body.encode()),
        }
        for each in said
    ]
