"""Which prices of the market do the workers go by?

`kilowatch prices check` says whether a file holds whole days of prices for a dynamic tariff;
`publish` writes them to the `tariffs` topic, a record a day; `resend` sends the readings again that
were refused because their price was not known yet.  Files are read in `deploy.market_files`.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.bills import tariffs_from
from deploy.market_files import market_days
from scoring.effects import Reason
from simulator.table import FileWrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.market_files import MarketDay
    from streams.wire_base import Encoded

EXAMPLES = """FILE is CSV or Parquet with a column of times and a column `price` per kWh:
  time,price
  2026-04-01 00:00,0.0812
  2026-04-01 01:00,-0.0040
Times are local to the sheet's zone, unless they have an offset (+02:00, Z) or their column's name
ends in utc.  Days must be whole: 23 or 25 hours where the clock is changed; the hour that comes
twice in autumn stands in the file twice.

examples:
  kilowatch prices check april.csv --tariff day-ahead.yaml        needs no Kafka
  kilowatch prices publish april.csv --tariff day-ahead.yaml      to KILOWATCH_BOOTSTRAP
  kilowatch prices publish exchange.csv --tariff day-ahead.yaml --per-mwh
  kilowatch prices resend             readings refused as price_missing, once their day is there

A day is published before its readings come.  What was counted keeps the price it was counted at:
--replace changes later readings only, and what it makes of bills is stated on `payments` as an
adjustment for each account."""

COULD_NOT = 1
THE_PARTITION = 0
"""Tariffs belong to no partition of accounts: everybody reads them all."""


def main(arguments: list[str]) -> int:
    """Do what was asked; 0 done, 1 refused with a sentence."""
    options = _parser().parse_args(arguments)
    if options.deed == "resend":
        return _resend()
    if options.file is None or options.tariff is None:
        print(f"kilowatch prices {options.deed}: give FILE and --tariff SHEET", file=sys.stderr)
        return COULD_NOT
    try:
        tariffs, tariff_id = tariffs_from(options.tariff, options.tariff_id)
        days = market_days(options.file, tariffs, tariff_id, per_mwh=options.per_mwh)
    except FileWrong as error:
        print(f"kilowatch prices: {error}", file=sys.stderr)
        return COULD_NOT
    if options.deed == "publish":
        return _publish(days, options.replace)
    every = [float(price) for day in days for price in day.prices_per_kwh]
    print(
        f"{len(days)} whole day(s) of {tariff_id}, {days[0].day} to {days[-1].day}, "
        f"{min(every):g} to {max(every):g} {tariffs.currency(tariffs.ids.index(tariff_id))} a kWh"
    )
    return 0


def _publish(days: Sequence[MarketDay], replace: bool) -> int:
    """Write the days that are new; refuse those published otherwise, unless told to replace."""
    from simulator.link import read_all, write_all
    from simulator.messages import as_input
    from streams.settings import settings_from
    from streams.topics import TARIFFS
    from streams.wire_inputs import encode_prices

    bootstrap = settings_from().bootstrap
    published = {record.key: record.value for record in read_all(bootstrap, [TARIFFS])}
    tariff_id = days[0].tariff_id
    sheets = [k for k, v in published.items() if v and k and k.startswith(f"{tariff_id}@".encode())]
    if not any(not key.endswith(b":prices") for key in sheets):
        print(
            f"no sheet of {tariff_id} is published: `kilowatch tariffs publish` first",
            file=sys.stderr,
        )
        return COULD_NOT
    new: list[Encoded] = []
    changed: list[tuple[MarketDay, Encoded]] = []
    for day in days:
        encoded = encode_prices(day.tariff_id, day.day, day.prices_per_kwh)
        before = published.get(encoded.key)
        if not before:
            new.append(encoded)
        elif json.loads(before) != json.loads(encoded.value or b""):
            changed.append((day, encoded))
    if changed and not replace:
        named = ", ".join(str(day.day) for day, _ in changed[:5])
        print(
            f"{len(changed)} day(s) were published otherwise ({named}); nothing published.  What "
            "was counted keeps its price: say --replace for what comes, and state the difference "
            "on payments as an adjustment for each account",
            file=sys.stderr,
        )
        return COULD_NOT
    now, wanted = int(time.time()), [*new, *(one for _, one in changed)]
    write_all(bootstrap, [as_input(encoded, THE_PARTITION, now) for encoded in wanted])
    print(
        f"{len(new)} day(s) new, {len(changed)} replaced, "
        f"{len(days) - len(new) - len(changed)} as before"
    )
    return 0


def _resend() -> int:
    """Write the readings that were refused for want of a price to their topic again.

    One that was sent again meanwhile is a repeat, which changes nothing; one whose price is still
    not known is refused again.
    """
    from simulator.link import Writer, read_all
    from simulator.messages import Input
    from streams.settings import settings_from
    from streams.topics import READINGS, REFUSALS, partition_of
    from streams.wire_base import decode_refusal

    bootstrap = settings_from().bootstrap
    waiting: dict[bytes, None] = {}
    for record in read_all(bootstrap, [REFUSALS]):
        refusal = decode_refusal(record.value or b"")
        if refusal.reason is Reason.PRICE_MISSING and refusal.topic == READINGS:
            waiting[base64.b64decode(refusal.original or "")] = None
    if not waiting:
        print("no reading was refused for want of a price")
        return 0
    writer = Writer(bootstrap)
    partitions, now = writer.partitions(READINGS), int(time.time())
    for value in waiting:
        account_id = str(json.loads(value)["accountId"])
        place = partition_of(account_id.encode(), partitions)
        writer.write(Input(READINGS, place, account_id, value, now))
    writer.flush()
    writer.close()
    print(f"{len(waiting)} reading(s) sent again")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kilowatch prices",
        description="Check or publish the market prices of a dynamic tariff.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("deed", choices=["check", "publish", "resend"])
    add("file", nargs="?", type=Path, metavar="FILE", help="times and prices")
    add("--tariff", metavar="SHEET", help="whose prices: sheet file, directory or shipped id")
    add("--tariff-id", help="which tariff, where a file or directory holds several")
    add("--per-mwh", action="store_true", help="prices are per MWh, as exchanges publish them")
    add("--replace", action="store_true", help="also days that were published otherwise")
    return parser
