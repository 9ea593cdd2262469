"""The answer to a message: which of its notices, and what follows. Told to every complaint concerned."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from rules.commands import Acknowledge
from rules.values import Actor
from starter.client import Ombud
from starter.errors import Closed, NotFound, NoWorker, OmbudError, Unreachable
from templates.letter import Letter, Line

AT_ONCE = 10
"""Complaints told at the same time."""

Follow = Literal["noted", "taken_over", "passed"]


class IncompleteError(Exception):
    """Something is missing in the form; the message is the name of the words that say what (templates)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The form, read and complete."""

    lines: tuple[int, ...]
    follow: Follow
    until: datetime | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one complaint said to it."""

    reference: str
    lines: tuple[Line, ...]
    became: Literal["taken", "refused", "later"]
    reason: str = ""


def read_form(
    form: Mapping[str, Sequence[str]], lines: int, roles: Collection[str], zone: ZoneInfo, now: datetime
) -> Answered:
    """The form as sent. Its time is on the recipient's wall, in `zone`. Raises IncompleteError."""
    chosen = chosen_lines(form, lines)
    if not chosen:
        raise IncompleteError("nothing_chosen")
    match form.get("follow", [""])[0]:
        case "noted":
            return Answered(chosen, "noted")
        case "taken_over":
            return Answered(chosen, "taken_over", until=_until(form.get("until", [""])[0], zone, now))
        case "passed":
            to = form.get("to", [""])[0]
            if to not in roles:
                raise IncompleteError("to_missing")
            return Answered(chosen, "passed", to=to)
    raise IncompleteError("follow_missing")


def chosen_lines(form: Mapping[str, Sequence[str]], lines: int) -> tuple[int, ...]:
    """The positions of the chosen notices in their message, of which there are `lines`."""
    return tuple(n for n in range(lines) if str(n) in form.get("line", ()))


def _until(given: str, zone: ZoneInfo, now: datetime) -> datetime:
    try:
        until = datetime.fromisoformat(given).replace(tzinfo=zone)
        over = until <= now
    except (ValueError, OverflowError) as wrong:
        raise IncompleteError("until_missing") from wrong
    if over:
        raise IncompleteError("until_past")
    return until


async def tell(ombud: Ombud, letter: Letter, person: str, answered: Answered) -> list[Result]:
    """Acknowledge the chosen notices, in the name of the role each went to; one result a complaint and role.

    The same answer to the same message is taken once, however often it is sent.
    """
    chosen: dict[tuple[str, str], list[Line]] = {}
    for index in answered.lines:
        line = letter.lines[index]
        chosen.setdefault((line.complaint, line.role), []).append(line)
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(complaint: str, role: str, lines: Sequence[Line]) -> Result:
        async with limit:
            return await _tell(ombud, letter.id, person, answered, complaint, role, lines)

    return list(await asyncio.gather(*(one(*about, lines) for about, lines in chosen.items())))


async def _tell(
    ombud: Ombud, message: str, person: str, answered: Answered, complaint: str, role: str, lines: Sequence[Line]
) -> Result:
    command = Acknowledge(
        by=Actor(role=role, person=person),
        via="page",
        notices=tuple(line.key for line in lines),
        follow=answered.follow,
        until=answered.until,
        to=answered.to,
    )
    # Message and content make the key: a second press of the button changes nothing, another answer is another command.
    key = hashlib.sha256(f"{message}\n{command.model_dump_json()}".encode()).hexdigest()[:40]
    reference = complaint.partition("/")[2]
    try:
        await ombud.tell(complaint, command, key=f"page-{key}")
    except (NoWorker, Unreachable):
        return Result(reference, tuple(lines), "later")
    except (Closed, NotFound):
        return Result(reference, tuple(lines), "refused", "closed")
    except OmbudError as refused:
        return Result(reference, tuple(lines), "refused", str(refused))
    return Result(reference, tuple(lines), "taken")
