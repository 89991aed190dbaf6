"""Two months of a works on a plan: what do the API, the notices and the decisions say of it?

The whole road, from the wire to the durable row and the answer: instalments, grace, deposit and
guarantee, a payment on its way that fails, a month's close, a customer's own designation and its
reversal, the late charge over the year's end, and a bill corrected after it was closed.
"""

from __future__ import annotations

from decimal import Decimal

from scoring.events import CustomerClass, PaymentKind, PaymentMode, PaymentReceived, Plan
from scoring.units import instant, nanos
from streams.topics import PLAN_NOTICES, REFUSALS, TRIP_COMMANDS
from tests.office import DAY, HOUR, Office
from tests.test_money_road import said

NAME = "works-1"
NOVEMBER = instant("2026-11-01T00:00:00+08:00")
MONTH = 2026 * 12 + 10
DAILY_WH = 240_000
DUE_DAY, YEARS_END = 50, 61
"""Days after the first of November on which 20 December and 31 December have ended."""


class Story(Office):
    """A works of 10 kW, read once a day; 5,000 a month are agreed, 500 of it are secured."""

    def __init__(self) -> None:
        super().__init__(partitions=1)
        agreed = Plan(
            month_nanos=nanos("5000"), deposit_nanos=nanos("100"), guarantee_nanos=nanos("400")
        )
        terms = {"payment_mode": PaymentMode.PLAN, "customer_class": CustomerClass.BUSINESS}
        self.open(NAME, NOVEMBER, plan=agreed, **terms)
        self.day = 0

    def until(self, day: int) -> dict:
        """A reading an hour after each midnight; what the API says then."""
        while self.day < day:
            self.day += 1
            at = NOVEMBER + self.day * DAY + HOUR
            self.beat(at)
            self.read(NAME, (at, self.day * DAILY_WH + DAILY_WH // 24))
            self.tick(at + HOUR // 2)
        return said(self, NAME)

    def post(self, payment_id: str, kind: str, amount: str, on: int = -1, **more: object) -> None:
        """Money of today, or of a day before."""
        now, then = (NOVEMBER + day * DAY + 2 * HOUR for day in (self.day, max(on, 0)))
        paid_at = now if on < 0 else then
        paid = PaymentReceived(
            NAME, 0, 0, payment_id, nanos(amount), paid_at, PaymentKind(kind), **more
        )  # type: ignore[arg-type]
        self.event(paid, now)

    def notices(self) -> list[tuple[str, int]]:
        return [(each["kind"], each["instalment"]) for each in self.told[PLAN_NOTICES]]

    def billed(self) -> Decimal:
        """All that the finished days were told to cost."""
        return sum((Decimal(each["charge"]) for each in self.told["daily-usage"]), Decimal(0))


def test_a_works_from_november_to_january():
    works = Story()
    works.post("first", "payment", "3000")

    tenth = works.until(10)["plan"]
    assert (tenth["planned"], tenth["paid"], tenth["shortfall"]) == ("1500.00", "3000.00", "0.00")
    assert works.notices() == [], "30 and 60 per cent are paid"

    # the last instalment is announced three days before, and money on its way counts for it
    works.until(27)
    assert works.notices() == [("instalment-due", 3)]
    works.post("draft", "in-flight", "2000")
    assert works.until(30)["plan"]["shortfall"] == "0.00"
    works.post("draft", "failed", "0")
    assert works.until(32)["plan"]["exposure"] != "0.00"
    # three days of grace; December is forecast to cost more than is agreed
    assert works.notices() == [("instalment-due", 3), ("forecast-outruns-plan", 0)]
    works.until(34)
    assert works.notices()[2:] == [("instalment-missed", 3)]
    assert works.told[PLAN_NOTICES][2]["shortfall"] == "2000.00"

    # November is closed: what its bill lacks is a debt, due on 20 December
    closed = works.until(36)
    november = Decimal(closed["arrears"]["current"])
    assert closed["arrears"]["owed"] == closed["arrears"]["current"] != "0.00"
    first_bill = sum(
        Decimal(each["charge"])
        for each in works.told["daily-usage"]
        if each["localDate"] < "2026-12-01"
    )
    assert abs(november - (first_bill - 3000)) <= Decimal("0.02")  # days are split by energy

    # for a month that has no bill yet there is nothing to pay: the oldest debt is paid
    works.post("december", "payment", "700", pays=MONTH + 1)
    owed = november - 700
    assert works.until(37)["arrears"]["current"] == str(owed)
    works.post("november", "payment", "300", pays=MONTH)
    assert works.until(38)["arrears"]["current"] == str(owed - 300)
    works.post("mistake", "payment", "-300")
    assert works.until(39)["arrears"]["current"] == str(owed), "taken back, owed as before"
    works.post("first", "payment", "3000", on=0)  # comes a second time, forty days later
    assert works.until(40)["arrears"]["current"] == str(owed)
    assert [each["reason"] for each in works.told[REFUSALS]] == ["payment_too_old"]

    # 0.2 % a day of what is owed, 0.3 % once it is last year's
    dunned = works.until(DUE_DAY + 1)["arrears"]
    cent = Decimal("0.01")
    assert Decimal(dunned["lateCharge"]) == (owed * 2 / 1000).quantize(cent)
    turned = works.until(YEARS_END + 1)["arrears"]
    assert Decimal(turned["lateCharge"]) == (owed * (11 * 2 + 3) / 1000).quantize(cent)
    assert Decimal(turned["carriedOver"]) == owed

    # November's bill was 50 too high: a dated adjustment
    works.post("corrected", "adjustment", "50", pays=MONTH)
    lower = works.until(YEARS_END + 2)["arrears"]
    assert Decimal(lower["carriedOver"]) == owed - 50

    # the balance is what was paid less what was billed, always
    after = works.until(YEARS_END + 3)
    late = Decimal(after["arrears"]["lateCharge"])
    an_hour = Decimal("5.47")  # of today, 10 kWh in the first tier of the new year
    left = 3000 + 700 + 50 - late - works.billed() - an_hour
    assert abs(Decimal(after["balance"]) - left) <= Decimal("0.05")  # days are told to the cent
    assert not works.told[TRIP_COMMANDS]
    assert len(works.told[REFUSALS]) == 1
