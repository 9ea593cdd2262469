"""The small values that every layer passes on: who, when, with what proof."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic_core import to_json

LIMIT_TEXT = 200_000
"""Longest text taken in, in characters; the longest real complaint seen has 21,928."""

LIMIT_TEXTS = 1_500_000
"""Bytes of all texts of one input as JSON. Temporal carries 2 MB at once, and an input travels with what it caused."""


class Value(BaseModel):
    """An immutable value whose JSON refuses unknown fields by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_NUMBER = re.compile(r"\s*[-+]?[\d_.]+([eE][-+]?\d+)?\s*")


def _not_a_number(value: Any) -> Any:
    """Pydantic would read a bare number as seconds since 1970, `20261120` too; a person would mean something else."""
    if isinstance(value, (int, float)) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("give a time as RFC 3339 with its offset, such as 2026-11-20T17:50:00+08:00")
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_not_a_number)]
"""A moment with its UTC offset (RFC 3339)."""


def _imaginable(value: datetime) -> datetime:
    """A year far off is a slip, and at the ends of the calendar nothing can be counted or stored any more."""
    if not 1900 <= value.year <= 2199:
        raise ValueError("lies outside the years 1900 to 2199; look for a mistyped year")
    return value


Stated = Annotated[Instant, AfterValidator(_imaginable)]
"""A moment that somebody states, in the years 1900 to 2199."""

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,99}$"
_CODE = r"^[\w.:-]{1,60}$"
_REFERENCE = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
_SHA256 = r"^[0-9a-f]{64}$"
_CURRENCY = r"^[A-Z]{3}$"

FORMS = {
    _NAME: "must begin with a letter or digit and hold only A-Z a-z 0-9 _ . : @ + -, at most 100 of them",
    _CODE: "must hold only letters, digits and _ . : -, at most 60 of them",
    _REFERENCE: "must begin with a letter or digit and hold only A-Z a-z 0-9 _ . -, at most 100 of them",
    _SHA256: "must be a SHA-256 as 64 characters 0-9 a-f",
    _CURRENCY: "must be a currency as three capital letters, such as CNY",
}
"""What each pattern asks for, in the words of a refusal."""

Name = Annotated[str, StringConstraints(pattern=_NAME)]
"""An id that may show in logs, subjects and search attributes: no spaces, nothing personal."""

Code = Annotated[str, StringConstraints(pattern=_CODE)]
"""A code of the contract or the backend, in any script: letters, digits, `_`, `.`, `:`, `-`; at most 60."""

Reference = Annotated[str, StringConstraints(pattern=_REFERENCE)]
"""The backend's own number of a complaint: letters, digits, `_`, `.`, `-`; at most 100."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LIMIT_TEXT)]
"""Free text. It goes to the content table and never into the ledger (invariant 19)."""

Currency = Annotated[str, StringConstraints(pattern=_CURRENCY)]
"""An ISO 4217 code."""

_Key = Annotated[str, StringConstraints(max_length=60)]
Level = Annotated[_Key, BeforeValidator(lambda v: str(v) if type(v) is int else v, json_schema_input_type=_Key | int)]
"""A level's key as the contract names it; JSON may write 2 for "2"."""


def fitting(texts: dict[str, str]) -> None:
    """Raises ValueError when these texts are too much for one input."""
    if (size := len(to_json(texts))) > LIMIT_TEXTS:
        raise ValueError(
            f"{' and '.join(texts)} hold {size:,} bytes; at most {LIMIT_TEXTS:,} are taken. "
            "Shorten them, or name a file as evidence"
        )


class Actor(Value):
    """Who did something: a role of the contract, and the person's id where known."""

    role: Name
    person: Name | None = None


SYSTEM = Actor(role="ombud")
"""Ombud itself: whoever judges clocks and closes after silence."""


class Evidence(Value):
    """Where a proof lies. Its bytes never travel through Temporal."""

    id: Name
    sha256: Annotated[str, StringConstraints(pattern=_SHA256)]
    media_type: Annotated[str, StringConstraints(max_length=100)] = "application/octet-stream"
    source: Annotated[str, StringConstraints(max_length=200)] = ""


Evidences = Annotated[tuple[Evidence, ...], Field(max_length=100)]
