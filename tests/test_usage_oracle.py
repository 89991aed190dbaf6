"""The columns against plain whole numbers: any readings, in any order, the same usage.

Hypothesis makes up the life of an account (registers, intervals, rates, estimates, late and wrong
readings, exchanges) over month ends, year ends and changes of the clock; after every reading the
core and `oracle_usage` must agree in every outcome, watt-hour and closed day.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from scoring.events import MeterSettings, Quality
from tests.metered import PUBLISHED, Read, Street, Terms, clock
from tests.oracle_usage import UsageOracle

BEGINNINGS = [
    clock("2026-06-29 07:00"),  # a month's end
    clock("2025-12-30 12:00"),  # a year's end
    clock("2026-02-26 00:00"),
    clock("2026-03-28T20:00:00+01:00"),  # the clock goes forward
    clock("2026-10-24T20:00:00+02:00"),  # the clock goes back
]
QUARTER, DAY = 900, 86_400
STEPS = [QUARTER] * 6 + [300, 1_800, 3_600, 5 * 3_600, DAY, 3 * DAY, 9 * DAY, 40 * DAY]
KINDS = [
    *["register"] * 4, *["interval"] * 3, *["late interval"] * 3, *["rates"] * 2, "both",
    *["estimate"] * 2, "lower", "again", "wrong", "silence", "exchange",
]  # fmt: skip

MULTIPLIERS, MODULI = [1, 1, 40], [1_000_000_000, 100_000]

LIVES = st.fixed_dictionaries(
    {
        "tariff": st.sampled_from(["two-rate", "one-rate", "three-rate"]),
        "multiplier": st.sampled_from(MULTIPLIERS),
        "modulus": st.sampled_from(MODULI),
        "begins": st.sampled_from(BEGINNINGS),
        "installed_before": st.sampled_from([0, 450, 40 * DAY]),
        "start": st.sampled_from([None, 0, 99_950]),
        "events": st.lists(
            st.tuples(
                st.sampled_from(KINDS),
                st.sampled_from(STEPS),
                st.integers(0, 40),  # units of energy a quarter-hour
                st.integers(0, 700),  # any other choice
            ),
            min_size=20,  # a long life meets rare things, such as a correction
            max_size=60,
        ),
    }
)


class Life:
    """Turns a list of events into readings and settings, keeping the true registers."""

    def __init__(self, life: dict[str, Any]) -> None:
        self.now = life["begins"]
        self.register = life["start"] if life["start"] is not None else 99_000
        self.rates = [10, 20, 30]
        self.past: list[Read] = []
        meter = MeterSettings(
            "m-1", self.now - life["installed_before"], life["multiplier"], life["modulus"],
            life["start"],
        )  # fmt: skip
        self.terms = Terms(life["tariff"], 12_000 * life["multiplier"], meter)

    def next(self, kind: str, step: int, units: int, choice: int) -> Read | Terms | None:
        meter = self.terms.meter
        energy = units * max(step // QUARTER, 1)
        if kind in {"register", "rates", "both", "lower", "estimate", "silence", "exchange"}:
            self.now += step
            self._use(energy, choice, meter.register_modulus_wh)
        if kind == "exchange":
            return self._exchange(choice)
        reading = self._reading(kind, step, units, choice)
        if reading is not None:
            self.past.append(reading)
        return reading

    def _use(self, energy: int, choice: int, modulus: int) -> None:
        self.register = (self.register + energy) % modulus
        peak = energy * (choice % 8) // 7
        self.rates = [(self.rates[0] + peak) % modulus, (self.rates[1] + energy - peak) % modulus,
                      self.rates[2]]  # fmt: skip

    def _exchange(self, choice: int) -> Terms:
        final = [None, self.register, self.register + 20, max(self.register - 5, 0)][choice % 4]
        start = [None, 0, 777][choice % 3]
        meter = replace(
            self.terms.meter, meter_id=f"m-{self.now}", installed_at=self.now,
            start_register_wh=start, previous_final_register_wh=final,
        )  # fmt: skip
        self.register, self.rates = start or 0, [0, 0, 0]
        self.terms = replace(self.terms, meter=meter)
        return self.terms

    def _reading(self, kind: str, step: int, units: int, choice: int) -> Read | None:
        meter = self.terms.meter.meter_id
        total = Read(self.now, self.register, received_at=self.now + 60, meter_id=meter)
        seconds = [QUARTER, QUARTER, QUARTER, 1_800, 3_600, DAY, 700][choice % 7]
        energy = units * self.terms.meter.multiplier * seconds // QUARTER
        if kind == "silence" or (kind == "again" and not self.past):
            return None
        if kind == "again":
            return self.past[choice % len(self.past)]
        if kind == "rates":
            return replace(total, rate_registers_wh=tuple(self.rates[: 2 + (choice % 9 > 0)]))
        if kind == "both":
            return replace(total, interval_seconds=seconds, interval_wh=energy)
        if kind == "lower":
            return replace(total, register_wh=max(self.register - choice, 0))
        if kind == "estimate":
            guess = max(self.register + choice % 90 - 30, 0)
            return replace(total, register_wh=guess, quality_is=Quality.ESTIMATED)
        if kind == "wrong":
            return replace(
                total,
                read_at=self.now + [0, QUARTER, 10**6][choice % 3],
                register_wh=[self.register, self.register + 7, 10**9, 0, None][choice % 5],
                quality_is=Quality(choice % 3),
                meter_id=[meter, "m-x"][choice % 2],
            )
        if kind == "interval":
            self.now += step - (self.now + step) % QUARTER
        elif kind == "late interval":
            total = replace(total, read_at=self.now - self.now % QUARTER - choice * QUARTER)
        if "interval" in kind:
            at = self.now if kind == "interval" else total.read_at
            quality = Quality.ESTIMATED if choice % 11 == 0 else Quality.VALID
            return Read(at, None, seconds, energy, None, quality, self.now + 60, meter)
        return total


def assert_agree(street: Street, oracle: UsageOracle) -> None:
    """Every watt-hour is in the same place, and what the next split rests on is the same."""
    row = street.ledger[0]
    assert street.used_by_month_and_period(0) == oracle.used_by_month_and_period()
    if oracle.month is not None:
        estimated = oracle.estimated_by_month_and_period()
        assert street.estimated_by_month_and_period(0) == estimated
    assert street.days[0] == oracle.days()
    assert row["hour_load"].tolist() == oracle.load
    assert row["since_rate_wh"].tolist() == oracle.since_rates
    assert int(row["interval_since_register_wh"]) == oracle.ahead
    assert int(row["unproven_wh"]) == oracle.unproven
    assert (row["estimated_wh"] <= row["used_wh"]).all()
    assert (row["estimated_wh"] >= 0).all()


LATE_FOR_A_METER_NEVER_READ = {
    "tariff": "two-rate",
    "multiplier": 1,
    "modulus": 1_000_000_000,
    "begins": 1_782_687_600,
    "installed_before": 0,
    "start": None,
    "events": [
        ("register", 900, 18, 330),
        ("register", 3 * 86_400, 35, 236),
        ("register", 900, 0, 1),
        ("exchange", 9 * 86_400, 14, 428),
        ("late interval", 40 * 86_400, 27, 1),
    ],
}
"""An interval between the old meter's last word and the new meter's start: it ends a day."""


FIRST_RATES_CORRECT_A_CLOSED_MONTH = {
    "tariff": "two-rate",
    "multiplier": 1,
    "modulus": 1_000_000_000,
    "begins": 1_782_687_600,
    "installed_before": 0,
    "start": None,
    "events": [
        ("register", 900, 0, 0),
        ("register", 900, 0, 0),
        ("estimate", 900, 0, 31),
        ("interval", 9 * 86_400, 0, 1),
        ("rates", 900, 0, 0),
        ("register", 900, 0, 0),
    ],
}
"""The reading that proves June's estimate too high is the first to tell registers per rate."""


@given(LIVES)
@example(LATE_FOR_A_METER_NEVER_READ)
@example(FIRST_RATES_CORRECT_A_CLOSED_MONTH)
def test_the_columns_and_the_oracle_agree_about_any_life_of_an_account(plan):
    life = Life(plan)
    street, oracle = Street([life.terms]), UsageOracle(PUBLISHED, life.terms.on_the_wire())
    for event in plan["events"]:
        happened = life.next(*event)
        if isinstance(happened, Terms):
            street.settle(0, happened)
            oracle.change_settings(happened.on_the_wire())
        elif happened is not None:
            outcome, reason = oracle.read(happened)
            assert street.read([happened]) == [reason or outcome]
        assert_agree(street, oracle)
