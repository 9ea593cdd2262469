"""What went wrong, as problem documents (RFC 9457). `detail` says what to do; nothing in them tells of the inside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from rules.ledger import MOST_PROBLEMS, said
from rules.values import Value
from starter import errors

LOGGER = logging.getLogger("ombud.api")

MEDIA_TYPE = "application/problem+json"
AGAIN_AFTER = 2
"""Seconds after which to try again what a neighbour that is away has stopped."""


class Problem(Value):
    """A problem document."""

    type: str
    """`urn:ombud:problem:` and one word for programs."""
    title: str
    status: int
    detail: str
    """What is wrong with this request, and what to do."""


class ApiError(Exception):
    """Ends a request with a problem document."""

    def __init__(self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})


def respond(status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """A problem document as a response."""
    problem = Problem(type=f"urn:ombud:problem:{kind}", title=HTTPStatus(status).phrase, status=status, detail=detail)
    return Response(problem.model_dump_json(), status, headers, MEDIA_TYPE)


def slower(wait: int) -> tuple[int, str, str, dict[str, str]]:
    """What ApiError and `respond` take to say that somebody asks too often, and may again in `wait` seconds."""
    detail = f"Too many requests; send the next one in {wait} second{'s' * (wait != 1)}."
    return 429, "too-many-requests", detail, {"Retry-After": str(wait)}


async def ended(_: Request, error: Exception) -> Response:
    """The handler of ApiError."""
    assert isinstance(error, ApiError)  # noqa: S101  registered for nothing else
    return respond(error.status, error.kind, str(error), error.headers)


_STATUS: dict[type[errors.OmbudError], tuple[int, str]] = {
    errors.Invalid: (422, "invalid"),
    errors.Refused: (409, "refused"),
    errors.Conflict: (409, "conflict"),
    errors.Closed: (409, "closed"),
    errors.NotFound: (404, "not-found"),
}


async def not_done(_: Request, error: Exception) -> Response:
    """The handler of OmbudError. What a caller can do nothing about is said in the log, not to the caller."""
    for kind, (status, word) in _STATUS.items():
        if isinstance(error, kind):
            return respond(status, word, str(error))
    LOGGER.warning("%s", error)
    later = {"Retry-After": str(AGAIN_AFTER)}
    if isinstance(error, errors.NoWorker):
        detail = (
            "No answer in time. Send it again under the same Idempotency-Key, which takes it once; or with "
            "?durable=true, which leaves it with the complaint and waits for no answer."
        )
        return respond(503, "no-answer", detail, later)
    if isinstance(error, errors.Unreachable):
        return respond(503, "unavailable", "Ombud cannot answer just now. Send it again a little later.", later)
    return respond(500, "misconfigured", "Ombud is wrongly set up; its log says how. Tell operations.")


async def no_route(request: Request, error: Exception) -> Response:
    """The handler of what the framework itself refuses: 404, 405 and the like."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for nothing else
    match error.status_code:
        case 404:
            return respond(
                404, "not-found", "There is nothing at this address; see /v1/openapi.json for what there is."
            )
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            detail = f"{request.method} is not possible here; {allowed or 'nothing'} is."
            return respond(405, "method-not-allowed", detail, error.headers)
        case status:
            return respond(status, "http", str(error.detail), error.headers)


async def invalid(_: Request, error: Exception) -> Response:
    """The handler of what does not fit a query."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for nothing else
    problems = error.errors()
    lines = [
        f"{'.'.join(str(part)[:100] for part in problem['loc'][1:]) or problem['loc'][0]}: {said(problem)}"
        for problem in problems[:MOST_PROBLEMS]
    ]
    return respond(422, "invalid", "The query is not valid. " + "; ".join(lines))
