"""What does a backtest look like on one page?

One HTML file with its drawings inside (SVG), to be opened, mailed or printed without anything else.
It only draws: the figures are `marks`'.
"""

from __future__ import annotations

from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.marks import both_rules, by_customer
from deploy.outdoors import PAST_DAYS, PERFECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deploy.days import Days
    from deploy.rewind import Told

WIDTH, HEIGHT, LEFT, BELOW = 720, 240, 235, 40
OURS, OTHER, BAND = "#0b6e4f", "#a3a9b0", "#cfe8dd"
DAYS_DRAWN = 70
MOST_LEAD_HOURS = 240

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:760px;margin:2em auto;padding:0 1em;
color:#1c1f23}h1{font-size:1.6em;overflow-wrap:anywhere}h2{font-size:1.15em;margin:2em 0 .3em}
table{border-collapse:collapse}td,th{padding:.2em .9em .2em 0;text-align:left;
border-bottom:1px solid #e4e7ea}svg{width:100%;height:auto}
svg text{font:13px system-ui,sans-serif;fill:#444}
@media(max-width:600px){svg text{font-size:17px}}p{max-width:42em}b{padding:0 .5em;color:#fff}"""

LEGEND = (
    f'<p><b style="background:{OURS}">Kilowatch</b> '
    f'<b style="background:{OTHER};color:#1c1f23">mean of 7 days</b></p>'
)


KNOWN = {
    None: "Nothing was known of a day before it was over.",
    PAST_DAYS: "Nothing was known of a day before it was over; of past days also the weather.",
    PERFECT: "Nothing was known of a day before it was over but its weather, as it was measured "
    "later: no weather forecast is so good.",
}


def page(name: str, days: Days, told: Told, found: dict[str, Any]) -> str:
    """The whole page of a backtest of the file `name`."""
    first = date.fromordinal(days.first_day)
    last = date.fromordinal(days.first_day + len(days) - 1)
    week = found["mean_week_runway"]
    parts = [
        f"<h1>Backtest of {escape(name)}</h1>",
        (
            f"<p>{found['customers']} customers, {first} to {last}; "
            f"{found['customer_days']:,} whole days judged, the first 28 of each customer left "
            f"out. {KNOWN[found['weather']]}</p>"
        ),
        "<h2>Tomorrow's energy: how much was said wrongly (WAPE)</h2>",
        bars(
            [("Kilowatch", found["wape"]), *found["simple_wape"].items()],
            lambda share: f"{100 * share:.2f} %",
        ),
        _facts(found),
        "<h2>Each customer's WAPE, best to worst</h2>",
        LEGEND,
        _customers(days, told),
        f"<h2>The last {DAYS_DRAWN} days of the largest customer, kWh a day</h2>",
        "<p>Used (line), and the 80 % interval told at the midnight before (band).</p>",
        _fan(days, told),
        "<h2>Is the 80 % interval one?</h2>",
        (
            "<p>Share of the days' sums that lay inside; the line is 80 %. Beyond 7 days the "
            "interval is extrapolated.</p>"
        ),
        bars(
            [
                (f"{span} day{'s together' if span != '1' else ''}", share)
                for span, share in (found["coverage80"] | found["coverage80_beyond"]).items()
            ],
            lambda share: f"{100 * share:.1f} %",
            mark=0.8,
        ),
        "<h2>Warnings before the money ends</h2>",
        (
            "<p>Prepaying customers buy 7 to 35 mean days of energy and buy again only when it has "
            "run out. Kilowatch warns by the rule of its third warning, the same for every file; "
            "the 7-day mean gets the lowest threshold at which it warns as many a day before. A "
            "warning is needless if the money lasted five days more."
            "</p>"
        ),
        _table(
            ("", "Kilowatch (P10 of the runway)", "7-day-mean runway"),
            [
                (label, form(found[key]), form(week[key]))
                for label, key, form in (
                    ("threshold, hours", "warn_threshold_hours", _text),
                    ("warned at least 24 h before", "warned_24h", _text),
                    ("needless per account and quarter", "needless_per_quarter", _rate),
                )
            ],
        ),
        "<p>Hours from the warning to the end of the money; bars count exhaustions:</p>",
        LEGEND,
        _leads(told),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Backtest of {escape(name)}</title><style>{STYLE}</style>"
        + "\n".join(parts)
        + "</html>\n"
    )


def _svg(inside: str, height: float = HEIGHT) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img">{inside}</svg>'


def bars(values: Sequence[tuple[str, float | None]], form: Any, mark: float | None = None) -> str:
    """Horizontal bars, the first one ours; `mark` draws a line at a wanted value."""
    known = [(label, value) for label, value in values if value is not None]
    most = max([value for _, value in known] + [mark or 0, 1e-9])
    scale = (WIDTH - LEFT - 90) / most
    drawn = []
    for place, (label, value) in enumerate(known):
        y = 8 + 28 * place
        colour = OURS if place == 0 or mark else OTHER
        after = LEFT + max(value, mark or 0) * scale + 6
        drawn.append(
            f'<text x="0" y="{y + 14}">{escape(label)}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{value * scale:.1f}" height="20" fill="{colour}"/>'
            f'<text x="{after:.1f}" y="{y + 14}">{form(value)}</text>'
        )
    height = 14 + 28 * len(known)
    if mark:
        x = LEFT + mark * scale
        drawn.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 4}" stroke="#b3261e" '
            'stroke-dasharray="4 3"/>'
        )
    return _svg("".join(drawn), height)


def _facts(found: dict[str, Any]) -> str:
    rows = [
        ("median customer", _text(found["wape_median"])),
        ("the whole of today, said at noon", _text(found["wape_today_at_noon"])),
        ("bias", _text(found["bias"])),
        ("month's bill said on day 10", _text(found["month_wape_day10"])),
        ("the same by the mean of 7 days", _text(found["month_wape_day10_mean_of_7_days"])),
    ]
    return _table(("", ""), rows)


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{100 * value:.2f} %" if abs(value) <= 1 else f"{value:.2f}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    line = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{line}</tr>{body}</table>"


def _axis(low: float, high: float, unit: str, y_low: float, y_high: float) -> str:
    """Three values at the left edge."""
    labels = []
    for part in (0.0, 0.5, 1.0):
        value, y = low + part * (high - low), y_low + part * (y_high - y_low)
        labels.append(
            f'<text x="0" y="{y + 4:.1f}">{_short(value)} {unit}</text>'
            f'<line x1="{LEFT / 2}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e7ea"/>'
        )
    return "".join(labels)


def _short(value: float) -> str:
    """Three figures, written out: 23,800 and not 2.38e+04."""
    if value == int(value):
        return f"{value:,.0f}"
    digits = max(0, 2 - int(np.floor(np.log10(value)))) if value > 0 else 0
    return f"{round(value, 2 - int(np.floor(np.log10(value))) if value > 0 else 0):,.{digits}f}"


def _points(x: NDArray[Any], y: NDArray[Any]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _customers(days: Days, told: Told) -> str:
    ours = by_customer(told.ahead_wh[..., 0], days.used_wh, told.scored)
    week = by_customer(told.simple_wh[2], days.used_wh, told.scored)
    order = np.argsort(ours)
    order = order[np.isfinite(ours[order])]
    if not len(order):
        return "<p>No customer has enough days.</p>"
    most = max(float(max(np.max(ours[order]), np.max(week[order]))), 1e-9)
    bottom, top = HEIGHT - BELOW, 10.0
    x = LEFT / 2 + (WIDTH - LEFT / 2 - 10) * (np.arange(len(order)) + 0.5) / len(order)
    drawn = [_axis(0, 100 * most, "%", bottom, top)]
    for values, colour in ((week, OTHER), (ours, OURS)):
        y = bottom - (bottom - top) * values[order] / most
        drawn += [
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.2" fill="{colour}"/>'
            for a, b in zip(x.tolist(), y.tolist(), strict=True)
        ]
    drawn.append(f'<text x="{LEFT / 2}" y="{HEIGHT - 12}">customers: {len(order)}</text>')
    return _svg("".join(drawn))


def _fan(days: Days, told: Told) -> str:
    used = np.where(told.scored, days.used_wh, np.nan)[-DAYS_DRAWN:]
    totals = np.nansum(used, axis=0)
    customer = int(np.argmax(totals))
    known = np.flatnonzero(np.isfinite(used[:, customer]))
    if len(known) < 2:
        return "<p>No customer has enough days.</p>"
    actual = used[known, customer] / 1000
    low = told.low_wh[-DAYS_DRAWN:][known, customer, 0] / 1000
    high = told.high_wh[-DAYS_DRAWN:][known, customer, 0] / 1000
    most = max(float(max(actual.max(), high.max())), 1e-9)
    bottom, top = HEIGHT - BELOW, 10.0
    x = LEFT / 2 + (WIDTH - LEFT / 2 - 10) * known / max(int(known[-1]), 1)

    def y(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(bottom - (bottom - top) * values / most)

    band = _points(np.r_[x, x[::-1]], np.r_[y(high), y(low)[::-1]])
    return _svg(
        _axis(0, most, "kWh", bottom, top)
        + f'<polygon points="{band}" fill="{BAND}"/>'
        + f'<polyline points="{_points(x, y(actual))}" fill="none" stroke="{OURS}"'
        ' stroke-width="2"/>' + _dates(days, x, known)
    )


def _dates(days: Days, x: NDArray[Any], known: NDArray[np.int64]) -> str:
    """The date of the first, a middle and the last day drawn."""
    start = days.first_day + max(len(days) - DAYS_DRAWN, 0)
    anchors = (("start", 0), ("middle", len(known) // 2), ("end", len(known) - 1))
    return "".join(
        f'<text x="{x[place]:.1f}" y="{HEIGHT - 12}" text-anchor="{anchor}">'
        f"{date.fromordinal(start + int(known[place]))}</text>"
        for anchor, place in anchors
    )


def _leads(told: Told) -> str:
    edges = np.arange(0, MOST_LEAD_HOURS + 1, 12)
    both = [
        np.histogram(
            np.clip(marks.leads, 0, MOST_LEAD_HOURS - 1),
            edges,
        )[0]
        for marks in both_rules(told.warned)
    ]
    most = max(int(np.max(both)), 1)
    bottom, top = HEIGHT - BELOW, 10.0
    step = (WIDTH - LEFT / 2) / (len(edges) - 1)
    drawn = [_axis(0, most, "", bottom, top)]
    for shift, counts, colour in ((0.1, both[0], OURS), (0.5, both[1], OTHER)):
        for place, count in enumerate(counts.tolist()):
            height = (bottom - top) * count / most
            x = LEFT / 2 + step * (place + shift)
            drawn.append(
                f'<rect x="{x:.1f}" y="{bottom - height:.1f}" width="{step * 0.4:.1f}" '
                f'height="{height:.1f}" fill="{colour}"/>'
            )
    for place in range(0, len(edges), 4):
        x = LEFT / 2 + step * place
        drawn.append(f'<text x="{x:.1f}" y="{HEIGHT - 12}">{edges[place]} h</text>')
    return _svg("".join(drawn))
