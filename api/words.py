"""How is each reason said to a person?

One plain sentence per `Hold` in English and Chinese, and the Chinese of what a decision's `detail`
says, apart from the code that chooses them, so that whoever speaks to customers can mend the words.
Why a hold stands, or a supply comes back, is decided in `scoring.guards`.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Literal

from scoring.effects import Hold

if TYPE_CHECKING:
    from collections.abc import Iterable

Language = Literal["en", "zh"]

HOLD_WORDS: dict[Hold, str] = {
    Hold.PROTECTED: "the account is protected from disconnection",
    Hold.CRITICAL_CUSTOMER: "a critical customer is never disconnected automatically",
    Hold.LIFE_SUPPORT: "somebody there depends on electricity to live",
    Hold.DISPUTE: "the bill is in dispute",
    Hold.HELD_BY_OPERATOR: "an operator asked to leave the supply on",
    Hold.OUTSIDE_WINDOW: "supply is stopped only in working hours of a day before a working day",
    Hold.CALENDAR_UNREADABLE: "nobody has stated the days off, so no day is known to be right",
    Hold.READING_STALE: "the newest reading is too old to act on",
    Hold.READING_ESTIMATED: "too much of the energy is estimated",
    Hold.PAYMENTS_NOT_CAUGHT_UP: "payments are still being read",
    Hold.PAYMENTS_FEED_SILENT: "the payments system has not been heard from for too long",
    Hold.NOTICE_NOT_DELIVERED: "the notice's delivery is not proven",
    Hold.NOTICE_TOO_RECENT: "the notice was delivered too short a time ago",
    Hold.SWITCH_UNKNOWN: "nobody knows whether the switch is closed",
    Hold.TARIFF_UNKNOWN: "no tariff sheet is in force for the account",
    Hold.QUARANTINED: "the figures cannot be right; a person must look",
    Hold.NOT_PREPAID: "only prepaid accounts are tripped",
    Hold.APPROVAL_MISSING: "people must approve it first",
    Hold.TRIES_USED_UP: "all tries are used up; a crew must go",
    Hold.NOTICE_OVERDUE: "the notice could not be delivered; a person must bring it",
    Hold.BALANCE_UNSETTLED: "the meter, tariff, way of paying or credit has changed lately",
    Hold.EMERGENCY_CREDIT: "emergency credit is left",
    Hold.NO_SAFE_RECONNECTION: "the switch could not be closed again as agreed",
    Hold.NOT_OVERDUE: "no bill is overdue for long enough",
    Hold.INTERLOCK_FROZEN: "all disconnections are frozen until two people have looked",
    Hold.INTERLOCK_LIMIT: "enough supplies are being stopped at this time",
    Hold.INTERLOCK_SILENT: "a part of the fleet has not been heard from",
    Hold.WEATHER_MORATORIUM: "heat or cold forbids disconnection in this area",
    Hold.WEATHER_UNKNOWN: "the weather in this area has not been stated lately",
}

HOLD_WORDS_ZH: dict[Hold, str] = {
    Hold.PROTECTED: "该户处于保电状态",
    Hold.CRITICAL_CUSTOMER: "重要用户不得自动停电",
    Hold.LIFE_SUPPORT: "用户依赖电力维持生命",
    Hold.DISPUTE: "电费存在争议",
    Hold.HELD_BY_OPERATOR: "值班人员要求保持供电",
    Hold.OUTSIDE_WINDOW: "只在工作日办公时间、且次日仍为工作日时停电",
    Hold.CALENDAR_UNREADABLE: "节假日历未知，无法确认可停电日",
    Hold.READING_STALE: "最近一次抄表过旧",
    Hold.READING_ESTIMATED: "估算电量占比过高",
    Hold.PAYMENTS_NOT_CAUGHT_UP: "缴费记录尚未读完",
    Hold.PAYMENTS_FEED_SILENT: "缴费系统长时间没有消息",
    Hold.NOTICE_NOT_DELIVERED: "停电通知尚无送达凭证",
    Hold.NOTICE_TOO_RECENT: "停电通知送达时间过短",
    Hold.SWITCH_UNKNOWN: "开关位置未知",
    Hold.TARIFF_UNKNOWN: "没有适用的电价",
    Hold.QUARANTINED: "数据异常，等待人工核查",
    Hold.NOT_PREPAID: "只有预付费用户适用",
    Hold.APPROVAL_MISSING: "停电须经人工审批",
    Hold.TRIES_USED_UP: "命令次数已用完，须派人现场处理",
    Hold.NOTICE_OVERDUE: "通知未能送达，须派人送达",
    Hold.BALANCE_UNSETTLED: "电表、电价、缴费方式或信用额度近期有变更",
    Hold.EMERGENCY_CREDIT: "应急额度尚未用完",
    Hold.NO_SAFE_RECONNECTION: "开关无法按约定复电",
    Hold.NOT_OVERDUE: "没有逾期足够久的账单",
    Hold.INTERLOCK_FROZEN: "全部停电已冻结，须两人复核后解除",
    Hold.INTERLOCK_LIMIT: "当前时段停电数量已达上限",
    Hold.INTERLOCK_SILENT: "部分系统没有消息",
    Hold.WEATHER_MORATORIUM: "所在地区高温或严寒，禁止停电",
    Hold.WEATHER_UNKNOWN: "所在地区天气信息未及时更新",
}

DETAILS_ZH = (
    (r"(\S+) is available", r"可用余额 \1"),
    (r"the supply is not proven to be back", "尚未证实已恢复供电"),
    (r"quarantined: .*", "数据异常，等待人工核查"),
    (r"the account is prepaid now", "该户现为预付费"),
    (r"the account is plan now", "该户现为分期结算"),
    (r"no bill is more than (\d+) days overdue", r"没有逾期超过 \1 天的账单"),
    (r"the balance rests on other terms now", "余额所依据的条款已变更"),
    (r"it was delivered more than (\d+) days ago", r"通知送达已超过 \1 天"),
    (r"somebody else uses the energy now", "用电人已变更"),
    (r"(\d+) trip commands without proof: a crew must look", r"\1 次停电命令均未获证实"),
    (r"(\d+) Wh drawn after (\S+) was reported carried out", r"\2 报已执行之后又用电 \1 Wh"),
    (r"(\d+) V behind the switch after (\S+) was reported carried out",
     r"\2 报已执行之后开关负荷侧仍有 \1 V"),
    (r"[\w-]+ (\S+) of (\S+) is kept until the account's terms are stated",
     r"\1，金额 \2，待该户建档后入账"),
    (r"[\w-]+ (\S+) of (\S+) names (\S+), of which no bill is owed: (\S+) pay what was due first",
     r"\1，金额 \2，指定 \3，其中 \4 先抵充到期在先的欠费"),
    (r"bill of (\S+): (.*), (\S+) in the customer's favour", r"\1 账单，应退 \3（\2）"),
    (r"bill of (\S+): (.*), (\S+) more to pay", r"\1 账单，应补 \3（\2）"),
)  # fmt: skip
"""What a detail says, whole, and how that is said in Chinese."""

REASONS_ZH = (
    (r"an actual register takes (\d+) Wh back", r"实抄示数冲减估算电量 \1 Wh"),
    (r"a late interval tells when (\d+) Wh were used", r"补采数据明确了 \1 Wh 的用电时段"),
    (r"a late interval brings (\d+) Wh", r"补采数据补计电量 \1 Wh"),
)
"""Why a closed bill was put right: the reason inside such a detail (`scoring.closed`)."""

DETAILS_EN = ((r"the account is plan now", "the account settles by plan now"),)
"""The few details that are better said in other English words."""

BY_HOLDS: dict[Language, dict[str, str]] = {
    "en": {"protected": "protected: {holds}", "called back": "called back: {holds}"},
    "zh": {"protected": "受保护：{holds}", "called back": "已召回：{holds}"},
}
"""What a detail says that names holds: they are said by their words."""

ABOUT = re.compile(r"(\S+:(?:notice|trip|restore):[\d:]+): (.*)")
"""The command or notice that a detail is about, before what it says."""
PLACE = re.compile(r"\\(\d)")
"""Where a part of a detail stands in its Chinese."""


def hold_sentence(names: Iterable[str], language: Language = "en") -> str:
    """Reasons by name, as one sentence."""
    words = HOLD_WORDS if language == "en" else HOLD_WORDS_ZH
    known = Hold.__members__
    said = [
        words.get(known[name.upper()], name) if name.upper() in known else name for name in names
    ]
    return ("; " if language == "en" else "；").join(said)


def detail_sentence(detail: str, language: Language = "en") -> str:
    """What a decision's detail says; as it stands where no better words are known for it.

    >>> detail_sentence("home-1:notice:1: 46.56 is available", "zh")
    'home-1:notice:1，可用余额 46.56'
    """
    about = ABOUT.fullmatch(detail)
    if about is None:
        return _said(detail, language)
    between = ": " if language == "en" else "，"
    return f"{about[1]}{between}{_said(about[2], language)}"


def _said(detail: str, language: Language) -> str:
    kind, _, names = detail.partition(": ")
    by_holds = BY_HOLDS[language].get(kind)
    if by_holds is not None:
        return by_holds.format(holds=hold_sentence(names.split(", "), language))
    for pattern, said in DETAILS_EN if language == "en" else DETAILS_ZH:
        found = re.fullmatch(pattern, detail)
        if found is not None:
            return PLACE.sub(partial(_place, found), said)
    return detail


def _place(found: re.Match[str], place: re.Match[str]) -> str:
    """A part of a detail in its place; a reason is said in Chinese, too."""
    part = found[int(place[1])]
    reasons = ((re.fullmatch(pattern, part), said) for pattern, said in REASONS_ZH)
    return next((why.expand(said) for why, said in reasons if why is not None), part)
