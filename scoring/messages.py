"""What do customers and collectors read?

The words, in English and Chinese, apart from the rules that choose them, so that whoever speaks to
customers can mend them.  Plain `str.format` tables: the same situation always gives the same
bytes.  Amounts are rounded to cents, instants are in the customer's own time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scoring.effects import Tier, WorkItemKind
from scoring.procedures import Step
from scoring.units import NO_TIME, money_text

if TYPE_CHECKING:
    from scoring.situation import Situation

Texts = tuple[str, str]
"""English and Chinese."""

WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEKDAYS_ZH = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")

NOTICES: dict[Step, Texts] = {
    Step.DISCONNECTION_NOTICE: (
        (
            "Account {account}: your prepaid balance is used up; {amount} is missing. Unless it is"
            " paid, your supply will be stopped, not before {not_before}."
        ),
        "用户{account}：您的预付电费已用完，欠{amount}元。若未缴清，最早将于{not_before}停止供电。",
    ),
    Step.DUNNING: (
        "Account {account}: {amount} is overdue by {days} days. Please pay.",
        "用户{account}：您的电费{amount}元已逾期{days}天，请尽快缴纳。",
    ),
    Step.WRITTEN_NOTICE: (
        (
            "Notice of disconnection. Account {account}: {amount} is overdue by {days} days in"
            " spite of our letter. Unless it is paid, your supply will be stopped, not before"
            " {not_before}."
        ),
        (
            "停电通知书。用户{account}：您的电费{amount}元已逾期{days}天，经催交仍未缴纳。"
            "若未缴清，最早将于{not_before}停止供电。"
        ),
    ),
    Step.SECOND_NOTICE: (
        (
            "Account {account}: {amount} is still unpaid. Your supply will be stopped at or after"
            " {not_before}."
        ),
        "用户{account}：您的电费{amount}元仍未缴纳，将于{not_before}起停止供电。",
    ),
}

WARNINGS: dict[Tier, Texts] = {
    Tier.NORMAL: (
        "Account {account}: your balance is {amount} again. Thank you.",
        "用户{account}：您的可用余额已恢复至{amount}元，谢谢。",
    ),
    Tier.LOW: (
        "Account {account}: your balance is {amount}.{outlook}",
        "用户{account}：您的可用余额为{amount}元。{outlook}",
    ),
    Tier.LOWER: (
        "Account {account}: your balance is low, {amount}.{outlook}",
        "用户{account}：您的可用余额偏低，为{amount}元。{outlook}",
    ),
    Tier.LOWEST: (
        "Account {account}: your balance is nearly used up, {amount}.{outlook}",
        "用户{account}：您的可用余额即将用完，为{amount}元。{outlook}",
    ),
}

OUTLOOKS: dict[str, Texts] = {
    "runs out": (" It lasts until about {runs_out}.", "预计可用至{runs_out}。"),
    "no trip before": (
        " At this rate, no disconnection before {no_trip}; please pay by {pay_by}.",
        "按目前用电情况，{no_trip}之前不会停电，请于{pay_by}前缴费。",
    ),
    "please pay": (" Please pay.", "请及时缴费。"),
}

WORK: dict[WorkItemKind, Texts] = {
    WorkItemKind.COLLECT: (
        "{caller}: call on the customer, {amount} available",
        "{caller}：请联系客户催费，可用余额{amount}元",
    ),
    WorkItemKind.DELIVER_NOTICE: (
        "no proof that the notice arrived: bring it, and keep the proof",
        "停电通知无送达回执，请上门送达并保留证据",
    ),
    WorkItemKind.TRIP_BY_CREW: (
        "all trip commands stayed without proof: go and look, do not disconnect unasked",
        "跳闸命令均未确认，请现场核查，未经再次确认不得停电",
    ),
    WorkItemKind.RESTORE_BY_CREW: (
        "restore commands stayed without proof: somebody may be without supply, go now",
        "复电命令未确认，客户可能仍停电，请立即现场复电",
    ),
    WorkItemKind.LOOK_AT_SWITCH: (
        "meter and switch contradict each other: go and look",
        "表计与开关状态不一致，请现场核查",
    ),
}


def notice_texts(here: Situation, step: Step, amount_nanos: int, not_before: int) -> Texts:
    """A notice of the procedure, as the customer reads it."""
    english, chinese = NOTICES[step]
    said = {
        "account": here.account_id,
        "amount": money_text(amount_nanos),
        "days": here.overdue_days,
    }
    at_en, at_zh = local_times(here, not_before)
    return english.format(**said, not_before=at_en), chinese.format(**said, not_before=at_zh)


CALLERS: dict[str, Texts] = {
    "": ("collector", "催费员"),
    "collector": ("collector", "催费员"),
    "team-leader": ("team leader", "班组长"),
    "unit-head": ("unit head", "单位负责人"),
}


def work_texts(here: Situation, kind: WorkItemKind, caller: str = "") -> Texts:
    """What a person is asked to do."""
    english, chinese = WORK[kind]
    amount, (who_en, who_zh) = money_text(here.available_nanos), CALLERS[caller]
    return english.format(amount=amount, caller=who_en), chinese.format(
        amount=amount, caller=who_zh
    )


def warning_texts(
    here: Situation, tier: Tier, runs_out_at: int, no_trip_before_at: int, pay_by_at: int
) -> Texts:
    """A warning, with what lies ahead as far as anyone can say."""
    chosen = []
    if tier and runs_out_at != NO_TIME:
        chosen.append("runs out")
    if tier:
        chosen.append("no trip before" if no_trip_before_at != NO_TIME else "please pay")
    told = []
    for place in range(2):
        times = {
            name: local_times(here, at)[place]
            for name, at in (
                ("runs_out", runs_out_at), ("no_trip", no_trip_before_at), ("pay_by", pay_by_at)
            )
        }  # fmt: skip
        outlook = "".join(OUTLOOKS[name][place] for name in chosen).format(**times)
        told.append(
            WARNINGS[tier][place].format(
                account=here.account_id, amount=money_text(here.available_nanos), outlook=outlook
            )
        )
    return told[0], told[1]


def local_times(here: Situation, at: int) -> Texts:
    """An instant in the customer's own time, in both languages; "" for none.

    Without a zone nobody knows the customer's time, so UTC says so.
    """
    if at == NO_TIME:
        return "", ""
    local = datetime.fromtimestamp(at, here.zone or UTC)
    clock = f"{local:%Y-%m-%d %H:%M}" + ("" if here.zone else " UTC")
    day = local.weekday()
    return f"{WEEKDAYS_EN[day]} {clock}", f"{WEEKDAYS_ZH[day]} {clock}"
