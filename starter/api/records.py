"""The record table (rule 15): listed, counted, searched, and streamed whole as CSV and NDJSON."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import Field, StringConstraints, model_validator

from rules.values import Code, Name, Value
from starter.api.access import About, Caller, asks
from starter.api.problems import ApiError
from starter.api.query import Query, Time, parameters, query
from storage import records
from storage.records import Asked, Count, Dimension, Record

Reader = Annotated[Caller, Depends(asks("read"))]


class Filters(Query):
    """Which rows of the record table. A filter that is left out restricts nothing."""

    contract: Name | None = None
    kind: Code | None = None
    category: Code | None = None
    level: Code | None = None
    stage: Code | None = None
    channel: Code | None = None
    outcome: Code | None = None
    """upheld, partly or not_upheld."""
    responsible: Name | None = None
    """The person who owns it, or the role that handles it until a person does."""
    received_from: Time | None = None
    received_before: Time | None = None
    due_before: Time | None = None
    """With a running clock due before then."""
    missed: bool | None = None
    """true: with a missed clock; false: without any."""
    closed: bool | None = None

    def asked(self, caller: Caller) -> Asked:
        """As storage understands it, within the caller's sight. Raises Denied for a contract that is not theirs."""
        caller.about = About(self.contract)
        bound = caller.grant.contracts
        if self.contract is not None and bound is not None and self.contract not in bound:
            caller.grant.reach(self.contract)
        return Asked(**{name: getattr(self, name) for name in Filters.model_fields}, sight=caller.sight())


class Whole(Filters):
    """Which rows, and whether with their content."""

    content: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=200)] | None = None
    """Only complaints that say this, case aside. Content lies encrypted and is opened row by row, of the rows that the
    other filters leave; so a contract must be named."""
    texts: bool = False
    """With what each complaint says; for one contract at a time."""

    @model_validator(mode="after")
    def _narrow(self) -> Whole:
        if (self.content is not None or self.texts) and self.contract is None:
            raise ValueError("content and texts need `contract`: content is opened row by row; narrow it down")
        return self


class Paged(Whole):
    """A page of rows."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    """Rows of a page."""
    cursor: Annotated[str, Field(max_length=2000)] | None = None
    """`next` of the page before."""


class Counted(Filters):
    """What to count by."""

    by: Dimension = "stage"


class Page(Value):
    """Rows by receipt, the latest first."""

    records: tuple[Record, ...]
    next: str | None
    """The cursor of the next page; null at the end. A search may give few rows, or none, and go on."""


class Counts(Value):
    by: Dimension
    complaints: int
    counts: tuple[Count, ...]


def routes() -> APIRouter:
    """The table in its forms."""
    router = APIRouter(prefix="/records", tags=["record table"])
    get: Callable[..., Any] = router.add_api_route
    get(
        "",
        listed,
        name="list",
        operation_id="list_records",
        summary="List and search complaints",
        response_model=Page,
        openapi_extra={"parameters": parameters(Paged)},
    )
    get(
        "/counts",
        counted,
        name="count",
        operation_id="count_records",
        summary="Count complaints by one of their properties",
        response_model=Counts,
        openapi_extra={"parameters": parameters(Counted)},
    )
    for form, route, media in (("csv", as_csv, "text/csv"), ("ndjson", as_ndjson, "application/x-ndjson")):
        get(
            f".{form}",
            route,
            name=f"export:{form}",
            operation_id=f"export_{form}",
            summary=f"Every row as {form.upper()}, however many there are",
            response_class=StreamingResponse,
            responses={200: {"content": {media: {"schema": {"type": "string"}}}, "description": "Row by row"}},
            openapi_extra={"parameters": parameters(Whole)},
        )
    return router


async def listed(caller: Reader, wanted: Annotated[Paged, Depends(query(Paged))]) -> Any:
    asked = wanted.asked(caller)
    of = f"{caller.grant.token} {wanted.model_dump_json(exclude={'cursor', 'limit'})}"
    async with caller.front.transaction() as connection:
        await caller.note(connection, _opened(wanted))
        found = await records.page(
            connection,
            asked,
            limit=wanted.limit,
            after=caller.front.cursors.position(of, wanted.cursor),
            vault=caller.front.vault if _opened(wanted) else None,
            text=wanted.content,
        )
    shown = found.records if wanted.texts else [record.model_copy(update={"content": None}) for record in found.records]
    return Page(records=tuple(shown), next=caller.front.cursors.after(of, found.after))


async def counted(caller: Reader, wanted: Annotated[Counted, Depends(query(Counted))]) -> Any:
    asked = wanted.asked(caller)
    async with caller.front.transaction() as connection:
        await caller.note(connection)
        found = await records.counts(connection, asked, wanted.by)
    return Counts(by=wanted.by, complaints=sum(count.complaints for count in found), counts=tuple(found))


async def as_csv(caller: Reader, wanted: Annotated[Whole, Depends(query(Whole))]) -> StreamingResponse:
    return await _streamed(caller, wanted, _csv(wanted.texts), "text/csv; charset=utf-8", "csv")


async def as_ndjson(caller: Reader, wanted: Annotated[Whole, Depends(query(Whole))]) -> StreamingResponse:
    leave_out = set() if wanted.texts else {"content"}

    def line(record: Record | None) -> str:
        return "" if record is None else record.model_dump_json(exclude=leave_out) + "\n"

    return await _streamed(caller, wanted, line, "application/x-ndjson", "ndjson")


async def _streamed(
    caller: Caller, wanted: Whole, line: Callable[[Record | None], str], media: str, ending: str
) -> StreamingResponse:
    """The rows as they come out of the database: `line` of None is the head. Raises ApiError where too many run."""
    asked = wanted.asked(caller)
    front = caller.front
    if front.streams.locked():
        raise ApiError(
            429,
            "too-many-requests",
            "Other tables are on their way; ask again when they are through.",
            {"Retry-After": "5"},
        )
    async with front.transaction() as connection:
        await caller.note(connection, _opened(wanted))

    async def rows() -> AsyncIterator[str]:
        async with front.streams, front.transaction() as connection:
            yield line(None)
            vault = front.vault if _opened(wanted) else None
            async for record in records.stream(connection, asked, vault=vault, text=wanted.content):
                yield line(record)

    return StreamingResponse(
        rows(), media_type=media, headers={"Content-Disposition": f'attachment; filename="records.{ending}"'}
    )


def _opened(wanted: Whole) -> str | None:
    """What the record of accesses says of it, where content is opened; never the words that were looked for."""
    return "content opened" if wanted.texts or wanted.content is not None else None


def _csv(with_texts: bool) -> Callable[[Record | None], str]:
    names = [name for name in Record.model_fields if with_texts or name != "content"]

    def line(record: Record | None) -> str:
        out = io.StringIO()
        values = (
            names
            if record is None
            else [_cell(value) for value in record.model_dump(mode="json", include=set(names)).values()]
        )
        csv.writer(out).writerow(values)
        return out.getvalue()

    return line


def _cell(value: Any) -> str:
    """As a spreadsheet may show it: what it would run as a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join(map(_cell, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
