"""What does the whole utility do next?

A seeded step machine: `step(until)` gives every record the outside systems write up to that
instant, `observe` tells it what Kilowatch answered.  It reads no clock and knows no Kafka, so that
the same world feeds a broker (`drive`), the crash simulation and the tests.  Customers, meters,
habits, books, faults and the field have files of their own; here they meet.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from simulator import messages, weather
from simulator.books import bookkeeping
from simulator.customers import Customer, draw_customers
from simulator.faults import Faults
from simulator.field import Field, Happening
from simulator.grid import Grid
from simulator.habits import draw_payer
from simulator.messages import HEARTBEAT_RANK, RANK, Input, Terms
from simulator.meters import DAY_SECONDS, draw_meter
from simulator.plan import INDUSTRY_OF, TARIFF_OF, VOLTAGE_OF, Account, Plan
from simulator.sheets import Sheets, shipped_sheets
from streams import topics
from streams.topics import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.command_verifier import CommandVerifier

__all__ = ["Plan", "World"]

HOUR_SECONDS = 3_600
TIERS = ("normal", "low", "lower", "lowest")


class World:
    """The utility and its customers, from one seed.

    With a `verifier` the field carries out only commands that Kilowatch has signed.
    """

    def __init__(self, plan: Plan, verifier: CommandVerifier | None = None) -> None:
        self.plan = plan
        self.now = plan.starts_at
        self.sheets = Sheets(list(plan.sheets) or shipped_sheets())
        self.field = Field(plan.field_rates, plan.seed, verifier)
        self.counts: Counter[str] = Counter()
        self.accounts = [self._account(*drawn) for drawn in self._draw()]
        self.faults = Faults(plan.faults, plan.seed, len(self.accounts))
        self._by_id = {a.customer.account_id: a for a in self.accounts}
        self._dice = random.Random(f"{plan.seed}:world")
        self._inputs: list[tuple[int, int, int, Input]] = []
        self._happenings: list[tuple[int, int, str, Account]] = []
        self._sequence = 0
        self._freezes: set[tuple[int, str]] = set()
        self.grid = Grid(plan, self.sheets, self.accounts)
        self._next_slot_end = self.grid.first_slot_end()
        self._next_beat = plan.starts_at
        self._plan_happenings()

    # --- making ---------------------------------------------------------------------------------

    def _draw(self) -> Iterator[tuple[int, Customer]]:
        dice = random.Random(f"{self.plan.seed}:customers")
        shares = self.plan.large_share, self.plan.plan_share
        yield from enumerate(draw_customers(self.plan.accounts, dice, *shares))

    def _account(self, number: int, customer: Customer) -> Account:
        dice = random.Random(f"{self.plan.seed}:account:{number}")
        wanted = TARIFF_OF[customer.kind.customer_class]
        known = [name for name in wanted if name in self.sheets.ids()] or self.sheets.ids()
        tariff_id = dice.choice(known)
        sheet = self.sheets.at(tariff_id, self.plan.starts_at)
        price = sheet.mean_price + float(sheet.standing_per_day) / customer.daily_kwh
        rates = len(sheet.prices)
        meter = draw_meter(customer, sheet.zone, rates, self.plan.grid_seconds, dice)
        payer = draw_payer(customer, price, self.plan.forgetful_share, dice)
        daily, large = payer.daily_cost, customer.kind.customer_class == "large"
        terms = Terms(
            tariff_id,
            credit_limit=round(daily * self.plan.large_credit_days) if large else 0,
            warning_amount=max(1, round(daily * dice.uniform(0.5, 3))),
            reconnect_min=dice.choice((0, max(1, round(daily)))),
            direct_close_agreed=dice.random() < self.plan.direct_close_share,
            feeder=f"F-{number % self.plan.feeders}" if self.plan.feeders else "",
            area=self.plan.areas[number % len(self.plan.areas)] if self.plan.areas else "",
            collector=f"c-{number % self.plan.collectors + 1:02d}" if self.plan.collectors else "",
            # where somebody is named who answers for it, it is watched in groups too
            industry=INDUSTRY_OF.get(customer.kind.name, "") if self.plan.collectors else "",
            voltage_level=VOLTAGE_OF[customer.kind.customer_class] if self.plan.collectors else "",
        )
        partition = partition_of(customer.account_id.encode(), self.plan.partitions)
        return Account(number, customer, payer, meter, terms, partition)

    def _plan_happenings(self) -> None:
        plan, dice = self.plan, random.Random(f"{self.plan.seed}:happenings")
        span = int(plan.horizon_days * DAY_SECONDS)
        self.counts["heat wave days"] += plan.heat_days[1] - plan.heat_days[0]
        moves = random.Random(f"{plan.seed}:moves")
        for account in self.accounts:
            account.tenant = int(plan.move_share > 0)
            if moves.random() < plan.move_share:
                self._later(plan.starts_at + moves.randrange(span), "move", account)
            regular = account.payer.next_regular(plan.starts_at, dice)
            if regular is not None:
                first = plan.starts_at + dice.randrange(max(1, regular - plan.starts_at))
                self._later(first, "regular", account)
            if plan.payday >= 0:
                hours = 7 * HOUR_SECONDS + dice.randrange(4 * HOUR_SECONDS)
                self._later(plan.starts_at + plan.payday * DAY_SECONDS + hours, "wage", account)
            if dice.random() < plan.mistake_share:
                for _ in range(dice.randint(1, 3)):
                    wrong = dice.choice(("approve-trip", "hold-supply", "release-supply"))
                    self._later(plan.starts_at + dice.randrange(span), wrong, account)
                    self.counts["operator mistakes"] += 1
                self._later(plan.starts_at + span // 2, "release-supply", account)
            if dice.random() < plan.exchange_share:
                at = plan.starts_at + dice.randrange(DAY_SECONDS, max(span, DAY_SECONDS + 1))
                self._later(at - at % HOUR_SECONDS, "exchange", account)
            if dice.random() < plan.held_share:
                at = plan.starts_at + dice.randrange(span)
                self._later(at, "hold-supply", account)
                until = at + dice.randrange(DAY_SECONDS, 4 * DAY_SECONDS)
                self._later(until, "release-supply", account)

    # --- records --------------------------------------------------------------------------------

    def opening(self) -> list[Input]:
        """Tariff sheets, terms and opening payments: all that must stand before any reading."""
        at, sent = self.plan.starts_at, []
        for tariff_id in self.sheets.ids():
            sent += [messages.tariff(s.plain, at) for s in self.sheets.versions(tariff_id)]
        sent += [self._settings(account, at) for account in self.accounts]
        dice = random.Random(f"{self.plan.seed}:opening")
        for account in self.accounts:
            amount = account.payer.opening_amount(dice.uniform(*self.plan.opening_days))
            sent.append(self._payment(account, at, amount))
        brought, coming = bookkeeping(self.plan, self.accounts, at)
        for record in coming:
            self._queue(record)
        return sent + brought

    def step(self, until: int) -> list[Input]:
        """Every record written in (now, until], in order of time; `until` becomes now."""
        while self._next_slot_end <= until:
            self._pass_slot(self._next_slot_end)
            self._next_slot_end += self.plan.grid_seconds
        self._advance(until)
        self.now = until
        return self._bulked(self._ready(until))

    def _pass_slot(self, end: int) -> None:
        """One grid slot of energy, and the readings taken at its end."""
        self._advance(end - self.plan.grid_seconds)
        for account, telegram in self.grid.pass_slot(end):
            self.counts["readings taken"] += 1
            account_id = account.customer.account_id
            for arrival, value in self.faults.deliveries(account.number, telegram):
                self._queue(Input(topics.READINGS, account.partition, account_id, value, arrival))

    # --- what happens besides readings ------------------------------------------------------------

    def _advance(self, until: int) -> None:
        """Field and customers up to and including `until`."""
        for happening in self.field.advance(until):
            self._take_up(happening)
        while self._happenings and self._happenings[0][0] <= until:
            at, _, kind, account = heapq.heappop(self._happenings)
            self._happen(kind, account, at)

    def _happen(self, kind: str, account: Account, at: int) -> None:
        if kind == "regular":
            self._pay(account, at, account.payer.amount(self._dice))
            following = account.payer.next_regular(at, self._dice)
            if following is not None:
                self._later(following, "regular", account)
        elif kind == "wage":
            self.counts["wages spent"] += 1
            self._pay(account, at, account.payer.amount(self._dice))
        elif kind == "pay":
            self._pay(account, at, account.payer.amount(self._dice) + account.owed)
            account.owed = 0
        elif kind == "dark":
            if self.field.position(account.customer.account_id) != "connected":
                self._pay(account, at, account.payer.amount(self._dice, days=5) * 2)
                self._later(at + DAY_SECONDS, "dark", account)
        elif kind == "exchange":
            self._exchange(account, at)
        elif kind == "move":
            account.settings_version += 1
            account.tenant += 1
            self._queue(self._settings(account, at))
            self.counts["tenants moved in"] += 1
        else:
            action, _, operator = kind.partition(" by ")
            said = account.customer.account_id, account.partition, action, at
            self._queue(messages.operator_action(*said, operator or "duty-engineer"))

    def _take_up(self, happening: Happening) -> None:
        account = self._by_id[happening.account_id]
        if happening.kind == "switched":
            self.grid.connected[account.number] = happening.switch == "connected"
            if happening.switch == "disconnected":
                self.counts["trips executed"] += 1
                if account.customer.kind.customer_class == "large":
                    self.counts["large customers tripped"] += 1
                wait = account.payer.after_trip(self._dice)
                self._later(happening.at + wait, "pay", account)
                self._later(happening.at + wait + DAY_SECONDS, "dark", account)
            elif happening.switch == "connected":
                self.counts["restores executed"] += 1
            return
        if happening.kind == "receipt":
            self._queue(messages.receipt(happening, account.partition))
        else:
            self._queue(messages.switch_report(happening, account.partition))

    def observe(self, topic: str, value: bytes) -> None:
        """Kilowatch said something: the field obeys, the customer reacts. Repeats do no harm."""
        effect = json.loads(value)
        if topic == topics.INTERLOCK:
            self._hear_interlock(effect)
            return
        if topic in (topics.TRIP_COMMANDS, topics.RESTORE_COMMANDS):
            self.field.take(value, self.now, is_trip=topic == topics.TRIP_COMMANDS)
            if topic == topics.TRIP_COMMANDS:
                self._race(effect)
        elif topic == topics.DECISIONS:
            self._look_into(effect)
        elif topic == topics.STATUS_READS:
            self.field.take_status_read(effect, self.now)
        elif topic in (topics.LOW_BALANCE_WARNINGS, topics.DISCONNECTION_NOTICES):
            account = self._by_id[effect["accountId"]]
            dice = random.Random(f"{self.plan.seed}:hears:{effect['effectId']}")
            if topic == topics.DISCONNECTION_NOTICES:
                moves = random.Random(f"{self.plan.seed}:moves:{effect['effectId']}")
                if moves.random() < self.plan.move_share:
                    self._later(self.now + moves.randrange(2 * HOUR_SECONDS), "move", account)
                if self.field.take_notice(effect, self.now):
                    self._moved(account, account.payer.after_notice(dice), effect["amountDue"])
                    self._approve(account, dice, effect["procedure"])
            elif tier := TIERS.index(effect["tier"]):
                wait = account.payer.after_warning(tier, dice)
                self._moved(account, wait, "0")
        self.counts[topic] += 1

    def _race(self, trip: dict[str, Any]) -> None:
        """Some customers pay in the very minutes in which their supply is being stopped."""
        dice = random.Random(f"{self.plan.seed}:race:{trip['effectId']}")
        if dice.random() < self.plan.race_share:
            self.counts["payment races"] += 1
            account = self._by_id[trip["accountId"]]
            self._later(self.now + 1 + dice.randrange(240), "pay", account)

    def _hear_interlock(self, word: dict[str, Any]) -> None:
        """Two people look into a freeze, in an hour or two; now and then one comes twice."""
        frozen = (word["partition"], word["frozenAt"])
        if not word["why"] or frozen in self._freezes:
            return
        self._freezes.add(frozen)
        self.counts["interlock frozen"] += 1
        dice = random.Random(f"{self.plan.seed}:release:{frozen}")
        at = self.now + dice.randrange(600, 2 * HOUR_SECONDS)
        for wait, person in ((0, "ann"), (60, dice.choice(("ann", "bob"))), (600, "eve")):
            self._queue(messages.interlock_release(word["partition"], person, at + wait))

    def _look_into(self, decision: dict[str, Any]) -> None:
        """What waits for nothing but people's approval comes onto somebody's desk."""
        holds = decision["evidence"]["holds"]
        if decision["kind"] == "held" and "approval_missing" in holds:
            dice = random.Random(f"{self.plan.seed}:looks:{decision['effectId']}")
            account = self._by_id[decision["accountId"]]
            self._approve(account, dice, "arrears_stop")

    def _approve(self, account: Account, dice: random.Random, procedure: str) -> None:
        """People may look into a notice, in a day or less, and agree: two, or the same one twice.

        That of a home or shop that is prepaid needs nobody.
        """
        if account.customer.kind.customer_class != "large" and procedure == "prepaid_trip":
            return
        if dice.random() < self.plan.approved_share:
            self.counts["trips approved"] += 1
            for operator in ("engineer", dice.choice(("manager", "manager", "engineer"))):
                wait = dice.choice((1, 4, 30)) * dice.randrange(HOUR_SECONDS)
                self._later(self.now + wait, f"approve-trip by {operator}", account)

    def _moved(self, account: Account, wait: int | None, due: str) -> None:
        """The customer decides to pay, unless a payment is on its way already."""
        if wait is None or account.pays_at > self.now:
            return
        account.pays_at = self.now + wait
        account.owed = max(0, round(float(due)))
        self._later(self.now + wait, "pay", account)

    def _pay(self, account: Account, at: int, amount: int) -> None:
        payment = self._payment(account, at, amount)
        self._queue(payment)
        if self._dice.random() < self.plan.faults.payment_repeated:
            self._queue(payment._replace(at=at + self._dice.randrange(1, HOUR_SECONDS)))
        if self._dice.random() < self.plan.faults.payment_reversed:
            later = at + self._dice.randrange(HOUR_SECONDS, 2 * DAY_SECONDS)
            self._queue(self._payment(account, later, -amount))

    def _payment(self, account: Account, at: int, amount: int) -> Input:
        account.payments += 1
        self.counts["payments"] += 1
        account_id = account.customer.account_id
        return messages.payment(account_id, account.partition, account.payments, amount, at)

    def _settings(self, account: Account, at: int, exchange: dict[str, Any] | None = None) -> Input:
        version, meter = account.settings_version, account.meter
        return messages.settings(
            *(account.customer, account.partition, version, meter, account.terms, at, exchange),
            account.tenant,
        )

    def _exchange(self, account: Account, at: int) -> None:
        """A fitter changes the meter: the old one's last figures close it, the new starts at 0."""
        number, old = account.number, account.meter
        total, rates = int(self.grid.total_mwh[number]), self.grid.rates_mwh[number].tolist()
        account.settings_version += 1
        account.meter = old.exchanged(account.settings_version, total, rates)
        told = {"startRegisterWh": 0, "previousFinalRegisterWh": old.register_wh(total)}
        self._queue(self._settings(account, at, told))
        self.counts["meters exchanged"] += 1

    # --- the queue of what comes ------------------------------------------------------------------

    def _queue(self, record: Input) -> None:
        self._sequence += 1
        is_clock = record.topic in (topics.PAYMENTS, topics.TICKS) and not record.key
        rank = HEARTBEAT_RANK + (record.topic == topics.TICKS) if is_clock else RANK[record.topic]
        heapq.heappush(self._inputs, (record.at, rank, self._sequence, record))

    def _later(self, at: int, kind: str, account: Account) -> None:
        self._sequence += 1
        heapq.heappush(self._happenings, (at, self._sequence, kind, account))

    def _ready(self, until: int) -> list[Input]:
        """What is due, with the clock's own records among it."""
        beat = self.plan.beat_seconds
        beats = range(self._next_beat, until + 1, beat) if beat else [until]
        for at in beats:
            for word in weather.words(self.plan, at):
                self._queue(word)
            for partition in range(self.plan.partitions):
                self._queue(messages.heartbeat(partition, at))
                self._queue(messages.tick(partition, at))
            self._next_beat = at + beat
        ready = []
        while self._inputs and self._inputs[0][0] <= until:
            ready.append(heapq.heappop(self._inputs)[3])
        return ready

    def _bulked(self, sent: list[Input]) -> list[Input]:
        """Now and then a concentrator sends what it holds of a partition as one list."""
        bulk = {
            partition
            for partition in range(self.plan.partitions)
            if self._dice.random() < self.plan.bulk_share
        }
        kept: list[Input] = []
        open_lists: dict[int, list[Input]] = {}
        for record in sent:
            if (
                record.topic != topics.READINGS
                or record.partition not in bulk
                or record.value[:1] + record.value[-1:] != b"{}"
            ):
                kept.append(record)
            else:
                open_lists.setdefault(record.partition, []).append(record)
        for records in open_lists.values():
            for first in range(0, len(records), _LONGEST_LIST):
                some = records[first : first + _LONGEST_LIST]
                value = b"[" + b",".join(record.value for record in some) + b"]"
                kept.append(some[-1]._replace(key=some[0].key, value=value))
        kept.sort(key=lambda record: record.at)
        return kept


_LONGEST_LIST = 100
