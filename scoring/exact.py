"""How is a price times a quantity computed and rounded exactly in 64 bits?

A price has up to twelve decimals per kWh (ratios times components), a works uses 100 GWh a month:
their product does not fit in 64 bits at that resolution.  So an amount is two whole numbers, nanos
and a remainder below one nano, and nothing is lost before the tariff's own rounding.  It stands
apart because these few lines are what every cent rests on; what is multiplied with what is told in
`scoring.bill` and `scoring.charges`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

PICOS_PER_MICRO = 1_000_000
PPM = 1_000_000

MAX_WORK_WH = 2 * 10**12
"""Energy up to which a price's remainder times the energy fits in 64 bits: 2,000 GWh."""


class Amount(NamedTuple):
    """Money, exactly: `nanos` + `rest` / `per` nanos with 0 <= rest < per, also below zero."""

    nanos: Ints
    rest: Ints
    per: Ints | int


def priced(quantity: Ints, micros: Ints, rest_picos: Ints) -> Amount:
    """Wh at a price per kWh of `micros` and `rest_picos` (0 to 999,999) of a micro.

    |quantity| up to MAX_WORK_WH; the caller keeps quantity x micros below 2**62.

    >>> amount = priced(np.array([50_000_000]), np.array([27_168]), np.array([750_000]))
    >>> amount.nanos.tolist(), amount.rest.tolist()
    ([1358437500000], [0])
    """
    small = quantity * rest_picos
    carry = small // PICOS_PER_MICRO
    return Amount(quantity * micros + carry, small - carry * PICOS_PER_MICRO, PICOS_PER_MICRO)


def added(first: Amount, second: Amount) -> Amount:
    """The sum of two amounts with the same `per`."""
    rest = first.rest + second.rest
    carry = rest // first.per
    return Amount(first.nanos + second.nanos + carry, rest - carry * first.per, first.per)


def share(nanos: Ints, ppm: Ints | int) -> Amount:
    """Millionths of an amount: 3 % is 30,000 ppm; |ppm| up to 4,000,000.

    >>> share(np.array([7_824_000_000_000]), 30_000).nanos.tolist()
    [234720000000]
    """
    whole: Ints = nanos // PPM
    part = nanos - whole * PPM
    small = part * ppm
    carry = small // PPM
    return Amount(whole * ppm + carry, small - carry * PPM, PPM)


def unit_days(micros: Ints, numerator: Ints, denominator: Ints) -> Amount:
    """A price per thousand units (kVA, kW) and month, for a fraction of unit-months.

    `numerator` / `denominator` units (VA or W) with denominator up to 10**6: only the remainder of
    their division meets the price again, so that every product fits.

    >>> unit_days(np.array([16_000_000]), np.array([320_000 * 6]), np.array([30])).nanos.tolist()
    [1024000000000]
    """
    whole, part = np.divmod(numerator, denominator)
    small = part * micros
    carry = small // denominator
    return Amount(whole * micros + carry, small - carry * denominator, denominator)


def part_of(amount: Ints, part: Ints, whole: Ints) -> Ints:
    """floor(amount x part / whole) for 0 <= part <= whole <= 2**41 and amount >= 0, exactly.

    The product may need 130 bits, so it is divided digit by digit (20 bits each), as by hand.

    >>> part_of(np.array([10**12]), np.array([10**12 - 1]), np.array([10**12])).tolist()
    [999999999999]
    """
    whole = np.maximum(whole, 1)
    left = amount % whole
    quotient = np.zeros_like(amount)
    rest = np.zeros_like(amount)
    for shift in (40, 20, 0):
        digit = (part >> shift) & 0xFFFFF
        rest = (rest << 20) + left * digit
        quotient = (quotient << 20) + rest // whole
        rest %= whole
    floor: Ints = amount // whole * part + quotient
    return floor


def rounded(amount: Amount, quantum: Ints) -> Ints:
    """The amount as whole multiples of the quantum (nanos), half away from zero.

    With an even quantum the remainder below one nano decides nothing: half a quantum is a whole
    nano.  With an odd one (1: no rounding but to the nano) it can.

    >>> rounded(Amount(np.array([-2, -3]), np.array([1, 0]), 2), np.array([1, 1])).tolist()
    [-2, -3]
    """
    nanos, rest, per = amount
    below = nanos < 0
    parted = rest > 0
    size = np.where(below, -nanos - parted, nanos)
    rest = np.where(below & parted, per - rest, rest)
    size = size + ((quantum & 1) & (2 * rest >= per))
    size = (size + quantum // 2) // quantum * quantum
    found: Ints = np.where(below, -size, size)
    return found
