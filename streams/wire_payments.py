"""What does a record of `payments` say: money, on its way or here, corrections, costs, a heartbeat?

The strict shape of the one topic that moves money, decoded into `scoring.events`; whatever bytes
come, the answer is an event or a named refusal.  It stands apart from the other control topics
because it has kinds, and each kind its own conditions.  How it is written is in `wire_inputs`, what
it does to a ledger in `scoring.postings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003 - msgspec reads the annotations
from typing import Annotated

import msgspec

from scoring.debts import Pays
from scoring.effects import Reason
from scoring.events import PaymentKind, PaymentReceived
from streams.wire_base import (
    Body,
    Id,
    Instant,
    Money,
    Record,
    Refused,
    account_of,
    nanos_of,
    read,
    received_at,
    seconds_of,
)

EARLIEST_YEAR, LATEST_YEAR = 2000, 2099

PAYS_FORM = r"^(|costs|late-charge|20[0-9]{2}-(0[1-9]|1[0-2]))$"

LANDINGS = (PaymentKind.SETTLED, PaymentKind.FAILED)
CLAIMS = (PaymentKind.ADJUSTMENT, PaymentKind.OPENING_BALANCE)


class PaymentBody(Body, kw_only=True):
    """A record of payments that has a key.

    `amount` is left out where an in-flight payment is settled or has failed, since its own record
    said it.  `pays` is what the customer pays with it, or the month that is corrected: "costs",
    "late-charge" or a billing month such as "2026-05".
    """

    account_id: Id
    payment_id: Id
    kind: PaymentKind = PaymentKind.PAYMENT
    amount: Money | None = None
    paid_at: Instant
    pays: Annotated[str, msgspec.Meta(pattern=PAYS_FORM)] = ""
    due_on: date | None = None


class HeartbeatBody(Body):
    """A record of payments without a key: all payments up to this instant have been sent."""

    heartbeat_at: Instant


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The payments system says that it has sent all payments up to `heartbeat_at`."""

    heartbeat_at: int
    source_offset: int
    received_at: int


_payment_decoder = msgspec.json.Decoder(PaymentBody)
_heartbeat_decoder = msgspec.json.Decoder(HeartbeatBody)


def decode_payment(record: Record, partitions: int) -> PaymentReceived | Heartbeat:
    """What a record of `payments` says; Refused by name if it cannot be taken."""
    if record.key is None:
        beat = read(_heartbeat_decoder, record)
        at = seconds_of(beat.heartbeat_at, "heartbeatAt")
        return Heartbeat(at, record.offset, received_at(record))
    body = read(_payment_decoder, record)
    if body.due_on is not None and body.kind not in CLAIMS:
        raise Refused(Reason.WRONG_SHAPE, f"dueOn means nothing for kind {body.kind.value}")
    if body.pays and body.kind in LANDINGS:
        raise Refused(Reason.WRONG_SHAPE, f"pays means nothing for kind {body.kind.value}")
    return PaymentReceived(
        *account_of(record, body.account_id, partitions),
        body.payment_id,
        _amount_of(body),
        seconds_of(body.paid_at, "paidAt"),
        body.kind,
        _pays_of(body.pays),
        _due_day_of(body.due_on),
    )


def _amount_of(body: PaymentBody) -> int:
    """The amount its kind wants; Refused when it is missing, too much, or of the wrong sign."""
    kind = body.kind
    if (body.amount is None) != (kind in LANDINGS):
        wanted = "no amount" if kind in LANDINGS else "an amount"
        raise Refused(Reason.WRONG_SHAPE, f"kind {kind.value} wants {wanted}")
    if body.amount is None:
        return 0
    amount = nanos_of(body.amount, "amount")
    if amount <= 0 and kind in (PaymentKind.IN_FLIGHT, PaymentKind.COLLECTION_COSTS):
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, f"amount of kind {kind.value} is not above zero")
    return amount


def _pays_of(pays: str) -> int:
    """What is paid, as `debts.Pays` or a billing month."""
    named = {"": Pays.ANYTHING, "costs": Pays.COSTS, "late-charge": Pays.LATE_CHARGE}
    if pays in named:
        return named[pays]
    year, month = pays.split("-")
    return int(year) * 12 + int(month) - 1


def _due_day_of(due_on: date | None) -> int:
    if due_on is None:
        return 0
    if not EARLIEST_YEAR <= due_on.year <= LATEST_YEAR:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, f"dueOn {due_on} is not in 2000 to 2099")
    return due_on.toordinal()
