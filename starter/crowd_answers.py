"""The answer to a whole crowd: on record with the message that told it; its recipient's Post tells each complaint.

So one press of a button holds for however many cases there are, and for those that join later.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.service import RPCError

from activities.poke import poke
from rules.values import Actor
from starter.acknowledging import Answered, Result
from starter.client import Ombud
from storage import crowds
from storage.content import Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction
from templates.letter import Letter, Line


async def tell_crowds(
    engine: AsyncEngine, vault: Vault, ombud: Ombud, letter: Letter, person: str, answered: Answered
) -> list[Result]:
    """Answer the chosen crowds of a message, each in the name of the role that it was told to; one result a crowd.

    What is on record is told even when nobody can be poked now: pressing again pokes again.
    """
    chosen = [line for line in letter.lines if line.crowd and line.number in answered.lines]
    if not chosen:
        return []
    try:
        async with transaction(engine) as connection:
            stood = {
                line.crowd: await crowds.answer(
                    connection,
                    vault,
                    letter.id,
                    line.crowd,
                    Actor(role=line.role, person=person),
                    follow=answered.follow,
                    until=answered.until,
                    to=answered.to,
                    now=datetime.now(UTC),
                )
                for line in chosen
            }
        await poke(ombud.temporal, ombud.task_queue, person)
    except (PostgresUnreachableError, SchemaMissingError, RPCError):
        return [Result(line.incident, (line,), "later") for line in chosen]
    return [_result(line, taken=stood[line.crowd]) for line in chosen]


async def remind(ombud: Ombud, person: str) -> None:
    """Have a recipient's Post look again whether complaints still have to hear of an answer that stands."""
    with suppress(RPCError):
        await poke(ombud.temporal, ombud.task_queue, person)


def _result(line: Line, *, taken: bool) -> Result:
    if taken:
        return Result(line.incident, (line,), "taken")
    return Result(line.incident, (line,), "stands")
