"""For operations and managers: what is due, overdue, unanswered and undeliverable, each line with its case file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.contract import Contract, Language
from rules.directory import EVERY
from starter.pages.ground import Ground, PageError
from starter.pages.reader import Reader, readable
from storage import desk
from storage.casefile import names
from storage.desk import Cursor, List, Listed, Wanted
from templates.entries import Naming
from templates.letter import UTC as UTC_ZONE
from templates.links import Addressed, Links
from templates.words import moment, zone_of

AT_FIRST = 25
"""Lines of each list on the page that shows all of them; the rest is one link away."""
LINES = 200
"""Lines of one list at once; the next ones are one link away."""

YEARS = range(1970, 9999)
"""Of the times on the lists; Postgres takes no other that a zone would carry over its ends."""

FILTERS = {"category": "category", "level": "level", "owner": "responsible"}
"""Names in the address, and those of the query."""


@dataclass(frozen=True, slots=True)
class Line:
    """One clock or notice, in words; `due` and `since` on the wall of its contract."""

    file: str
    ui: str
    reference: str
    contract: str
    title: str
    clause: str
    rung: str
    command: str
    due_at: datetime | None
    due: str
    provisional: bool
    since: str
    to: str
    reason: str
    who: str
    kind: str
    category: str
    level: str


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows."""

    title: str
    many: bool
    now: datetime
    counts: dict[List, int]
    lists: dict[List, list[Line]]
    links: dict[List, str]
    options: dict[str, dict[str, str]]
    chosen: dict[str, str]
    only: List | None
    whole: str
    unfiltered: str
    next: str


class DeskPage:
    """`/d/<token>`; the token stands for a contract, or `*` for every one in which its recipient handles cases."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._cases = ground.links("case")

    def mount(self, router: APIRouter) -> None:
        """Adds its address."""
        router.add_api_route("/d/{token}", self.show, methods=["GET", "HEAD"])

    async def show(self, token: str, request: Request) -> HTMLResponse:
        """The lists as they stand now; with `list` in the address one of them, whole, page by page."""
        (subject, id_), expires_at = self._ground.opened_until("desk", token)
        # A NUL stands in nothing that is on record, and Postgres takes none.
        chosen = {name: request.query_params.get(name, "").replace("\x00", "") for name in FILTERS}
        only = next((name for name in desk.LISTS if name == request.query_params.get("list")), None)
        after = _cursor(request.query_params.get("after", "")) if only else None
        now = datetime.now(UTC).replace(microsecond=0)
        async with self._ground.reading() as db:
            reader, own = await readable(self._ground, db, subject, id_, expires_at, "handler.")
            wanted = Wanted(tuple(own), id_, **{column: chosen[name] or None for name, column in FILTERS.items()})
            counts = await desk.counts(db, wanted)
            found = {
                name: await desk.listed(db, wanted, name, (LINES if only else AT_FIRST) + 1, after)
                for name in ((only,) if only else desk.LISTS)
                if only or counts[name]
            }
            people = await names(db)
            lists = {
                name: [await self._line(db, one, people, reader) for one in lines[: LINES if only else AT_FIRST]]
                for name, lines in found.items()
            }
            holding = await desk.responsible(db, Wanted(tuple(own), id_))
        last = found[only][LINES - 1] if only and len(found[only]) > LINES else None
        view = View(
            title="" if subject == EVERY else _words(own[subject], reader.language),
            many=len(own) > 1,
            now=now,
            counts=counts,
            lists=lists,
            links={name: _address(chosen, list=name) for name in desk.LISTS},
            options=_options(own, holding, people, reader.language),
            chosen=chosen,
            only=only,
            whole=_address(chosen),
            unfiltered=_address({}, list=only or ""),
            next=_address(chosen, list=only or "", after=f"{last.at.isoformat()}~{last.id}") if last else "",
        )
        return self._ground.page("desk.html", reader.language, zone_of(reader.zone, UTC_ZONE), view=view, reader=reader)

    async def _line(self, db: AsyncConnection, one: Listed, people: Mapping[str, str], reader: Reader) -> Line:
        contract = await self._ground.contract(db, one.version)
        naming = Naming(contract, reader.language, people) if contract else None
        zone = zone_of(one.zone, UTC_ZONE)
        category = naming.titled("category", one.category) if naming and one.category else None
        level = naming.titled("level", one.level) if naming and one.level else None
        who = naming.who(one.route, one.owner) if naming else None
        to = naming.who(one.role, one.person) if naming and one.role else None
        return Line(
            file=_onward(self._cases, one.complaint, reader),
            ui=self._ground.web_ui(one.complaint),
            reference=one.reference,
            contract=_words(contract, reader.language) if contract else one.contract,
            title=(naming.promise(one.obligation) if naming else one.obligation) if one.obligation else "",
            clause=one.clause or "",
            rung=naming.rung(one.rung or "") if naming else one.rung or "",
            command=one.command or "",
            due_at=one.due_at,
            due=moment(one.due_at, zone, reader.language) if one.due_at else "",
            provisional=bool(one.provisional),
            since=moment(one.at, zone, reader.language),
            to=" · ".join(part for part in (to.title or to.role, to.person) if part) if to else one.role or "",
            reason=one.reason or "",
            who=" · ".join(part for part in (who.title or who.role, who.person) if part) if who else one.route,
            kind=one.kind,
            category=category or one.category or "",
            level=level or one.level or "",
        )


def _onward(links: Links, complaint: str, reader: Reader) -> str:
    """The case file for the same reader. Relative, so that it holds behind any public address."""
    assert reader.expires_at is not None  # noqa: S101  this page is opened by a link alone
    return f"../c/{links.onward(Addressed(complaint, reader.id), reader.expires_at)}"


def _words(contract: Contract, language: Language) -> str:
    return contract.words(contract.title, language)


def _options(
    contracts: Mapping[str, Contract], holding: Sequence[str], people: Mapping[str, str], language: Language
) -> dict[str, dict[str, str]]:
    """What can be asked for, with its words."""
    categories: dict[str, str] = {}
    levels: dict[str, str] = {}
    roles: dict[str, str] = {}
    for contract in contracts.values():
        categories |= {key: contract.words(one.title, language) for key, one in contract.categories.items()}
        levels |= {key: contract.words(one.title, language) for key, one in contract.levels.items()}
        roles |= {key: contract.words(one.title, language) for key, one in contract.roles.items()}
    return {
        "category": categories,
        "level": levels,
        "owner": {id_: people.get(id_) or roles.get(id_, id_) for id_ in holding},
    }


def _address(chosen: Mapping[str, str], **more: str) -> str:
    given: dict[str, Any] = {name: value for name, value in {**chosen, **more}.items() if value}
    return f"?{urlencode(given)}"


def _cursor(text: str) -> Cursor | None:
    """The line behind which a list goes on; nothing when none is named. Raises PageError for none of ours."""
    if not text:
        return None
    at, _, id_ = text.partition("~")
    try:
        moment_ = datetime.fromisoformat(at)
    except ValueError:
        raise PageError("bad", 404) from None
    if moment_.tzinfo is None or moment_.year not in YEARS or "\x00" in id_:
        raise PageError("bad", 404)
    return Cursor(moment_, id_)
