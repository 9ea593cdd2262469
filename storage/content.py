"""Free text and personal data, apart from the ledger and encrypted with a key per stream (invariant 19).

AES-256-GCM throughout. A text is sealed with its stream's key, which is itself sealed with the master keys of the
settings (`storage.keys`). Whoever holds the database alone can read nothing; destroying a stream's key is erasure.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.keys import NONCE_BYTES, Keyring, MasterKeyError
from storage.tables import content, content_keys

__all__ = ["ErasedError", "MasterKeyError", "Texts", "Vault"]

Texts = Mapping[int, Mapping[str, str]]
"""Ledger sequence to field to text."""

log = logging.getLogger(__name__)


class ErasedError(Exception):
    """The key of this content was destroyed; nobody can read it any more."""


class Vault:
    """Seals and opens content under a ring of master keys, or under a single one of 32 bytes."""

    def __init__(self, master: Keyring | bytes) -> None:
        self._ring = master if isinstance(master, Keyring) else Keyring([master])

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
            select(content, content_keys.c.wraps, content_keys.c.destroyed_at)
            .join(content_keys, content_keys.c.stream == content.c.stream)
            .where(content.c.stream == stream)
            .order_by(content.c.seq, content.c.field)
        )
        texts: dict[int, dict[str, str]] = {}
        for row in found:
            if row.wraps is None:
                raise ErasedError(f"The content of {stream} was erased on {row.destroyed_at:%Y-%m-%d %H:%M} UTC.")
            key = AESGCM(self._ring.unwrap(row.wraps, stream))
            opened = key.decrypt(row.nonce, row.ciphertext, _place(stream, row.seq, row.field))
            texts.setdefault(row.seq, {})[row.field] = opened.decode()
        return texts

    async def opening(self, connection: AsyncConnection, streams: Sequence[str]) -> dict[str, dict[str, str]]:
        """The texts of the first entry of each stream, by field, for whoever reads many; what was erased is left out.

        Raises MasterKeyError.
        """
        found = await connection.execute(
            select(content, content_keys.c.wraps)
            .join(content_keys, content_keys.c.stream == content.c.stream)
            .where(content.c.stream.in_(streams), content.c.seq == 1, content_keys.c.wraps.is_not(None))
        )
        texts: dict[str, dict[str, str]] = {}
        for row in found:
            key = AESGCM(self._ring.unwrap(row.wraps, row.stream))
            opened = key.decrypt(row.nonce, row.ciphertext, _place(row.stream, row.seq, row.field))
            texts.setdefault(row.stream, {})[row.field] = opened.decode()
        return texts

    async def destroy(self, connection: AsyncConnection, stream: str, at: datetime) -> bool:
        """Destroy a stream's key; false when it was destroyed before. Nothing brings the content back.

        A stream without a key is marked too: what comes later is not kept.
        """
        marked = insert(content_keys).values(stream=stream, destroyed_at=at, wraps=None)
        done = await connection.execute(
            marked.on_conflict_do_update(
                index_elements=["stream"],
                set_={"destroyed_at": marked.excluded.destroyed_at, "wraps": marked.excluded.wraps},
                where=content_keys.c.destroyed_at.is_(None),
            )
        )
        return done.rowcount > 0

    async def fits(self, connection: AsyncConnection) -> bool:
        """Whether the newest key that the current master key sealed opens; true where it has sealed none yet."""
        current = self._ring.current.id
        newest = (
            select(content_keys.c.stream, content_keys.c.wraps)
            .where(content_keys.c.wraps.has_key(current))
            .order_by(content_keys.c.created_at.desc())
            .limit(1)
        )
        row = (await connection.execute(newest)).one_or_none()
        try:
            if row is not None:
                self._ring.unwrap({current: row.wraps[current]}, row.stream)
        except MasterKeyError:
            return False
        return True

    async def _keys(self, connection: AsyncConnection, streams: list[str]) -> dict[str, AESGCM | None]:
        """The key of each stream, made if it has none; nothing for a destroyed one."""
        fresh = [{"stream": s, "wraps": self._ring.wrap(AESGCM.generate_key(256), s)} for s in streams]
        keys: dict[str, AESGCM | None] = {}
        for stream, wraps in await connection.execute(_KEPT, fresh):
            keys[stream] = None if wraps is None else AESGCM(self._ring.unwrap(wraps, stream))
            if wraps is None:
                log.warning("content of %s was erased; a text that came later is not kept", stream)
        return keys


def _sealed(key: AESGCM, stream: str, texts: Texts) -> Iterator[dict[str, Any]]:
    for seq, fields in texts.items():
        for field, text in fields.items():
            nonce = os.urandom(NONCE_BYTES)
            ciphertext = key.encrypt(nonce, text.encode(), _place(stream, seq, field))
            yield {"stream": stream, "seq": seq, "field": field, "nonce": nonce, "ciphertext": ciphertext}


def _place(stream: str, seq: int, field: str) -> bytes:
    """Authenticated with the text, so that no row can be passed off as another."""
    return f"{stream}\n{seq}\n{field}".encode()


_MADE = insert(content_keys)
# The update that changes nothing makes one statement return the key whether or not it was there before.
_KEPT = _MADE.on_conflict_do_update(index_elements=["stream"], set_={"stream": _MADE.excluded.stream}).returning(
    content_keys.c.stream, content_keys.c.wraps
)
