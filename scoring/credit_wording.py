"""What are the 18 items of the credit score and their lines called, in English and in Chinese?

The words in which a grade explains itself to customers and clerks, line by line beside the rules
of `credit_items`, with the facts each rests on and who could change them.  No rule is decided here;
a test holds that lines and rules give the same points.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from scoring.credit import Override


class Effort(IntEnum):
    """What it takes to change an item's facts, cheapest first."""

    PAPER = 1
    """A document, an entry or a visit."""
    CONDUCT = 2
    """Paying in time, keeping power factor and terms."""
    MONEY = 3
    """A deposit, a guarantee, a larger balance."""
    BUSINESS = 4
    """A different balance sheet, more business."""
    NOT_IN_HAND = 5
    """Nothing the customer can do now: it lies in the past or with others."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a rule: the points it gives and what must hold, in both languages."""

    points: int
    english: str
    chinese: str


@dataclass(frozen=True, slots=True)
class Item:
    """One of the 18 items; `facts` are columns of credit_facts.FACTS, `lines` best first."""

    code: str
    english: str
    chinese: str
    group: str
    effort: Effort
    facts: tuple[str, ...]
    lines: tuple[Line, ...]


def _lines(*told: tuple[int, str, str]) -> tuple[Line, ...]:
    return tuple(Line(*line) for line in told)


def _shares(english: str, chinese: str, *edges: tuple[int, str]) -> tuple[Line, ...]:
    """Lines whose words differ in their edge alone."""
    return tuple(Line(given, f"{english} {edge}", f"{chinese}{edge}") for given, edge in edges)


_FILE = tuple(
    Line(
        tenth,
        f"more than {tenth - 1}0 % of the file filled in"
        + (", site visited within 12 months" if tenth > 6 else ""),
        f"档案完整度超过{tenth - 1}0%" + ("，且12个月内已走访" if tenth > 6 else ""),
    )
    for tenth in range(10, 0, -1)
)
_CHANGES = _lines(
    (9, "no change of owner, representative or tenant in 24 months", "24个月内无主体变更"),
    (7, "no change in 24 months, leased premises", "24个月内无主体变更，租赁场地"),
    (6, "one change in 24 months", "24个月内变更1次"),
    (4, "one change in 24 months, leased premises", "24个月内变更1次，租赁场地"),
    (3, "two changes in 24 months", "24个月内变更2次"),
    (1, "three changes or more, or two with leased premises", "变更3次及以上，或2次且租赁"),
)
_OUTLOOK = _lines(
    (9, "growing industry", "行业增长"),
    (6, "stable industry", "行业平稳"),
    (3, "declining industry", "行业下行"),
    (1, "industry on the capacity-cut or high-risk list", "去产能或高风险行业"),
)
_GROWTH = _shares(
    "usage growth against the industry's median, points:",
    "用电增速与同行业中位数之差（百分点）：",
    *((9, "≥ +10"), (7, "≥ +3"), (6, "≥ -3"), (4, "≥ -10"), (2, "≥ -25"), (1, "< -25")),
)
_CONDITION = _shares(
    "usage of 30 days against the same days last year:",
    "近30天电量与上年同期之比：",
    *((10, "≥ 110 %"), (9, "≥ 95 %"), (7, "≥ 85 %"), (5, "≥ 70 %"), (3, "≥ 50 %"), (1, "< 50 %")),
)
_PROSPECTS = _lines(
    (9, "capacity expanded, nothing given up", "仅有增容"),
    (6, "no order on capacity in 12 months", "12个月内无容量变更"),
    (4, "less than 30 % of capacity suspended", "暂停容量不足30%"),
    (3, "30 % of capacity or more suspended", "暂停容量达30%及以上"),
    (2, "capacity reduced", "减容"),
    (1, "closure filed", "已申请销户"),
)
_MARGIN = _shares(
    "percentile of the year's bill in the unit:",
    "年电费在本单位的百分位：",
    *((10, "≥ 95"), (8, "≥ 80"), (6, "≥ 50"), (4, "≥ 20"), (2, "< 20")),
)
_FAILED = tuple(
    Line(
        10 - months,
        f"{months} of 12 months failed power factor or demand" + (" or more" * (months == 9)),
        f"12个月中功率因数或需量不达标{months}个月" + ("及以上" * (months == 9)),
    )
    for months in range(10)
)
_KEY = _lines(
    (9, "city key project or tax payer", "市级重点项目或纳税大户"),
    (7, "district key project or tax payer", "区级重点项目或纳税大户"),
    (5, "on no list", "未列入名单"),
)
_RESPONSE = _lines(
    (9, "takes part in demand response and complied", "参与需求响应并履约"),
    (6, "takes part in demand response", "参与需求响应"),
    (5, "does not take part", "未参与"),
    (2, "broke its part in orderly use", "违反有序用电"),
)
_SECURITY = (
    *_shares(
        "deposit, guarantees and prepaid balance to 30-day exposure:",
        "保证金、担保与预存余额对30天最大敞口之比：",
        *((10, "≥ 100 %"), (8, "≥ 75 %"), (6, "≥ 50 %"), (4, "≥ 25 %"), (2, "> 0")),
    ),
    Line(1, "no security", "无担保"),
)
_LEAVING = _lines(
    (7, "no other source of supply", "无可替代电源"),
    (5, "partly own generation or another retailer", "部分自备或其他售电合同"),
    (2, "can leave within 30 days", "30天内可离开"),
)
_RECORD = (
    Line(10, "every due paid a day early or more", "每期均提前1天及以上缴费"),
    *_shares(
        "mean days past due, weighted by amount:",
        "按金额加权的平均逾期天数：",
        *((9, "≤ 0"), (7, "≤ 3"), (5, "≤ 7"), (3, "≤ 15"), (2, "≤ 30"), (1, "> 30")),
    ),
)
_BANK = _shares(
    "rating (2 less for each debit returned, 3 at most with tax arrears):",
    "资信等级（每次退票减2分，有欠税的最高3分）：",
    *((10, "AAA"), (9, "AA"), (8, "A"), (6, "BBB"), (4, "BB"), (2, "B"), (1, "≤ CCC")),
)
_PROFIT = _shares(
    "net profit to revenue:",
    "净利润率：",
    *((10, "≥ 10 %"), (8, "≥ 5 %"), (6, "≥ 2 %"), (4, "≥ 0 %"), (2, "≥ -5 %"), (1, "< -5 %")),
)
_SHEET = _shares(
    "liabilities to assets:",
    "资产负债率：",
    *((10, "≤ 40 %"), (8, "≤ 50 %"), (6, "≤ 60 %"), (4, "≤ 70 %"), (2, "≤ 80 %"), (1, "> 80 %")),
)
_SOLVENCY = _lines(
    (9, "10 days of cover, or all instalments kept", "余额可用10天，或分次结算全部按时足额"),
    (7, "7 days of cover, or 95 % of instalments kept", "余额可用7天，或分次结算兑现95%"),
    (5, "3 days of cover, or 85 % of instalments kept", "余额可用3天，或分次结算兑现85%"),
    (3, "1 day of cover, or 70 % of instalments kept", "余额可用1天，或分次结算兑现70%"),
    (1, "less than a day of cover, or fewer instalments kept", "余额不足1天，或兑现不足70%"),
)
_CAPITAL = _shares(
    "paid-in capital in mean monthly bills:",
    "实缴资本对月均电费倍数：",
    *((10, "≥ 50"), (8, "≥ 20"), (6, "≥ 10"), (4, "≥ 5"), (2, "≥ 1"), (1, "< 1")),
)

ITEMS: tuple[Item, ...] = (
    Item(
        *("B1", "surface impression", "表面印象", "basic", Effort.PAPER),
        ("file_sections_filled", "file_sections_required", "days_since_visit"),
        _FILE,
    ),
    Item(
        *("B2", "organisation and management", "组织管理", "basic", Effort.NOT_IN_HAND),
        ("ownership_changes", "is_leased"),
        _CHANGES,
    ),
    Item(
        *("B3", "product and market", "产品与市场", "basic", Effort.NOT_IN_HAND),
        ("outlook",),
        _OUTLOOK,
    ),
    Item(
        *("B4", "market competitiveness", "市场竞争性", "basic", Effort.BUSINESS),
        ("usage_90d_wh", "usage_90d_before_wh", "peer_growth_ppm"),
        _GROWTH,
    ),
    Item(
        *("B5", "operating condition", "经营状况", "basic", Effort.BUSINESS),
        ("usage_recent_wh", "usage_before_wh"),
        _CONDITION,
    ),
    Item(
        *("B6", "prospects", "发展前景", "basic", Effort.BUSINESS),
        ("closure_filed", "capacity_reduced", "suspended_va", "capacity_va", "capacity_expanded"),
        _PROSPECTS,
    ),
    Item(
        *("P1", "trade margin", "交易利润率", "priority", Effort.NOT_IN_HAND),
        ("billed_no_more", "billed_peers"),
        _MARGIN,
    ),
    Item(
        *("P2", "requirements on supply", "对产品的要求", "priority", Effort.CONDUCT),
        ("months_failed",),
        _FAILED,
    ),
    Item(
        *("P3", "market attraction", "对市场吸引力的影响", "priority", Effort.NOT_IN_HAND),
        ("key_list",),
        _KEY,
    ),
    Item(
        *("P4", "effect on competitiveness", "对市场竞争力的影响", "priority", Effort.CONDUCT),
        ("demand_response",),
        _RESPONSE,
    ),
    Item(
        *("P5", "security", "担保条件", "priority", Effort.MONEY),
        ("security_cents", "exposure_cents"),
        _SECURITY,
    ),
    Item(
        *("P6", "replaceability", "可替代性", "priority", Effort.BUSINESS),
        ("leaving",),
        _LEAVING,
    ),
    Item(
        *("C1", "payment record", "付款记录", "credit", Effort.CONDUCT),
        ("dues_cents", "days_late_cents", "latest_days"),
        _RECORD,
    ),
    Item(
        *("C2", "bank credit", "银行信用", "credit", Effort.BUSINESS),
        ("bank_rating", "returned_debits", "tax_arrears"),
        _BANK,
    ),
    Item(
        *("C3", "profitability", "获利能力", "credit", Effort.BUSINESS),
        ("net_profit_cents", "revenue_cents"),
        _PROFIT,
    ),
    Item(
        *("C4", "balance sheet", "资产负债表评估", "credit", Effort.BUSINESS),
        ("liabilities_cents", "assets_cents"),
        _SHEET,
    ),
    Item(
        *("C5", "solvency", "偿债能力", "credit", Effort.MONEY),
        ("cover_seconds", "instalments_due", "instalments_kept"),
        _SOLVENCY,
    ),
    Item(
        *("C6", "capital", "资本总额", "credit", Effort.BUSINESS),
        ("capital_cents", "billed_cents", "billed_months"),
        _CAPITAL,
    ),
)
"""The items in the order of credit_items.RULES."""

OVERRIDE_TOLD: dict[Override, tuple[str, str]] = {
    Override.THEFT: ("theft of electricity within 24 months", "24个月内有窃电"),
    Override.MISUSE: ("breach of the terms of use within 12 months", "12个月内有违约用电"),
    Override.ACCIDENT: ("accident answered for within 12 months", "12个月内有责任事故"),
    Override.HAZARD: ("hazard not mended, notice within 12 months", "隐患整改通知未落实"),
    Override.UNSIGNED_CHANGE: (
        "change of use without contract within 12 months",
        "12个月内擅自变更用电且未签合同",
    ),
    Override.OLD_ARREARS: (
        "arrears of earlier years without a kept agreement",
        "陈欠电费且无还款协议或未履行",
    ),
    Override.ARREARS_OF_THE_YEAR: ("three months of this year in arrears", "当年欠费达3个月"),
    Override.INSOLVENCY: ("insolvency filed", "已申请破产"),
    Override.NEW_CUSTOMER: (
        "new customer: middle grade for 12 months",
        "新客户12个月内定为中间等级",
    ),
    Override.TRIPPED: ("tripped within 6 months: not above the middle", "6个月内曾跳闸，等级受限"),
    Override.UNPAID_AT_PERIOD_END: (
        "a bill was unpaid at the period's end: not the top grade",
        "期末有未缴电费，不得评为最高等级",
    ),
    Override.ONE_STEP: ("one step up a period at most", "每期最多上升一级"),
}
"""Each override as people read it, in English and in Chinese."""
