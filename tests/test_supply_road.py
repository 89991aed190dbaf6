"""In whatever order things come, nobody is tripped wrongly and nobody who paid stays in the dark.

One account, a field that obeys, fails, delays and repeats, and a checker that knows the rules of
domain.md 6 by itself and reads only what was said: effects, not ledger columns.
"""

from datetime import datetime, timedelta

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.decide import due, judge, needs_judgement, note_deadlines, on_event
from scoring.effects import (
    Cause,
    DisconnectionNotice,
    LowBalanceWarning,
    RestoreCommand,
    Stage,
    TripCommand,
)
from scoring.events import (
    Action,
    Feed,
    NoticeDelivered,
    OperatorActed,
    Source,
    Switch,
    SwitchReported,
)
from scoring.from_rows import situation
from scoring.outlook import OUTLOOK
from scoring.units import instant
from tests.situations import DAY, HOUR, MINUTE, RULES, SHANGHAI, UNIT
from tests.test_screen import World, apply, tariffs

ON, OFF, ARMED = Switch.CONNECTED, Switch.DISCONNECTED, Switch.READY_FOR_RECONNECTION
LEAST = 10 * UNIT
WAITS = [MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR, DAY, 3 * DAY]


class SupplyRoad(RuleBasedStateMachine):
    """The account, its field and what was said about it."""

    @initialize(large=st.booleans(), direct=st.booleans(), hour=st.integers(0, 23))
    def begin(self, large, direct, hour):
        self.now = instant("2026-06-29T00:00:00+08:00") + hour * HOUR
        self.block = Accounts(empty_ledger(1), np.zeros(1, LEARNED), np.zeros(1, np.int64))
        self.look = np.zeros(1, OUTLOOK)
        self.offset = 0
        self.available = 100 * UNIT
        self.ledger = self.block.ledger
        self.ledger["settings_version"] = 1
        self.ledger["warning_hours"] = (168, 72, 24)
        self.ledger["reconnect_min_nanos"] = LEAST
        self.ledger["customer_class"] = 2 if large else 0
        self.ledger["direct_close_agreed"] = direct
        self.ledger["control_mode"] = 4 if direct else 3
        self.large, self.direct = large, direct
        self.heartbeat_age, self.caught_up = 0, True
        self.bodies, self.trips, self.restores, self.notices = {}, [], [], []
        self.proofs, self.approved, self.protections, self.plan = {}, {}, 0, False
        self.quarantined, self.estimated = False, False
        self.switch, self.reports, self.open_orders = ON, [], []
        self.proven_back = True  # no restore is waiting for its proof
        self.reading()

    # --- what happens ---

    @rule(wait=st.sampled_from(WAITS))
    def time_passes(self, wait):
        self.now += wait
        if due(self.ledger, self.now, RULES)[0]:
            self.judge()
        if not self.proven_back and self.armed_at is None:
            assert self.now - self.restores[-1].decided_at < 20 * MINUTE, "restore not repeated"

    @rule(spent=st.integers(0, 120), wait=st.sampled_from(WAITS), estimated=st.booleans())
    def energy_is_used(self, spent, wait, estimated):
        self.now += wait
        if self.switch is ON:
            self.available -= spent * UNIT
        self.estimated = estimated and wait < HOUR
        self.reading()

    def reading(self):
        self.ledger["read_at"] = self.now - 5 * MINUTE
        self.ledger["used_wh"][0, 0, 0] = 100_000
        self.ledger["day_wh"] = 1_000
        self.ledger["newest_quality"] = int(self.estimated)
        self.look_again()
        if needs_judgement(self.block, self.look, self.now, RULES)[0]:
            self.judge()

    @rule(paid=st.sampled_from([1, 9, 10, 300]), arrears=st.booleans())
    def customer_pays(self, paid, arrears):
        self.available = paid * UNIT + (max(self.available, 0) if arrears else self.available)
        self.ledger["ledger_changed"] = 1
        self.judge()

    @rule(why=st.sampled_from(["protected", "life_support", "plan", "held", "quarantined"]))
    def something_forbids_a_trip(self, why):
        if why == "held":
            self.protections |= 16
            return self.operator(Action.HOLD_SUPPLY)
        if why == "quarantined":  # comes without a look: only a tick or an event finds it
            self.quarantined = True
            self.ledger["quarantined"] = 1
            return None
        self.protections |= {"protected": 1, "life_support": 4, "plan": 0}[why]
        self.plan = why == "plan"
        return self.terms()

    @rule()
    def nothing_forbids_a_trip_any_more(self):
        self.protections, self.plan, self.quarantined = 0, False, False
        self.heartbeat_age, self.caught_up = 0, True
        self.operator(Action.RELEASE_SUPPLY)
        self.operator(Action.RELEASE_QUARANTINE)
        self.terms()

    def terms(self):
        self.ledger["protections"], self.ledger["payment_mode"] = self.protections, int(self.plan)
        self.judge()

    def operator(self, action):
        self.judge(OperatorActed("home", 0, self.now, action, "zhao", "because", self.now))

    @rule(who=st.sampled_from(["li", "li", "wang"]))
    def operator_approves(self, who):
        if self.notices:
            self.approved[who] = self.now
        approval = OperatorActed("home", 0, self.now, Action.APPROVE_TRIP, who, "yes", self.now)
        self.judge(approval)

    @rule(
        days=st.sampled_from([0, 0, 1, 4]),
        approved=st.sampled_from([True, True, False]),
        carried_out=st.booleans(),
    )
    def everything_goes_towards_a_trip(self, days, approved, carried_out):
        """Nothing left, notice delivered, and it is ten o'clock on a day that trips are sent."""
        self.now += days * DAY + (2 * HOUR - self.now) % DAY  # 02:00 UTC
        while datetime.fromtimestamp(self.now, SHANGHAI).weekday() > 3:
            self.now += DAY
        self.available = min(self.available, -UNIT)
        self.reading()
        if self.notices:
            self.a_notice_is_delivered(0, 0)
        if approved:
            self.operator_approves("li")
            self.operator_approves("wang")
        self.time_passes(30 * MINUTE)
        if carried_out and self.open_orders:
            self.field_carries_out(-1, works=True, report="prompt", obeys=True)

    @rule(age=st.sampled_from([0, 0, 0, 900, 901]), caught_up=st.sampled_from([True, True, False]))
    def payments_feed_changes(self, age, caught_up):
        self.heartbeat_age, self.caught_up = age, caught_up

    @precondition(lambda self: self.notices)
    @rule(pick=st.integers(0, 99), late=st.sampled_from([0, HOUR]))
    def a_notice_is_delivered(self, pick, late):
        notice = self.notices[-1 - pick % min(2, len(self.notices))]
        self.now += late
        self.proofs.setdefault(notice.effect_id, self.now)
        self.judge(NoticeDelivered("home", 0, self.now, notice.effect_id, self.now - late))

    @precondition(lambda self: self.open_orders)
    @rule(
        pick=st.integers(0, 99),
        works=st.sampled_from([True, True, True, False]),
        report=st.sampled_from(["prompt", "prompt", "late", "lost"]),
        obeys=st.booleans(),
    )
    def field_carries_out(self, pick, works, report, obeys):
        """Possibly a cancelled trip; then its report comes, sooner or later, for certain."""
        command = self.open_orders.pop(pick % len(self.open_orders))
        is_trip = isinstance(command, TripCommand)
        is_cancelled = is_trip and any(r.cancels == command.effect_id for r in self.restores)
        works = works and self.now <= command.expires_at and not (is_cancelled and obeys)
        if works and is_trip:
            self.switch = OFF
        elif works and self.switch is not ON:
            self.switch = ON if self.direct else ARMED
        if report != "lost" or (works and is_cancelled):
            self.reports.append((command.effect_id, self.switch, works, self.now))
        if report == "prompt":
            self.a_report_arrives(-1, again=False)

    @precondition(lambda self: self.switch is ARMED)
    @rule(reported=st.booleans())
    def customer_closes_the_armed_switch(self, reported):
        self.switch = ON
        if reported:
            self.reports.append(("", ON, True, self.now))

    @precondition(lambda self: self.reports)
    @rule(pick=st.integers(0, 99), again=st.sampled_from([False, False, True]))
    def a_report_arrives(self, pick, again):
        at = pick % len(self.reports)
        report = self.reports[at] if again else self.reports.pop(at)
        command_id, switch, works, reported_at = report
        self.judge(SwitchReported("home", 0, self.now, command_id, switch, works, reported_at))

    # --- what follows ---

    def look_again(self):
        hours = max(self.available / UNIT, 0.0)
        self.look["available_nanos"] = self.available
        for name in ("p10", "p50", "p90"):
            self.look[f"runway_hours_{name}"] = hours
        note_deadlines(self.ledger, self.look, RULES)

    def judge(self, event=None):
        self.offset += 1
        self.look_again()
        if event is not None:
            self.take(on_event(self.situation(), event))
        self.take(judge(self.situation()))
        assert not judge(self.situation()), "judging again says nothing more"
        self.check_who_must_have_supply()

    def situation(self):
        feed = Feed(self.now - self.heartbeat_age, caught_up=self.caught_up)
        cause = Cause(Source.READINGS, 0, self.offset)
        world = World(tariffs(), feed, RULES)
        return situation(self.block, self.look, 0, "home", self.now, cause, world)

    def take(self, verdict):
        for effect in verdict.effects:
            assert effect.effect_id not in self.bodies, "one id, one body"
            self.bodies[effect.effect_id] = effect
            match effect:
                case TripCommand():
                    self.check_trip(effect)
                    self.trips.append(effect)
                    self.open_orders.append(effect)
                case RestoreCommand():
                    self.restores.append(effect)
                    self.open_orders.append(effect)
                    self.proven_back, self.armed_at = False, None
                case DisconnectionNotice():
                    self.notices.append(effect)
                    self.approved = {}
                    assert self.available < 0
                    assert effect.amount_due_nanos == -self.available
                    assert self.protections == 0
                case LowBalanceWarning():
                    assert effect.tier != effect.previous_tier
        apply(self.block, 0, verdict)
        if self.ledger["stage"][0] != Stage.RESTORE_COMMANDED:
            self.proven_back = True
        elif verdict.changes.get("switch") == ARMED:
            self.armed_at = self.now

    armed_at = None

    def check_trip(self, trip):
        assert self.available < 0
        assert not self.protections
        assert not self.plan
        assert not self.quarantined
        assert not self.estimated
        assert self.caught_up
        assert self.heartbeat_age <= 900
        age = self.now - int(self.ledger["read_at"][0])
        assert age <= (2 if self.large else 26) * HOUR, "old reading"
        local = datetime.fromtimestamp(self.now, SHANGHAI)
        assert local.weekday() <= 3, "a day off or the day before one"
        opens = local.replace(hour=9, minute=0, second=0)
        assert opens <= local <= opens + timedelta(hours=6, minutes=30)
        notice = self.notices[-1]
        assert trip.effect_id.split(":")[2] == notice.effect_id.split(":")[2], "its own notice"
        assert self.now - self.proofs[notice.effect_id] >= 30 * MINUTE, "proof too young"
        if self.large:
            still = [at for at in self.approved.values() if self.now - at < DAY]
            assert len(still) == 2, "two different people"
            assert set(trip.approvers) == {"li", "wang"}
        assert not self.trips or self.trips[-1].expires_at <= self.now, "two trips alive"
        assert self.proven_back, "a restore is still being pursued"
        of_episode = [t for t in self.trips if t.notice_id == trip.notice_id]
        assert len(of_episode) < 3

    def check_who_must_have_supply(self):
        """After every look: who must not be off has a restore after his last trip."""
        if not self.trips:
            return
        restored = [r.decided_at for r in self.restores if r.cancels == self.trips[-1].effect_id]
        must_be_on = self.available >= LEAST or self.protections or self.plan or self.quarantined
        assert restored or not must_be_on, "paid or protected, but no restore was sent"

    @invariant()
    def exhausted_accounts_have_been_warned(self):
        if hasattr(self, "ledger") and self.available < 0 and not self.quarantined:
            assert self.ledger["tier"][0] == 3

    def teardown(self):
        """In the end the customer pays, the field does its work, and the light is on."""
        if not hasattr(self, "ledger"):
            return
        self.available = 1_000 * UNIT
        self.ledger["ledger_changed"] = 1
        self.judge()
        for _ in range(8):
            while self.reports:
                self.a_report_arrives(0, again=False)
            while self.open_orders:
                self.field_carries_out(0, works=True, report="prompt", obeys=True)
            if self.switch is ARMED:
                self.customer_closes_the_armed_switch(reported=True)
            if not self.reports:
                self.time_passes(DAY)
        assert self.switch is ON
        assert self.ledger["stage"][0] == Stage.NORMAL


SupplyRoad.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
TestSupplyRoad = SupplyRoad.TestCase
