"""What every part of a contract file is made of: keys written with spaces, and words in the languages people read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Language = Literal["en", "zh-CN"]
LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")
Words = dict[Language, str]
"""The same words in the languages the contract is shown in."""

Line = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
"""A text on one line: it may stand in a mail's subject."""
Title = Annotated[dict[Language, Line], Field(min_length=1)]
"""Words on one line, in one language at least."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])]


class Section(BaseModel):
    """A part of the contract file. Keys are written with spaces; unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        alias_generator=lambda name: name.replace("_", " "),
    )


class Titled(Section):
    """A level, grade or channel with the words people see."""

    title: Title
