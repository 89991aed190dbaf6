"""How does a file of real readings become meters that report to Kilowatch?

`kilowatch replay FILE` takes a wide table (Parquet or CSV, one column of kWh per customer, one row
per interval) and sends it as those customers' interval meters, with terms, tariff and an opening
payment for each, at full speed or a multiple of real time.  A missing value is a reading that never
came.  Nothing is invented or mended here: what is wrong in the file meets Kilowatch's own rules.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scoring.units import instant_text
from simulator import messages
from simulator.link import LinkBroken, Writer, wait_until_known
from simulator.messages import Input
from simulator.meters import compact
from simulator.sheets import shipped_sheets
from simulator.table import FileWrong, Table, TimesLocal, read_table, zone_of
from streams import topics
from streams.settings import settings_from
from streams.topics import ensure_topics, partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR_SECONDS = 3_600
ARRIVES_AFTER_SECONDS = 60
POWER_MARGIN = 1.5
"""A connection is rated for so many times the busiest interval in the file."""

LARGE_POWER_W = 100_000
BUSINESS_POWER_W = 15_000

EXAMPLES = """examples:
  kilowatch replay simulator/sample/homes_ca_8_weeks.parquet
  kilowatch replay meters.parquet --speed 3600          an hour in a second
  kilowatch replay homes.csv --tz +10:00 --opening 250  local standard time, 250.00 paid in advance
  kilowatch replay big.parquet --lists                  one record per moment and partition: faster

The worker must take the producer's time and leave ticks to the replay:
  KILOWATCH_TIMESTAMPS=producer KILOWATCH_TICKS=outside KILOWATCH_HOLIDAYS=none kilowatch worker
"""


@dataclass(frozen=True, slots=True)
class Account:
    """One column of the file as a customer of Kilowatch."""

    account_id: str
    partition: int
    max_power_w: int
    customer_class: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A table with the accounts and the tariff it is sent under."""

    table: Table
    accounts: list[Account]
    tariff: dict[str, Any]
    opening: str
    partitions: int
    tick_seconds: int = HOUR_SECONDS

    def opening_records(self) -> list[Input]:
        """Tariff, terms and an opening payment for each customer, at the first instant."""
        at = int(self.table.starts_at[0])
        sent = [messages.tariff(self.tariff, at)]
        for account in self.accounts:
            key, partition = account.account_id, account.partition
            terms = self._terms(account, at)
            sent.append(Input(topics.ACCOUNT_SETTINGS, partition, key, compact(terms), at))
        for account in self.accounts:
            paid = {
                "version": 1,
                "accountId": account.account_id,
                "paymentId": "opening",
                "amount": self.opening,
                "paidAt": instant_text(at),
            }
            key, partition = account.account_id, account.partition
            sent.append(Input(topics.PAYMENTS, partition, key, compact(paid), at))
        return sent

    def _terms(self, account: Account, at: int) -> dict[str, Any]:
        return {
            "version": 1,
            "accountId": account.account_id,
            "settingsVersion": 1,
            "customerClass": account.customer_class,
            "paymentMode": "prepaid",
            "tariffId": self.tariff["tariffId"],
            "maxPowerW": account.max_power_w,
            "meter": {"meterId": f"m-{account.account_id}", "installedAt": instant_text(at)},
            "warningDays": [7, 3, 1],
        }

    def moments(self, *, lists: bool) -> Iterator[tuple[int, list[Input]]]:
        """(instant, records) of each interval's end, in order; with heartbeat and tick at the end.

        `lists` puts all customers of one moment and partition into one record.
        """
        interval_wh, seconds = self.table.interval_wh, self.table.interval_seconds
        next_tick = int(self.table.starts_at[0])
        for row, starts_at in enumerate(self.table.starts_at.tolist()):
            read_at = starts_at + seconds
            at = read_at + ARRIVES_AFTER_SECONDS
            sent = self._readings(interval_wh[row].tolist(), read_at, at, lists=lists)
            if at >= next_tick:
                for partition in range(self.partitions):
                    sent += [messages.heartbeat(partition, at), messages.tick(partition, at)]
                next_tick = at + self.tick_seconds
            yield at, sent

    def _readings(self, energies: list[int], read_at: int, at: int, *, lists: bool) -> list[Input]:
        text, seconds = instant_text(read_at), self.table.interval_seconds
        single = [
            Input(
                topics.READINGS,
                account.partition,
                account.account_id,
                b'{"version":1,"accountId":"%s","meterId":"m-%s","readAt":"%s",'
                b'"intervalSeconds":%d,"intervalWh":%d}'
                % (name := account.account_id.encode(), name, text.encode(), seconds, energy),
                at,
            )
            for account, energy in zip(self.accounts, energies, strict=True)
            if energy >= 0
        ]
        if not lists:
            return single
        together: dict[int, list[Input]] = {}
        for one in single:
            together.setdefault(one.partition, []).append(one)
        return [
            some[0]._replace(value=b"[" + b",".join(one.value for one in some) + b"]")
            for some in together.values()
        ]


def plan_replay(
    table: Table, partitions: int, *, prefix: str, tariff: dict[str, Any], opening: str
) -> Replay:
    """Accounts and a tariff for these customers.

    The sheet is made valid from the month of the first reading, under a name of its own, because
    real data are older than the sample sheets.
    """
    first = datetime.fromtimestamp(int(table.starts_at[0]), UTC) - timedelta(days=1)
    sheet = tariff | {
        "tariffId": f"replay-{tariff['tariffId']}"[:24],
        "validFrom": f"{first.year}-{first.month:02d}-01",
    }
    peak_w = np.nanmax(np.where(table.kwh < 0, np.nan, table.kwh), axis=0, initial=0.0)
    peak_w = peak_w * 3_600_000 / table.interval_seconds
    accounts = []
    for customer, peak in zip(table.customers, peak_w.tolist(), strict=True):
        name = f"{prefix}{re.sub(r'[^A-Za-z0-9_.-]', '-', customer)}"[:60]
        power_w = max(1_000, int(np.ceil(peak * POWER_MARGIN / 1000)) * 1000)
        large = "large" if power_w > LARGE_POWER_W else "business"
        kind = large if power_w > BUSINESS_POWER_W else "resident"
        accounts.append(Account(name, partition_of(name.encode(), partitions), power_w, kind))
    if len({account.account_id for account in accounts}) < len(accounts):
        raise FileWrong("two columns have the same name")
    return Replay(table, accounts, sheet, opening, partitions)


def send(replay: Replay, writer: Writer, speed: float, *, lists: bool, console: Console) -> int:
    """Send all readings; how many that was."""
    started, first = time.monotonic(), int(replay.table.starts_at[0])
    count = 0
    known = replay.table.interval_wh >= 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("replaying", total=int(known.sum()))
        for row, (at, records) in enumerate(replay.moments(lists=lists)):
            if speed:
                wait = (at - first) / speed - (time.monotonic() - started)
                if wait > 0:
                    time.sleep(wait)
            for record in records:
                writer.write(record)
            count += int(known[row].sum())
            if row % 64 == 0:
                writer.check()
                progress.update(task, completed=count, description=instant_text(at))
        writer.flush()
        progress.update(task, completed=count)
    return count


def parser() -> argparse.ArgumentParser:
    """The options of `kilowatch replay`."""
    options = argparse.ArgumentParser(
        prog="kilowatch replay",
        description=__doc__.split("\n\n")[1],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("file", type=Path, help="wide Parquet or CSV: one column of kWh per customer")
    add(
        "--speed",
        type=float,
        default=0.0,
        help="multiple of real time; 0 is as fast as Kafka takes it (default 0)",
    )
    add(
        "--tz",
        type=zone_of,
        default=None,
        help="zone of local times: UTC, +10:00, America/Los_Angeles (default: the tariff's)",
    )
    add("--time-column", help="name of the column of interval starts (default: the only time)")
    add("--tariff", default=None, help="id of a sample sheet (default: the first)")
    add("--opening", default="100.00", help="opening payment of each customer (default 100.00)")
    add("--prefix", default="replay-", help="put before each column's name to make an account id")
    add(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="wait until a worker has entered the accounts (default: yes)",
    )
    add("--lists", action="store_true", help="one record per moment and partition")
    return options


def sheet_named(tariff_id: str | None) -> dict[str, Any]:
    """A sample sheet by its id, the first for None."""
    sheets = {sheet["tariffId"]: sheet for sheet in shipped_sheets()}
    wanted = tariff_id or next(iter(sheets))
    if wanted not in sheets:
        raise FileWrong(f"no sample sheet {wanted!r}; there are {', '.join(sheets)}")
    return sheets[wanted]


def _read_as_asked(options: argparse.Namespace, sheet: dict[str, Any], console: Console) -> Table:
    try:
        return read_table(options.file, options.tz, options.time_column)
    except TimesLocal as local:
        console.print(f"{local}; taken as {sheet['zone']}, the zone of {sheet['tariffId']}")
        return read_table(options.file, ZoneInfo(sheet["zone"]), options.time_column)


def main(argv: list[str] | None = None) -> int:
    """`kilowatch replay FILE`: 0 when every reading is acknowledged."""
    options = parser().parse_args(argv)
    settings = settings_from()
    console = Console(stderr=True)
    try:
        sheet = sheet_named(options.tariff)
        table = _read_as_asked(options, sheet, console)
        replay = plan_replay(
            table,
            settings.partitions,
            prefix=options.prefix,
            tariff=sheet,
            opening=options.opening,
        )
        asyncio.run(ensure_topics(settings))
        writer = Writer(settings.bootstrap)
        for record in replay.opening_records():
            writer.write(record)
        writer.flush()
        if options.wait:
            wait_until_known(settings.bootstrap, [a.account_id for a in replay.accounts])
        started = time.monotonic()
        count = send(replay, writer, options.speed, lists=options.lists, console=console)
        writer.close()
    except (FileWrong, LinkBroken) as error:
        print(f"kilowatch replay: {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    console.print(
        f"{count:,} readings of {len(replay.accounts)} customers in {seconds:.1f} s "
        f"({count / seconds:,.0f}/s) to {settings.bootstrap}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
