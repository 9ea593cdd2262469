"""The figures of surveys: what customers answered, by month and question."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Figure:
    """The answers to one question in one month of the contract's calendar."""

    month: str
    """As 2026-03."""
    about: str
    question: str
    n: int
    mean: Decimal | None
    """Of the scores; nothing for a question answered in words."""
    dissatisfied: Decimal | None
    """The share of those who chose an option that says so, 0 to 1."""


async def figures(connection: AsyncConnection, contract: str) -> list[Figure]:
    """Every month of a contract, the latest first, its questions by what they are about."""
    query = text(
        "SELECT month, about, question, n, mean, dissatisfied FROM survey_figures WHERE contract = :contract "
        "ORDER BY month DESC, about, question"
    )
    return [Figure(**row) for row in (await connection.execute(query, {"contract": contract})).mappings()]
