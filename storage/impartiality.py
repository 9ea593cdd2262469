"""Rule 37: who a complaint is against is told nothing of it and answers for nothing in it. Every query asks here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, func, literal, or_

from storage.tables import complaints

AGAINST: Column[Any] = complaints.c.against
"""Whom a complaint is against, ids separated by spaces. What one role is told in cases against different people may be
for different people."""


def impartial(person: str | ColumnElement[Any]) -> ColumnElement[bool]:
    """The complaints that are not against this person."""
    who = literal(person) if isinstance(person, str) else person
    return or_(AGAINST.is_(None), who != func.all(func.string_to_array(AGAINST, " ")))


def concerns(notice: Mapping[str, Any], person: str) -> bool:
    """Whether the case of a notice, as `storage.posts.told` finds it, is against this person."""
    return person in (notice["case_against"] or "").split()
