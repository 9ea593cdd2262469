"""Signed texts and small files that prove an act, sealed beside the words of their complaint (rule 28).

Their bytes never travel through Temporal: the command names them by their SHA-256, which is also their id. They lie in
`content` under their complaint's stream at sequence 0, since they are there before the entry that refers to them; the
key that erases the complaint erases them too.
"""

from __future__ import annotations

import base64
import hashlib

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.content import Vault
from storage.ledger import stream_of
from storage.tables import content

BEFORE_ANY_ENTRY = 0
_FIELD = "evidence."


async def keep(connection: AsyncConnection, vault: Vault, complaint: str, data: bytes) -> str:
    """Seal a proof; its id. The same bytes of one complaint are kept once."""
    digest = hashlib.sha256(data).hexdigest()
    stream, field = stream_of(complaint), f"{_FIELD}{digest}"
    there = select(content.c.seq).where(
        content.c.stream == stream, content.c.seq == BEFORE_ANY_ENTRY, content.c.field == field
    )
    if await connection.scalar(there) is None:
        sealed = {BEFORE_ANY_ENTRY: {field: base64.b64encode(data).decode()}}
        await vault.seal(connection, {stream: sealed})
    return digest


async def read(connection: AsyncConnection, vault: Vault, complaint: str, digest: str) -> bytes | None:
    """A proof by its id; nothing for one that is not here. Raises ErasedError and MasterKeyError."""
    kept = (await vault.read(connection, stream_of(complaint))).get(BEFORE_ANY_ENTRY, {})
    text = kept.get(f"{_FIELD}{digest}")
    return None if text is None else base64.b64decode(text)
