"""What sealing payloads costs: bytes and time, over the recorded histories that the tests replay.

`python -m bench.codec` prints a table for docs/benchmarks.md.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.json_format import ParseDict
from temporalio.api.common.v1 import Payload

from storage.keys import Keyring
from wire.codec import Codec

HISTORIES = sorted((Path(__file__).parents[1] / "tests" / "histories").glob("*/*.json"))
ROUNDS = 20


def payloads(node: object) -> Iterator[Payload]:
    """Every payload of a history, wherever it stands, but for labels and search attributes, which are never sealed."""
    if isinstance(node, dict):
        if "metadata" in node and "encoding" in node["metadata"]:
            yield ParseDict(node, Payload())
            return
        for key, value in node.items():
            if key not in {"userMetadata", "searchAttributes"}:
                yield from payloads(value)
    elif isinstance(node, list):
        for value in node:
            yield from payloads(value)


async def main() -> None:
    codec = Codec(Keyring([bytes(32)]))
    print("| history | payloads | bytes | sealed | ratio | seal, µs each | open, µs each |")
    print("|---|---|---|---|---|---|---|")
    for file in HISTORIES:
        found = list(payloads(json.loads(file.read_text("utf-8"))))
        sealed, opened = await codec.encode(found), found
        sealing = opening = float("inf")
        for _ in range(ROUNDS):  # the best of them: other work on the machine only adds
            started = time.perf_counter()
            sealed = await codec.encode(found)
            between = time.perf_counter()
            opened = await codec.decode(sealed)
            ended = time.perf_counter()
            sealing, opening = min(sealing, between - started), min(opening, ended - between)
        assert opened == found
        plain, closed = (sum(payload.ByteSize() for payload in some) for some in (found, sealed))
        each = 1e6 / len(found)
        print(
            f"| {file.stem} | {len(found)} | {plain:,} | {closed:,} | {closed / plain:.2f} "
            f"| {sealing * each:.1f} | {opening * each:.1f} |"
        )


if __name__ == "__main__":
    asyncio.run(main())
