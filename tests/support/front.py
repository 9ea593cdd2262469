"""The HTTP API on a running Ombud, and tokens for whoever a test needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.routing import Mount
from starlette.types import ASGIApp

from deploy.ports import free_port
from rules.access import Grant
from settings import Settings
from starter.api.front import Front
from starter.client import Ombud
from starter.serve import application
from storage import tokens
from storage.database import transaction
from tests.support.system import System
from tests.support.wait import eventually

BASE = "https://ombud.example.com"
CONTRACT = "maintenance-service"


def starting(**fields: Any) -> dict[str, Any]:
    """The body of an opening that nobody has sent before."""
    return {
        "contract": CONTRACT,
        "reference": f"H-{uuid4().hex[:12]}",
        "kind": "complaint",
        "category": "product_quality",
        "channel": "wechat",
        "received_at": datetime.now(UTC).isoformat(),
        "content": "It leaks.",
        **fields,
    }


@dataclass
class Api:
    """A program that speaks HTTP, and the system behind it."""

    http: httpx.AsyncClient
    system: System
    app: ASGIApp
    """All that is served over HTTP."""
    front: Front
    """What the routes of the API work with."""

    async def token(self, *scopes: str, live: timedelta = timedelta(days=1), **fields: Any) -> str:
        """A new token; of the handler's system unless the fields say otherwise."""
        grant = Grant.model_validate(
            {"token": tokens.new_id(), "scopes": scopes or ("open", "act", "read"), "roles": ("handler",)} | fields
        )
        now = datetime.now(UTC)
        async with transaction(self.system.engine) as connection:
            secret = await tokens.create(
                connection, grant, name="a test's", expires_at=now + live, by="test", now=now - timedelta(days=2)
            )
        return tokens.written(grant.token, secret)

    async def get(self, path: str, token: str, **query: Any) -> httpx.Response:
        return await self.http.get(f"/v1{path}", headers=bearer(token), params=query or None)

    async def post(self, path: str, token: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.http.post(
            f"/v1{path}", headers=bearer(token) | headers, json=body if body is not None else {}
        )

    async def open(self, token: str, **fields: Any) -> str:
        """Open a complaint and wait until Postgres knows it; `contract/reference`."""
        answer = await self.post("/complaints", token, starting(**fields))
        assert answer.status_code == 201, answer.text
        complaint: str = answer.json()["complaint"]
        await eventually(lambda: self.system.rows("SELECT 1 FROM complaints WHERE id = :id", id=complaint))
        return complaint

    async def tell(self, token: str, complaint: str, command: str, **fields: Any) -> int:
        """Tell it, and wait until Postgres knows the entry; its number."""
        answer = await self.post(f"/complaints/{complaint}/commands/{command}", token, fields)
        assert answer.status_code == 200, answer.text
        seq: int = answer.json()["seq"]
        stream = f"complaint/{complaint}"
        await eventually(
            lambda: self.system.rows("SELECT 1 FROM ledger WHERE stream = :s AND seq = :n", s=stream, n=seq)
        )
        return seq

    async def refusals(self) -> list[dict[str, Any]]:
        """What stands in the record of accesses as refused, in order."""
        return await self.system.rows("SELECT * FROM access_log WHERE NOT allowed ORDER BY id")

    async def accesses(self, complaint: str) -> list[str]:
        """The actions by which this complaint was read, in order."""
        rows = await self.system.rows(
            "SELECT action FROM access_log WHERE allowed AND complaint = :c ORDER BY id", c=complaint
        )
        return [row["action"] for row in rows]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def problem(answer: httpx.Response, status: int, kind: str = "") -> str:
    """The detail of a problem document, which the answer must be."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["title"]
    if kind:
        assert document["type"] == f"urn:ombud:problem:{kind}", document
    detail: str = document["detail"]
    return detail


@asynccontextmanager
async def serving(system: System, fresh_for: timedelta = timedelta(), **changed: Any) -> AsyncIterator[Api]:
    """The API of this system, with settings changed. A token is looked up anew once `fresh_for` is over."""
    settings: Settings = system.settings.model_copy(update=changed)
    ombud = Ombud(system.client, system.engine, task_queue=settings.task_queue, patience=5)
    app = application(system.engine, ombud, settings)
    (inner,) = (part.app for part in app.app.routes if isinstance(part, Mount) and part.path == "/v1")
    assert isinstance(inner, FastAPI)
    assert isinstance(inner, FastAPI)
    inner.state.door.fresh_for = fresh_for
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE) as http:
        yield Api(http, system, app, inner.state.front)


@contextmanager
def _signals(_: object) -> Iterator[None]:
    yield


@asynccontextmanager
async def listening(api: Api) -> AsyncIterator[int]:
    """The same API on a real port, behind the server that `ombud serve` runs."""
    port = free_port()
    config = uvicorn.Config(api.app, port=port, http="h11", access_log=False, proxy_headers=False, log_level="critical")
    server = type("Quiet", (uvicorn.Server,), {"capture_signals": _signals})(config)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield port
    finally:
        server.should_exit = True
        await running
