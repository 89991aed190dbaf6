"""What follows for customers from what the grades and the stream have said?

Records in, facts out, without Kafka: a published grade becomes a proposal that a person decides, a
decided policy becomes terms of the stream, a notice of the stream a letter, the gateway's receipt
its proof, the stream's work an item of a collector, a finished day the months' appraisal.  What is
told twice changes nothing, so whoever starts anew reads all again.  The process around it is
`customers_app`; no one here decides about a supply.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from api.decided_facts import drawn_from, grade_told, is_answered
from api.large_now import THE_STREAM, Large
from api.papers import USUAL_FONTS
from api.register import TOPICS, Register
from api.told_letters import letter_of, proven_by
from scoring import policy
from scoring.account_months import AccountMonths, Day, local_day
from scoring.benchmark import appraise
from scoring.collection import NOBODY, Task, ask, close
from scoring.contracts import expiries, to_warn_of
from scoring.customer_file import rolled_over
from scoring.effects import DisconnectionNotice, LowBalanceWarning, RestoreCommand, WorkItem
from scoring.events import (
    NoticeDelivered,
    PaymentKind,
    PaymentReceived,
    PolicyChanged,
    Switch,
    SwitchReported,
)
from scoring.policy import Policy, Status, obeyed
from streams import topics
from streams.wire import EffectUnreadable, decode_effect, decode_event, encode_event
from streams.wire_customers import decode_fact, encode_fact
from streams.wire_effects import FinishedDay, decode_finished_day

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from scoring.effects import Effect
    from streams.wire import Encoded, Record
    from streams.wire_customers import Fact

log = logging.getLogger(__name__)

STREAM_TOPICS = (
    topics.CREDIT_GRADES,
    topics.DAILY_USAGE,
    topics.PAYMENTS,
    topics.LOW_BALANCE_WARNINGS,
    topics.DISCONNECTION_NOTICES,
    topics.RESTORE_COMMANDS,
    topics.WORK_ITEMS,
    topics.SWITCH_REPORTS,
    topics.DELIVERY_RECEIPTS,
)

EFFECTS = (
    topics.LOW_BALANCE_WARNINGS,
    topics.DISCONNECTION_NOTICES,
    topics.RESTORE_COMMANDS,
    topics.WORK_ITEMS,
)
"""Read whole; of the days, which are many, only what is needed."""


class CustomerDesk:
    """The register, what the stream adds to it, and what follows.

    `is_simulated`: time is that of the records, customer by customer.  `unreadable` counts records
    that were passed over, `fonts` are those of letters ("" prints none: their hash is then empty).
    """

    def __init__(
        self,
        partitions: int,
        zone: ZoneInfo,
        *,
        is_simulated: bool = False,
        fonts: str = USUAL_FONTS,
    ) -> None:
        self.register = Register()
        self.months = AccountMonths()
        self.months_from = date.min
        """Months that begin earlier are not appraised: their payments were not all read."""
        self.unreadable = 0
        self._partitions = partitions
        self.zone = zone
        self._is_simulated = is_simulated
        self._fonts = fonts
        self._large: dict[str, Large] = {}
        self._to_draw: dict[str, None] = {}
        self._to_obey: set[str] = set()
        self._to_settle: dict[str, None] = {}
        self._reviewed_on = date.min
        self._newest_day = self._newest_at = 0
        self._said: list[Encoded] = []
        self._now = 0

    def take(self, records: Iterable[Record], now: int, *, is_caught_up: bool) -> list[Encoded]:
        """What follows, in the order in which it must be written; `now` by the wall.

        Until all there was is read nothing is drawn, obeyed or appraised: it may be there already.
        """
        self._said, self._now = [], now
        for record in records:
            try:
                self._take_one(record)
            except EffectUnreadable as error:
                self.unreadable += 1
                log.warning("%s offset %d: %s", record.topic, record.offset, error)
        if is_caught_up:
            for account_id in [*self._to_draw]:
                self._draw(account_id)
            self._to_draw.clear()
            for account_id in sorted(self._to_obey):
                self._obey(account_id)
            for account_id in self._to_settle:
                self._settle(account_id)
            self._to_settle.clear()
            self._review_day()
        return self._said

    def stamp_of(self, key: str) -> int:
        """When, in milliseconds of simulated time, what is written under a key is written."""
        return self._time(key.partition("@")[0]) * 1000

    # --- what a record says -----------------------------------------------------------------------

    def _take_one(self, record: Record) -> None:
        topic = record.topic
        if topic in TOPICS:
            self._take_fact(record)
        elif topic == topics.DAILY_USAGE:
            self._take_day(decode_finished_day(record.value or b""))
        elif topic == topics.CREDIT_GRADES:
            self._take_grade(record)
        elif topic in EFFECTS:
            self._take_effect(decode_effect(topic, record.value or b""))
        else:
            event = decode_event(record, self._partitions)
            if isinstance(event, PaymentReceived):
                self._take_payment(event)
            elif isinstance(event, SwitchReported):
                self._take_report(event)
            elif isinstance(event, NoticeDelivered):
                self._take_receipt(event, record)

    def _take_fact(self, record: Record) -> None:
        self.register.take([record])
        if record.topic == topics.CUSTOMER_POLICIES and record.value is not None:
            told = decode_fact(record)
            if isinstance(told, Policy):
                known = self.register.policy(told.policy_id)
                self._to_settle[known.account_id] = None
                if known.decided_by != told.decided_by:
                    self._write(known)  # the first decision stands, also after compaction
                if known.status is Status.APPROVED and not known.obeyed_at:
                    self._to_obey.add(known.account_id)
        if record.topic in (topics.CUSTOMER_CONTRACTS, topics.CUSTOMER_FILES):
            account_id = (record.key or b"").decode(errors="replace").partition("@")[0]
            if account_id in self._large:
                self._to_draw[account_id] = None

    def _take_day(self, told: FinishedDay) -> None:
        day = date.fromisoformat(told.local_date).toordinal()
        self._newest_day = max(self._newest_day, day)
        self._newest_at = max(self._newest_at, int(told.decided_at.timestamp()))
        self.months.take_day(
            told.account_id,
            Day(
                day, told.used_wh, told.charge_nanos, told.balance_nanos, told.owed_nanos,
                told.collector, told.industry, told.payment_mode == "prepaid",
            ),
        )  # fmt: skip
        if told.large is not None:
            self._large.setdefault(told.account_id, Large()).take_day(told)

    def _take_grade(self, record: Record) -> None:
        account_id = (record.key or b"").decode(errors="replace")
        large = self._large.setdefault(account_id, Large())
        large.grade = grade_told(record.value)
        self._to_draw[account_id] = None

    def _take_effect(self, effect: Effect) -> None:
        account_id, at = effect.account_id, effect.decided_at
        day = self._day_of(at)
        match effect:
            case LowBalanceWarning():
                if effect.tier:
                    self.months.take_dunning(account_id, at, day)
            case DisconnectionNotice():
                self.months.take_dunning(account_id, at, day)
                self._draft(effect)
            case RestoreCommand():
                self.months.take_restore(account_id, at, day)
            case WorkItem():
                if effect.kind == Task.COLLECT.value and effect.status == "open":
                    self.months.take_dunning(account_id, at, day)
                self._take_work(effect)

    def _take_payment(self, paid: PaymentReceived) -> None:
        amount = paid.amount_nanos
        if paid.kind is PaymentKind.FAILED:
            amount = 0
        elif paid.kind not in (PaymentKind.PAYMENT, PaymentKind.IN_FLIGHT):
            return
        at = paid.paid_at
        self.months.take_payment(paid.account_id, paid.payment_id, amount, at, self._day_of(at))

    def _take_report(self, told: SwitchReported) -> None:
        at, day = told.reported_at, self._day_of(told.reported_at)
        if not told.succeeded:
            return
        if f"{told.account_id}:trip:" in told.command_id:
            if told.switch is Switch.DISCONNECTED:
                self.months.take_trip(told.account_id, at, day)
        elif told.switch in (Switch.CONNECTED, Switch.READY_FOR_RECONNECTION):
            self.months.take_back(told.account_id, at, day)

    def _draft(self, notice: DisconnectionNotice) -> None:
        """The letter of a notice, for customers whose papers we keep."""
        one = letter_of(notice, self.register, self.zone, self._fonts)
        if one is not None:
            self._write(one)

    def _take_receipt(self, told: NoticeDelivered, record: Record) -> None:
        """The gateway's receipt proves the letters of that notice."""
        where = f"{record.topic}:{record.partition}:{record.offset}"
        for one in proven_by(told, where, self.register):
            self._write(one)

    # --- work -------------------------------------------------------------------------------------

    def _take_work(self, item: WorkItem) -> None:
        task = Task(item.kind)
        one = ask(item.account_id, task, item.about_id, item.collector, item.decided_at)
        known = self.register.work_item(one.account_id, one.work_id)
        if item.status == "open":
            if known is None:
                self._write(replace(one, text_zh=item.text_zh, text_en=item.text_en))
            return
        for open_one in self.register.open_work(item.account_id):
            if open_one.task is task and open_one.opened_at <= item.decided_at:
                self._write(close(open_one, THE_STREAM, "no longer needed", item.decided_at))

    # --- policies ---------------------------------------------------------------------------------

    def _draw(self, account_id: str) -> None:
        """What the rules propose by the grade that holds; somebody is asked to decide."""
        large = self._large[account_id]
        if large.grade is None or not large.grade.grade or not large.days:
            return
        today, now = self._today(account_id), self._time(account_id)
        facts = drawn_from(
            account_id, large.grade, self.register, today, large.sector, large.mean_month_wh,
            large.mean_day_nanos, large.payment_mode,
        )  # fmt: skip
        versions = self.register.policies(account_id)
        if is_answered(facts, versions):
            return
        found = policy.propose(facts, versions, now, today)
        if found is None:
            return
        self._write(found)
        self._to_settle[account_id] = None
        self._write(
            ask(account_id, Task.DECIDE_POLICY, found.policy_id, large.collector or NOBODY, now)
        )

    def _obey(self, account_id: str) -> None:
        """Terms that have come into force, to the stream; then the mark that it was told."""
        versions = self.register.policies(account_id)
        one = policy.to_obey(versions, self._today(account_id))
        if one is not None:
            now = self._time(account_id)
            self._said.append(encode_event(PolicyChanged(account_id, 0, now, obeyed(one))))
            self._write(replace(one, obeyed_at=now))
        left = [v for v in versions if v.status is Status.APPROVED and not v.obeyed_at]
        if not [v for v in left if one is None or v.version > one.version]:
            self._to_obey.discard(account_id)

    def _settle(self, account_id: str) -> None:
        """Nobody is asked any longer for a decision that was taken, or that a newer one replaced.

        By what stands in the register, so that a crash between two records leaves nothing open.
        """
        versions, now = self.register.policies(account_id), self._time(account_id)
        for item in self.register.open_work(account_id):
            of_item = [one for one in versions if one.policy_id == item.about_id]
            if item.task is not Task.DECIDE_POLICY or not of_item:
                continue
            (one,), newer = of_item, policy.overtaken_by(of_item[0], versions)
            closed_at = max(now, item.opened_at)
            if one.status is not Status.PROPOSED:
                outcome = f"{one.policy_id} {one.status.value}: {one.decided_because}"
                self._write(close(item, one.decided_by, outcome, closed_at))
            elif newer is not None:
                outcome = f"overtaken by {newer.policy_id}"
                self._write(close(item, THE_STREAM, outcome, closed_at))

    # --- once a day -------------------------------------------------------------------------------

    def _review_day(self) -> None:
        """Ends of contracts, files into the new month, the months' appraisal."""
        today = self._local(self._now)
        if self._is_simulated:
            today = date.fromordinal(self._newest_day + 1)
        if today <= self._reviewed_on:
            return
        self._reviewed_on = today
        for expiry in filter(to_warn_of, expiries(self.register.contracts(), today)):
            large = self._large.get(expiry.account_id, Large())
            about = f"{expiry.contract_id} {expiry.what} {expiry.last_day}"
            one = ask(
                expiry.account_id, Task.RENEW_CONTRACT, about, large.collector, self._time_now()
            )
            if self.register.work_item(one.account_id, one.work_id) is None:
                self._write(one)
        month = today.year * 12 + today.month - 1
        for account_id in self.register.accounts():
            file = self.register.file(account_id)
            if file is not None and file.month < month:
                told = self._large.get(account_id, Large()).file_facts(file)
                self._write(rolled_over(file, month, told, today))
        self._appraise(today)

    def _appraise(self, today: date) -> None:
        grades = {
            name: one.grade.grade for name, one in self._large.items() if one.grade is not None
        }
        for month in self.months.months():
            if self._is_appraised(month, today):
                continue  # today, before a restart: one day has one appraisal
            if date(month // 12, month % 12 + 1, 1) >= self.months_from:
                for one in appraise(self.months.of(month, grades), month, today):
                    self._write(one)

    def _is_appraised(self, month: int, today: date) -> bool:
        told = self.register.appraised(f"{month // 12:04d}-{month % 12 + 1:02d}")
        return any(one.as_of >= today for one in told)

    # --- time and writing -------------------------------------------------------------------------

    def _time_now(self) -> int:
        """Now; simulated: when the newest day was told, by the wall before any was."""
        return self._newest_at or self._now if self._is_simulated else self._now

    def _time(self, account_id: str) -> int:
        """The instant at which something is done about a customer."""
        large = self._large.get(account_id)
        if self._is_simulated and large is not None and large.told_at:
            return large.told_at
        return self._time_now()

    def _today(self, account_id: str) -> date:
        large = self._large.get(account_id)
        if self._is_simulated and large is not None and large.newest_day:
            return date.fromordinal(large.newest_day + 1)
        return self._local(self._now)

    def _local(self, at: int) -> date:
        return datetime.fromtimestamp(at, self.zone).date()

    def _day_of(self, at: int) -> int:
        offset = datetime.fromtimestamp(at, self.zone).utcoffset()
        return local_day(at, int(offset.total_seconds()) if offset else 0)

    def _write(self, fact: Fact) -> None:
        self.register.put(fact)
        self._said.append(encode_fact(fact))
