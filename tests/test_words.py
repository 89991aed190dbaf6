"""Is what a decision says also said in Chinese, whatever the road that wrote its detail?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.words import detail_sentence
from scoring.decide import judge, on_new_customer
from scoring.effects import Decision, Hold, RestoreCommand
from scoring.events import PaymentKind, PaymentMode, PaymentReceived, Protection, Switch
from scoring.metered import proof_by_voltage
from scoring.postings import unmet_text
from scoring.procedures import CommandState, Procedure
from scoring.units import NANOS_PER_UNIT as UNIT
from tests.situations import COMMANDED, FULL, NOON, NOTICED, RESTORING, TRIPPED, replace
from tests.test_metering_proof import gap

if TYPE_CHECKING:
    from scoring.situation import Situation, Verdict

BY_LAW = replace(TRIPPED, procedure=Procedure.ARREARS_STOP, payment_mode=PaymentMode.PLAN, step=2)
OFF_FOR_GOOD = replace(COMMANDED, attempt=3, command=CommandState.FAILED, switch=Switch.CONNECTED,
                       command_expires_at=NOON)  # fmt: skip


def judged(start: Situation, **changes: object) -> Verdict:
    return judge(replace(start, **changes))


SAID = [
    (judged(TRIPPED, **FULL), "可用余额 100.00"),
    (judged(RESTORING, command_expires_at=NOON), "尚未证实已恢复供电"),
    (judged(TRIPPED, is_quarantined=True), "数据异常，等待人工核查"),
    (judged(TRIPPED, payment_mode=PaymentMode.PLAN), "该户现为分期结算"),
    (judged(BY_LAW, payment_mode=PaymentMode.PREPAID), "该户现为预付费"),
    (judged(TRIPPED, protections=Protection.LIFE_SUPPORT), "受保护：用户依赖电力维持生命"),
    (judged(BY_LAW, oldest_due_day=0), "没有逾期超过 30 天的账单"),
    (judged(NOTICED, unsettled_until=NOON + 1), "home-1:notice:2，余额所依据的条款已变更"),
    (judged(NOTICED, notice_delivered_at=NOON - 400 * 86_400),
     "home-1:notice:2，通知送达已超过 30 天"),
    (judged(COMMANDED, unsettled_until=NOON + 1),
     "已召回：电表、电价、缴费方式或信用额度近期有变更"),
    (judged(COMMANDED, interlock=Hold.INTERLOCK_FROZEN),
     "已召回：全部停电已冻结，须两人复核后解除"),
    (judged(OFF_FOR_GOOD), "3 次停电命令均未获证实"),
    (judged(TRIPPED, **gap(900, 0)), "home-1:trip:2:1 报已执行之后又用电 900 Wh"),
    (proof_by_voltage(TRIPPED, 230), "home-1:trip:2:1 报已执行之后开关负荷侧仍有 230 V"),
    (on_new_customer(TRIPPED), "用电人已变更"),
]  # fmt: skip


@pytest.mark.parametrize(("verdict", "chinese"), SAID, ids=[chinese for _, chinese in SAID])
def test_what_is_decided_is_said_in_chinese(verdict: Verdict, chinese: str) -> None:
    said = [
        effect.reason if isinstance(effect, RestoreCommand) else effect.detail
        for effect in verdict.effects
        if isinstance(effect, RestoreCommand | Decision)
    ]
    assert chinese in [detail_sentence(each, "zh") for each in said]
    english = " ".join(detail_sentence(each) for each in said)
    assert "_" not in english, "a code name is no English"


@pytest.mark.parametrize(
    ("detail", "chinese"),
    [
        (unmet_text(PaymentReceived("a", 0, 0, "p-1", 60 * UNIT, 0, pays=2026 * 12 + 6), 40 * UNIT),
         "p-1，金额 60.00，指定 2026-07，其中 40.00 先抵充到期在先的欠费"),
        (f"{PaymentKind.PAYMENT.value} p-0 of 80.00 is kept until the account's terms are stated",
         "p-0，金额 80.00，待该户建档后入账"),
        (f"{PaymentKind.IN_FLIGHT.value} p-0 of 8.00 is kept until the account's terms are stated",
         "p-0，金额 8.00，待该户建档后入账"),
        ("bill of 2026-06: an actual register takes 500 Wh back, 12.00 in the customer's favour",
         "2026-06 账单，应退 12.00（实抄示数冲减估算电量 500 Wh）"),
        ("bill of 2026-06: a late interval tells when 900 Wh were used, 0.69 more to pay",
         "2026-06 账单，应补 0.69（补采数据明确了 900 Wh 的用电时段）"),
        ("bill of 2026-06: a late interval brings 900 Wh, 54.69 more to pay",
         "2026-06 账单，应补 54.69（补采数据补计电量 900 Wh）"),
        ("bill of 2026-06: late energy, 54.69 more to pay",
         "2026-06 账单，应补 54.69（late energy）"),
        ("nobody has translated this", "nobody has translated this"),
    ],
)  # fmt: skip
def test_what_is_posted_is_said_in_chinese(detail: str, chinese: str) -> None:
    assert detail_sentence(detail, "zh") == chinese


@pytest.mark.parametrize(
    ("detail", "english"),
    [
        ("protected: life_support, dispute",
         "protected: somebody there depends on electricity to live; the bill is in dispute"),
        ("home-1:notice:1: protected: dispute",
         "home-1:notice:1: protected: the bill is in dispute"),
        ("called back: interlock_frozen",
         "called back: all disconnections are frozen until two people have looked"),
        ("the account is plan now", "the account settles by plan now"),
        ("the account is prepaid now", "the account is prepaid now"),
        ("46.56 is available", "46.56 is available"),
    ],
)  # fmt: skip
def test_no_code_name_is_said_in_english(detail: str, english: str) -> None:
    assert detail_sentence(detail) == english


def test_a_detail_of_any_length_is_said():
    """Whoever writes a link of his own cannot stop its reader."""
    for bead in ("a:trip:1: ", "bill of x: ", "protected: "):
        assert detail_sentence(bead * 5_000, "zh")
        assert detail_sentence(bead * 5_000)
