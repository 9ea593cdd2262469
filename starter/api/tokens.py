"""Tokens over HTTP, for whoever has the scope admin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError

from rules.access import Denied, Grant
from rules.ledger import explain_invalid
from rules.values import Value
from starter import granting
from starter.api.access import Caller, asks
from starter.api.body import read_object
from starter.api.problems import ApiError
from starter.api.query import Nothing, query
from starter.api.writing import body
from starter.granting import By, TokenWanted
from storage import tokens

Admin = Annotated[Caller, Depends(asks("admin"))]
NoQuery = Annotated[Nothing, Depends(query(Nothing))]


class Grace(Value):
    grace_hours: granting.Hours = 24
    """How long the old secret stays good."""


class NewToken(Value):
    """Its secret is shown this once."""

    id: str
    token: str
    expires_at: datetime


class Listed(Value):
    """A token without its secret."""

    id: str
    name: str
    standing: str
    """good, expired or revoked."""
    grant: Grant
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    previous_until: datetime | None
    seen_at: datetime | None
    """When it last read something or was refused; openings and acts are in the ledger."""


class Tokens(Value):
    tokens: tuple[Listed, ...]


class Revoked(Value):
    id: str
    revoked: bool
    """False when it had been revoked before."""


def routes() -> APIRouter:
    """Making, listing, renewing and ending."""
    router = APIRouter(prefix="/tokens", tags=["tokens"])
    router.add_api_route(
        "",
        create,
        methods=["POST"],
        name="token:create",
        operation_id="create_token",
        summary="Make a token",
        status_code=201,
        response_model=NewToken,
        openapi_extra={"requestBody": body(TokenWanted)},
    )
    router.add_api_route(
        "",
        every,
        methods=["GET"],
        name="token:list",
        operation_id="list_tokens",
        summary="Every token, without secrets",
        response_model=Tokens,
    )
    router.add_api_route(
        "/{id}/rotate",
        rotate,
        methods=["POST"],
        name="token:rotate",
        operation_id="rotate_token",
        summary="A new secret; the old one stays good for a while",
        response_model=NewToken,
        openapi_extra={"requestBody": body(Grace)},
    )
    router.add_api_route(
        "/{id}/revoke",
        revoke,
        methods=["POST"],
        name="token:revoke",
        operation_id="revoke_token",
        summary="End a token at once",
        response_model=Revoked,
    )
    return router


async def create(request: Request, caller: Admin, _: NoQuery) -> Any:
    given = await read_object(request)
    try:
        wanted = TokenWanted.model_validate(given)
    except ValidationError as error:
        raise ApiError(422, "invalid", explain_invalid("The token", error)) from None
    async with caller.front.transaction() as connection:
        made = await granting.create(connection, wanted, _by(caller))
    return NewToken(id=made.id, token=made.token, expires_at=made.expires_at)


async def every(caller: Admin, _: NoQuery) -> Any:
    async with caller.front.transaction() as connection:
        found = await tokens.every(connection)
    now = datetime.now(UTC)
    return Tokens(
        tokens=tuple(
            Listed(
                id=stored.grant.token,
                standing=stored.standing(now),
                seen_at=seen,
                **{name: getattr(stored, name) for name in _SAME},
            )
            for stored, seen in found
            if _manages(caller, stored.grant)
        )
    )


_SAME = ("name", "grant", "created_at", "created_by", "expires_at", "revoked_at", "previous_until")


async def rotate(request: Request, id: str, caller: Admin, _: NoQuery) -> Any:  # noqa: A002  the name in the address
    given = await read_object(request)
    try:
        grace = Grace.model_validate(given)
    except ValidationError as error:
        raise ApiError(422, "invalid", explain_invalid("The rotation", error)) from None
    async with caller.front.transaction() as connection:
        made = await granting.rotate(connection, id, grace.grace_hours, _by(caller))
    return NewToken(id=made.id, token=made.token, expires_at=made.expires_at)


async def revoke(id: str, caller: Admin, _: NoQuery) -> Any:  # noqa: A002  the name in the address
    async with caller.front.transaction() as connection:
        return Revoked(id=id, revoked=await granting.revoke(connection, id, _by(caller)))


def _manages(caller: Caller, other: Grant) -> bool:
    try:
        caller.grant.bestow(other)
    except Denied:
        return False
    return True


def _by(caller: Caller) -> By:
    def access(_: str, said: str) -> Any:
        return caller.access(allowed=True, reason=said)

    return By(caller.grant.authenticated_as, access, caller.grant.bestow)
