"""Master keys: the few secrets from outside that every other key hangs on. AES-256-GCM, each known by its id.

A ring holds one or several. The first is current: what is made new is sealed under it. The others still open what was
sealed under them, until nothing needs them any more (`storage.rotation`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12

PAYLOADS = b"ombud payload codec"
"""What the key for Temporal's payloads is derived for (docs/codec.md)."""

_SEPARATOR = re.compile(r"[\s,]+")


class BadKeyError(ValueError):
    """A text that should be master keys is none; the message says which part and what to write."""


class MasterKeyError(Exception):
    """Content was sealed under a master key that is not in the settings; the message names it."""


Wraps = Mapping[str, str]
"""A stream's key sealed under master keys: the id of each to nonce and ciphertext, in hex."""


class MasterKey:
    """One master key of 32 bytes. Nothing shows it: only its id may stand in tables, messages and logs."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise BadKeyError(f"a master key has {KEY_BYTES} bytes, not {len(secret)}")
        self._secret = secret
        self.id = hashlib.sha256(b"ombud master key " + secret).hexdigest()[:16]

    @cached_property
    def wrapping(self) -> AESGCM:
        """Seals the keys of streams."""
        return AESGCM(self._secret)

    @cached_property
    def payloads(self) -> AESGCM:
        """Seals what travels through Temporal, with a key of its own: neither use can wear out the other."""
        return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=PAYLOADS).derive(self._secret))


class Keyring:
    """Master keys, the current one first."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        if not secrets:
            raise BadKeyError("names no key")
        self._keys = {key.id: key for key in map(MasterKey, secrets)}
        self.current = next(iter(self._keys.values()))

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """The keys in a text: base64, the current one first, set apart by commas, blanks or lines; `#` begins a remark.

        Raises BadKeyError.
        """
        written = [part for line in text.splitlines() for part in _SEPARATOR.split(line.partition("#")[0]) if part]
        if len(set(written)) < len(written):
            raise BadKeyError("names a key twice")
        return cls([_decoded(part, number, len(written)) for number, part in enumerate(written, 1)])

    @property
    def ids(self) -> tuple[str, ...]:
        """The current one first."""
        return tuple(self._keys)

    def get(self, key_id: str) -> MasterKey | None:
        return self._keys.get(key_id)

    def wrap(self, key: bytes, stream: str) -> dict[str, str]:
        """A stream's key sealed under every master key of the ring.

        So what is made while master keys change is read by whoever has the settings from before, too.
        """
        return {id_: self._wrapped(master, key, stream) for id_, master in self._keys.items()}

    def rewrap(self, wraps: Wraps, stream: str) -> dict[str, str]:
        """A stream's key sealed under the current master key. Raises MasterKeyError."""
        return {self.current.id: self._wrapped(self.current, self.unwrap(wraps, stream), stream)}

    def unwrap(self, wraps: Wraps, stream: str) -> bytes:
        """A stream's key, by whichever of its wraps this ring can open. Raises MasterKeyError."""
        known = next((id_ for id_ in self._keys if id_ in wraps), None)
        if known is None:
            raise MasterKeyError(
                f"The content of {stream} was sealed under master key {' or '.join(wraps)}, which is not in the "
                "settings. Add that key to OMBUD_MASTER_KEY behind the current one; `ombud keys check` lists all."
            )
        try:
            sealed = bytes.fromhex(wraps[known])
            return self._keys[known].wrapping.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], stream.encode())
        except (InvalidTag, ValueError):  # too short to be one, or no hex at all
            raise MasterKeyError(
                f"The key of {stream} does not open under master key {known}: its row was damaged or moved. "
                "Restore the table content_keys from a backup."
            ) from None

    @staticmethod
    def _wrapped(master: MasterKey, key: bytes, stream: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        return (nonce + master.wrapping.encrypt(nonce, key, stream.encode())).hex()


def _decoded(part: str, number: int, of: int) -> bytes:
    try:
        secret = base64.b64decode(part, validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != KEY_BYTES:
        which = f"key {number} of {of} " if of > 1 else ""
        raise BadKeyError(f"{which}must be 32 random bytes in base64, as `ombud keys new` makes them")
    return secret
