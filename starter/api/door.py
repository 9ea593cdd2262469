"""The door: proves who asks. What a token may is looked up every second, so that a revoked one is refused by then."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from fastapi import Request

from rules.access import Grant
from starter.api.front import Front
from starter.api.guard import origin
from starter.api.problems import ApiError, slower
from starter.errors import OmbudError, Unreachable
from storage import access_log, tokens
from storage.access_log import Access

LOGGER = logging.getLogger("ombud.api")

FRESH_FOR = timedelta(seconds=1)
"""A token that was found good is not looked up again so soon: it would be a third of what an opening costs."""

REMEMBERED_FOR = timedelta(minutes=15)
MOST_REMEMBERED = 10_000


class Door:
    """Lets holders of valid tokens in, and puts everybody else on record."""

    def __init__(self, front: Front, fresh_for: timedelta = FRESH_FOR) -> None:
        self.fresh_for = fresh_for
        self._front = front
        self._seen: dict[str, tuple[tokens.Stored, datetime]] = {}
        self._throttled: dict[str, datetime] = {}

    async def enter(self, request: Request, action: str) -> Grant:
        """What the token of a request grants. Raises ApiError 401 and 429, Unreachable."""
        address = origin(request.scope)
        now = datetime.now(UTC)
        try:
            presented = _presented(request)
            grant = tokens.prove(await self._find(presented.id, now), presented, now)
        except tokens.UnprovedError as unproved:
            # Counted after the proof: whoever shares an address with a guesser, behind a proxy say, is not shut out.
            if wait := await self._front.limits.failed(address):
                await self.throttled(wait, action, address)
                raise ApiError(*slower(wait)) from None
            refused = Access(now, "http", action, False, unproved.token, address=address, reason=str(unproved))
            await self.record(refused)
            raise _unproved(unproved) from None
        if wait := await self._front.limits.token(grant.token):
            await self.throttled(wait, action, address, grant.token)
            raise ApiError(*slower(wait))
        return grant

    async def throttled(self, wait: int, action: str, address: str, token: str | None = None) -> None:
        """Put it on record that somebody asked too often: once until they may go on, for the record is no target."""
        now = datetime.now(UTC)
        if self._throttled.get(token or address, now) > now:
            return
        if len(self._throttled) >= MOST_REMEMBERED:
            self._throttled.clear()
        self._throttled[token or address] = now + timedelta(seconds=wait)
        await self.record(Access(now, "http", action, False, token, address=address, reason="too many requests"))

    async def record(self, refused: Access) -> None:
        """Put a refusal on record; where Postgres is away, in the log, so that none goes unseen."""
        try:
            async with self._front.transaction() as connection:
                await access_log.record(connection, refused)
        except OmbudError:
            LOGGER.warning("refused, and Postgres is away: %s", refused)

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
