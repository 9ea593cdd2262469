"""The survey of a contract: what a customer is asked once the result is told (rules 33, 34, 71)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from rules.section import Names, Section, Title, Titled
from rules.terms import Term
from rules.values import Code

About = Literal["product", "service", "after_sales"]


class Option(Titled):
    """One answer to choose."""

    score: Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]
    """What it counts in the figures."""
    dissatisfied: bool = False
    """Whoever chooses it is not satisfied with the result."""


class Question(Section):
    """One question of the questionnaire."""

    about: About
    kind: Literal["choice", "fill_in", "open"]
    """One of the options, a few words, or free text."""
    title: Title
    options: dict[Code, Option] = {}


class Survey(Section):
    """What is asked, how long it can be answered, and what follows from dissatisfaction."""

    questions: dict[Code, Question]
    open_for: Term
    """From the telling of the result. It ends with that time and never holds a case open: silence closes as ever."""
    dissatisfied: Literal["reopen", "escalate", "record"] = "record"
    """`reopen` as a rejection does, as often as the contract reopens; `escalate` tells `tell`."""
    tell: Names = ()
    """Roles told of dissatisfaction; with `reopen`, where the case cannot be reopened any more."""
