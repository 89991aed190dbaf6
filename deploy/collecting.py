"""What must collectors do today, and how did the month go?

`kilowatch collection`: work items with deadlines, the day's review (日点评) from the register, and
the month's appraisal (月考核) with its fair comparison from a file of accounts, as a table, CSV or
PDF.  The rules are `scoring.collection`'s, `scoring.kpis`' and `scoring.benchmark`'s.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from api.appraisal_words import appraisal_body, appraisal_csv, appraisal_rows
from api.letter_words import sender
from api.papers import printed
from deploy.desk import Deeds, desk_of, rows_of
from scoring import benchmark, collection
from scoring.collection import Task
from scoring.kpis import AccountMonth
from scoring.units import instant_text
from streams.settings import settings_from
from streams.wire_customers import fact_from

if TYPE_CHECKING:
    import argparse
    from zoneinfo import ZoneInfo

EXAMPLES = """examples:
  kilowatch collection list                           all open work, the most urgent first
  kilowatch collection ask mill-1 visit --about "file stale" --to c-017
  kilowatch collection close 'mill-1@visit@file stale' --by c-017 --outcome "seen, running"
  kilowatch collection review --day 2026-07-06        the day's review
  kilowatch collection appraise --month 2026-07 --csv out.csv --pdf july.pdf    from the stream
  kilowatch collection appraise july.csv              the same of figures from elsewhere

july.csv has a line for each account of the month with the columns
  accountId,collector,grade,sector,size,billed,received,advance,oldArrears,oldReceived,
  daysPastDue,dunningHours,isPrepaid,trips,wrongfulTrips,restoreSeconds,carriedOver
Money as decimals; restoreSeconds as 600;1200. Only the first seven columns must be there;
a file needs no Kafka."""

MONEY = ("billed", "received", "advance", "oldArrears", "oldReceived", "carriedOver")
TEXTS = ("accountId", "collector", "grade", "sector", "size")


def main(arguments: list[str]) -> int:
    """Do one deed; 0 done, 1 refused with a sentence that says why."""
    return _deeds().carry_out(arguments)


def listing(options: argparse.Namespace) -> int:
    """Open work."""
    desk = desk_of(options)
    table = Table(title="open work")
    for heading in ("work", "collector", "due", ""):
        table.add_column(heading)
    for one in desk.register.work():
        if one.is_open:
            late = "late" if one.is_late(desk.now) else ""
            table.add_row(one.work_id, one.collector, instant_text(one.due_at, desk.zone), late)
    Console().print(table)
    return 0


def ask(options: argparse.Namespace) -> int:
    """A new item."""
    desk = desk_of(options)
    one = collection.ask(options.account, options.task, options.about, options.to, desk.now)
    if one.work_id in {each.work_id for each in desk.register.work()}:
        raise ValueError(f"{one.work_id} is there already")
    desk.write([one])
    print(f"{one.work_id} due {instant_text(one.due_at, desk.zone)}")
    return 0


def close(options: argparse.Namespace) -> int:
    """An item with what became of it."""
    desk = desk_of(options)
    for one in desk.register.work():
        if one.work_id == options.work:
            desk.write([collection.close(one, options.by, options.outcome, desk.now)])
            return 0
    raise ValueError(f"there is no work {options.work!r}; `kilowatch collection list` names all")


def review(options: argparse.Namespace) -> int:
    """The day's review."""
    desk = desk_of(options)
    begins, ends = day_of(options.day or desk.today, desk.zone)
    table = Table(title=f"review of {options.day or desk.today}")
    for heading in ("collector", "opened", "due", "in time", "late", "open", "overdue"):
        table.add_column(heading)
    for one in collection.review(desk.register.work(), begins, ends):
        figures = (one.opened, one.due, one.closed_in_time, one.closed_late, one.open_now)
        table.add_row(one.collector, *map(str, figures), str(one.overdue))
    Console().print(table)
    return 0


def day_of(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """A local day's first second and the next one's."""
    begins = datetime(day.year, day.month, day.day, tzinfo=zone)
    after = day + timedelta(days=1)
    ends = datetime(after.year, after.month, after.day, tzinfo=zone)
    return int(begins.timestamp()), int(ends.timestamp())


def appraise(options: argparse.Namespace) -> int:
    """The month's appraisal, as the stream told it or of a file."""
    if options.file is None:
        register = desk_of(options).register
        known = register.appraised_months()
        month = options.month or (known[0] if known else "")
        found = register.appraised(month)
        if not found:
            raise ValueError(f"no appraisal of {month or 'a month'}: start `kilowatch customers`")
    else:
        month, months = options.month or options.file.stem, months_of(options.file)
        found = benchmark.appraise(months, 0, date.min)
    rows = appraisal_rows(found)
    if options.csv:
        options.csv.write_text(appraisal_csv(found), "utf-8", newline="")
    if options.pdf:
        body = appraisal_body(found, month, options.utility)
        options.pdf.write_bytes(printed("appraisal.typ", body, 0, settings_from().fonts))
    table = Table(title=f"{month}: {found[0].kpis.accounts} accounts")
    shown = ("collector", "accounts", "billed", "received", "expected", "lead", "verdict")
    for heading in shown:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(str(row[name]) for name in shown))
    Console().print(table)
    return 0


def months_of(path: Path) -> list[AccountMonth]:
    """The accounts of a file.  Raises ValueError naming line and field."""
    found = []
    for where, row in rows_of(path):
        seconds = str(row.pop("restoreSeconds", ""))
        plain = row | {name: str(row[name]) for name in (*MONEY, *TEXTS) if name in row}
        try:
            plain["restoreSeconds"] = [int(each) for each in seconds.split(";") if each]
            if "dunningHours" in plain:
                plain["dunningHours"] = float(plain["dunningHours"])
            found.append(fact_from(AccountMonth, plain))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return found


def _deeds() -> Deeds:
    deeds = Deeds(
        "kilowatch collection",
        "Collectors' work, the day's review and the month's appraisal.",
        EXAMPLES,
        at_desk=False,
    )
    deeds.add("list", listing, "all open work")
    one = deeds.add("ask", ask, "ask a collector to do something")
    one.add_argument("account")
    one.add_argument("task", type=Task, choices=list(Task))
    one.add_argument("--about", required=True, help="what it comes from")
    one.add_argument("--to", default="", help="staff number; else the duty desk")
    one = deeds.add("close", close, "say what became of a piece of work")
    one.add_argument("work")
    one.add_argument("--by", required=True)
    one.add_argument("--outcome", required=True)
    one = deeds.add("review", review, "the day's review")
    one.add_argument("--day", type=date.fromisoformat, help="local day; else today")
    one = deeds.add("appraise", appraise, "the month's appraisal, collectors compared fairly")
    one.add_argument("file", type=Path, nargs="?", help="CSV; else what the stream has told")
    one.add_argument("--csv", type=Path)
    one.add_argument("--pdf", type=Path)
    one.add_argument(
        "--month", default="", help="e.g. 2026-07; else the newest, or the file's name"
    )
    one.add_argument("--utility", default=sender().utility)
    return deeds
