"""Who asks, about which complaint, and whether they may; whoever may not is on record (rule 111)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.access import Grant, Scope
from rules.values import Name, Reference
from starter.api.door import Door
from starter.api.front import Front
from starter.api.problems import ApiError, respond
from starter.errors import NotFound
from starter.limits import origin
from storage import access_log
from storage.access_log import Access
from storage.records import Sight, seen_by
from storage.tables import complaints


class About(NamedTuple):
    """What a request is about."""

    contract: str | None = None
    reference: str | None = None

    @property
    def complaint(self) -> str | None:
        return f"{self.contract}/{self.reference}" if self.reference else None


@dataclass
class Caller:
    """Whoever holds the token of this request."""

    grant: Grant
    front: Front
    request: Request
    about: About = field(default_factory=About)

    @property
    def action(self) -> str:
        """The name of the route, as the record has it."""
        return str(self.request.scope["route"].name)

    def sight(self) -> Sight:
        """Which complaints this caller can see at all."""
        own = self.grant.person if self.grant.party == "complainant" else None
        return Sight(self.grant.contracts, self.grant.complaints, self.grant.person, own)

    async def note(self, connection: AsyncConnection, reason: str | None = None) -> None:
        """Put an access to content on record, in the transaction that reads it."""
        await access_log.record(connection, self.access(allowed=True, reason=reason))

    def access(self, *, allowed: bool, reason: str | None) -> Access:
        return Access(
            at=datetime.now(UTC),
            via="http",
            action=self.action,
            allowed=allowed,
            token=self.grant.token,
            person=self.grant.person,
            address=origin(self.request.scope),
            contract=self.about.contract,
            complaint=self.about.complaint,
            reason=reason,
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction in which the complaint may be read, which is on record then. Raises Denied, NotFound."""
        async with self.front.transaction() as connection:
            await self.meet(connection)
            await self.note(connection)
            yield connection

    async def meet(self, connection: AsyncConnection) -> None:
        """Judge by the complaint itself: who complains, and about whom. Raises Denied, NotFound."""
        columns = select(complaints.c.against, complaints.c.complainant)
        row = (await connection.execute(columns.where(complaints.c.id == self.about.complaint))).one_or_none()
        if row is None:
            raise NotFound(f"There is no complaint {self.about.complaint}; check the contract and the reference.")
        self.grant.meet(row.against, row.complainant)

    async def visible(self, connection: AsyncConnection, of: Collection[str]) -> set[str]:
        """Those of these complaints that this caller can see at all."""
        rows = await connection.scalars(select(complaints.c.id).where(complaints.c.id.in_(of), *seen_by(self.sight())))
        return set(rows)


def asks(scope: Scope | None = None) -> Callable[..., Any]:
    """The dependency of a route: its caller, who has the scope, and whose contract and complaint the path names."""

    async def caller(request: Request) -> Caller:
        door: Door = request.app.state.door
        front: Front = request.app.state.front
        action = str(request.scope["route"].name)
        made = Caller(await door.enter(request, action), front, request)
        request.state.caller = made
        made.about = _about(request)
        if scope is not None:
            made.grant.require(scope)
        if made.about.contract is not None:
            made.grant.reach(made.about.contract, made.about.reference)
        return made

    return caller


def _about(request: Request) -> About:
    """What the path names. Raises ApiError where nothing can have such a name."""
    path = request.path_params
    try:
        contract = _NAME.validate_python(path["contract"]) if "contract" in path else None
        reference = _REFERENCE.validate_python(path["reference"]) if "reference" in path else None
    except ValidationError:
        raise ApiError(404, "not-found", "Nothing has such a name; write /complaints/CONTRACT/REFERENCE.") from None
    return About(contract, reference)


_NAME: TypeAdapter[str] = TypeAdapter(Name)
_REFERENCE: TypeAdapter[str] = TypeAdapter(Reference)


async def denied(request: Request, error: Exception) -> Response:
    """The handler of Denied: on record, then 403."""
    caller: Caller = request.state.caller
    door: Door = request.app.state.door
    await door.refusals.record(caller.access(allowed=False, reason=str(error)))
    return respond(403, "forbidden", str(error))
