"""In which sentence is each link of an account's decisions told?

English and Chinese, apart from the code that fills them in (`api.why`), so that whoever speaks to
customers can mend the words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.topics import (
    DISCONNECTION_NOTICES,
    LOW_BALANCE_WARNINGS,
    PLAN_NOTICES,
    RESTORE_COMMANDS,
    STATUS_READS,
    TRIP_COMMANDS,
    WORK_ITEMS,
)

if TYPE_CHECKING:
    from api.words import Language

SENTENCES: dict[Language, dict[str, str]] = {
    "en": {
        LOW_BALANCE_WARNINGS: "A low-balance warning was sent: the balance was {available}.",
        "recovered": "The customer was told that the balance suffices again: {available} is left.",
        DISCONNECTION_NOTICES: "A disconnection notice was sent: {available} was available.",
        "dunning": "The customer was dunned for overdue bills: {ledger} stood in the ledger.",
        "written-notice": "The written notice of disconnection by law was sent.",
        "second-notice": "The second notice was sent, half an hour before the earliest stop.",
        TRIP_COMMANDS: (
            "The supply was ordered off: {available} was available as of the reading of {read_at}, "
            "the notice had been proven delivered at {delivered_at}, and none of {missed} guards "
            "held it back{approved}."
        ),
        "stop-by-law": (
            "The supply was ordered off for arrears: {owed} was owed, the oldest unpaid bill was "
            "to be paid by {oldest_due}, {overdue_days} days before; {proofs}; none of {missed} "
            "guards held it back{approved}."
        ),
        "proof": "{step} proven delivered at {at}",
        "approved": "; approved by {approvers}",
        RESTORE_COMMANDS: "The supply was ordered back on: {detail}.",
        WORK_ITEMS: "A person {asked}: {effect_id}.",
        "open": "was asked to act",
        "withdrawn": "was told that nothing is left to do",
        "either": "was asked to act, or told that nothing is left to do",
        "work-collect": "About the balance of {available} the collector {asked}.",
        "work-deliver-notice": "About a notice whose delivery is not proven a person {asked}.",
        "work-trip-by-crew": "About trip commands that stayed without proof a crew {asked}.",
        "work-restore-by-crew": "About restore commands that stayed without proof a crew {asked}.",
        "work-look-at-switch": "About a switch that the meter contradicts a person {asked}.",
        STATUS_READS: "The switch was asked where it stands.",
        PLAN_NOTICES: "A message about the settlement plan was sent.",
        "held": "The supply was left on: {holds}.",
        "held-after-trip": "No further command was sent: {holds}.",
        "hold-ended": "Nothing calls for a disconnection any more.",
        "notice-withdrawn": "The notice was withdrawn: {detail}.",
        "field-order": "A crew was asked to look: {detail}.",
        "field-order-withdrawn": "The crew was called back: {detail}.",
        "connected-by-others": "The switch reports on although we had it switched off.",
        "approval-not-needed": "An approval came that nothing waited for, or after its day.",
        "payment-kept": "A payment was kept apart: {detail}.",
        "designation-unmet": "A payment could not pay the month it names: {detail}.",
        "trip-proven": "The meter proves that the supply is off.",
        "restore-proven": "The meter proves that the supply is on again.",
        "load-after-trip": "Energy was used after the supply was said to be off: {detail}.",
        "bill-adjusted": "A closed bill was put right: {detail}.",
        "quarantined": "The account was taken out of every automatic road; a person must look.",
        "never": "The supply was never ordered off.",
        "never-since": (
            "The supply was not ordered off since record {first} of {at}; what was decided before "
            "it is not among these records."
        ),
        "cut": "{at}: {sentence}",
        "back": "It was ordered back on {at}.",
        "none": "There is no record of a decision about this account.",
        "unproven": "Nothing is proven.",
        "broken": "These records do not hold together and prove nothing: {why}.",
        "proven": "All {links} records hold together. {compare}",
        "proven-since": (
            "All {links} records since record {first} hold together; the {missing} before it are "
            "not among them. {compare}"
        ),
        "compare": (
            "If a copy of your own names the same newest hash, none of them was changed, dropped "
            "or added since. They end with number {last}, hash {hash}."
        ),
    },
    "zh": {
        LOW_BALANCE_WARNINGS: "已发送余额预警：当时可用余额 {available}。",
        "recovered": "已通知用户余额恢复充足：当时可用余额 {available}。",
        DISCONNECTION_NOTICES: "已发送停电通知书：当时可用余额 {available}。",
        "dunning": "已就逾期电费催交：账面余额 {ledger}。",
        "written-notice": "已依法送发书面停电通知书。",
        "second-notice": "停电前半小时已再次通知。",
        TRIP_COMMANDS: (
            "已下达停电（跳闸）命令：依据 {read_at} 的抄表读数，可用余额 {available}；停电通知已于 "
            "{delivered_at} 证实送达；{missed} 项保护条件逐项核对，均不成立{approved}。"
        ),
        "stop-by-law": (
            "已按欠费停电程序下达停电（跳闸）命令：欠费 {owed}，最早一笔未缴账单应于 {oldest_due} "
            "前缴清，已逾期 {overdue_days} 天；{proofs}；{missed} 项保护条件逐项核对，"
            "均不成立{approved}。"
        ),
        "proof": "{step}已于 {at} 证实送达",
        "approved": "；审批人：{approvers}",
        RESTORE_COMMANDS: "已下达复电命令：{detail}。",
        WORK_ITEMS: "人工任务（{asked}）：{effect_id}。",
        "open": "已派发",
        "withdrawn": "已撤回",
        "either": "派发或撤回",
        "work-collect": "催费任务（{asked}）：当时可用余额 {available}。",
        "work-deliver-notice": "上门送达停电通知的任务（{asked}）。",
        "work-trip-by-crew": "停电命令未确认，现场核查任务（{asked}）。",
        "work-restore-by-crew": "复电命令未确认，现场复电任务（{asked}）。",
        "work-look-at-switch": "表计与开关状态不一致，现场核查任务（{asked}）。",
        STATUS_READS: "已召测开关状态。",
        PLAN_NOTICES: "已发送分期结算通知。",
        "held": "保持供电，原因：{holds}。",
        "held-after-trip": "未再下达命令，原因：{holds}。",
        "hold-ended": "已无停电理由。",
        "notice-withdrawn": "停电通知已撤回：{detail}。",
        "field-order": "已派人现场处理：{detail}。",
        "field-order-withdrawn": "现场处理已取消：{detail}。",
        "connected-by-others": "停电后开关又报合闸，须人工核查。",
        "approval-not-needed": "收到审批，但当时没有待审批的停电，或该审批已过期。",
        "payment-kept": "有一笔缴费单独记存：{detail}。",
        "designation-unmet": "缴费指定的月份没有未清账单，已按法定顺序抵充：{detail}。",
        "trip-proven": "电表读数证实已停电。",
        "restore-proven": "电表读数证实已复电。",
        "load-after-trip": "报停电之后仍有用电：{detail}。",
        "bill-adjusted": "已结账单已更正：{detail}。",
        "quarantined": "该户数据异常，已退出全部自动流程，等待人工核查。",
        "never": "从未对该户下达停电命令。",
        "never-since": (
            "自第 {first} 条记录（{at}）以来未对该户下达停电命令；此前的决定不在这些记录之内。"
        ),
        "cut": "{at}：{sentence}",
        "back": "复电命令下达于 {at}。",
        "none": "没有该户的任何决定记录。",
        "unproven": "不能证明任何事项。",
        "broken": "记录链不完整，不能作为证据：{why}。",
        "proven": "全部 {links} 条记录首尾相连，校验无误。{compare}",
        "proven-since": (
            "自第 {first} 条起的全部 {links} 条记录首尾相连，校验无误；此前的 {missing} 条"
            "不在其内。{compare}"
        ),
        "compare": (
            "若与自行留存的末条哈希值一致，即证明均未经改动、删除或增补。末条编号 {last}，"
            "哈希值 {hash}。"
        ),
    },
}


STEP_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "disconnection_notice": "disconnection notice",
        "dunning": "dunning",
        "written_notice": "written notice",
        "second_notice": "second notice",
    },
    "zh": {
        "disconnection_notice": "停电通知",
        "dunning": "催交通知",
        "written_notice": "书面停电通知",
        "second_notice": "停电前再次通知",
    },
}
