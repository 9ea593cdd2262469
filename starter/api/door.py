"""The door: proves who asks. What a token may is looked up every second, so that a revoked one is refused by then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import Request

from rules.access import Grant
from starter.api.front import Front
from starter.api.problems import ApiError, slower
from starter.errors import Unreachable
from starter.limits import origin
from starter.refusals import Refusals
from storage import tokens
from storage.access_log import Access
from storage.database import transaction

FRESH_FOR = timedelta(seconds=1)
"""A token that was found good is not looked up again so soon: it would be a third of what an opening costs."""

REMEMBERED_FOR = timedelta(minutes=15)
MOST_REMEMBERED = 10_000


class Door:
    """Lets holders of valid tokens in, and puts everybody else on record."""

    def __init__(self, front: Front, fresh_for: timedelta = FRESH_FOR) -> None:
        self.fresh_for = fresh_for
        self.refusals = Refusals(lambda: transaction(front.engine), front.limits)
        self._front = front
        self._seen: dict[str, tuple[tokens.Stored, datetime]] = {}

    async def enter(self, request: Request, action: str) -> Grant:
        """What the token of a request grants. Raises ApiError 401 and 429, Unreachable."""
        address = origin(request.scope)
        now = datetime.now(UTC)
        try:
            presented = _presented(request)
            grant = tokens.prove(await self._find(presented.id, now), presented, now)
        except tokens.UnprovedError as unproved:
            refused = Access(now, "http", action, False, unproved.token, address=address, reason=str(unproved))
            if wait := await self.refusals.attempt(refused):
                raise ApiError(*slower(wait)) from None
            raise _unproved(unproved) from None
        if wait := await self._front.limits.token(grant.token):
            await self.throttled(wait, action, address, grant.token)
            raise ApiError(*slower(wait))
        return grant

    async def throttled(self, wait: int, action: str, address: str, token: str | None = None) -> None:
        """Put it on record that somebody asked too often."""
        await self.refusals.throttled(wait, Access(datetime.now(UTC), "http", action, False, token, address=address))

    async def _find(self, id_: str, now: datetime) -> tokens.Stored | None:
        """The token as Postgres has it. While Postgres is away, as it was a short while ago: an outage there must not
        keep complaints and acts from Temporal (invariant 15), and nothing can be read then anyway."""
        before, at = self._seen.get(id_, (None, now))
        if before and now - at < self.fresh_for:
            return before
        try:
            async with self._front.transaction() as connection:
                stored = await tokens.find(connection, id_)
        except Unreachable:
            if before and now - at < REMEMBERED_FOR:
                return before
            raise
        if stored is None:
            self._seen.pop(id_, None)
            return None
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
        self._seen[id_] = (stored, now)
        return stored


def _presented(request: Request) -> tokens.Presented:
    sent = request.headers.getlist("authorization")
    if not sent:
        raise tokens.UnprovedError("no token")
    if len(sent) > 1:
        raise tokens.UnprovedError("several tokens")
    scheme, _, text = sent[0].partition(" ")
    if scheme.lower() != "bearer":
        raise tokens.UnprovedError("not a bearer token")
    return tokens.parse(text.strip())


def _unproved(unproved: tokens.UnprovedError) -> ApiError:
    detail = unproved.told or "Send a valid token as `Authorization: Bearer ombud_…`; `ombud token create` makes one."
    return ApiError(401, "unauthenticated", detail, {"WWW-Authenticate": 'Bearer realm="ombud"'})
