"""By what part does the power factor raise or lower a bill?

Large customers who draw reactive energy load the network without paying for it, so their bill is
adjusted by a printed table (力调): so much per hundredth of power factor above or below a standard.
It stands apart because the table is a rule of its own with steps, ends and a rounding of its own.
Which lines of a bill are adjusted is told in `scoring.charges`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

NEAR_A_HALF = 1e-6
"""How close to the middle of two hundredths a power factor is settled in whole numbers; floating
point errs by less than a millionth of that."""


@dataclass(frozen=True, slots=True)
class PowerFactor:
    """The adjustment of one sheet, in hundredths of power factor and ppm per hundredth.

    `rewards` from the standard upwards: ((95, 1500),) takes 0.15 % off for each hundredth until
    0.95; `penalties` downwards likewise.  Beyond the last step nothing more is added.
    `base_excludes` names the price components on which nothing is adjusted (government funds).
    """

    standard: int
    rewards: tuple[tuple[int, int], ...]
    penalties: tuple[tuple[int, int], ...]
    table: str = ""
    base_excludes: tuple[str, ...] = ()


def cn_1983_215(standard: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """Rewards and penalties of the Chinese table of 1983 for a standard of 90, 85 or 80.

    水电财字215号: penalties 0.5 % for twenty hundredths, 1 % for five more, then 2 % each; rewards
    of 0.90 are 0.15 % up to 0.95, of the others 0.10 % up to 0.90 and then 0.15 % up to 0.94 or
    0.92.  Rules: domain.md 3.2 (K52, K55 to K58; -1.10 % at 0.94 of the standard 0.85 is recalled).
    """
    best = {90: 95, 85: 94, 80: 92}[standard]
    rewards = ((90, 1_000), (best, 1_500)) if standard < 90 else ((best, 1_500),)
    return rewards, ((standard - 20, 5_000), (standard - 25, 10_000), (0, 20_000))


TABLES = {"cn-1983-215": (cn_1983_215, (90, 85, 80))}
"""Printed tables by name: what makes one, and the standards it knows."""


@cache
def rates_ppm(rule: PowerFactor) -> tuple[int, ...]:
    """The adjustment at each power factor from 0.00 to 1.00, in ppm of the base; rewards negative.

    >>> rule = PowerFactor(90, *cn_1983_215(90))
    >>> [rates_ppm(rule)[pf] / 10_000 for pf in (95, 93, 90, 89, 69, 64)]
    [-0.75, -0.45, 0.0, 0.5, 11.0, 17.0]
    """
    rates = [0] * 101
    place, rate = rule.standard, 0
    for until, ppm in rule.rewards:
        while place < until:
            place, rate = place + 1, rate - ppm
            rates[place] = rate
    rates[place + 1 :] = [rate] * (100 - place)
    place, rate = rule.standard, 0
    for until, ppm in rule.penalties:
        while place > until:
            place, rate = place - 1, rate + ppm
            rates[place] = rate
    rates[:place] = [rate] * place
    return tuple(rates)


def hundredths(active_wh: Ints, reactive_varh: Ints) -> Ints:
    """The mean power factor kWh / sqrt(kWh² + kvarh²), rounded half up to hundredths; exact.

    1.00 where there is no energy at all.  Rules: domain.md 3.2 (K53, K54).

    >>> hundredths(np.array([50_000, 400_000]), np.array([32_000, 158_000])).tolist()
    [84, 93]
    """
    active, reactive = np.abs(active_wh).astype(np.float64), np.abs(reactive_varh)
    apparent = np.hypot(active, reactive.astype(np.float64))
    factor = np.where(apparent > 0, active / np.maximum(apparent, 1) * 100, 100)
    answer: Ints = np.floor(factor + 0.5).astype(np.int64)
    for i in np.flatnonzero(np.abs(factor % 1 - 0.5) < NEAR_A_HALF):
        answer[i] = _exactly(abs(int(active_wh[i])), abs(int(reactive_varh[i])))
    return answer


def _exactly(active: int, reactive: int) -> int:
    """floor(100 x active / apparent + 1/2) in whole numbers: double both, then take the floor.

    floor(200 a / s + 1) // 2 with s the irrational root: floor(200 a / s) is the whole root of
    40,000 a² / s².
    """
    return (isqrt(40_000 * active**2 // (active**2 + reactive**2)) + 1) // 2
