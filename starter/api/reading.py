"""How one complaint stands: state, clocks, notices, ledger, texts. Each look at it is on record."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from rules.access import hidden
from rules.ledger import Entry
from rules.values import Value
from starter.api.access import Caller, asks
from starter.api.problems import ApiError
from starter.api.query import Nothing, Query, parameters, query
from starter.api.writing import PATH
from storage import reading
from storage.content import ErasedError
from storage.ledger import stream_of
from storage.reading import ClockState, NoticeState, State, Summary

Reader = Annotated[Caller, Depends(asks("read"))]
NoQuery = Annotated[Nothing, Depends(query(Nothing))]


class Standing(Summary):
    """A complaint as it stands, without its clocks, notices and ledger."""

    version: str
    """Of its contract, pinned at receipt."""
    raised_at: datetime | None
    recorded_at: datetime
    flags: dict[str, Any]
    """What is odd about it, by the entry that says so."""


class Clocks(Value):
    clocks: tuple[ClockState, ...]


class Notices(Value):
    notices: tuple[NoticeState, ...]


class Ledger(Value):
    entries: tuple[Entry, ...]


class Said(Value):
    """One text of a complaint."""

    seq: int
    """The ledger entry it belongs to."""
    field: str
    text: str


class Texts(Value):
    texts: tuple[Said, ...]


class WhichTexts(Query):
    entry: Annotated[int, Field(ge=1)] | None = None
    """Of this ledger entry alone."""


def routes() -> APIRouter:
    """Everything about one complaint."""
    router = APIRouter(prefix="/complaints/{contract}/{reference}", tags=["reading"])
    for path, route, model, told in (
        ("", state, Standing, "How a complaint stands"),
        ("/clocks", clocks, Clocks, "Its clocks, with clause, due and state"),
        ("/notices", notices, Notices, "Who was told what, and how far it came"),
        ("/ledger", ledger, Ledger, "What happened to it, without the texts"),
        ("/texts", texts, Texts, "What the customer and the handler wrote"),
    ):
        more = parameters(WhichTexts) if route is texts else []
        router.add_api_route(
            path,
            route,
            methods=["GET"],
            name=f"read:{route.__name__}",
            operation_id=f"read_{route.__name__}",
            summary=told,
            response_model=model,
            openapi_extra={"parameters": [*PATH, *more]},
        )
    return router


async def state(caller: Reader, _: NoQuery) -> Any:
    found = await _state(caller)
    return Standing.model_validate(found.model_dump())


async def clocks(caller: Reader, _: NoQuery) -> Any:
    return Clocks(clocks=(await _state(caller)).clocks)


async def notices(caller: Reader, _: NoQuery) -> Any:
    return Notices(notices=(await _state(caller)).notices)


async def ledger(caller: Reader, _: NoQuery) -> Any:
    return Ledger(entries=(await _state(caller)).entries)


async def texts(caller: Reader, wanted: Annotated[WhichTexts, Depends(query(WhichTexts))]) -> Any:
    complaint = caller.about.complaint or ""
    async with caller.reading() as connection:
        kept = hidden(await reading.entries(connection, complaint)) if caller.grant.confined else set()
        try:
            found = await caller.front.vault.read(connection, stream_of(complaint))
        except ErasedError as erased:
            raise ApiError(410, "erased", str(erased)) from None
    shown = [
        Said(seq=seq, field=field, text=text)
        for seq, fields in sorted(found.items())
        if seq not in kept and wanted.entry in (None, seq)
        for field, text in fields.items()
    ]
    return Texts(texts=tuple(shown))


async def _state(caller: Caller) -> State:
    """The complaint as this caller may see it."""
    async with caller.reading() as connection:
        found = await reading.state(connection, caller.about.complaint or "")
    assert found is not None  # noqa: S101  the same transaction has met it
    return without(found, hidden(found.entries)) if caller.grant.confined else found


def without(found: State, kept: set[int]) -> State:
    """A state without what these entries say."""
    return found.model_copy(
        update={
            "entries": tuple(entry for entry in found.entries if entry.seq not in kept),
            "notices": tuple(notice for notice in found.notices if notice.seq not in kept),
            "flags": {seq: flags for seq, flags in found.flags.items() if int(seq) not in kept},
        }
    )
