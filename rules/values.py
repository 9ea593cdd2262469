"""The small values that every layer passes on: who, when, with what proof."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

LIMIT_TEXT = 200_000
"""Longest text taken in, in characters; the longest real complaint seen has 21,928."""


class Value(BaseModel):
    """An immutable value whose JSON refuses unknown fields by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _not_a_number(value: Any) -> Any:
    """Pydantic would read a bare number as seconds since 1970; a person would mean something else."""
    if isinstance(value, (int, float)):
        raise ValueError("give a time as RFC 3339 with its offset, such as 2026-11-20T17:50:00+08:00")  # noqa: TRY004 pydantic takes a ValueError
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_not_a_number)]
"""A moment with its UTC offset (RFC 3339)."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,99}$")]
"""An id that may show in logs, subjects and search attributes: no spaces, nothing personal."""

Code = Annotated[str, StringConstraints(pattern=r"^[\w.:-]{1,60}$")]
"""A code of the contract or the backend, in any script: letters, digits, `_`, `.`, `:`, `-`; at most 60."""

Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
"""The backend's own number of a complaint: letters, digits, `_`, `.`, `-`; at most 100."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LIMIT_TEXT)]
"""Free text. It goes to the content table and never into the ledger (invariant 19)."""

Level = Annotated[
    str,
    BeforeValidator(lambda v: str(v) if isinstance(v, int) else v, json_schema_input_type=str | int),
]
"""A level's key as the contract names it; JSON may write 2 for "2"."""


class Actor(Value):
    """Who did something: a role of the contract, and the person's id where known."""

    role: Name
    person: Name | None = None


SYSTEM = Actor(role="ombud")
"""Ombud itself: whoever judges clocks and closes after silence."""


class Evidence(Value):
    """Where a proof lies. Its bytes never travel through Temporal."""

    id: Name
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    media_type: Annotated[str, StringConstraints(max_length=100)] = "application/octet-stream"
    source: Annotated[str, StringConstraints(max_length=200)] = ""


Evidences = Annotated[tuple[Evidence, ...], Field(max_length=100)]
