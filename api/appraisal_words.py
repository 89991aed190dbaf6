"""How is a month's appraisal shown: as rows for a CSV file, and as the body of its PDF?

The figures are `scoring.kpis`' and `scoring.benchmark`'s; here they get names and units.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any

from scoring.benchmark import Verdict
from scoring.units import money_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring.benchmark import Appraised, Compared
    from scoring.kpis import Figure

EVERYBODY = "全部 all"

SHARES = (
    "current_recovery", "old_arrears_recovery", "advance_share", "prepaid_coverage",
    "prepaid_sales", "carry_over", "receivable_over_bill",
)  # fmt: skip

NAMES = {
    "current_recovery": "当月回收率 Recovery",
    "old_arrears_recovery": "陈欠回收率 Old arrears",
    "advance_share": "预收占比 Advance",
    "prepaid_coverage": "预付费覆盖率 Prepaid",
    "prepaid_sales": "预付费售电率 Prepaid sales",
    "carry_over": "结转率 Carry-over",
    "receivable_over_bill": "应收余额与当月应收之比 Receivable",
    "days_past_due": "逾期天数中位数 Days past due",
    "dunning_to_payment_hours": "催费至到账（小时） Dunning to payment, hours",
    "wrongful_trips_per_10000": "误停（每万次停电） Wrongful trips of 10,000",
    "restore_seconds_p95": "复电用时P95（秒） Restore p95, seconds",
}
VERDICTS = {
    Verdict.ABOVE: "优于期望 above",
    Verdict.AS_EXPECTED: "与期望相符 as expected",
    Verdict.BELOW: "低于期望 below",
    Verdict.TOO_FEW: "户数不足 too few",
}


def appraisal_rows(appraised: Sequence[Appraised]) -> list[dict[str, Any]]:
    """A row for each collector: the comparison, then every figure with its interval."""
    rows = []
    for each in appraised:
        one = each.compared
        if one is None:
            continue
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
            figure: Figure = getattr(each.kpis, name)
            row |= {
                name: _number(figure.value),
                f"{name}_low": _number(figure.low),
                f"{name}_high": _number(figure.high),
            }
        rows.append(row)
    return rows


def appraisal_csv(appraised: Sequence[Appraised]) -> str:
    """The rows as a CSV file; begun with a mark by which spreadsheets know UTF-8."""
    rows = appraisal_rows(appraised)
    file = StringIO()
    file.write("\ufeff")
    writer = csv.DictWriter(file, list(rows[0]) if rows else ["collector"])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def appraisal_body(appraised: Sequence[Appraised], month: str, utility: str) -> dict[str, Any]:
    """The body of `appraisal.typ`."""
    last_all = sorted(appraised, key=lambda each: each.compared is None)
    return {
        "title": f"appraisal {month}",
        "month": month,
        "utility": utility,
        "compared": [compared_shown(each.compared) for each in appraised if each.compared],
        "figureNames": list(NAMES.values()),
        "figures": [
            {
                "collector": EVERYBODY if each.compared is None else each.collector,
                "values": [figure_shown(name, getattr(each.kpis, name)) for name in NAMES],
            }
            for each in last_all
        ],
    }


def compared_shown(one: Compared) -> dict[str, Any]:
    """A comparison as people read it."""
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


def figure_shown(name: str, figure: Figure) -> str:
    """A figure as people read it, with its interval where it has one."""
    if figure.value is None:
        return "-"
    if name in SHARES:
        return f"{figure.value * 100:.1f} %"
    low = "-" if figure.low is None else f"{figure.low:.0f}"
    high = "-" if figure.high is None else f"{figure.high:.0f}"
    return f"{figure.value:.0f} [{low}, {high}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
