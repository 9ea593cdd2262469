"""Who is a complaint and who is not: starting twice starts once, for ever (invariant 17)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import ARRAY, DateTime, Select, Text, and_, bindparam, column, delete, func, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.dml import ReturningInsert

from rules.law import InForce
from storage import contracts
from storage.database import ask
from storage.ledger import stream_of
from storage.tables import complaints, contract_versions, ledger, registry, rejects


@dataclass(frozen=True, slots=True)
class Claim:
    """A start that wants to be the complaint of this contract and reference."""

    contract: str
    reference: str
    digest: str
    """SHA-256 of the start."""
    first_run: str
    """Who asks; whoever asks again under the same name is not its own duplicate."""
    received_at: datetime
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of a claim. Only a new complaint has a version and the contract it is pinned to."""

    standing: Literal["new", "duplicate", "conflict", "unknown contract"]
    message: str = ""
    version: str = ""
    law: InForce | None = None
    before: bool = False
    """The same run has registered it before, so that its ledger may have begun."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A start that cannot become a complaint, with what it said of itself, and why."""

    workflow_id: str
    first_run: str
    reason: str
    recorded_at: datetime
    contract: str
    reference: str


class Sought(NamedTuple):
    """A start that is about to happen."""

    contract: str
    reference: str
    received_at: datetime


class Foreseen(NamedTuple):
    """What is known of a start before it happens."""

    registered: tuple[str, str] | None
    """The digest and the first run of whoever holds its reference."""
    version: str | None
    """Of the contract in force at its receipt."""


def _foresee() -> Select[Any]:
    """Made once: to make such a query costs more than to ask it."""
    moment = DateTime(timezone=True)
    given = (
        bindparam("contracts", type_=ARRAY(Text)),
        bindparam("references", type_=ARRAY(Text)),
        bindparam("moments", type_=ARRAY(moment)),
    )
    shape = (column("contract", Text), column("reference", Text), column("received_at", moment))
    sought = func.unnest(*given).table_valued(*shape, with_ordinality="place", name="sought").render_derived()
    version = contracts.version_in_force(sought.c.contract, sought.c.received_at).scalar_subquery()
    held = and_(registry.c.contract == sought.c.contract, registry.c.reference == sought.c.reference)
    return (
        select(registry.c.digest, registry.c.first_run, version.label("version"))
        .select_from(sought.outerjoin(registry, held))
        .order_by(sought.c.place)
    )


_FORESEE = _foresee()


async def foresee(database: AsyncEngine, sought: Sequence[Sought]) -> list[Foreseen]:
    """All of it in one question, since every opening waits for the answer; in the order of what is sought."""
    names, references, moments = zip(*sought, strict=True)
    values = {"contracts": list(names), "references": list(references), "moments": list(moments)}
    rows = await ask(database, _FORESEE, values)
    return [Foreseen(None if row.digest is None else (row.digest, row.first_run), row.version) for row in rows]


async def register(connection: AsyncConnection, claims: Sequence[Claim]) -> list[Standing]:
    """Register complaints, each under the contract version in force at its receipt (invariant 8); in the order of the
    claims, of which no two may be for one reference.

    Of two at once one waits for the other's commit, so exactly one is new.
    """
    # In one order everywhere, so that no two wait for each other.
    given = sorted(claims, key=lambda claim: (claim.contract, claim.reference))
    made = await connection.execute(_REGISTER, {name: [getattr(one, name) for one in given] for name in _CLAIMED})
    versions = {(row.contract, row.reference): row.version for row in made}
    return [await _standing(connection, claim, versions.get((claim.contract, claim.reference))) for claim in claims]


async def _standing(connection: AsyncConnection, claim: Claim, made: str | None) -> Standing:
    if made is not None:
        version = await contracts.load(connection, made)
        return Standing("new", version=made, law=version.pinned(claim.received_at))
    if (known := await _known(connection, claim)) is not None:
        return known
    if await contracts.in_force(connection, claim.contract, claim.received_at) is None:
        return Standing("unknown contract", await _published(connection, claim.contract))
    # Whoever held the reference has just given it back.
    return (await register(connection, [claim]))[0]


def _register() -> ReturningInsert[tuple[str, str, str]]:
    """Finds the versions and registers at once, since every opening waits for it; no row for an unknown contract."""
    types = {name: DateTime(timezone=True) if name.endswith("_at") else Text() for name in _CLAIMED}
    given = (bindparam(name, type_=ARRAY(type_)) for name, type_ in types.items())
    shape = (column(name, type_) for name, type_ in types.items())
    claimed = func.unnest(*given).table_valued(*shape, name="claimed").render_derived()
    version = contracts.version_in_force(claimed.c.contract, claimed.c.received_at).lateral()
    kept = [name for name in _CLAIMED if name in registry.c]
    return (
        insert(registry)
        .from_select(
            [*kept, "version"],
            select(*(claimed.c[name] for name in kept), version.c.version).select_from(claimed.join(version, true())),
        )
        .on_conflict_do_nothing()
        .returning(registry.c.contract, registry.c.reference, registry.c.version)
    )


_CLAIMED = tuple(field.name for field in fields(Claim))
_REGISTER = _register()


async def pinned(connection: AsyncConnection, complaint: str) -> Standing:
    """What a registered complaint (`contract/reference`) is pinned to, for a run that goes on from its ledger."""
    contract, _, reference = complaint.partition("/")
    query = (
        select(registry.c.version, complaints.c.received_at)
        .join(complaints, complaints.c.id == complaint)
        .where(registry.c.contract == contract, registry.c.reference == reference)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return Standing("unknown contract", f"No complaint {complaint} was ever recorded here; nothing can be revived.")
    version = await contracts.load(connection, row.version)
    return Standing("new", version=version.version, law=version.pinned(row.received_at))


async def versions(connection: AsyncConnection, of: Iterable[str]) -> dict[str, str]:
    """The contract version that each of these complaints (`contract/reference`) is pinned to."""
    name = registry.c.contract.concat("/").concat(registry.c.reference)
    names = [tuple(complaint.split("/", 1)) for complaint in of]
    query = select(name, registry.c.version).where(tuple_(registry.c.contract, registry.c.reference).in_(names))
    return {row[0]: row.version for row in await connection.execute(query)}


async def reject(connection: AsyncConnection, start: Reject) -> None:
    """Put a start among the rejects. A registration by the same run is taken back unless its ledger has begun, so that
    a corrected start can have the reference.
    """
    row = {
        name: getattr(start, name).replace("\x00", "\ufffd")
        for name in ("workflow_id", "contract", "reference", "reason")
    }
    await connection.execute(insert(rejects).values(**row, recorded_at=start.recorded_at).on_conflict_do_nothing())
    began = select(ledger.c.seq).where(ledger.c.stream == stream_of(f"{row['contract']}/{row['reference']}"))
    await connection.execute(
        delete(registry).where(
            registry.c.contract == row["contract"],
            registry.c.reference == row["reference"],
            registry.c.first_run == start.first_run,
            ~began.exists(),
        )
    )


async def _known(connection: AsyncConnection, claim: Claim) -> Standing | None:
    """What a claim amounts to whose reference is taken; nothing for one that is free."""
    query = select(registry).where(registry.c.contract == claim.contract, registry.c.reference == claim.reference)
    first = (await connection.execute(query)).one_or_none()
    if first is None:
        return None
    name = f"{claim.contract}/{claim.reference}"
    if first.first_run == claim.first_run:
        version = await contracts.load(connection, first.version)
        return Standing("new", version=version.version, law=version.pinned(claim.received_at), before=True)
    since = f"{first.registered_at:%Y-%m-%d %H:%M} UTC"
    if first.digest == claim.digest:
        return Standing("duplicate", f"Complaint {name} was opened on {since} with the same content; it stands.")
    return Standing(
        "conflict",
        f"Complaint {name} was opened on {since} with other content. Give a new complaint a reference of its own; "
        "what is new about the old one is reported by commands.",
    )


async def _published(connection: AsyncConnection, asked: str) -> str:
    names = (await connection.scalars(select(contract_versions.c.contract).distinct())).all()
    there = f"published are {', '.join(sorted(names))}" if names else "none is published yet"
    return f"Unknown contract {asked!r}; {there}. Publish it with `ombud contract publish`."
