"""Erasure: the keys of what a customer said are destroyed; times, clauses and outcomes stay (rule 112, invariant 19).

Destroyed are the key of the complaint's stream and, where its contract lets the customer's words into mails, the keys
of the mails about it. A mail without them holds ids alone and stays as the proof that it was sent (rule 124).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from rules import retention
from rules.law import InForce, law_of
from rules.values import SYSTEM, Actor
from storage import contracts, holds
from storage.content import Vault
from storage.holds import NoComplaintError
from storage.ledger import message_stream, privacy_stream, stream_of
from storage.privacy_record import last, lock, put
from storage.tables import complaints, ledger, links, notices

Why = Literal["request", "retention"]

_OVER = complaints.c.erased_at.is_not(None) & complaints.c.closed_at.is_not(None)


class KeptError(Exception):
    """The content must be kept; the message says why and until when."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure destroyed."""

    complaint: str
    mails: int
    """Mails about it that held the customer's words."""
    new: bool
    """False when it was erased before."""
    open: bool
    """Whether the complaint is open still: it goes on, and keeps no words from now on."""


class Cursor(NamedTuple):
    """How far a sweep has come, in the order of contract and closing."""

    contract: str
    closed_at: datetime
    complaint: str


class Traces(NamedTuple):
    """What Temporal holds of an erased complaint."""

    complaint: str
    carriers: list[str]
    """The complaint, and those out of which it was opened: their histories hold its first words, too."""
    seen: int
    """The last entry about its content when this was asked: a run that begins later is no part of it."""


@dataclass(frozen=True, slots=True)
class Due:
    """A closed complaint whose time has come."""

    complaint: str
    closed_at: datetime
    since: datetime
    """When its content was to be erased."""
    held: str
    """Until when a hold keeps it, in words; empty when none does."""

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.complaint.partition("/")[0], self.closed_at, self.complaint)


async def erase(
    connection: AsyncConnection, vault: Vault, complaint: str, by: Actor, why: Why, now: datetime, reason: str = ""
) -> Erased:
    """Destroy the keys of one complaint and put it on record; done again it destroys what came since.

    Raises NoComplaintError, and KeptError for a hold or what the contract asks to be kept.
    """
    found = select(complaints.c.contract, complaints.c.version, complaints.c.closed_at)
    case = (await connection.execute(found.where(complaints.c.id == complaint))).one_or_none()
    if case is None:
        raise NoComplaintError(complaint)
    mails = await _mails_with_words(connection, complaint, case.version)
    concerned = [complaint, *await _in_them(connection, mails)]
    await lock(connection, concerned)
    await _may_go(connection, concerned, now)
    if why == "request":
        law = (await laws(connection, now)).get(case.contract)
        _not_asked_to_keep(law, complaint, case.closed_at, now)
    destroyed = [
        await vault.destroy(connection, stream, now) for stream in (stream_of(complaint), *map(message_stream, mails))
    ]
    if any(destroyed):
        data = {"why": why, "mails": len(mails), "open": case.closed_at is None}
        await put(connection, vault, complaint, "erased", by, now, data, reason)
    return Erased(complaint, len(mails), any(destroyed), case.closed_at is None)


async def of_complainant(connection: AsyncConnection, complainant: str) -> list[str]:
    """Every complaint of this person, by the id that the backend gave."""
    query = select(complaints.c.id).where(complaints.c.complainant == complainant).order_by(complaints.c.id)
    return list((await connection.scalars(query)).all())


async def done(connection: AsyncConnection) -> list[tuple[str, datetime]]:
    """Every erasure on record: the complaint, and when it was last erased, in that order."""
    at = func.max(ledger.c.recorded_at)
    query = select(ledger.c.stream, at).where(ledger.c.type == "erased").group_by(ledger.c.stream).order_by(at)
    return [(stream.removeprefix(privacy_stream("")), when) for stream, when in await connection.execute(query)]


async def traces(connection: AsyncConnection, complaint: str) -> Traces:
    """Where Temporal holds words of a complaint."""
    out_of = links.c.relation.in_(("follows", "split_from"))
    query = select(links.c.other).where(links.c.complaint == complaint, out_of).order_by(links.c.other)
    others = (await connection.scalars(query)).all()
    return Traces(complaint, [complaint, *dict.fromkeys(others)], await last(connection, complaint))


async def forgotten(connection: AsyncConnection, vault: Vault, gone: Traces, by: Actor, now: datetime) -> bool:
    """Temporal was told to delete these traces, which it does within minutes. False, and nothing on record, when there
    are others by now."""
    await lock(connection, [gone.complaint])
    if await last(connection, gone.complaint, "remembered") > gone.seen:
        return False
    await put(connection, vault, gone.complaint, "forgotten", by, now, {})
    return True


async def remember(connection: AsyncConnection, vault: Vault, complaint: str, now: datetime) -> None:
    """A run has begun under the id of a complaint: if that is erased and closed, Temporal holds words again that were
    sent to it, and holds them though nothing of them comes on record, as of a command that is refused."""
    if await connection.scalar(select(complaints.c.id).where(complaints.c.id == complaint, _OVER)):
        await put(connection, vault, complaint, "remembered", SYSTEM, now, {})


async def remembered(connection: AsyncConnection, behind: str = "", limit: int = 50) -> list[str]:
    """Erased complaints that are closed and whose histories Temporal may hold still."""
    table = complaints
    waits = _OVER & table.c.forgotten_at.is_(None) & (table.c.id > behind)
    query = select(table.c.id).where(waits).order_by(table.c.id).limit(limit)
    return list((await connection.scalars(query)).all())


async def laws(connection: AsyncConnection, now: datetime) -> dict[str, InForce]:
    """Each contract as it is in force now: how long something is kept is asked of today's, not of the pinned one."""
    versions = {v.contract: v for v in await contracts.published(connection) if v.effective_from <= now}
    return {name: law_of(version.body) for name, version in versions.items()}


async def due(
    connection: AsyncConnection, law: Mapping[str, InForce], now: datetime, after: Cursor | None, limit: int
) -> list[Due]:
    """The next complaints whose content is to be erased, in the order of contract and closing."""
    found: list[Due] = []
    for name in sorted(law):
        if law[name].contract.retention.content and (after is None or after.contract <= name):
            behind = after if after and after.contract == name else None
            found += await _due_under(connection, law[name], now, behind, limit - len(found))
        if len(found) >= limit:
            break
    return found


async def _due_under(
    connection: AsyncConnection, law: InForce, now: datetime, after: Cursor | None, limit: int
) -> list[Due]:
    table = complaints
    order = (table.c.closed_at, table.c.id)
    query = (
        select(table.c.id, table.c.closed_at)
        .where(table.c.contract == law.contract.contract, table.c.closed_at <= now, table.c.erased_at.is_(None))
        .order_by(*order)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(*order) > (after.closed_at, after.complaint))
    found = []
    for row in (await connection.execute(query)).all():
        since = retention.erased_from(law, row.closed_at)
        if since is None or since > now:
            break  # whoever closed later is due later
        stands = await holds.standing(connection, [row.id], now)
        found.append(Due(row.id, row.closed_at, since, stands[0].stands if stands else ""))
    return found


async def _mails_with_words(connection: AsyncConnection, complaint: str, version: str) -> list[str]:
    """The messages about a complaint in which its contract let the customer's words stand."""
    if not (await contracts.load(connection, version)).parsed().privacy.content_in_mail:
        return []
    query = select(notices.c.message).where(notices.c.complaint == complaint, notices.c.message.is_not(None))
    return sorted(set((await connection.scalars(query)).all()))


async def _in_them(connection: AsyncConnection, mails: list[str]) -> list[str]:
    """Every complaint that these messages speak of."""
    if not mails:
        return []
    query = select(notices.c.complaint).where(notices.c.message.in_(mails)).distinct()
    return list((await connection.scalars(query)).all())


async def _may_go(connection: AsyncConnection, concerned: list[str], now: datetime) -> None:
    """A hold on a complaint keeps the mails that speak of it, too."""
    standing = await holds.standing(connection, concerned, now)
    if standing:
        hold = standing[0]
        shared = "" if hold.complaint == concerned[0] else f", in a mail about {concerned[0]} as well"
        raise KeptError(f"{hold.complaint} is held {hold.stands}{shared}; see `ombud hold list`.")


def _not_asked_to_keep(law: InForce | None, complaint: str, closed_at: datetime | None, now: datetime) -> None:
    if law is None or (asked := law.contract.retention.at_least) is None:
        return
    if closed_at is None:
        raise KeptError(f"{complaint} is open, and its contract keeps what was said for {asked} after closing.")
    until = retention.kept_until(law, closed_at)
    if until is not None and until > now:
        raise KeptError(f"{complaint} must be kept until {until.isoformat()}: {asked} from closing, says its contract.")
