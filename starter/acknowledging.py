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
    """What one complaint said to it, or what became of the answer to a crowd."""

    reference: str
    lines: tuple[Line, ...]
    became: Literal["taken", "refused", "later"]
    reason: str = ""
    """In its own words, or the name of the words that say it (templates)."""

    @property
    def size(self) -> int:
        """How many cases it is about."""
        return max(line.size for line in self.lines)


def read_form(
    form: Mapping[str, Sequence[str]], lines: Collection[int], roles: Collection[str], zone: ZoneInfo, now: datetime
) -> Answered:
    """The form as sent, about lines of these numbers. Its time is on the recipient's wall, in `zone`.

    Raises IncompleteError.
    """
    chosen = chosen_lines(form, lines)
    if form.get("which", [""])[0] == "all":
        if chosen:
            raise IncompleteError("all_or_some")
        shown = set(form.get("shown", [""])[0].split())
        chosen = tuple(number for number in lines if str(number) in shown)
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


def chosen_lines(form: Mapping[str, Sequence[str]], lines: Collection[int]) -> tuple[int, ...]:
    """The numbers of the lines that are ticked, out of those that there are."""
    ticked = set(form.get("line", ()))
    return tuple(number for number in lines if str(number) in ticked)


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
    """Acknowledge the chosen notices of single cases, in the name of the role each went to; one result a complaint and
    role.

    The same answer to the same message is taken once, however often it is sent.
    """
    chosen: dict[tuple[str, str], list[Line]] = {}
    for line in letter.lines:
        if line.number in answered.lines and not line.crowd:
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
