"""Opening a complaint and telling it what was done. A write answers only when Temporal has it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import ValidationError

from rules.access import Denied
from rules.commands import COMMANDS, Command, OpenComplaint
from rules.ledger import explain_invalid
from rules.values import Value
from starter.api.access import About, Caller, asks
from starter.api.body import read_object
from starter.api.problems import ApiError
from starter.api.query import Nothing, Query, parameters, query
from starter.client import Told

FRONT_DOOR = ("authenticated_as", "via")
"""Fields that the front door fills in and takes from nobody."""

KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


class OpenedAs(Value):
    """The complaint that was opened, or that the same content had opened before."""

    complaint: str
    """`contract/reference`."""
    workflow_id: str
    run_id: str
    new: bool
    """Whether this request opened it."""


class Left(Value):
    """The command lies with the complaint, durably; if it is refused later, that stands in its ledger."""

    complaint: str
    durable: bool = True


class Durably(Query):
    durable: bool = False
    """Leave the command there even while no worker runs; nobody waits for an answer."""


def body(model: type[Value]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def routes() -> APIRouter:
    """Opening, and one route a command, so that the document shows the fields of each."""
    router = APIRouter()
    router.add_api_route(
        "/complaints",
        open_complaint,
        methods=["POST"],
        name="open",
        operation_id="open",
        summary="Open a complaint",
        description="The reference is its idempotency key: the same content again opens nothing and answers 200; "
        "other content under the same reference is a conflict.",
        tags=["complaints"],
        status_code=201,
        response_model=OpenedAs,
        responses={200: {"model": OpenedAs, "description": "Was open already with the same content"}},
        openapi_extra={"requestBody": body(OpenComplaint), "parameters": [KEY]},
    )
    for command in COMMANDS.values():
        router.add_api_route(
            f"/complaints/{{contract}}/{{reference}}/commands/{command.name}",
            _telling(command),
            methods=["POST"],
            name=f"act:{command.name}",
            operation_id=command.name,
            summary=" ".join((command.__doc__ or "").split()).partition(". ")[0].rstrip("."),
            description=" ".join((command.__doc__ or "").split()),
            tags=["commands"],
            response_model=Told,
            responses={202: {"model": Left, "description": "Left with the complaint (durable=true)"}},
            openapi_extra={"requestBody": body(command), "parameters": [*PATH, KEY, *parameters(Durably)]},
        )
    return router


PATH = [
    {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": 100}}
    for name in ("contract", "reference")
]


async def open_complaint(
    request: Request, caller: Annotated[Caller, Depends(asks("open"))], _: Annotated[Nothing, Depends(query(Nothing))]
) -> Response:
    given = await _given(request)
    _key(request)  # the reference is the key of an opening; a header that is none is refused all the same
    try:
        start = OpenComplaint.model_validate(given)
    except ValidationError as error:
        raise ApiError(422, "invalid", explain_invalid("The complaint", error)) from None
    caller.about = About(start.contract, start.reference)
    caller.grant.reach(start.contract, start.reference)
    opened = await caller.front.ombud.open(caller.grant.opening(start))
    answer = OpenedAs(complaint=opened.complaint, workflow_id=opened.workflow_id, run_id=opened.run_id, new=opened.new)
    where = {"Location": f"/v1/complaints/{opened.complaint}"}
    return _json(answer, 201 if opened.new else 200, where)


def _telling(command: type[Command]) -> Any:
    async def tell(
        request: Request,
        caller: Annotated[Caller, Depends(asks("act"))],
        how: Annotated[Durably, Depends(query(Durably))],
    ) -> Response:
        given = await _given(request)
        if (key := _key(request)) is not None and given.setdefault("key", key) != key:
            raise ApiError(
                409, "conflict", "The Idempotency-Key and the `key` of the body differ; send one of them, or the same."
            )
        try:
            parsed = command.model_validate(given)
        except ValidationError as error:
            raise ApiError(422, "invalid", explain_invalid(command.name, error)) from None
        act = caller.grant.acting(parsed)
        if caller.grant.looks:
            async with caller.front.transaction() as connection:
                await caller.meet(connection)
        complaint = caller.about.complaint or ""
        if how.durable:
            await caller.front.ombud.send(complaint, act)
            return _json(Left(complaint=complaint), 202)
        return _json(await caller.front.ombud.tell(complaint, act), 200)

    return tell


async def _given(request: Request) -> dict[str, Any]:
    """The body. Raises ApiError; Denied for one that claims what only the front door says."""
    given = await read_object(request)
    if claimed := [name for name in FRONT_DOOR if name in given]:
        raise Denied(f"{' and '.join(claimed)}: filled in from the token, and taken from nobody; leave it out.")
    return given


def _key(request: Request) -> str | None:
    sent = request.headers.getlist("idempotency-key")
    if not sent:
        return None
    if len(sent) > 1 or not 1 <= len(sent[0]) <= 200 or not sent[0].isascii() or not sent[0].isprintable():
        raise ApiError(422, "invalid", "Idempotency-Key: send it once, 1 to 200 printable ASCII characters.")
    return sent[0]


def _json(value: Value, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(value.model_dump_json(), status, headers, "application/json")
