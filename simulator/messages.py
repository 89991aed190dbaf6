"""What do the outside systems write, to the letter?

One function for each kind of record of the utility's systems (customer information, payments,
field, operators), in the wire format that `streams.wire` reads.  It stands apart from `world` so
that the form of a record can be checked without running one.  Readings are written by `meters`,
which knows what a meter shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scoring.units import instant_text
from simulator.meters import compact
from streams import topics
from streams.wire_interlock import InterlockAction, encode_interlock_action

if TYPE_CHECKING:
    from simulator.customers import Customer
    from simulator.field import Happening
    from simulator.meters import Meter
    from streams.wire_base import Encoded

RANK = {
    topics.TARIFFS: 0,
    topics.MORATORIA: 0,
    topics.ACCOUNT_SETTINGS: 1,
    topics.PAYMENTS: 2,
    topics.SWITCH_REPORTS: 3,
    topics.DELIVERY_RECEIPTS: 4,
    topics.OPERATOR_ACTIONS: 5,
    topics.READINGS: 6,
    topics.TICKS: 8,
}
HEARTBEAT_RANK = 7
"""Order of the records of one instant: what changes an account before what is judged by it."""


class Input(NamedTuple):
    """One record for Kafka: `at` is its CreateTime, in seconds of simulated time."""

    topic: str
    partition: int
    key: str | None
    value: bytes
    at: int


def as_input(encoded: Encoded, partition: int, at: int) -> Input:
    """A message of the wire as a record for Kafka."""
    return Input(encoded.topic, partition, (encoded.key or b"").decode(), encoded.value, at)


class Terms(NamedTuple):
    """What the customer information system states besides the meter; amounts in whole units."""

    tariff_id: str
    credit_limit: int
    warning_amount: int
    reconnect_min: int
    direct_close_agreed: bool
    warning_days: tuple[float, float, float] = (7, 3, 1)
    feeder: str = ""
    area: str = ""
    collector: str = ""
    industry: str = ""
    voltage_level: str = ""


def settings(
    customer: Customer,
    partition: int,
    version: int,
    meter: Meter,
    terms: Terms,
    at: int,
    exchange: dict[str, Any] | None = None,
    tenant: int = 0,
) -> Input:
    """The terms of an account, whole; `exchange` adds the figures of a meter exchange."""
    body = {
        "version": 1,
        "accountId": customer.account_id,
        "settingsVersion": version,
        "customerClass": customer.kind.customer_class,
        "paymentMode": customer.payment_mode,
        "tariffId": terms.tariff_id,
        "maxPowerW": customer.max_power_w,
        "meter": {
            "meterId": meter.meter_id,
            "installedAt": instant_text(at),
            "multiplier": meter.multiplier,
            "registerModulusWh": meter.modulus_wh,
        }
        | (exchange or {}),
        "creditLimit": f"{terms.credit_limit}.00",
        "warningAmount": f"{terms.warning_amount}.00",
        "warningDays": list(terms.warning_days),
        "reconnectMin": f"{terms.reconnect_min}.00",
        "protections": [customer.protection] if customer.protection else [],
        "directCloseAgreed": terms.direct_close_agreed,
        "feeder": terms.feeder,
        "groups": {
            "area": terms.area,
            "collector": terms.collector,
            "industry": terms.industry,
            "voltageLevel": terms.voltage_level,
        },
    }
    if tenant:
        body["customerId"] = f"{customer.account_id}-tenant-{tenant}"
    if customer.payment_mode == "plan":
        body["plan"] = {}  # the usual one
    return Input(topics.ACCOUNT_SETTINGS, partition, customer.account_id, compact(body), at)


def payment(account_id: str, partition: int, number: int, amount: int, at: int) -> Input:
    """Money received, in whole units of currency; negative for a reversal."""
    body = {
        "version": 1,
        "accountId": account_id,
        "paymentId": f"pay-{account_id}-{number}",
        "amount": f"{amount}.00",
        "paidAt": instant_text(at),
    }
    return Input(topics.PAYMENTS, partition, account_id, compact(body), at)


def posting(account_id: str, partition: int, name: str, kind: str, at: int, **said: str) -> Input:
    """A record of `payments` of another kind: its amount, what it pays or its day in `said`."""
    body = {
        "version": 1,
        "accountId": account_id,
        "paymentId": f"{name}-{account_id}",
        "kind": kind,
        "paidAt": instant_text(at),
    }
    return Input(topics.PAYMENTS, partition, account_id, compact(body | said), at)


def heartbeat(partition: int, at: int) -> Input:
    """The payments system has written everything up to `at` to this partition."""
    body = {"version": 1, "heartbeatAt": instant_text(at)}
    return Input(topics.PAYMENTS, partition, None, compact(body), at)


def tick(partition: int, at: int) -> Input:
    """Time passes."""
    body = {"version": 1, "at": instant_text(at)}
    return Input(topics.TICKS, partition, None, compact(body), at)


def tariff(plain: dict[str, Any], at: int) -> Input:
    """One dated tariff sheet."""
    key = f"{plain['tariffId']}@{plain['validFrom']}"
    return Input(topics.TARIFFS, 0, key, compact({"version": 1} | plain), at)


def operator_action(
    account_id: str, partition: int, action: str, at: int, operator: str = "duty-engineer"
) -> Input:
    """A person in the control room holds or releases a supply, or approves a trip."""
    body = {
        "version": 1,
        "accountId": account_id,
        "action": action,
        "operator": operator,
        "reason": "simulated",
        "actedAt": instant_text(at),
    }
    return Input(topics.OPERATOR_ACTIONS, partition, account_id, compact(body), at)


def interlock_release(partition: int, operator: str, at: int) -> Input:
    """A person says to a partition that trips may go on."""
    value = encode_interlock_action(InterlockAction.RELEASE, operator, "simulated", at)
    return Input(topics.OPERATOR_ACTIONS, partition, None, value, at)


def receipt(happening: Happening, partition: int) -> Input:
    """The gateway proves that a notice reached the customer."""
    body = {
        "version": 1,
        "accountId": happening.account_id,
        "noticeId": happening.subject_id,
        "deliveredAt": instant_text(happening.at),
    }
    return _of(topics.DELIVERY_RECEIPTS, partition, happening, body)


def switch_report(happening: Happening, partition: int) -> Input:
    """The field tells what became of a command, or where the switch stands."""
    body = {
        "version": 1,
        "accountId": happening.account_id,
        "commandId": happening.subject_id,
        "switch": happening.switch,
        "succeeded": happening.succeeded,
        "reportedAt": instant_text(happening.acted_at),
        "acknowledges": happening.acknowledges,
    }
    if happening.volts is not None:
        body["loadSideVolts"] = happening.volts
    return _of(topics.SWITCH_REPORTS, partition, happening, body)


def _of(topic: str, partition: int, happening: Happening, body: dict[str, Any]) -> Input:
    return Input(topic, partition, happening.account_id, compact(body), happening.at)
