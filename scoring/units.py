"""What is one unit of energy, money and time, and how is it written for people?

Energy is whole watt-hours, money whole nanos (10⁻⁹) of the currency, prices whole micros (10⁻⁶)
per kWh, so that energy times price is money exactly: 1 Wh x 1 micro/kWh = 1 nano (DESIGN D3).
Instants are whole seconds since 1970 UTC inside the core and time-zone-aware ISO 8601 at the
edges.  This file only converts; the rules that use the units live in the files named after them.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation

WH_PER_KWH = 1_000
MICROS_PER_UNIT = 1_000_000
NANOS_PER_UNIT = 1_000_000_000
CENT_NANOS = NANOS_PER_UNIT // 100
SECONDS_PER_HOUR = 3_600
SECONDS_PER_DAY = 86_400

SLOT_SECONDS = 900
"""One slot is a quarter of an hour: the finest interval a meter reports (domain.md 4.4), and a
divisor of every civil time-zone offset, so slots never straddle a local hour."""

MAX_NANOS = 2**62
"""No account owes or owns more (4.6 billion units of currency); beyond it a value is refused,
so that sums of a few such values still fit in 64 bits."""

NO_TIME = 0
"""The instant that stands for "never yet" in a column."""


class NotExact(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A written amount has more decimals than the unit can hold, or is no number at all."""


def whole(amount: str | int | Decimal, units_per_one: int, unit: str) -> int:
    """The exact whole number of small units in a written amount.

    Floats are not accepted: a float is already rounded.

    >>> whole("0.5469", MICROS_PER_UNIT, "micros")
    546900
    >>> whole("0.0000001", MICROS_PER_UNIT, "micros")
    Traceback (most recent call last):
    scoring.units.NotExact: 0.0000001 does not fit in whole micros
    """
    try:
        scaled = Decimal(amount) * units_per_one
    except (InvalidOperation, TypeError, ValueError) as error:
        raise NotExact(f"{amount!r} is not a number") from error
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) > MAX_NANOS:
        raise NotExact(f"{amount} does not fit in whole {unit}")
    return int(scaled)


def nanos(amount: str | int | Decimal) -> int:
    """Money in nanos.

    >>> nanos("149.19")
    149190000000
    """
    return whole(amount, NANOS_PER_UNIT, "nanos")


def micros_per_kwh(price: str | int | Decimal) -> int:
    """A price per kWh in micros.

    >>> micros_per_kwh("0.5469")
    546900
    """
    return whole(price, MICROS_PER_UNIT, "micros")


def wh(kwh: str | int | Decimal) -> int:
    """Energy in watt-hours from written kilowatt-hours.

    >>> wh("2520")
    2520000
    """
    return whole(kwh, WH_PER_KWH, "watt-hours")


def money_text(amount_nanos: int) -> str:
    """Money as people read it: two decimals, half away from zero, for display only.

    >>> money_text(149_194_999_999), money_text(-5_000_000), money_text(0)
    ('149.19', '-0.01', '0.00')
    """
    cents = (abs(int(amount_nanos)) + 5_000_000) // 10_000_000
    digits = str(cents).rjust(3, "0")
    return ("-" if amount_nanos < 0 and cents else "") + digits[:-2] + "." + digits[-2:]


def kwh_text(energy_wh: int) -> str:
    """Energy as people read it, in kWh with three decimals, exact.

    >>> kwh_text(1234567)
    '1234.567'
    """
    sign, size = ("-" if energy_wh < 0 else ""), abs(int(energy_wh))
    return f"{sign}{size // WH_PER_KWH}.{size % WH_PER_KWH:03d}"


def instant(text: str) -> int:
    """Seconds since 1970 UTC of an ISO 8601 instant, which must name its offset.

    Raises ValueError for a naive or unreadable text.

    >>> instant("2026-01-01T00:00:00+08:00")
    1767196800
    """
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone; write an offset such as +08:00 or Z")
    return int(read.timestamp())


def instant_text(seconds: int, zone: tzinfo = UTC) -> str:
    """An instant as ISO 8601 in the named zone.

    >>> instant_text(1767196800)
    '2025-12-31T16:00:00Z'
    """
    text = datetime.fromtimestamp(int(seconds), zone).isoformat()
    return text.replace("+00:00", "Z") if zone is UTC else text
