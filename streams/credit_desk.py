"""What becomes of the facts of large customers: rows, lessons, grades?

Records in, records out, without Kafka, so that it runs in memory as it runs live: days, missed
instalments, trips and stated facts are kept in each customer's row; what has changed is graded
anew; a month that is over and whose late data is in is computed, and each quarter's is published.
The process around it is `credit_app`; the score itself is `scoring.credit`.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from scoring import credit
from scoring.arrears_risk import ArrearsRisk, features
from scoring.balance import LATE_DATA_HORIZON_SECONDS
from scoring.calendar import EPOCH_DAY
from scoring.contracts import Contract
from scoring.credit_facts import MISSING
from scoring.credit_register import Standing, standing
from scoring.credit_told import explain
from scoring.credit_weights import PRESETS as WEIGHTS
from scoring.customer_file import CustomerFile
from scoring.customer_history import (
    LONG_AGO,
    CustomerHistory,
    DayKept,
    Peers,
    peers_of,
)
from scoring.effects import DailyUsage, PlanNotice, PlanNoticeKind
from scoring.events import Switch, SwitchReported
from scoring.units import CENT_NANOS, SECONDS_PER_DAY
from streams import topics
from streams.wire import (
    EffectUnreadable,
    Refusal,
    decode_effect,
    decode_event,
    encode_refusal,
)
from streams.wire_credit import (
    CreditRow,
    Graded,
    Lesson,
    decode_customer_facts,
    encode_credit_row,
    encode_grade,
)
from streams.wire_customers import decode_fact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.wire import Encoded, Record

log = logging.getLogger(__name__)

REGISTER = (topics.CUSTOMER_CONTRACTS, topics.CUSTOMER_FILES)
"""Read whole at each start and kept in memory: the newest of each key is the register."""

INPUTS = (topics.DAILY_USAGE, topics.PLAN_NOTICES, topics.SWITCH_REPORTS, topics.CUSTOMER_FACTS)

LATE_DATA_DAYS = LATE_DATA_HORIZON_SECONDS // SECONDS_PER_DAY
"""Of the next month, after which a month is computed."""

NOT_LARGE = b'"large":null'
"""In a day of any other customer, which is passed over unread: they are nearly all."""

LESSONS_KEPT = 12
"""By which a restarted process teaches the learned risk again."""

QUARTER_MONTHS = 3


@dataclass(frozen=True, slots=True)
class CreditTerms:
    """Presets a company grades by: weights, bands, and what a missing fact does."""

    weights: str = "collection"
    bands: str = "standard"
    missing: str = "exclude"


class CreditDesk:
    """All large customers, their peers and the learned risk.

    `refused` counts statements not taken, by reason; `passed_over` records that could not be read.
    """

    def __init__(self, partitions: int, terms: CreditTerms) -> None:
        self.rows: dict[str, CreditRow] = {}
        self.risk = ArrearsRisk()
        self.refused: Counter[str] = Counter()
        self.passed_over = 0
        self._contracts: dict[str, dict[bytes, Contract]] = {}
        self._files: dict[str, dict[bytes, CustomerFile]] = {}
        self._to_grade: dict[str, None] = {}
        self._partitions = partitions
        self._terms = terms
        self._weights, self._bands = WEIGHTS[terms.weights], credit.PRESETS[terms.bands]
        self._peers, self._peers_day, self._peers_month = Peers({}, {}), LONG_AGO, LONG_AGO

    def load(self, rows: Iterable[CreditRow]) -> None:
        """Take up what was kept, and teach the risk again, month by month."""
        for row in rows:
            self.rows[row.history.account_id] = row
        self._renew_peers()
        known = [
            lesson
            for row in self.rows.values()
            for lesson in row.lessons
            if lesson.is_late is not None
        ]
        for lesson in sorted(known, key=lambda each: each.month):
            self.risk.learn(lesson.features, bool(lesson.is_late), lesson.said)

    def load_register(self, records: Iterable[Record]) -> None:
        """Take up contracts and files; whose they are is graded with the next records."""
        for record in records:
            account_id = self._take_registered(record)
            if account_id is not None:
                self._to_grade[account_id] = None

    def take(self, records: Iterable[Record]) -> list[Encoded]:
        """What follows from these records: refusals, then rows, then grades, to be sent so."""
        changed, self._to_grade = self._to_grade, {}
        said: list[Encoded] = []
        for record in records:
            found = self._take_one(record)
            if isinstance(found, Refusal):
                self.refused[found.reason.value] += 1
                said.append(encode_refusal(found))
            elif found:
                changed[found] = None
        self._renew_peers()
        grades = [self._grade(self.rows[account_id]) for account_id in changed]
        said += [encode_credit_row(self.rows[account_id]) for account_id in changed]
        return said + [each for each in grades if each is not None]

    def _renew_peers(self, closing: int = LONG_AGO) -> None:
        """What all are among each other, as of the newest day; at the first close of a month too.

        Whoever reads a week at once would else hold this week's bills against those of the last.
        """
        newest = max((row.history.newest_day for row in self.rows.values()), default=LONG_AGO)
        if newest > self._peers_day and (closing == LONG_AGO or closing > self._peers_month):
            self._peers = peers_of(row.history for row in self.rows.values())
            self._peers_day, self._peers_month = newest, max(closing, self._peers_month)

    # --- what a record says -----------------------------------------------------------------------

    def _take_one(self, record: Record) -> str | Refusal | None:
        """The account whose row has changed, a refusal, or nothing."""
        if record.topic in REGISTER:
            return self._take_registered(record)
        if record.topic == topics.CUSTOMER_FACTS:
            return self._take_facts(record)
        if record.topic == topics.SWITCH_REPORTS:
            return self._take_report(record)
        value = record.value or b""
        if NOT_LARGE in value:
            return None
        try:
            effect = decode_effect(record.topic, value)
        except EffectUnreadable as error:
            self.passed_over += 1
            log.warning("%s: offset %d is passed over: %s", record.topic, record.offset, error)
            return None
        if isinstance(effect, DailyUsage):
            return self._take_day(effect)
        if isinstance(effect, PlanNotice) and effect.kind == PlanNoticeKind.INSTALMENT_MISSED:
            row = self.rows.get(effect.account_id)
            if row is not None and effect.due_date is not None:
                row.history.take_missed(_day_of(effect.due_date))
                return effect.account_id
        return None

    def _take_registered(self, record: Record) -> str | None:
        """A contract or a file, or that it is no more; the account, if its grade is kept."""
        key = record.key or b""
        account_id = key.decode(errors="replace").partition("@")[0]
        if record.value is None:
            self._contracts.get(account_id, {}).pop(key, None)
            self._files.get(account_id, {}).pop(key, None)
        else:
            fact = decode_fact(record)
            if isinstance(fact, Contract):
                self._contracts.setdefault(account_id, {})[key] = fact
            elif isinstance(fact, CustomerFile):
                self._files.setdefault(account_id, {})[key] = fact
            elif isinstance(fact, Refusal):
                self.passed_over += 1
                log.warning("%s: offset %d: %s", record.topic, record.offset, fact.detail)
                return None
        return account_id if account_id in self.rows else None

    def _standing(self, history: CustomerHistory) -> Standing:
        """What the register says of a customer as of its newest day."""
        contracts = self._contracts.get(history.account_id, {}).values()
        files = self._files.get(history.account_id, {}).values()
        newest = max(files, key=lambda each: (each.month, each.version), default=None)
        today = date.fromordinal(history.newest_day + EPOCH_DAY)
        return standing(tuple(contracts), newest, history.entered, today)

    def _row(self, account_id: str) -> CreditRow:
        return self.rows.setdefault(account_id, CreditRow(CustomerHistory(account_id)))

    def _take_day(self, told: DailyUsage) -> str | None:
        if told.large is None:
            return None
        row, day = self._row(told.account_id), _day_of(told.local_date)
        history = row.history
        if day >= history.newest_day:
            history.industry, history.area = told.industry, told.area
            history.payment_mode = told.payment_mode
        kept = DayKept(
            told.used_wh,
            told.charge_nanos // CENT_NANOS,
            told.evidence.available_nanos // CENT_NANOS,
            told.large.overdue_nanos // CENT_NANOS,
        )
        history.take_day(day, kept, told.large)
        if self._has_month_to_close(row):  # now: one batch may hold the days of many months
            self._renew_peers(_closed_month(history.newest_day))
            self._judge(row, self._standing(history))
        return told.account_id

    def _take_report(self, record: Record) -> str | None:
        event = decode_event(record, self._partitions)
        # the worker has refused what cannot be read; here a carried-out trip alone counts
        if not isinstance(event, SwitchReported) or event.account_id not in self.rows:
            return None
        is_trip = f"{event.account_id}:trip:" in event.command_id
        if not (is_trip and event.succeeded and event.switch is Switch.DISCONNECTED):
            return None
        self.rows[event.account_id].history.take_trip(event.reported_at // SECONDS_PER_DAY)
        return event.account_id

    def _take_facts(self, record: Record) -> str | Refusal:
        stated = decode_customer_facts(record, self._partitions)
        if isinstance(stated, Refusal):
            return stated
        history = self._row(stated.account_id).history
        for name, value in stated.facts.items():
            history.take_entered(name, value, stated.day)
        return stated.account_id

    # --- what follows -----------------------------------------------------------------------------

    def _grade(self, row: CreditRow) -> Encoded | None:
        """Grade a customer anew; None for one of whom no day is known yet."""
        if row.history.newest_day == LONG_AGO:
            return None
        registered = self._standing(row.history)
        facts, scores, grades = self._judge(row, registered)
        told = explain(facts, scores, grades, self._weights, self._bands, notes=registered.notes)
        terms = {
            "weights": self._terms.weights,
            "bands": self._terms.bands,
            "missing": self._terms.missing,
        }
        return encode_grade(row, told, self._bands, terms)

    def _has_month_to_close(self, row: CreditRow) -> bool:
        closed = _closed_month(row.history.newest_day)
        is_new = row.monthly is None or row.monthly.month < closed
        return is_new and min(row.history.days) < _first_day(closed + 1)

    def _judge(
        self, row: CreditRow, registered: Standing
    ) -> tuple[np.ndarray, credit.Scores, credit.Grades]:
        """Facts, scores and grade as of the newest day; a month that is over is closed by it."""
        history = row.history
        facts = history.facts(history.newest_day, self._peers, registered.facts)
        scores = credit.score(facts, self._weights, self._terms.missing)
        grades = credit.grade(scores, facts, self._bands, history.newest_day, *_before(row))
        if self._has_month_to_close(row):
            closed = _closed_month(history.newest_day)
            end = history.days.get(_first_day(closed + 1) - 1)
            if end is not None:
                facts["unpaid_at_period_end"] = end.overdue_cents > 0
                grades = credit.grade(scores, facts, self._bands, history.newest_day, *_before(row))
            self._close(row, closed, scores, grades)
            self._learn(row, closed, facts)
        return facts, scores, grades

    def _close(
        self, row: CreditRow, month: int, scores: credit.Scores, grades: credit.Grades
    ) -> None:
        """Compute a month; the first one and each quarter's last are published."""
        percent = int(scores.percent_hundredths[0])
        row.monthly = Graded(month, percent, int(grades.level[0]), int(grades.stars[0]))
        if row.published is None or month % QUARTER_MONTHS == QUARTER_MONTHS - 1:
            row.published = row.monthly
            row.standing = row.monthly.level or row.standing

    def _learn(self, row: CreditRow, month: int, facts: np.ndarray) -> None:
        """What became of the chance told a month ago; and the chance until the next close."""
        history = row.history
        if row.lessons and row.lessons[-1].is_late is None:
            last = row.lessons[-1]
            last.is_late = history.is_late_between(last.told_day + 1, history.newest_day + 1)
            self.risk.learn(last.features, last.is_late, last.said)
        (told,) = features(facts)
        lesson = Lesson(month + 1, history.newest_day, told, self.risk.chance(told))
        row.lessons = [*row.lessons, lesson][-LESSONS_KEPT:]


def _before(row: CreditRow) -> tuple[np.ndarray, np.ndarray]:
    level = MISSING if row.standing == credit.NO_GRADE else row.standing
    stars = MISSING if row.published is None else row.published.stars
    return np.array([level]), np.array([stars])


def _day_of(text: str) -> int:
    return date.fromisoformat(text).toordinal() - EPOCH_DAY


def _closed_month(day: int) -> int:
    """The newest month that is over, and for whose late data was waited, on a day since 1970."""
    when = date.fromordinal(day - LATE_DATA_DAYS + EPOCH_DAY)
    return when.year * 12 + when.month - 2


def _first_day(month: int) -> int:
    return date(month // 12, month % 12 + 1, 1).toordinal() - EPOCH_DAY
