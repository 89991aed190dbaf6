"""What does a policy sheet say, in Chinese and in English?

From a policy, its customer's contract and file to the texts its template sets.  Only words and
their order are chosen here; the facts are `scoring.policy`'s.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scoring.customer_file import Block
from scoring.policy import RULES, Status
from scoring.policy_terms import Caller, MustPrepay, Need, Risk, Size, Why, size_of
from scoring.units import WH_PER_KWH, money_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from scoring.contracts import Contract
    from scoring.customer_file import CustomerFile
    from scoring.policy import Policy

LANGUAGES = ("zh", "en")

MODES = {
    "prepaid": ("预付费", "prepaid"),
    "plan": ("计划结算", "settlement plan"),
    "plan-by-estimate": ("分次划拨", "instalments by estimate"),
    "plan-by-reading": ("分次结算", "instalments by reading"),
}
STATUS = {
    Status.PROPOSED: ("待审批", "proposed"),
    Status.APPROVED: ("已批准", "approved"),
    Status.REJECTED: ("已驳回", "rejected"),
}
SIZES = {
    Size.SMALL: ("小型", "small"),
    Size.MIDDLE: ("中型", "middle"),
    Size.LARGE: ("大型", "large"),
}
RISKS = {
    Risk.LOW: ("低风险", "low risk"),
    Risk.MEDIUM: ("中风险", "medium risk"),
    Risk.HIGH: ("高风险", "high risk"),
    Risk.SEVERE: ("严重风险", "severe risk"),
    Risk.UNKNOWN: ("数据不足，按中风险", "insufficient data, as medium risk"),
}
CALLERS = {
    Caller.MESSAGE: ("短信", "text message"),
    Caller.COLLECTOR: ("催费员", "collector"),
    Caller.TEAM_LEADER: ("班组长", "team leader"),
    Caller.UNIT_HEAD: ("单位负责人", "unit head"),
}
NEEDS = {
    Need.PREPAYMENT_CLAUSE: ("合同预付费条款（双方签署）", "prepayment clause of the contract"),
    Need.PLAN_CLAUSE: ("合同计划结算条款（双方签署）", "plan clause of the contract"),
}  # fmt: skip
DUTIES = {
    MustPrepay.THEFT: ("窃电", "theft"),
    MustPrepay.TRANSIENT: ("流动商户", "transient trade"),
    MustPrepay.TEMPORARY: ("临时用电", "temporary supply"),
    MustPrepay.LEASED: ("租赁户", "leased premises"),
    MustPrepay.MALICIOUS: ("恶意拖欠", "malicious arrears"),
    MustPrepay.NEW_CONNECTION: ("新装", "new connection"),
    MustPrepay.EXPANDED_CONNECTION: ("增容", "expanded connection"),
}
CLASSES = {"resident": ("居民", "resident"), "business": ("非居民", "business"),
           "large": ("大客户", "large")}  # fmt: skip
WHY = {
    Why.MUST_PREPAY: ("必须预付费：{}", "must prepay: {}"),
    Why.STAR_CHOICE: ("星级客户自选：{}", "chosen by the star customer: {}"),
    Why.CHOICE_NEEDS_STARS: ("客户自选{}须达四星及以上，未予采纳", "{} needs four stars"),
    Why.RISK_PREPAY: ("欠费风险等级 {}：改为预付费", "arrears risk grade {}: prepayment"),
    Why.MODE_KEPT: ("沿用现行缴费方式：{}", "payment as before: {}"),
    Why.FIRST_POLICY: ("首次策略：{}", "first policy: {}"),
    Why.WARNING_BY_RISK: ("预警天数：按{}确定", "warning days by {}"),
    Why.SETTLEMENT_BY_RISK: ("每 {} 天结算一次", "settled every {} days"),
    Why.SECURITY_BY_RISK: ("担保要求：30 天电费的 {}%", "security: {} % of 30 days' charge"),
    Why.CALLS_BY_SIZE: ("预警通知方式：按用电规模（{}）", "who calls, by size: {}"),
    Why.TRIP_APPROVAL_BY_CLASS: (
        "停电审批：按客户类别（{}），与风险等级无关", "trip approval by class: {} (not by grade)",
    ),
}  # fmt: skip
BLOCKS = {
    Block.OWNERS: ("负责人与资本", "Owners and capital"),
    Block.SUPPLY: ("用电与负荷", "Supply and usage"),
    Block.EQUIPMENT: ("生产设备", "Equipment"),
    Block.OPERATIONS: ("经营情况", "Operations"),
    Block.FINANCE: ("财务与资信", "Finance and credit"),
    Block.PAYMENT_HISTORY: ("缴费与欠费", "Payment history"),
    Block.CONTRACT: ("合同与担保", "Contract and security"),
}
MISSING = ("尚缺 {} 项", "{} missing")
FACTS = {
    "legal_representative": ("法定代表人", "legal representative"),
    "shareholders": ("股东", "shareholders"),
    "organisation": ("组织机构", "organisation"),
    "capital": ("实缴资本", "capital"),
    "mortgages": ("抵押", "mortgages"),
    "usage_nature": ("用电性质", "nature of usage"),
    "sector": ("行业", "sector"),
    "transformers": ("变压器", "transformers"),
    "load": ("负荷", "load"),
    "mean_month_usage": ("月均电量", "mean month"),
    "payment_mode": ("缴费方式", "payment"),
    "main_equipment": ("主要设备", "main equipment"),
    "shifts": ("班制", "shifts"),
    "products": ("产品", "products"),
    "orders": ("订单", "orders"),
    "site_visit": ("走访", "site visit"),
    "bank_rating": ("资信等级", "rating"),
    "tax_arrears": ("欠税", "tax arrears"),
    "last_statement": ("财务报表", "last statement"),
    "days_past_due": ("逾期天数", "days past due"),
    "arrears": ("欠费", "arrears"),
    "returned_payments": ("退票", "returned payments"),
    "grade": ("风险等级", "grade"),
    "stars": ("星级", "stars"),
    "contract": ("合同", "contract"),
    "guarantees": ("担保", "guarantees"),
    "deposits": ("保证金", "deposits"),
    "contact": ("联系人", "contact"),
    "must_prepay": ("须预付费", "must prepay"),
    "payment_choice": ("自选方式", "chosen payment"),
}
"""Facts of the file by name; one that a person named otherwise keeps that name."""


def _texts(table: dict[Any, tuple[str, str]], names: str) -> tuple[str, str]:
    """A detail in both languages; words nobody translated stay as they are."""
    both = [
        next((text for key, text in table.items() if str(key) == name), (name, name))
        for name in names.split(", ")
    ]
    return "、".join(zh for zh, _ in both), ", ".join(en for _, en in both)


WORDS_OF: dict[Why, dict[Any, tuple[str, str]]] = {
    Why.MUST_PREPAY: DUTIES,
    Why.STAR_CHOICE: MODES,
    Why.CHOICE_NEEDS_STARS: MODES,
    Why.MODE_KEPT: MODES,
    Why.FIRST_POLICY: MODES,
    Why.WARNING_BY_RISK: RISKS,
    Why.CALLS_BY_SIZE: SIZES,
    Why.TRIP_APPROVAL_BY_CLASS: CLASSES,
}


def why_texts(policy: Policy) -> tuple[list[str], list[str]]:
    """The reasons of a policy in Chinese and in English."""
    zh, en = [], []
    for why, detail in policy.why:
        details = _texts(WORDS_OF.get(why, {}), detail)
        zh.append(WHY[why][0].format(details[0]))
        en.append(WHY[why][1].format(details[1]))
    return zh, en


def policy_body(
    policy: Policy,
    contract: Contract | None,
    file: CustomerFile | None,
    utility: str,
    zone: tzinfo = UTC,
    languages: tuple[str, ...] = LANGUAGES,
) -> dict[str, Any]:
    """The body of `policy.typ`; a language each has its page."""
    facts, terms = policy.facts, policy.terms
    by_contract = () if contract is None else contract.fills()
    filled = "-" if file is None else "{} / {}".format(*file.filled(by_contract))
    plan = terms.plan.instalments if terms.plan else ()
    why = why_texts(policy)
    return {
        "languages": list(languages),
        "utility": utility,
        "policyId": policy.policy_id,
        "account": policy.account_id,
        "customer": contract.customer_name if contract else "",
        "month": f"{facts.month // 12:04d}-{facts.month % 12 + 1:02d}",
        "version": policy.version,
        "grade": facts.grade or "-",
        "stars": facts.stars,
        "sector": facts.sector,
        "capacity": f"{facts.capacity_va // 1000} kVA · {facts.voltage_v / 1000:g} kV",
        "usage": f"{facts.mean_month_wh // (1000 * WH_PER_KWH)} MWh",
        "effective": policy.effective_on.isoformat() if policy.effective_on else "-",
        "settlementDays": terms.settlement_days,
        "tripApprovals": terms.trip_approvals,
        "securityHeld": money_text(facts.security_nanos),
        "securityWanted": money_text(terms.security_wanted_nanos),
        "plan": [{"day": day, "share": f"{share / 100:g} %"} for day, share in plan],
        "filled": filled,
        "proposedBy": "" if policy.proposed_by == RULES else policy.proposed_by,
        "proposedAt": _moment(policy.proposed_at, zone),
        "decidedBy": policy.decided_by or "-",
        "decidedAt": _moment(policy.decided_at, zone) if policy.decided_by else "",
        "reason": policy.decided_because or ("" if policy.proposed_by == RULES else policy.reason),
        **{
            language: _of_language(policy, file, by_contract, number, why[number])
            for number, language in enumerate(LANGUAGES)
        },
    }


def _of_language(
    policy: Policy,
    file: CustomerFile | None,
    by_contract: Sequence[tuple[Block, str]],
    number: int,
    why: list[str],
) -> dict[str, Any]:
    terms = policy.terms
    mode = MODES[terms.payment_mode.value][number]
    if terms.plan:
        mode = MODES[f"plan-by-{terms.plan.mode.value}"][number]
    return {
        "status": STATUS[policy.status][number],
        "mode": mode,
        "size": SIZES[size_of(policy.facts.mean_month_wh)][number],
        "levels": [
            [
                str(level),
                f"{each.days:g}",
                money_text(each.amount_nanos) if each.amount_nanos else "-",
                CALLERS[each.caller][number],
            ]
            for level, each in enumerate(terms.levels, 1)
        ],
        "why": why,
        "needs": [NEEDS[need][number] for need in policy.needs],
        "blocks": [
            [BLOCKS[block][number], _block_text(file, by_contract, block, number)]
            for block in Block
        ],
    }


def _block_text(
    file: CustomerFile | None, by_contract: Sequence[tuple[Block, str]], block: Block, number: int
) -> str:
    """A block's facts by name; what the contract tells stands in the contract."""
    if file is None:
        return "-"
    lacking = sum(
        each is block and (each, name) not in by_contract for each, name in file.missing()
    )
    parts = []
    for name, fact in file.block(block).items():
        text = _texts(MODES, fact.text)[number] if name == "payment_mode" else fact.text
        parts.append(
            ("{}：{}", "{}: {}")[number].format(FACTS.get(name, (name, name))[number], text)
        )
    if lacking:
        parts.append(MISSING[number].format(lacking))
    return ("；" if number == 0 else "; ").join(parts)


def _moment(at: int, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M}" if at else "-"
