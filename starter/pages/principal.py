"""The principal's pages: what waits for its word, its open cases, and the lists of what could be abused.

Every form acts by POST alone and once. Whoever holds no office of the principal in this contract now is shown nothing;
nobody sees what is internal, or a case of another contract.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from starter.client import Ombud
from starter.pages.accesses import address_of
from starter.pages.ground import Ground, PageError
from starter.pages.once import STATUS, IncompleteError, Outcome, mark_of, new_mark, tell_once
from starter.pages.principal_acts import Act, act_of
from starter.pages.principal_case import case_of
from starter.pages.principal_reader import Principal, principal_of
from starter.pages.uploading import Sent, form_with_file
from storage import evidence, principal
from storage.supervision import List
from templates.links import Addressed
from templates.words import zone_of

LISTS: tuple[List, ...] = (
    *("reported late", "corrected", "lowered", "withdrawn", "merged", "waived", "waited for us", "demanded"),
)
"""What could be abused, for the principal to see (invariants 2, 5, 7; rules 15, 60)."""

LONGEST_NUMBER = 6
"""Digits of the number of a page."""

Form = Mapping[str, Sequence[str]]


class PrincipalPage:
    """`/p/<token>`; the token stands for a contract and a person of its principal."""

    def __init__(self, ground: Ground, ombud: Ombud) -> None:
        self._ground = ground
        self._ombud = ombud

    def mount(self, router: APIRouter) -> None:
        """Adds its addresses."""
        router.add_api_route("/p/{token}", self.show, methods=["GET", "HEAD"])
        router.add_api_route("/p/{token}", self.act, methods=["POST"])
        router.add_api_route("/p/{token}/list/{name}", self.list, methods=["GET", "HEAD"])
        router.add_api_route("/p/{token}/case/{reference}", self.case, methods=["GET", "HEAD"])
        router.add_api_route("/p/{token}/case/{reference}", self.act_on, methods=["POST"])

    async def show(self, token: str, request: Request, page: str = "1") -> HTMLResponse:
        """What waits, the open cases and the lists."""
        return await self._overview(token, address_of(request), _page(page))

    async def act(self, token: str, request: Request) -> HTMLResponse:
        """Answer or contest a request, or answer a late report."""
        form, _ = await form_with_file(request, "file")
        return await self._act(token, address_of(request), form, form.get("reference", [""])[0], None, "overview")

    async def act_on(self, token: str, reference: str, request: Request) -> HTMLResponse:
        """Waive a promise of one case, or demand more of it."""
        form, sent = await form_with_file(request, "file")
        return await self._act(token, address_of(request), form, reference, sent, "case")

    async def list(self, token: str, name: str) -> HTMLResponse:
        """One of the lists, all of it."""
        return await self._list(token, name)

    async def case(self, token: str, reference: str, request: Request) -> HTMLResponse:
        """How one case stands, and what the principal may do about it."""
        return await self._case(token, address_of(request), reference)

    async def _list(self, token: str, name: str) -> HTMLResponse:
        wanted = next((one for one in LISTS if one.replace(" ", "-") == name), None)
        if wanted is None:
            raise PageError("bad", 404)
        async with self._ground.reading() as db:
            who = await principal_of(self._ground, db, token)
            items = await principal.listed(db, wanted, who.contract.contract, who.reader.id)
        return self._page("principal_list.html", who, 200, token=token, wanted=wanted, items=items)

    async def _overview(
        self,
        token: str,
        address: str | None,
        page: int = 1,
        form: Form | None = None,
        problem: str = "",
        status: int = 200,
    ) -> HTMLResponse:
        async with self._ground.reading() as db:
            who = await principal_of(self._ground, db, token)
            name, person = who.contract.contract, who.reader.id
            asked = await principal.asked(db, name, person)
            reports = [
                report
                for report in await principal.late_reports(db, name, person)
                if (pinned := await self._ground.contract(db, report.version))
                and pinned.late_reports.confirmed_by in who.roles
            ]
            cases, pages = await principal.open_cases(db, name, person, page)
            words = await who.words(self._ground, db, [request.complaint for request in asked], address)
            on_lists = await principal.counts(db, name, person)
        return self._page(
            "principal.html",
            who,
            status,
            token=token,
            asked=asked,
            reports=reports,
            cases=cases,
            page=page,
            pages=pages,
            counts={one: on_lists[one] for one in LISTS},
            said=words,
            mark=new_mark(),
            given=_first(form),
            problem=problem,
        )

    async def _case(
        self,
        token: str,
        address: str | None,
        reference: str,
        form: Form | None = None,
        problem: str = "",
        status: int = 200,
    ) -> HTMLResponse:
        async with self._ground.reading() as db:
            who = await principal_of(self._ground, db, token)
            case = await case_of(self._ground, db, who, reference, address)
        file = self._ground.links("case").onward(Addressed(case.complaint, who.reader.id), who.expires_at)
        return self._page(
            "principal_case.html",
            who,
            status,
            token=token,
            case=case,
            file=file,
            mark=new_mark(),
            given=_first(form),
            problem=problem,
        )

    async def _act(
        self,
        token: str,
        address: str | None,
        form: Form,
        reference: str,
        sent: Sent | None,
        back: Literal["overview", "case"],
    ) -> HTMLResponse:
        async with self._ground.reading() as db:
            who = await principal_of(self._ground, db, token)
            case = await case_of(self._ground, db, who, reference, address)
        try:
            mark = mark_of(form)
            act = act_of(who, case, form, sent)
        except IncompleteError as incomplete:
            if back == "case":
                return await self._case(token, address, reference, form, str(incomplete), 422)
            return await self._overview(token, address, 1, form, str(incomplete), 422)
        await self._keep(case.complaint, act)
        outcome = await tell_once(self._ground, self._ombud, token, mark, case.complaint, act.command)
        return self._done(token, who, case.reference, act, outcome, back)

    async def _keep(self, complaint: str, act: Act) -> None:
        """What was signed is kept before the complaint hears of it, and stays even if the complaint refuses."""
        if act.proof:
            async with self._ground.reading() as db:
                await evidence.keep(db, self._ground.vault, complaint, act.proof)

    def _done(
        self, token: str, who: Principal, reference: str, act: Act, outcome: Outcome, back: Literal["overview", "case"]
    ) -> HTMLResponse:
        return self._page(
            "principal_done.html",
            who,
            STATUS[outcome.became],
            token=token,
            reference=reference,
            done=act.command.name,
            outcome=outcome,
            back=f"/p/{token}" if back == "overview" else f"/p/{token}/case/{reference}",
        )

    def _page(self, name: str, who: Principal, status: int, **values: Any) -> HTMLResponse:
        zone = zone_of(who.reader.zone, who.zone)
        return self._ground.page(name, who.reader.language, zone, status, who=who, now=datetime.now(UTC), **values)


def _page(given: str) -> int:
    """A page of the open cases; the first one for what is no number of one."""
    return max(1, int(given)) if given.isascii() and given.isdigit() and len(given) <= LONGEST_NUMBER else 1


def _first(form: Form | None) -> dict[str, str]:
    return {name: values[0] for name, values in (form or {}).items() if values}
