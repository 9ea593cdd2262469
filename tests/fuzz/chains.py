"""The HTTP API in chains, by the links of its own document: what one answer gave, the next request goes on with.

A complaint that was just opened is told and read; a token that was just made is renewed and ended.
"""

from __future__ import annotations

import asyncio
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import Case
from schemathesis.core.failures import FailureGroup

from starter.api.app import document
from tests.fuzz.http import CHECKS, flat, taken
from tests.fuzz.target import Tally
from tests.support.front import bearer, listening, serving, starting
from tests.support.system import System

STEPS = 10
"""Requests of one chain."""


async def chains(system: System, count: int, number: int | None = None) -> Tally:
    """So many requests with a token of every scope. That none would go on from another is a defect, too."""
    tally = Tally("chains of the HTTP API")
    async with serving(system, rate_token="1000000/minute", rate_address="1000000/minute") as front:
        token = await front.token("open", "act", "read", "supervise", "admin")
        async with listening(front) as port:
            await asyncio.to_thread(_all, f"http://127.0.0.1:{port}/v1", token, tally, max(1, count // STEPS), number)
    return tally


def _all(base: str, token: str, tally: Tally, examples: int, number: int | None) -> None:
    followed: list[str] = []
    machine = _machine(base, token, tally, followed)
    made = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        derandomize=number is None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine if number is None else seed(number)(machine), settings=made)
    if not followed:
        tally.crashed(AssertionError("no request went on from the answer to another"), "")


def _machine(base: str, token: str, tally: Tally, followed: list[str]) -> Any:
    """The state machine of the document, which opens what a contract knows; `followed` hears of what went on."""
    schema = schemathesis.openapi.from_dict(document())
    session = requests.Session()
    opened: set[str] = set()

    class Chained(schema.as_state_machine()):  # type: ignore[misc]  # made at run time
        """Counts what comes of each step, and goes on after a defect."""

        def before_call(self, case: Case[Any]) -> None:
            if case.operation.path == "/complaints":
                start = starting()
                case.body = start
                opened.add(start["reference"])

        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            return {"base_url": base, "session": session, "headers": bearer(token), "timeout": 60}

        def validate_response(self, response: Any, case: Case[Any], *_: Any, **__: Any) -> None:
            tally.inputs += 1
            if (case.path_parameters or {}).get("reference") in opened and response.status_code != 404:
                followed.append(case.operation.label)
            try:
                case.validate_response(response, checks=CHECKS)
                was_taken = taken(response)
            except (Exception, FailureGroup) as error:  # noqa: BLE001  whatever else comes of it is a defect
                tally.crashed(flat(error), case.as_curl_command())
                return
            tally.accepted += was_taken
            tally.refused += not was_taken

    return Chained


ALL = (chains,)
