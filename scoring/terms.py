"""What do new terms, and money, change in an account's row?

The scalar events that carry facts of the customer information system are entered here; facts of the
field and of operators belong to the road of decisions (`scoring.told`).  What follows from the new
row, a warning or a restore, is `scoring.decide`'s to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scoring import balance, customers, exchange, large, parts, postings
from scoring.balance import BillsClosed
from scoring.book import GROUP_BYTES
from scoring.days import DaysClosed
from scoring.decide import SET_BY_OPERATOR
from scoring.effects import Reason, Stage
from scoring.events import CustomerClass, PaymentReceived, PolicyChanged, SettingsChanged
from scoring.ids import text_hash
from scoring.plans import enter_plan
from scoring.procedures import USUAL_MODE_ARMED, USUAL_MODE_DIRECT
from scoring.situation import CUSTOMER_CLASSES, PAYMENT_MODES, PREPAID
from scoring.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from scoring.book import Accounts
    from scoring.events import AccountEvent, AccountSettings, PolicyTerms
    from scoring.late_charge import LateChargeRules
    from scoring.rules import SupplyRules
    from scoring.tariff import Tariffs

CALM_A_WARNING = ("credit_limit_nanos", "warning_amount_nanos", "warning_hours", "tariff_id")
"""Terms whose change may end a warning, as a payment may: without it a tier only rises."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of an event: `refused` whole, or entered.

    `is_repeat` is a payment that was counted before.  An exchange of meters may close local days
    (`days`), and its final register may be refused on its own (`final_refused`) while the terms are
    entered all the same.  `is_new_customer` says that somebody else uses the energy from now on.
    `unmet_nanos`: see `postings.Posted`.
    """

    refused: Reason | None = None
    final_refused: Reason | None = None
    is_repeat: bool = False
    unmet_nanos: int = 0
    is_new_customer: bool = False
    days: DaysClosed = field(default_factory=DaysClosed.none)


def enter(
    accounts: Accounts, event: AccountEvent, tariffs: Tariffs, rules: LateChargeRules
) -> Entered:
    """Enter an event's facts in the row of its one account.

    Events that carry no terms and no money change nothing here.
    """
    if isinstance(event, SettingsChanged):
        closed = BillsClosed()
        done = _enter_settings(accounts, event.settings, event.received_at, tariffs, closed)
        if closed.entries:
            postings.post_bills(accounts, closed, accounts.ledger["read_at"], tariffs, rules)
        return done
    if isinstance(event, PolicyChanged):
        return _enter_policy(accounts, event.policy)
    if isinstance(event, PaymentReceived):
        posted = postings.post_payment(accounts, event, tariffs, rules)
        return Entered(posted.refused, is_repeat=posted.is_repeat, unmet_nanos=posted.unmet_nanos)
    return Entered()


def _has_policy(accounts: Accounts) -> bool:
    return bool(len(accounts.annexes)) and bool(accounts.annexes.make(0)["policy_version"][0])


def _agree(accounts: Accounts, terms: AccountSettings | PolicyTerms) -> None:
    """The terms that a policy may set; without one they are the settings' own."""
    ledger = accounts.ledger
    ledger["payment_mode"] = PAYMENT_MODES.index(terms.payment_mode)
    ledger["warning_amount_nanos"] = terms.warning_amount_nanos
    ledger["warning_hours"] = [round(days * 24) for days in terms.warning_days]
    if terms.plan is not None or len(accounts.annexes):
        enter_plan(accounts.annexes.make(0), terms.plan, int(ledger["day"][0]))


def _enter_policy(accounts: Accounts, policy: PolicyTerms) -> Entered:
    """A policy's terms replace those of the settings, also of settings still to come.

    It says nothing of protections, switches, tariffs or meters, so it cannot change them.
    """
    annex = accounts.annexes.make(0)
    if policy.version < annex["policy_version"][0]:
        return Entered(Reason.SETTINGS_OUT_OF_ORDER)
    before = accounts.ledger[list(CALM_A_WARNING)].copy()
    annex["policy_version"] = policy.version
    _agree(accounts, policy)
    if (accounts.ledger[list(CALM_A_WARNING)] != before).any():
        accounts.ledger["ledger_changed"] = 1
    return Entered()


class Basis(NamedTuple):
    """On what the one account's balance rests; `lent_nanos` is what it may owe without a trip."""

    terms: tuple[object, ...]
    customer_hash: int
    is_prepaid: bool
    is_large: bool
    lent_nanos: int


def basis(accounts: Accounts) -> Basis | None:
    """On what the one account's balance rests now; None before any terms."""
    ledger = accounts.ledger
    if not ledger["settings_version"][0]:
        return None
    annex = accounts.annexes.row(0)
    emergency_nanos = 0 if annex is None else int(annex["emergency_credit_nanos"][0])
    return Basis(
        tuple(ledger[name][0] for name in RESTS_ON),
        int(ledger["customer_hash"][0]),
        int(ledger["payment_mode"][0]) == PREPAID,
        CUSTOMER_CLASSES[int(ledger["customer_class"][0])] is CustomerClass.LARGE,
        int(ledger["credit_limit_nanos"][0]) + emergency_nanos,
    )


RESTS_ON = ("payment_mode", "tariff_id", "meter_hash")


def unsettle(accounts: Accounts, was: Basis | None, at: int, rules: SupplyRules) -> None:
    """If the balance rests on something else than it `was`, nobody is tripped by it for a while.

    The opening balance, the old meter's last figures and late readings are still on their way; who
    is lent less than before, and is on no trip's way yet, must hear of it; and nobody gets round
    the approvals for a large customer by calling it a small one.  Whoever moves to prepayment
    owing money is not cut for it sooner than the law would have allowed; nor who moves in where
    somebody else owed: it takes the clerks time to move a debt to whom it belongs.
    """
    now = basis(accounts)
    if was is None or now is None:
        return
    days = rules.unsettled_days
    owes = int(accounts.ledger["ledger_nanos"][0]) < 0
    is_somebody_else = was.customer_hash not in (0, now.customer_hash)
    if owes and (is_somebody_else or (now.is_prepaid and not was.is_prepaid)):
        days = max(days, rules.arrears_overdue_days + rules.written_notice_resident_days)
    is_on_its_way = accounts.ledger["stage"][0] in (Stage.TRIP_COMMANDED, Stage.TRIPPED)
    lent_less = now.lent_nanos < was.lent_nanos and not is_on_its_way
    needs_fewer_approvals = was.is_large and not now.is_large
    if now.terms != was.terms or is_somebody_else or lent_less or needs_fewer_approvals:
        annex = accounts.annexes.make(0)
        until = at + days * SECONDS_PER_DAY
        annex["unsettled_until"] = np.maximum(annex["unsettled_until"], until)


def _enter_settings(
    accounts: Accounts, settings: AccountSettings, at: int, tariffs: Tariffs, closed: BillsClosed
) -> Entered:
    """The newest terms replace all older ones, but never what a person has set."""
    ledger = accounts.ledger
    if settings.version < ledger["settings_version"][0]:
        return Entered(Reason.SETTINGS_OUT_OF_ORDER)
    before = ledger[list(CALM_A_WARNING)].copy()
    _end_part(accounts, settings, at, tariffs, closed)
    ledger["settings_version"] = settings.version
    ledger["customer_class"] = CUSTOMER_CLASSES.index(settings.customer_class)
    ledger["tariff_id"] = settings.tariff_id.encode()
    ledger["max_power_w"] = settings.max_power_w
    ledger["credit_limit_nanos"] = settings.credit_limit_nanos
    ledger["reconnect_min_nanos"] = settings.reconnect_min_nanos
    held = int(ledger["protections"][0]) & SET_BY_OPERATOR
    ledger["protections"] = held | sum(settings.protections)
    ledger["direct_close_agreed"] = settings.direct_close_agreed
    usual = USUAL_MODE_DIRECT if settings.direct_close_agreed else USUAL_MODE_ARMED
    mode = settings.control_mode
    ledger["control_mode"] = usual if mode is None else mode
    if settings.emergency_credit_nanos or len(accounts.annexes):
        accounts.annexes.make(0)["emergency_credit_nanos"] = settings.emergency_credit_nanos
    if not _has_policy(accounts):
        _agree(accounts, settings)
    for name in GROUP_BYTES:
        ledger[name] = getattr(settings.groups, name).encode()
    ledger["feeder"] = settings.feeder.encode()
    is_new_customer = bool(settings.customer_id) and customers.enter(accounts, settings.customer_id)
    if (ledger[list(CALM_A_WARNING)] != before).any():
        ledger["ledger_changed"] = 1
    accounts.tariff_index[:] = tariffs.index_of(ledger["tariff_id"])
    large.enter_terms(accounts, settings.basic)
    if len(accounts.annexes) and int(ledger["meter_hash"][0]) != text_hash(settings.meter.meter_id):
        large.new_meter(accounts.annexes)
    changed = exchange.change_meter(
        ledger, settings.meter, tariffs, accounts.tariff_index, closed, accounts.annexes
    )
    return Entered(
        final_refused=changed.final_reason, days=changed.days, is_new_customer=is_new_customer
    )


def _end_part(
    accounts: Accounts, settings: AccountSettings, at: int, tariffs: Tariffs, closed: BillsClosed
) -> None:
    """Keep apart what was used so far, if the terms now change by which it is priced.

    The new ones hold from the local day of `at` on: its days are charged by them, and its energy
    from the newest reading on (`parts.end_parts`).
    """
    ledger, annexes, index = accounts.ledger, accounts.annexes, accounts.tariff_index
    same_tariff = settings.tariff_id.encode() == ledger["tariff_id"][0]
    if same_tariff and large.agreed(settings.basic) == large.held(annexes):
        return
    if not ledger["month"][0] or index[0] < 0:
        return
    when = np.array([at])
    if tariffs.month_of(index, when)[0] > ledger["month"][0]:
        balance.close_months(ledger, tariffs, index, when + 1, closed, annexes)
    day = np.minimum(
        tariffs.day_of(index, when), tariffs.month_first_day(ledger["month"].astype(np.int64) + 1)
    )
    parts.end_previous(ledger, annexes, 0, tariffs)
    parts.end_parts(ledger, annexes, np.zeros(1, np.int64), tariffs, index, day)
