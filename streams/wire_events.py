"""What do the control topics say: terms, field reports, people, receipts, tariffs, time?

One strict shape per topic, decoded into `scoring.events`; whatever bytes come, the answer is an
event or a named refusal.  They stand apart from readings because they are few and are read one by
one; payments, which have kinds, are read in `wire_payments`.  How they are written is in
`wire_inputs`; what an event does to an account, in `scoring.scoring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from scoring.annex import TARIFF_ID_BYTES
from scoring.book import FEEDER_BYTES, GROUP_BYTES
from scoring.effects import Reason
from scoring.events import (
    AccountEvent,
    AccountSettings,
    Action,
    BasicTerms,
    CustomerClass,
    Groups,
    MeterSettings,
    NoticeDelivered,
    OperatorActed,
    PaymentMode,
    PolicyChanged,
    Protection,
    SettingsChanged,
    Switch,
    SwitchReported,
)
from scoring.units import MICROS_PER_UNIT, NotExact, whole
from streams import topics
from streams.wire_base import (
    MAX_WH,
    NOT_READABLE,
    VERSION,
    Body,
    EffectId,
    Id,
    Instant,
    Money,
    Record,
    Refusal,
    Refused,
    Text,
    account_of,
    check_size,
    nanos_of,
    read,
    received_at,
    refusal_of,
    refuse_unreadable,
    seconds_of,
)
from streams.wire_interlock import InterlockActed, check_named, decode_interlock_action
from streams.wire_payments import Heartbeat, decode_payment
from streams.wire_policy import POLICY_MARK, Days, PlanBody, check_levels, decode_policy, plan_of

if TYPE_CHECKING:
    from collections.abc import Callable

PER_THOUSAND = 1_000
MAX_ADJUSTMENT_MICROS = 100 * MICROS_PER_UNIT
"""An agreed price adjustment is at most a hundred units of currency per kWh either way."""

MAX_POWER_W = 1_000_000_000
"""1 GW: more than any single customer of a distribution utility draws."""

MAX_MULTIPLIER = 1_000_000

BRINGS_TRIPS_NEARER = (Action.APPROVE_TRIP, Action.RELEASE_SUPPLY, Action.RELEASE_QUARANTINE)
"""Needs a name that names somebody; a hold, a dispute or a no stands whoever wrote it."""

ProtectionName = Literal["protected", "critical_customer", "life_support", "dispute"]
"""What settings may state; `held_by_operator` is an operator's action, not a term."""


class MeterBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The meter in account-settings."""

    meter_id: Id
    installed_at: Instant
    multiplier: Annotated[int, msgspec.Meta(ge=1, le=MAX_MULTIPLIER)] = 1
    register_modulus_wh: Annotated[int, msgspec.Meta(ge=1, le=MAX_WH)] = 1_000_000_000
    start_register_wh: Annotated[int, msgspec.Meta(ge=0, le=MAX_WH)] | None = None
    previous_final_register_wh: Annotated[int, msgspec.Meta(ge=0, le=MAX_WH)] | None = None


Group = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x20\x7f]*$")]
"""The code of a group: visible characters, "" for none; how many bytes it may have, see the row."""


class GroupsBody(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True, frozen=True
):
    """The groups in account-settings."""

    industry: Group = ""
    voltage_level: Group = ""
    collector: Group = ""
    area: Group = ""


class BasicBody(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True, frozen=True
):
    """What a customer is billed on besides energy, in account-settings."""

    capacity_kva: Money = "0"
    suspended_kva: Money = "0"
    contract_demand_kw: Money = "0"
    charge: Literal["", "capacity", "demand"] = ""
    price_adjustment_per_kwh: Money = "0"


class SettingsBody(Body, kw_only=True):
    """A record of account-settings."""

    account_id: Id
    settings_version: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]
    customer_class: CustomerClass
    payment_mode: PaymentMode
    tariff_id: Id
    max_power_w: Annotated[int, msgspec.Meta(ge=1, le=MAX_POWER_W)]
    meter: MeterBody
    credit_limit: Money = "0.00"
    warning_amount: Money = "0.00"
    warning_days: tuple[Days, Days, Days] = (7.0, 3.0, 1.0)
    reconnect_min: Money = "0.00"
    protections: tuple[ProtectionName, ...] = ()
    direct_close_agreed: bool = False
    control_mode: Annotated[int, msgspec.Meta(ge=0, le=6)] | None = None
    emergency_credit: Money = "0.00"
    groups: GroupsBody = GroupsBody()
    basic: BasicBody = BasicBody()
    plan: PlanBody | None = None
    feeder: Group = ""
    customer_id: Id = ""


class SwitchBody(Body, kw_only=True):
    """A record of switch-reports; `command_id` is empty when nobody commanded it."""

    account_id: Id
    command_id: EffectId = ""
    switch: Literal["unknown", "connected", "disconnected", "ready_for_reconnection"]
    succeeded: bool
    reported_at: Instant
    acknowledges: bool = False
    load_side_volts: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None


class ActionBody(Body):
    """A record of operator-actions."""

    account_id: Id
    action: Action
    operator: Text
    reason: Text
    acted_at: Instant
    action_id: EffectId = ""


class ReceiptBody(Body):
    """A record of delivery-receipts."""

    account_id: Id
    notice_id: EffectId
    delivered_at: Instant


class TickBody(Body):
    """A record of ticks."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: it is `at`."""

    at: int
    source_offset: int
    received_at: int


@dataclass(frozen=True, slots=True)
class TariffRecord:
    """A dated tariff sheet as written, None when it was taken back; `scoring` judges its sense."""

    key: str
    sheet: dict[str, Any] | None
    source_offset: int


Decoded = AccountEvent | Heartbeat | Tick | InterlockActed


def decode_event(record: Record, partitions: int) -> Decoded | Refusal:
    """The event in a record of a control topic, or why it is refused."""
    try:
        return _DECODERS[record.topic](record, partitions)
    except Refused as refused:
        return refusal_of(record, refused.reason, refused.detail)


_settings_decoder = msgspec.json.Decoder(SettingsBody)
_switch_decoder = msgspec.json.Decoder(SwitchBody)
_action_decoder = msgspec.json.Decoder(ActionBody)
_receipt_decoder = msgspec.json.Decoder(ReceiptBody)
_tick_decoder = msgspec.json.Decoder(TickBody)


def _decode_settings(record: Record, partitions: int) -> SettingsChanged | PolicyChanged:
    if POLICY_MARK in (record.value or b""):
        return decode_policy(record, partitions)
    body = read(_settings_decoder, record)
    account = account_of(record, body.account_id, partitions)
    if len(body.tariff_id.encode()) > TARIFF_ID_BYTES:
        raise Refused(Reason.WRONG_SHAPE, f"tariffId is longer than {TARIFF_ID_BYTES} bytes")
    check_levels(body.warning_days)
    credit, amount = nanos_of(body.credit_limit, "creditLimit"), body.warning_amount
    emergency = nanos_of(body.emergency_credit, "emergencyCredit")
    if min(credit, emergency) < 0:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, "creditLimit or emergencyCredit is below zero")
    for name, size in GROUP_BYTES.items():
        if len(getattr(body.groups, name).encode()) > size:
            raise Refused(Reason.WRONG_SHAPE, f"groups: {name} is longer than {size} bytes")
    if len(body.feeder.encode()) > FEEDER_BYTES:
        raise Refused(Reason.WRONG_SHAPE, f"feeder is longer than {FEEDER_BYTES} bytes")
    meter = body.meter
    settings = AccountSettings(
        version=body.settings_version,
        customer_class=body.customer_class,
        payment_mode=body.payment_mode,
        tariff_id=body.tariff_id,
        max_power_w=body.max_power_w,
        meter=MeterSettings(
            meter_id=meter.meter_id,
            installed_at=seconds_of(meter.installed_at, "installedAt"),
            multiplier=meter.multiplier,
            register_modulus_wh=meter.register_modulus_wh,
            start_register_wh=meter.start_register_wh,
            previous_final_register_wh=meter.previous_final_register_wh,
        ),
        credit_limit_nanos=credit,
        warning_amount_nanos=nanos_of(amount, "warningAmount"),
        warning_days=body.warning_days,
        reconnect_min_nanos=nanos_of(body.reconnect_min, "reconnectMin"),
        # a protection named twice is one protection: the row keeps bits
        protections=tuple(sorted({Protection[name.upper()] for name in body.protections})),
        direct_close_agreed=body.direct_close_agreed,
        control_mode=body.control_mode,
        emergency_credit_nanos=emergency,
        plan=plan_of(body.plan, body.payment_mode),
        groups=Groups(**{name: getattr(body.groups, name) for name in GROUP_BYTES}),
        basic=_basic_terms(body.basic),
        feeder=body.feeder,
        customer_id=body.customer_id,
    )
    return SettingsChanged(*account, settings)


def _basic_terms(body: BasicBody) -> BasicTerms:
    return BasicTerms(
        _small(body.capacity_kva, PER_THOUSAND, "basic.capacityKva"),
        _small(body.suspended_kva, PER_THOUSAND, "basic.suspendedKva"),
        _small(body.contract_demand_kw, PER_THOUSAND, "basic.contractDemandKw"),
        body.charge,
        _small(
            body.price_adjustment_per_kwh,
            MICROS_PER_UNIT,
            "basic.priceAdjustmentPerKwh",
            -MAX_ADJUSTMENT_MICROS,
            MAX_ADJUSTMENT_MICROS,
        ),
    )


def _small(
    written: str, units_per_one: int, field: str, least: int = 0, most: int = MAX_POWER_W
) -> int:
    """A written decimal in whole small units within limits."""
    try:
        found = whole(written, units_per_one, field)
    except NotExact as error:
        raise Refused(Reason.WRONG_SHAPE, f"{field}: {error}") from error
    if not least <= found <= most:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, f"{field}: {written} is out of range")
    return found


def _decode_switch(record: Record, partitions: int) -> SwitchReported:
    body = read(_switch_decoder, record)
    return SwitchReported(
        *account_of(record, body.account_id, partitions),
        body.command_id,
        Switch[body.switch.upper()],
        body.succeeded,
        seconds_of(body.reported_at, "reportedAt"),
        body.acknowledges,
        body.load_side_volts,
    )


def _decode_action(record: Record, partitions: int) -> OperatorActed | InterlockActed:
    if record.key is None:
        return decode_interlock_action(record)
    body = read(_action_decoder, record)
    if body.action in BRINGS_TRIPS_NEARER:
        check_named(body.operator)
    return OperatorActed(
        *account_of(record, body.account_id, partitions),
        body.action,
        body.operator,
        body.reason,
        seconds_of(body.acted_at, "actedAt"),
        body.action_id,
    )


def _decode_receipt(record: Record, partitions: int) -> NoticeDelivered:
    body = read(_receipt_decoder, record)
    return NoticeDelivered(
        *account_of(record, body.account_id, partitions),
        body.notice_id,
        seconds_of(body.delivered_at, "deliveredAt"),
    )


def _decode_tick(record: Record, _partitions: int) -> Tick:
    body = read(_tick_decoder, record)
    return Tick(seconds_of(body.at, "at"), record.offset, received_at(record))


_DECODERS: dict[str, Callable[[Record, int], Decoded]] = {
    topics.ACCOUNT_SETTINGS: _decode_settings,
    topics.PAYMENTS: decode_payment,
    topics.SWITCH_REPORTS: _decode_switch,
    topics.OPERATOR_ACTIONS: _decode_action,
    topics.DELIVERY_RECEIPTS: _decode_receipt,
    topics.TICKS: _decode_tick,
}

_object_decoder = msgspec.json.Decoder(dict[str, Any])


def decode_tariff(record: Record) -> TariffRecord | Refusal:
    """The dated sheet in a record of `tariffs` (its sense is checked by `sheet_from_dict`)."""
    try:
        return _decode_tariff(record)
    except Refused as refused:
        return refusal_of(record, refused.reason, refused.detail)


def _decode_tariff(record: Record) -> TariffRecord:
    key = (record.key or b"").decode(errors="replace")
    if not key:
        raise Refused(Reason.KEY_MISMATCH, "a tariff sheet is keyed tariffId@validFrom")
    if record.value is None:
        return TariffRecord(key, None, record.offset)
    value = check_size(record)
    try:
        sheet = _object_decoder.decode(value)
    except NOT_READABLE as error:
        raise refuse_unreadable(error, value) from error
    if sheet.pop("version", None) != VERSION:
        raise Refused(Reason.UNKNOWN_VERSION, f"version is not {VERSION}")
    return TariffRecord(key, sheet, record.offset)
