"""The oracle itself: bills a person can check, and judgments that speak up and stay quiet."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from scoring.units import instant_text
from simulator.field import Execution
from simulator.sheets import read_sheet
from tests.oracle import NANOS, Oracle, bill_nanos
from tests.oracle_facts import LogRecord
from tests.oracle_judge import (
    Said,
    Witness,
    missed_warnings,
    not_restored,
    short_notices,
    wrong_days,
    wrongful_trips,
)

TIERED = {
    "tariffId": "homes", "currency": "CNY", "zone": "Asia/Shanghai", "validFrom": "2026-01-01",
    "ratePeriods": [{"name": "flat", "pricePerKwh": "0.5469"}], "rounding": "0.01",
    "tiers": {"reset": "year", "steps": [
        {"uptoKwh": "2520", "addPerKwh": "0"}, {"uptoKwh": "4800", "addPerKwh": "0.05"},
        {"uptoKwh": None, "addPerKwh": "0.3"}]},
}  # fmt: skip
STANDING = {
    "tariffId": "gb", "currency": "GBP", "zone": "Europe/London", "validFrom": "2026-01-01",
    "ratePeriods": [{"name": "single", "pricePerKwh": "0.2236"}], "standingPerDay": "0.6012",
}  # fmt: skip


@pytest.mark.parametrize(
    ("sheet", "used_kwh", "days", "before_kwh", "amount"),
    [
        (TIERED, 260, 30, 2_400, "149.19"),  # domain.md 3.3 C6
        (TIERED, 5_200, 365, 0, "3077.88"),  # domain.md 3.3 C6
        (TIERED, 0, 30, 5_000, "0.00"),
        (TIERED, 120, 30, 2_400, "65.63"),  # to the edge of the first tier: 65.628
        (STANDING, 2_700, 365, 0, "823.158"),  # domain.md 3.4
    ],
)
def test_bills_of_the_trade(sheet: dict, used_kwh: int, days: int, before_kwh: int, amount: str):
    said = bill_nanos(read_sheet(sheet), {0: used_kwh * 1000}, days, before_kwh * 1000)
    assert said == round(float(amount) * 1000) * NANOS // 1000


# --- a small story: home-1 reads at 00:00, runs out at 08:00 on Tuesday, is tripped at 10:00 -----

TUESDAY = 1_783_382_400 - 8 * 3_600  # 2026-07-07T00:00+08:00
HOUR = 3_600


def settings(**changes: object) -> dict:
    body = {
        "version": 1, "accountId": "home-1", "settingsVersion": 1, "customerClass": "resident",
        "paymentMode": "prepaid", "tariffId": "homes", "maxPowerW": 20_000,
        "meter": {"meterId": "m-1", "installedAt": instant_text(TUESDAY - HOUR)},
        "creditLimit": "0.00", "warningAmount": "2.00", "reconnectMin": "0.00", "protections": [],
    }  # fmt: skip
    return body | changes


def story(terms: dict, paid: list[tuple[int, str]], noticed_at: int | None) -> list[LogRecord]:
    records = [
        LogRecord("tariffs", 0, 0, TUESDAY - HOUR, "homes@2026", json.dumps(TIERED).encode()),
        LogRecord("account-settings", 0, 0, TUESDAY - HOUR, "home-1", json.dumps(terms).encode()),
    ]
    for number, (at, amount) in enumerate(paid):
        body = {"accountId": "home-1", "paymentId": f"p{number}", "amount": amount,
                "paidAt": instant_text(at)}  # fmt: skip
        records.append(LogRecord("payments", 0, number, at, "home-1", json.dumps(body).encode()))
    for hour in range(10):
        at = TUESDAY + hour * HOUR
        body = {"version": 1, "accountId": "home-1", "meterId": "m-1", "readAt": instant_text(at),
                "registerWh": 1_000_000 + hour * 2_000}  # fmt: skip
        records.append(
            LogRecord("meter-readings", 0, hour, at + 60, "home-1", json.dumps(body).encode())
        )
    if noticed_at is not None:
        body = {"accountId": "home-1", "noticeId": "home-1:notice:1"}
        records.append(
            LogRecord("delivery-receipts", 0, 0, noticed_at, "home-1", json.dumps(body).encode())
        )
    return records


def said(effects: list[tuple[str, dict]]) -> Said:
    return Said.of(
        LogRecord(topic, 0, offset, 0, None, json.dumps(body).encode())
        for offset, (topic, body) in enumerate(effects)
    )


def effect(effect_id: str, at: int, **more: object) -> dict:
    evidence = {"readAt": instant_text(TUESDAY + 9 * HOUR), "bill": "9.84"}
    return {"effectId": effect_id, "accountId": "home-1", "decidedAt": instant_text(at),
            "evidence": evidence} | more  # fmt: skip


def trip(at: int, **more: object) -> tuple[str, dict]:
    expires = instant_text(at + 1_800)
    body = {"procedure": "prepaid_trip", "approvers": [], "expiresAt": expires} | more
    return "trip-commands", effect("home-1:trip:1:1", at, **body)


NOTICE = ("disconnection-notices", effect("home-1:notice:1", TUESDAY + 8 * HOUR + 120))
WARNING = ("low-balance-warnings", effect("home-1:warning:1:1", TUESDAY + HOUR, tier="low"))
TEN = TUESDAY + 10 * HOUR
PAID_EIGHT = [(TUESDAY - HOUR, "8.00")]
IN_TIME = TEN - 1_800


@pytest.mark.parametrize(
    ("why", "terms", "paid", "noticed_at", "at"),
    [
        ("", {}, PAID_EIGHT, IN_TIME, TEN),
        ("protected: life_support", {"protections": ["life_support"]}, PAID_EIGHT, IN_TIME, TEN),
        ("not prepaid", {"paymentMode": "plan"}, PAID_EIGHT, IN_TIME, TEN),
        ("0 approved, 2 must", {"customerClass": "large"}, PAID_EIGHT, IN_TIME, TEN),
        ("mode 0", {"controlMode": 0}, PAID_EIGHT, IN_TIME, TEN),
        ("mode 4", {"controlMode": 4}, PAID_EIGHT, IN_TIME, TEN),
        ("", {"controlMode": 4, "directCloseAgreed": True}, PAID_EIGHT, IN_TIME, TEN),
        ("was left", {}, [*PAID_EIGHT, (TEN - 1, "5.00")], IN_TIME, TEN),
        ("", {}, [*PAID_EIGHT, (TEN + 1, "5.00")], IN_TIME, TEN),
        ("was left", {"creditLimit": "5.00"}, PAID_EIGHT, IN_TIME, TEN),
        ("notice:1 not proven", {}, PAID_EIGHT, IN_TIME + 1, TEN),
        ("notice:1 not proven", {}, PAID_EIGHT, None, TEN),
        ("outside 9 to 16", {}, PAID_EIGHT, TUESDAY + 8 * HOUR, TEN - HOUR - 1),
        ("outside 9 to 16", {}, PAID_EIGHT, IN_TIME, TEN + 5 * HOUR + 1_801),
        ("", {}, PAID_EIGHT, IN_TIME, TEN + 5 * HOUR + 1_800),
        ("day off or the day before", {}, PAID_EIGHT, IN_TIME, TEN + 72 * HOUR),
        ("newest reading is 49.0 h old", {}, PAID_EIGHT, IN_TIME, TEN + 48 * HOUR),
    ],
)
def test_a_wrongful_trip_is_named(why: str, terms: dict, paid: list, noticed_at: int, at: int):
    inputs = story(settings(**terms), paid, noticed_at)
    what = said([NOTICE, trip(at)])
    found = wrongful_trips(Witness(inputs, what), what)
    assert any(why in one for one in found) if why else found == []


@pytest.mark.parametrize(
    ("approved_at", "who", "faults"),
    [
        (TUESDAY + 8 * HOUR + 119, "wang", 1),  # before the notice
        (TUESDAY + 8 * HOUR + 120, "wang", 0),
        (TEN, "wang", 0),
        (TEN, "li", 1),  # the same person twice
        (TEN + 1, "wang", 1),
    ],
)
def test_an_approval_counts_between_the_notice_and_the_trip(approved_at, who, faults: int):
    inputs = story(settings(customerClass="large"), PAID_EIGHT, IN_TIME)
    what = said([NOTICE, trip(TEN)])
    oracle = Witness(inputs, what)
    oracle.accounts["home-1"].actions += [
        (TEN - 60, "approve-trip", "li"), (approved_at, "approve-trip", who)
    ]  # fmt: skip
    found = wrongful_trips(oracle, what)
    assert len([one for one in found if "1 approved, 2 must" in one]) == faults


STOP = {"procedure": "arrears_stop", "approvers": ["li"]}
LETTERS = {
    "dunning:1:1": (TEN - 96 * HOUR, TEN - 96 * HOUR),
    "written-notice:1:2": (TEN - 80 * HOUR, TEN - 80 * HOUR),
    "second-notice:1:3": (TEN - HOUR, TEN - 1_800),
}


@pytest.mark.parametrize(
    ("wanted", "change", "due_days", "approver"),
    [
        ("", {}, 31, "li"),
        ("nothing is overdue by more than 30 days", {}, 30, "li"),
        ("0 approved, 1 must", {}, 31, None),
        ("dunning:1:0 was never sent", {"dunning:1:1": None}, 31, "li"),
        ("written-notice:1:0 was never sent", {"written-notice:1:2": None}, 31, "li"),
        ("second-notice:1:0 was never sent", {"second-notice:1:3": None}, 31, "li"),
        ("written-notice:1:2 not", {"written-notice:1:2": (TEN - 80 * HOUR, None)}, 31, "li"),
        ("written-notice:1:2 not proven 4320 minutes before",
         {"written-notice:1:2": (TEN - 80 * HOUR, TEN - 72 * HOUR)}, 31, "li"),
        ("second-notice:1:3 not proven 30 minutes before",
         {"second-notice:1:3": (TEN - HOUR, TEN - 1_799)}, 31, "li"),
    ],
)  # fmt: skip
def test_a_stop_by_law_without_a_step_is_wrongful(wanted, change, due_days, approver):
    """A business: dunned, then notice in writing three days before, and again 30 minutes before."""
    terms = settings(customerClass="business", paymentMode="plan")
    inputs = story(terms, PAID_EIGHT, None)
    oracle, letters = Witness(inputs, said([trip(TEN, **STOP)])), LETTERS | change
    account = oracle.accounts["home-1"]
    account.oldest_due = [(0, date(2026, 7, 7) - timedelta(days=due_days))]
    if approver:
        account.actions.append((TEN - 2 * HOUR, "approve-trip", approver))
    notices = []
    for name, times in letters.items():
        if times is None:
            continue
        sent_at, proven_at = times
        notices.append(("disconnection-notices", effect(f"home-1:{name}", sent_at)))
        if proven_at is not None:
            account.receipts[f"home-1:{name}"] = proven_at
    found = wrongful_trips(oracle, said([*notices, trip(TEN, **STOP)]))
    found = [one for one in found if approver or "are said to have" not in one]
    assert any(wanted in one for one in found) if wanted else found == []


@pytest.mark.parametrize(("proven_at", "faults"), [(IN_TIME, 0), (IN_TIME + 1, 1), (None, 0)])
def test_a_notice_that_stood_too_short_is_named(proven_at: int | None, faults: int):
    """Without any proof the step is skipped: that has a name of its own."""
    what = said([NOTICE, trip(TEN)])
    oracle = Oracle(story(settings(), PAID_EIGHT, proven_at))
    assert len(short_notices(oracle, what)) == faults


def test_a_trip_without_notice_is_wrongful():
    inputs = story(settings(), PAID_EIGHT, IN_TIME)
    what = said([trip(TEN)])
    assert "was never sent" in wrongful_trips(Witness(inputs, what), what)[0]


def test_balances_are_exact_and_a_repeated_payment_counts_once():
    inputs = story(settings(), [*PAID_EIGHT, (TUESDAY, "1.00")], None)
    inputs.append(inputs[3]._replace(offset=9))
    oracle = Oracle(inputs)
    # 9 h x 2 kWh x 0.5469 = 9.8442, on the bill 9.84
    assert oracle.balance_nanos("home-1") == 9 * NANOS - 9_840_000_000


@pytest.mark.parametrize(
    ("effects", "faults"),
    [([WARNING, NOTICE], 0), ([NOTICE], 2), ([WARNING], 0), ([], 1)],
)
def test_a_missed_warning_is_named(effects: list, faults: int):
    early = [(topic, body | {"evidence": {"readAt": instant_text(TUESDAY)}})
             if topic == "low-balance-warnings" else (topic, body)
             for topic, body in effects]  # fmt: skip
    found = missed_warnings(Oracle(story(settings(), PAID_EIGHT, None)), said(early))
    assert len(found) == faults


@pytest.mark.parametrize(("last", "faults"), [("lowest", 0), ("normal", 1)])
def test_the_last_warning_is_the_one_said_last(last: str, faults: int):
    """A reading that comes behind a payment is decided at its own, earlier time (seed 20161)."""
    first = "normal" if last == "lowest" else "lowest"
    told = (("1:1", TEN, first), ("2:1", TEN - 60, last))
    effects = [
        ("low-balance-warnings", effect(f"home-1:warning:{name}", at, tier=tier))
        for name, at, tier in told
    ]
    found = missed_warnings(Oracle(story(settings(), PAID_EIGHT, None)), said(effects))
    assert len(found) == faults


@pytest.mark.parametrize(
    ("paid_at", "restored", "faults"),
    [(TEN + HOUR, False, 1), (TEN + HOUR, True, 0), (TEN + 11 * HOUR, False, 0)],
)
def test_who_paid_and_stays_dark_is_named(paid_at: int, restored: bool, faults: int):
    oracle = Oracle(story(settings(), [*PAID_EIGHT, (paid_at, "50.00")], IN_TIME))
    restore = ("restore-commands", effect("home-1:restore:1:1", TEN, cancels="home-1:trip:1:1"))
    executions = [Execution(TEN, "home-1", "home-1:trip:1:1", is_trip=True)]
    told = said([restore] if restored else [])
    assert len(not_restored(oracle, told, executions, TEN + 12 * HOUR)) == faults


def test_one_id_with_two_bodies_is_named_and_a_repeat_is_not():
    same = said([WARNING, WARNING])
    assert (same.repeats, same.two_bodies) == (1, [])
    other = (WARNING[0], WARNING[1] | {"tier": "lowest"})
    assert len(said([WARNING, other]).two_bodies) == 1


def test_a_closed_day_that_is_not_told_is_named():
    inputs = story(settings(), PAID_EIGHT, None)
    midnight = TUESDAY + 24 * HOUR
    body = {"version": 1, "accountId": "home-1", "meterId": "m-1", "registerWh": 1_030_000,
            "readAt": instant_text(midnight)}  # fmt: skip
    value = json.dumps(body).encode()
    inputs.append(LogRecord("meter-readings", 0, 10, midnight + 60, "home-1", value))
    oracle = Oracle(inputs)
    day = {"localDate": "2026-07-07", "usedWh": 30_000, "estimatedWh": 0}
    assert wrong_days(oracle, said([("daily-usage", effect("d", TEN, **day))])) == []
    assert len(wrong_days(oracle, said([]))) == 1
    day["usedWh"] = 29_999
    assert len(wrong_days(oracle, said([("daily-usage", effect("d", TEN, **day))]))) == 1


def test_what_cannot_be_read_is_refused_by_name():
    inputs = story(settings(), PAID_EIGHT, None)
    good = json.loads(inputs[-1].value)
    bad = [b"{", b"[1]", json.dumps(good | {"version": 2}).encode(),
           json.dumps(good | {"registerWh": 1.5}).encode(),
           json.dumps(good | {"accountId": "nobody"}).encode()]  # fmt: skip
    for number, value in enumerate(bad):
        inputs.append(LogRecord("meter-readings", 0, 50 + number, TEN, "home-1", value))
    reasons = [r.reason for r in sorted(Oracle(inputs).refusals, key=lambda r: r.offset)]
    assert reasons == ["not_json", "wrong_shape", "unknown_version", "wrong_shape", "key_mismatch"]
