"""How things stand, in numbers: what Prometheus is told of Postgres.

Every query is bounded by what is open, waits, or happened within the last day; none grows with the years. Complaints of
the canary and old cases brought in for the record count in none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.canary import CANARY
from storage.stuck import unheld

SOON = {"15m": timedelta(minutes=15), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
"""Within which time a clock is due soon, by the value of the label `within`."""

DAY = timedelta(days=1)
MOST_MILLISECONDS = 5000
"""A statement that takes longer is given up: whoever watches must not be what makes the database slow."""


class Gauge(NamedTuple):
    """One number. Labels are contract, obligation and words of this module: few, and nothing personal."""

    name: str
    labels: dict[str, str]
    value: float


HELP = {
    "ombud_complaints_open": "Complaints that are open.",
    "ombud_clocks_running": "Clocks that run.",
    "ombud_clocks_due_soon": "Running clocks that are due within the time of the label.",
    "ombud_clocks_overdue": "Clocks past their due time, their miss not on record yet; but for a moment, a fault.",
    "ombud_clocks_overdue_oldest_seconds": "How long the longest of them has been past its due time.",
    "ombud_clocks_missed_open": "Missed clocks of open complaints that are still not done.",
    "ombud_clocks_missed_last_day": "Clocks whose due time was missed within the last 24 hours.",
    "ombud_notices_waiting": "Notices that no mail server has accepted yet: planned, or claimed by a message.",
    "ombud_notices_waiting_oldest_seconds": "How long the longest of them has been waiting.",
    "ombud_notices_undeliverable": "Undeliverable notices of open complaints that nobody has acknowledged.",
    "ombud_signals_refused": "Signals to open complaints that were refused.",
    "ombud_starts_rejected_last_day": "Starts within the last 24 hours that could not become a complaint.",
    "ombud_roles_unheld": "Roles that a contract in force tells something and nobody holds.",
    "ombud_canary_accepted_timestamp_seconds": "When the latest warning of a canary was accepted by the mail server.",
}

_OURS = "NOT c.history AND c.contract <> :canary"

_COMPLAINTS = f"""
SELECT contract, stage, count(*) FROM complaints c WHERE closed_at IS NULL AND {_OURS} GROUP BY contract, stage
"""  # noqa: S608  constants of this file

_CLOCKS = f"""
SELECT c.contract, k.obligation, count(*) AS running,
    count(*) FILTER (WHERE k.due_at BETWEEN :now AND :now + cast(:m15 AS interval)) AS m15,
    count(*) FILTER (WHERE k.due_at BETWEEN :now AND :now + cast(:h1 AS interval)) AS h1,
    count(*) FILTER (WHERE k.due_at BETWEEN :now AND :now + cast(:d1 AS interval)) AS d1,
    count(*) FILTER (WHERE k.due_at < :now AND k.paused_at IS NULL) AS overdue,
    coalesce(extract(epoch FROM :now - min(k.due_at) FILTER (WHERE k.due_at < :now AND k.paused_at IS NULL)), 0)
        AS oldest
FROM clocks k JOIN complaints c ON c.id = k.complaint
WHERE k.status = 'running' AND {_OURS} GROUP BY c.contract, k.obligation
"""  # noqa: S608

_MISSED = f"""
SELECT c.contract, k.obligation, count(*) FROM clocks k JOIN complaints c ON c.id = k.complaint
WHERE k.status = 'missed' AND k.done_at IS NULL AND c.closed_at IS NULL AND {_OURS} GROUP BY c.contract, k.obligation
"""  # noqa: S608

_MISSED_LAST_DAY = f"""
SELECT c.contract, k.obligation, count(*) FROM clocks k JOIN complaints c ON c.id = k.complaint
WHERE k.missed_at >= :day_ago AND k.status = 'missed' AND {_OURS} GROUP BY c.contract, k.obligation
"""  # noqa: S608

_WAITING = f"""
SELECT n.contract, n.state, count(*), extract(epoch FROM :now - min(n.planned_at))
FROM notices n JOIN complaints c ON c.id = n.complaint
WHERE n.state IN ('planned', 'claimed') AND {_OURS}
GROUP BY n.contract, n.state
"""  # noqa: S608

_UNDELIVERABLE = f"""
SELECT n.contract, count(*) FROM notices n JOIN complaints c ON c.id = n.complaint
WHERE n.state IN ('undeliverable', 'bounced') AND n.given_up_at IS NULL AND c.closed_at IS NULL AND {_OURS}
GROUP BY n.contract
"""  # noqa: S608

_REFUSED = f"""
SELECT c.contract, count(*) FROM ledger l JOIN complaints c ON l.stream = 'complaint/' || c.id
WHERE l.type = 'refused' AND c.closed_at IS NULL AND {_OURS} AND NOT EXISTS (
    SELECT FROM ledger g
    WHERE g.stream = l.stream AND g.type = 'given_up' AND g.body #>> '{{data,refused}}' = l.seq::text
) GROUP BY c.contract
"""  # noqa: S608

_REJECTED = "SELECT count(*) FROM rejects WHERE recorded_at >= :day_ago AND given_up_at IS NULL"

_CANARY = "SELECT extract(epoch FROM max(accepted_at)) FROM notices WHERE contract = :canary"


async def gauges(connection: AsyncConnection, now: datetime) -> list[Gauge]:
    """Every number at this moment, on one state of the database. A group of which there is none has no number."""
    await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    await connection.execute(text(f"SET LOCAL statement_timeout = {MOST_MILLISECONDS}"))
    given = {"now": now, "day_ago": now - DAY, "canary": CANARY}
    m15, h1, d1 = SOON.values()

    async def rows(query: str, **more: Any) -> Sequence[Any]:
        wanted = {name: value for name, value in (given | more).items() if f":{name}" in query}
        return (await connection.execute(text(query), wanted)).all()

    found = list(_counted("ombud_complaints_open", ("contract", "stage"), await rows(_COMPLAINTS)))
    for row in await rows(_CLOCKS, m15=m15, h1=h1, d1=d1):
        found += _of_clocks(row)
    by_clock = ("contract", "obligation")
    found += _counted("ombud_clocks_missed_open", by_clock, await rows(_MISSED))
    found += _counted("ombud_clocks_missed_last_day", by_clock, await rows(_MISSED_LAST_DAY))
    for contract, state, count, age in await rows(_WAITING):
        labels = {"contract": contract, "state": state}
        found.append(Gauge("ombud_notices_waiting", labels, count))
        found.append(Gauge("ombud_notices_waiting_oldest_seconds", labels, max(float(age), 0)))
    found += _counted("ombud_notices_undeliverable", ("contract",), await rows(_UNDELIVERABLE))
    found += _counted("ombud_signals_refused", ("contract",), await rows(_REFUSED))
    found += _counted("ombud_starts_rejected_last_day", (), await rows(_REJECTED))
    alone = [contract for contract, _ in await unheld(connection, now)]
    found += [Gauge("ombud_roles_unheld", {"contract": name}, alone.count(name)) for name in sorted(set(alone))]
    ((accepted,),) = await rows(_CANARY)
    if accepted is not None:
        found.append(Gauge("ombud_canary_accepted_timestamp_seconds", {}, float(accepted)))
    return found


def _counted(name: str, labels: tuple[str, ...], rows: Sequence[Any]) -> Iterator[Gauge]:
    for *values, count in rows:
        yield Gauge(name, dict(zip(labels, values, strict=True)), count)


def _of_clocks(row: Any) -> Iterator[Gauge]:
    labels = {"contract": row.contract, "obligation": row.obligation}
    yield Gauge("ombud_clocks_running", labels, row.running)
    for within, count in zip(SOON, (row.m15, row.h1, row.d1), strict=True):
        yield Gauge("ombud_clocks_due_soon", {**labels, "within": within}, count)
    yield Gauge("ombud_clocks_overdue", labels, row.overdue)
    yield Gauge("ombud_clocks_overdue_oldest_seconds", labels, max(float(row.oldest), 0))
