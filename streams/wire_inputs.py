"""How are the inputs written: readings, terms, payments, field reports, people, tariffs, time?

The API, tools and tests write inputs with these, from the same `scoring.events` that the worker
decodes, so that they cannot differ.  They stand apart because a worker never writes an input except
its own ticks.  What is accepted is told in `wire_readings` and `wire_events`.
"""

from __future__ import annotations

from datetime import UTC, date, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from scoring.debts import Pays
from scoring.events import (
    NoticeDelivered,
    OperatorActed,
    PaymentKind,
    PaymentReceived,
    PolicyChanged,
    SettingsChanged,
    SwitchReported,
)
from scoring.units import MICROS_PER_UNIT, NANOS_PER_UNIT, instant_text
from streams import topics
from streams.wire_base import VERSION, Encoded, decimal_text, to_json
from streams.wire_readings import DemandRegisters, Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring.events import AccountEvent, AccountSettings, Plan, PolicyTerms


def encode_reading(
    account_id: str,
    meter_id: str,
    read_at: int,
    *,
    register_wh: int | None = None,
    rate_registers_wh: Sequence[int] = (),
    interval_seconds: int = 0,
    interval_wh: int = -1,
    quality: str = "0.0",
    zone: tzinfo = UTC,
    demand: DemandRegisters | None = None,
) -> bytes:
    """The value of one reading's record; its key is the account id."""
    return to_json(
        Reading(
            VERSION,
            account_id,
            meter_id,
            instant_text(read_at, zone),
            -1 if register_wh is None else register_wh,
            tuple(rate_registers_wh),
            interval_seconds,
            interval_wh,
            quality,
            demand,
        )
    )


def encode_reading_list(values: Sequence[bytes]) -> bytes:
    """One record's value of several readings already encoded; all accounts of one partition."""
    return b"[" + b",".join(values) + b"]"


def encode_event(event: AccountEvent) -> Encoded:
    """An account's event as the record that says it; the simulator and the API write with this."""
    topic, body = _body_of(event)
    value = to_json({"version": VERSION, "accountId": event.account_id, **body})
    return Encoded(topic, event.account_id.encode(), value)


def _body_of(event: AccountEvent) -> tuple[str, dict[str, Any]]:
    match event:
        case SettingsChanged(settings=settings):
            return topics.ACCOUNT_SETTINGS, _settings_body(settings)
        case PolicyChanged(policy=policy):
            return topics.ACCOUNT_SETTINGS, _policy_body(policy)
        case PaymentReceived():
            return topics.PAYMENTS, _payment_body(event)
        case SwitchReported():
            return topics.SWITCH_REPORTS, {
                "commandId": event.command_id,
                "switch": event.switch.name.lower(),
                "succeeded": event.succeeded,
                "acknowledges": event.acknowledges,
                "reportedAt": instant_text(event.reported_at),
                "loadSideVolts": event.load_side_volts,
            }
        case OperatorActed():
            return topics.OPERATOR_ACTIONS, {
                "action": event.action.value,
                "operator": event.operator,
                "reason": event.reason,
                "actedAt": instant_text(event.acted_at),
                **({"actionId": event.action_id} if event.action_id else {}),
            }
        case NoticeDelivered():
            return topics.DELIVERY_RECEIPTS, {
                "noticeId": event.notice_id,
                "deliveredAt": instant_text(event.delivered_at),
            }


def _payment_body(event: PaymentReceived) -> dict[str, Any]:
    body: dict[str, Any] = {
        "paymentId": event.payment_id,
        "kind": event.kind.value,
        "paidAt": instant_text(event.paid_at),
    }
    if event.kind not in (PaymentKind.SETTLED, PaymentKind.FAILED):
        body["amount"] = decimal_text(event.amount_nanos)
    named = {Pays.COSTS: "costs", Pays.LATE_CHARGE: "late-charge"}
    if event.pays > 0:
        body["pays"] = f"{event.pays // 12:04d}-{event.pays % 12 + 1:02d}"
    elif event.pays:
        body["pays"] = named[Pays(event.pays)]
    if event.due_day:
        body["dueOn"] = date.fromordinal(event.due_day).isoformat()
    return body


def _settings_body(settings: AccountSettings) -> dict[str, Any]:
    meter = settings.meter
    return {
        "settingsVersion": settings.version,
        "customerClass": settings.customer_class.value,
        "paymentMode": settings.payment_mode.value,
        "tariffId": settings.tariff_id,
        "maxPowerW": settings.max_power_w,
        "meter": {
            "meterId": meter.meter_id,
            "installedAt": instant_text(meter.installed_at),
            "multiplier": meter.multiplier,
            "registerModulusWh": meter.register_modulus_wh,
            "startRegisterWh": meter.start_register_wh,
            "previousFinalRegisterWh": meter.previous_final_register_wh,
        },
        "creditLimit": decimal_text(settings.credit_limit_nanos),
        "warningAmount": decimal_text(settings.warning_amount_nanos),
        "warningDays": list(settings.warning_days),
        "reconnectMin": decimal_text(settings.reconnect_min_nanos),
        "protections": [protection.name.lower() for protection in settings.protections],
        "directCloseAgreed": settings.direct_close_agreed,
        "controlMode": settings.control_mode,
        "emergencyCredit": decimal_text(settings.emergency_credit_nanos),
        "basic": {
            "capacityKva": decimal_text(settings.basic.capacity_va * (NANOS_PER_UNIT // 1000)),
            "suspendedKva": decimal_text(settings.basic.suspended_va * (NANOS_PER_UNIT // 1000)),
            "contractDemandKw": decimal_text(settings.basic.contract_w * (NANOS_PER_UNIT // 1000)),
            "charge": settings.basic.basis,
            "priceAdjustmentPerKwh": decimal_text(
                settings.basic.price_adjustment_micros * (NANOS_PER_UNIT // MICROS_PER_UNIT)
            ),
        },
        "plan": None if settings.plan is None else _plan_body(settings.plan),
        "groups": {
            "industry": settings.groups.industry,
            "voltageLevel": settings.groups.voltage_level,
            "collector": settings.groups.collector,
            "area": settings.groups.area,
        },
        "feeder": settings.feeder,
        **({"customerId": settings.customer_id} if settings.customer_id else {}),
    }


def _policy_body(policy: PolicyTerms) -> dict[str, Any]:
    return {
        "policyVersion": policy.version,
        "paymentMode": policy.payment_mode.value,
        "warningAmount": decimal_text(policy.warning_amount_nanos),
        "warningDays": list(policy.warning_days),
        "plan": None if policy.plan is None else _plan_body(policy.plan),
    }


def _plan_body(plan: Plan) -> dict[str, Any]:
    return {
        "mode": plan.mode.value,
        "instalments": [
            {"day": day, "share": f"{Decimal(share) / 10_000:.4f}"}
            for day, share in plan.instalments
        ],
        "graceDays": plan.grace_days,
        "monthBill": decimal_text(plan.month_nanos),
        "deposit": decimal_text(plan.deposit_nanos),
        "guarantee": decimal_text(plan.guarantee_nanos),
        "fromDate": date.fromordinal(plan.from_day).isoformat() if plan.from_day else None,
    }


def encode_heartbeat(heartbeat_at: int) -> Encoded:
    """The payments system's heartbeat, to be sent to every partition of `payments`."""
    body = {"version": VERSION, "heartbeatAt": instant_text(heartbeat_at)}
    return Encoded(topics.PAYMENTS, None, to_json(body))


def encode_tick(at: int) -> Encoded:
    """A tick, to be sent to a partition of `ticks`."""
    return Encoded(topics.TICKS, None, to_json({"version": VERSION, "at": instant_text(at)}))


def encode_prices(tariff_id: str, day: date, prices_per_kwh: Sequence[str]) -> Encoded:
    """A local day's market prices of a dynamic tariff, in order of time."""
    body = {
        "version": VERSION,
        "tariffId": tariff_id,
        "date": day.isoformat(),
        "pricesPerKwh": list(prices_per_kwh),
    }
    key = f"{tariff_id}@{day.isoformat()}:prices"
    return Encoded(topics.TARIFFS, key.encode(), to_json(body))


def encode_tariff(sheet: dict[str, Any]) -> Encoded:
    """A dated tariff sheet (as `sheet_to_dict` gives it), keyed by its id and its first day."""
    key = f"{sheet['tariffId']}@{sheet['validFrom']}"
    return Encoded(topics.TARIFFS, key.encode(), to_json({"version": VERSION, **sheet}))
