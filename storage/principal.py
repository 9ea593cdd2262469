"""What waits for the principal of a contract, and how its open cases stand. Nothing internal, nothing of others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.supervision import List, Listed, supervised

PAGE = 50
"""Cases on one page; the pages say how many there are."""

# Whoever may have nothing to do with a complaint does not see it either (rule 37).
_MINE = "c.contract = :contract AND NOT (:person = ANY (string_to_array(coalesce(c.against, ''), ' ')))"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to the principal that waits for an answer (rule 60)."""

    complaint: str
    seq: int
    role: str
    due_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class LateReport:
    """A timely act reported after its miss, which a role of the contract must confirm (invariant 2)."""

    complaint: str
    version: str
    obligation: str
    n: int
    clause: str
    due_at: datetime
    done_at: datetime
    reported_at: datetime

    @property
    def clock(self) -> str:
        return f"{self.obligation}#{self.n}"


@dataclass(frozen=True, slots=True)
class OpenCase:
    """An open complaint in one line."""

    complaint: str
    version: str
    kind: str
    category: str | None
    level: str | None
    stage: str
    received_at: datetime
    missed: int
    """Clocks that count as missed."""
    next_due_at: datetime | None
    next_due_provisional: bool | None
    """Whether it was counted through a year nobody has published (invariant 9)."""

    @property
    def reference(self) -> str:
        return self.complaint.partition("/")[2]


async def asked(connection: AsyncConnection, contract: str, person: str) -> list[Asked]:
    """Every request that waits, the one due first before the others; one that was taken back waits for nothing."""
    query = text(
        "SELECT c.id AS complaint, l.seq, l.body #>> '{data,of}' AS role, "  # noqa: S608  a constant of this file
        "(l.body #>> '{data,due}')::timestamptz AS due_at, l.occurred_at AS at "
        "FROM complaints c JOIN ledger l ON l.stream = 'complaint/' || c.id "
        f"WHERE {_MINE} AND c.closed_at IS NULL AND NOT c.history AND l.type = 'requested' "
        "AND l.body #>> '{data,party}' = 'principal' AND (l.body ->> 'internal') IS DISTINCT FROM 'true' "
        "AND NOT EXISTS (SELECT FROM ledger a WHERE a.stream = l.stream AND a.seq > l.seq AND ("
        "(a.type IN ('request_answered', 'request_contested') AND a.body #>> '{data,request}' = l.seq::text) OR "
        "(a.type = 'correction_approved' AND a.body #>> '{data,corrects}' = l.seq::text "
        "AND a.body #>> '{data,void}' = 'true'))) "
        "ORDER BY due_at, c.id, l.seq"
    )
    rows = await connection.execute(query, {"contract": contract, "person": person})
    return [Asked(**row) for row in rows.mappings()]


async def late_reports(connection: AsyncConnection, contract: str, person: str) -> list[LateReport]:
    """Every report that waits for a confirmation, of open cases, the oldest first."""
    query = text(
        "SELECT c.id AS complaint, c.version, k.obligation, k.n, k.clause, k.due_at, k.done_at, "  # noqa: S608
        "k.refuted_at AS reported_at FROM complaints c JOIN clocks k ON k.complaint = c.id "
        f"WHERE {_MINE} AND c.closed_at IS NULL AND NOT c.history AND k.report = 'unconfirmed' "
        "ORDER BY k.refuted_at, c.id, k.obligation"
    )
    rows = await connection.execute(query, {"contract": contract, "person": person})
    return [LateReport(**row) for row in rows.mappings()]


async def open_cases(
    connection: AsyncConnection, contract: str, person: str, page: int = 1
) -> tuple[list[OpenCase], int]:
    """One page of the open cases, those with misses first, and how many pages there are."""
    query = text(
        "SELECT c.id AS complaint, c.version, c.kind, c.category, c.level, c.stage, c.received_at, "  # noqa: S608
        "count(k.complaint) FILTER (WHERE k.status = 'missed')::int AS missed, "
        "min(k.due_at) FILTER (WHERE k.status = 'running') AS next_due_at, "
        "(array_agg(k.provisional ORDER BY k.due_at) FILTER (WHERE k.status = 'running'))[1] AS next_due_provisional, "
        "count(*) OVER ()::int AS cases "
        "FROM complaints c LEFT JOIN clocks k ON k.complaint = c.id "
        f"WHERE {_MINE} AND c.closed_at IS NULL AND NOT c.history GROUP BY c.id "
        "ORDER BY missed DESC, next_due_at NULLS LAST, c.received_at, c.id LIMIT :page OFFSET :before"
    )
    given = {"contract": contract, "person": person, "page": PAGE, "before": (page - 1) * PAGE}
    rows = [dict(row) for row in (await connection.execute(query, given)).mappings()]
    cases = rows[0].pop("cases") if rows else 0
    for row in rows[1:]:
        row.pop("cases")
    return [OpenCase(**row) for row in rows], -(-cases // PAGE)


async def listed(connection: AsyncConnection, wanted: List, contract: str, person: str) -> list[Listed]:
    """One of the lists of whoever supervises, without entries that are not for the principal."""
    found = await supervised(connection, wanted, contract)
    hidden = await _hidden(connection, contract, person)
    return [item for item in found if (item.complaint, None) not in hidden and (item.complaint, item.seq) not in hidden]


async def counts(connection: AsyncConnection, contract: str, person: str) -> Counter[str]:
    """How much stands on each list, by its name."""
    query = text("SELECT list, complaint, seq FROM supervision WHERE contract = :contract")
    hidden = await _hidden(connection, contract, person)
    return Counter(
        row.list
        for row in await connection.execute(query, {"contract": contract})
        if (row.complaint, None) not in hidden and (row.complaint, row.seq) not in hidden
    )


async def _hidden(connection: AsyncConnection, contract: str, person: str) -> set[tuple[str, Any]]:
    """Entries that are internal, with what corrects them; and, without a number, cases closed to this person."""
    internal = text(
        "SELECT c.id, l.seq FROM complaints c JOIN ledger l ON l.stream = 'complaint/' || c.id "
        "WHERE c.contract = :contract AND (l.body ->> 'internal' = 'true' OR (l.body #> '{data,entry}' IS NOT NULL "
        "AND EXISTS (SELECT FROM ledger i WHERE i.stream = l.stream AND i.seq = (l.body #>> '{data,entry}')::int "
        "AND i.body ->> 'internal' = 'true')))"
    )
    closed = text(f"SELECT c.id, NULL::int FROM complaints c WHERE c.contract = :contract AND NOT ({_MINE})")  # noqa: S608
    entries = {(row[0], row[1]) for row in await connection.execute(internal, {"contract": contract})}
    given = {"contract": contract, "person": person}
    return entries | {(row[0], None) for row in await connection.execute(closed, given)}
