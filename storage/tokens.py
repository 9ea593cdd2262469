"""Tokens in Postgres: who may come in. A secret is never stored, only its SHA-256; 256 random bits need no more."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.access import Grant
from storage.tables import access_log, tokens

PREFIX = "ombud"
"""Every token begins with it, so that a leaked one is recognised wherever it turns up."""

_FORM = re.compile(r"ombud_([a-z0-9]{12})_([0-9a-f]{64})")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_NOBODYS = hashlib.sha256(b"").hexdigest()


class UnprovedError(Exception):
    """This is no valid token. `token` is its id where a token has it; the message is for the record of refusals."""

    def __init__(self, why: str, token: str | None = None, *, told: str = "") -> None:
        super().__init__(why)
        self.token = token
        self.told = told
        """What its holder may know, once the secret was right."""


class Presented(NamedTuple):
    """A token as somebody sent it."""

    id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A token as it stands: everything but its secret. Times are in UTC."""

    grant: Grant
    name: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    sha256: str
    previous_sha256: str | None
    """Of the secret before the last rotation."""
    previous_until: datetime | None
    """Until when that one is still good."""

    def standing(self, now: datetime) -> str:
        """In one word: good, expired or revoked."""
        return "revoked" if self.revoked_at else "expired" if self.expires_at <= now else "good"


def new_id() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(12))


def new_secret() -> str:
    return secrets.token_hex(32)


def written(id_: str, secret: str) -> str:
    """The token as its holder keeps it."""
    return f"{PREFIX}_{id_}_{secret}"


def parse(text: str) -> Presented:
    """Raises UnprovedError for what cannot be a token."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UnprovedError("no token of ours by its form")
    return Presented(found[1], found[2])


def prove(stored: Stored | None, presented: Presented, now: datetime) -> Grant:
    """What a token grants, if its secret is right and it is still good. Raises UnprovedError.

    Every comparison takes the same time, whatever differs, and one is made for an unknown id too.
    """
    sent = _digest(presented.secret)
    current = hmac.compare_digest(sent, stored.sha256 if stored else _NOBODYS)
    before = hmac.compare_digest(sent, (stored.previous_sha256 if stored else None) or _NOBODYS)
    if stored is None:
        raise UnprovedError("unknown token")
    id_ = stored.grant.token
    if not current and not before:
        raise UnprovedError("wrong secret", id_)
    if stored.revoked_at is not None:
        raise UnprovedError("revoked", id_, told=f"This token was revoked at {_utc(stored.revoked_at)}.")
    if stored.expires_at <= now:
        raise UnprovedError("expired", id_, told=f"This token expired at {_utc(stored.expires_at)}.")
    if not current and (stored.previous_until is None or stored.previous_until <= now):
        raise UnprovedError("replaced", id_, told="This token was replaced by a rotation; use the new one.")
    return stored.grant


async def create(
    connection: AsyncConnection, grant: Grant, *, name: str, expires_at: datetime, by: str, now: datetime
) -> str:
    """Store a new token under the grant's id; returns the secret, which nobody can read again."""
    secret = new_secret()
    fields = grant.model_dump(mode="json", exclude={"token"})
    await connection.execute(
        insert(tokens).values(
            id=grant.token,
            name=name,
            **fields,
            sha256=_digest(secret),
            created_at=now,
            created_by=by,
            expires_at=expires_at,
        )
    )
    return secret


async def find(connection: AsyncConnection, id_: str) -> Stored | None:
    """A token by its id."""
    row = (await connection.execute(select(*_COLUMNS).where(tokens.c.id == id_))).one_or_none()
    return _stored(row._asdict()) if row else None


async def every(connection: AsyncConnection) -> list[tuple[Stored, datetime | None]]:
    """Every token, the newest first, with when it was last seen reading or refused; openings and acts are in the
    ledger."""
    seen = select(access_log.c.token, func.max(access_log.c.at).label("seen")).group_by(access_log.c.token).subquery()
    query = (
        select(*_COLUMNS, seen.c.seen)
        .outerjoin(seen, seen.c.token == tokens.c.id)
        .order_by(tokens.c.created_at.desc(), tokens.c.id)
    )
    rows = [row._asdict() for row in await connection.execute(query)]
    return [(_stored(row), row["seen"]) for row in rows]


async def rotate(connection: AsyncConnection, id_: str, *, until: datetime, now: datetime) -> str | None:
    """A new secret for a good token, the old one good until `until`; None when there is no good token of the id."""
    secret = new_secret()
    done = await connection.execute(
        update(tokens)
        .where(tokens.c.id == id_, tokens.c.revoked_at.is_(None), tokens.c.expires_at > now)
        .values(previous_sha256=tokens.c.sha256, previous_until=until, sha256=_digest(secret))
    )
    return secret if done.rowcount else None


async def revoke(connection: AsyncConnection, id_: str, *, now: datetime) -> bool:
    """End a token at once and for good; false when there is none of the id, or it was revoked before."""
    done = await connection.execute(
        update(tokens)
        .where(tokens.c.id == id_, tokens.c.revoked_at.is_(None))
        .values(revoked_at=now, previous_sha256=None, previous_until=None)
    )
    return bool(done.rowcount)


_COLUMNS = tuple(tokens.c)


def _stored(row: dict[str, Any]) -> Stored:
    named = {field: row[field] for field in Grant.model_fields if field != "token"}
    own = {field: row[field] for field in Stored.__slots__ if field != "grant"}
    return Stored(grant=Grant.model_validate({"token": row["id"], **named}), **own)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
