"""Seals what travels through Temporal and stands in its histories: one form for every language (docs/codec.md).

AES-256-GCM under a key derived from the current master key; the master key's id stands beside it in the clear. What is
not sealed is taken as it comes, so that a sender in any language may do without. What cannot be opened is handed on as
it is: our own code refuses it then, where a failure to decode would hold up its workflow for ever.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from storage.keys import NONCE_BYTES, Keyring
from wire.labels import LABEL

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
BOUND = b"ombud payload 1"
"""Authenticated with every payload: it opens only as what it is."""

METADATA_OF_WORKFLOWS = b"temporal.api.sdk.v1.WorkflowMetadata"
"""The answer to the question what a workflow offers and how it stands: ids, clauses and times."""


class Codec(PayloadCodec):
    """Opens whatever a key of the ring has sealed; seals under the current one, or with `seals` off not at all."""

    def __init__(self, ring: Keyring, *, seals: bool = True) -> None:
        self._ring = ring
        self._seals = seals

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Labels, the description of a workflow, and what is sealed already stay as they are."""
        return [payload if not self._seals or _open(payload) else self.seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.unseal(payload) for payload in payloads]

    def seal(self, payload: Payload, nonce: bytes | None = None) -> Payload:
        """`nonce` is given by nobody but a test: used twice under one key it would give both texts away."""
        key = self._ring.current
        nonce = nonce or os.urandom(NONCE_BYTES)
        sealed = nonce + key.payloads.encrypt(nonce, payload.SerializeToString(deterministic=True), BOUND)
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key.id.encode()}, data=sealed)

    def unseal(self, payload: Payload) -> Payload:
        """The payload inside; the same payload when it is not sealed, or cannot be opened."""
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key = self._ring.get(payload.metadata.get(KEY_ID, b"").decode(errors="replace"))
        if key is None:
            return payload
        try:
            inside = key.payloads.decrypt(payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:], BOUND)
            return Payload.FromString(inside)
        except (InvalidTag, ValueError, DecodeError):
            return payload


def _open(payload: Payload) -> bool:
    encoding = payload.metadata.get("encoding")
    described = payload.metadata.get("messageType") == METADATA_OF_WORKFLOWS
    return LABEL in payload.metadata or described or encoding == ENCODING
