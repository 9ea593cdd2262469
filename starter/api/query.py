"""The query of a request, read strictly: what is not known, or stands there twice, is refused and never ignored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from rules.ledger import plain, said
from rules.values import Stated
from starter.api.problems import ApiError


class Query(BaseModel):
    """The parameters of one route, each a field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _with_its_plus(value: Any) -> Any:
    """In a query a plus sign means a blank, and nearly everybody forgets to write the plus of an offset as %2B."""
    return value.replace(" ", "+") if isinstance(value, str) and "T" in value else value


Time = Annotated[Stated, BeforeValidator(_with_its_plus)]
"""A moment in a query."""

Q = TypeVar("Q", bound=Query)


def query(model: type[Q]) -> Callable[[Request], Awaitable[Q]]:
    """The dependency that reads this query. Raises ApiError 422."""

    async def read(request: Request) -> Q:  # async, or it would be run in a thread
        items = request.query_params.multi_items()
        given = dict(items)
        if len(given) < len(items):
            twice = next(name for name in given if sum(name == other for other, _ in items) > 1)
            raise ApiError(422, "invalid", f"{plain(twice)}: stands in the query twice; send it once.")
        try:
            return model.model_validate(given)
        except ValidationError as error:
            raise ApiError(422, "invalid", "; ".join(_explained(model, p) for p in error.errors()[:20])) from None

    return read


def _explained(model: type[Query], problem: Any) -> str:
    name = plain(str(problem["loc"][0])) if problem["loc"] else "query"
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none at all"
        return f"{name}: unknown query parameter; this address knows {known}."
    return f"{name}: {said(problem)}"


def parameters(model: type[Query]) -> list[dict[str, Any]]:
    """The same for OpenAPI."""
    schema = model.model_json_schema()
    described = []
    for name, field in schema.get("properties", {}).items():
        about = {key: value for key, value in field.items() if key not in ("title", "description", "default")}
        if field.get("default") is not None:
            about["default"] = field["default"]
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": about}
        if "description" in field:
            parameter["description"] = field["description"]
        described.append(parameter)
    return described


class Nothing(Query):
    """The query of a route that takes none."""
