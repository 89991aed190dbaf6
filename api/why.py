"""Why was I cut, warned or left on?  In words a person can follow.

From the links of an account's decisions (`streams.chain`), oldest first, one sentence each, and one
answer to the question itself; in English, or Chinese where customers and clerks read it.  It only
tells what the links say, and says so if they do not hold together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from api.words import detail_sentence, hold_sentence
from streams.chain import ITEM_STATUSES, NO_LINK, RECOVERED, Proof
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
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

    from api.words import Language

SENTENCES: dict[Language, dict[str, str]] = {
    "en": {
        LOW_BALANCE_WARNINGS: "A low-balance warning was sent: {available} was left.",
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
        "hold-ended": "Nothing calls for a disconnection any more.",
        "notice-withdrawn": "The notice was withdrawn: {detail}.",
        "field-order": "A crew was asked to look: {detail}.",
        "field-order-withdrawn": "The crew was called back: {detail}.",
        "connected-by-others": "The switch reports on although we had it switched off.",
        "approval-not-needed": "An approval came that nothing waited for.",
        "payment-kept": "A payment was kept apart: {detail}.",
        "designation-unmet": "A payment could not pay the month it names: {detail}.",
        "trip-proven": "The meter proves that the supply is off.",
        "restore-proven": "The meter proves that the supply is on again.",
        "load-after-trip": "Energy was used after the supply was said to be off: {detail}.",
        "bill-adjusted": "A closed bill was put right: {detail}.",
        "quarantined": "The account was taken out of every automatic road; a person must look.",
        "never": "The supply was never ordered off.",
        "cut": "{at}: {sentence}",
        "back": "It was ordered back on {at}.",
        "none": "Nothing was ever decided about this account.",
        "broken": "These records do not hold together and prove nothing: {why}.",
        "proven": (
            "All {links} records hold together: none was changed, dropped or added since. "
            "They end with number {last}, hash {hash}."
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
        "hold-ended": "已无停电理由。",
        "notice-withdrawn": "停电通知已撤回：{detail}。",
        "field-order": "已派人现场处理：{detail}。",
        "field-order-withdrawn": "现场处理已取消：{detail}。",
        "connected-by-others": "停电后开关又报合闸，须人工核查。",
        "approval-not-needed": "收到审批，但当时没有待审批的停电。",
        "payment-kept": "有一笔缴费单独记存：{detail}。",
        "designation-unmet": "缴费指定的月份没有未清账单，已按法定顺序抵充：{detail}。",
        "trip-proven": "电表读数证实已停电。",
        "restore-proven": "电表读数证实已复电。",
        "load-after-trip": "报停电之后仍有用电：{detail}。",
        "bill-adjusted": "已结账单已更正：{detail}。",
        "quarantined": "该户数据异常，已退出全部自动流程，等待人工核查。",
        "never": "从未对该户下达停电命令。",
        "cut": "{at}：{sentence}",
        "back": "复电命令下达于 {at}。",
        "none": "该户尚无任何决定记录。",
        "broken": "记录链不完整，不能作为证据：{why}。",
        "proven": (
            "全部 {links} 条记录首尾相连，校验无误，均未经改动、删除或增补。末条编号 {last}，"
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


@dataclass(frozen=True, slots=True)
class Step:
    """One link in words; `at` is ISO 8601, `cause` the input record it followed from."""

    number: int
    at: str
    kind: str
    effect_id: str
    sentence: str
    cause: str
    hash: str


@dataclass(frozen=True, slots=True)
class Why:
    """The answer, the steps it rests on (oldest first), and whether their chain holds."""

    account_id: str
    answer: str
    steps: tuple[Step, ...]
    is_proven: bool
    proof: str


def why(
    account_id: str, links: Iterable[bytes], language: Language = "en", zone: tzinfo = UTC
) -> Why:
    """Why things are as they are with this account, from its records of `decisions` in order."""
    say, proof, steps = SENTENCES[language], Proof(), []
    broken = ""
    cut: Step | None = None
    back: Step | None = None
    for place, value in enumerate(links):
        known = proof.links
        found = proof.take(f"record {place}", value)
        if found is not None:
            broken = broken or str(found)
            continue
        if proof.links == known:
            continue  # told again after a crash
        body = json.loads(value)
        step = _step(body, language, zone)
        steps.append(step)
        if step.kind == TRIP_COMMANDS:
            cut, back = step, None
        elif step.kind == RESTORE_COMMANDS:
            back = step
    if cut is not None:
        text = say["cut"].format(at=_said(cut.at, zone), sentence=cut.sentence)
        if back is not None:
            text = f"{text} {say['back'].format(at=_said(back.at, zone))}"
    elif steps:
        held = [step for step in steps if step.kind == "held"][-1:]
        text = " ".join([say["never"], *(step.sentence for step in held)])
    else:
        text = say["none"]
    last, digest = proof.newest.get(account_id, (0, NO_LINK))
    told = (
        say["broken"].format(why=broken)
        if broken
        else say["proven"].format(links=proof.links, last=last, hash=digest)
    )
    return Why(account_id, text, tuple(steps), not broken, told)


def _step(body: Mapping[str, Any], language: Language, zone: tzinfo) -> Step:
    told, evidence, grounds = body["told"], body["evidence"], body["grounds"] or {}
    kind = told["topic"] if told else body["kind"]
    effect_id = told["effectId"] if told else body["effectId"]
    say = SENTENCES[language]
    what = effect_id.removeprefix(f"{body['accountId']}:").split(":")[0]
    is_named = kind in (DISCONNECTION_NOTICES, WORK_ITEMS) and what in say
    template = say[what] if is_named else say.get(kind, "{kind}: {detail}.")
    if kind == TRIP_COMMANDS and grounds.get("procedure") == "arrears_stop":
        template = say["stop-by-law"]
    if kind == LOW_BALANCE_WARNINGS and body["detail"] == RECOVERED:
        template = say["recovered"]
    named = STEP_WORDS[language]
    proofs = [
        say["proof"].format(step=named[each["step"]], at=_said(each["provenAt"], zone))
        for each in grounds.get("proofs", ())
    ]
    names = ", ".join(grounds.get("approvers", ()))
    sentence = template.format(
        ledger=evidence["ledger"],
        approved=say["approved"].format(approvers=names) if names else "",
        kind=kind,
        effect_id=effect_id,
        detail=detail_sentence(body["detail"], language),
        asked=say[body["detail"] if body["detail"] in ITEM_STATUSES else "either"],
        available=evidence["available"],
        read_at=_said(evidence["readAt"], zone),
        delivered_at=_said(grounds.get("noticeDeliveredAt"), zone),
        missed=len(grounds.get("guardsMissed", ())),
        holds=hold_sentence(evidence["holds"], language),
        owed=grounds.get("owed"),
        oldest_due=grounds.get("oldestDue"),
        overdue_days=grounds.get("overdueDays"),
        proofs=("; " if language == "en" else "；").join(proofs),
    )
    cause = body["cause"]
    return Step(
        number=body["number"],
        at=_local(body["decidedAt"], zone),
        kind=kind,
        effect_id=effect_id,
        sentence=sentence,
        cause=f"{cause['topic']} {cause['partition']} {cause['offset']}",
        hash=body["hash"],
    )


def _local(text: str | None, zone: tzinfo) -> str:
    """An instant of a record in a zone; a dash for "never"."""
    return "-" if text is None else datetime.fromisoformat(text).astimezone(zone).isoformat()


def _said(text: str | None, zone: tzinfo) -> str:
    """The same for a sentence: to the minute, which is how people tell the time.

    >>> _said("2026-07-08T02:02:31Z", UTC)
    '2026-07-08 02:02 UTC'
    """
    if text is None:
        return "-"
    at = datetime.fromisoformat(text).astimezone(zone)
    return f"{at:%Y-%m-%d %H:%M}" + ("" if at.utcoffset() else " UTC")
