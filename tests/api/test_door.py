"""The door while things change behind it: tokens that end, and a database that is away."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import make_url

from starter.api.door import FRESH_FOR
from storage import tokens
from storage.database import create_engine, transaction
from tests.support.front import Api, problem, serving, starting
from tests.support.proxy import Proxy
from tests.support.system import System
from tests.support.wait import eventually


async def test_a_revoked_token_is_out_within_moments(system: System) -> None:
    """A server that knew a token as good asks again soon, and then refuses it for good."""
    assert FRESH_FOR.total_seconds() <= 1
    async with serving(system, fresh_for=FRESH_FOR) as api:
        token = await api.token()
        assert (await api.get("/records", token)).status_code == 200
        async with transaction(system.engine) as connection:
            await tokens.revoke(connection, token.split("_")[1], now=datetime.now(UTC))

        async def out() -> bool:
            return (await api.get("/records", token)).status_code == 401

        await eventually(out)
        assert "revoked" in problem(await api.get("/records", token), 401)


async def test_a_complaint_is_opened_while_postgres_is_away(system: System, caplog: pytest.LogCaptureFixture) -> None:
    """Who was known just now still opens and acts (invariant 15); reading and strangers wait; refusals are logged."""
    url = make_url(system.settings.database_url)
    proxy = Proxy(url.port or 5432)
    await proxy.start()
    through = create_engine(url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False))
    async with serving(replace(system, engine=through)) as api:
        near = Api(api.http, system, api.app, api.front)
        token, stranger, reader = await near.token(), await near.token(), await near.token("read")
        complaint = await near.open(token)
        assert (await api.get("/records", reader)).status_code == 200
        await proxy.cut()
        opened = await api.post("/complaints", token, starting())
        assert opened.status_code == 201, opened.text
        noted = await api.post(f"/complaints/{complaint}/commands/note", token, {"text": "Called twice."})
        assert noted.status_code == 200, noted.text
        answer = await api.get(f"/complaints/{complaint}", token)
        detail = problem(answer, 503, "unavailable")
        assert (str(url.host) in detail, "postgres" in detail.lower()) == (False, False)
        assert int(answer.headers["retry-after"]) > 0
        problem(await api.post("/complaints", stranger, starting()), 503, "unavailable")
        problem(await api.post("/complaints", reader, starting()), 403, "forbidden")
        assert "lacks the scope open" in caplog.text
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
        await proxy.start()
        assert (await api.get(f"/complaints/{complaint}", token)).status_code == 200
    await through.dispose()
    await proxy.cut()
