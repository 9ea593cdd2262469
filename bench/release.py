"""Keeps what a release leaves behind, so that every later one is tested against it: `python -m bench.release`.

Into `tests/histories/<version of pyproject.toml>` go the histories of every workflow there is, as Temporal holds them,
and the ledgers of complaints, as Postgres does, each with the state that it folds to. What is there already stays: a
release is recorded once, when it is made. The tests replay, fold and decode all of it (docs/upgrades.md).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import tempfile
import tomllib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowHistory

from activities.cloudevents import fresh_secret
from activities.interface import POST, RENEW, RETENTION, circular_id, webhook_id
from activities.poke import poke_webhook
from bench.costs import live
from bench.replan import YEAR, contract, put_in_force
from bench.stories import LIVES
from rules.events import EVENTS
from rules.fold import fold
from rules.ledger import Entry
from rules.values import Actor
from settings import Settings
from starter import canary, replanning
from starter.circulars import carry
from starter.client import Ombud
from storage import webhooks
from storage.content import Vault
from storage.database import transaction
from storage.migrate import needed
from storage.settling import settle
from tests.support.postgres import cluster
from tests.support.receiver import Receiver
from tests.support.smtp import SmtpSink
from tests.support.system import System, running
from tests.support.temporal import start_real, start_virtual
from tests.support.wait import eventually
from workflows.search_attributes import ALL

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "histories"
LEAD = Actor(role="handler.manager", person="p.wang")


def version() -> str:
    """The version that is being made."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


class Shelf:
    """The folder of a release. What stands there is never written over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.added: list[str] = []

    def history(self, name: str, history: WorkflowHistory) -> None:
        self._keep(f"{name}.json", history.to_json())

    def ledger(self, name: str, entries: list[Entry]) -> None:
        """With the state that it folds to now."""
        kept = {
            "entries": [entry.model_dump(mode="json", exclude_defaults=True) for entry in entries],
            "state": fold(entries).model_dump(mode="json"),
        }
        self._keep(f"ledgers/{name}.json", json.dumps(kept, indent=1, ensure_ascii=False))

    def migration(self) -> None:
        """The last one that the release brings."""
        self._keep("migration", needed())

    def _keep(self, name: str, text: str) -> None:
        file = self._folder / name
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
        self.added.append(name)


async def _ledger(system: System, complaint: str) -> list[Entry]:
    rows = await system.rows("SELECT body FROM ledger WHERE stream = :stream ORDER BY seq", stream=complaint)
    return [Entry.model_validate(row["body"]) for row in rows]


async def lives(shelf: Shelf, settings: Settings) -> None:
    """Five complaints from receipt to closure, in virtual time, with a mail on its way."""
    async with await start_virtual(list(ALL)) as env, running(env.client, settings) as system:
        for name, life in LIVES.items():
            handle = await live(env, system, life)
            shelf.history(name, await handle.fetch_history())
            shelf.ledger(name, await _ledger(system, handle.id))
        longest = await _longest(system.client, f"WorkflowType = '{POST}' AND TaskQueue = '{settings.task_queue}'")
        shelf.history("post", longest)


async def _longest(client: Client, query: str) -> WorkflowHistory:
    found = [run async for run in client.list_workflows(query)]
    run = max(found, key=lambda run: run.history_length)
    return await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()


async def others(shelf: Shelf, settings: Settings) -> None:
    """What else runs: a circular and who was re-planned by it, a run that was carried on, every other workflow."""
    async with await start_real(list(ALL)) as env, running(env.client, settings) as system:
        ombud = Ombud(system.client, system.engine, task_queue=settings.task_queue)
        await put_in_force(system, contract(knows=False), datetime.now(UTC) - timedelta(days=400))
        handle = await system.open("small", "REPLANNED", kind="complaint")
        await eventually(lambda: system.rows("SELECT 1 FROM clocks WHERE complaint = 'small/REPLANNED'"))
        years = contract(knows=True).calendar.published
        start = replanning.circular("small", {YEAR: years[YEAR]}, LEAD, "Published.")
        await carry(ombud, start, "replan-release")
        await eventually(lambda: system.rows("SELECT 1 FROM clocks WHERE replans > 0"))
        shelf.history("replanned", await handle.fetch_history())
        carried_round = system.client.get_workflow_handle(circular_id("replan-release"))
        shelf.history("circular", await carried_round.fetch_history())
        shelf.ledger("replanned", await _ledger(system, handle.id))
        shelf.history("carried", await _carried_on(system, handle))
        shelf.history("webhook", await _webhook(system))
        await canary.fly(system.client, settings.task_queue)
        shelf.history("canary", await _longest(system.client, "WorkflowType = 'Canary'"))
        sweep: WorkflowHandle[Any, Any] = await system.client.start_workflow(
            RETENTION, id=f"{RETENTION}/release", task_queue=settings.task_queue
        )
        await sweep.result()
        shelf.history("retention", await sweep.fetch_history())


async def _carried_on(system: System, handle: WorkflowHandle[Any, Any]) -> WorkflowHistory:
    """The run that follows, with a command of its own."""
    latest = system.client.get_workflow_handle(handle.id)
    before = (await latest.describe()).run_id
    await latest.signal(RENEW)

    async def renewed() -> bool:
        return (await latest.describe()).run_id != before

    await eventually(renewed)
    taken = await latest.execute_update("note", {"text": "In the next run."})
    await settle(system.engine, [(taken["complaint"], taken["seq"])])
    return await latest.fetch_history()


async def _webhook(system: System) -> WorkflowHistory:
    receiver = Receiver()
    await receiver.start()
    try:
        async with transaction(system.engine) as connection:
            hook = await webhooks.subscribe(
                connection,
                Vault(system.settings.keyring),
                contract="small",
                format_="cloudevents",
                events=EVENTS,
                origin="http://127.0.0.1",
                url=receiver.url,
                secret=fresh_secret(),
                by=LEAD,
                at=datetime.now(UTC),
            )
        await system.open("small", "HEARD-OF", kind="complaint")
        await eventually(lambda: receiver.calls)
        await poke_webhook(system.client, system.settings.task_queue, hook.id)
        handle: WorkflowHandle[Any, Any] = system.client.get_workflow_handle(webhook_id(hook.id))
        await handle.result()
        return await handle.fetch_history()
    finally:
        await receiver.stop()


@asynccontextmanager
async def neighbours(folder: Path) -> AsyncIterator[tuple[Settings, Settings]]:
    """Settings for two systems, each with a database of its own."""
    sink = SmtpSink()
    await sink.start()
    try:
        async with cluster(folder / "postgres") as databases:
            first, second = [
                Settings(
                    database_url=await databases.fresh(),
                    smtp_host=sink.host,
                    smtp_port=sink.port,
                    mail_from="Ombud <ombud@example.com>",
                    signing_key="a key for recordings alone, 32 letters",
                    master_key=base64.b64encode(bytes(32)).decode(),
                    task_queue=f"ombud-{uuid.uuid4().hex[:8]}",
                    webhook_allow="127.0.0.1",
                )
                for _ in range(2)
            ]
            yield first, second
    finally:
        await sink.stop()


async def main(folder: Path) -> None:
    shelf = Shelf(folder)
    with tempfile.TemporaryDirectory() as scratch:
        async with neighbours(Path(scratch)) as (first, second):
            shelf.migration()
            await lives(shelf, first)
            await others(shelf, second)
    print(f"{folder}: {', '.join(shelf.added) or 'nothing was missing'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="in place of the version's own folder")
    asyncio.run(main(parser.parse_args().into or KEPT / version()))
