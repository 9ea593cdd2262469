"""The canary's activities: open a complaint, see its warning accepted, close it, and tell a watcher outside.

The ping is an outward call of Ombud: a GET without a body to the one address of the settings. It follows no redirect,
so nobody can send it anywhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.canary_interface import CLOSE, LOOK, OPEN, PATIENCE, PING, Flight, Landing, Step, Steps
from activities.interface import complaint_id
from rules.canary import CANARY
from rules.commands import Accept, Answer, OpenComplaint
from settings import Settings
from storage import contracts
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction
from wire.labels import Label

EVERY = 0.5
"""Seconds between two looks."""

PING_SECONDS = 10

_WARNING = text(
    "SELECT c.recorded_at AS opened_at, n.occurred_at, n.planned_at, n.claimed_at, n.accepted_at, n.state "
    "FROM complaints c LEFT JOIN notices n ON n.complaint = c.id AND n.rung <> 'due' "
    "WHERE c.id = :complaint ORDER BY n.planned_at LIMIT 1"
)


class CanaryDesk:
    """Opens, watches and closes the canary's complaints."""

    def __init__(self, engine: AsyncEngine, client: Client, settings: Settings) -> None:
        self._engine = engine
        self._client = client
        self._task_queue = settings.task_queue
        self._url = settings.canary_url

    @property
    def activities(self) -> list[Any]:
        """What a worker registers."""
        return [self.open, self.look, self.close, self.ping]

    @activity.defn(name=OPEN)
    async def open(self, flight: Flight) -> None:
        """Start the complaint as any backend would."""
        await self._published()
        start = OpenComplaint(
            contract=CANARY,
            reference=flight.reference,
            kind="enquiry",
            category="canary",
            channel="schedule",
            received_at=flight.started_at,
            content="The canary asks whether a warning arrives.",
        )
        await self._client.start_workflow(
            "Complaint",
            start.model_dump(mode="json", exclude_none=True),
            id=complaint_id(CANARY, flight.reference),
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            static_summary=Label("canary"),
        )

    @activity.defn(name=LOOK)
    async def look(self, flight: Flight) -> Steps:
        """Wait until the mail server accepted the warning; how long each step took. Fails with how far it came."""
        standing = "Postgres did not answer"
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with transaction(self._engine) as connection:
                    found = await connection.execute(_WARNING, {"complaint": f"{CANARY}/{flight.reference}"})
                    row = found.one_or_none()
            except (PostgresUnreachableError, SchemaMissingError) as error:
                standing = str(error).partition("\n")[0]
            else:
                if row is not None and row.accepted_at is not None:
                    return Steps(steps=tuple(_steps(flight.started_at, row)))
                standing = _standing(row)
            activity.heartbeat()
            await asyncio.sleep(EVERY)
        raise ApplicationError(
            f"After {PATIENCE} seconds the warning is not accepted: {standing}.", type="CanaryLate", non_retryable=True
        )

    @activity.defn(name=CLOSE)
    async def close(self, flight: Flight) -> None:
        """Answer and accept, so that nothing of it stays open; one that never began needs neither."""
        handle = self._client.get_workflow_handle(complaint_id(CANARY, flight.reference))
        answer = Answer(text="It arrived, or its time is over.", key="canary-answer", via="client")
        for command in (answer, Accept(key="canary-accept", via="client")):
            try:
                await handle.signal(command.name, command.model_dump(mode="json", exclude_none=True))
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise

    @activity.defn(name=PING)
    async def ping(self, landing: Landing) -> bool:
        """Tell the watcher; false where none is set. An answer other than 2xx fails."""
        if self._url is None:
            return False
        url = self._url.rstrip("/") + ("" if landing.ok else "/fail")
        try:
            async with httpx.AsyncClient(timeout=PING_SECONDS, follow_redirects=False, trust_env=False) as browser:
                answer = await browser.get(url)
        except httpx.HTTPError as error:
            raise ApplicationError(f"OMBUD_CANARY_URL does not answer: {type(error).__name__}") from None
        if not answer.is_success:
            raise ApplicationError(f"OMBUD_CANARY_URL answers {answer.status_code}")
        return True

    async def _published(self) -> None:
        """Without its contract a canary would only be a rejected start."""
        try:
            async with transaction(self._engine) as connection:
                known = await contracts.in_force(connection, CANARY, datetime.now(UTC))
        except (PostgresUnreachableError, SchemaMissingError):
            return  # the complaint waits for it, and the look will say so
        if known is None:
            raise ApplicationError(
                "The contract `canary` is not published: ombud contract publish contracts/canary.yaml, and name who "
                "holds its handler.manager in the directory.",
                type="NoContract",
                non_retryable=True,
            )


def _steps(started_at: datetime, row: Any) -> Iterator[Step]:
    way = (
        ("on record", started_at, row.opened_at),
        ("warned behind its time", row.occurred_at, row.planned_at),
        ("put into a mail", row.planned_at, row.claimed_at),
        ("accepted by the mail server", row.claimed_at, row.accepted_at),
        ("in all", started_at, row.accepted_at),
    )
    for what, since, until in way:
        yield Step(what=what, seconds=round((until - since).total_seconds(), 3))


def _standing(row: Any) -> str:
    if row is None:
        return "the complaint is not on record; does a worker run?"
    if row.state is None:
        return "its clock has not warned"
    return f"its notice is {row.state}"
