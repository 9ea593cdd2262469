"""Commands and openings from what people type: options, `field=value` pairs, JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from rules.ledger import explain_invalid
from rules.values import LIMIT_TEXT, Value
from starter.errors import Invalid

V = TypeVar("V", bound=Value)


def read_json(source: str) -> dict[str, Any]:
    """The JSON object in a file, or on standard input for `-`. Raises Invalid."""
    text = read_text(source)
    try:
        value = from_json(text)
    except ValueError as error:
        raise Invalid(f"{_named(source)} holds no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise Invalid(f'{_named(source)} must hold one JSON object, such as {{"text": "…"}}.')
    return value


def read_text(source: str) -> str:
    """The text in a file, or on standard input for `-`. Raises Invalid; reads no more than could ever be taken."""
    most = 8 * LIMIT_TEXT
    try:
        with sys.stdin.buffer if source == "-" else Path(source).open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise Invalid(f"Cannot read {source}: {error.strerror}.") from None
    if len(data) > most:
        raise Invalid(f"{_named(source)} is larger than any input taken here ({most:,} bytes).")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"{_named(source)} is not UTF-8: {error.reason} at byte {error.start}.") from None


def pairs(given: Iterable[str]) -> dict[str, Any]:
    """Fields from `name=value`, deeper ones as `by.role=handler.owner`; a name given twice is a list.

    A value in brackets is read as JSON: `measures=[{"type": "refund"}]`. Raises Invalid.
    """
    fields: dict[str, Any] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise Invalid(f"{pair!r} is no field; write name=value.")
        *path, last = name.split(".")
        inner = fields
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise Invalid(f"{pair!r}: {part} has a value of its own already.")
        value = _value(pair, text)
        if last not in inner:
            inner[last] = value
        elif isinstance(inner[last], list):
            inner[last].append(value)
        else:
            inner[last] = [inner[last], value]
    return fields


def made(model: type[V], what: str, fields: dict[str, Any]) -> V:
    """The value with these fields; one value stands for a list of one. Raises Invalid with every mistake."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        lone = [e["loc"] for e in error.errors() if e["type"] == "tuple_type" and isinstance(e["input"], str)]
        if not lone:
            raise Invalid(explain_invalid(what, error)) from None
    for *path, last in lone:
        inner: Any = fields
        for part in path:
            inner = inner[part]
        inner[last] = [inner[last]]
    return made(model, what, fields)


def _value(pair: str, text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return from_json(text)
    except ValueError as error:
        raise Invalid(f"{pair!r} begins like JSON and is none: {error}.") from None


def _named(source: str) -> str:
    return "Standard input" if source == "-" else source
