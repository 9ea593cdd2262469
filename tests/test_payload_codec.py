"""The codec against its published vectors, against whatever else a sender can put into a payload, and its failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.json_format import ParseDict
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.exceptions import ApplicationError

from storage.keys import Keyring
from wire.client import DATA_CONVERTER, sealing
from wire.codec import Codec
from wire.labels import Label

VECTORS = json.loads((Path(__file__).parents[1] / "docs" / "codec-vectors.json").read_text("utf-8"))
RING, OTHER = Keyring([bytes(range(32))]), Keyring([bytes(32)])


def payload(of: dict[str, Any]) -> Payload:
    return ParseDict(of, Payload())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["what"])
async def test_the_published_vectors(vector: dict[str, Any]) -> None:
    """Key, nonce and payload give exactly the bytes that docs/codec.md shows other languages, and they open again."""
    codec = Codec(Keyring.parse(vector["master_key"]))
    sealed = codec.seal(payload(vector["payload"]), bytes.fromhex(vector["nonce"]))
    assert sealed == payload(vector["sealed"])
    assert sealed.metadata["encryption-key-id"].decode() == vector["key_id"]
    assert await codec.decode([sealed]) == [payload(vector["payload"])]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["what"])
def test_the_format_is_as_written(vector: dict[str, Any]) -> None:
    """The bytes follow from the words of docs/codec.md alone, with no help of our codec."""
    key, nonce = AESGCM(bytes.fromhex(vector["payload_key"])), bytes.fromhex(vector["nonce"])
    sealed = nonce + key.encrypt(nonce, bytes.fromhex(vector["plaintext"]), b"ombud payload 1")
    assert payload(vector["sealed"]).data == sealed
    assert Payload.FromString(bytes.fromhex(vector["plaintext"])) == payload(vector["payload"])


async def test_each_sealing_is_another() -> None:
    """The same payload sealed twice gives other bytes: nobody sees that two customers said the same."""
    plain = (await DATA_CONVERTER.encode([{"text": "x"}]))[0]
    codec = Codec(RING)
    assert codec.seal(plain) != codec.seal(plain)


async def test_what_is_not_sealed_is_taken() -> None:
    """A sender without the codec is understood; so are histories from before it was switched on."""
    plain = await DATA_CONVERTER.encode([{"text": "x"}])
    assert await Codec(RING).decode(plain) == plain


async def test_what_cannot_be_opened_is_handed_on() -> None:
    """A foreign key, changed bytes, cut bytes and a false name come through as they are, for our own code to refuse."""
    plain = (await DATA_CONVERTER.encode([{"text": "x"}]))[0]
    foreign = Codec(OTHER).seal(plain)
    changed, cut, unnamed = (Codec(RING).seal(plain) for _ in range(3))
    changed.data = changed.data[:-1] + bytes([changed.data[-1] ^ 1])
    cut.data = cut.data[:5]
    unnamed.metadata["encryption-key-id"] = b"\xff"
    broken = [foreign, changed, cut, unnamed]
    assert await Codec(RING).decode(broken) == broken


async def test_the_key_from_before_opens_and_the_current_one_seals() -> None:
    """While master keys change, payloads of both are read."""
    plain = (await DATA_CONVERTER.encode([{"text": "x"}]))[0]
    before = Codec(RING).seal(plain)
    both = Codec(Keyring([bytes(32), bytes(range(32))]))
    assert await both.decode([before]) == [plain]
    (sealed,) = await both.encode([plain])
    assert sealed.metadata["encryption-key-id"].decode() == OTHER.current.id


async def test_labels_stay_readable() -> None:
    """What operations read in the Web UI stands in the clear; a text that is no label never does."""
    converter = sealing(RING, seals=True)
    label, text, described = await converter.encode([Label("first response due"), "words", WorkflowMetadata()])
    assert label.data == b'"first response due"'
    assert text.metadata["encoding"] == b"binary/encrypted"
    assert described.metadata["encoding"] != b"binary/encrypted"
    assert await converter.decode([label, text]) == ["first response due", "words"]


async def test_what_is_sealed_is_not_sealed_again() -> None:
    """A payload that comes sealed, such as one that the Web UI sends, goes on as it is."""
    codec = Codec(RING)
    sealed = await codec.encode(await DATA_CONVERTER.encode([{"text": "x"}]))
    assert await codec.encode(sealed) == sealed


async def test_failures_are_sealed_too() -> None:
    """An error may quote a customer: its words are sealed, and read by whoever has the key, codec on or off."""
    converter = sealing(RING, seals=True)
    failure = Failure()
    await converter.encode_failure(ApplicationError("Ms Wexford is angry", type="Refused"), failure)
    assert b"Wexford" not in failure.SerializeToString()
    copy = Failure.FromString(failure.SerializeToString())
    for reader, sealed in ((converter, failure), (sealing(RING, seals=False), copy)):
        error = await reader.decode_failure(sealed)
        assert isinstance(error, ApplicationError)
        assert (error.message, error.type) == ("Ms Wexford is angry", "Refused")


async def test_switched_off_it_still_opens() -> None:
    """Whoever switches the codec off reads what was sealed before, and sends in the clear."""
    sealed = await sealing(RING, seals=True).encode([{"text": "x"}])
    off = sealing(RING, seals=False)
    assert await off.decode(sealed) == [{"text": "x"}]
    assert (await off.encode([{"text": "x"}]))[0].data == b'{"text":"x"}'
