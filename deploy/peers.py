"""Are Kilowatch's forecasts as good as those of the models forecasters use?

AutoETS and AutoTheta of statsforecast, season 7, fitted to the last 365 days, fitted again every 14
and carried forward day by day between, beside Kilowatch on the same last days of a file.  Apart
from `backtest` because its peers are heavy (the extra `peers`) and nothing else needs them.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from deploy.backtest import backtest, parser
from deploy.days import read_days
from deploy.marks import wape
from scoring.day_kinds import of_country, weekdays_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEASON = 7
FITTED_DAYS = 365
REFITTED_EVERY = 14
LEAST_DAYS = 28


def bridged(used_wh: NDArray[np.float64]) -> NDArray[np.float64]:
    """One customer's days with the same day of the week before where a day is unknown."""
    whole = used_wh.copy()
    for day in range(SEASON, len(whole)):
        if np.isnan(whole[day]):
            whole[day] = whole[day - SEASON]
    return whole


def day_ahead(model_of: Any, used_wh: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """What a model says of each day from `first` on, each told the evening before."""
    days = bridged(used_wh)
    said = np.full(len(days), np.nan)
    known = np.flatnonzero(np.isfinite(days))
    fitted = None
    for day in range(first, len(days)):
        start = max(day - FITTED_DAYS, known[0] if len(known) else day)
        past = days[start:day]
        if len(past) < LEAST_DAYS or not np.isfinite(past).all():
            continue
        if fitted is None or (day - first) % REFITTED_EVERY == 0:
            fitted = model_of().fit(past)
        said[day] = max(float(fitted.forward(past, h=1)["mean"][0]), 0.0)
    return said


def beside(
    told: NDArray[np.float32],
    used_wh: NDArray[np.float64],
    scored: NDArray[np.bool_],
    days: int,
    models: dict[str, Any],
) -> dict[str, float | None]:
    """WAPE of ours (`told`, (d, n)) and of each model on the same of the last `days`.

    A day counts where it is `scored` and every model could say something of it.
    """
    first = len(used_wh) - days
    counts = scored.copy()
    counts[:first] = False
    said = {"kilowatch": told.astype(np.float64)}
    for name, model_of in models.items():
        said[name] = np.full_like(used_wh, np.nan)
        for customer in np.flatnonzero(counts.any(axis=0)).tolist():
            said[name][:, customer] = day_ahead(model_of, used_wh[:, customer], first)
        counts &= np.isfinite(said[name])
    return {name: wape(each, used_wh, counts) for name, each in said.items()}


def main(argv: list[str] | None = None) -> int:
    """`python -m deploy.peers FILE --days 120`: one JSON line of WAPEs on the same real days."""
    from statsforecast.models import AutoETS, AutoTheta

    words = parser()
    words.add_argument("--days", type=int, default=120, help="last days compared (120)")
    options = words.parse_args(argv)
    columns = options.columns.split(",") if options.columns else None
    days = read_days(
        options.file, options.tz, columns, options.first, options.last, options.time_column
    )
    kinds = of_country(options.holidays) if options.holidays else weekdays_only()
    told, _ = backtest(days, kinds, options.seed, Console(stderr=True))
    started = time.perf_counter()
    models = {
        "AutoETS": lambda: AutoETS(season_length=SEASON),
        "AutoTheta": lambda: AutoTheta(season_length=SEASON),
    }
    found = beside(told.ahead_wh[..., 0], days.used_wh, told.scored, options.days, models)
    whole = {"file": options.file.name, "days": options.days, **found}
    print(json.dumps(whole | {"peer_seconds": round(time.perf_counter() - started, 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
