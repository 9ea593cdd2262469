"""The page behind the link of a mail: what the message said, and one small form to answer it.

Mail scanners open every link, so a GET changes nothing; only the form's POST acts, and each notice is answered once.
It works without JavaScript.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.contract import Contract, Language
from starter.acknowledging import LONGEST, Answered, IncompleteError, Result, by_case, chosen_lines, read_form, tell
from starter.client import Ombud
from starter.crowd_answers import remind, tell_crowds
from starter.pages.ground import COMPLAINED_ABOUT, Ground, PageError, form_of
from storage import crowds, directory, posts, used_links
from storage.directory import Person
from storage.impartiality import concerns
from templates.letter import UTC as UTC_ZONE
from templates.letter import Answer, Letter, Line
from templates.lines import gathered, line_of
from templates.words import zone_of

STATUS = {"taken": 200, "stands": 200, "refused": 409, "later": 503}
"""The best of what became of the chosen notices says how the answer as a whole went."""


class AcknowledgePage:
    """`/a/<token>`; the token stands for a message."""

    def __init__(self, ground: Ground, ombud: Ombud) -> None:
        self._ground = ground
        self._ombud = ombud

    def mount(self, router: APIRouter) -> None:
        """Adds its addresses."""
        router.add_api_route("/a/{token}", self.show, methods=["GET", "HEAD"])
        router.add_api_route("/a/{token}", self.answer, methods=["POST"])

    async def show(self, token: str) -> HTMLResponse:
        """What the message said, and how each of its notices stands now."""
        letter, _, roles = await self._letter(token)
        return self._form(letter, roles)

    async def answer(self, token: str, request: Request) -> HTMLResponse:
        """Acknowledge, and say what was taken, what stood already and what was not taken."""
        form = await form_of(request)
        letter, person, roles = await self._letter(token)
        try:
            answered = read_form(form, numbers(letter), roles, letter.zone, datetime.now(UTC))
        except IncompleteError as incomplete:
            return self._form(letter, roles, form, str(incomplete), status=422)
        results = await self._once(token, letter, person, answered)
        return self._ground.page(
            "acknowledged.html",
            letter.language,
            letter.zone,
            next(s for became, s in STATUS.items() if any(result.became == became for result in results)),
            letter=letter,
            results=results,
            follow=answered.follow,
            until=answered.until,
            to=roles.get(answered.to or "", ""),
            anything=any(result.became == "taken" for result in results),
        )

    async def _once(self, token: str, letter: Letter, person: Person, answered: Answered) -> list[Result]:
        """Tell of those of the chosen notices that nobody answered before; the others stand as they are."""
        chosen = [line for line in letter.lines if line.number in answered.lines]
        whats = {line.number: line.crowd or line.key for line in chosen if line.answer is None}
        async with self._ground.acting, self._ground.reading() as db:
            # Held until the complaints have answered: the same form sent at the same time waits, and finds it used.
            fresh = await used_links.use(db, token, list(whats.values()), datetime.now(UTC))
            now = replace(answered, lines=tuple(n for n, what in whats.items() if what in fresh))
            results = await tell_crowds(self._ground.engine, self._ground.vault, self._ombud, letter, person.id, now)
            results += await tell(self._ombud, letter, person.id, now)
            missed = [whats[line.number] for one in results if one.became != "taken" for line in one.lines]
            await used_links.release(db, token, missed)
        stood = by_case(line for line in chosen if line.number not in now.lines)
        if any(line.crowd for lines in stood.values() for line in lines):
            await remind(self._ombud, person.id)
        return results + [
            Result(lines[0].incident if lines[0].cases else lines[0].reference, tuple(lines), "stands")
            for lines in stood.values()
        ]

    async def _letter(self, token: str) -> tuple[Letter, Person, dict[str, str]]:
        """The message as it stands now, whom it was sent to, and the roles it can be passed to. Raises PageError."""
        message, id_ = self._ground.opened("acknowledge", token)
        async with self._ground.reading() as db:
            if await posts.recipient(db, message) != id_:
                raise PageError("bad", 404, "sent to somebody else")
            person = await self._ground.person(db, id_)
            told = await posts.told(db, message=message)
            versions = {row["case_version"]: await self._ground.contract(db, row["case_version"]) for row in told}
            pinned = [versions[row["case_version"]] for row in told]
            plain = [line_of(row, contract, person.language) for row, contract in zip(told, pinned, strict=True)]
            lines = await _answered(db, token, told, plain, pinned, person)
            answers = await crowds.answers(db, message)
            about = {(row["case_contract"], row["case_incident"]) for row in told if row["notice_crowd"]}
            counted = await crowds.open_cases(db, about)
        letter = Letter(
            id=message,
            language=person.language,
            zone=zone_of(person.zone, next((line.zone for line in lines), UTC_ZONE)),
            name=person.name,
            lines=tuple(
                gathered(
                    lines,
                    {
                        crowd: Answer(
                            said.answered_at,
                            person.name if said.person == id_ else said.person,
                            said.follow,
                            said.until,
                        )
                        for crowd, said in answers.items()
                    },
                    counted,
                    hidden={row["notice_key"] for row in told if concerns(row, id_)},
                )
            ),
            written_at=datetime.now(UTC),
        )
        if not letter.lines:
            raise PageError("withheld", 403, COMPLAINED_ABOUT)
        return letter, person, _roles(versions, {line.role for line in letter.lines}, person.language)

    def _form(
        self,
        letter: Letter,
        roles: Mapping[str, str],
        form: Mapping[str, list[str]] | None = None,
        problem: str = "",
        status: int = 200,
    ) -> HTMLResponse:
        given = form or {}
        now = letter.written_at.astimezone(letter.zone)
        return self._ground.page(
            "acknowledge.html",
            letter.language,
            letter.zone,
            status,
            letter=letter,
            roles=roles,
            problem=problem,
            chosen=None if form is None else chosen_lines(given, numbers(letter)),
            which=given.get("which", ["all"])[0],
            follow=given.get("follow", ["noted"])[0],
            until=given.get("until", [""])[0],
            to=given.get("to", [""])[0],
            earliest=f"{now:%Y-%m-%dT%H:%M}",
            latest=f"{now + LONGEST:%Y-%m-%dT%H:%M}",
        )


def numbers(letter: Letter) -> list[int]:
    """By which a form names the lines of a message."""
    return [line.number for line in letter.lines]


async def _answered(
    db: AsyncConnection,
    token: str,
    told: list[posts.Told],
    lines: list[Line],
    contracts: list[Contract | None],
    who: Person,
) -> list[Line]:
    """The lines with who answered them, and who answered other notices about the same clock before, by name.

    The principal does not see who of the handler answered. What this link answered a moment ago may not stand in the
    projections yet.
    """
    about = {(row["notice_complaint"], row["notice_clock"]) for row in told if row["notice_clock"]}
    found = await posts.acknowledged(db, sorted(about)) if about else []
    used = await used_links.used(db, token)
    known = await directory.stored(db)

    def name(person: str) -> str:
        return known.people[person].name if known and person in known.people else person

    def answer(line: Line, row: posts.Told, contract: Contract | None) -> Line:
        own = line.answer and replace(line.answer, by=name(line.answer.by))
        if own is None and not line.crowd and line.key in used:
            own = Answer(used[line.key], who.name, follow="")
        before = []
        for said in found:
            same = (said.complaint, said.clock) == (
                row["notice_complaint"],
                row["notice_clock"],
            ) and said.key != line.key
            if same and (said.role.startswith("principal.") or not line.role.startswith("principal.")):
                held = contract.roles.get(said.role) if contract else None
                title = contract.words(held.title, who.language) if contract and held else said.role
                by = title if said.person == said.role else f"{name(said.person)} ({title})"
                before.append(Answer(said.at, by, said.follow, said.until))
        return replace(line, answer=own, before=tuple(before))

    return [answer(*one) for one in zip(lines, told, contracts, strict=True)]


def _roles(versions: Mapping[Any, Contract | None], own: set[str], language: Language) -> dict[str, str]:
    """The roles that every contract of the message knows, with their titles, but for the recipient's only one."""
    known = [contract for contract in versions.values() if contract is not None]
    if not known:
        return {}
    common = set.intersection(*(set(contract.roles) for contract in known))
    without = own if len(own) == 1 else set()
    return {
        role: known[0].words(held.title, language) for role, held in known[0].roles.items() if role in common - without
    }
