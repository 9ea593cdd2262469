"""What a run left behind in Postgres and Temporal, read once all is quiet, and what the judges say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus

from activities.interface import complaint_id
from faults.judge import Finding, changed, crossed, differences, step_by_step
from faults.mails import Mails, NoticeRow
from faults.players import Played
from faults.post import Received
from faults.stories import APART
from rules.law import InForce
from rules.ledger import Entry
from storage import ledger
from storage.database import transaction
from storage.rebuild import rebuild
from storage.tables import ledger as entries
from storage.tables import messages, notices

DOMAIN = "storm.example.com"


@dataclass
class Results:
    """Figures and findings of one run."""

    findings: list[Finding] = field(default_factory=list)
    identical: int = 0
    """Complaints whose ledger is that of the fault-free run."""
    heard_late: int = 0
    """Complaints that heard something only after it would have changed something; the outcome is the same."""
    renumbered: int = 0
    """Commands whose entry stands under another number than the one they were answered with: while Postgres was away,
    and decided again by the run after one that died."""
    notices: int = 0
    mails: int = 0
    copies: int = 0
    lost: int = 0
    doubled: int = 0
    misses: int = 0
    rungs: int = 0
    latest_rung: timedelta = timedelta()
    longest_mail: timedelta = timedelta()


async def results(
    folder: Path,
    engine: AsyncEngine,
    client: Client,
    laws: dict[str, InForce],
    played: list[Played],
    received: list[Received],
) -> Results:
    """Everything that the judges have to say."""
    found = Results()
    for one in played:
        found.findings += [Finding(one.story.complaint, problem) for problem in one.problems]
        async with transaction(engine) as connection:
            recorded = await ledger.read(connection, ledger.stream_of(one.story.complaint))
        before = len(found.findings)
        _ledger(found, one, recorded, laws[one.story.opening["contract"]])
        if len(found.findings) > before or one.problems:
            _keep(folder, one, recorded)
        if one.start is not None:
            described = await client.get_workflow_handle(complaint_id(*one.story.complaint.split("/", 1))).describe()
            if described.status != WorkflowExecutionStatus.COMPLETED:
                status = described.status.name if described.status else "unknown"
                found.findings.append(Finding(one.story.complaint, f"its workflow is {status}, not completed"))
    await _mails(found, engine, received)
    found.findings += [Finding("the projections", str(one)) for one in await rebuild(engine, apply=False)]
    return found


def _keep(folder: Path, one: Played, recorded: list[Entry]) -> None:
    """Both ledgers of a complaint, line by line, for whoever looks why they differ."""
    expected = one.story.tale.entries if one.story.tale else []
    for name, ledger_ in (("found", recorded), ("expected", expected)):
        lines = "\n".join(entry.model_dump_json(exclude_defaults=True) for entry in ledger_)
        (folder / f"{one.story.opening['reference']}.{name}.jsonl").write_text(lines, encoding="utf-8")


def _ledger(found: Results, one: Played, recorded: list[Entry], law: InForce) -> None:
    """One complaint against its fault-free run."""
    complaint = one.story.complaint
    if one.start is None or one.story.tale is None:
        if recorded:
            found.findings.append(Finding(complaint, "it was refused and has a ledger"))
        return
    found.misses += sum(entry.type == "clock_missed" for entry in recorded)
    rungs = [entry for entry in recorded if entry.type == "rung_reached" and "passed" not in entry.data]
    found.rungs += len(rungs)
    found.latest_rung = max([found.latest_rung, *(e.recorded_at - e.occurred_at for e in rungs)])
    if problem := step_by_step(recorded, one.start, law, one.sent):
        found.findings.append(Finding(complaint, problem))
        return
    numbers = {entry.key: entry.seq for entry in recorded if entry.key is not None}
    found.renumbered += sum(numbers.get(one.story.key(index)) != number for index, number in one.answers.items())
    expected = one.story.tale.entries
    if not (apart := differences(expected, recorded)):
        found.identical += 1
        return
    found.heard_late += 1
    if not crossed(expected, recorded, APART):
        found.findings += [Finding(complaint, f"all was heard in time, and yet: {line}") for line in apart]
    found.findings += [Finding(complaint, line) for line in changed(expected, recorded, one.untold)]


async def _mails(found: Results, engine: AsyncEngine, received: list[Received]) -> None:
    async with transaction(engine) as connection:
        n, m = notices.c, messages.c
        query = select(
            n.key, n.complaint, n.role, n.message, m.accepted_at, m.undeliverable_at, n.acknowledged_at, n.planned_at
        ).join(messages, m.id == n.message, isouter=True)
        stored = (await connection.execute(query)).all()
        planned = (
            await connection.execute(
                text(
                    "SELECT notice ->> 'key', substr(stream, 11) FROM ledger, "
                    "jsonb_array_elements(body -> 'notices') AS notice WHERE stream LIKE 'complaint/%'"
                )
            )
        ).all()
        claimed = await connection.execute(
            select(entries.c.stream, entries.c.body).where(
                entries.c.stream.startswith("message/"), entries.c.type == "claimed"
            )
        )
        claims = [(stream.partition("/")[2], body["data"]["notices"]) for stream, body in claimed]
    rows = [NoticeRow(*row[:4], *(at is not None for at in row[4:7])) for row in stored]
    mails = Mails(dict(map(tuple, planned)), rows, claims, received, DOMAIN)
    found.findings += mails.findings()
    found.notices, found.mails, found.copies = len(planned), len(received) - mails.copies, mails.copies
    found.lost, found.doubled = len(mails.lost), len(mails.doubled)
    found.longest_mail = max(
        [timedelta(), *(row.accepted_at - row.planned_at for row in stored if row.accepted_at is not None)]
    )
