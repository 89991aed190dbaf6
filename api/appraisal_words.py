"""How is a month's appraisal shown: as rows for a CSV file, and as the body of its PDF?

The figures are `scoring.kpis`' and `scoring.benchmark`'s; here they get names and units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scoring.benchmark import Verdict, compare
from scoring.kpis import by_collector, kpis
from scoring.units import money_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring.benchmark import Compared
    from scoring.kpis import AccountMonth, Figure, Kpis

ALL = "全部 all"

SHARES = ("current_recovery", "old_arrears_recovery", "advance_share", "prepaid_coverage")

NAMES = {
    "current_recovery": "当月回收率 Recovery",
    "old_arrears_recovery": "陈欠回收率 Old arrears",
    "advance_share": "预收占比 Advance",
    "prepaid_coverage": "预付费覆盖 Prepaid",
    "receivable_over_bill": "应收余额/应收 Receivable",
    "days_past_due": "逾期天数中位 Days past due",
    "dunning_to_payment_hours": "催费到账小时 Dunning to payment",
    "wrongful_trips_per_10000": "误停/万次 Wrongful trips",
    "restore_seconds_p95": "复电秒数P95 Restore p95",
}
VERDICTS = {
    Verdict.ABOVE: "优于期望 above",
    Verdict.AS_EXPECTED: "符合期望 as expected",
    Verdict.BELOW: "低于期望 below",
    Verdict.TOO_FEW: "户数不足 too few",
}


def appraisal_rows(months: Sequence[AccountMonth]) -> list[dict[str, Any]]:
    """A row for each collector: the comparison, then every figure with its interval."""
    figures = by_collector(months)
    rows = []
    for one in compare(months):
        row: dict[str, Any] = {
            "collector": one.collector,
            "accounts": one.accounts,
            "billed": money_text(one.billed_nanos),
            "received": money_text(one.received_nanos),
            "expected": money_text(one.expected_nanos),
            "lead": f"{one.lead:.4f}",
            "lead_low": _number(one.low),
            "lead_high": _number(one.high),
            "verdict": one.verdict.value,
        }
        for name in NAMES:
            figure: Figure = getattr(figures[one.collector], name)
            row |= {
                name: _number(figure.value),
                f"{name}_low": _number(figure.low),
                f"{name}_high": _number(figure.high),
            }
        rows.append(row)
    return rows


def appraisal_body(months: Sequence[AccountMonth], month: str, utility: str) -> dict[str, Any]:
    """The body of `appraisal.typ`."""
    figures: dict[str, Kpis] = {**by_collector(months), ALL: kpis(months)}
    return {
        "title": f"appraisal {month}",
        "month": month,
        "utility": utility,
        "compared": [_compared(one) for one in compare(months)],
        "figureNames": list(NAMES.values()),
        "figures": [
            {
                "collector": name,
                "values": [_shown(each, getattr(some, each)) for each in NAMES],
            }
            for name, some in figures.items()
        ],
    }


def _compared(one: Compared) -> dict[str, Any]:
    interval = "-"
    if one.low is not None and one.high is not None:
        interval = f"{one.low * 100:+.1f} … {one.high * 100:+.1f}"
    return {
        "collector": one.collector,
        "accounts": one.accounts,
        "billed": money_text(one.billed_nanos),
        "actual": f"{one.actual * 100:.1f} %",
        "expected": f"{one.expected * 100:.1f} %",
        "lead": f"{one.lead * 100:+.1f}",
        "interval": interval,
        "verdict": one.verdict.value,
        "verdictWords": VERDICTS[one.verdict],
    }


def _shown(name: str, figure: Figure) -> str:
    if figure.value is None:
        return "-"
    if name in SHARES or name == "receivable_over_bill":
        return f"{figure.value * 100:.1f} %"
    low = "-" if figure.low is None else f"{figure.low:.0f}"
    high = "-" if figure.high is None else f"{figure.high:.0f}"
    return f"{figure.value:.0f} [{low}, {high}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
