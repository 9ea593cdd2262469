"""What Postgres knows of a start before it happens."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.together import Together
from rules.commands import OpenComplaint
from rules.law import InForce, law_of
from storage import contracts, registry
from storage.database import PostgresUnreachableError, SchemaMissingError, questions

MOST_LAWS = 100
"""Versions of contracts kept at hand."""

MOST_AT_ONCE = 100
"""Starts that share one question."""

Registered = tuple[str, str]
"""The digest and the first run of whoever holds a reference."""


class Foresight:
    """Asks for all starts that come at the same time together: each would cost a round trip of its own."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database
        self._laws: dict[str, InForce] = {}
        self._together: Together[registry.Sought, registry.Foreseen] = Together(
            self._ask,
            key=lambda sought: sought,
            most=MOST_AT_ONCE,
            everybody=(PostgresUnreachableError, SchemaMissingError),
        )

    async def of(self, start: OpenComplaint) -> tuple[Registered | None, InForce | None]:
        """Who holds the reference, and what a complaint received then is judged by; no law for an unknown contract.

        Raises PostgresUnreachableError, SchemaMissingError.
        """
        known, version = await self._together.add(registry.Sought(start.contract, start.reference, start.received_at))
        return known, await self._law(version) if version and not known else None

    async def _ask(self, sought: Sequence[registry.Sought]) -> list[registry.Foreseen]:
        return await registry.foresee(self._database, sought)

    async def _law(self, version: str) -> InForce:
        """What a version of a contract judges by; it never changes, so it is read once."""
        if version not in self._laws:
            async with questions(self._database) as connection:
                law = law_of((await contracts.load(connection, version)).body)
            if len(self._laws) >= MOST_LAWS:
                self._laws.clear()
            self._laws[version] = law
        return self._laws[version]
