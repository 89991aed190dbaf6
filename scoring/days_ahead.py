"""How do the days ahead stand in a learned row?

The medians of 35 days are the longest thing that is learned of an account, and nobody knows a day
to come to one part in ten thousand.  So each stands as a whole number of 16 bits, in steps of a
power of two of a watt-hour that the account's largest day needs: whole watt-hours for a home, and
for anybody at most a thirty-thousandth of that day off.  What the days are is `experts`' to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MOST_STEPS = 2**16 - 1
LEAST_STEP = -16
"""2**-16 Wh: of an account that uses nothing the days are nothing, and no step is too small."""


def write(rows: NDArray[Any], ahead_wh: Floats) -> None:
    """Let rows (n,) tell these days (n, H), none below 0.

    >>> from scoring.book import LEARNED
    >>> rows = np.zeros(1, LEARNED)
    >>> write(rows, np.linspace(9_000, 12_400, 35, dtype=np.float32)[None])
    >>> read(rows)[0, :3], int(rows["ahead_step"][0])
    (array([9000., 9100., 9200.], dtype=float32), -2)
    """
    most = ahead_wh.max(axis=1)
    step = np.frexp(most)[1] - 16  # most is below 2**16 such steps
    step += np.rint(np.ldexp(most, -step)) > MOST_STEPS
    step = np.maximum(step, LEAST_STEP)
    rows["ahead_step"] = step
    rows["ahead_steps"] = np.rint(np.ldexp(ahead_wh, -step[:, None]))


def read(rows: NDArray[Any]) -> Floats:
    """The medians of the days after `last_day` (n, H), Wh."""
    days: Floats = rows["ahead_steps"] * np.ldexp(np.float32(1), rows["ahead_step"])[:, None]
    return days


def tomorrow(rows: NDArray[Any]) -> Floats:
    """The first of them, (n,)."""
    day: Floats = np.ldexp(rows["ahead_steps"][:, 0].astype(np.float32), rows["ahead_step"])
    return day
