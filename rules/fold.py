"""From the ledger to the state of a complaint. `evolve` is the only way it changes."""

from __future__ import annotations

import json
from datetime import datetime
from functools import reduce
from typing import Any

from rules.calendar_years import years_of
from rules.clock_record import OF_CLOCKS, judged, started
from rules.complaint import (
    Absorbed,
    Acknowledgement,
    Act,
    Asked,
    CalendarChange,
    Closing,
    Complaint,
    Correction,
    Demanded,
    Episode,
    Interlude,
    NoticeState,
    Recusal,
)
from rules.ledger import Entry


def fold(entries: list[Entry]) -> Complaint:
    """The complaint that a ledger describes; its first entry must be `opened`."""
    return reduce(evolve, entries[1:], opened(entries[0]))


def opened(entry: Entry) -> Complaint:
    """The complaint as its first entry leaves it."""
    data = entry.data
    received_at = entry.occurred_at
    return Complaint(
        contract=data["contract"],
        reference=data["reference"],
        received_at=received_at,
        recorded_at=entry.recorded_at,
        grade=data.get("grade"),
        language=data.get("language"),
        channel=data.get("channel", ""),
        complainant=data.get("complainant"),
        needs=tuple(data.get("needs") or ()),
        incident=data.get("incident"),
        recusals=(Recusal(seq=entry.seq, person=data["against"]),) if data.get("against") else (),
        history=data.get("history", False),
        seq=entry.seq,
        episodes=(
            Episode(
                seq=entry.seq,
                kind=data["kind"],
                category=data.get("category"),
                level=data.get("level"),
                receipt_at=received_at,
                reached_at=received_at,
                recorded_at=entry.recorded_at,
            ),
        ),
    )


def evolve(case: Complaint, entry: Entry) -> Complaint:
    """The complaint after this entry. Unknown types change nothing, so that old code can fold newer ledgers."""
    data = entry.data
    new: dict[str, Any] = {"seq": entry.seq}
    if entry.key and entry.digest:
        new["keys"] = {**case.keys, entry.key: (entry.digest, entry.seq)}
    if acts := data.get("acts"):
        new["acts"] = (*case.acts, _act(entry, tuple(acts)))
    if entry.notices:
        new["notices"] = case.notices + tuple(
            NoticeState(
                key=notice.key,
                role=notice.role,
                of=data.get("command", ""),
                clock=data.get("clock", ""),
                rung=data.get("rung", ""),
                round=data.get("round", 0),
                crowd=notice.crowd or "",
            )
            for notice in entry.notices
        )
    case = case.model_copy(update=new)
    return case.model_copy(update=change) if (change := _change(case, entry)) else case


def _change(case: Complaint, entry: Entry) -> dict[str, Any]:  # noqa: C901, PLR0911, PLR0912  one for each type
    """What an entry changes by its type."""
    data = entry.data
    match entry.type:
        case "reclassified":
            return {"episodes": (*case.episodes, _episode(case, entry))}
        case "assigned":
            return {"owner": data["person"]}
        case "recused":
            recusal = Recusal(seq=entry.seq, person=data["person"])
            owner = None if case.owner == recusal.person else case.owner
            return {"recusals": (*case.recusals, recusal), "owner": owner}
        case "customer_wrote":
            followed = case.followed + bool(data.get("opens"))
            return {"messages": (*case.messages, _act(entry)), "followed": followed}
        case "absorbed" | "released":
            return _merged(case, entry)
        case "corrected":
            return {"corrections": (*case.corrections, _correction(entry))}
        case "correction_approved":
            return _corrected(case, entry)
        case "replanned":
            years = years_of(json.dumps(data["years"]).encode())
            change = CalendarChange(seq=entry.seq, at=entry.recorded_at, why=data["why"], years=years)
            return {"calendars": (*case.calendars, change)}
        case "rejected":
            return {"rejections": (*case.rejections, entry.seq)}
        case "closed":
            act, into = data.get("act", entry.seq), data.get("into")
            closing = Closing(seq=entry.seq, at=entry.occurred_at, reason=data["reason"], act=act, into=into)
            return {"closed": closing}
        case "reopened" if case.closed:
            over = Interlude(
                seq=entry.seq,
                since=case.closed.at,
                until=max(case.closed.at, entry.occurred_at),
                reason=data["reason"],
            )
            return {"closed": None, "interludes": (*case.interludes, over)}
        case "acknowledged":
            said = Acknowledgement(seq=entry.seq, at=entry.occurred_at, until=_until(data))
            notices = (
                n.model_copy(update={"acknowledged": (*n.acknowledged, said)}) if n.key in data["notices"] else n
                for n in case.notices
            )
            return {"notices": tuple(notices)}
        case "given_up":
            lost = {"undeliverable_at": entry.occurred_at}
            given = data.get("notices", ())
            notices = (
                n.model_copy(update=lost) if n.key in given and n.undeliverable_at is None else n for n in case.notices
            )
            return {"notices": tuple(notices)}
        case "notice_accepted" | "notice_undeliverable" | "notice_bounced":
            return _delivery(case, entry)
        case "clock_started":
            return {"clocks": (*case.clocks, started(entry))}
        case kind if kind in OF_CLOCKS:
            return {"clocks": tuple(judged(c, entry) if c.id == data["clock"] else c for c in case.clocks)}
    return _between_parties(case, entry)


def _between_parties(case: Complaint, entry: Entry) -> dict[str, Any]:
    """What an entry changes of what the parties ask of each other."""
    data = entry.data
    match entry.type:
        case "requested":
            due_at = datetime.fromisoformat(data["due"])
            asked = Asked(seq=entry.seq, party=data["party"], role=data["of"], due_at=due_at)
            return {"requests": (*case.requests, asked)}
        case "request_answered" | "request_contested":
            said = {entry.type.removeprefix("request_"): entry.seq}
            requests = (r.model_copy(update=said) if r.seq == data["request"] else r for r in case.requests)
            return {"requests": tuple(requests)}
        case "demanded":
            return {"demands": (*case.demands, Demanded(seq=entry.seq))}
        case "demand_answered":
            answer = {"answered": entry.seq}
            demands = (d.model_copy(update=answer) if d.seq == data["demand"] else d for d in case.demands)
            return {"demands": tuple(demands)}
    return {}


def _act(entry: Entry, names: tuple[str, ...] = (), notice: str | None = None) -> Act:
    proved = bool(entry.evidence)
    at, recorded_at = entry.occurred_at, entry.recorded_at
    return Act(seq=entry.seq, names=names, at=at, recorded_at=recorded_at, proved=proved, notice=notice)


def _until(data: dict[str, Any]) -> datetime | None:
    return datetime.fromisoformat(data["until"]) if data.get("until") else None


def _episode(case: Complaint, entry: Entry) -> Episode:
    """New facts start clocks when they became known, a misjudgement at receipt; a first assessment reaches the level
    now, but what starts with receipt started with receipt."""
    data, before = entry.data, case.now_is
    known_at = datetime.fromisoformat(data["known_at"]) if data.get("known_at") else entry.occurred_at
    receipt_at = known_at if data["reason"] == "new_facts" else case.received_at
    return Episode(
        seq=entry.seq,
        kind=data.get("kind", before.kind),
        category=data.get("category", before.category),
        level=data.get("level", before.level),
        receipt_at=receipt_at,
        reached_at=case.received_at if data["reason"] == "misjudged" else known_at,
        recorded_at=entry.recorded_at,
        reason=data["reason"],
    )


def _correction(entry: Entry) -> Correction:
    right = entry.data.get("happened_at")
    to = datetime.fromisoformat(right) if right else None
    return Correction(seq=entry.seq, entry=entry.data["entry"], to=to, person=entry.by.person or "")


def _corrected(case: Complaint, entry: Entry) -> dict[str, Any]:
    """The facts as they are right. An act whose time moved is known at that time only since the approval; a message
    was known all along."""
    found = next((c for c in case.corrections if c.seq == entry.data["entry"]), None)
    if found is None:
        return {}
    seq, to = found.entry, found.to
    done = found.model_copy(update={"approved": entry.seq})
    new: dict[str, Any] = {"corrections": tuple(done if c is found else c for c in case.corrections)}
    if to is None:
        new["acts"] = tuple(act for act in case.acts if act.seq != seq)
        new["messages"] = tuple(message for message in case.messages if message.seq != seq)
        new["rejections"] = tuple(rejection for rejection in case.rejections if rejection != seq)
        new["recusals"] = tuple(recusal for recusal in case.recusals if recusal.seq != seq)
        return new
    moved, learned = {"at": to}, {"at": to, "recorded_at": entry.recorded_at}
    if case.closed and case.closed.act == seq:
        new["closed"] = case.closed.model_copy(update=moved)
    new["acts"] = tuple(act.model_copy(update=learned) if act.seq == seq else act for act in case.acts)
    new["messages"] = tuple(m.model_copy(update=moved) if m.seq == seq else m for m in case.messages)
    if seq == case.episodes[0].seq:
        return new | _received(case, to, case.absorbed)
    new["episodes"] = tuple(
        episode.model_copy(update=dict.fromkeys(_KNOWN[episode.reason], to)) if episode.seq == seq else episode
        for episode in case.episodes
    )
    return new


def _merged(case: Complaint, entry: Entry) -> dict[str, Any]:
    """Another complaint's receipt and acts join this one, or leave it again."""
    data, own = entry.data, case.own_receipt or case.received_at
    if entry.type == "released":
        gone = next((a for a in case.absorbed if a.complaint == data["complaint"]), None)
        if gone is None:
            return {}
        absorbed = tuple(a for a in case.absorbed if a is not gone)
        acts = tuple(act for act in case.acts if act.seq != gone.seq)
        messages = tuple(message for message in case.messages if message.seq != gone.seq)
        return {"absorbed": absorbed, "acts": acts, "messages": messages, **_received(case, own, absorbed)}
    joined = Absorbed(
        seq=entry.seq, complaint=data["complaint"], received_at=datetime.fromisoformat(data["received_at"])
    )
    absorbed = (*case.absorbed, joined)
    acts = tuple(Act.model_validate(done | {"seq": entry.seq}) for done in data["done"])
    new = {"absorbed": absorbed, "acts": (*case.acts, *acts), **_received(case, own, absorbed)}
    if unanswered := data.get("unanswered"):
        written = datetime.fromisoformat(unanswered)
        message = Act(seq=entry.seq, names=(), at=written, recorded_at=entry.recorded_at)
        new["messages"] = (*case.messages, message)
    return new


def _received(case: Complaint, own: datetime, absorbed: tuple[Absorbed, ...]) -> dict[str, Any]:
    """The case as received at the earliest of its own receipt and those of the complaints merged into it."""
    at = min((own, *(a.received_at for a in absorbed)))
    episodes = tuple(
        episode.model_copy(update=dict.fromkeys(_FROM_RECEIPT[episode.reason], at)) for episode in case.episodes
    )
    return {"received_at": at, "own_receipt": own if absorbed else None, "episodes": episodes}


_FROM_RECEIPT: dict[str, tuple[str, ...]] = {
    "": ("receipt_at", "reached_at"),
    "misjudged": ("receipt_at", "reached_at"),
    "first_assessment": ("receipt_at",),
    "new_facts": (),
}
"""By the reason of a classification, which of its times are the receipt."""

_KNOWN: dict[str, tuple[str, ...]] = {
    "": (),
    "misjudged": (),
    "first_assessment": ("reached_at",),
    "new_facts": ("receipt_at", "reached_at"),
}
"""And which are when the facts became known."""


def _delivery(case: Complaint, entry: Entry) -> dict[str, Any]:
    key = entry.data["notice"]
    accepted = entry.type == "notice_accepted"
    failed_at = None if accepted else entry.occurred_at
    change = {"accepted": accepted, "undeliverable_at": failed_at}
    notices = tuple(n.model_copy(update=change) if n.key == key else n for n in case.notices)
    acts = tuple(act for act in case.acts if act.notice != key)
    if accepted:
        acts = (*acts, _act(entry, (f"notice of {entry.data['of']}",), key))
    return {"notices": notices, "acts": acts}
