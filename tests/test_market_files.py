"""Does a file of market prices hold whole local days, and do workers read what was published?"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet
import pytest

from deploy.broker import EmbeddedBroker
from deploy.cli import main
from scoring.effects import Reason
from simulator.link import Reader, Writer
from simulator.messages import Input
from streams.settings import settings_from
from streams.tariff_desk import TariffDesk
from streams.topics import READINGS, REFUSALS, TARIFFS, ensure_topics
from streams.wire_base import Refusal, encode_refusal
from streams.wire_inputs import encode_reading

SHEET = """\
tariffId: day-ahead
currency: EUR
zone: Europe/Berlin
validFrom: 2026-01-01
ratePeriods: [{name: grid, pricePerKwh: 0.15}]
dynamic: hourly
"""
BERLIN = ZoneInfo("Europe/Berlin")


def hours(day: str, count: int) -> list[datetime]:
    first = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=BERLIN).astimezone(UTC)
    return [first + timedelta(hours=n) for n in range(count)]


def rows(times: list[datetime], price: str = "0.0812", zone=BERLIN) -> str:
    return "".join(f"{at.astimezone(zone):%Y-%m-%d %H:%M},{price}\n" for at in times)


@pytest.fixture
def prices(tmp_path, capsys):
    """Runs `kilowatch prices`: status and what it said."""
    (tmp_path / "sheet.yaml").write_text(SHEET, "utf-8")

    def run(deed, content, *more, name="prices.csv"):
        if isinstance(content, str):
            (tmp_path / name).write_text(content, "utf-8")
        else:
            pyarrow.parquet.write_table(content, tmp_path / name)
        sheet = ["--tariff", str(tmp_path / "sheet.yaml")]
        status = main(["prices", deed, str(tmp_path / name), *sheet, *more])
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


HEAD = "time,price\n"


@pytest.mark.parametrize(
    ("content", "more", "told"),
    [
        (
            HEAD + rows(hours("2026-04-01", 48), "-0.004"),
            (),
            "2 whole day(s) of day-ahead, 2026-04-",
        ),
        (HEAD + rows(hours("2026-03-29", 23)), (), "1 whole day(s) of day-ahead, 2026-03-29"),
        (HEAD + rows(hours("2026-10-25", 25)), (), "1 whole day(s) of day-ahead, 2026-10-25"),
        (HEAD + rows(hours("2026-04-01", 24)[::-1]), (), "1 whole day(s)"),
        (
            "start_utc,price\n" + rows(hours("2026-04-01", 24), zone=UTC),
            (),
            "2026-04-01 to 2026-04-01",
        ),
        ("Zeit;price\n" + rows(hours("2026-04-01", 24)).replace(",", ";"), (), "1 whole day(s)"),
        (
            HEAD + rows(hours("2026-04-01", 24), "81.23"),
            ("--per-mwh",),
            "0.08123 to 0.08123 EUR a kWh",
        ),
        (
            pa.table(
                {
                    "at": pa.array(hours("2026-04-01", 24), pa.timestamp("s", "UTC")),
                    "price": ["0.08123456789"] * 24,
                }
            ),
            (),
            "0.0812346 to",
        ),
    ],
)
def test_whole_days_are_right(prices, content, more, told):
    name = "prices.csv" if isinstance(content, str) else "prices.parquet"
    status, said = prices("check", content, *more, name=name)
    assert (status, told in said) == (0, True), said


WHOLE = hours("2026-04-01", 24)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (rows([*WHOLE[:5], *WHOLE[7:]]), "2 of them missing, the first of 2026-04-01 05:00+02:00"),
        (rows([*WHOLE, WHOLE[3]]), "2026-04-01 03:00+02:00 has two prices"),
        (rows(WHOLE[:13]), "2026-04-01 of day-ahead has 24 hourly prices, 11 of them missing"),
        (rows(WHOLE, zone=ZoneInfo("Asia/Shanghai")), "2026-04-01 of day-ahead has 24 hourly"),
        (rows(hours("2026-10-25", 24)), "2026-10-25 of day-ahead has 25 hourly prices, 1 of them"),
        (
            "".join(f"2026-10-25 {n:02d}:00,1\n" for n in range(24)),
            (
                "2026-10-25 of day-ahead has 25 hourly prices, 1 of them missing, the first of "
                "2026-10-25 02:00+01:00"
            ),
        ),
        (
            "".join(f"2026-03-29 {n:02d}:00,1\n" for n in range(24)),
            "2026-03-29 03:00+02:00 has two prices (in spring a wall clock skips an hour",
        ),
        (
            "".join(f"2026-04-01 {n // 2:02d}:{n % 2 * 30:02d},1\n" for n in range(48)),
            "has 24 hourly prices; none begins at 2026-04-01 00:30+02:00",
        ),
        (rows(WHOLE, "cheap"), "row 2: 'cheap' is not a number"),
        (rows(WHOLE, ""), "row 2: '' is not a number"),
        (rows(WHOLE, "2000000"), "row 2: 2000000 is out of range"),
        (rows(hours("2025-04-01", 24)), "no sheet of day-ahead is in force on 2025-04-01"),
        ("yesterday,1\n", "write times as 2026-04-01 00:00"),
    ],
)
def test_what_is_no_whole_day_is_refused_by_the_day_and_hour(prices, content, told):
    status, said = prices("check", HEAD + content)
    assert (status, told in said) == (1, True), said


def test_a_tariff_without_market_prices_gets_none(prices, tmp_path):
    status, said = prices("check", HEAD + rows(WHOLE), "--tariff", "cn-sd-residential")
    assert status == 1
    assert "cn-sd-residential has no prices of the market" in said
    assert main(["prices", "publish"]) == 1


@pytest.mark.broker
def test_days_are_published_once_and_what_waited_is_sent_again(prices, tmp_path, monkeypatch):
    (tmp_path / "broker").mkdir()
    with EmbeddedBroker(tmp_path / "broker") as broker:
        monkeypatch.setenv("KILOWATCH_BOOTSTRAP", broker.bootstrap)
        asyncio.run(ensure_topics(settings_from()))
        days = HEAD + rows(hours("2026-03-29", 23 + 24), "0.0812")

        status, said = prices("publish", days)
        assert (status, "`kilowatch tariffs publish` first" in said) == (1, True)
        assert main(["tariffs", "publish", str(tmp_path / "sheet.yaml")]) == 0
        assert prices("publish", days) == (
            0,
            "1 new, 0 replaced, 0 as before\n2 day(s) new, 0 replaced, 0 as before\n",
        )
        assert prices("publish", days) == (0, "0 day(s) new, 0 replaced, 2 as before\n")
        dearer = days.replace("2026-03-30 00:00,0.0812", "2026-03-30 00:00,0.0900")
        status, said = prices("publish", dearer)
        assert status == 1
        assert "1 day(s) were published otherwise (2026-03-30); nothing published" in said
        assert (
            prices("publish", dearer, "--replace")[1] == "0 day(s) new, 1 replaced, 1 as before\n"
        )

        desk, reader = TariffDesk(), Reader(broker.bootstrap, [TARIFFS])
        assert desk.take(list(reader.read_to_end())) == []
        reader.close()
        (market,) = desk.tariffs.market.values()
        at = [int(hours("2026-03-30", 2)[n].timestamp()) // 900 for n in (0, 1)]
        assert [int(market.at(slot)) for slot in at] == [90_000_000_000, 81_200_000_000]

        waiting = encode_reading("home-1", "m-1", at[0] * 900, interval_seconds=3600, interval_wh=5)
        writer = Writer(broker.bootstrap)
        for reason, value in ((Reason.PRICE_MISSING, waiting), (Reason.UNKNOWN_ACCOUNT, b"{}")):
            refusal = Refusal(reason, READINGS, 0, 7, -1, "", b"home-1", value, at[0] * 900)
            writer.write(Input(REFUSALS, 0, "home-1", encode_refusal(refusal).value, at[0]))
        writer.flush()
        assert main(["prices", "resend"]) == 0
        reader = Reader(broker.bootstrap, [READINGS])
        (sent,) = reader.read_to_end()
        reader.close()
        writer.close()
        assert (sent.key, json.loads(sent.value)) == (b"home-1", json.loads(waiting))


def test_the_day_in_the_file_is_the_local_day(prices):
    content = "start_utc,price\n" + rows(hours("2026-04-01", 24), zone=UTC)
    assert date(2026, 4, 1).isoformat() in prices("check", content)[1]
    partly = "start_utc,price\n" + "".join(f"2026-04-01 {n:02d}:00,1\n" for n in range(24))
    status, said = prices("check", partly)
    assert status == 1  # a day of UTC is no day of Berlin
    assert "2 of them missing, the first of 2026-04-01 00:00+02:00" in said
