"""What a foreign client may send through Temporal: any payloads to any handler, in any number, and odd starts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from rules.commands import COMMANDS
from rules.values import Value
from tests.fuzz.oddities import JSON, bent
from tests.support.random_stories import BODIES

ENCODINGS = (
    *(b"json/plain",) * 48,
    *(b"", b"binary/null", b"binary/plain", b"json/protobuf", b"binary/protobuf", b"binary/encrypted", b"\xff", b"x/y"),
)
ODD_DATA = (
    *(b"", b"{", b"{}", b"null", b"nul", b'"words"', b"[]", b"1e999", b"-", b"\xef\xbb\xbf{}", b'{"text": "\xff"}'),
    *(b'{"text": "\\ud800"}', b'{"text": NaN}', b"[" * 5_000, b'{"a":' * 5_000, b"9" * 10_000, b"\x00" * 100),
)
CIRCULAR = {"command": "note", "body": {"text": "x"}, "incident": "I-1", "by": {"role": "handler.manager"}}
OTHERS: dict[str, Any] = {
    "Canary": {},
    "Circular": CIRCULAR,
    "Post": "ann",
    "Retention": {"erased": 1},
    "Webhook": "w1",
}
"""Workflows besides Complaint that anybody may start by name, and what fits them more or less."""


def start_of(reference: str, **fields: Any) -> dict[str, Any]:
    """A sound start, with other fields where they are given."""
    return {
        "contract": "maintenance-service",
        "reference": reference,
        "kind": "complaint",
        "category": "product_quality",
        "level": "2",
        "channel": "wechat",
        "received_at": datetime.now(UTC).isoformat(),
        "content": "It leaks.",
    } | fields


def texts_of(model: type[Value]) -> dict[str, Any]:
    """A sound input of a command, as far as text goes."""
    return {name: "Some words." for name in ("text", "cause", "reason", "plan") if name in model.model_fields}


@st.composite
def arguments(draw: st.DrawFn, sound: Any) -> list[Payload]:
    """What a handler is called with: mostly one payload, mostly JSON near to what fits."""
    count = draw(st.sampled_from((*(1,) * 14, 0, 2, 3)))
    return [draw(_payload(sound)) for _ in range(count)]


@st.composite
def _payload(draw: st.DrawFn, sound: Any) -> Payload:
    if draw(st.integers(0, 4)) < 4:
        value = draw(bent(sound) | bent(sound) | JSON) if draw(st.booleans()) else sound
        data = json.dumps(value).encode()
    else:
        data = draw(st.sampled_from(ODD_DATA) | st.binary(max_size=40))
    encoding = draw(st.sampled_from(ENCODINGS))
    metadata = {"encoding": encoding} if encoding else {}
    if encoding == b"binary/encrypted":
        metadata["encryption-key-id"] = draw(st.sampled_from((b"", b"\xff", b"0123456789abcdef")))
    return Payload(metadata=metadata, data=data)


def samples(strategy: st.SearchStrategy[Any], count: int, number: int | None = None) -> list[Any]:
    """So many inputs: those of a seed, or the same in every run."""
    drawn: list[Any] = []

    def draw(value: Any) -> None:
        drawn.append(value)

    made = settings(
        max_examples=count,
        database=None,
        derandomize=number is None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(draw))
    (made if number is None else seed(number)(made))()
    return drawn[:count]


def commands(count: int, number: int | None) -> list[tuple[str, list[Payload]]]:
    """Some of every command."""
    named = st.sampled_from(sorted(COMMANDS)).flatmap(
        lambda name: st.tuples(st.just(name), arguments(texts_of(COMMANDS[name]) | BODIES[name][0]))
    )
    return samples(named, count, number)


def sendable(name: str) -> bool:
    """What gRPC carries as the name of a handler that is none of ours."""
    return bool(name) and len(name) < 900 and name not in COMMANDS and not any("\ud800" <= c <= "\udfff" for c in name)
