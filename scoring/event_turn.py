"""What do events do to their accounts, and what follows from them?

A payment, terms, a report, a person's action or a receipt: its facts are entered one by one, since
each kind has its own (`scoring.terms`), and what follows from them in columns.  Which events are
entered together is told in `scoring.scoring`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scoring import decide, postings
from scoring.book import Accounts
from scoring.effects import DecisionKind, Reason, RefusedReading
from scoring.events import (
    NoticeDelivered,
    OperatorActed,
    PaymentReceived,
    PolicyChanged,
    SettingsChanged,
    Source,
    SwitchReported,
)
from scoring.situation import decision
from scoring.terms import basis, enter, unsettle
from scoring.turn import Turn, broken_beliefs
from scoring.units import money_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scoring.events import AccountEvent
    from scoring.shares import Shares

SOURCE_OF: dict[type, Source] = {
    SettingsChanged: Source.SETTINGS,
    PolicyChanged: Source.SETTINGS,
    PaymentReceived: Source.PAYMENTS,
    SwitchReported: Source.SWITCH_REPORTS,
    OperatorActed: Source.OPERATOR_ACTIONS,
    NoticeDelivered: Source.DELIVERY_RECEIPTS,
}


def score_event_turn(
    events: Sequence[AccountEvent], rows: NDArray[np.int64], shares: Shares
) -> None:
    """Enter at most one event of each account: its facts one by one, what follows in columns."""
    accounts = Accounts.beside([share.book.take(rows[here]) for share, here in shares.parts()])
    source, world = SOURCE_OF[type(events[0])], shares.world
    entered, is_new = np.zeros(len(events), np.bool_), np.zeros(len(events), np.bool_)
    days, unmet = [], []
    for i, event in enumerate(events):
        one, scored = accounts.one(i), shares.at(i).scored
        if event.source_offset <= one.ledger["source_offset"][0, source]:
            scored.count("already_counted", 1)
            continue
        was = basis(one)
        done = enter(one, event, world.tariffs, world.late_charges)
        for reason in filter(None, (done.refused, done.final_refused)):
            scored.refusals.append(RefusedReading(event.source_offset, int(rows[i]), reason))
        scored.count("repeated", int(done.is_repeat))
        if done.refused is None:
            unsettle(one, was, event.received_at, world.rules)
            accounts.keep_annex(i, one)
            one.ledger["source_offset"][0, source] = event.source_offset
            entered[i], is_new[i] = True, done.is_new_customer
            days.append(done.days.of(np.array([int(entered[:i].sum())])))
            unmet.append(done.unmet_nanos)
    if not entered.any():
        return
    for share, here in shares.parts():
        share.book.pools.forget(rows[here][is_new[here]])
    taken = [event for event, is_in in zip(events, entered, strict=True) if is_in]
    offsets = np.array([event.source_offset for event in taken], np.int64)
    now = np.array([event.received_at for event in taken], np.int64)
    turn = Turn(accounts.take(entered), rows[entered], source, offsets, now, shares.take(entered))
    for closed in days:
        turn.tell_days(closed, np.zeros(len(taken), np.bool_))
    for position, event in enumerate(taken):
        _answer(turn, position, event, bool(is_new[entered][position]), unmet[position])
    broken = broken_beliefs(turn.accounts)
    turn.decide(turn.screen() & ~broken)
    turn.put(broken, is_new[entered] & ~broken)


def _answer(turn: Turn, position: int, event: AccountEvent, is_new: bool, unmet: int) -> None:
    """What an event that has been entered brings at once."""
    if isinstance(event, SwitchReported | OperatorActed | NoticeDelivered):
        turn.take(position, decide.on_event(turn.here(position), event))
    elif is_new:
        turn.take(position, decide.on_new_customer(turn.here(position)))
        one = slice(position, position + 1)  # whose next warning is not the former one's
        decide.note_deadlines(turn.accounts.ledger[one], turn.look[one], turn.shares.world.rules)
    elif isinstance(event, PaymentReceived):
        _tell_if_kept(turn, position, event)
        if unmet:
            told = postings.unmet_text(event, unmet)
            here = turn.here(position)
            turn.take(position, decision(here, DecisionKind.DESIGNATION_UNMET, told))


def _tell_if_kept(turn: Turn, position: int, paid: PaymentReceived) -> None:
    """Money for an account whose terms nobody has stated yet is kept for it, and told by name.

    It is a refusal too, `unknown_account`, since the payer's number may be wrong: whoever looks
    after payments reads those.  Sent again after the terms, its id counts once.
    """
    here = turn.here(position)
    if here.settings_version == 0:
        row, scored = int(turn.rows[position]), turn.shares.at(position).scored
        refused = RefusedReading(paid.source_offset, row, Reason.UNKNOWN_ACCOUNT)
        scored.refusals.append(refused)
        scored.count("kept_for_unknown_account", 1)
        detail = f"{paid.kind.value} {paid.payment_id} of {money_text(paid.amount_nanos)} is kept"
        told = f"{detail} until the account's terms are stated"
        turn.take(position, decision(here, DecisionKind.PAYMENT_KEPT, told))
