"""One case as the principal may see it on its own page: its promises, what was demanded, and what was said to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.complaint import Complaint
from rules.contract import Contract
from rules.demands import missed, waiting
from rules.fold import fold
from rules.ledger import Entry
from starter.pages.ground import COMPLAINED_ABOUT, Ground, PageError
from starter.pages.principal_reader import Principal
from storage import reading
from storage.tables import complaints

NO_CASE = "no case of the contract"

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

ClockState = Literal["running", "met", "missed", "late", "cleared", "ended"]


@dataclass(frozen=True, slots=True)
class ClockLine:
    """One promise of the case."""

    id: str
    clause: str
    title: str
    state: ClockState
    due_at: datetime
    provisional: bool
    """Whether the due was counted through a year nobody has published (invariant 9)."""
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Saying:
    """Something demanded, answered or explained."""

    seq: int
    type: str
    at: datetime
    by: str
    texts: tuple[str, ...]
    wants: str = ""
    of: int | None = None
    """The demand that it answers."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """What the principal's page of one case shows."""

    complaint: str
    reference: str
    kind: str
    about: str
    stage: str
    received_at: datetime
    closed_at: datetime | None
    outcome: str
    clocks: tuple[ClockLine, ...]
    missed: tuple[str, ...]
    """Clocks whose miss counts: what a demand can follow."""
    sayings: tuple[Saying, ...]
    waiting: tuple[int, ...]
    """Demands that nobody has answered yet."""
    folded: Complaint
    contract: Contract
    """The version it is pinned to."""

    @property
    def running(self) -> tuple[ClockLine, ...]:
        return tuple(clock for clock in self.clocks if clock.state == "running")


async def case_of(ground: Ground, db: AsyncConnection, who: Principal, reference: str, address: str | None) -> CaseView:
    """A case of the reader's own contract, and of no other. Raises PageError."""
    if not _REFERENCE.fullmatch(reference):
        raise PageError("bad", 404, NO_CASE)
    complaint = f"{who.contract.contract}/{reference}"
    row = (await db.execute(select(complaints).where(complaints.c.id == complaint))).mappings().one_or_none()
    if row is None:
        raise PageError("bad", 404, NO_CASE)
    if who.reader.id in (row["against"] or "").split():
        raise PageError("not_yours", 403, COMPLAINED_ABOUT, complaint)
    pinned = await ground.contract(db, row["version"]) or who.contract
    who = replace(who, contract=pinned)
    entries = await reading.entries(db, complaint)
    try:
        case = fold(entries)
    except (LookupError, ValueError, TypeError):
        raise PageError("unreadable", 500) from None
    words = (await who.words(ground, db, [complaint], address))[complaint]
    return CaseView(
        complaint=complaint,
        reference=reference,
        kind=row["kind"],
        about=who.about(row["category"], row["level"]),
        stage=row["stage"],
        received_at=row["received_at"],
        closed_at=row["closed_at"],
        outcome=row["outcome"] or "",
        clocks=_clocks(case, who),
        missed=tuple(missed(case)),
        sayings=_sayings(entries, words, who),
        waiting=tuple(demand.seq for demand in waiting(case)),
        folded=case,
        contract=pinned,
    )


def _clocks(case: Complaint, who: Principal) -> tuple[ClockLine, ...]:
    lines = []
    for clock in case.clocks:
        promise = who.contract.obligations.get(clock.obligation)
        state: ClockState = clock.status
        if clock.status == "missed" and clock.cleared_at:
            state = "cleared"
        elif clock.status == "missed" and clock.done_at:
            state = "late"
        lines.append(
            ClockLine(
                id=clock.id,
                clause=promise.clause if promise else "",
                title=who.promise(clock.id),
                state=state,
                due_at=clock.due_at,
                provisional=clock.provisional,
                done_at=clock.done_at,
            )
        )
    return tuple(lines)


_SAID = {"demanded": ("text",), "demand_answered": ("text",), "explained": ("reason", "plan"), "waived": ("text",)}
"""What is said between the parties, and the fields of its words."""


def _sayings(entries: list[Entry], words: Mapping[int, Mapping[str, str]], who: Principal) -> tuple[Saying, ...]:
    return tuple(
        Saying(
            seq=entry.seq,
            type=entry.type,
            at=entry.occurred_at,
            by=who.title(entry.by.role)
            if entry.by.role.partition(".")[0] != "principal"
            else who.name(entry.by.person),
            texts=tuple(text for name in _SAID[entry.type] if (text := words.get(entry.seq, {}).get(name))),
            wants=entry.data.get("wants", ""),
            of=entry.data.get("demand"),
        )
        for entry in entries
        if entry.type in _SAID and not entry.internal
    )
