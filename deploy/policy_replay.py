"""Whom would another policy have warned or cut?

`kilowatch replay-policy RULES [FILE]` lives through what was recorded twice, with the code of the
stream and without Kafka: once under the rules in force, once under those of a YAML file, and tells
side by side who would have been warned, cut, and cut wrongly.  What is recorded is read from the
topics, from a file of their records (one JSON object a line: topic, timestamp in milliseconds, key,
value), or from a wide table of readings as `kilowatch replay` takes it.

The past answered other commands than these, so a paper field answers in its place: each notice is
proven delivered and each command carried out within the step.  Time is ticked each step and the
payments feed is taken as up to date.  A cut is wrong if money that had been paid by then is
recorded only later and would have sufficed, or if a guard of the policy in force would have held it
at that moment.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.recorded import from_lines, from_table, from_topics
from deploy.replay_rules import RulesWrong, rules_from
from scoring.effects import DisconnectionNotice, RestoreCommand, TripCommand
from scoring.events import (
    CustomerClass,
    NoticeDelivered,
    PaymentKind,
    PaymentReceived,
    Switch,
    SwitchReported,
)
from scoring.rules import weather_hold, window_hold
from scoring.situation import CUSTOMER_CLASSES, hold_names, zone_named
from scoring.units import SECONDS_PER_HOUR
from simulator.link import LinkBroken
from simulator.table import FileWrong, zone_of
from streams import topics, wire
from streams.clerk import Clerk, Terms
from streams.log import Fetched, PlainRecord
from streams.settings import settings_from, supply_rules
from streams.tariff_desk import TariffDesk
from streams.weather_desk import WeatherDesk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scoring.rules import SupplyRules

STEP_SECONDS = 1_800
"""Records are entered by the half hour: as long as a notice must be known before a trip."""

SHOWN = 20
"""Names shown of each kind; --json has all."""

ANSWERED = (topics.SWITCH_REPORTS, topics.DELIVERY_RECEIPTS, topics.TICKS)
"""Recorded answers to what was said then; the paper field answers instead."""


class ReplayFailed(ValueError):  # noqa: N818 - the operator reads it as a sentence
    """Scoring failed on an account, which was then cut by nobody: no answer to the question."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One trip of the replay, and why it was wrong ("" it was not)."""

    account_id: str
    at: str
    available: str
    wrong: str = ""


@dataclass(slots=True)
class Lived:
    """What one policy did."""

    warned: set[str] = field(default_factory=set)
    noticed: set[str] = field(default_factory=set)
    cuts: list[Cut] = field(default_factory=list)
    restored: set[str] = field(default_factory=set)
    off_since: dict[str, int] = field(default_factory=dict)
    off_seconds: int = 0  # of those who were given back
    now: int = 0

    @property
    def off_hours(self) -> int:
        """Hours without supply, of all accounts together, up to the end of what was recorded."""
        still = sum(self.now - since for since in self.off_since.values())
        return round((self.off_seconds + still) / SECONDS_PER_HOUR)

    def first_cuts(self) -> dict[str, datetime]:
        """When each account was first cut."""
        return {cut.account_id: datetime.fromisoformat(cut.at) for cut in reversed(self.cuts)}

    def report(self) -> dict[str, Any]:
        """In figures and names."""
        return {
            "hoursWithoutSupply": self.off_hours,
            "warned": sorted(self.warned),
            "noticed": sorted(self.noticed),
            "cut": sorted({cut.account_id for cut in self.cuts}),
            "restored": sorted(self.restored),
            "cuts": [asdict(cut) for cut in self.cuts],
            "cutWrongly": [asdict(cut) for cut in self.cuts if cut.wrong],
        }


class PaperRun:
    """One policy living through the records, half hour by half hour."""

    def __init__(self, rules: SupplyRules, in_force: SupplyRules, desk: TariffDesk) -> None:
        self.lived = Lived()
        self._in_force = in_force
        self._terms = Terms(desk.tariffs, rules, 1)
        self._clerk = Clerk(0, self._terms)
        self._skies = WeatherDesk()
        self._clerk.claimed(0)
        self._clerk.recalled({})
        self._offsets: dict[str, int] = defaultdict(int)
        self._answers: list[tuple[str, bytes, bytes]] = []
        self._later_paid: dict[str, list[tuple[int, int, int]]] = {}

    def knowing(self, payments: dict[str, list[tuple[int, int, int]]]) -> PaperRun:
        """All payments (recorded at, paid at, nanos) of each account, by which cuts are judged."""
        self._later_paid = payments
        return self

    def step(self, until: int, records: Sequence[PlainRecord]) -> None:
        """What was recorded up to an instant and a tick, then the paper field's answers."""
        self._skies.take([r for r in records if r.topic == topics.MORATORIA])
        self._terms.weather = self._skies.weather
        self.lived.now = until
        said = [
            (r.topic, r.key, r.value, r.timestamp) for r in records if r.topic != topics.MORATORIA
        ]
        beat, tick = wire.encode_heartbeat(until), wire.encode_tick(until)
        clock = [(each.topic, None, each.value, until * 1000) for each in (beat, tick)]
        self._enter([*said, *clock])
        while self._answers:
            answers, self._answers = self._answers, []
            self._enter([(topic, key, value, until * 1000) for topic, key, value in answers])

    def _enter(self, said: Sequence[tuple[str, bytes | None, bytes | None, int]]) -> None:
        fetched = Fetched()
        for topic, key, value, stamp in said:
            offset = self._offsets[topic]
            self._offsets[topic] = offset + 1
            record = PlainRecord(topic, 0, offset, stamp, key, value)
            fetched.records.setdefault(topics.SOURCE_OF_TOPIC[topic], []).append(record)  # type: ignore[attr-defined]
        if not fetched.records:
            return
        entry = self._clerk.enter(fetched, payments_caught_up=True)
        if entry.tally.quarantined:
            raise ReplayFailed(
                f"scoring failed on {entry.tally.quarantined} accounts by"
                f" {wire.time_text(self.lived.now)}, so they are in quarantine and not cut;"
                " what would be told is not what the policy does"
            )
        for topic, messages in entry.told.items():
            for _key, value in messages:
                assert value is not None
                self._hear(topic, value)

    def _hear(self, topic: str, value: bytes) -> None:
        if topic == topics.LOW_BALANCE_WARNINGS:
            warned = wire.decode_effect(topic, value)
            if json.loads(value)["tier"] != "normal":
                self.lived.warned.add(warned.account_id)
        elif topic in (topics.DISCONNECTION_NOTICES, topics.TRIP_COMMANDS, topics.RESTORE_COMMANDS):
            self._answer(wire.decode_effect(topic, value))

    def _answer(self, effect: Any) -> None:
        account_id, at = effect.account_id, effect.decided_at
        event: NoticeDelivered | SwitchReported
        if isinstance(effect, DisconnectionNotice):
            self.lived.noticed.add(account_id)
            event = NoticeDelivered(account_id, 0, at, effect.effect_id, at)
        else:
            assert isinstance(effect, TripCommand | RestoreCommand)
            if isinstance(effect, TripCommand):
                self._cut(effect)
                self.lived.off_since.setdefault(account_id, at)
                switch = Switch.DISCONNECTED
            else:
                self.lived.restored.add(account_id)
                self.lived.off_seconds += at - self.lived.off_since.pop(account_id, at)
                switch = Switch.CONNECTED
            event = SwitchReported(account_id, 0, at, effect.effect_id, switch, True, at)
        encoded = wire.encode_event(event)
        self._answers.append((encoded.topic, account_id.encode(), encoded.value))

    def _cut(self, trip: TripCommand) -> None:
        available = trip.evidence.available_nanos
        known_late = sum(
            amount
            for recorded_at, paid_at, amount in self._later_paid.get(trip.account_id, ())
            if paid_at <= trip.decided_at < recorded_at
        )
        wrong = ""
        if known_late > 0 and available + known_late >= 0:
            wrong = f"{wire.decimal_text(known_late)} had been paid and was recorded later"
        else:
            held = self._held_in_force(trip)
            wrong = f"the policy in force would have held it: {held}" if held else ""
        at, left = str(wire.time_text(trip.decided_at)), wire.decimal_text(available)
        self.lived.cuts.append(Cut(trip.account_id, at, left, wrong))

    def _held_in_force(self, trip: TripCommand) -> str:
        """Which time or age limit of the policy in force was not met at this moment."""
        rules, reasons = self._in_force, []
        tariffs, book = self._clerk.terms.tariffs, self._clerk.book
        row = book.row(trip.account_id)
        assert row is not None
        is_large = CUSTOMER_CLASSES[book.ledger["customer_class"][row]] is CustomerClass.LARGE
        most = rules.max_reading_age_large_seconds if is_large else rules.max_reading_age_seconds
        if trip.decided_at - trip.evidence.read_at > most:
            reasons.append("reading_stale")
        if trip.decided_at - trip.notice_delivered_at < rules.notice_lead_seconds:
            reasons.append("notice_too_recent")
        zone = zone_named(tariffs.zone_name(int(book.tariff_index[row])))
        area = book.ledger["area"][row].decode()
        weather = self._terms.weather.of(area, rules.moratoria_areas)
        hold = window_hold(rules, zone, trip.decided_at)
        hold |= weather_hold(rules, zone, trip.decided_at, weather)
        return ", ".join([*reasons, *hold_names(hold)])


def compare(
    recorded: list[PlainRecord],
    policies: dict[str, SupplyRules],
    desk: TariffDesk,
    progress: Callable[[int], object] = lambda _count: None,
) -> dict[str, Lived]:
    """What each policy would have done; the first is the one in force.  Raises ReplayFailed."""
    in_force = next(iter(policies.values()))
    paid = _payments(recorded)
    runs = {name: PaperRun(rules, in_force, desk).knowing(paid) for name, rules in policies.items()}
    facts = {*topics.SOURCE_OF_TOPIC, topics.MORATORIA}.difference(ANSWERED)
    kept = [r for r in recorded if r.topic in facts]
    kept = [r for r in kept if r.key is not None or r.topic == topics.READINGS]
    kept.sort(key=lambda record: record.timestamp)  # of one instant: as they were recorded
    by_step: dict[int, list[PlainRecord]] = defaultdict(list)
    for record in kept:
        by_step[record.timestamp // 1000 // STEP_SECONDS].append(record)
    for step in range(min(by_step, default=0), max(by_step, default=-1) + 1):
        records = by_step.get(step, [])
        for run in runs.values():
            run.step((step + 1) * STEP_SECONDS, records)
        progress(len(records))
    return {name: run.lived for name, run in runs.items()}


def _payments(recorded: list[PlainRecord]) -> dict[str, list[tuple[int, int, int]]]:
    """Every payment (recorded at, paid at, nanos) by account; what a worker refuses is none."""
    found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for record in recorded:
        if record.topic == topics.PAYMENTS and record.key and record.value:
            said = wire.decode_event(record, 1)
            if isinstance(said, PaymentReceived) and said.kind is PaymentKind.PAYMENT:
                at = (record.timestamp // 1000, said.paid_at, said.amount_nanos)
                found[said.account_id].append(at)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """`kilowatch replay-policy`: 0 told, 1 something cannot be used."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n", maxsplit=1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rules", type=Path, help="YAML: fields of the rules that change")
    parser.add_argument(
        "file", nargs="?", type=Path, help=".jsonl of records, or a .parquet or .csv of readings"
    )
    parser.add_argument("--opening", default="100.00", help="of a file of readings: paid once")
    parser.add_argument("--tz", type=zone_of, help="zone of local times in a file of readings")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    console = Console(stderr=True)
    try:
        in_force = supply_rules(settings_from())
        policies = {"in force": in_force, "new": rules_from(options.rules, in_force)}
        if options.file is None:
            recorded = from_topics()
        elif options.file.suffix == ".jsonl":
            recorded = from_lines(options.file)
        else:
            recorded = from_table(options.file, options.opening, options.tz)
    except (RulesWrong, FileWrong, LinkBroken, OSError) as error:
        print(f"kilowatch replay-policy: {error}", file=sys.stderr)
        return 1
    if in_force.calendar is None:
        console.print("KILOWATCH_HOLIDAYS is empty: under the policy in force nobody is ever cut")
    desk = TariffDesk()
    desk.take([record for record in recorded if record.topic == topics.TARIFFS])
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("records", total=len(recorded))
        try:
            lived = compare(recorded, policies, desk, lambda n: progress.update(task, advance=n))
        except ReplayFailed as error:
            print(f"kilowatch replay-policy: {error}", file=sys.stderr)
            return 1
    if options.json:
        print(json.dumps({name: each.report() for name, each in lived.items()}, ensure_ascii=False))
    else:
        _show(lived, Console())
    return 0


def _show(lived: dict[str, Lived], console: Console) -> None:
    reports = {name: each.report() for name, each in lived.items()}
    table = Table("accounts", *reports)
    for what, words in (
        ("warned", "warned"), ("noticed", "given notice"), ("cut", "cut"),
        ("restored", "given back"),
    ):  # fmt: skip
        table.add_row(words, *(str(len(report[what])) for report in reports.values()))
    wrong = [str(len(report["cutWrongly"])) for report in reports.values()]
    table.add_row("cuts that were wrong", *wrong)
    table.add_row("hours without supply, all", *(f"{some.off_hours:,}" for some in lived.values()))
    console.print(table)
    first_old, first_new = (some.first_cuts() for some in lived.values())
    _show_shift(first_old, first_new, console)
    old, new = (set(report["cut"]) for report in reports.values())
    for title, names in (("cut only by the new", new - old), ("spared by the new", old - new)):
        if names:
            shown = ", ".join(sorted(names)[:SHOWN])
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            console.print(f"{title}: {shown}{more}", markup=False)
    for cut in [*reports["new"]["cutWrongly"]][:SHOWN]:
        line = f"wrong: {cut['account_id']} at {cut['at']} with {cut['available']}: {cut['wrong']}"
        console.print(line, markup=False, soft_wrap=True)


def _show_shift(old: dict[str, datetime], new: dict[str, datetime], console: Console) -> None:
    """By how much those whom both policies cut are cut later, or sooner."""
    both = old.keys() & new.keys()
    hours = sorted((new[name] - old[name]).total_seconds() / SECONDS_PER_HOUR for name in both)
    if hours:
        console.print(
            f"cut by both: {len(hours)}, by the new {median(hours):+.1f} h (median; "
            f"{hours[0]:+.1f} to {hours[-1]:+.1f} h)",
            soft_wrap=True,
        )


if __name__ == "__main__":
    sys.exit(main())
