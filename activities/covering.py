"""Tells complaints of the answer to a crowd that they stand in: those it was given for, and those that joined since.

What is left to tell is asked of Postgres, so that a round that breaks off is gone on with by the next, and somebody who
answers for a thousand cases waits for none of them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.client import Client

from activities.poke import command
from rules.commands import Acknowledge
from rules.values import Actor
from storage import crowds

AT_ONCE = 10
"""Complaints told at the same time."""

TOLD = 100
"""Complaints told between two records of it: so many are told again when a round breaks off, which changes nothing."""

Way = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


class Answered(NamedTuple):
    """An acknowledgement for one complaint, and the notices of a crowd that it answers."""

    complaint: str
    command: Acknowledge
    notices: tuple[crowds.Uncovered, ...]


async def cover(questions: Way, transaction: Way, client: Client, person: str) -> None:
    """Tell what this person answered and complaints have not heard. Raises RPCError, and what a transaction does."""
    async with questions() as db:
        left = answered(await crowds.uncovered(db, person))
    limit = asyncio.Semaphore(AT_ONCE)

    async def tell(one: Answered) -> None:
        async with limit:
            await command(client, one.complaint, one.command)

    for batch in (left[start : start + TOLD] for start in range(0, len(left), TOLD)):
        await asyncio.gather(*(tell(one) for one in batch))
        async with transaction() as db:
            await crowds.covered(db, [notice for one in batch for notice in one.notices])


def answered(uncovered: Iterable[crowds.Uncovered]) -> list[Answered]:
    """One acknowledgement for each complaint and answer, in the name of whoever answered; told twice, it is one."""
    found: dict[tuple[str, str, int], list[crowds.Uncovered]] = {}
    for one in uncovered:
        found.setdefault((one.complaint, one.message, one.answer.seq), []).append(one)
    told = []
    for (complaint, message, seq), notices in found.items():
        answer, keys = notices[0].answer, tuple(one.notice for one in notices)
        name = "\n".join((message, str(seq), *keys))
        acknowledge = Acknowledge(
            key=f"crowd-{hashlib.sha256(name.encode()).hexdigest()[:40]}",
            by=Actor(role=answer.role, person=answer.person),
            via="page",
            authenticated_as=f"link:acknowledge/{answer.person}",  # a crowd is answered nowhere else
            notices=keys,
            follow=answer.follow,
            until=answer.until,
            to=answer.passed_to,
        )
        told.append(Answered(complaint, acknowledge, tuple(notices)))
    return told
