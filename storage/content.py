"""Free text and personal data, apart from the ledger and encrypted with a key per stream (invariant 19).

AES-256-GCM throughout. A text is sealed with its stream's key, which is itself sealed with the master key of the
settings. Whoever holds the database alone can read nothing; destroying a stream's key is erasure.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import content, content_keys

NONCE_BYTES = 12

Texts = Mapping[int, Mapping[str, str]]
"""Ledger sequence to field to text."""

log = logging.getLogger(__name__)


class ErasedError(Exception):
    """The key of this content was destroyed; nobody can read it any more."""


class MasterKeyError(Exception):
    """The content was sealed under another master key than the one in the settings."""


class Vault:
    """Seals and opens content under one master key of 32 bytes."""

    def __init__(self, master_key: bytes) -> None:
        self._master = AESGCM(master_key)
        self._master_id = hashlib.sha256(b"ombud master key " + master_key).hexdigest()[:16]

    async def seal(self, connection: AsyncConnection, streams: Mapping[str, Texts]) -> None:
        """Store the texts of several streams, making the keys of those that have none.

        What comes after a key was destroyed is not kept: erasure is for good. Raises MasterKeyError, and
        IntegrityError for a text that is stored already.
        """
        wanted = sorted(stream for stream, texts in streams.items() if any(texts.values()))
        if not wanted:
            return
        keys = await self._keys(connection, wanted)
        rows = [
            row
            for stream in wanted
            if (key := keys[stream]) is not None
            for row in _sealed(key, stream, streams[stream])
        ]
        if rows:
            await connection.execute(insert(content), rows)

    async def read(self, connection: AsyncConnection, stream: str) -> dict[int, dict[str, str]]:
        """The texts of a stream by sequence and field. Raises ErasedError and MasterKeyError."""
        found = await connection.execute(
            select(
                content, content_keys.c.wrapped, content_keys.c.nonce.label("key_nonce"), content_keys.c.destroyed_at
            )
            .join(content_keys, content_keys.c.stream == content.c.stream)
            .where(content.c.stream == stream)
            .order_by(content.c.seq, content.c.field)
        )
        texts: dict[int, dict[str, str]] = {}
        for row in found:
            if row.wrapped is None:
                raise ErasedError(f"The content of {stream} was erased on {row.destroyed_at:%Y-%m-%d %H:%M} UTC.")
            key = self._unwrap(stream, row.key_nonce, row.wrapped)
            opened = key.decrypt(row.nonce, row.ciphertext, _place(stream, row.seq, row.field))
            texts.setdefault(row.seq, {})[row.field] = opened.decode()
        return texts

    async def opening(self, connection: AsyncConnection, streams: Sequence[str]) -> dict[str, dict[str, str]]:
        """The texts of the first entry of each stream, by field, for whoever reads many; what was erased is left out.

        Raises MasterKeyError.
        """
        found = await connection.execute(
            select(content, content_keys.c.wrapped, content_keys.c.nonce.label("key_nonce"))
            .join(content_keys, content_keys.c.stream == content.c.stream)
            .where(content.c.stream.in_(streams), content.c.seq == 1, content_keys.c.wrapped.is_not(None))
        )
        texts: dict[str, dict[str, str]] = {}
        for row in found:
            key = self._unwrap(row.stream, row.key_nonce, row.wrapped)
            opened = key.decrypt(row.nonce, row.ciphertext, _place(row.stream, row.seq, row.field))
            texts.setdefault(row.stream, {})[row.field] = opened.decode()
        return texts

    async def destroy(self, connection: AsyncConnection, stream: str, at: datetime) -> bool:
        """Destroy a stream's key; false when there is none left to destroy. Nothing brings the content back."""
        done = await connection.execute(
            update(content_keys)
            .where(content_keys.c.stream == stream, content_keys.c.destroyed_at.is_(None))
            .values(wrapped=None, nonce=None, destroyed_at=at)
        )
        return done.rowcount > 0

    async def fits(self, connection: AsyncConnection) -> tuple[bool, int]:
        """Whether the newest key sealed under this master key opens, and how many were sealed under another one.

        True where nothing has been sealed yet.
        """
        ours = content_keys.c.master_key_id == self._master_id
        kept = content_keys.c.wrapped.is_not(None)
        newest = (
            select(content_keys.c.stream, content_keys.c.nonce, content_keys.c.wrapped)
            .where(kept, ours)
            .order_by(content_keys.c.created_at.desc())
            .limit(1)
        )
        foreign = await connection.scalar(select(func.count()).select_from(content_keys).where(kept, ~ours))
        row = (await connection.execute(newest)).one_or_none()
        try:
            if row is not None:
                self._unwrap(*row)
        except MasterKeyError:
            return False, foreign or 0
        return True, foreign or 0

    async def _keys(self, connection: AsyncConnection, streams: list[str]) -> dict[str, AESGCM | None]:
        """The key of each stream, made if it has none; nothing for a destroyed one."""
        made = insert(content_keys)
        # The update that changes nothing makes one statement return the key whether or not it was there before.
        kept = made.on_conflict_do_update(index_elements=["stream"], set_={"stream": made.excluded.stream}).returning(
            content_keys.c.stream, content_keys.c.nonce, content_keys.c.wrapped
        )
        keys: dict[str, AESGCM | None] = {}
        for stream, nonce, wrapped in await connection.execute(kept, [self._fresh(stream) for stream in streams]):
            keys[stream] = None if wrapped is None else self._unwrap(stream, nonce, wrapped)
            if wrapped is None:
                log.warning("content of %s was erased; a text that came later is not kept", stream)
        return keys

    def _fresh(self, stream: str) -> dict[str, Any]:
        nonce = os.urandom(NONCE_BYTES)
        wrapped = self._master.encrypt(nonce, AESGCM.generate_key(256), stream.encode())
        return {"stream": stream, "nonce": nonce, "wrapped": wrapped, "master_key_id": self._master_id}

    def _unwrap(self, stream: str, nonce: bytes, wrapped: bytes) -> AESGCM:
        try:
            return AESGCM(self._master.decrypt(nonce, wrapped, stream.encode()))
        except InvalidTag:
            raise MasterKeyError(
                f"The content of {stream} was sealed under another master key. Set OMBUD_MASTER_KEY to the one that "
                "was in use then."
            ) from None


def _sealed(key: AESGCM, stream: str, texts: Texts) -> Iterator[dict[str, Any]]:
    for seq, fields in texts.items():
        for field, text in fields.items():
            nonce = os.urandom(NONCE_BYTES)
            ciphertext = key.encrypt(nonce, text.encode(), _place(stream, seq, field))
            yield {"stream": stream, "seq": seq, "field": field, "nonce": nonce, "ciphertext": ciphertext}


def _place(stream: str, seq: int, field: str) -> bytes:
    """Authenticated with the text, so that no row can be passed off as another."""
    return f"{stream}\n{seq}\n{field}".encode()
