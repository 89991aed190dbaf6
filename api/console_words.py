"""What does the console say, in English and in Chinese?

Every word that a clerk reads stands here once in each language, in the trade's terms (domain.md 7),
so that one table can be mended without touching a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.customer_words import CUSTOMER_WORDS

if TYPE_CHECKING:
    from api.words import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")

_WORDS: dict[str, tuple[str, str]] = {
    # frame
    "title": ("Kilowatch", "Kilowatch 电费监控"),
    "next": ("Runs out next", "即将用尽"),
    "approvals": ("Approvals and holds", "审批与保电"),
    "system": ("System", "系统状态"),
    "find": ("Find an account", "查找户号"),
    "find_hint": ("account id, or its beginning", "户号或前几位"),
    "go": ("Find", "查找"),
    "skip": ("Skip to content", "跳到正文"),
    "other_language": ("中文", "English"),
    "sign_in": ("Sign in", "登录"),
    "sign_out": ("Sign out", "退出"),
    "you": ("You are", "当前用户"),
    "demo": ("demo: everybody may do everything", "演示模式：任何人均可操作"),
    "live": ("live", "实时"),
    "waiting": ("reconnecting …", "正在重新连接…"),
    "keys_help": ("/ find · j k move · Enter open", "/ 查找 · j k 移动 · 回车打开"),
    # list
    "accounts": ("accounts", "用户数"),
    "as_of": ("as of", "数据截至"),
    "all": ("all", "全部"),
    "account": ("Account", "户号"),
    "balance": ("Balance", "余额"),
    "available": ("Available", "可用余额"),
    "lasts": ("Lasts", "可用时间"),
    "runs_out": ("Runs out", "预计用尽"),
    "tier": ("Warning", "预警"),
    "stage": ("Supply", "供电流程"),
    "switch": ("Switch", "开关"),
    "more": ("More", "更多"),
    "first_page": ("Back to the first", "回到首页"),
    "none_found": ("No account fits.", "没有符合条件的用户。"),
    "order": ("Order", "排序"),
    "sort_runway": ("runs out first", "最先用尽"),
    "sort_balance": ("least balance", "余额最少"),
    "sort_id": ("account id", "户号"),
    # an account
    "nothing_left": ("nothing left", "已用尽"),
    "over_horizon": ("over 35 days", "超过35天"),
    "hours": ("{:.0f} h", "{:.0f} 小时"),
    "days": ("{:.1f} days", "{:.1f} 天"),
    "credit": ("Agreed credit", "授信额度"),
    "bill_so_far": ("Bill this month", "本月电费"),
    "previous_bill": ("Month before, open", "上月未结电费"),
    "forecast_today": ("Today, forecast", "今日预测电费"),
    "forecast_month": ("This month, forecast", "本月预测电费"),
    "forecast": ("Balance forecast", "余额预测"),
    "forecast_text": (
        "Lasts {p50}; one chance in ten for less than {p10}, one in ten for more than {p90}.",
        "预计还可用{p50}；有一成可能不足{p10}，有一成可能超过{p90}。",
    ),
    "forecast_mostly": (
        "Most likely lasts beyond 35 days; one chance in ten for less than {p10}.",
        "预计可用35天以上；有一成可能不足{p10}。",
    ),
    "forecast_long": ("Lasts beyond the 35 days looked ahead.", "预计35天内不会用尽。"),
    "horizon": ("35 days", "35天"),
    "forecast_over": (
        "The money is used up; what is used now is owed.",
        "余额已用尽，继续用电将形成欠费。",
    ),
    "band": ("80 % band", "80% 区间"),
    "median": ("most likely", "最可能"),
    "no_forecast": (
        "No forecast yet: readings and a tariff in force are needed.",
        "尚无预测：需要抄表读数和有效电价。",
    ),
    "usage": ("Usage, closed days", "日用电量（已结日）"),
    "no_usage": ("No closed day has been told yet.", "尚无已结日电量。"),
    "by_period": ("Bill by period", "分时段电量"),
    "period": ("Period", "时段"),
    "period_critical-peak": ("critical peak", "尖峰"),
    "period_deep-valley": ("deep valley", "深谷"),
    "period_sharp": ("sharp", "尖峰"),
    "period_peak": ("peak", "峰段"),
    "period_flat": ("flat", "平段"),
    "period_valley": ("valley", "谷段"),
    "period_deep": ("deep valley", "深谷"),
    "period_heating-valley": ("heating season valley", "采暖季谷段"),
    "used": ("kWh this month", "本月电量 (kWh)"),
    "share": ("Share", "占比"),
    "estimated": ("of it estimated", "其中估算"),
    "road": ("Road of decisions", "决策过程"),
    "no_road": ("Nothing has been decided about this account.", "该户尚无任何决定。"),
    "proven": ("evidence holds together", "证据链完整"),
    "not_proven": ("evidence does not hold together", "证据链不完整"),
    "evidence": ("Evidence", "证据"),
    "road_away": (
        "The decisions cannot be read now; live figures are not affected.",
        "暂时无法读取决策记录，实时数据不受影响。",
    ),
    "holds": ("Why the power is left on", "保持供电的原因"),
    "next_step": ("Next", "下一步"),
    "no_trip_before": ("As forecast, no disconnection before", "按预测，停电不早于"),
    "pay_by": ("pay by", "请缴费不晚于"),
    "act": ("Act", "操作"),
    "reason": ("Reason", "理由"),
    "reason_hint": ("for the record; others will read it", "将存档，他人可见"),
    "actions": ("What people did", "人工操作记录"),
    "no_actions": ("Nobody has acted.", "尚无人工操作。"),
    "done_written": ("Written; a worker is taking it up.", "已写入，等待处理。"),
    "done_taken-up": ("Taken up.", "已生效。"),
    "terms": ("Terms", "用电合同信息"),
    "tariff": ("Tariff", "电价"),
    "collector": ("Collector", "催费员"),
    "area": ("Area", "区域"),
    "size": ("Customer", "用户类别"),
    "arrears": ("Owed", "欠费"),
    "live_source": ("From records", "数据来源"),
    # approvals
    "to_approve": ("Trips waiting for people", "等待审批的停电"),
    "none_to_approve": ("No trip waits for an approval.", "没有等待审批的停电。"),
    "held": ("Held by people", "人工保电"),
    "none_held": ("No supply is held by a person.", "没有人工保电的用户。"),
    "quarantined": ("Quarantined: figures that cannot be right", "隔离：数据异常待核查"),
    "none_quarantined": ("None.", "无。"),
    "approved_by": ("Approved by", "已审批"),
    "nobody_yet": ("nobody yet", "尚无"),
    "two_people": (
        "People approve a large customer's trip, each once; nobody releases their own hold.",
        "大客户停电须由不同人员分别审批，同一人只计一次；保电须由他人解除。",
    ),
    "newest_actions": ("Newest actions", "最近操作"),
    "person": ("Person", "人员"),
    "action": ("Action", "操作"),
    "when": ("When", "时间"),
    "state": ("State", "状态"),
    "written": ("written", "已写入"),
    "taken-up": ("taken up", "已生效"),
    # system
    "interlock": ("Interlock", "停电联锁"),
    "interlock_text": (
        "Trips freeze when their rate, estimates or payments are abnormal; restores never do.",
        "停电速率、估算占比或缴费延迟异常时，全部停电命令冻结；复电从不冻结。",
    ),
    "trips_under_way": ("trip commands under way", "执行中的停电命令"),
    "tripped_now": ("tripped now", "当前停电"),
    "restores_under_way": ("restore commands under way", "执行中的复电命令"),
    "health": ("Health", "运行状况"),
    "ready": ("ready", "就绪"),
    "not_ready": ("still reading", "正在读取"),
    "behind": ("records not read yet", "未读记录"),
    "rows_taken": ("rows taken up", "已读取行"),
    "unreadable": ("records that could not be read", "无法读取的记录"),
    "watchers": ("open live pages", "实时连接"),
    "security": ("Security", "安全"),
    "security_on": ("keys and tokens are asked for", "需要密钥或令牌"),
    "security_off": ("off: a demo on this machine", "关闭：仅限本机演示"),
    "newest": ("newest reading", "最新读数"),
    # signing in
    "key": ("API key or token", "API 密钥或令牌"),
    "key_hint": ("kilowatch keys create makes one", "由 kilowatch keys create 生成"),
    "name": ("Your name", "姓名"),
    "name_hint": ("it stands beside what you do", "将记录在您的操作旁"),
    "wrong_key": ("This key is not known, expired or revoked.", "密钥无效、已过期或已撤销。"),
    "show": ("Show", "筛选"),
    "do": ("Do it", "提交"),
    "frozen": ("trips frozen", "停电已冻结"),
    "not_frozen": ("not frozen", "未冻结"),
    "partition": ("Partition", "分区"),
    "out_of_money": ("Out of money", "余额用尽"),
    "in_hour": ("Trips, 1 h", "近一小时停电"),
    "first_release": ("First release by", "首位解冻人"),
    "interlock_silent": ("No partition has reported yet.", "尚无分区上报。"),
    "tell_interlock": ("Freeze or release all trips", "冻结或解除全部停电"),
    "interlock_people": (
        "One person freezes; two different approvers release within an hour. Restores go on.",
        "一人即可冻结；解除须两名不同审批人在一小时内先后确认。复电不受影响。",
    ),
    "interlock_deeds": ("Freezes and releases", "冻结与解除记录"),
    "action_freeze-interlock": ("Freeze all trips", "冻结全部停电"),
    "action_release-interlock": ("Release the freeze", "解除冻结"),
    "wrong_form": ("Choose an action and say why.", "请选择操作并填写理由。"),
    "freeze_trip_rate": ("trip rate", "停电速率异常"),
    "freeze_estimated_readings": ("estimated readings", "估算占比异常"),
    "freeze_payments_lag": ("payments lag", "缴费延迟"),
    "freeze_by_a_person": ("by a person", "人工冻结"),
    "freeze_mass_negative": ("mass negative balances", "大面积余额为负"),
    # audit
    "audit": ("Audit", "审计"),
    "audit_text": (
        "Who signed in, did something or was refused; lines are never changed. For auditors only.",
        "登录、操作与拒绝记录，不可更改，仅审计人员可见。",
    ),
    "audit_notes": ("Newest first", "最新在前"),
    "no_notes": ("Nothing fits.", "没有符合条件的记录。"),
    "audit_from": ("From", "自"),
    "audit_to": ("To", "至"),
    "outcome": ("Outcome", "结果"),
    "outcome_refused": ("refused", "拒绝"),
    "outcome_answered": ("answered", "已应答"),
    "outcome_written": ("written", "已写入"),
    "outcome_not written": ("not written", "未写入"),
    "outcome_done": ("done", "完成"),
    "audit_proof": ("Proven by", "身份凭证"),
    "more_told": ("More", "其他"),
    "older": ("Older", "更早"),
    "nobody_known": ("nobody known", "身份不明"),
    "action_sign in": ("Sign in", "登录"),
    "action_create key": ("Make a key", "创建密钥"),
    "action_revoke key": ("Take a key back", "撤销密钥"),
    "action_policy approve": ("Approve a policy", "批准策略"),
    "action_policy reject": ("Reject a policy", "驳回策略"),
    "urn:kilowatch:no-audit": (
        "This API writes its audit to its log only; start it with KILOWATCH_AUDIT_FILE.",
        "本 API 的审计只写入日志；请设置 KILOWATCH_AUDIT_FILE 后重新启动。",
    ),
    "urn:kilowatch:no-history": (
        "The audit's database does not answer; its lines wait in their file. Ask again.",
        "审计数据库暂无应答，记录保存在文件中，请稍后再试。",
    ),
    # states
    "tier_normal": ("normal", "正常"),
    "tier_low": ("low", "一级预警"),
    "tier_lower": ("lower", "二级预警"),
    "tier_lowest": ("lowest", "三级预警"),
    "stage_normal": ("normal", "正常"),
    "stage_notice_sent": ("notice sent", "通知已发"),
    "stage_noticed": ("notice delivered", "通知已送达"),
    "stage_trip_commanded": ("trip sent", "停电命令已发"),
    "stage_tripped": ("tripped", "已停电"),
    "stage_restore_commanded": ("restore sent", "复电命令已发"),
    "switch_unknown": ("switch unknown", "开关未知"),
    "switch_connected": ("on", "合闸"),
    "switch_disconnected": ("off", "分闸"),
    "switch_ready_for_reconnection": ("armed", "允许合闸"),
    "size_resident": ("home", "居民"),
    "size_business": ("business", "工商业"),
    "size_large": ("large", "大客户"),
    "action_hold-supply": ("Hold the supply", "保持供电"),
    "action_release-supply": ("Release the hold", "解除保电"),
    "action_approve-trip": ("Approve the trip", "批准停电"),
    "action_reject-trip": ("Reject the trip", "驳回停电"),
    "action_dispute": ("Record a dispute", "登记争议"),
    "action_release-quarantine": ("Trust the figures again", "解除隔离"),
    "action_note": ("Write a note", "备注"),
    "step_release-quarantine": ("a person must look at the figures", "等待人工核查数据"),
    "step_account-settings": ("terms have not been stated yet", "尚无合同信息"),
    "step_tariff": ("no tariff sheet is in force", "没有有效电价"),
    "step_first-reading": ("no reading has been counted yet", "尚无读数"),
    "step_payment": ("a payment is awaited", "等待缴费"),
    "step_disconnection-notice": (
        "disconnection notice, when the money is gone",
        "余额用尽后发停电通知",
    ),
    "step_low-balance-warning": (
        "low-balance warning, if use goes on so",
        "按当前用电将发余额预警",
    ),
    "step_none": ("nothing for 35 days", "35天内无"),
    "step_notice-delivery": ("the notice's delivery must be proven", "等待通知送达凭证"),
    "step_written-notice": ("written notice, once overdue long enough", "逾期期满后发书面停电通知"),
    "step_second-notice": ("second notice, half an hour before", "停电前半小时再次通知"),
    "step_trip-command": ("trip, if no reason holds it back", "若无保电原因则停电"),
    "step_trip-report": ("the field reports, or the command expires", "等待现场回报"),
    "step_restore-command": ("restore, as soon as enough is paid", "缴费足额后立即复电"),
    "step_restore-report": ("the field reports, or it is repeated", "等待复电回报"),
}

assert not _WORDS.keys() & CUSTOMER_WORDS.keys(), "one of two words would be lost"
_WORDS |= CUSTOMER_WORDS

WORDS: dict[Language, dict[str, str]] = {
    "en": {name: both[0] for name, both in _WORDS.items()},
    "zh": {name: both[1] for name, both in _WORDS.items()},
}


def language_of(chosen: str | None, accepted: str) -> Language:
    """The language chosen before, else the first of Accept-Language that there is.

    >>> language_of(None, "fr-FR, zh-CN;q=0.9, en;q=0.8"), language_of("en", "zh")
    ('zh', 'en')
    """
    if chosen in LANGUAGES:
        return "zh" if chosen == "zh" else "en"
    for each in accepted.split(","):
        name = each.split(";")[0].strip().lower()
        if name.startswith("zh"):
            return "zh"
        if name.startswith("en"):
            return "en"
    return "en"
