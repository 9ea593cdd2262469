"""The answer to a message: which of its notices, and what follows. Told to every complaint concerned."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from rules.commands import Acknowledge
from rules.values import Actor
from starter.client import Ombud
from starter.errors import Closed, NotFound, NoWorker, OmbudError, Refused, Unreachable
from templates.letter import Letter, Line

AT_ONCE = 10
"""Complaints told at the same time."""

LONGEST = timedelta(days=30)
"""Nobody takes a case over for longer; the ladder rests so long. It is also how long a link lives."""

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
    """What one complaint said to it, or what became of the answer to a crowd; `stands` is what was acknowledged before
    and is left as it was."""

    reference: str
    lines: tuple[Line, ...]
    became: Literal["taken", "stands", "refused", "later"]
    reason: str = ""
    """The stable name of a refusal."""
    said: str = ""
    """The refusal in the core's own English words."""

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
    if form.get("which", [""])[0] == "all" and "only" not in form:
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
    """The numbers of the chosen lines, out of those that there are: the one whose own button was pressed, else the
    ticked ones."""
    wanted = set(form.get("only") or form.get("line", ()))
    return tuple(number for number in lines if str(number) in wanted)


def _until(given: str, zone: ZoneInfo, now: datetime) -> datetime:
    try:
        until = datetime.fromisoformat(given).replace(tzinfo=zone)
        over, far = until <= now, until > now + LONGEST
    except (ValueError, OverflowError) as wrong:
        raise IncompleteError("until_missing") from wrong
    if over:
        raise IncompleteError("until_past")
    if far:
        raise IncompleteError("until_far")
    return until


async def tell(ombud: Ombud, letter: Letter, person: str, answered: Answered) -> list[Result]:
    """Acknowledge the chosen notices of single cases, in the name of the role each went to; one result a complaint and
    role.

    The same answer to the same message is taken once, however often it is sent.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(complaint: str, role: str, lines: Sequence[Line]) -> Result:
        async with limit:
            return await _tell(ombud, letter.id, person, answered, complaint, role, lines)

    chosen = by_case(line for line in letter.lines if line.number in answered.lines and not line.crowd)
    return list(await asyncio.gather(*(one(*about, lines) for about, lines in chosen.items())))


def by_case(lines: Iterable[Line]) -> dict[tuple[str, str], list[Line]]:
    """Lines by the complaint and the role they belong to."""
    found: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        found.setdefault((line.complaint, line.role), []).append(line)
    return found


async def _tell(
    ombud: Ombud, message: str, person: str, answered: Answered, complaint: str, role: str, lines: Sequence[Line]
) -> Result:
    command = Acknowledge(
        by=Actor(role=role, person=person),
        via="page",
        authenticated_as=f"link:acknowledge/{person}",
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
    except Refused as refused:
        return Result(reference, tuple(lines), "refused", refused.reason, str(refused))
    except OmbudError as error:
        return Result(reference, tuple(lines), "refused", said=str(error))
    return Result(reference, tuple(lines), "taken")
