"""Records a small utility would send, for tests of the shell: three homes on a flat tariff."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scoring.rules import SupplyRules, WorkingCalendar
from scoring.sheet import sheet_from_dict
from scoring.tariff import Tariffs
from scoring.units import instant, instant_text
from streams.clerk import Terms

if TYPE_CHECKING:
    from streams.log import Message

START = instant("2026-07-01T00:00:00+08:00")
QUARTER = 900

FLAT = {
    "version": 1,
    "tariffId": "flat",
    "currency": "CNY",
    "zone": "Asia/Shanghai",
    "validFrom": "2026-01-01",
    "ratePeriods": [{"name": "flat", "pricePerKwh": "0.50"}],
}


def terms(partitions: int = 1) -> Terms:
    """The flat tariff, and a calendar in which nothing but the hour keeps anyone connected."""
    sheet = sheet_from_dict({k: v for k, v in FLAT.items() if k != "version"})
    rules = SupplyRules(calendar=WorkingCalendar.weekends_only())
    return Terms(Tariffs([sheet]), rules, partitions)


def settings(account_id: str, version: int = 1, **changes: Any) -> Message:
    body = {
        "version": 1,
        "accountId": account_id,
        "settingsVersion": version,
        "customerClass": "resident",
        "paymentMode": "prepaid",
        "tariffId": "flat",
        "maxPowerW": 12_000,
        "meter": {
            "meterId": f"m-{account_id}",
            "installedAt": instant_text(START - 86_400),
            "startRegisterWh": 0,
        },
        "warningAmount": "5.00",
    }
    return account_id.encode(), json.dumps(body | changes).encode()


def payment(account_id: str, payment_id: str, amount: str, at: int = START) -> Message:
    body = {
        "version": 1,
        "accountId": account_id,
        "paymentId": payment_id,
        "amount": amount,
        "paidAt": instant_text(at),
    }
    return account_id.encode(), json.dumps(body).encode()


def heartbeat(at: int) -> Message:
    return None, json.dumps({"version": 1, "heartbeatAt": instant_text(at)}).encode()


def tick(at: int) -> Message:
    return None, json.dumps({"version": 1, "at": instant_text(at)}).encode()


def reading(account_id: str, at: int, register_wh: int, **changes: Any) -> Message:
    body = {
        "version": 1,
        "accountId": account_id,
        "meterId": f"m-{account_id}",
        "readAt": instant_text(at),
        "registerWh": register_wh,
    }
    return account_id.encode(), json.dumps(body | changes).encode()


def receipt(account_id: str, notice_id: str, at: int) -> Message:
    body = {
        "version": 1,
        "accountId": account_id,
        "noticeId": notice_id,
        "deliveredAt": instant_text(at),
    }
    return account_id.encode(), json.dumps(body).encode()


def report(account_id: str, switch: str, at: int, command_id: str = "") -> Message:
    body = {
        "version": 1,
        "accountId": account_id,
        "commandId": command_id,
        "switch": switch,
        "succeeded": True,
        "reportedAt": instant_text(at),
    }
    return account_id.encode(), json.dumps(body).encode()


def action(account_id: str, name: str, at: int, operator: str = "li") -> Message:
    body = {
        "version": 1,
        "accountId": account_id,
        "action": name,
        "operator": operator,
        "reason": "because",
        "actedAt": instant_text(at),
    }
    return account_id.encode(), json.dumps(body).encode()
