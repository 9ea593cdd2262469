"""The lists of whoever supervises, and the record of who had access."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Depends
from pydantic import Field

from rules.access import hidden
from rules.values import Name, Value
from starter.api.access import About, Caller, asks
from starter.api.problems import ApiError
from starter.api.query import Query, Time, parameters, query
from storage import access_log, reading
from storage.supervision import List, supervised


class OfContract(Query):
    contract: Name
    """The contract whose list it is."""


class Item(Value):
    """One thing on a list."""

    complaint: str
    seq: int | None
    """The ledger entry; null for what is about a clock."""
    clock: str | None
    at: datetime
    recorded_at: datetime
    by: str | None
    detail: dict[str, Any]


class Items(Value):
    items: tuple[Item, ...]


class Which(Query):
    token: Annotated[str, Field(max_length=20)] | None = None
    contract: Name | None = None
    complaint: Annotated[str, Field(max_length=201)] | None = None
    """contract/reference."""
    refused: bool = False
    """Only what was refused."""
    since: Time | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    cursor: Annotated[str, Field(max_length=2000)] | None = None


class Seen(Value):
    """One access, or one attempt that was refused."""

    at: datetime
    via: Literal["http", "cli"]
    action: str
    allowed: bool
    token: str | None
    person: str | None
    address: str | None
    contract: str | None
    complaint: str | None
    reason: str | None


class Accesses(Value):
    accesses: tuple[Seen, ...]
    next: str | None


def routes() -> APIRouter:
    """Lists of supervision and of accesses."""
    router = APIRouter(tags=["supervision"])
    path = {
        "name": "list",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": [name.replace(" ", "-") for name in LISTS]},
    }
    router.add_api_route(
        "/supervision/{list}",
        supervision,
        methods=["GET"],
        name="supervise",
        operation_id="supervise",
        summary="What needs a second look",
        response_model=Items,
        openapi_extra={"parameters": [path, *parameters(OfContract)]},
    )
    router.add_api_route(
        "/access",
        accesses,
        methods=["GET"],
        name="access",
        operation_id="list_access",
        summary="Who had access, and who was refused, the latest first",
        response_model=Accesses,
        openapi_extra={"parameters": parameters(Which)},
    )
    return router


LISTS: tuple[List, ...] = get_args(List)


async def supervision(
    caller: Annotated[Caller, Depends(asks("supervise"))], wanted: Annotated[OfContract, Depends(query(OfContract))]
) -> Any:
    asked = caller.request.path_params["list"]
    name = next((name for name in LISTS if name.replace(" ", "-") == asked), None)
    if name is None:
        raise ApiError(404, "not-found", f"There is no such list; there are {', '.join(LISTS).replace(' ', '-')}.")
    caller.about = About(wanted.contract)
    caller.grant.reach(wanted.contract)
    async with caller.front.transaction() as connection:
        await caller.note(connection, name)
        found = await supervised(connection, name, wanted.contract)
        seen = await caller.visible(connection, {item.complaint for item in found})
        kept: dict[str, set[int]] = {}
        if caller.grant.confined:
            for complaint in seen:
                kept[complaint] = hidden(await reading.entries(connection, complaint))
    shown = (i for i in found if i.complaint in seen and i.seq not in kept.get(i.complaint, ()))
    return Items(items=tuple(Item(**{n: getattr(i, n) for n in Item.model_fields}) for i in shown))


async def accesses(
    caller: Annotated[Caller, Depends(asks("admin"))], wanted: Annotated[Which, Depends(query(Which))]
) -> Any:
    """A token that is bound to contracts sees what is about one of them, which it has to name."""
    caller.about = About(wanted.contract)
    if caller.grant.contracts is not None:
        caller.grant.reach(wanted.contract or "*")
    of = f"{caller.grant.token} {wanted.model_dump_json(exclude={'cursor', 'limit'})}"
    before = caller.front.cursors.read(of, wanted.cursor)[0] if wanted.cursor else None
    filters = wanted.model_dump(exclude={"cursor"}) | {"limit": wanted.limit + 1}
    async with caller.front.transaction() as connection:
        found = await access_log.listed(connection, **filters, before=before)
    page = found[: wanted.limit]
    more = caller.front.cursors.write(of, [page[-1][0]]) if len(found) > wanted.limit else None
    return Accesses(accesses=tuple(Seen(**{n: getattr(a, n) for n in Seen.model_fields}) for _, a in page), next=more)
