"""The API under /v1: its routes, its errors, its document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from rules.access import Denied
from rules.commands import COMMANDS, OpenComplaint
from rules.values import Value
from settings import Settings
from starter.api import problems, reading, records, supervising, tokens, writing
from starter.api.access import denied
from starter.api.door import Door
from starter.api.front import Front
from starter.api.guard import Guard
from starter.api.problems import ApiError, Problem
from starter.client import Ombud
from starter.errors import OmbudError
from starter.granting import TokenWanted

VERSION = "1.0.0"
"""Of the API: fields and addresses are added, never renamed or given another meaning."""

TAKEN: tuple[type[Value], ...] = (OpenComplaint, *COMMANDS.values(), TokenWanted, tokens.Grace)
"""The bodies that routes take."""

_SAID = {
    401: "No valid token",
    403: "Not for the holder of this token",
    404: "There is no such thing",
    409: "Refused, or in conflict with what was sent before",
    413: "Too large",
    414: "The address is too long",
    415: "No JSON",
    422: "Not valid",
    429: "Too many requests; `Retry-After` says when to go on",
    503: "No answer just now; send it again",
}


def api(engine: AsyncEngine, ombud: Ombud, settings: Settings) -> FastAPI:
    """What a server mounts at /v1."""
    front = Front(engine, ombud, settings)
    door = Door(front)
    app = _described(Middleware(Guard, limits=front.limits, throttled=door.throttled))
    app.state.front = front
    app.state.door = door
    return app


def document() -> dict[str, Any]:
    """docs/schema/openapi.json."""
    return _described().openapi()


def _described(*middleware: Middleware) -> FastAPI:
    app = FastAPI(
        title="Ombud",
        version=VERSION,
        summary="Runs customer complaints as a service contract says they must be run.",
        servers=[{"url": "/v1"}],
        root_path_in_servers=False,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=middleware,
        responses={status: {"description": said} for status, said in _SAID.items()},
    )
    for part in (writing, reading, records, supervising, tokens):
        app.include_router(part.routes())
    app.add_exception_handler(ApiError, problems.ended)
    app.add_exception_handler(OmbudError, problems.not_done)
    app.add_exception_handler(Denied, denied)
    app.add_exception_handler(HTTPException, problems.no_route)
    app.add_exception_handler(RequestValidationError, problems.invalid)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _linked(paths: dict[str, Any]) -> None:
    """Say that everything about a complaint goes by what it was opened with."""
    by = {name: f"$request.body#/{name}" for name in ("contract", "reference")}
    about = (path for address, path in paths.items() if address.startswith("/complaints/{contract}/{reference}"))
    named = [operation["operationId"] for path in about for operation in path.values()]
    opened = paths["/complaints"]["post"]["responses"]["201"]
    opened["links"] = {name: {"operationId": name, "parameters": by} for name in named}


def _document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1: what FastAPI sees, and the bodies, which are read by `starter.api.body` and not by FastAPI."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes, servers=app.servers
        )
        shapes = [(model, "validation") for model in TAKEN]
        _, found = models_json_schema(
            [*shapes, (Problem, "serialization")],  # type: ignore[list-item]
            ref_template="#/components/schemas/{model}",
        )
        components = made.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas |= found["$defs"]
        for model in TAKEN:
            for field in writing.FRONT_DOOR:
                schemas[model.__name__].get("properties", {}).pop(field, None)
        problem = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        components["responses"] = {
            f"Problem{status}": {"description": said, "content": problem} for status, said in _SAID.items()
        }
        for operation in (operation for path in made["paths"].values() for operation in path.values()):
            operation["responses"] |= {
                str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in _SAID
            }
        _linked(made["paths"])
        components["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "bearerFormat": "ombud_ID_SECRET"}
        }
        made["security"] = [{"token": []}]
        app.openapi_schema = made
    return app.openapi_schema
