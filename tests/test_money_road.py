"""What does money do on the whole road: the wire, the worker's clerk, the row and the API?"""

from __future__ import annotations

import base64
import json
from datetime import date

import pytest

from api.answer import answer
from api.view import View
from scoring.debts import Pays
from scoring.events import CustomerClass, PaymentKind, PaymentMode, PaymentReceived
from scoring.units import instant, nanos
from scoring.windows import TripWindows
from streams.chain import TOLD
from streams.topics import DECISIONS, REFUSALS
from tests.office import DAY, HOUR, MONDAY, RULES, Office

UNMET = "designation-unmet"
WORKS = {"payment_mode": PaymentMode.PLAN, "customer_class": CustomerClass.BUSINESS}


def post(office: Office, account_id: str, kind: str, amount: str, at: int, **more: object) -> None:
    paid = PaymentReceived(
        account_id, 0, 0, f"{kind}-{at}", nanos(amount), at, PaymentKind(kind), **more
    )  # type: ignore[arg-type]
    office.event(paid, at)


def look_again(office: Office, account_id: str, after: int) -> None:
    """The payments system is heard again, and a reading comes."""
    office.beat(MONDAY + after)
    office.read(account_id, (MONDAY + after, 100_000))


def said(office: Office, account_id: str) -> dict:
    view = office.feed(View())
    row = view.book.row(account_id)
    assert row is not None
    return json.loads(answer(view, row, TripWindows(RULES)))


def kinds(office: Office) -> list[str]:
    return [body["kind"] for body in office.told[DECISIONS] if body["kind"] != TOLD]


def test_money_that_comes_before_the_account_is_told_kept_and_counted():
    office = Office()
    office.pay("home-1", "80", MONDAY - DAY)
    (told,) = office.told[DECISIONS]
    assert told["kind"] == "payment-kept"
    assert told["detail"] == "payment p-0 of 80.00 is kept until the account's terms are stated"
    (refused,) = office.told[REFUSALS]
    assert (refused["topic"], refused["reason"]) == ("payments", "unknown_account")
    assert json.loads(base64.b64decode(refused["original"]))["paymentId"] == "p-0"
    office.open("home-1")
    office.pay("home-1", "20")
    office.read("home-1", (MONDAY, 0))
    assert said(office, "home-1")["balance"] == "100.00"
    assert kinds(office) == ["payment-kept"]


def test_a_correction_takes_back_the_notice_that_rested_on_the_wrong_bill():
    office = Office()
    office.open("home-1")
    office.pay("home-1", "10")
    office.live("home-1", 2, watts=2_000)
    look_again(office, "home-1", 2 * DAY + HOUR)
    assert office.told["disconnection-notices"]
    assert said(office, "home-1")["stage"] == "notice_sent"
    post(office, "home-1", "adjustment", "500", MONDAY + 2 * DAY + 2 * HOUR, pays=2026 * 12 + 4)
    assert kinds(office)[-1] == "notice-withdrawn"
    after = said(office, "home-1")
    assert (after["stage"], after["tier"]) == ("normal", "normal")
    assert office.told["low-balance-warnings"][-1]["tier"] == "normal"


@pytest.mark.parametrize(("kind", "stage"), [("settled", "normal"), ("failed", "notice_sent")])
def test_a_payment_on_its_way_holds_the_notice_off_until_it_fails(kind, stage):
    office = Office()
    office.open("home-1")
    office.pay("home-1", "10")
    post(office, "home-1", "in-flight", "500", MONDAY)
    office.live("home-1", 2, watts=2_000)
    assert said(office, "home-1")["stage"] == "normal"
    look_again(office, "home-1", 2 * DAY + HOUR)
    landing = PaymentReceived(
        "home-1", 0, 0, f"in-flight-{MONDAY}", 0, MONDAY + 2 * DAY, PaymentKind(kind)
    )
    office.event(landing, MONDAY + 2 * DAY + HOUR)
    assert said(office, "home-1")["stage"] == stage


def test_the_api_tells_arrears_by_age_from_the_durable_row():
    office = Office()
    office.open("works-1", **WORKS)
    due = date(2025, 12, 31).toordinal()
    post(office, "works-1", "opening-balance", "-1000", MONDAY, due_day=due)
    post(office, "works-1", "collection-costs", "30", MONDAY + HOUR)
    office.read("works-1", (MONDAY + HOUR, 0))
    told = said(office, "works-1")
    # 187 days at 0.3 % of 1,000 from 1 January to 6 July
    assert told["arrears"] == {
        "owed": "1591.00",
        "current": "0.00",
        "earlierMonths": "0.00",
        "carriedOver": "1000.00",
        "lateCharge": "561.00",
        "costs": "30.00",
        "overdueDays": {"1-30": "0.00", "31-60": "0.00", "61-90": "0.00", "91-": "1000.00"},
    }
    assert told["balance"] == "-1591.00"
    post(office, "works-1", "payment", "1591", MONDAY + 2 * HOUR)
    assert said(office, "works-1")["arrears"] is None


def test_a_month_that_is_closed_becomes_a_debt_due_on_the_twentieth():
    office = Office()
    june = instant("2026-06-29T00:00:00+08:00")
    office.open("works-1", june, **WORKS)
    office.live("works-1", 10, watts=10_000, from_at=june)
    told = said(office, "works-1")
    assert told["previousMonthBill"] == "0.00", "June is closed on 6 July"
    assert told["arrears"]["current"] == told["arrears"]["owed"] != "0.00"
    office.pay("works-1", told["arrears"]["owed"], instant("2026-07-21T12:00:00+08:00"))
    late = said(office, "works-1")["arrears"]
    assert late["owed"] == late["current"] == "1.00"  # one day is 0.53, and 1 yuan at least


def test_what_cannot_be_taken_is_refused_by_name_on_the_refusals_topic():
    office = Office()
    office.open("home-1")
    post(office, "home-1", "payment", "1", MONDAY + 3 * DAY)  # stamped as received then: taken
    office.event(
        PaymentReceived("home-1", 0, 0, "early", nanos("1"), MONDAY + 9 * DAY), MONDAY + 3 * DAY
    )
    office.event(
        PaymentReceived("home-1", 0, 0, "gone", 0, MONDAY, PaymentKind.SETTLED), MONDAY + 3 * DAY
    )
    reasons = [body["reason"] for body in office.told[REFUSALS]]
    assert reasons == ["paid_in_future", "unknown_payment"]


# amount paid, month named, what is told; 262.51 are owed of June (480 kWh at 0.5469), July is open
NAMED = [
    ("50", "2026-06", []),
    ("50", "2026-07", ["50.00 pay what was due first"]),
    ("500", "2026-07", ["262.51 pay what was due first"]),  # the rest is balance, July's bill comes
    ("50", "", []),
]


@pytest.mark.parametrize(("amount", "named", "told"), NAMED)
def test_a_designation_to_a_month_without_a_bill_is_told_and_pays_what_was_due_first(
    amount, named, told
):
    office = Office()
    june = instant("2026-06-29T00:00:00+08:00")
    office.open("works-1", june, **WORKS)
    office.live("works-1", 10, watts=10_000, from_at=june)
    before = said(office, "works-1")["arrears"]["owed"]
    year, _, of_year = named.partition("-")
    pays = int(year) * 12 + int(of_year) - 1 if named else 0
    at = instant("2026-07-09T12:00:00+08:00")
    post(office, "works-1", "payment", amount, at, pays=pays)
    after = said(office, "works-1")["arrears"]
    left = nanos(before) - nanos(amount)
    assert (nanos(after["owed"]) if after else 0) == max(0, left)
    found = [body["detail"] for body in office.told[DECISIONS] if body["kind"] == UNMET]
    assert [detail.partition("owed: ")[2] for detail in found] == told
    assert all(f"payment-{at} of {amount}.00 names 2026-07" in detail for detail in found)


def test_of_a_debt_that_is_nobodys_choice_nothing_is_told():
    """Costs and late charge named, and money for a month while nothing is owed."""
    office = Office()
    office.open("home-1")
    for number, pays in enumerate((Pays.COSTS, Pays.LATE_CHARGE, 2026 * 12 + 6)):
        post(office, "home-1", "payment", "10", MONDAY + number * HOUR, pays=pays)
    assert UNMET not in kinds(office)
