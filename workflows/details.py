"""How a complaint shows itself in the Web UI: its clocks in the current details, and labels on its timer."""

from __future__ import annotations

from datetime import datetime, timedelta

from activities.interface import Counts
from rules.complaint import Complaint
from rules.contract import Words
from rules.judge import Wake
from rules.law import InForce
from rules.stage import reached

NARROW = "\u00a0"
"""A space that does not break, since the columns of the Web UI are narrow and stand close."""

WORDS: dict[str, Words] = {
    "due": {"en": "due", "zh-CN": "到期"},
    "silence": {"en": "closes unless the customer objects", "zh-CN": "客户无异议则结案"},
    "head": {"en": "clause · promise · due · state", "zh-CN": "条款 · 承诺 · 期限 · 状态"},
    "running": {"en": "running", "zh-CN": "进行中"},
    "met": {"en": "met", "zh-CN": "按时"},
    "missed": {"en": "**missed**", "zh-CN": "**超时**"},
    "ended": {"en": "ended", "zh-CN": "已终止"},
    "wait": {"en": "waits for another party", "zh-CN": "等待对方"},
    "paused": {"en": "stands still, waiting", "zh-CN": "暂停计时，等待对方"},
    "unconfirmed": {"en": "**missed**, reported late, unconfirmed", "zh-CN": "**超时**，事后补报，待确认"},
    "confirmed": {"en": "missed, reported late, confirmed", "zh-CN": "超时，事后补报，已确认"},
    "not_agreed": {"en": "**missed**, reported late, not agreed", "zh-CN": "**超时**，事后补报，未获认可"},
    "not_counted": {"en": "**missed**, reported late, does not count", "zh-CN": "**超时**，事后补报，不予认定"},
    "provisional": {"en": "provisional", "zh-CN": "暂定"},
    "replanned": {"en": "due counted anew", "zh-CN": "期限已重新计算"},
    "sent": {"en": "sent to", "zh-CN": "发送至"},
    "taken": {"en": "taken", "zh-CN": "已受理"},
    "refused": {"en": "refused", "zh-CN": "被拒绝"},
    "gone": {"en": "gone", "zh-CN": "已不在办"},
    "open": {"en": "not answered yet", "zh-CN": "尚未答复"},
    "cancel": {
        "en": "Cancel does not end a complaint; use the update `withdraw` or `close`.",
        "zh-CN": "取消不能终止投诉；请使用更新 `withdraw` 或 `close`。",
    },
}


def label(law: InForce, case: Complaint, wake: Wake) -> str:
    """What the timer waits for, such as “First response 50% · E 2.1.1”, in the contract's language."""
    contract = law.contract
    rung = contract.words(WORDS[wake.rung]) if wake.rung in WORDS else wake.rung
    if not wake.clock:
        return rung
    promise = contract.obligations[case.clock(wake.clock).obligation]
    return f"{contract.words(promise.title)} {rung} · {promise.clause}"


def markdown(law: InForce, case: Complaint, cancelled: bool) -> str:
    """The current details: stage, kind, category, level, and every clock with clause, due and state."""

    def words(key: str) -> str:
        return law.contract.words(WORDS[key])

    def local(at: datetime) -> str:
        return law.calendar.local(at).strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")

    now = case.now_is
    what = (now.kind, now.category, now.level and f"level {now.level}")
    lines = [" · ".join([f"**{reached(case, law.contract)}**", case.id, *filter(None, what)]), ""]
    if cancelled:
        lines += [f"> {words('cancel')}", ""]
    clause, promised, due, state = words("head").split(" · ")
    lines += [f"| {clause} | {promised} | {due} ({law.contract.calendar.zone}) | {state} |", "|---|---|---|---|"]
    for clock in sorted(case.clocks, key=lambda clock: clock.due_at):
        promise = law.contract.obligations[clock.obligation]
        name = law.contract.words(promise.title) + (f" #{clock.n}" if clock.n > 1 else "")
        until = local(clock.due_at).replace(" ", NARROW)
        until += f" ({words('provisional')})" if clock.provisional else ""
        until += f" ({words('replanned')})" if clock.replanned else ""
        said = words((clock.report or "confirmed") if clock.status == "missed" and clock.refuted_at else clock.status)
        if clock.status == "running" and clock.paused_at:
            said = words("paused")
        if clock.status == "missed" and clock.refuted_at and clock.lag_seconds:
            said += f" (+{timedelta(seconds=clock.lag_seconds)})"
        lines.append(f"| {promise.clause.replace(' ', NARROW)}{NARROW} | {name} | {until}{NARROW} | {said} |")
    return "\n".join(lines)


def circulated(language: str, command: str, counts: Counts) -> str:
    """The current details of a circular: how many complaints answered what."""

    def words(key: str) -> str:
        return WORDS[key]["zh-CN" if language == "zh-CN" else "en"]

    answers = {"taken": counts.taken, "refused": counts.refused, "gone": counts.gone, "open": counts.open}
    rows = [f"| {words(key)} | {n:,} |" for key, n in answers.items()]
    return "\n".join([f"**{command}** · {words('sent')} {counts.complaints:,}", "", "| | |", "|---|---|", *rows])
