"""Records what a complaint or a message decided: ledger, texts and projections, in the caller's one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ARRAY, Select, Text, any_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.duty import Nobody
from rules.ledger import Entry
from storage import ledger
from storage.changes import Changes
from storage.content import Texts, Vault
from storage.directory import resolver
from storage.impartiality import AGAINST
from storage.projector import project_complaint, project_message
from storage.tables import clocks, complaints, messages, notices
from storage.tables import ledger as entries


class Batch(Protocol):
    """Entries of one complaint, in order, as `activities.interface.Batch` carries them."""

    @property
    def complaint(self) -> str:
        """`contract/reference`."""

    @property
    def version(self) -> str:
        """Of the contract it is pinned to."""

    @property
    def stage(self) -> str:
        """Where it stands after these entries."""

    @property
    def entries(self) -> tuple[Entry, ...]: ...

    @property
    def texts(self) -> dict[int, dict[str, str]]: ...


class Lateness(NamedTuple):
    """How long after its due time a miss came on record."""

    contract: str
    obligation: str
    by: timedelta


async def record(connection: AsyncConnection, vault: Vault, batches: Sequence[Batch]) -> dict[str, list[Entry]]:
    """Record a batch each of several complaints. What is recorded already is left as it is; returns, by complaint, what
    was not.

    Raises ledger.DivergedError, and nothing is recorded then; MasterKeyError.
    """
    streams = {ledger.stream_of(b.complaint): [ledger.storable(e) for e in b.entries] for b in batches}
    new = await ledger.append(connection, streams)
    changes = Changes()
    texts: dict[str, Texts] = {}
    recorded: dict[str, list[Entry]] = {}
    for batch in batches:
        stream = ledger.stream_of(batch.complaint)
        added = recorded[batch.complaint] = new.get(stream, [])
        texts[stream] = {entry.seq: batch.texts[entry.seq] for entry in added if entry.seq in batch.texts}
        project_complaint(changes, batch.complaint, batch.version, batch.stage, added)
    await vault.seal(connection, texts)
    await changes.apply(connection)
    return recorded


async def lateness(connection: AsyncConnection, recorded: Mapping[str, Sequence[Entry]]) -> dict[str, list[Lateness]]:
    """By complaint, of the misses among these entries how late each was found: behind its due time or, where Ombud
    learned of the clock only after that, behind when it learned. What a correction brought to light was not late.
    """
    ids = [
        (complaint, e.data["clock"])
        for complaint, entries in recorded.items()
        for e in entries
        if e.type == "clock_missed" and not e.data.get("found_by")
    ]
    late: dict[str, list[Lateness]] = {complaint: [] for complaint in recorded}
    if not ids:
        return late
    missed = {"cases": sorted({case for case, _ in ids}), "ids": [f"{case} {clock}" for case, clock in ids]}
    for complaint, *found in await connection.execute(_BEHIND, missed):
        late[complaint].append(Lateness(*found))
    return late


async def record_message(
    connection: AsyncConnection,
    vault: Vault,
    message: str,
    entries: Sequence[Entry],
    mail: Mapping[int, str] | None = None,
) -> None:
    """Record entries of one message, and the mail as it was sent, under the sequence of the entry that sent it.

    The entry types are those of `storage.projector.project_message`. Raises as `record` does.
    """
    stream = ledger.message_stream(message)
    new = (await ledger.append(connection, {stream: [ledger.storable(e) for e in entries]}))[stream]
    kept = {entry.seq: {"mail": mail[entry.seq]} for entry in new if mail and entry.seq in mail}
    await vault.seal(connection, {stream: kept})
    changes = Changes()
    project_message(changes, message, new)
    await changes.apply(connection)


async def record_next(
    connection: AsyncConnection, vault: Vault, message: str, entry: Callable[[int], Entry], *, unsettled: bool = False
) -> bool:
    """Record one more entry of a message, made for the number it gets; others wait meanwhile.

    With `unsettled` only while nobody knows yet what became of the message; returns whether it was recorded.
    """
    stream = ledger.message_stream(message)
    found = await connection.execute(_HELD, {"message": message})
    accepted_at, undeliverable_at = found.one()
    if unsettled and (accepted_at or undeliverable_at):
        return False
    last = await connection.scalar(_LAST, {"stream": stream})
    await record_message(connection, vault, message, [entry((last or 0) + 1)])
    return True


async def addressees(connection: AsyncConnection, keys: Sequence[str], at: datetime) -> dict[str, str | Nobody]:
    """Of these notices those that still wait, each with the person who is told at this instant, or why nobody is."""
    if not keys:
        return {}
    found = await connection.execute(_PLANNED, {"keys": list(keys)})
    resolve = await resolver(connection, at)
    return {row.key: resolve(row.contract, row.role, row.against) for row in found}


async def readdressed(connection: AsyncConnection, batches: Sequence[Batch]) -> dict[str, list[str]]:
    """By complaint the notices that wait, where these entries change whom it is against (rule 37): who is told of them
    now may be somebody who does not know that they wait.
    """
    changed = [batch.complaint for batch in batches if any(map(_readdresses, batch.entries))]
    waiting: dict[str, list[str]] = {complaint: [] for complaint in changed}
    if changed:
        of_them = notices.c.complaint.in_(changed), notices.c.state == "planned"
        for complaint, key in await connection.execute(select(notices.c.complaint, notices.c.key).where(*of_them)):
            waiting[complaint].append(key)
    return waiting


def _readdresses(entry: Entry) -> bool:
    return entry.type == "recused" or (entry.type == "correction_approved" and entry.data.get("act") == "recuse")


_PLANNED = (
    select(notices.c.key, notices.c.contract, notices.c.role, AGAINST)
    .join(complaints, complaints.c.id == notices.c.complaint)
    .where(notices.c.key == any_(bindparam("keys", type_=ARRAY(Text))), notices.c.state == "planned")
)

_HELD = (
    select(messages.c.accepted_at, messages.c.undeliverable_at)
    .where(messages.c.id == bindparam("message"))
    .with_for_update()
)
_LAST = select(func.max(entries.c.seq)).where(entries.c.stream == bindparam("stream"))


def _behind() -> Select[Any]:
    c, texts = clocks.c, ARRAY(Text)
    named = func.concat(c.complaint, " ", c.obligation, "#", c.n) == any_(bindparam("ids", type_=texts))
    return (
        select(c.complaint, complaints.c.contract, c.obligation, c.detected_at - func.greatest(c.missed_at, c.known_at))
        .join(complaints, complaints.c.id == c.complaint)
        # By complaint first, which the primary key finds.
        .where(c.complaint == any_(bindparam("cases", type_=texts)), named, c.detected_at.is_not(None))
    )


_BEHIND = _behind()
