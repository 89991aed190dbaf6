"""What a history promises on whatever database; `test_history` and `services/` name databases.

Records are those that the wire writes; a crash is an exception in the middle of a transaction.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, inspect, select, text

from api.history import KINDS, CursorUnreadable, History, WrittenByAnother
from api.history_tables import (
    DAYS,
    METADATA,
    POSITIONS,
    TOLD,
    UNREADABLE,
    engine_of,
    is_current,
    migrate,
)
from scoring.effects import AccountForecast, DailyUsage, Decision, Effect, LowBalanceWarning, Tier
from scoring.units import instant
from streams import topics, wire
from streams.log import PlainRecord
from tests.test_wire_effects import EFFECTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOON = instant("2026-07-01T12:00:00+08:00")
DAY = 86_400


def effects_of(account: str, at: int = NOON) -> list[Effect]:
    """One of each kind that is kept, an hour apart, the finished day first."""
    first: dict[type[Effect], Effect] = {}
    for each in EFFECTS:
        first.setdefault(type(each), each)
    kept = [each for kind, each in first.items() if kind is not AccountForecast]
    kept.sort(key=lambda each: not isinstance(each, DailyUsage))
    return [
        replace(
            each,
            effect_id=each.effect_id.replace(each.account_id, account),
            account_id=account,
            decided_at=at + hour * 3600,
        )
        for hour, each in enumerate(kept)
    ]


def one(effects: Sequence[Effect], kind: type[Effect]) -> Effect:
    """The effect of this type."""
    (found,) = [each for each in effects if type(each) is kind]
    return found


class Topics:
    """The effect topics as a broker keeps them: records get the next offset of their topic."""

    def __init__(self) -> None:
        self.records: list[PlainRecord] = []
        self._next: dict[str, int] = {}

    def tell(self, *effects: Effect) -> None:
        for effect in effects:
            said = wire.encode_effect(effect)
            self.put(said.topic, said.value)

    def put(self, topic: str, value: bytes | None) -> None:
        offset = self._next.get(topic, 0)
        self._next[topic] = offset + 1
        self.records.append(PlainRecord(topic, 0, offset, NOON * 1000, b"home-1", value))


def moves(records: Sequence[PlainRecord]) -> dict[tuple[str, int], tuple[int, int]]:
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for each in records:
        began_at, _ = found.get((each.topic, each.partition), (each.offset, 0))
        found[each.topic, each.partition] = began_at, each.offset + 1
    return found


def take(history: History, records: Sequence[PlainRecord]) -> Any:
    return history.take(records, moves(records))


def rows(history: History, table: Any) -> list[Any]:
    with history.engine.connect() as connection:
        return list(connection.execute(select(table)).all())


class HistoryCases:
    """The cases; a subclass gives a fixture `url`, of an empty database for each test."""

    @pytest.fixture
    def history(self, url: str) -> Iterator[History]:
        engine = engine_of(url)
        migrate(engine)
        yield History(engine)
        engine.dispose()

    def test_every_kind_comes_back_to_the_letter_newest_first(self, history: History) -> None:
        log = Topics()
        log.tell(*effects_of("home-1"), *effects_of("home-2"))
        kept = take(history, log.records)
        assert kept.rows == dict.fromkeys(KINDS, 2)
        assert (kept.unreadable, kept.conflicts) == (0, ())
        said, after = history.page("home-1", None, 100, None)
        assert after is None
        wanted = [wire.encode_effect(each) for each in reversed(effects_of("home-1"))]
        assert [(each.kind, each.body.encode()) for each in said] == [
            (each.topic, each.value) for each in wanted
        ]
        assert {each.kind for each in said} == set(KINDS)

    def test_a_day_has_columns_in_whole_units(self, history: History) -> None:
        log = Topics()
        day = one(effects_of("home-1"), DailyUsage)
        assert isinstance(day, DailyUsage)
        day = replace(day, charge_nanos=6_560_000_001, owed_nanos=5)
        log.tell(day)
        take(history, log.records)
        (row,) = rows(history, DAYS)
        assert (row.local_date, row.used_wh, row.estimated_wh) == ("2026-07-01", 12_000, 40)
        assert (row.charge_nanos, row.owed_nanos) == (6_560_000_001, 5)
        assert row.bill_nanos == day.evidence.bill_nanos
        assert row.available_nanos == day.evidence.available_nanos < 0
        assert (row.tariff_id, row.decided_at) == ("t", NOON)

    def test_a_large_customers_day_keeps_all_it_tells(self, history: History) -> None:
        plain, large = (each for each in EFFECTS if isinstance(each, DailyUsage))
        assert plain.large is None
        assert large.large is not None
        log = Topics()
        log.tell(plain, large)
        assert take(history, log.records).rows == {topics.DAILY_USAGE: 2}
        said, _after = history.page(large.account_id, topics.DAILY_USAGE, 9, None)
        assert [each.body.encode() for each in said] == [log.records[1].value, log.records[0].value]
        read = wire.decode_effect(topics.DAILY_USAGE, said[0].body.encode())
        assert read == large
        with history.engine.connect() as connection:
            found = connection.execute(
                text("select body -> 'large' ->> 'overdue' from days order by local_date")
            ).scalars()
            assert list(found) == [None, "0.000000005"]

    def test_the_database_itself_can_look_into_a_body(self, history: History) -> None:
        log = Topics()
        log.tell(*effects_of("home-1"))
        take(history, log.records)
        with history.engine.connect() as connection:
            found = connection.execute(
                text("select body ->> 'amountDue' from told where kind = :kind"),
                {"kind": topics.DISCONNECTION_NOTICES},
            ).scalar_one()
        assert found == "123.456789012"

    def test_a_repeat_changes_nothing(self, history: History) -> None:
        log = Topics()
        log.tell(*effects_of("home-1"))
        log.tell(*effects_of("home-1"))
        take(history, log.records[:5])
        before = rows(history, TOLD)
        kept = take(history, log.records[5:])
        assert sum(kept.rows.values()) == len(KINDS) - 5  # the other five were known
        assert not kept.conflicts
        assert rows(history, TOLD)[: len(before)] == before
        assert len(rows(history, TOLD)) == len(KINDS) - 1

    def test_one_id_with_two_bodies_is_told_and_the_first_stays(self, history: History) -> None:
        first = one(effects_of("home-1"), LowBalanceWarning)
        other = replace(first, tier=Tier.LOWEST)  # type: ignore[call-arg]
        log = Topics()
        log.tell(first, other)
        assert take(history, log.records[:1]).conflicts == ()
        assert take(history, log.records[1:]).conflicts == (first.effect_id,)
        log.tell(first, other)
        assert take(history, log.records[2:]).conflicts == (first.effect_id,), "within a batch"
        (said,) = history.page("home-1", None, 9, None)[0]
        assert said.body.encode() == log.records[0].value

    def test_a_crash_keeps_neither_rows_nor_offsets(
        self, history: History, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = Topics()
        log.tell(*effects_of("home-1"))
        take(history, log.records[:3])
        place, before = history.positions(), rows(history, TOLD)

        def crash(*_arguments: object) -> None:
            raise KeyboardInterrupt

        for step in ("_move", "_write"):
            real = getattr(history, step)

            def half(*arguments: Any, real: Any = real) -> None:
                real(*arguments)
                crash()

            with monkeypatch.context() as patched:
                patched.setattr(history, step, half)
                with pytest.raises(KeyboardInterrupt):
                    take(history, log.records[3:])
            assert (history.positions(), rows(history, TOLD)) == (place, before)
        take(history, log.records[3:])
        assert len(rows(history, TOLD)) == len(KINDS) - 1
        assert history.positions() == {(topic, 0): 1 for topic in KINDS}

    def test_however_it_is_cut_each_thing_is_kept_once(self, history: History) -> None:
        log = Topics()
        for number in range(5):
            log.tell(*effects_of(f"home-{number}"))
        for cut in range(0, len(log.records), 4):
            take(history, log.records[cut : cut + 4])
        told = [each.effect_id for each in (*rows(history, TOLD), *rows(history, DAYS))]
        assert sorted(told) == sorted(
            each.effect_id for number in range(5) for each in effects_of(f"home-{number}")
        )

    def test_a_second_writer_is_stopped(self, history: History) -> None:
        log = Topics()
        warnings = [effects_of(f"home-{number}")[1] for number in range(3)]
        log.tell(*warnings)
        take(history, log.records[:1])
        take(history, log.records[1:2])
        with pytest.raises(WrittenByAnother, match="run one"):
            take(history, log.records[1:])
        assert len(rows(history, TOLD)) == 2

    def test_strange_records_are_kept_apart_with_their_bytes(self, history: History) -> None:
        log = Topics()
        nameless = b'{"effectId":"","accountId":"home-1","decidedAt":"2026-07-01T00:00:00Z"}'
        strange = [b"", b"{", b"[]", b"\xff\xfe", b'{"effectId": "a"}', None, nameless]
        for value in strange:
            log.put(topics.DECISIONS, value)
        log.put(topics.DAILY_USAGE, wire.encode_effect(effects_of("home-1")[1]).value)
        log.tell(effects_of("home-1")[1])
        kept = take(history, log.records)
        assert kept.unreadable == len(strange) + 1
        assert sum(kept.rows.values()) == 1
        found = {each.topic_offset: each for each in rows(history, UNREADABLE)
                 if each.topic == topics.DECISIONS}  # fmt: skip
        assert [found[place].original for place in range(len(strange))] == strange
        assert all(each.reason for each in found.values())

    def test_pages_by_cursor_leave_nothing_out_and_repeat_nothing(self, history: History) -> None:
        log = Topics()
        log.tell(*effects_of("home-1"))
        held = one(effects_of("home-1"), Decision)
        same_second = [replace(held, effect_id=f"home-1:held:{number}") for number in range(2, 12)]
        log.tell(*same_second)
        take(history, log.records)
        everything, _ = history.page("home-1", None, 100, None)
        assert len(everything) == len(KINDS) + 10
        paged, after = [], None
        while True:
            page, after = history.page("home-1", None, 3, after)
            paged += page
            assert len(page) == 3 or after is None
            if after is None:
                break
        assert paged == everything
        assert [each.decided_at for each in paged] == sorted(
            (each.decided_at for each in paged), reverse=True
        )

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_kind_alone(self, history: History, kind: str) -> None:
        log = Topics()
        log.tell(*effects_of("home-1"), *effects_of("home-2"))
        take(history, log.records)
        (said,) = history.page("home-1", kind, 100, None)[0]
        assert said.kind == kind
        assert json.loads(said.body)["accountId"] == "home-1"

    @pytest.mark.parametrize(
        "after", ["", "x", "1", "~", "x~y", "1e9~y", "٣~y", "9" * 40 + "~y", "1~\x00"]
    )
    def test_a_made_up_cursor_is_named(self, history: History, after: str) -> None:
        with pytest.raises(CursorUnreadable):
            history.page("home-1", None, 10, after)

    @pytest.mark.parametrize("account", ["", "nobody", "\x00", "a\x00b", "' or 1=1 --", "户"])
    def test_nobody_has_no_history(self, history: History, account: str) -> None:
        assert history.page(account, None, 10, None) == ([], None)

    def test_what_is_older_than_it_is_kept_is_forgotten(self, history: History) -> None:
        log = Topics()
        for day in range(10):
            log.tell(*effects_of(f"home-{day}", NOON + day * DAY))
        take(history, log.records)
        newest = NOON + 9 * DAY + 8 * 3600
        assert history.forget(days=30, now=newest) == 0
        ahead = newest + 400 * DAY  # a clock a year ahead must not delete what is three days old
        forgotten = history.forget(days=3, now=ahead)
        left = {each.account_id for each in (*rows(history, TOLD), *rows(history, DAYS))}
        assert left == {f"home-{day}" for day in range(6, 10)}
        assert forgotten == 10 * len(KINDS) - len(rows(history, TOLD)) - len(rows(history, DAYS))
        assert history.positions() == {(topic, 0): 10 for topic in KINDS}

    def test_migrating_again_changes_nothing(self, history: History) -> None:
        log = Topics()
        log.tell(*effects_of("home-1"))
        take(history, log.records)
        migrate(history.engine)
        assert is_current(history.engine)
        assert len(rows(history, TOLD)) == len(KINDS) - 1

    def test_the_migrations_lead_to_the_tables_of_today(self, history: History) -> None:
        found = inspect(history.engine)
        for table in METADATA.tables.values():
            columns = {each["name"]: each for each in found.get_columns(table.name)}
            assert set(columns) == set(table.columns.keys())
            for column in table.columns:
                assert columns[column.name]["nullable"] == column.nullable, column
                wanted = column.type.compile(history.engine.dialect)
                assert columns[column.name]["type"].compile(history.engine.dialect) == wanted
            key = found.get_pk_constraint(table.name)["constrained_columns"]
            assert key == [column.name for column in table.primary_key]
            indexes = {each["name"]: each["column_names"] for each in found.get_indexes(table.name)}
            assert indexes == {each.name: each.columns.keys() for each in table.indexes}

    def test_a_database_without_tables_is_not_current(self, url: str) -> None:
        engine = create_engine(url)
        assert not is_current(engine)
        engine.dispose()

    def test_positions_of_an_empty_history_are_none(self, history: History) -> None:
        assert history.positions() == {}
        assert rows(history, POSITIONS) == []
