"""The HTTP API, by its own document: what it allows and what it does not, with tokens of every scope.

Each request by itself (chains of them: `tests/fuzz/chains.py`); every second one is about a complaint that exists.
"""

from __future__ import annotations

import asyncio
from itertools import cycle
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from starter.api.app import document
from tests.fuzz.files import clear
from tests.fuzz.target import Tally
from tests.support.front import CONTRACT, bearer, listening, serving
from tests.support.system import System

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCOPES = (("open",), ("act",), ("read",), ("supervise",), ("admin",), ("open", "act", "read", "supervise", "admin"))
DETAIL = 20_000
"""Characters of a refusal: at most twenty mistakes, each cut."""


async def api(system: System, count: int, number: int | None = None) -> Tally:
    """Half of the requests as the document has them, half with something in them that it does not allow."""
    tally = Tally("HTTP API")
    async with serving(system, rate_token="1000000/minute", rate_address="1000000/minute") as front:
        tokens = [await front.token(*scopes) for scopes in SCOPES]
        all_scopes = tokens[-1]
        complaints = [await front.open(all_scopes) for _ in range(3)]
        async with listening(front) as port:
            sender = _Sender(f"http://127.0.0.1:{port}/v1", tally, tokens, complaints)
            await asyncio.to_thread(sender.all, count, number)
    return tally


class _Sender:
    """Speaks HTTP from a thread of its own, as schemathesis is not asynchronous."""

    def __init__(self, address: str, tally: Tally, tokens: list[str], complaints: list[str]) -> None:
        self._tally = tally
        self._tokens = cycle([*tokens, tokens[-1], tokens[-1], tokens[-1], ""])
        self._complaints = cycle([*complaints, ""])
        self._session = requests.Session()
        self._base = address

    def all(self, count: int, number: int | None) -> None:
        """So many requests: those of a seed, or the same in every run."""
        schema = schemathesis.openapi.from_dict(document())
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            def one(case: Case[Any]) -> None:
                self._one(case)

            test = given(case=schema.as_strategy(generation_mode=mode))(one)
            made = settings(
                max_examples=max(1, count // 2),
                database=None,
                deadline=None,
                derandomize=number is None,
                phases=[Phase.generate],
                verbosity=Verbosity.quiet,
                suppress_health_check=list(HealthCheck),
            )(test)
            (made if number is None else seed(number)(made))()

    def _one(self, case: Case[Any]) -> None:
        token, complaint = next(self._tokens), next(self._complaints)
        given_ = case.path_parameters or {}
        if complaint and "reference" in given_:
            given_ |= {"contract": CONTRACT, "reference": complaint.partition("/")[2]}
        self._tally.inputs += 1
        try:
            answer = case.call(
                base_url=self._base, session=self._session, headers=bearer(token) if token else {}, timeout=60
            )
            case.validate_response(answer, checks=CHECKS)
            was_taken = taken(answer)
        except (Exception, FailureGroup) as error:  # noqa: BLE001  whatever else comes of it is a defect
            self._tally.crashed(flat(error), case.as_curl_command())
            return
        self._tally.accepted += was_taken
        self._tally.refused += not was_taken


def taken(answer: Any) -> bool:
    """Whether a request was taken. Raises AssertionError for a refusal that is no problem document in clear words."""
    if answer.status_code < 400:
        return True
    kind = answer.headers["content-type"][0]
    assert kind == "application/problem+json", kind
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].startswith("urn:ombud:problem:")
    clear(problem["detail"][:1_000])
    assert len(problem["detail"]) < DETAIL
    return False


def flat(error: BaseException) -> BaseException:
    """The first failure of a group, with its words."""
    if isinstance(error, FailureGroup):
        first = error.exceptions[0]
        return AssertionError(f"{type(first).__name__}: {' '.join(str(first).split())[:400]}")
    return error


ALL = (api,)
