"""What is packed, what is not, and what a sender can put in its place."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from activities.interface import Opened, Registered
from rules.contract_file import read
from storage.keys import Keyring
from wire.client import DATA_CONVERTER, sealing
from wire.packing import ENCODING, MOST, pack, unpack

SHIPPED = Path(__file__).parents[1] / "contracts" / "maintenance-service.yaml"


def opened() -> Opened:
    contract = read(SHIPPED.read_text("utf-8"), "maintenance-service", datetime(2026, 11, 20, tzinfo=UTC)).contract
    return Opened(registered=Registered(standing="new", version="v" * 64, contract=contract.model_dump(mode="json")))


def packed(plain: bytes) -> Payload:
    return Payload(metadata={"encoding": ENCODING}, data=zlib.compress(plain))


async def test_a_contract_travels_packed_and_arrives_whole() -> None:
    """The contract that every history carries takes a third of its bytes, and comes out as it went in."""
    value = opened()
    (payload,) = await DATA_CONVERTER.encode([value])
    assert payload.metadata["encoding"] == ENCODING
    assert len(payload.data) < len(value.model_dump_json()) / 3
    assert await DATA_CONVERTER.decode([payload], [Opened]) == [value]


async def test_what_others_read_is_never_packed() -> None:
    """An answer or a start stays plain JSON however long it is: no language and no Web UI has to unpack it."""
    (payload,) = await DATA_CONVERTER.encode([{"text": "x" * 50_000}])
    assert payload.metadata["encoding"] == b"json/plain"


async def test_what_was_packed_is_sealed() -> None:
    """With the codec on, the contract is packed first and sealed then, and opens again."""
    converter = sealing(Keyring([bytes(range(32))]), seals=True)
    (payload,) = await converter.encode([opened()])
    assert payload.metadata["encoding"] == b"binary/encrypted"
    assert len(payload.data) < len(opened().model_dump_json()) / 3
    assert await converter.decode([payload], [Opened]) == [opened()]


async def test_histories_from_before_are_read() -> None:
    """A value that was not packed when it was written is read as it stands."""
    plain = Payload(metadata={"encoding": b"json/plain"}, data=opened().model_dump_json().encode())
    assert await DATA_CONVERTER.decode([plain], [Opened]) == [opened()]


@pytest.mark.parametrize(
    "payload",
    [
        Payload(metadata={"encoding": ENCODING}, data=b"no zlib"),
        Payload(metadata={"encoding": ENCODING}, data=zlib.compress(b"x" * 9000)[:-6]),
        packed(b"\xff no payload"),
        packed(bytes(MOST + 1)),
        packed(Payload(metadata={"encoding": b"json/plain"}, data=b"{").SerializeToString()),
    ],
    ids=["no zlib", "cut off", "no payload inside", "a bomb", "no JSON inside"],
)
async def test_what_cannot_be_unpacked_is_handed_on(payload: Payload) -> None:
    """Whatever a sender calls packed reaches our own code, which refuses it; nothing fails to decode before that."""
    (value,) = await DATA_CONVERTER.decode([payload], [Any])
    assert isinstance(value, RawValue)


def test_little_is_left_as_it_is() -> None:
    """Packing a short payload would make it no smaller."""
    little = Payload(metadata={"encoding": b"json/plain"}, data=b"{}")
    assert pack(little) is little
    assert unpack(little) is little
