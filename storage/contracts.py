"""Contracts as published: immutable versions, each in force from a moment on (rule 126)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.contract import Contract
from rules.law import InForce, law_of
from storage.tables import contract_versions

MOST_LOADED = 100
"""Versions kept at hand."""


class AlreadyInForceError(Exception):
    """Another version of the contract takes force at the same moment; publish this one for a later one."""


@dataclass(frozen=True, slots=True)
class Version:
    """A contract as published. `body` is the JSON of `rules.contract.Contract`, with every default filled in."""

    version: str
    contract: str
    effective_from: datetime
    body: dict[str, Any]
    published_at: datetime
    published_by: str

    def parsed(self) -> Contract:
        return Contract.model_validate(self.body)

    def pinned(self, received_at: datetime) -> InForce:
        """What a complaint received then is judged by: the contract, with the calendar's years from receipt on."""
        calendar = self.body["calendar"]
        year = received_at.astimezone(ZoneInfo(calendar["zone"])).year
        if (known := _pinned.get((self.version, year))) is not None:
            return known
        years = {name: days for name, days in calendar.get("published", {}).items() if int(name) >= year}
        law = law_of(self.body | {"calendar": calendar | {"published": years}})
        if len(_pinned) >= MOST_LOADED:
            _pinned.clear()
        _pinned[self.version, year] = law
        return law


async def publish(
    connection: AsyncConnection, contract: Contract, effective_from: datetime, published_by: str, published_at: datetime
) -> Version:
    """Publish a contract; complaints received from `effective_from` on are pinned to it.

    Publishing the same for the same moment again returns the version that is there. Raises AlreadyInForceError when
    something else was published for that moment: a version never changes.
    """
    body = contract.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    canonical = json.dumps(
        [contract.contract, effective_from.astimezone(UTC).isoformat(), body],
        sort_keys=True, ensure_ascii=False, separators=(",", ":"),
    )  # fmt: skip
    made = Version(
        version=hashlib.sha256(canonical.encode()).hexdigest(),
        contract=contract.contract,
        effective_from=effective_from,
        body=body,
        published_at=published_at,
        published_by=published_by,
    )
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(contract.contract, 0))))
    there = await in_force(connection, contract.contract, effective_from)
    if there is None or there.effective_from != effective_from:
        await connection.execute(insert(contract_versions), {n: getattr(made, n) for n in Version.__slots__})
        return made
    if there.version == made.version:
        return there
    raise AlreadyInForceError(
        f"Version {there.version[:12]} of {contract.contract} takes force at {effective_from.isoformat()} already, and "
        "a version never changes. Publish this one with a later --effective."
    )


async def in_force(connection: AsyncConnection, contract: str, at: datetime) -> Version | None:
    """The version in force at a moment; before the first one took force, the first. None for an unknown contract."""
    query = select(contract_versions).where(
        contract_versions.c.version == version_in_force(contract, at).scalar_subquery()
    )
    row = (await connection.execute(query)).one_or_none()
    return _version(row) if row else None


def version_in_force(contract: Any, at: Any) -> Select[tuple[str]]:
    """The query for the hash of that version; both may be values, or parameters of a query made once."""
    begun = contract_versions.c.effective_from <= at
    return (
        select(contract_versions.c.version)
        .where(contract_versions.c.contract == contract)
        .order_by(begun.desc(), func.abs(func.extract("epoch", contract_versions.c.effective_from - at)))
        .limit(1)
    )


async def load(connection: AsyncConnection, version: str) -> Version:
    """A version by its hash, which says all of it: read once a process. Raises LookupError for one never published."""
    if version not in _loaded:
        query = select(contract_versions).where(contract_versions.c.version == version)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise LookupError(f"No contract version {version} was ever published here.")
        if len(_loaded) >= MOST_LOADED:
            _loaded.clear()
        _loaded[version] = _version(row)
    return _loaded[version]


_loaded: dict[str, Version] = {}
_pinned: dict[tuple[str, int], InForce] = {}
"""By version and year of receipt."""


async def published(connection: AsyncConnection) -> list[Version]:
    """Every version, by contract and moment."""
    query = select(contract_versions).order_by(contract_versions.c.contract, contract_versions.c.effective_from)
    return [_version(row) for row in await connection.execute(query)]


async def latest(connection: AsyncConnection, at: datetime) -> dict[str, Contract]:
    """Each contract as its version in force at a moment says."""
    versions = {v.contract: v for v in await published(connection) if v.effective_from <= at}
    return {name: version.parsed() for name, version in versions.items()}


def _version(row: Row[Any]) -> Version:
    return Version(**row._asdict())
