"""Survey answers in Postgres: rows from the ledger alone, and the figures over them."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import registry
from storage.content import Vault
from storage.database import transaction
from storage.rebuild import rebuild
from storage.recording import record
from storage.surveys import Figure, figures
from storage.tables import survey_answers
from tests.rules.test_survey import resolved
from tests.support.recorded import batch, claim, published
from tests.support.story import Story


async def put(engine: AsyncEngine, vault: Vault, *stories: Story) -> None:
    """Record stories under the contract with the survey."""
    async with transaction(engine) as connection:
        for story in stories:
            version = (await published(connection, story.law.contract)).version
            await registry.register(connection, [claim(story.case.reference)])
            await record(connection, vault, [batch(story, version)])


def answering(reference: str, option: str, words: str = "") -> Story:
    story = resolved(dissatisfied="record", tell=[])
    case = story.case.model_copy(update={"reference": reference})
    opening = story.entries[0].model_copy(update={"data": story.entries[0].data | {"reference": reference}})
    story.case, story.entries[0] = case, opening
    story.tell(
        "answer_survey", "2026-03-31 23:30", answers={"result": option}, words={"better": words} if words else {},
        occurred="2026-03-03 09:00",
    )  # fmt: skip
    return story


async def test_the_figures_count_each_question_by_month(engine: AsyncEngine, vault: Vault) -> None:
    """Answers, mean score and share of the dissatisfied; words are counted and have no score."""
    await put(engine, vault, answering("S-1", "good", "More."), answering("S-2", "bad"), answering("S-3", "bad"))
    async with transaction(engine) as connection:
        found = await figures(connection, "small")
        assert await figures(connection, "other") == []
    third = Decimal("0.6667")
    assert found == [
        Figure("2026-03", "product", "better", 1, None, None),
        Figure("2026-03", "service", "result", 3, Decimal("2.33"), third),
    ]


async def test_answers_can_be_derived_again(engine: AsyncEngine, vault: Vault) -> None:
    """The rows follow from the ledger: one that is lost or altered comes back as it was (invariant 18)."""
    await put(engine, vault, answering("S-1", "good", "More."))
    assert await rebuild(engine, apply=False) == []
    async with transaction(engine) as connection:
        before = (await connection.execute(select(survey_answers))).all()
        await connection.execute(survey_answers.update().values(score=1))
        await connection.execute(survey_answers.delete().where(survey_answers.c.question == "better"))
    found = await rebuild(engine, apply=True)
    assert {(one.key[-1], one.kind) for one in found} == {("better", "missing"), ("result", "different")}
    async with transaction(engine) as connection:
        assert sorted((await connection.execute(select(survey_answers))).all()) == sorted(before)
