"""A file of real readings becomes meters: what is in it is sent, what is missing is not."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from scoring.units import instant
from simulator.replay import plan_replay, sheet_named
from simulator.table import FileWrong, read_table, zone_of
from streams import topics, wire

SAMPLE = Path("simulator/sample/homes_ca_8_weeks.parquet")
SHEET = sheet_named(None)


def written(path: Path, times: list, name: str = "start_utc", kwh: list | None = None) -> Path:
    values = kwh if kwh is not None else [1.0] * len(times)
    table = pa.table(
        {name: pa.array(times, pa.timestamp("s")), "a b": values, "c": [0.25] * len(times)}
    )
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path)
    return path


HOURS = [np.datetime64("2026-01-01T00:00", "s") + np.timedelta64(h, "h") for h in range(4)]


def sent(table, *, lists: bool = False, partitions: int = 3) -> list:
    replay = plan_replay(table, partitions, prefix="r-", tariff=SHEET, opening="5.00")
    return [r for _, records in replay.moments(lists=lists) for r in records]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_each_interval_is_read_at_its_end_in_whole_watt_hours(tmp_path: Path, suffix: str):
    path = written(tmp_path / f"t{suffix}", HOURS, kwh=[1.2345, 0.0, 2.0, 3.0])
    records = [r for r in sent(read_table(path, None)) if r.key == "r-a-b"]
    bodies = [json.loads(r.value) for r in records]
    assert [b["intervalWh"] for b in bodies] == [1234, 0, 2000, 3000]
    assert [b["readAt"] for b in bodies][:2] == ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]
    assert all(b["intervalSeconds"] == 3600 for b in bodies)


def test_missing_and_negative_values_are_not_sent(tmp_path: Path):
    path = written(tmp_path / "t.parquet", HOURS, kwh=[1.0, float("nan"), -2.0, 4.0])
    mine = [r for r in sent(read_table(path, None)) if r.key == "r-a-b"]
    assert [json.loads(r.value)["intervalWh"] for r in mine] == [1000, 4000]


def test_local_times_need_a_zone(tmp_path: Path):
    path = written(tmp_path / "t.parquet", HOURS, "start_local")
    with pytest.raises(FileWrong, match="start_local are local"):
        read_table(path, None)
    assert read_table(path, zone_of("+10:00")).starts_at[0] == instant("2026-01-01T00:00:00+10:00")


def test_the_hour_that_comes_twice_in_autumn_is_sent_twice(tmp_path: Path):
    night = [
        np.datetime64("2026-11-01T00:00", "s") + np.timedelta64(m, "h") for m in (0, 1, 1, 2, 3)
    ]
    path = written(tmp_path / "t.parquet", night, "start_local", kwh=[0.0, 1.0, 2.0, 3.0, 4.0])
    table = read_table(path, ZoneInfo("America/Los_Angeles"))
    assert table.interval_wh[:, 0].tolist() == [0, 1000, 2000, 3000, 4000]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            [np.datetime64("2026-01-01T00:00", "s"), np.datetime64("2026-01-01T00:07", "s")],
            "quarter-hours",
        ),
        ([np.datetime64("2026-01-01T00:00", "s")], "fewer than two"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_named(tmp_path: Path, times: list, message: str):
    with pytest.raises(FileWrong, match=message):
        read_table(written(tmp_path / "t.parquet", times), None)


def test_a_file_that_is_no_table_is_named(tmp_path: Path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"no table")
    with pytest.raises(FileWrong, match="neither Parquet nor CSV"):
        read_table(path, None)
    with pytest.raises(FileWrong, match="no file"):
        read_table(tmp_path / "none.parquet", None)


@pytest.mark.parametrize("lists", [False, True])
def test_the_shipped_sample_is_read_by_the_wire_whole(lists: bool):
    table = read_table(SAMPLE, ZoneInfo("America/Los_Angeles"))
    replay = plan_replay(table, 3, prefix="r-", tariff=SHEET, opening="5.00")
    book = book_of(replay)
    by_place = defaultdict(list)
    for record in sent(table, lists=lists):
        kept = by_place[record.topic, record.partition]
        kept.append(Kept(record, len(kept)))
    counted = 0
    for (topic, _), records in by_place.items():
        if topic == topics.READINGS:
            decoded = wire.decode_readings(records, book, 3)
            assert not decoded.refusals
            counted += len(decoded.readings)
        else:
            assert not any(isinstance(wire.decode_event(r, 3), wire.Refusal) for r in records)
    assert counted == int((table.interval_wh >= 0).sum()) > 10_000


def test_terms_and_money_come_first_and_the_tariff_is_valid_from_then():
    table = read_table(SAMPLE, ZoneInfo("America/Los_Angeles"))
    opening = plan_replay(table, 3, prefix="r-", tariff=SHEET, opening="5.00").opening_records()
    assert [r.topic for r in opening[:2]] == [topics.TARIFFS, topics.ACCOUNT_SETTINGS]
    sheet = json.loads(opening[0].value)
    assert instant(sheet["validFrom"] + "T00:00:00Z") < table.starts_at[0]
    for offset, record in enumerate(opening[1:]):
        assert not isinstance(wire.decode_event(Kept(record, offset), 3), wire.Refusal)
    assert {json.loads(r.value)["amount"] for r in opening if r.topic == topics.PAYMENTS} == {
        "5.00"
    }


def book_of(replay):
    from scoring.book import Book

    book = Book()
    for account in replay.accounts:
        book.add(account.account_id)
    return book


class Kept:
    def __init__(self, record, offset: int) -> None:
        self.topic, self.partition, self.offset = record.topic, record.partition, offset
        self.key = None if record.key is None else record.key.encode()
        self.value, self.timestamp = record.value, record.at * 1000
