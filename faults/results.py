"""What a run left behind in Postgres and Temporal, read once all is quiet, and what the judges say of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus

from activities.interface import complaint_id
from faults import receiver, subscriptions
from faults.between import asked
from faults.erasures import Words
from faults.farewells import Farewells
from faults.feed import Feed
from faults.groups import Groups
from faults.hooks import Hooks
from faults.judge import CIRCULAR, Finding, changed, crossed, differences, step_by_step
from faults.laws import SWEPT
from faults.letters import Letter, Letters, Sweep, retold
from faults.mails import Claim, Mails, NoticeRow, Recused
from faults.pen import APART
from faults.players import Played
from faults.post import Received
from faults.robots import ROBOTS
from rules.access import Grant
from rules.circular import Circular, letter
from rules.commands import Command
from rules.events import TO_ACT_ON
from rules.law import InForce
from rules.ledger import Entry, Refused
from storage import ledger
from storage.database import transaction
from storage.rebuild import rebuild
from storage.tables import circulars, letters, messages, notices
from storage.tables import ledger as entries

WRITTEN = ("content", "text")
"""Fields of commands that hold what people wrote."""

DOMAIN = "storm.example.com"

OPENED = """
SELECT stream, pg_xact_commit_timestamp(xmin) FROM ledger WHERE seq = 1 AND starts_with(stream, 'complaint/')
"""
"""When each complaint came on record."""

RECUSED = """
SELECT stream, body -> 'data' ->> 'person', pg_xact_commit_timestamp(xmin) FROM ledger recusal WHERE type = 'recused'
AND NOT EXISTS (
  SELECT FROM ledger approved WHERE approved.stream = recusal.stream AND approved.type = 'correction_approved'
  AND approved.body -> 'data' ->> 'corrects' = recusal.seq::text
)
"""
"""Who may have nothing to do with which complaint, and since when everybody can know; without what was corrected."""

LEFT_OF_WORDS = """
SELECT c.id,
  ARRAY(SELECT pg_xact_commit_timestamp(xmin) FROM ledger WHERE stream = 'privacy/' || c.id AND type = 'erased'),
  ARRAY(SELECT pg_xact_commit_timestamp(xmin) FROM ledger WHERE stream = 'privacy/' || c.id AND type = 'forgotten'),
  ARRAY(SELECT pg_xact_commit_timestamp(xmin) FROM content WHERE stream = 'complaint/' || c.id),
  EXISTS (SELECT FROM content_keys WHERE stream = 'complaint/' || c.id AND wraps IS NOT NULL),
  (SELECT pg_xact_commit_timestamp(xmin) FROM ledger WHERE stream = 'complaint/' || c.id ORDER BY seq LIMIT 1),
  (SELECT pg_xact_commit_timestamp(xmin) FROM ledger WHERE stream = 'complaint/' || c.id ORDER BY seq DESC LIMIT 1)
FROM complaints c WHERE c.id = ANY(:erased)
"""
"""What `faults.erasures.Words` asks for, but for the histories."""

LISTS_LAG = 120.0
"""Seconds in which Temporal has deleted what it was told to."""


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
    events: int = 0
    """Entries of which webhooks hear."""
    events_lost: int = 0
    event_copies: int = 0
    robot_messages: int = 0
    """That group robots took."""
    robot_events: int = 0
    """Of which robots had to speak."""
    robot_lost: int = 0
    robot_copies: int = 0
    receivers_gone: int = 0
    asked_again: int = 0
    """Calls to a receiver behind its first 410."""
    circulars: int = 0
    letters: int = 0
    """Of circulars, that a complaint took."""
    anew: int = 0
    """Complaints under the second version of their contract."""
    erased: int = 0
    erased_in_midst: int = 0
    """Complaints that went on after their erasure."""
    misses: int = 0
    rungs: int = 0
    latest_rung: timedelta = timedelta()
    longest_mail: timedelta = timedelta()


@dataclass(frozen=True)
class Left:
    """What a run leaves behind besides what stands in Postgres and Temporal."""

    played: list[Played]
    received: list[Received]
    """What the mail server took."""
    hooks: receiver.Hooks
    """The receiver of webhooks, with what it was told."""
    outages: list[datetime]
    """When a machine was killed, or one of ours."""
    circulars: dict[str, Circular]
    """By their ids."""
    grant: Grant
    erased: list[str]
    """Complaints whose words were erased."""


async def results(folder: Path, engine: AsyncEngine, client: Client, left: Left) -> Results:
    """Everything that the judges have to say."""
    found = Results()
    async with transaction(engine) as connection:
        ledgers = await _ledgers(connection)
        sweeps = [Sweep(*row) for row in await connection.execute(select(*(circulars.c[n] for n in Sweep._fields)))]
    told = {f"{CIRCULAR}{one.id}": letter(left.circulars[one.id], one.id, one.sent_at) for one in sweeps}
    laws = {one.story.complaint: one.story.tale.law for one in left.played if one.story.tale}
    for one in left.played:
        found.findings += [Finding(one.story.complaint, problem) for problem in one.problems]
        recorded, twin = ledgers.get(one.story.complaint, []), one.story.twin_of
        sent = one.sent | told | (asked(ledgers.get(twin, []), laws[twin], recorded) if twin else {})
        before = len(found.findings)
        _ledger(found, one, recorded, sent, told, left.grant)
        if len(found.findings) > before or one.problems:
            _keep(folder, one, recorded)
        if one.start is not None:
            if one.story.complaint in left.erased:
                continue  # Temporal has forgotten it
            described = await client.get_workflow_handle(complaint_id(*one.story.complaint.split("/", 1))).describe()
            if described.status != WorkflowExecutionStatus.COMPLETED:
                status = described.status.name if described.status else "unknown"
                found.findings.append(Finding(one.story.complaint, f"its workflow is {status}, not completed"))
    await _mails(found, engine, left.received)
    await _circulars(found, engine, ledgers, sweeps, list(left.circulars))
    await _words(found, engine, client, left.erased)
    await _webhooks(found, engine, ledgers, left)
    found.findings += [Finding("the projections", str(one)) for one in await rebuild(engine, apply=False)]
    return found


async def _ledgers(connection: AsyncConnection) -> dict[str, list[Entry]]:
    """What is on record, by complaint."""
    of = ledger.stream_of("")
    rows = await connection.execute(
        select(entries.c.stream, entries.c.body)
        .where(entries.c.stream.startswith(of))
        .order_by(entries.c.stream, entries.c.seq)
    )
    found: dict[str, list[Entry]] = {}
    for stream, body in rows:
        found.setdefault(stream.removeprefix(of), []).append(Entry.model_validate(body))
    return found


def _keep(folder: Path, one: Played, recorded: list[Entry]) -> None:
    """Both ledgers of a complaint, line by line, for whoever looks why they differ."""
    expected = one.story.tale.entries if one.story.tale else []
    for name, ledger_ in (("found", recorded), ("expected", expected)):
        lines = "\n".join(entry.model_dump_json(exclude_defaults=True) for entry in ledger_)
        (folder / f"{one.story.opening['reference']}.{name}.jsonl").write_text(lines, encoding="utf-8")


def _ledger(
    found: Results,
    one: Played,
    recorded: list[Entry],
    sent: Mapping[str, Command],
    told: Mapping[str, Command],
    grant: Grant,
) -> None:
    """One complaint, which was sent these commands and told these letters, against its fault-free run."""
    complaint = one.story.complaint
    if one.start is None or one.story.tale is None:
        if recorded:
            found.findings.append(Finding(complaint, "it was refused and has a ledger"))
        return
    found.misses += sum(entry.type == "clock_missed" for entry in recorded)
    rungs = [entry for entry in recorded if entry.type == "rung_reached" and "passed" not in entry.data]
    found.rungs += len(rungs)
    found.latest_rung = max([found.latest_rung, *(e.recorded_at - e.occurred_at for e in rungs)])
    law = one.story.tale.law
    if problem := step_by_step(recorded, one.start, law, sent):
        found.findings.append(Finding(complaint, problem))
        return
    numbers = {entry.key: entry.seq for entry in recorded if entry.key is not None}
    found.renumbered += sum(numbers.get(one.story.key(index)) != number for index, number in one.answers.items())
    try:
        expected = _expected(one, law, recorded, told, grant)
    except Refused as refused:
        found.findings.append(Finding(complaint, f"without faults it could not have been told this: {refused}"))
        return
    if not (apart := differences(expected, recorded)):
        found.identical += 1
        return
    found.heard_late += 1
    if not one.untold and not crossed(expected, recorded, APART):
        found.findings += [Finding(complaint, f"all was heard in time, and yet: {line}") for line in apart]
    found.findings += [Finding(complaint, line) for line in changed(expected, recorded, one.untold)]


def _expected(
    one: Played, law: InForce, recorded: list[Entry], told: Mapping[str, Command], grant: Grant
) -> list[Entry]:
    """The fault-free ledger of what it was told: with the circulars that came, and without what came too late for what
    it answers. Raises Refused."""
    assert one.story.tale is not None
    alone = one.story.twin is None and not one.story.twin_of
    if alone and (one.untold or any(entry.key in told for entry in recorded)):
        return retold(one.story, law, grant, recorded, told, one.untold)
    return one.story.tale.entries


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
        claims = [_claim(stream.partition("/")[2], Entry.model_validate(body)) for stream, body in claimed]
        recused = [
            Recused(stream.removeprefix(ledger.stream_of("")), person, since)
            for stream, person, since in await connection.execute(text(RECUSED))
        ]
    rows = [NoticeRow(*row[:4], *(at is not None for at in row[4:7])) for row in stored]
    mails = Mails(dict(map(tuple, planned)), rows, claims, received, DOMAIN, recused)
    found.findings += mails.findings()
    found.notices, found.mails, found.copies = len(planned), len(received) - mails.copies, mails.copies
    found.lost, found.doubled = len(mails.lost), len(mails.doubled)
    found.longest_mail = max(
        [timedelta(), *(row.accepted_at - row.planned_at for row in stored if row.accepted_at is not None)]
    )


async def _webhooks(found: Results, engine: AsyncEngine, ledgers: Mapping[str, list[Entry]], left: Left) -> None:
    """Programs, group robots and receivers that leave."""
    async with transaction(engine) as connection:
        there = await subscriptions.read(connection, ledgers)
    hooks = Hooks(ledgers, left.hooks.heard)
    found.findings += hooks.findings()
    found.events, found.events_lost, found.event_copies = len(hooks.events), len(hooks.lost), hooks.copies
    feed = Feed(ledgers, there.positions)
    found.findings += feed.findings()
    due = {contract: feed.of(contract, TO_ACT_ON, quiet=False) for contract in ROBOTS}
    groups = Groups(due, there.contracts, left.hooks.robots.said, written(left.played))
    found.findings += groups.findings()
    found.robot_messages, found.robot_events = groups.messages, sum(map(len, due.values()))
    found.robot_lost, found.robot_copies = len(groups.lost), len(groups.copies)
    leavers = left.hooks.leavers
    farewells = Farewells(feed, leavers.contracts, leavers.asked, there.subscriptions, left.outages)
    found.findings += farewells.findings()
    found.receivers_gone, found.asked_again = farewells.gone, farewells.again


def written(played: Sequence[Played]) -> set[str]:
    """What customers and agents wrote in these stories."""
    stories = [story for one in played for story in (one.story, one.story.twin) if story is not None]
    bodies = [body for story in stories for body in (story.opening, *(step.body for step in story.steps))]
    return {body[name] for body in bodies for name in WRITTEN if name in body}


async def _circulars(
    found: Results,
    engine: AsyncEngine,
    ledgers: Mapping[str, list[Entry]],
    sweeps: Sequence[Sweep],
    sent: Sequence[str],
) -> None:
    async with transaction(engine) as connection:
        recorded = {row[0].removeprefix(ledger.stream_of("")): row[1] for row in await connection.execute(text(OPENED))}
        told = await connection.execute(select(letters.c.circular, letters.c.complaint, letters.c.outcome))
        judge = Letters(
            {complaint: entries for complaint, entries in ledgers.items() if complaint.startswith(f"{SWEPT}/")},
            recorded,
            sent,
            sweeps,
            [Letter(*row) for row in told],
        )
    found.findings += judge.findings()
    found.circulars, found.letters = len(sent), sum(letter.outcome == "taken" for letter in judge.letters)


async def _words(found: Results, engine: AsyncEngine, client: Client, erased: Sequence[str]) -> None:
    async with transaction(engine) as connection:
        left = (await connection.execute(text(LEFT_OF_WORDS), {"erased": list(erased)})).all()
    runs = await asyncio.gather(*(_runs(client, row[0]) for row in left))
    for words in (Words._make((*row, count)) for row, count in zip(left, runs, strict=True)):
        found.findings += words.findings()
        found.erased += 1
        found.erased_in_midst += words.midst


async def _runs(client: Client, complaint: str) -> int:
    """How many histories Temporal holds of an erased complaint, once its lists have caught up."""
    id_ = complaint_id(*complaint.split("/", 1))
    deadline = asyncio.get_running_loop().time() + LISTS_LAG
    while count := len([run async for run in client.list_workflows(f"WorkflowId = '{id_}'")]):
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.5)
    return count


def _claim(message: str, entry: Entry) -> Claim:
    return Claim(message, entry.data["notices"], entry.data["person"], entry.recorded_at)
