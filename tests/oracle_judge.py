"""Was anybody cut off wrongly, not warned, not given back, or told two things under one id?

The judgments over a whole run: the oracle's truth on one side, what Kilowatch said and what the
field did on the other.  The limits are those of domain.md 6, written here again on purpose: a limit
changed by mistake in `scoring.rules` must show.  Each judgment is one sentence a person can follow
up by account and id.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.oracle import NANOS, Account, Oracle, billed_nanos, small
from tests.oracle_facts import LogRecord, seconds_of
from tests.oracle_weather import forbidden_by_weather, stated_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.field import Execution
    from tests.oracle_usage import UsageOracle

HOUR = 3_600
NOTICE_LEAD_SECONDS = 30 * 60
TRIP_WINDOW_HOURS = (9, 16)
COMMAND_LIFE_SECONDS = 30 * 60
APPROVAL_LIFE_SECONDS = 24 * HOUR
MAX_AGE_SECONDS = {"resident": 26 * HOUR, "business": 26 * HOUR, "large": 2 * HOUR}
MAX_ESTIMATED_SHARE = 0.02
RESTORE_WITHIN_SECONDS = 2 * HOUR
UNSETTLED_SECONDS = 5 * 24 * HOUR
OVERDUE_DAYS = 30
PAYMENT_MODE = {"prepaid_trip": "prepaid", "arrears_stop": "plan"}
APPROVERS = {
    "prepaid_trip": {"resident": 0, "business": 0, "large": 2},
    "arrears_stop": {"resident": 1, "business": 1, "large": 2},
}

WARNINGS, NOTICES = "low-balance-warnings", "disconnection-notices"
TRIPS, RESTORES, DAYS = "trip-commands", "restore-commands", "daily-usage"
EFFECT_TOPICS = (
    *(WARNINGS, NOTICES, TRIPS, RESTORES, DAYS),
    *("decisions", "account-forecasts", "plan-notices", "status-reads", "work-items"),
)


@dataclass
class Said:
    """All effects of a run, once each, and the faults of saying."""

    by_topic: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    by_id: dict[str, bytes] = field(default_factory=dict)
    two_bodies: list[str] = field(default_factory=list)
    repeats: int = 0

    @classmethod
    def of(cls, records: Iterable[LogRecord]) -> Said:
        """The effects among these records of the effect topics."""
        said = cls()
        for record in records:
            assert record.value is not None
            body = json.loads(record.value)
            effect_id = body["effectId"]
            known = said.by_id.setdefault(effect_id, record.value)
            if known is record.value:
                said.by_topic[record.topic].append(body)
            elif known == record.value:
                said.repeats += 1
            else:
                said.two_bodies.append(
                    f"{effect_id} was said twice: {known!r} and {record.value!r}"
                )
        return said

    def of_account(self, topic: str, account_id: str) -> list[dict[str, Any]]:
        """One account's effects of one kind, in order of decision."""
        chosen = [body for body in self.by_topic[topic] if body["accountId"] == account_id]
        return sorted(chosen, key=lambda body: seconds_of(body["decidedAt"]))


@dataclass(frozen=True)
class Moment:
    """The state of one account right after one accepted reading."""

    received_at: int
    billed_nanos: int
    estimated_share: float
    is_measured: bool


class Witness(Oracle):
    """An oracle that keeps how each account stood at the readings which trips name as grounds.

    `inputs`: the records themselves; `moments`: by account and as-of time, the states right after
    every accepted reading that led to that time.
    """

    def __init__(self, records: Iterable[LogRecord], said: Said) -> None:
        self.moments: dict[tuple[str, int], list[Moment]] = defaultdict(list)
        self._named = {
            (trip["accountId"], seconds_of(trip["evidence"]["readAt"]))
            for trip in said.by_topic[TRIPS]
        }
        self.inputs = list(records)
        super().__init__(self.inputs)

    def counted(self, account: Account, received_at: int, quality: str) -> None:
        """Keep the state if a trip names it."""
        usage = account.usage
        assert usage is not None
        key = (account.account_id, usage.read_at)
        if key in self._named:
            guessed = sum(usage.estimated_by_month_and_period().values())
            used = sum(sum(usage.used_wh(month).values()) for month in open_months(usage))
            self.moments[key].append(
                Moment(
                    received_at,
                    billed_nanos(self.sheets, usage),
                    guessed / used if used else 0.0,
                    quality.split(".", maxsplit=1)[0] in ("0", "1"),
                )
            )


def wrongful_trips(oracle: Witness, said: Said) -> list[str]:
    """Trip commands that should not have been sent, by the truth known at their time."""
    wrong = []
    for trip in said.by_topic[TRIPS]:
        account = oracle.accounts[trip["accountId"]]
        at = seconds_of(trip["decidedAt"])
        reasons = [
            *_by_terms(account, at, trip),
            *_by_tenant(account, at, trip, said),
            *_by_approval(account, at, trip, said),
            *_by_clock(oracle, account, at, trip),
            *_by_notice(account, at, trip, said),
            *_by_money_and_reading(account, at, trip, oracle.moments),
        ]
        wrong += [f"{trip['effectId']} at {trip['decidedAt']}: {reason}" for reason in reasons]
    return wrong


def _by_terms(account: Account, at: int, trip: dict[str, Any]) -> list[str]:
    terms = account.terms(at)
    if terms is None:
        return ["no settings yet"]
    reasons = [f"protected: {name}" for name in terms["protections"]]
    mode = PAYMENT_MODE[trip["procedure"]]
    if terms["paymentMode"] != mode:
        reasons.append(f"not {mode}")
    code = terms.get("controlMode", 4 if terms.get("directCloseAgreed") else 3)
    if code == 0 or (code in (2, 4) and not terms.get("directCloseAgreed")):
        reasons.append(f"a switch in mode {code} cannot be closed again as agreed")
    known = sorted(account.settings, key=lambda each: each[0])
    for (_, older), (stamped, newer) in pairwise(known):
        basis = [(t["paymentMode"], t["tariffId"], t["meter"]["meterId"]) for t in (older, newer)]
        if basis[0] != basis[1] and stamped <= at < stamped + UNSETTLED_SECONDS:
            reasons.append("its meter, tariff or mode has changed within five days")
    acted = [action for stamped, action, _ in account.actions if stamped <= at]
    holding = ("hold-supply", "reject-trip", "dispute")
    supply = [action for action in acted if action in (*holding, "release-supply")]
    if supply and supply[-1] in holding:
        reasons.append("held by an operator")
    return reasons


def _by_tenant(account: Account, at: int, trip: dict[str, Any], said: Said) -> list[str]:
    """Who moves in has heard nothing yet, and is left alone for some days."""
    moved = max(account.moves(at), default=0)
    told = [json.loads(said.by_id[n]) for n in _notice_ids(account, trip, said) if n in said.by_id]
    reasons = ["somebody moved in within five days"] if at < moved + UNSETTLED_SECONDS else []
    heard = [notice["effectId"] for notice in told if seconds_of(notice["decidedAt"]) < moved]
    return [*reasons, *(f"{name} was said to a former tenant" for name in heard)]


def _by_approval(account: Account, at: int, trip: dict[str, Any], said: Said) -> list[str]:
    """As many different people as the class wants, after the first notice and not too long ago."""
    terms = account.terms(at)
    notice = said.by_id.get(_notice_ids(account, trip, said)[0])
    if terms is None or notice is None:
        return []  # without a notice it is wrongful anyway
    needed = APPROVERS[trip["procedure"]][terms["customerClass"]]
    since = max(seconds_of(json.loads(notice)["decidedAt"]), at - APPROVAL_LIFE_SECONDS + 1)
    approved = {
        who for s, what, who in account.actions if what == "approve-trip" and since <= s <= at
    }
    reasons = [] if len(approved) >= needed else [f"{len(approved)} approved, {needed} must"]
    if not set(trip["approvers"]) <= approved:
        reasons.append(f"{trip['approvers']} are said to have approved, but {approved} did")
    return reasons


def _notice_ids(account: Account, trip: dict[str, Any], said: Said) -> list[str]:
    """The notices this trip's episode needs, in order; the newest of each step."""
    episode = trip["effectId"].split(":")[2]
    if trip["procedure"] == "prepaid_trip":
        return [f"{account.account_id}:notice:{episode}"]
    found = []
    for step in ("dunning", "written-notice", "second-notice"):
        start = f"{account.account_id}:{step}:{episode}:"
        numbers = [int(name.removeprefix(start)) for name in said.by_id if name.startswith(start)]
        by_then = [
            n for n in numbers
            if seconds_of(json.loads(said.by_id[f"{start}{n}"])["decidedAt"])
            <= seconds_of(trip["decidedAt"])
        ]  # fmt: skip
        found.append(f"{start}{max(by_then, default=0)}")
    return found


def _by_clock(oracle: Witness, account: Account, at: int, trip: dict[str, Any]) -> list[str]:
    terms = account.terms(at)
    assert terms is not None
    zone = ZoneInfo(oracle.sheets.at(terms["tariffId"], at).zone.key)
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    expires = seconds_of(trip["expiresAt"])
    end = datetime.fromtimestamp(expires, UTC).astimezone(zone)
    opens, closes = TRIP_WINDOW_HOURS
    tomorrow = local + timedelta(days=1)
    reasons = []
    if local.weekday() > 4 or tomorrow.weekday() > 4:
        reasons.append(f"on a day off or the day before one ({local:%A})")
    is_late = end.date() != local.date() or end.time() > time(closes)
    if local.time() < time(opens) or is_late:
        reasons.append(f"outside {opens} to {closes} o'clock: {local:%H:%M} to {end:%H:%M}")
    if expires - at > COMMAND_LIFE_SECONDS:
        reasons.append("lives too long")
    area = terms.get("groups", {}).get("area", "")
    return reasons + forbidden_by_weather(stated_by(oracle.inputs, at), area, zone, at, expires)


def _by_notice(account: Account, at: int, trip: dict[str, Any], said: Said) -> list[str]:
    """Every step of its procedure was said, proven, and long enough before the one after it."""
    reasons = []
    for name, waited, wait in _waits(account, at, trip, said):
        if name not in said.by_id:
            reasons.append(f"{name} was never sent")
        elif waited is None or waited < wait:
            reasons.append(f"{name} not proven {wait // 60} minutes before the next step")
    return reasons


def _waits(
    account: Account, at: int, trip: dict[str, Any], said: Said
) -> list[tuple[str, int | None, int]]:
    """Each notice, the seconds from its proof to the next step or the trip, and those it must."""
    terms = account.terms(at)
    assert terms is not None
    ids = _notice_ids(account, trip, said)
    written = (7 if terms["customerClass"] == "resident" else 3) * 24 * HOUR
    waits = [0, written, NOTICE_LEAD_SECONDS][-len(ids) :]
    proven = [account.receipts.get(name) for name in ids]
    return [
        (name, None if one is None or following is None else following - one, wait)
        for name, one, following, wait in zip(ids, proven, [*proven[1:], at], waits, strict=True)
    ]


def short_notices(oracle: Oracle, said: Said) -> list[str]:
    """Trips that came sooner after a proven notice than the notice must stand."""
    return [
        f"{trip['effectId']}: {name} stood {waited / 60:.1f} of {wait // 60} minutes"
        for trip in said.by_topic[TRIPS]
        for name, waited, wait in _waits(
            oracle.accounts[trip["accountId"]], seconds_of(trip["decidedAt"]), trip, said
        )
        if waited is not None and waited < wait
    ]


def _by_money_and_reading(
    account: Account, at: int, trip: dict[str, Any], moments: dict[tuple[str, int], list[Moment]]
) -> list[str]:
    terms, evidence = account.terms(at), trip["evidence"]
    assert terms is not None
    read_at = seconds_of(evidence["readAt"])
    reasons = []
    if at - read_at > MAX_AGE_SECONDS[terms["customerClass"]]:
        reasons.append(f"newest reading is {(at - read_at) / HOUR:.1f} h old")
    told = small(evidence["bill"], NANOS)
    here = moments.get((account.account_id, read_at), [])
    if not here:
        return [*reasons, "its evidence names a reading that never counted"]
    if trip["procedure"] == "arrears_stop":
        return [*reasons, *_by_arrears(account, at)]
    credit = small(terms["creditLimit"], NANOS)
    worst = [account.paid_nanos(at) + credit - m.billed_nanos for m in here]
    if min(worst) >= 0:
        reasons.append(f"{min(worst) / NANOS:.9f} was left (it believed a bill of {told / NANOS})")
    if all(m.estimated_share > MAX_ESTIMATED_SHARE for m in here):
        reasons.append(f"{here[-1].estimated_share:.1%} of the period is estimated")
    if not any(m.is_measured for m in here):
        reasons.append("the newest reading is an estimate")
    return reasons


def _by_arrears(account: Account, at: int) -> list[str]:
    """A bill is overdue for more than thirty days, by the books at that time."""
    due = [day for stamped, day in account.oldest_due if stamped <= at]
    oldest = due[-1] if due else None
    if oldest is None or (account.local_date(at) - oldest).days <= OVERDUE_DAYS:
        return [f"nothing is overdue by more than {OVERDUE_DAYS} days; the oldest was due {oldest}"]
    return []


def open_months(usage: UsageOracle) -> list[int]:
    """The billing months that still take energy."""
    assert usage.month is not None
    return [usage.month, usage.month - 1] if usage.previous_open else [usage.month]


def missed_warnings(oracle: Oracle, said: Said) -> list[str]:
    """Accounts whose money ran low or out, by the truth at the end, without a standing warning."""
    missed = []
    for account in oracle.accounts.values():
        warnings = said.of_account(WARNINGS, account.account_id)
        # by what each stood on, not by when: after a standstill old ticks are judged late
        raised_on = [seconds_of(w["evidence"]["readAt"]) for w in warnings if w["tier"] != "normal"]
        first = min(raised_on, default=2**62)
        missed += [
            f"{notice['effectId']} without a warning before it"
            for notice in said.of_account(NOTICES, account.account_id)
            if first > seconds_of(notice["evidence"]["readAt"])
        ]
        terms = account.terms(2**62)
        if terms is None or not account.accepted:
            continue
        left = oracle.balance_nanos(account.account_id) + small(terms["creditLimit"], NANOS)
        is_warned = bool(warnings) and max(warnings, key=_place)["tier"] != "normal"
        if left < small(terms["warningAmount"], NANOS) and not is_warned:
            missed.append(f"{account.account_id} has {left / NANOS:.9f} left and was not warned")
    return missed


def _place(warning: dict[str, Any]) -> list[int]:
    """Episode and number: what is made up for after a crash bears an older hour than it follows."""
    return [int(part) for part in warning["effectId"].split(":")[-2:]]


def not_restored(
    oracle: Oracle, said: Said, executions: list[Execution], ended_at: int
) -> list[str]:
    """Accounts that paid and were left in the dark without so much as a command."""
    dark = []
    cancelled = {_trip_episode(restore["cancels"]) for restore in said.by_topic[RESTORES]}
    newest: dict[str, Execution] = {}
    for execution in sorted(executions, key=lambda e: e.at):
        newest[execution.account_id] = execution
    for account_id, execution in newest.items():
        if not execution.is_trip or _trip_episode(execution.command_id) in cancelled:
            continue
        account = oracle.accounts[account_id]
        terms = account.terms(ended_at)
        assert terms is not None
        credit, least = (small(terms[n], NANOS) for n in ("creditLimit", "reconnectMin"))
        early = ended_at - RESTORE_WITHIN_SECONDS
        left = account.paid_nanos(early) - oracle.billed_nanos(account) + credit
        later_reversals = account.paid_nanos() < account.paid_nanos(early)
        is_paid = left >= max(0, least) and not later_reversals
        has_moved = any(execution.at < moved for moved in account.moves(early))
        if execution.at < early and (is_paid or has_moved):
            dark.append(
                f"{account_id} has {left / NANOS:.2f} and stays tripped by {execution.command_id}"
            )
    return dark


def _trip_episode(trip_id: str) -> str:
    """`home-1:trip:3` of the trip command `home-1:trip:3:2`, its second attempt."""
    return trip_id.rsplit(":", 1)[0]


def wrong_days(oracle: Oracle, said: Said) -> list[str]:
    """Closed local days that were not told, or told with other figures."""
    told = {
        (body["accountId"], body["localDate"]): (body["usedWh"], body["estimatedWh"])
        for body in said.by_topic[DAYS]
    }
    true = oracle.closed_days()
    wrong = [f"{key} was not told, it is {true[key]}" for key in sorted(true.keys() - told.keys())]
    wrong += [
        f"{key} was told as {told[key]} but never closed" for key in told.keys() - true.keys()
    ]
    wrong += [
        f"{key} was told as {told[key]}, it is {true[key]}"
        for key in sorted(true.keys() & told.keys())
        if told[key] != true[key]
    ]
    return wrong
