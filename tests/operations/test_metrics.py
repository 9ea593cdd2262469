"""What Prometheus is told: of Postgres by `ombud serve`, of its own work by a worker."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from temporalio.client import WorkflowUpdateFailedError

from settings import Settings
from starter import metrics
from storage.database import create_engine, transaction
from storage.gauges import HELP
from tests.operations.conftest import Watched, http, total
from tests.support.system import System
from tests.support.wait import eventually

PERSONAL = ("Zhang", "@example.com", "It does not work", "M-1", "respond-key")


async def test_a_missed_clock_in_numbers(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open, due soon, missed, backlog; due to detected and detected to accepted; commands taken and refused."""
    monkeypatch.setattr(metrics, "FRESH", 0.0)
    handle = await watched.system.open("demo", "M-1", complainant={"id": "Zhang"})

    async def running() -> bool:
        return total(await watched.of_serve(), "ombud_clocks_due_soon", obligation="first_response", within="15m") == 1

    await eventually(running)
    await handle.execute_update("note", {"text": "We look.", "key": "respond-key"})
    await handle.execute_update("note", {"text": "We look.", "key": "respond-key"})
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("accept", {})
    await handle.signal("nonsense", {})
    accepted = "SELECT 1 FROM notices WHERE rung = 'due' AND accepted_at IS NOT NULL"
    await eventually(lambda: watched.system.rows(accepted))

    of_serve = await watched.of_serve()
    demo = {"contract": "demo"}
    assert total(of_serve, "ombud_postgres_up") == 1
    assert total(of_serve, "ombud_complaints_open", **demo) == 1
    assert total(of_serve, "ombud_clocks_missed_open", **demo, obligation="first_response") == 1
    assert total(of_serve, "ombud_clocks_missed_last_day", **demo, obligation="first_response") == 1
    assert total(of_serve, "ombud_clocks_overdue", **demo, obligation="first_response") == 0
    assert total(of_serve, "ombud_signals_refused", **demo) == 1

    of_worker = await watched.of_worker()
    first = {**demo, "obligation": "first_response"}
    assert total(of_worker, "ombud_miss_detected_after_seconds_count", **first) == 1
    assert 0 < total(of_worker, "ombud_miss_detected_after_seconds_sum", **first) < 60
    assert total(of_worker, "ombud_notice_accepted_after_seconds_count", **first, about="miss") == 1
    assert total(of_worker, "ombud_notice_accepted_after_seconds_count", **first, about="warning") == 1
    assert total(of_worker, "ombud_messages_total", outcome="accepted") >= 1
    assert total(of_worker, "ombud_commands_total", **demo, command="note", outcome="taken") == 1
    assert total(of_worker, "ombud_commands_total", **demo, command="note", outcome="repeated") == 1
    assert total(of_worker, "ombud_commands_total", **demo, command="accept", outcome="refused") == 1
    assert total(of_worker, "ombud_commands_total", **demo, command="unknown", outcome="refused") == 1
    assert "temporal_workflow_task_schedule_to_start_latency_count" in of_worker

    said = [str(pair) for found in (of_serve, of_worker) for labels in found.values() for pair in labels]
    assert not [label for label in said for word in PERSONAL if word in label]


async def test_every_number_is_explained_and_within_bounds(watched: Watched) -> None:
    """`ombud serve` tells nothing without a help text, and its labels are contracts, obligations and fixed words."""
    await watched.system.open("demo")
    await eventually(lambda: watched.system.rows("SELECT 1 FROM complaints"))
    found = await watched.of_serve()
    assert set(found) <= {*HELP, "ombud_postgres_up"}
    used = {name for labels in found.values() for pairs in labels for name, _ in pairs}
    assert used <= {"contract", "obligation", "stage", "within", "state"}


async def test_an_undeliverable_notice_and_a_backlog(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notices that wait show with the age of the oldest; one that nobody can be told of shows as undeliverable."""
    monkeypatch.setattr(metrics, "FRESH", 0.0)
    await watched.system.open("demo")
    await eventually(lambda: watched.system.rows("SELECT 1 FROM notices WHERE accepted_at IS NOT NULL"))
    async with transaction(watched.system.engine) as connection:
        await connection.execute(
            text("UPDATE notices SET accepted_at = NULL, claimed_at = NULL, planned_at = now() - interval '1 hour'")
        )
        await connection.execute(
            text(
                "UPDATE notices SET undeliverable_at = now() WHERE key = (SELECT key FROM notices ORDER BY key LIMIT 1)"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO notices (key, complaint, contract, seq, role, urgent, occurred_at, planned_at) "
                "SELECT key || 'x', complaint, contract, seq, role, urgent, occurred_at, now() - interval '1 hour' "
                "FROM notices LIMIT 1"
            )
        )
    found = await watched.of_serve()
    assert total(found, "ombud_notices_undeliverable", contract="demo") == 1
    assert total(found, "ombud_notices_waiting", contract="demo", state="planned") >= 1
    assert 3600 <= total(found, "ombud_notices_waiting_oldest_seconds", contract="demo", state="planned") < 3700


async def test_numbers_are_kept_for_a_moment(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask, Postgres is asked once in a few seconds."""
    asked = []

    async def counting(*_: Any) -> list[Any]:
        asked.append(1)
        return []

    monkeypatch.setattr(metrics, "gauges", counting)
    for _ in range(5):
        await watched.of_serve()
    assert len(asked) == 1


async def test_numbers_while_postgres_is_away(system: System) -> None:
    """The one number left says so; nothing old is told as if it were new."""
    away = create_engine("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    async with http(System(system.client, away, system.settings)) as browser:
        answer = await browser.get("/metrics")
    await away.dispose()
    assert answer.status_code == 200
    assert "ombud_postgres_up 0.0" in answer.text
    assert "ombud_complaints_open" not in answer.text


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 403),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}, 403),
    ],
)
async def test_only_this_machine_may_read(system: System, host: str, headers: dict[str, str], status: int) -> None:
    """Without a token, who comes from elsewhere is refused, also behind a proxy of this machine."""
    async with http(system, host) as browser:
        assert (await browser.get("/metrics", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer a token for tests", 200),
        ("bearer a token for tests", 200),
        ("Bearer another one", 401),
        ("Basic a token for tests", 401),
        ("", 401),
    ],
)
async def test_a_token_lets_others_read(system: System, header: str, status: int) -> None:
    """With a token, whoever shows it may read from anywhere, and nobody else from here either."""
    token = {"metrics_token": SecretStr("a token for tests")}
    guarded = System(system.client, system.engine, system.settings.model_copy(update=token))
    async with http(guarded, "192.0.2.7" if status == 200 else "127.0.0.1") as browser:
        assert (await browser.get("/metrics", headers={"Authorization": header})).status_code == status


@pytest.mark.parametrize("address", ["9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", ":9464"])
def test_an_address_for_the_worker_that_is_none(settings: Settings, address: str) -> None:
    """Where a worker is to listen must be a host and a port."""
    with pytest.raises(ValueError, match="must be an address to listen on"):
        Settings(**(settings.model_dump() | {"worker_metrics": address}))
