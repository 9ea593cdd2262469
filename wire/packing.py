"""Packs what is large and much the same for every complaint, above all its contract: a history carries it all along.

Packed before it is sealed. Only what the complaint's own workflow and activities say to each other is packed, so that
a sender in any language, or the Web UI, never has to unpack an answer.
"""

from __future__ import annotations

import zlib

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload

ENCODING = b"binary/zlib"

WORTHWHILE = 2_000
"""Bytes below which a payload stays as it is."""

MOST = 8 * 1024 * 1024
"""Bytes that are unpacked: more than Temporal carries at once, and no more than a worker can take."""


class Packed:
    """A kind of value that travels packed."""


def pack(payload: Payload) -> Payload:
    """The payload inside one that is smaller; the same payload where that is not worth while."""
    if len(payload.data) < WORTHWHILE:
        return payload
    plain = payload.SerializeToString(deterministic=True)
    return Payload(metadata={"encoding": ENCODING}, data=zlib.compress(plain, 9))


def unpack(payload: Payload) -> Payload:
    """The payload inside; the same payload when it is not packed, or cannot be unpacked."""
    if payload.metadata.get("encoding") != ENCODING:
        return payload
    try:
        return Payload.FromString(_unpacked(payload.data))
    except (zlib.error, DecodeError):
        return payload


def _unpacked(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    plain = unpacking.decompress(packed, MOST)
    if not unpacking.eof:
        raise zlib.error("cut off, or larger than anything that was packed")
    return plain
